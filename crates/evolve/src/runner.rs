//! Who trains: runners take assignments and report, in whatever order they get done.
//!
//! In: [`Assignment`]s under a ticket. Out: [`Report`]s. Whatever the order and however many at once, an assignment's
//! result is the same, for it is a function of its job and its data. [`InProcess`] trains in this process; [`ProcessPool`](crate::ProcessPool) in several others.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use genesys_data::Dataset;
use genesys_train::{Checkpoint, Job, Machine, Observer, Outcome, Start, Step, TrainError, Validation, resume, train};
use serde::{Deserialize, Serialize};

use crate::error::EvolveError;
use crate::fact::Failure;

/// A training to be done somewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// What to train.
    pub job: Job,
    /// The folder of the dataset.
    pub dataset: PathBuf,
    /// Where it is kept while it is under way, if it is. It decides nothing about the result.
    pub keep: Option<Keep>,
}

/// Where a training under way is kept, so that whoever gets the assignment next goes on with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// The folder of its checkpoint.
    pub dir: PathBuf,
    /// How many steps lie between two checkpoints.
    pub every: u64,
}

/// What a training gives a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// Validation before training.
    pub start: Validation,
    /// Validation of the trained model.
    pub trained: Validation,
    /// How many weights it has.
    pub parameters: u64,
    /// The loss of each step, in nats a token.
    pub curve: Vec<f32>,
}

impl Score {
    /// The artifact with the loss of each step: a JSON array.
    #[must_use]
    pub fn curve_file(&self) -> Vec<u8> {
        serde_json::to_vec(&self.curve).expect("a list of numbers has a JSON form")
    }
}

/// A score, or why there is none.
pub type Verdict = Result<Score, Failure>;

/// What a runner tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// Something about a training that people should know.
    Note(usize, String),
    /// A training goes on.
    Progress(usize, Progress),
    /// A training is done.
    Done(usize, Box<Verdict>),
    /// The worker ended without a result, for the reason told.
    Lost(usize, String),
}

/// How far a training is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Steps done.
    pub done: u64,
    /// Steps in all.
    pub steps: u64,
    /// The loss of the last one, in nats a token.
    pub loss: f32,
    /// Tokens it predicted.
    pub tokens: u64,
}

/// Somebody who trains.
pub trait Runner {
    /// How many assignments it works on at once.
    fn capacity(&self) -> usize;

    /// Takes an assignment; its reports carry the ticket.
    ///
    /// # Errors
    /// A worker could not be started.
    fn submit(&mut self, ticket: usize, assignment: &Assignment) -> Result<(), EvolveError>;

    /// The next report; waits for it. Asked only while an assignment is open.
    ///
    /// # Errors
    /// The workers could not be heard.
    fn next(&mut self) -> Result<Report, EvolveError>;

    /// The next report, if one comes within that time; none where no assignment is open. One that does not say otherwise trains only
    /// while [`next`](Self::next) is asked.
    ///
    /// # Errors
    /// The workers could not be heard, or nobody wants the rest.
    fn wait(&mut self, _time: Duration) -> Result<Option<Report>, EvolveError> {
        Ok(None)
    }
}

/// What an assignment tells before its verdict.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// Something that people should know.
    Note(String),
    /// A step is done.
    Progress(Progress),
}

/// Trains in this process, one after the other, on one thread.
#[derive(Debug, Default)]
pub struct InProcess {
    queue: VecDeque<(usize, Assignment)>,
    /// What is to be told next.
    reports: VecDeque<Report>,
}

impl Runner for InProcess {
    fn capacity(&self) -> usize {
        1
    }

    fn submit(&mut self, ticket: usize, assignment: &Assignment) -> Result<(), EvolveError> {
        self.queue.push_back((ticket, assignment.clone()));
        Ok(())
    }

