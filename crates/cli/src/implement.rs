//! `genesys implement`: a written proposal, made a design by a language model.
//!
//! In: a text, what answers, scales. Out: a design file that checks; on the way each answer, and what is wrong with it, on standard
//! error. Where none comes of it, every attempt is told, and nothing is written.

use std::path::PathBuf;

use genesys_agents::{Attempt, Limits, Task, implement};
use genesys_ladder::Scale;
use serde_json::json;

use crate::commission::WayArg;
use crate::failure::Failure;
use crate::llm::{self, LlmArgs};
use crate::{aside, design_file, number, output, scale};

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
    /// A rung of the ladder at which the design has to run; may be given more than once [default: nano].
    #[arg(long, value_name = "SCALE", value_parser = scale::parse)]
    scale: Vec<Scale>,
    /// How often each piece may be mended.
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u64).range(..=100))]
    mends: u64,
    /// The most tokens of an answer.
    #[arg(long, value_name = "N", default_value_t = 4_000, value_parser = number::positive)]
    tokens: u64,
    /// What the model draws from, where it knows seeds.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = number::whole)]
    seed: u64,
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
    let (transport, model) = args.llm.open_patiently()?;
    let nano = [Scale::named("nano").expect("there is a rung `nano`")];
    let task = Task {
        transport: transport.as_ref(),
        model: &model,
        proposal: &proposal,
        scales: if args.scale.is_empty() { &nano } else { &args.scale },
        way: args.way.way(),
        limits: Limits { mends: args.mends as usize, tokens: args.tokens, ..Limits::default() },
        seed: args.seed,
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
