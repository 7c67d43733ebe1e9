//! `genesys literature show`: one entry, whole, with what it builds on and what builds on it.
//!
//! In: a key. Out: every entry that has it, as text or JSON. A key that nobody has is answered with like ones.

use genesys_literature::show::{self, Facts};
use genesys_literature::{Document, Index};
use serde::Serialize;

use super::shelf::{Shelf, of_literature};
use crate::failure::Failure;
use crate::output;

/// How many like keys are offered.
const OFFERED: usize = 5;

/// Show an entry: what it does, its text, what it builds on, what builds on it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys literature show alibi
  genesys literature show designs/mechanisms/kda.gau
  genesys literature show runs/001/gpt-1.3 --run runs/001 --json

JSON: a list of {key, kind, title, year, authors, venue, summary, standing, tags, units, source, links, text, tied}: \
`links` are the entries it is tied to, `tied` the keys of those that are tied to it.")]
pub(super) struct Args {
    /// A key, as `search` tells it.
    #[arg(value_name = "KEY")]
    key: String,
    /// Print JSON for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    shelf: Shelf,
}

/// An entry for programs.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    facts: Facts<'a>,
    text: &'a str,
    tied: Vec<&'a str>,
}

/// Prints the entries of the key.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (index, notes) = args.shelf.index(false)?;
    notes.iter().for_each(|note| output::say(format_args!("note: {note}")));
    let found = index.get(&args.key).map_err(of_literature)?;
    if found.is_empty() {
        return Err(unknown(&index, &args.key));
    }
    let tied = index.tied_to(&args.key).map_err(of_literature)?;
    if args.json {
        let tied: Vec<&str> = tied.iter().map(|one| one.key.as_str()).collect();
        let whole = |one| Whole { facts: Facts::of(one), text: &one.text, tied: tied.clone() };
        let json = serde_json::to_string_pretty(&found.iter().map(whole).collect::<Vec<_>>());
        return output::line(json.expect("an entry has a JSON form"));
    }
    let texts: Result<Vec<String>, Failure> =
        found.iter().map(|one| Ok(show::document(one, &ties(&index, one)?, &tied))).collect();
    output::now(&texts?.join("\n"))
}

/// The entries that `one` is tied to.
fn ties(index: &Index, one: &Document) -> Result<Vec<Document>, Failure> {
    let found: Result<Vec<Vec<Document>>, _> = one.links.iter().map(|link| index.get(&link.key)).collect();
    Ok(found.map_err(of_literature)?.into_iter().flatten().collect())
}

/// The failure where nobody has the key.
fn unknown(index: &Index, key: &str) -> Failure {
    let like = index.like(key, OFFERED).unwrap_or_default();
    let way_out = match like.is_empty() {
        true => "`genesys literature search` finds keys".to_owned(),
        false => format!("do you mean `{}`?", like.join("`, `")),
    };
    Failure::Input(format!("expected the key of an entry, found `{key}`, which none has; {way_out}"))
}
