//! `genesys llm`: language models that agents ask.
//!
//! In: a target, keys from the environment. Out: what works with it, as text or as JSON.

mod language;

use std::path::{Path, PathBuf};
use std::time::Duration;

use genesys_llm::check::{Probe, Verdict, check};
use genesys_llm::record::{Lines, Recorder, exchanges};
use genesys_llm::retry::{Patience, Retry};
use genesys_llm::throttle::{Clock, Wall};
use genesys_llm::{Continued, LlmError, Prices, Transport};
use serde_json::json;

use crate::failure::Failure;
use crate::output;
use crate::targets::{Targets, joined};

/// What answers, in its one spelling.
#[derive(Debug, clap::Args)]
pub(crate) struct LlmArgs {
    /// What answers: `https://HOST/v1#MODEL` (chat completions; `https://api.anthropic.com#MODEL`, messages), `file:DIR#NAME`
    /// (whoever answers the files there, named as they like), `local:FILE` (a model in GGUF, run by this program), `replay:FILE` (a recording).
    /// May be given several times, each with a weight as `0.5*TARGET`: which is asked is drawn, and others answer where it fails.
    // Parsed later: what is refused here would be shown with the key that stands in it.
    #[arg(long, value_name = "TARGET", required = true)]
    pub(crate) llm: Vec<String>,
    /// Records every exchange in this file, a line of JSON each, to be replayed; what it has already is not asked again, so that a
    /// dialogue which was stopped goes on.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// The most seconds that are waited for an answer [default: 1200; of files, without end]; `local:` takes the time it takes.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=604_800))]
    pub(crate) wait: Option<u64>,
}

impl LlmArgs {
    /// What answers.
    pub(crate) fn targets(&self) -> Result<Targets, Failure> {
        Targets::parse(&self.llm)
    }

    /// How long is waited for an answer, if it is told.
    fn patience(&self) -> Option<Duration> {
        self.wait.map(Duration::from_secs)
    }

    /// What answers, to be asked, and the model's name. A server is asked again where that may help; so is a recording, which then goes
    /// the way it went. What a recording that is added to has already is not asked again: what was stopped goes on where it was.
    pub(crate) fn open(&self) -> Result<Opened, Failure> {
        let targets = self.targets()?;
        let members = targets.open(self.patience())?;
        let names = members.iter().map(|member| member.model.clone()).collect();
        let (transport, model) = joined(members);
        let transport = match &self.record {
            Some(path) => recorded(transport, path)?,
            None => transport,
        };
        let clock: Option<Box<dyn Clock>> = match (targets.replayed(), targets.has_server()) {
            (Some(_), _) => Some(Box::new(Skipping)),
            (None, true) => Some(Box::new(Wall::default())),
            // Who answers files is waited for.
            (None, false) => None,
        };
        let transport = match clock {
            Some(clock) => Box::new(Retry::new(transport, Patience::default(), clock)),
            None => transport,
        };
        Ok(Opened { transport, model, names })
    }
}

/// What answers, opened.
pub(crate) struct Opened {
    /// Who is asked.
    pub(crate) transport: Box<dyn Transport>,
    /// What it is called.
    pub(crate) model: String,
    /// The models it is made of.
    names: Vec<String>,
}

impl Opened {
    /// The shipped prices, with what its answers cost.
    pub(crate) fn prices(&self) -> Prices {
        match &self.names[..] {
            [_] => Prices::shipped(),
            names => Prices::shipped().with_joint(&self.model, names),
        }
    }
}

/// The same with a recording, which answers what it has already.
fn recorded(transport: Box<dyn Transport>, path: &Path) -> Result<Box<dyn Transport>, Failure> {
    let lines = Lines::open(path).map_err(|error| failure(&error))?;
    let before = exchanges(path).map_err(|error| failure(&error))?;
    Ok(Box::new(Continued::new(before, Recorder::new(transport, lines))))
}

/// A clock for what was waited for before.
struct Skipping;

impl Clock for Skipping {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) {}
}

/// Language models that are asked: what works with one.
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Check(CheckArgs),
}

/// Ask a target a few small questions, and say what works; several are asked one after the other.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys llm check --llm http://localhost:8080/v1                 a server of llama.cpp, vLLM or Ollama
  genesys llm check --llm https://openrouter.ai/api/v1#VENDOR/MODEL
  genesys llm check --llm https://api.anthropic.com#MODEL --json
  genesys llm check --llm local:model.gguf                         a small model of the Llama family, without a server
  genesys llm check --llm file:asked                               you answer, in the folder asked/

Keys come from OPENAI_API_KEY, ANTHROPIC_API_KEY and OPENROUTER_API_KEY, each for its own host alone, and from GENESYS_LLM_KEY for \
any other. Four small requests are made, the last with the grammar of designs. docs/llm.md says more.

Exit status: 0 something answers, 1 the address or the key is wrong, 2 nothing answers.")]
struct CheckArgs {
    #[command(flatten)]
    llm: LlmArgs,
    /// Print JSON for programs instead of text.
    #[arg(long)]
    json: bool,
}

/// Runs a command about models.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::Check(args) => probe(args),
    }
}

fn probe(args: &CheckArgs) -> Result<(), Failure> {
    args.llm.targets()?.each().try_for_each(|(alone, target)| {
        let (transport, model) = joined(alone.open(args.llm.patience())?);
        let transport = match &args.llm.record {
            Some(path) => Box::new(Recorder::new(transport, Lines::open(path)?)),
            None => transport,
        };
        let probes = check(transport.as_ref(), &model, &language::language()).map_err(|error| failure(&error))?;
        if args.json {
            return output::line(format_args!("{:#}", json!({ "target": target, "probes": probes })));
        }
        output::line(target)?;
        probes.iter().try_for_each(|probe| output::line(words(probe)))
    })
}

fn words(probe: &Probe) -> String {
    let verdict = match probe.verdict {
        Verdict::Works => "works",
        Verdict::Ignored => "ignored",
        Verdict::Fails => "fails",
    };
    format!("  {:<20} {verdict:<8} {}", probe.name, probe.detail)
}

impl From<LlmError> for Failure {
    fn from(error: LlmError) -> Self {
        failure(&error)
    }
}

/// A failure of a model.
pub(crate) fn failure(error: &LlmError) -> Failure {
    Failure::of(error.is_input(), error)
}
