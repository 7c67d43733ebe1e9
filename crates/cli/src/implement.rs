//! `genesys implement`: a written proposal, made a design by a language model.
//!
//! In: a text, what answers, scales. Out: a design file that checks; on the way each answer, and what is wrong with it, on standard
//! error. Where none comes of it, every attempt is told, and nothing is written.

use std::path::PathBuf;

use genesys_agents::{Attempt, Task, implement};
use serde_json::json;

use crate::answers::AnswerArgs;
use crate::commission::WayArg;
use crate::failure::Failure;
use crate::llm::{self, LlmArgs, Opened};
use crate::{aside, design_file, output};

/// Have a language model write the design that a proposal describes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys implement idea.md --llm http://localhost:8080/v1 --out mine.gau
  genesys implement idea.md --llm https://openrouter.ai/api/v1#VENDOR/MODEL --scale 14M --record idea.jsonl
  genesys implement idea.md --llm replay:idea.jsonl            the same once more, without a network
  genesys implement idea.md --llm file:asked                   you are the model: docs/llm.md

By units (the default) the model first gives a sketch of interfaces, and then writes one unit at a time; each is fixed at its first \
valid version. What the checker says of an answer goes back to the model. Nothing that a model writes is run as code.

JSON: {design_hash or null, text or null, attempts: [{role, piece, number, answer, errors}]}.

Exit status: 0 there is a design, 1 there is none, 2 the model cannot be asked.")]
pub(crate) struct Args {
    /// A text that describes the design.
    #[arg(value_name = "PROPOSAL")]
    proposal: PathBuf,
    #[command(flatten)]
    llm: LlmArgs,
    /// How it is written.
    #[arg(long, value_enum, default_value = "by-units")]
    way: WayArg,
    #[command(flatten)]
    answers: AnswerArgs,
    /// The file to write, instead of standard output.
    #[arg(long, value_name = "FILE.gau")]
    out: Option<PathBuf>,
    /// Print JSON for programs instead of the design: every answer is in it.
    #[arg(long, conflicts_with = "out")]
    json: bool,
}

/// Has a proposal implemented.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let proposal = design_file::read(&args.proposal).or_say()?;
    let Opened { transport, model, .. } = args.llm.open()?;
    let scales = args.answers.scales();
    let task = Task {
        transport: transport.as_ref(),
        model: &model,
        proposal: &proposal,
        scales: &scales,
        way: args.way.way(),
        limits: args.answers.limits(),
        seed: args.answers.seed,
    };
    let outcome = implement(&task, &mut |attempt| output::say(words(attempt))).map_err(|error| llm::failure(&error))?;
    if args.json {
        let (hash, text) = outcome.design.as_ref().map(|(design, text)| (design.hash().to_string(), text)).unzip();
        let value = json!({ "design_hash": hash, "text": text, "attempts": outcome.attempts });
        output::line(format_args!("{value:#}"))?;
    }
    let Some((design, text)) = outcome.design else {
        return Err(Failure::Input(format!(
            "no design came of {} in {} answers: the last errors stand above",
            args.proposal.display(),
            outcome.attempts.len()
        )));
    };
    output::say(format_args!("{} checks, {}", design.name(), design.hash()));
    match &args.out {
        _ if args.json => Ok(()),
        Some(path) => aside::write(path, text.as_bytes()).map_err(Failure::writing(path)),
        None => output::now(&text),
    }
}

/// An attempt in a line, and what is wrong with it below.
fn words(attempt: &Attempt) -> String {
    let Attempt { piece, number, errors, .. } = attempt;
    match &errors[..] {
        [] => format!("{piece}: answer {number} is taken"),
        errors => format!("{piece}: answer {number} is not taken\n{}", errors.join("\n")),
    }
}
