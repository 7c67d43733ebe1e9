//! `genesys leaderboard`: the leaderboard as text, or why one of its designs is as it is.
//!
//! In: a run's folder, finished or not; rows, best first, and what all of them had in common. Out: a table, or what is known of
//! one design; or JSON. It holds nothing that differs between two runs of one seed: no time, no folder. The run is only read.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use genesys_evolve::fact::Started;
use genesys_evolve::{Row, State, board};
use genesys_report::number::{bytes, grouped, short_hash};
use genesys_report::why::{self, Unfound, Why};

use crate::failure::Failure;
use crate::output;
use crate::run_folder::{go_on_with, quoted};

/// Print the leaderboard of a run, or why one of its designs is as it is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys leaderboard runs/001                            the table that `discover` ends with
  genesys leaderboard runs/001 --why gpt-1.3              who made that design, what it rests on, what it brought
  genesys leaderboard runs/001 --why g2-3198ef37 --json   the same for programs, by the beginning of its hash

With --why: the operator and what it drew, or the dialogue with language models with the title, the idea and the expected effect of its \
proposal; the parents; the units that were added, changed and removed; the documents that it refers to, each with the sentence; and the \
bits per byte of the design less those of each parent, below 0 it is better. A run that is not finished tells what is known so far.

JSON: [{rank, hash, name, generation, lineage: [{name, operator}], parameters, state_bytes, seeds, tokens, bits_per_byte, deviation, \
baseline, failure}], best design first.

JSON with --why: {name, hash, generation, rank, made, parents: [{name, hash, bpb, bpb_sd, seeds, effect: {same_seed, mean, error}}], \
best_parent, units: {added, changed, removed}, bpb, bpb_sd, seeds, failure, verdict}. `made` is {by: run}, {by: operator, operator}, or \
{by: dialogue, mode, title, idea, expected, rating, references: [{key, sentence}]}. `same_seed` is by the first training of both, \
`mean` by all, `error` the standard error of `mean`; `best_parent` is a hash. What is not known is null; `verdict` is as in \
`genesys report --help`.")]
pub(crate) struct Args {
    /// A run's folder.
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The name of a design, its hash, or a beginning of that which no other has: tell why it is as it is.
    #[arg(long, value_name = "NAME")]
    why: Option<String>,
    /// Print JSON for programs instead of text.
    #[arg(long)]
    json: bool,
}

/// Prints what is asked for.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let state = genesys_evolve::read(&args.run).map_err(|error| Failure::of(error.is_input(), &error))?;
    if state.board.is_none() {
        let next = go_on_with(&args.run, &state.started.settings);
        output::say(format_args!("the run is not finished: `{next}` goes on with it"));
    }
    match &args.why {
        Some(asked) => tell_why(args, &state, asked),
        None if args.json => json(&board::board(&state)),
        None => output::now(&table(&board::board(&state), &state.started)),
    }
}

fn tell_why(args: &Args, state: &State, asked: &str) -> Result<(), Failure> {
    let found = why::find(state, asked).map_err(|unfound| missing(&args.run, asked, &unfound))?;
    let why = Why::of(state, found);
    if args.json { json(&why) } else { output::now(&why::text(&why)) }
}

fn json(value: &impl serde::Serialize) -> Result<(), Failure> {
    output::line(serde_json::to_string_pretty(value).expect("what is known of a run has a JSON form"))
}

/// The failure where `asked` is not one design of the run in `dir`.
fn missing(dir: &Path, asked: &str, unfound: &Unfound) -> Failure {
    let all = format!("`genesys leaderboard {}` lists them", quoted(dir));
    let (found, way_out) = match unfound {
        Unfound::NoOne(like) if like.is_empty() => ("which none has", all),
        Unfound::NoOne(like) => ("which none has", format!("do you mean `{}`?", like.join("`, `"))),
        Unfound::Several(names) => {
            ("with which several hashes begin", format!("name one of `{}`, or more of its hash", names.join("`, `")))
        }
    };
    let dir = dir.display();
    Failure::Input(format!("expected the name or the hash of a design of {dir}, found `{asked}`, {found}; {way_out}"))
}

/// The table, with the conditions of the comparison under it.
pub(crate) fn table(rows: &[Row], run: &Started) -> String {
    let baseline = rows.iter().find(|row| row.baseline);
    let reference = baseline.and_then(|row| row.bits_per_byte);
    let lines: Vec<[String; 9]> =
        [HEAD.map(str::to_owned)].into_iter().chain(rows.iter().map(|row| cells(row, reference))).collect();
    let mut text = aligned(&lines);
    let scale = &run.settings.scale;
    let tokens = grouped(scale.steps * scale.tokens_per_step());
    let name = baseline.map_or("none", |row| row.name.as_str());
    let _ = write!(
        text,
        "\n{}\nbits per byte of validation text, less is better; ± is the standard deviation over seeds\n\
         every training: {} steps, {tokens} tokens, at {}; baseline: {name}; seed {}\n\
         text {}, tokenizer {}\n",
        changes(rows),
        scale.steps,
        scale.name,
        run.settings.seed,
        run.text.corpus_hash,
        run.text.tokenizer_hash
    );
    text
}

