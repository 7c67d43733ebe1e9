//! `genesys discover`: the main job.
//!
//! In: a seed, a text, how much to do. Out: a run in a new folder, progress on standard error, and the leaderboard on
//! standard output. Workers are processes of this program.

use std::path::{Path, PathBuf};

use genesys_evolve::{Settings, Shipped, discover_with};
use genesys_store::{Reader, StoreError};
use genesys_train::Precision;

use crate::corpus::{self, CorpusArgs};
use crate::designers::{DesignerArgs, Opened};
use crate::dialogue::DialogueArgs;
use crate::failure::Failure;
use crate::go::{self, GoArgs};
use crate::number;
use crate::output;
use crate::precision;
use crate::run_folder::{self, TextPlace};
use crate::shipped;

/// Evolve the shipped designs, train every one on text, and rank them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys discover                                  three generations of six; a run in the next folder runs/NNN
  genesys discover --seed 1 --corpus books/         other draws, on your own text
  genesys discover --generations 10 --population 12 --run runs/long
  genesys discover --llm https://openrouter.ai/api/v1#VENDOR/MODEL --budget 5USD      a language model designs, too
  genesys discover --llm https://openrouter.ai/api/v1#VENDOR/MODEL --live arxiv --folder papers/       it reads, too
  genesys discover --llm http://localhost:8080/v1 --dialogues 1 --tries 1 --answer-tokens 500 --wait 3600   one that is slow
  genesys resume runs/long                          go on with a run that was stopped

A run is a folder: the log of everything that happened (events.db), the loss curves, all designs as files, and at the end \
a report to read in a browser (report.html). The same seed, numbers and text give the same designs and the same bits per \
byte, whatever the number of workers. With --llm half of the places are given to a language model (docs/llm.md): what it says \
is in the run's recording (exchanges.jsonl), and what it finds beside it, of which `--llm replay:RUN` makes the same run again; what it takes is in its \
ledger (ledger.jsonl). A run that was stopped, by Ctrl-C or in whatever way, is gone on with by `genesys \
resume`.")]
pub(crate) struct Args {
    /// The run's folder; without it, the next free runs/NNN.
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Decides every draw.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = number::whole)]
    seed: u64,
    /// Generations of offspring [default: 3].
    #[arg(long, value_name = "G", value_parser = clap::value_parser!(u64).range(0..=100_000))]
    generations: Option<u64>,
    /// Offspring a generation [default: 6].
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    population: Option<u64>,
    /// Steps of each training [default: 200]; fewer for a quick look.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    steps: Option<u64>,
    /// The numbers that products read in each training: f32, or bf16, where the processor multiplies it [default: f32].
    #[arg(long, value_name = "TYPE", value_parser = precision::parse)]
    precision: Option<Precision>,
    /// For how many of a hundred places language models are asked; operators fill the others [default: 50].
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u64).range(0..=100), requires = "llm")]
    share: Option<u64>,
    #[command(flatten)]
    dialogue: DialogueArgs,
    #[command(flatten)]
    designers: DesignerArgs,
    #[command(flatten)]
    go: GoArgs,
    #[command(flatten)]
    corpus: CorpusArgs,
}

/// Makes a run and prints its leaderboard.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let opened = args.designers.open(None)?;
    let dir = match &args.run {
        Some(dir) => dir.clone(),
        None => run_folder::next_run(Path::new("runs"))?,
    };
    refuse_a_run(&dir)?;
    let (settings, shipped) = (args.settings(opened.as_ref()), shipped());
    opened.as_ref().map_or(Ok(()), |opened| opened.estimate(&settings))?;
    let place = TextPlace::of(&args.corpus)?;
    let data = corpus::dataset(&args.corpus.read()?, settings.scale.vocabulary)?;
    place.note(&dir)?;
    output::say(format_args!("run:  {}, seed {}", dir.display(), settings.seed));
    let studio = opened.map(|opened| opened.begun(&dir)?.within(&dir)).transpose()?;
    let designers = studio.as_ref().map(|studio| &studio.designers);
    go::through(&dir, &settings, &args.go, studio.as_ref(), |pool, live| {
        discover_with(&dir, &settings, &shipped, &data, designers, pool, live)
    })
}

impl Args {
    fn settings(&self, opened: Option<&Opened>) -> Settings {
        let mut settings = Settings::new(self.seed);
        settings.generations = self.generations.unwrap_or(settings.generations);
        settings.population = self.population.unwrap_or(settings.population);
        settings.scale.steps = self.steps.unwrap_or(settings.scale.steps);
        settings.precision = precision::of_run(self.precision.unwrap_or_default());
        settings.agents = opened.map(|opened| self.dialogue.within(opened.agents(self.share.unwrap_or(50))));
        settings
    }
}

/// The designs a run starts from; the first is what the others are compared with.
fn shipped() -> Vec<Shipped> {
    let shipped = |(at, (name, text)): (usize, &(&str, &str))| Shipped {
        name: (*name).to_owned(),
        text: (*text).to_owned(),
        baseline: at == 0,
    };
    shipped::DESIGNS.iter().enumerate().map(shipped).collect()
}

/// A run that has begun is gone on with by `resume`, whatever state it is in; here its folder is taken.
fn refuse_a_run(dir: &Path) -> Result<(), Failure> {
    match Reader::open(dir) {
        Err(StoreError::NoRun { .. }) => Ok(()),
        _ => Err(Failure::Input(format!(
            "{} holds a run already, whose numbers are fixed: go on with `{}`, or choose another folder",
            dir.display(),
            run_folder::go_on(dir)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_shipped_design_is_the_baseline() {
        assert_eq!(Settings::new(0).flaw(&shipped()), None);
    }
}
