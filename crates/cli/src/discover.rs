//! `genesys discover`: the main job.
//!
//! In: a seed, a text, how much to do. Out: a run in a folder, progress on standard error, and the leaderboard on
//! standard output. Workers are processes of this program. A folder that holds a run already is gone on with.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use genesys_data::Dataset;
use genesys_evolve::{EvolveError, ProcessPool, Settings, Shipped, State, board};
use genesys_store::{Reader, StoreError};

use crate::corpus::{self, CorpusArgs};
use crate::failure::Failure;
use crate::leaderboard;
use crate::live::Live;
use crate::output;
use crate::report;
use crate::shipped;

/// Evolve the shipped designs, train every one on text, and rank them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys discover                                  three generations of six; a run in the next folder runs/NNN
  genesys discover --seed 1 --corpus books/         other draws, on your own text
  genesys discover --generations 10 --population 12 --run runs/long
  genesys discover --run runs/long                  go on with a run that was stopped

A run is a folder: the log of everything that happened (events.db), the loss curves, all designs as files, and at \
the end a report to read in a browser (report.html). The same \
seed, numbers and text give the same designs and the same bits per byte, whatever the number of workers. A run that was \
stopped, in whatever way, goes on where it was.")]
pub(crate) struct Args {
    /// The run's folder; without it, the next free runs/NNN.
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Decides every draw [default: 0].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Generations of offspring [default: 3].
    #[arg(long, value_name = "G", value_parser = clap::value_parser!(u64).range(0..=100_000))]
    generations: Option<u64>,
    /// Offspring a generation [default: 6].
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    population: Option<u64>,
    /// Steps of each training [default: 200]; fewer for a quick look.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    steps: Option<u64>,
    /// Trainings side by side, each a process of one thread; they do not change the result [default: one a core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    workers: Option<u64>,
    #[command(flatten)]
    corpus: CorpusArgs,
}

/// Makes a run, or goes on with one, and prints its leaderboard.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let dir = match &args.run {
        Some(dir) => dir.clone(),
        None => next_run(Path::new("runs"))?,
    };
    let begun = settings_of(&dir)?;
    if begun.is_some() {
        args.refuse_numbers(&dir)?;
    }
    let settings = begun.clone().unwrap_or_else(|| args.settings());
    let data = corpus::dataset(&args.corpus.read()?, settings.scale.vocabulary)?;
    let shipped = shipped();
    output::say(format_args!("run:  {}, seed {}", dir.display(), settings.seed));
    let mut pool = args.pool()?;
    let mut live = Live::new(settings.trainings(shipped.len() as u64), settings.scale.steps);
    let state = match begun {
        Some(_) => genesys_evolve::resume(&dir, &data, &mut pool, &mut live),
        None => genesys_evolve::discover(&dir, &settings, &shipped, &data, &mut pool, &mut live),
    };
    live.finish();
    finish(&dir, &state.map_err(|error| of_evolve(&error))?, &data)
}

impl Args {
    fn settings(&self) -> Settings {
        let mut settings = Settings::new(self.seed.unwrap_or(0));
        settings.generations = self.generations.unwrap_or(settings.generations);
        settings.population = self.population.unwrap_or(settings.population);
        settings.scale.steps = self.steps.unwrap_or(settings.scale.steps);
        settings
    }

    /// The numbers of a run that has begun are fixed.
    fn refuse_numbers(&self, dir: &Path) -> Result<(), Failure> {
        let given = [
            ("--seed", self.seed),
            ("--generations", self.generations),
            ("--population", self.population),
            ("--steps", self.steps),
        ];
        match given.into_iter().find(|(_, value)| value.is_some()) {
            None => Ok(()),
            Some((name, _)) => Err(Failure::Input(format!(
                "{} holds a run already, whose numbers are fixed: leave {name} out to go on with it, or choose another \
                 folder",
                dir.display()
            ))),
        }
    }

    fn pool(&self) -> Result<ProcessPool, Failure> {
        let program = std::env::current_exe()
            .map_err(|error| Failure::World(format!("cannot find this program to start workers: {error}")))?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = self.workers.map_or(cores, |workers| usize::try_from(workers).unwrap_or(usize::MAX));
        Ok(ProcessPool::new(program, vec![OsString::from("worker")], workers))
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

/// The numbers of the run in `dir`; none where no run is there.
fn settings_of(dir: &Path) -> Result<Option<Settings>, Failure> {
    let reader = match Reader::open(dir) {
        Err(StoreError::NoRun { .. }) => return Ok(None),
        opened => opened.map_err(|error| of_evolve(&error.into()))?,
    };
    let first = reader.events().next().transpose().map_err(|error| of_evolve(&error.into()))?;
    let first = first.ok_or_else(|| {
        Failure::Input(format!("{} holds a run that was stopped before it began: delete the folder", dir.display()))
    })?;
    Ok(Some(State::first(&first).map_err(|error| of_evolve(&error))?.started.settings))
}

/// The folder behind the highest number in `runs`.
fn next_run(runs: &Path) -> Result<PathBuf, Failure> {
    fs::create_dir_all(runs).map_err(Failure::writing(runs))?;
    let entries = fs::read_dir(runs).map_err(Failure::reading(runs))?;
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u64>().ok());
    Ok(runs.join(format!("{:03}", numbers.max().map_or(1, |last| last.saturating_add(1)))))
}

/// Writes all designs and the report into the run's folder, and prints the leaderboard.
fn finish(dir: &Path, state: &State, data: &Dataset) -> Result<(), Failure> {
    let designs = dir.join("designs");
    fs::create_dir_all(&designs).map_err(Failure::writing(&designs))?;
    for design in &state.designs {
        let path = designs.join(format!("{}.gau", design.proposed.name));
        fs::write(&path, &design.proposed.text).map_err(Failure::writing(&path))?;
    }
    output::say(format_args!("designs: {}", designs.display()));
    report::at_the_end(dir)?;
    output::line(leaderboard::table(&board::board(state), &state.started.settings, data.info()).trim_end())
}

fn of_evolve(error: &EvolveError) -> Failure {
    Failure::of(error.is_input(), error)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_next_run_is_behind_the_highest_number() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path().join("runs");
        assert_eq!(next_run(&runs).unwrap(), runs.join("001"));
        for name in ["007", "003", "notes", "long"] {
            fs::create_dir(runs.join(name)).unwrap();
        }
        assert_eq!(next_run(&runs).unwrap(), runs.join("008"));
    }

    #[test]
    fn one_shipped_design_is_the_baseline() {
        assert_eq!(Settings::new(0).flaw(&shipped()), None);
    }
}
