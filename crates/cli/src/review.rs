//! `genesys review`: a proposal, rated by a language model.
//!
//! In: a proposal of the parts that `propose` writes, what answers, the designs that it is compared with. Out: marks and remarks.

use std::path::PathBuf;

use genesys_agents::{Proposal, Review, Way, review};

use crate::commission::{CommissionArgs, tell};
use crate::failure::Failure;
use crate::{design_file, output};

/// Have a language model rate a proposal, and say what is wrong with it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys review idea.md --llm http://localhost:8080/v1 --parent designs/gpt.gau
  genesys review idea.md --llm file:asked --json

A proposal has the parts that docs/agents.md shows. Marks are from 0 to 5; a rating of 4 passes.

JSON: {novelty, soundness, effect, cost, rating, remarks}.

Exit status: 0 it passes, 1 it does not, or is none, 2 the model cannot be asked.")]
pub(crate) struct Args {
    /// The proposal.
    #[arg(value_name = "PROPOSAL")]
    proposal: PathBuf,
    #[command(flatten)]
    commission: CommissionArgs,
    /// Print JSON for programs instead of text.
    #[arg(long)]
    json: bool,
}

/// Has a proposal reviewed.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let text = design_file::read(&args.proposal).or_say()?;
    let place = args.proposal.display();
    let proposal = Proposal::read(&text).map_err(|wrong| Failure::Input(format!("{place}: {}", wrong.join("\n"))))?;
    let studio = args.commission.open(Way::Whole, Review::Asked)?;
    let verdict = studio.work(|desk| review(desk, &studio.commission, &proposal, &mut tell))?;
    let Some(verdict) = verdict else {
        return Err(Failure::Input("no answer was a review; what was said stands above".to_owned()));
    };
    if args.json {
        output::line(format_args!("{:#}", serde_json::json!(verdict)))?;
    } else {
        output::line(verdict.words())?;
    }
    if verdict.passes() { Ok(()) } else { Err(Failure::Input(format!("{place} does not pass"))) }
}
