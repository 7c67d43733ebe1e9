//! A run: the loop that asks the plan what is next, does it, and appends what happened.
//!
//! In: a folder, settings, designs, a dataset, a runner, an observer. Out: the last state. The folder holds the log
//! (`events.db`), `artifacts/` (loss curves) and `results/` (verdicts by key). The loop has no memory of its own:
//! [`resume`] reads the log and goes on, and the log of a resumed run is the log of one that was never stopped.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use genesys_data::Dataset;
use genesys_store::{Artifacts, Log};
use genesys_train::Job;
use serde::Serialize;

use crate::board::board;
use crate::error::EvolveError;
use crate::fact::{Closed, Fact, Failed, Finalists, Finished, Over, Started, Submitted};
use crate::plan::{Action, next};
use crate::propose::{breed, ship};
use crate::results::{Results, key};
use crate::runner::{Assignment, Moment, Progress, Runner, Verdict, run_all};
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
}

/// Watches nothing.
impl Observer for () {}

/// How a training moves.
#[derive(Clone, Copy, Debug)]
pub enum News<'a> {
    /// A worker has it.
    Begun,
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
/// [`EvolveError::Settings`], [`EvolveError::Shipped`], [`EvolveError::Stopped`] where the observer asked for it, or
/// the world's. A folder that holds a run is left as it is.
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
    let mut log = Log::create(dir, &Header { settings, text: &started.text })?;
    let first = log.append(Fact::Started(started).to_event()?, observer.wall())?;
    let state = State::first(&first)?;
    Run::new(dir, log, state, data, observer)?.go(runner)
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
    let state = State::fold(&events)?.ok_or_else(|| other("it ended before its first event"))?;
    if state.started.text != TextMark::of(data) {
        return Err(other("its text or tokenizer is another one"));
    }
    if state.started.trainer != TRAINER {
        return Err(other("its trainings are of another version of this program"));
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
        Ok(Self { log, artifacts, results, state, data, observer })
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
                Action::Done => return Ok(self.state),
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
            .map(|(submitted, _)| Assignment { job: self.job(submitted), dataset: self.data.dir().to_owned() })
            .collect();
        let kept = |(ticket, (submitted, _)): (usize, &(Submitted, u64))| {
            self.results.get(&submitted.key).map(|verdict| (ticket, verdict))
        };
        let known: BTreeMap<usize, Verdict> = trainings.iter().enumerate().filter_map(kept).collect();
        run_all(&assignments, known, runner, &mut |moment| self.tell(&trainings, moment))
    }

    fn submit(&mut self, design: &str, index: u64) -> Result<(), EvolveError> {
        let seed = self.state.started.settings.training_seed(index);
        let mut submitted = Submitted { design: design.to_owned(), index, seed, key: String::new() };
        submitted.key = key(&self.job(&submitted), design, &self.state.started.text.key);
        let proposed = self.state.design(design).map_or(0, |design| design.event);
        // With more seeds a design is trained because it was chosen, else because it was proposed.
        let cause = if index == 0 { proposed } else { self.state.gate() };
        self.append(Fact::Submitted(submitted), cause)
    }

    fn job(&self, submitted: &Submitted) -> Job {
        let text = self.state.design(&submitted.design).map_or("", |design| &design.proposed.text);
        Job::at_scale(text, &self.state.started.settings.scale, submitted.seed)
    }

    fn tell(&mut self, trainings: &[(Submitted, u64)], moment: Moment<'_>) -> Result<(), EvolveError> {
        let (ticket, news) = match moment {
            Moment::Begun(ticket) => (ticket, News::Begun),
            Moment::Progress(ticket, progress) => (ticket, News::Progress(progress)),
            Moment::Lost { ticket, reason, again } => (ticket, News::Lost { reason, again }),
            Moment::Done(ticket, verdict) => {
                self.results.put(&trainings[ticket].0.key, verdict)?;
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
                let curve = serde_json::to_vec(&score.curve).expect("a list of numbers has a JSON form");
                let curve = self.artifacts.put(&curve)?.to_hex().to_string();
                let steps = self.state.started.settings.scale.steps;
                let (start, trained, parameters) = (score.start, score.trained, score.parameters);
                Ok(Fact::Finished(Finished { key, start, trained, parameters, steps, curve }))
            }
        }
    }
}

fn go_on(flow: ControlFlow<()>) -> Result<(), EvolveError> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(EvolveError::Stopped),
    }
}
