//! `genesys resume`: goes on with a run that was stopped, in whatever way.
//!
//! In: a run's folder. Out: what the run would have given had it never been stopped; of a run that is over, its
//! leaderboard again. Its text is found where the run began with it, or in the cache; `--corpus` names it where it lies
//! elsewhere now.

use std::path::{Path, PathBuf};

use genesys_data::{Corpus, DataError, Dataset};
use genesys_evolve::{EvolveError, Held, Repair, State, TextMark, repair};
use genesys_store::StoreError;

use crate::corpus::{self, CorpusArgs};
use crate::designers::{DesignerArgs, Studio};
use crate::failure::Failure;
use crate::go::{self, GoArgs};
use crate::output;
use crate::run_folder::{self, TextPlace, quoted};

/// Go on with a run that was stopped.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys resume runs/001                           go on where it was; if it is over, print its leaderboard
  genesys resume runs/001 --corpus books/           its text lies elsewhere now
  genesys resume runs/001 --llm https://openrouter.ai/api/v1#VENDOR/MODEL --budget 10USD    a language model designs in it
  genesys resume runs/001 --repair                  its log is damaged: cut it back to what is sound, and go on

Nothing that is finished is lost, whether the run was stopped by Ctrl-C, SIGTERM, `kill -9` or a power cut, and it ends \
with the same designs and bits per byte as a run that was never stopped. Trainings under way go on from their last \
checkpoint.")]
pub(crate) struct Args {
    /// The run's folder.
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// First cut a damaged log back to the events that are sound; finished trainings are not done again.
    #[arg(long)]
    repair: bool,
    #[command(flatten)]
    designers: DesignerArgs,
    #[command(flatten)]
    go: GoArgs,
    #[command(flatten)]
    corpus: CorpusArgs,
}

/// Goes on with a run, and prints its leaderboard.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let dir = &args.run;
    if args.repair {
        tell_repair(&repair(dir).map_err(|error| of_damage(dir, &error, true))?);
    }
    let state = genesys_evolve::read(dir).map_err(|error| of_damage(dir, &error, false))?;
    output::say(format_args!("run:  {}, seed {}", dir.display(), state.started.settings.seed));
    if state.board.is_some() {
        return run_folder::finish(dir, &state);
    }
    // Held before its recording and its ledger are opened, which mends their last lines.
    let held = Held::take(dir).map_err(|error| of_damage(dir, &error, false))?;
    let studio = studio_of(dir, held.state(), &args.designers)?;
    let data = data_of(dir, held.state(), &args.corpus)?;
    let designers = studio.as_ref().map(|studio| &studio.designers);
    let settings = held.state().started.settings.clone();
    go::through(dir, &settings, &args.go, studio.as_ref(), |pool, live| held.go_on(&data, designers, pool, live))
}

/// Who designs in a run, where its settings say that somebody does.
fn studio_of(dir: &Path, state: &State, args: &DesignerArgs) -> Result<Option<Studio>, Failure> {
    let agents = &state.started.settings.agents;
    match (agents, args.open(agents.as_ref())?) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(Failure::Input(format!(
            "--llm: {} is a run of operators alone, and its settings are fixed: leave the option away, or begin another run",
            dir.display()
        ))),
        (Some(agents), None) => Err(run_folder::of_run(dir, &EvolveError::NoDesigner { model: agents.model.clone() })),
        (Some(agents), Some(opened)) => opened.going_on(agents, dir)?.within(dir).map(Some),
    }
}

/// The dataset of a run: of the text that is named now, else from the cache, else of the text that the run began with.
fn data_of(dir: &Path, state: &State, corpus: &CorpusArgs) -> Result<Dataset, Failure> {
    let (mark, vocabulary) = (&state.started.text, state.started.settings.scale.vocabulary);
    let place = match (&corpus.corpus, corpus::cached(&mark.key)) {
        (Some(path), _) => TextPlace::Path(path.clone()),
        (None, Some(data)) => return Ok(data),
        (None, None) => TextPlace::noted(dir).ok_or_else(|| {
            Failure::Input(format!(
                "{} does not say where its text is: name it with --corpus PATH (its hash is {})",
                dir.display(),
                mark.corpus_hash
            ))
        })?,
    };
    let corpus = place.corpus();
    let text = corpus.text().map_err(|error| gone(&error, mark))?;
    if text.hash() != mark.corpus_hash {
        return Err(changed(&text, mark));
    }
    corpus::tell(&text);
    corpus::dataset(&text, vocabulary)
}

fn gone(error: &DataError, mark: &TextMark) -> Failure {
    let message = format!(
        "the text of the run cannot be read: {error}; put it back, or name it with --corpus PATH (its hash is {})",
        mark.corpus_hash
    );
    if error.is_input() { Failure::Input(message) } else { Failure::World(message) }
}

fn changed(text: &Corpus, mark: &TextMark) -> Failure {
    Failure::Input(format!(
        "{} is not the text that the run began with: expected the hash {}, found {}; bring the text back to what it was, \
         name a copy of it with --corpus PATH, or begin another run",
        text.origin(),
        mark.corpus_hash,
        text.hash()
    ))
}

fn tell_repair(repair: &Repair) {
    match &repair.cut {
        None => output::say("log:  it is sound"),
        Some(damage) => {
            let sound = damage.seq - 1;
            output::say(format_args!("log:  {damage}"));
            output::say(format_args!(
                "cut back to event {sound}; the old events are kept in the file, in a table of their own"
            ));
        }
    }
    if repair.mended > 0 {
        output::say(format_args!("written anew: {} loss curves", repair.mended));
    }
    for curve in &repair.lost {
        output::say(format_args!("lost: the loss curve {curve}; the scores of its training stand in the log"));
    }
}

/// A failure to read a run, with the way out where its log is damaged.
fn of_damage(dir: &Path, error: &EvolveError, repaired: bool) -> Failure {
    let EvolveError::Store(StoreError::Damaged { .. }) = error else { return run_folder::of_run(dir, error) };
    let way = match repaired {
        false => format!("`{} --repair` cuts the log back to what is sound and goes on", run_folder::go_on(dir)),
        true => format!(
            "or delete it and begin the run again in the same folder, with the same numbers (`genesys discover --run {}`): \
             trainings that are finished are not done again",
            quoted(dir)
        ),
    };
    Failure::World(format!("{error}; {way}"))
}
