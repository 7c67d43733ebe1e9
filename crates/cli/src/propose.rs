//! `genesys propose`: a proposal by language models, reviewed or not; no design is made of it.
//!
//! In: what answers, parents, limits. Out: a proposal as a text, which `implement` and `review` take.

use std::path::PathBuf;

use genesys_agents::{End, Review, Way, propose};

use crate::commission::{CommissionArgs, tell};
use crate::failure::Failure;
use crate::{aside, output};

/// Have language models search, and write a proposal for a design.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys propose --llm http://localhost:8080/v1 --parent designs/gpt.gau --out idea.md
  genesys review idea.md --llm http://localhost:8080/v1 --parent designs/gpt.gau
  genesys implement idea.md --llm http://localhost:8080/v1 --out new.gau

The proposal is the text of `implement`. A reviewer has to pass it; without one, say --unreviewed. docs/agents.md says more.

JSON: as `genesys design --json`, without a design.

Exit status: 0 there is a proposal, 1 there is none that passes, 2 the model cannot be asked.")]
pub(crate) struct Args {
    #[command(flatten)]
    commission: CommissionArgs,
    /// Ask no reviewer.
    #[arg(long)]
    unreviewed: bool,
    /// The file to write, instead of standard output.
    #[arg(long, value_name = "FILE.md")]
    out: Option<PathBuf>,
    /// Print the whole dialogue as JSON for programs instead of the proposal.
    #[arg(long, conflicts_with = "out")]
    json: bool,
}

/// Has a proposal written.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let review = if args.unreviewed { Review::Skipped } else { Review::Asked };
    // Its interfaces are the implementer's to sketch.
    let studio = args.commission.open(Way::Whole, review)?;
    let dialogue =
        studio.work(|desk| propose(desk, &studio.commission, &mut tell).map_err(|unfinished| unfinished.error))?;
    if args.json {
        output::line(format_args!("{:#}", serde_json::json!(dialogue)))?;
    }
    let passed = dialogue.proposals.last().filter(|_| dialogue.end == End::Designed);
    let Some(passed) = passed else {
        return Err(Failure::Input(format!("no proposal: {}; what was said stands above", dialogue.end.words())));
    };
    let text = passed.proposal.text();
    match &args.out {
        _ if args.json => Ok(()),
        Some(path) => aside::write(path, text.as_bytes()).map_err(Failure::writing(path)),
        None => output::now(&text),
    }
}
