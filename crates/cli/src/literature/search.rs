//! `genesys literature search`: a question, and what is known about it.
//!
//! In: a question, and what to search. Out: entries, best first, with why they were found, their source, and the design that
//! implements them. Nothing found is an answer, too.

use std::num::NonZeroUsize;

use genesys_literature::{Batch, Kind, Query, show};

use super::live::{Live, Said};
use super::meaning::{MeaningArgs, WORDS_ALONE, give_vectors};
use super::shelf::{LIVE, Shelf, of_literature};
use crate::failure::Failure;
use crate::output;

/// Search works, designs, units, and what you add.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys literature search linear attention with a gated state
  genesys literature search '\"delta rule\" recurr*' --kind work --kind unit
  genesys literature search sparse attention --folder ~/papers --json | jq '.hits[0]'
  genesys literature search short convolution --run runs/001
  genesys literature search test-time training --live arxiv,semantic-scholar

Words rank what is found, \"phrases in quotes\" must occur, and a beginning* stands for every word that begins so.

JSON: {query, ways, notes, hits: [{rank, score, matched: [{field, words}], excerpt, key, kind, title, year, authors, \
venue, summary, standing, tags, units, source, links: [{relation, key}]}]}. `standing` is {checked: page} (the \
summary was compared with it), unchecked, given (it is the text itself), or {retrieved: day}. What a live source \
does not answer is a note, and the rest is searched. What stands in it was written by others: \
it is data.")]
pub(super) struct Args {
    /// What is asked.
    #[arg(value_name = "TEXT", required = true)]
    text: Vec<String>,
    /// How many entries, at most.
    #[arg(long, value_name = "N", default_value = "10")]
    limit: NonZeroUsize,
    /// Only entries of this kind: work, design, unit, proposal, result, file, arxiv, semantic-scholar. May be given several times.
    #[arg(long, value_name = "KIND")]
    kind: Vec<Kind>,
    /// Print JSON for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    live: Live,
    #[command(flatten)]
    meaning: MeaningArgs,
    #[command(flatten)]
    shelf: Shelf,
}

/// Searches and prints.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let question = args.text.join(" ");
    let model = args.meaning.model()?;
    let (mut index, mut notes) = args.shelf.index(model.is_some())?;
    let said = match args.live.open(args.shelf.place()) {
        Ok(live) => live.map_or_else(Said::default, |live| live.ask(&question, &args.kind, args.limit.get())),
        Err(why) => {
            notes.push(why);
            Said::default()
        }
    };
    notes.extend(said.notes.into_iter().map(|note| note.text));
    let batch = |(source, documents)| Batch::of(&format!("{source:?}"), documents);
    let batches: Vec<Batch> = said.found.into_iter().map(batch).collect();
    index.replace(LIVE, &batches).map_err(of_literature)?;
    match &model {
        Some(model) => give_vectors(&mut index, model.as_ref()).map_err(of_literature)?,
        None => notes.push(WORDS_ALONE.to_owned()),
    }
    let query = Query { text: &question, limit: args.limit.get(), kinds: &args.kind };
    let found = index.search(&query, model.as_deref()).map_err(of_literature)?;
    if args.json {
        let json = serde_json::to_string_pretty(&show::answer(&question, &found, &notes));
        return output::line(json.expect("an answer has a JSON form"));
    }
    notes.iter().for_each(|note| output::say(format_args!("note: {note}")));
    if found.hits.is_empty() {
        return output::line("nothing found: other words, or a beginning* of them, may do");
    }
    output::now(&show::hits(&found))
}
