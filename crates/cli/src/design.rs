//! `genesys design`: one design by language models, from searching to observing.
//!
//! In: what answers, parents, limits. Out: a design file that checks; on the way the whole dialogue, on standard error. Where none
//! comes of it, it is told why, and nothing is written.

use std::path::PathBuf;

use clap::ValueEnum;
use genesys_agents::{Dialogue, End, Review, design};
use serde_json::json;

use crate::commission::{CommissionArgs, WayArg, tell};
use crate::failure::Failure;
use crate::{aside, output};

/// Have language models propose, review, write and observe one design.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys design --llm http://localhost:8080/v1 --parent designs/gpt.gau --out new.gau
  genesys design --llm https://openrouter.ai/api/v1#VENDOR/MODEL --mode scratch --record new.jsonl
  genesys design --llm replay:new.jsonl --mode scratch         the same once more, without a network
  genesys design --llm file:asked --parent designs/gpt.gau     you are the model: docs/agents.md

A proposer searches what is known and writes a proposal and its interfaces; a reviewer rates it, and 4 of 5 passes; a planner orders \
the units; an implementer writes them one at a time, each until it checks; an observer compares the design with the proposal. What \
the program can find out about a design is found out and not asked. docs/agents.md says more.

A dialogue that was stopped goes on where it was by the same command, if it was recorded.

JSON: {mode, end, design: {hash, text} or null, proposals: [{proposal, sketch, verdict}], plan, observations, attempts: [{role, piece, \
number, answer, errors}], drafts: [text] of what else the checker passed, if anything, spent: {ROLE: {money, usage, calls}}}; money is in \
10^-12 USD.

Exit status: 0 there is a design, 1 there is none, 2 the model cannot be asked.")]
pub(crate) struct Args {
    #[command(flatten)]
    commission: CommissionArgs,
    /// How the design is written.
    #[arg(long, value_enum, default_value = "by-units")]
    way: WayArg,
    /// Whether proposals are reviewed.
    #[arg(long, value_enum, default_value = "asked")]
    review: ReviewArg,
    /// The file to write, instead of standard output.
    #[arg(long, value_name = "FILE.gau")]
    out: Option<PathBuf>,
    /// Print the whole dialogue as JSON for programs instead of the design.
    #[arg(long, conflicts_with = "out")]
    json: bool,
}

/// Whether proposals are reviewed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ReviewArg {
    /// By a reviewer, whom a proposal has to convince.
    Asked,
    /// Not.
    Skipped,
}

/// Has a design made.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let review = match args.review {
        ReviewArg::Asked => Review::Asked,
        ReviewArg::Skipped => Review::Skipped,
    };
    let studio = args.commission.open(args.way.way(), review)?;
    let dialogue =
        studio.work(|desk| design(desk, &studio.commission, &mut tell).map_err(|unfinished| unfinished.error))?;
    if args.json {
        let mut value = json!(dialogue);
        value["mode"] = json!(studio.mode());
        value["spent"] = json!(studio.spent());
        output::line(format_args!("{value:#}"))?;
    }
    let Dialogue { design: Some(written), end: End::Designed, .. } = &dialogue else {
        return Err(Failure::Input(format!("no design: {}; what was said stands above", dialogue.end.words())));
    };
    output::say(format_args!("a design was written, {}", written.hash));
    match &args.out {
        _ if args.json => Ok(()),
        Some(path) => aside::write(path, written.text.as_bytes()).map_err(Failure::writing(path)),
        None => output::now(&written.text),
    }
}
