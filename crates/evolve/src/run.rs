//! A run: the loop that asks the plan what is next, does it, and appends what happened.
//!
//! In: a folder, settings, designs, a dataset, a runner, an observer. Out: the last state. The folder holds the log
//! (`events.db`), `artifacts/` (loss curves), `results/` (verdicts by key) and `trainings/` (checkpoints of those under
//! way). The loop has no memory of its own: [`resume`] reads the log and goes on, and the log of a resumed run is the
//! log of one that was never stopped.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use genesys_check::RunKey;
use genesys_data::Dataset;
use genesys_store::{Artifacts, Log, Reader};
use genesys_train::{Job, TrainError};
use serde::Serialize;

use crate::board::board;
use crate::error::EvolveError;
use crate::fact::{Closed, Fact, Failed, Finalists, Finished, Over, Started, Submitted};
use crate::plan::{Action, next};
use crate::propose::{breed, checked, ship};
use crate::results::{Results, key};
use crate::runner::{Assignment, Keep, Moment, Progress, Runner, Verdict, run_all};
use crate::settings::{Settings, Shipped, TRAINER, TextMark};
use crate::state::State;

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
    let first = vec![Fact::Started(started).to_event()?];
    // One transaction: there is no run without its first event.
    let (log, events) = Log::begin(dir, &header, first, observer.wall())?;
    let state = State::fold(&events)?.expect("a run begins with an event");
    Run::new(dir, log, state, data, observer)?.go(runner)
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
    let log = Log::open(dir)?;
    let other = |why: &str| EvolveError::OtherRun { run: dir.to_owned(), why: why.to_owned() };
    let events = log.read().events().collect::<Result<Vec<_>, _>>()?;
    let state = State::fold(&events)?.ok_or_else(|| EvolveError::Empty { run: dir.to_owned() })?;
    if state.started.text != TextMark::of(data) {
        return Err(other("its text or tokenizer is another one"));
    }
    if state.started.trainer != TRAINER {
        return Err(other("its trainings are of another version of this program"));
    }
    let precision = state.started.settings.precision;
    if precision.here() != precision && state.board.is_none() {
        return Err(other(&format!("its trainings are in {precision}, which this processor does not multiply")));
    }
    Run::new(dir, log, state, data, observer)?.go(runner)
}

/// Every hash of a run depends on this.
#[derive(Serialize)]
struct Header<'a> {
    settings: &'a Settings,
    text: &'a TextMark,
}

/// A run under way.
struct Run<'a> {
    log: Log,
    artifacts: Artifacts,
    results: Results,
    /// The folder for trainings under way.
    trainings: PathBuf,
    state: State,
    data: &'a Dataset,
    observer: &'a mut dyn Observer,
}

impl<'a> Run<'a> {
    fn new(
        dir: &Path,
        log: Log,
        state: State,
        data: &'a Dataset,
        observer: &'a mut dyn Observer,
    ) -> Result<Self, EvolveError> {
        let artifacts = Artifacts::open(dir.join("artifacts"))?;
        let results = Results::open(dir.join("results"))?;
        let trainings = dir.join("trainings");
        Ok(Self { log, artifacts, results, trainings, state, data, observer })
    }

