//! A run: the loop that asks the plan what is next, does it, and appends what happened.
//!
//! In: a folder, settings, designs, a dataset, a runner, an observer. Out: the last state. The folder holds the log
//! (`events.db`), `artifacts/` (loss curves), `results/` (verdicts by key) and `trainings/` (checkpoints of those under
//! way). The loop has no memory of its own: [`resume`] reads the log and goes on, and the log of a resumed run is the
//! log of one that was never stopped.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use genesys_agents::Attempt;
use genesys_data::Dataset;
use genesys_family::Fingerprints;
use genesys_store::{Artifacts, Log, Reader};
use genesys_train::TrainError;
use serde::Serialize;

use crate::board::board;
use crate::designer::Designers;
use crate::error::EvolveError;
use crate::fact::{Closed, Fact, Finalists, Over, Started, Submitted};
use crate::plan::{Action, next};
use crate::propose::{breed, ship};
use crate::runner::{Progress, Runner, Verdict};
use crate::settings::{Settings, Shipped, TRAINER, TextMark, prompts};
use crate::state::State;
use crate::studio::{Studio, Subject};
use crate::training::Trainings;

/// Told of a run as it goes. Whatever it does, the run decides the same.
pub trait Observer {
    /// The time of day in milliseconds since 1970, for the log's side table, which no decision reads.
    fn wall(&mut self) -> Option<u64> {
        None
    }

