//! Going through with a run, new or not: workers, signals, what is shown, and how it ends.
//!
//! In: a run's folder and its numbers, and the step into `evolve`. Out: the leaderboard, or a failure that says how to go
//! on. Nothing here decides a result.

use std::ffi::OsString;
use std::path::Path;

use genesys_evolve::{EvolveError, ProcessPool, Settings, State};

use crate::designers::Studio;
use crate::failure::Failure;
use crate::live::Live;
use crate::output;
use crate::run_folder;
use crate::stop::Stop;

/// What may differ each time that a run is gone on with.
#[derive(Debug, clap::Args)]
pub(crate) struct GoArgs {
    /// Trainings side by side, each a process of one thread; they do not change the result [default: one a core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    workers: Option<u64>,
    /// Steps between two checkpoints of a training, from which a stopped run goes on; they do not change the result.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = crate::number::positive)]
    checkpoint_every: u64,
    /// The most memory that one training may need, as 750M or 4G; without it, what the machine has left when it begins. A
    /// design that needs more is not trained.
    #[arg(long, value_name = "BYTES", value_parser = crate::number::bytes)]
    memory: Option<u64>,
}

/// Goes through with the run in `dir` by `work`, and prints its leaderboard.
pub(crate) fn through(
    dir: &Path,
    settings: &Settings,
    args: &GoArgs,
    studio: Option<&Studio>,
    work: impl FnOnce(&mut ProcessPool, &mut Live) -> Result<State, EvolveError>,
) -> Result<(), Failure> {
    let mut pool = args.pool()?;
    let stopper = pool.stopper();
    let stop = Stop::listen(move || stopper.stop())?;
    let ledger = studio.and_then(|studio| studio.ledger.as_ref());
    let mut live = Live::new(settings, args.checkpoint_every, stop.clone(), ledger.cloned());
    let state = work(&mut pool, &mut live);
    live.finish();
    if let Some(bill) = studio.and_then(Studio::bill) {
        output::say(bill);
    }
    // Its workers end here, so that nothing is written any more when the way on is told.
    drop(pool);
    match state {
        Err(EvolveError::Stopped) => {
            let next = run_folder::go_on_with(dir, settings);
            Err(stop.failure(format!("stopped; what is finished is kept: go on with `{next}`")))
        }
        Err(error) => Err(run_folder::of_run(dir, &error)),
        Ok(state) => run_folder::finish(dir, &state),
    }
}

impl GoArgs {
    fn pool(&self) -> Result<ProcessPool, Failure> {
        let program = std::env::current_exe()
            .map_err(|error| Failure::World(format!("cannot find this program to start workers: {error}")))?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = self.workers.map_or(cores, |workers| usize::try_from(workers).unwrap_or(usize::MAX));
        let memory = self.memory.map(|bytes| format!("--memory={bytes}"));
        let arguments = std::iter::once("worker".to_owned()).chain(memory).map(OsString::from).collect();
        Ok(ProcessPool::new(program, arguments, workers))
    }
}
