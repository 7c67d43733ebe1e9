//! `genesys llm`: language models that agents ask.
//!
//! In: a target, keys from the environment. Out: what works with it, as text or as JSON.

use std::path::PathBuf;
use std::time::Duration;

use genesys_llm::check::{Probe, Verdict, check};
use genesys_llm::folder::Folder;
use genesys_llm::http::{Http, Limits};
use genesys_llm::record::{Lines, Recorder, Replay, exchanges};
use genesys_llm::retry::{Patience, Retry};
use genesys_llm::throttle::{Clock, Wall};
use genesys_llm::{Continued, Key, LlmError, Target, Transport};
use genesys_local::Local;
use serde_json::json;

use crate::failure::Failure;
use crate::output;

/// What answers, in its one spelling.
#[derive(Debug, clap::Args)]
pub(crate) struct LlmArgs {
    /// What answers: `https://HOST/v1#MODEL` (chat completions; `https://api.anthropic.com#MODEL`, messages), `file:DIR#NAME`
    /// (whoever answers the files there, named as they like), `local:FILE` (a model in GGUF, run by this program), `replay:FILE` (a recording).
    // Parsed later: what is refused here would be shown with the key that stands in it.
    #[arg(long, value_name = "TARGET")]
    pub(crate) llm: String,
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
    pub(crate) fn target(&self) -> Result<Target, Failure> {
        Target::parse(&self.llm).map_err(|why| Failure::Input(format!("--llm: {why}")))
    }

    /// The same to be asked, and the model's name.
    pub(crate) fn open(&self) -> Result<(Box<dyn Transport>, String), Failure> {
        let wait = self.wait.map(Duration::from_secs);
        let (transport, model): (Box<dyn Transport>, String) = match &self.target()? {
            Target::Http { protocol, base, model } => {
                let host = base.host_str().unwrap_or_default();
                let key = Key::for_host(host, &|name| std::env::var(name).ok());
                let default = Limits::default();
                // Who says how long is waited means the first byte, too: a slow machine reads for minutes before it writes.
                let limits = wait.map_or(default, |wait| Limits { total: wait, first: wait, ..default });
                let http = Http::new(*protocol, base.clone(), key, limits).map_err(|error| failure(&error))?;
                (Box::new(http), model.clone())
            }
            Target::Folder { dir, model } => {
                let folder = Folder::new(dir, wait, Box::new(Wall::default())).map_err(|error| failure(&error))?;
                let folder = folder.answered_by(model);
                let model = folder.model().to_owned();
                (Box::new(folder), model)
            }
            Target::Replay(path) => {
                let replay = Replay::open(path).map_err(|error| failure(&error))?;
                let model = replay.model().to_owned();
                (Box::new(replay), model)
            }
            Target::Local(path) => {
                let local = Local::open(path).map_err(|error| failure(&error))?;
                let model = local.name().to_owned();
                (Box::new(local), model)
            }
        };
        let transport: Box<dyn Transport> = match &self.record {
            Some(path) => {
                let lines = Lines::open(path).map_err(|error| failure(&error))?;
                Box::new(Recorder::new(transport, lines))
            }
            None => transport,
        };
        Ok((transport, model))
    }
}

impl LlmArgs {
    /// As [`open`](Self::open), but a server is asked again where that may help; so is a recording, which then goes the way it went.
    /// What a recording that is added to has already is not asked again: what was stopped goes on where it was.
    pub(crate) fn open_patiently(&self) -> Result<(Box<dyn Transport>, String), Failure> {
        let (transport, model) = self.open()?;
        let before = self.record.as_deref().map(exchanges).transpose().map_err(|error| failure(&error))?;
        let continued = |transport| match before {
            Some(before) => Box::new(Continued::new(before, transport)) as Box<dyn Transport>,
            None => transport,
        };
        let (transport, clock): (Box<dyn Transport>, Box<dyn Clock>) = match self.target()? {
            Target::Http { .. } => (continued(transport), Box::new(Wall::default())),
            Target::Replay(_) => (transport, Box::new(Skipping)),
            // Who answers files is waited for.
            Target::Folder { .. } | Target::Local(_) => return Ok((continued(transport), model)),
        };
        Ok((Box::new(Retry::new(transport, Patience::default(), clock)), model))
    }
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

/// Ask a target a few small questions, and say what works.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys llm check --llm http://localhost:8080/v1                 a server of llama.cpp, vLLM or Ollama
  genesys llm check --llm https://openrouter.ai/api/v1#VENDOR/MODEL
  genesys llm check --llm https://api.anthropic.com#MODEL --json
  genesys llm check --llm local:model.gguf                         a small model of the Llama family, without a server
  genesys llm check --llm file:asked                               you answer, in the folder asked/

Keys come from OPENAI_API_KEY, ANTHROPIC_API_KEY and OPENROUTER_API_KEY, each for its own host alone, and from GENESYS_LLM_KEY for \
any other. Four small requests are made. docs/llm.md says more.

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
    let (transport, model) = args.llm.open()?;
    let probes = check(transport.as_ref(), &model).map_err(|error| failure(&error))?;
    let target = args.llm.target()?.name();
    if args.json {
        return output::line(format_args!("{:#}", json!({ "target": target, "probes": probes })));
    }
    output::line(target)?;
    probes.iter().try_for_each(|probe| output::line(words(probe)))
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