    /// Something happened and is in the log. [`ControlFlow::Break`] stops the run.
    fn fact(&mut self, _fact: &Fact, _state: &State) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// A training moves. [`ControlFlow::Break`] stops the run.
    fn training(&mut self, _training: &Submitted, _news: News<'_>, _state: &State) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// A dialogue with a language model moves. [`ControlFlow::Break`] stops the run.
    fn dialogue(&mut self, _subject: Subject, _words: Words<'_>, _state: &State) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// How many steps lie between two checkpoints of a training; none keeps no training that is under way.
    fn checkpoint_every(&self) -> Option<u64> {
        None
    }
}

/// Watches nothing.
impl Observer for () {}

/// How a training moves.
#[derive(Clone, Copy, Debug)]
pub enum News<'a> {
    /// A worker has it.
    Begun,
    /// Something about it that people should know.
    Note(&'a str),
    /// A step is done.
    Progress(Progress),
    /// Its worker is lost, for the reason told; another one gets it if `again`.
    Lost {
        /// What is known of the worker's end.
        reason: &'a str,
        /// Whether it runs again.
        again: bool,
    },
    /// It is done; the log hears of it when its turn comes.
    Done(&'a Verdict),
}

/// How a dialogue moves.
#[derive(Clone, Copy, Debug)]
pub enum Words<'a> {
    /// It begins.
    Begun,
    /// A model answered.
    Answer(&'a Attempt),
    /// It is over; the log hears of it when its turn comes.
    Ended,
}

/// Makes a run in the folder `dir` and goes through with it.
///
/// # Errors
/// [`EvolveError::Settings`], [`EvolveError::Shipped`], [`EvolveError::Train`] where the text is too short,
/// [`EvolveError::Stopped`] where the observer asked for it, or the world's. A folder that holds a run is left as it is.
pub fn discover(
    dir: &Path,
    settings: &Settings,
    shipped: &[Shipped],
    data: &Dataset,
    runner: &mut dyn Runner,
    observer: &mut dyn Observer,
) -> Result<State, EvolveError> {
    discover_with(dir, settings, shipped, data, None, runner, observer)
}

/// The same, with those who design in it, where its settings say that language models do.
///
/// # Errors
/// As [`discover`], [`EvolveError::NoDesigner`] where one is needed, and [`EvolveError::Model`].
pub fn discover_with(
    dir: &Path,
    settings: &Settings,
    shipped: &[Shipped],
    data: &Dataset,
    designers: Option<&Designers>,
    runner: &mut dyn Runner,
    observer: &mut dyn Observer,
) -> Result<State, EvolveError> {
    if let Some(flaw) = settings.flaw(shipped) {
        return Err(EvolveError::Settings(flaw));
    }
    let started = Started {
        settings: settings.clone(),
        text: TextMark::of(data),
        shipped: shipped.to_vec(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        trainer: TRAINER,
    };
    data.rows(usize::try_from(settings.scale.context).unwrap_or(usize::MAX)).map_err(TrainError::from)?;
    let header = Header { settings, text: &started.text.clone() };
    let first = vec![Fact::Started(Box::new(started)).to_event()?];
    // One transaction: there is no run without its first event.
    let (log, events) = Log::begin(dir, &header, first, observer.wall())?;
    let state = State::fold(&events)?.expect("a run begins with an event");
    Run::new(dir, log, state, data, designers, observer)?.go(runner)
}

/// What the run in the folder `dir` knows; nothing is written, and no text is needed.
///
/// # Errors
/// [`EvolveError::Store`], [`EvolveError::Event`], or [`EvolveError::Empty`].
pub fn read(dir: &Path) -> Result<State, EvolveError> {
    let events = Reader::open(dir)?.events().collect::<Result<Vec<_>, _>>()?;
    State::fold(&events)?.ok_or_else(|| EvolveError::Empty { run: dir.to_owned() })
}

/// Goes on with the run in the folder `dir`; one that is over stays as it is.
///
/// # Errors
/// As [`discover`], and [`EvolveError::OtherRun`] where `data` is not the run's text.
pub fn resume(
    dir: &Path,
    data: &Dataset,
    runner: &mut dyn Runner,
    observer: &mut dyn Observer,
) -> Result<State, EvolveError> {
    resume_with(dir, data, None, runner, observer)
}

/// The same, with those who design in it.
///
/// # Errors
/// As [`resume`], [`EvolveError::NoDesigner`] where one is needed, and [`EvolveError::Model`].
pub fn resume_with(
    dir: &Path,
    data: &Dataset,
    designers: Option<&Designers>,
    runner: &mut dyn Runner,
    observer: &mut dyn Observer,
) -> Result<State, EvolveError> {
    Held::take(dir)?.go_on(data, designers, runner, observer)
}

/// A run to go on with, in which nobody else writes as long as this lives.
pub struct Held {
    dir: PathBuf,
    log: Log,
    state: State,
}

impl Held {
    /// Takes the run in the folder `dir`.
    ///
    /// # Errors
    /// [`EvolveError::Store`], also where another process writes in it, [`EvolveError::Event`], or [`EvolveError::Empty`].
    pub fn take(dir: &Path) -> Result<Self, EvolveError> {
        let log = Log::open(dir)?;
        let events = log.read().events().collect::<Result<Vec<_>, _>>()?;
        let state = State::fold(&events)?.ok_or_else(|| EvolveError::Empty { run: dir.to_owned() })?;
        Ok(Self { dir: dir.to_owned(), log, state })
    }

    /// What the run knows.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Goes on with it, with those who design in it.
    ///
    /// # Errors
    /// As [`resume_with`].
    pub fn go_on(
        self,
        data: &Dataset,
        designers: Option<&Designers>,
        runner: &mut dyn Runner,
        observer: &mut dyn Observer,
    ) -> Result<State, EvolveError> {
        let Self { dir, log, state } = self;
        if let Some(why) = otherness(&state, data) {
            return Err(EvolveError::OtherRun { run: dir, why });
        }
        Run::new(&dir, log, state, data, designers, observer)?.go(runner)
    }
}

/// What keeps a run from being gone on with here, with that text.
fn otherness(state: &State, data: &Dataset) -> Option<String> {
    let Started { text, trainer, settings, .. } = &state.started;
    let is_over = state.board.is_some();
    let precision = settings.precision;
    let has_other_prompts = settings.agents.as_ref().is_some_and(|agents| agents.prompts != prompts());
    match () {
        () if *text != TextMark::of(data) => Some("its text or tokenizer is another one".to_owned()),
        () if *trainer != TRAINER => Some("its trainings are of another version of this program".to_owned()),
        () if precision.here() != precision && !is_over => {
            Some(format!("its trainings are in {precision}, which this processor does not multiply"))
        }
        () if has_other_prompts && !is_over => {
            Some("its dialogues have the prompts of another version of this program".to_owned())
        }
        () => None,
    }
}

/// Every hash of a run depends on this.
#[derive(Serialize)]
struct Header<'a> {
    settings: &'a Settings,
    text: &'a TextMark,
}

/// A run under way.
pub(crate) struct Run<'a> {
    log: Log,
    pub(crate) artifacts: Artifacts,
    pub(crate) trainings: Trainings,
    pub(crate) state: State,
    pub(crate) data: &'a Dataset,
    /// Dialogues under way, where somebody designs.
    pub(crate) studio: Option<Studio>,
    /// The designs whose trainings were handed out while dialogues went on, by hash.
    pub(crate) ahead: BTreeSet<String>,
    /// The fingerprints of the designs that commissions were drafted from.
    pub(crate) prints: Fingerprints,
    pub(crate) observer: &'a mut dyn Observer,
}

impl<'a> Run<'a> {
    fn new(
        dir: &Path,
        log: Log,
        state: State,
        data: &'a Dataset,
        designers: Option<&Designers>,
        observer: &'a mut dyn Observer,
    ) -> Result<Self, EvolveError> {
        let artifacts = Artifacts::open(dir.join("artifacts"))?;
        let trainings = Trainings::open(dir)?;
        let (studio, ahead, prints) = (designers.map(Studio::new), BTreeSet::new(), Fingerprints::default());
        Ok(Self { log, artifacts, trainings, state, data, studio, ahead, prints, observer })
    }

    fn go(mut self, runner: &mut dyn Runner) -> Result<State, EvolveError> {
        loop {
            match next(&self.state) {
                Action::Ship(slot) => self.append(ship(&self.state, slot)?, self.state.gate())?,
                Action::Breed(place) => self.append(breed(&self.state, place)?, self.state.gate())?,
                Action::Design(place) => self.design(place, runner)?,
                Action::Learn => self.learn(runner)?,
                Action::Train(wanted) => self.train(&wanted, runner)?,
                Action::Close => {
                    let generation = self.state.generation;
                    let ranking = self.ranking();
                    self.append(Fact::Closed(Closed { generation, ranking }), self.state.last())?;
                }
                Action::ChooseFinalists => {
                    self.append(Fact::Finalists(Finalists { designs: self.finalists() }), self.state.last())?;
                }
                Action::Finish => {
                    self.append(Fact::Over(Over { board: board(&self.state) }), self.state.last())?;
                }
                Action::Done => {
                    self.trainings.clear()?;
                    return Ok(self.state);
                }
            }
        }
    }

    pub(crate) fn append(&mut self, fact: Fact, cause: u64) -> Result<(), EvolveError> {
        let event = self.log.append(fact.to_event()?.caused_by(cause), self.observer.wall())?;
        self.state.apply(&event)?;
        go_on(self.observer.fact(&fact, &self.state))
    }

    fn ranking(&self) -> Vec<String> {
        self.state.ranking().into_iter().map(|design| design.proposed.hash.clone()).collect()
    }

    /// The best designs, and the baseline if it is not one of them.
    fn finalists(&self) -> Vec<String> {
        let count = usize::try_from(self.state.started.settings.finalists).unwrap_or(usize::MAX);
        let mut finalists: Vec<String> = self.ranking().into_iter().take(count).collect();
        let baseline = self.state.baseline().map(|design| design.proposed.hash.clone());
        finalists.extend(baseline.filter(|hash| !finalists.contains(hash)));
        finalists
    }
}

pub(crate) fn go_on(flow: ControlFlow<()>) -> Result<(), EvolveError> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(EvolveError::Stopped),
    }
}