    fn next(&mut self) -> Result<Report, EvolveError> {
        if let Some(report) = self.reports.pop_front() {
            return Ok(report);
        }
        let (ticket, assignment) = self.queue.pop_front().expect("a report is asked for while an assignment is open");
        let mut watch = |told| {
            if let Told::Note(note) = told {
                self.reports.push_back(Report::Note(ticket, note));
            }
            ControlFlow::Continue(())
        };
        let verdict = execute(&assignment, &Machine::default(), &mut watch)?;
        let verdict = verdict.expect("a training that nobody stops ends");
        self.reports.push_back(Report::Done(ticket, Box::new(verdict)));
        self.next()
    }

    fn wait(&mut self, _: Duration) -> Result<Option<Report>, EvolveError> {
        let open = !self.reports.is_empty() || !self.queue.is_empty();
        if open { self.next().map(Some) } else { Ok(None) }
    }
}

/// Does an assignment with what it may take of `machine`, going on from its checkpoint where there is one; none where `watch`
/// stopped it.
///
/// # Errors
/// [`EvolveError::Train`] where the text or the machine is at fault, not the design.
pub fn execute(
    assignment: &Assignment,
    machine: &Machine,
    watch: &mut (dyn FnMut(Told) -> ControlFlow<()> + Send),
) -> Result<Option<Verdict>, EvolveError> {
    // Its result would be kept as one of another precision.
    let precision = assignment.job.precision;
    if precision.here() != precision {
        return Err(EvolveError::Settings(format!(
            "expected a worker that multiplies {precision}, found one that does not"
        )));
    }
    let data = Dataset::open(&assignment.dataset).map_err(TrainError::from)?;
    let mut watch = Watch { watch, keep: assignment.keep.as_ref() };
    let outcome = match kept(assignment, &data) {
        Some(checkpoint) => resume(&checkpoint, &data, machine, &mut watch),
        None => train(&assignment.job, &data, machine, &mut watch),
    };
    match outcome {
        Ok(Outcome::Finished(trained)) => {
            let genesys_train::Trained { start, trained, parameters, curve, .. } = *trained;
            Ok(Some(Ok(Score { start, trained, parameters, curve })))
        }
        Ok(Outcome::Diverged(divergence)) => Ok(Some(Err(Failure::Diverged(divergence)))),
        Ok(Outcome::Stopped(_)) => Ok(None),
        Err(TrainError::Design(why)) => Ok(Some(Err(Failure::Refused(why)))),
        Err(error) => Err(error.into()),
    }
}

/// The checkpoint to go on from. One that cannot be read, or is of something else, is as if it were not there: it
/// saves time, and nothing more.
fn kept(assignment: &Assignment, data: &Dataset) -> Option<Checkpoint> {
    let checkpoint = Checkpoint::load(&assignment.keep.as_ref()?.dir).ok()?;
    let config = &checkpoint.config;
    let is_ours = config.job == assignment.job && config.dataset.as_ref() == Some(&data.key());
    let goes_on = checkpoint.optimizer.is_some() && checkpoint.history.is_some();
    (is_ours && goes_on).then_some(checkpoint)
}

struct Watch<'a> {
    watch: &'a mut (dyn FnMut(Told) -> ControlFlow<()> + Send),
    keep: Option<&'a Keep>,
}

impl Observer for Watch<'_> {
    fn started(&mut self, start: &Start) {
        for note in start.notes() {
            // Whether to go on is asked with the first step.
            let _ = (self.watch)(Told::Note(note));
        }
    }

    fn step(&mut self, step: &Step) -> ControlFlow<()> {
        let Step { done, steps, loss, tokens, .. } = *step;
        (self.watch)(Told::Progress(Progress { done, steps, loss, tokens }))
    }

    fn keep(&mut self, step: &Step) -> Option<PathBuf> {
        let keep = self.keep.filter(|keep| step.done.is_multiple_of(keep.every.max(1)))?;
        Some(keep.dir.clone())
    }
}