    fn go(mut self, runner: &mut dyn Runner) -> Result<State, EvolveError> {
        loop {
            match next(&self.state) {
                Action::Ship(slot) => self.append(ship(&self.state, slot)?, self.state.gate())?,
                Action::Breed(place) => self.append(breed(&self.state, place)?, self.state.gate())?,
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
                    remove(&self.trainings)?;
                    return Ok(self.state);
                }
            }
        }
    }

    fn append(&mut self, fact: Fact, cause: u64) -> Result<(), EvolveError> {
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

    fn train(&mut self, wanted: &[(String, u64)], runner: &mut dyn Runner) -> Result<(), EvolveError> {
        for (design, index) in wanted {
            if self.state.training(design, *index).is_none() {
                self.submit(design, *index)?;
            }
        }
        let open = |(design, index): &(String, u64)| {
            let training = self.state.training(design, *index).expect("a training that is wanted was submitted");
            (training.submitted.clone(), training.event)
        };
        let trainings: Vec<(Submitted, u64)> = wanted.iter().map(open).collect();
        let assignments: Vec<Assignment> = trainings
            .iter()
            .map(|(submitted, _)| Assignment {
                job: self.job(submitted),
                dataset: self.data.dir().to_owned(),
                keep: self.observer.checkpoint_every().map(|every| self.keep(&submitted.key, every)),
            })
            .collect();
        let kept = |(ticket, (submitted, _)): (usize, &(Submitted, u64))| {
            self.results.get(&submitted.key).map(|verdict| (ticket, verdict))
        };
        let known: BTreeMap<usize, Verdict> = trainings.iter().enumerate().filter_map(kept).collect();
        run_all(&assignments, known, runner, &mut |moment| self.tell(&trainings, moment))
    }

    /// A folder within a folder of the training's own, which can be removed with whatever a killed writer left in it.
    fn keep(&self, key: &str, every: u64) -> Keep {
        Keep { dir: self.trainings.join(key).join("checkpoint"), every }
    }

    fn submit(&mut self, design: &str, index: u64) -> Result<(), EvolveError> {
        let seed = self.state.started.settings.training_seed(index);
        let mut submitted = Submitted { design: design.to_owned(), index, seed, key: String::new() };
        let job = self.job(&submitted);
        submitted.key = key(&job, &run_key(&job), &self.state.started.text.key);
        let proposed = self.state.design(design).map_or(0, |design| design.event);
        // With more seeds a design is trained because it was chosen, else because it was proposed.
        let cause = if index == 0 { proposed } else { self.state.gate() };
        self.append(Fact::Submitted(submitted), cause)
    }

    fn job(&self, submitted: &Submitted) -> Job {
        let text = self.state.design(&submitted.design).map_or("", |design| &design.proposed.text);
        let settings = &self.state.started.settings;
        Job { precision: settings.precision, ..Job::at_scale(text, &settings.scale, submitted.seed) }
    }

    fn tell(&mut self, trainings: &[(Submitted, u64)], moment: Moment<'_>) -> Result<(), EvolveError> {
        let (ticket, news) = match moment {
            Moment::Begun(ticket) => (ticket, News::Begun),
            Moment::Note(ticket, note) => (ticket, News::Note(note)),
            Moment::Progress(ticket, progress) => (ticket, News::Progress(progress)),
            Moment::Lost { ticket, reason, again } => (ticket, News::Lost { reason, again }),
            Moment::Done(ticket, verdict) => {
                let key = &trainings[ticket].0.key;
                self.results.put(key, verdict)?;
                remove(&self.trainings.join(key))?;
                (ticket, News::Done(verdict))
            }
            Moment::Turn(ticket, verdict) => {
                let (submitted, event) = &trainings[ticket];
                let fact = self.settle(submitted, verdict)?;
                return self.append(fact, *event);
            }
        };
        go_on(self.observer.training(&trainings[ticket].0, news, &self.state))
    }

    fn settle(&self, submitted: &Submitted, verdict: &Verdict) -> Result<Fact, EvolveError> {
        let key = submitted.key.clone();
        match verdict {
            Err(failure) => Ok(Fact::Failed(Failed { key, failure: failure.clone() })),
            Ok(score) => {
                let curve = self.artifacts.put(&score.curve_file())?.to_hex().to_string();
                let steps = self.state.started.settings.scale.steps;
                let (start, trained, parameters) = (score.start, score.trained, score.parameters);
                Ok(Fact::Finished(Finished { key, start, trained, parameters, steps, curve }))
            }
        }
    }
}

/// The run key of a job's design; of a text that does not check, itself: its training tells.
fn run_key(job: &Job) -> String {
    let design = checked(&job.design).ok();
    design
        .and_then(|design| RunKey::of(&design, &job.scale).ok())
        .map_or_else(|| job.design.clone(), |key| key.to_string())
}

fn remove(dir: &Path) -> Result<(), EvolveError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(EvolveError::io("remove", dir)(error)),
        _ => Ok(()),
    }
}

fn go_on(flow: ControlFlow<()>) -> Result<(), EvolveError> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(EvolveError::Stopped),
    }
}