const HEAD: [&str; 9] =
    ["rank", "design", "bits per byte", "to baseline", "seeds", "parameters", "decode state", "hash", "lineage"];

fn cells(row: &Row, reference: Option<f64>) -> [String; 9] {
    let score = match (row.bits_per_byte, row.deviation) {
        (Some(mean), Some(deviation)) => format!("{mean:.4} ±{deviation:.4}"),
        (Some(mean), None) => format!("{mean:.4}        "),
        (None, _) if row.failure.is_some() => "failed        ".to_owned(),
        (None, _) => "untrained     ".to_owned(),
    };
    let lead = match (row.bits_per_byte, reference) {
        _ if row.baseline => "baseline".to_owned(),
        (Some(mean), Some(reference)) => format!("{:+.4}", mean - reference),
        (Some(_) | None, _) => String::new(),
    };
    [
        row.rank.to_string(),
        row.name.clone(),
        score,
        lead,
        row.seeds.to_string(),
        grouped(row.parameters),
        bytes(row.state_bytes),
        short_hash(&row.hash),
        row.failure.clone().filter(|_| row.bits_per_byte.is_none()).unwrap_or_else(|| lineage(row)),
    ]
}

/// `gpt > gpt-1.2`
fn lineage(row: &Row) -> String {
    row.lineage.iter().map(|ancestor| ancestor.name.as_str()).collect::<Vec<_>>().join(" > ")
}

/// What was changed on the way to each design that was trained with more seeds.
fn changes(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows.iter().filter(|row| row.deviation.is_some()) {
        let steps: Vec<&str> = row.lineage.iter().filter_map(|ancestor| ancestor.operator.as_deref()).collect();
        if !steps.is_empty() {
            let _ = writeln!(text, "{}: {}", row.name, steps.join("; "));
        }
    }
    for row in rows.iter().filter(|row| row.bits_per_byte.is_some()) {
        if let Some(failure) = &row.failure {
            let _ = writeln!(text, "{}: a training of it failed and is left out: {failure}", row.name);
        }
    }
    text
}

/// Columns as wide as their widest cell: words to the left, numbers to the right.
fn aligned(lines: &[[String; 9]]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            1 | 7 | 8 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use genesys_evolve::Ancestor;

    use super::*;

    fn row(name: &str, score: Option<f64>, deviation: Option<f64>) -> Row {
        let ancestor = |name: &str, operator: Option<&str>| Ancestor {
            name: name.to_owned(),
            operator: operator.map(str::to_owned),
        };
        Row {
            rank: 1,
            hash: "g1-0123456789abcdef".to_owned(),
            name: name.to_owned(),
            generation: 1,
            lineage: vec![ancestor("gpt", None), ancestor(name, Some("swap-activation"))],
            parameters: 1_234_567,
            state_bytes: 16_896,
            seeds: 3,
            tokens: 204_800,
            bits_per_byte: score,
            deviation,
            baseline: false,
            failure: score.is_none().then(|| "the loss is not a finite number at step 3".to_owned()),
        }
    }

    #[test]
    fn a_row_shows_spread_lead_sizes_and_lineage() {
        let cells = cells(&row("gpt-1.2", Some(2.5), Some(0.0125)), Some(2.75));
        let shown = cells.each_ref().map(String::as_str);
        let expected = ["1", "gpt-1.2", "2.5000 ±0.0125", "-0.2500", "3", "1,234,567", "16.5 KiB", "g1-01234567"];
        assert_eq!(shown[..8], expected);
        assert_eq!(shown[8], "gpt > gpt-1.2");
        assert_eq!(changes(&[row("gpt-1.2", Some(2.5), Some(0.0125))]), "gpt-1.2: swap-activation\n");
    }

    #[test]
    fn a_failed_design_says_why() {
        let cells = cells(&row("gpt-1.2", None, None), Some(2.75));
        assert_eq!(cells[2].trim(), "failed");
        assert_eq!(cells[8], "the loss is not a finite number at step 3");
    }

    #[test]
    fn a_design_that_is_not_trained_yet_did_not_fail() {
        let row = Row { failure: None, ..row("gpt-1.2", None, None) };
        assert_eq!(cells(&row, Some(2.75))[2].trim(), "untrained");
    }

    #[test]
    fn columns_are_aligned() {
        let line = |name: &str| ["1", name, "x", "", "", "", "", "", "end"].map(str::to_owned);
        let text = aligned(&[line("a"), line("abc")]);
        let ends: Vec<usize> = text.lines().map(str::len).collect();
        assert_eq!(ends[0], ends[1]);
    }
}
