//! Who trains: runners take assignments and report, in whatever order they get done.
//!
//! In: [`Assignment`]s under a ticket. Out: [`Report`]s. Whatever the order and however many at once, an assignment's
//! result is the same, for it is a function of its job and its data. [`run_all`] puts results back in order.
//! [`InProcess`] trains in this process; [`ProcessPool`](crate::ProcessPool) in several others.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::path::PathBuf;

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

/// What happens while a list of assignments is worked through.
#[derive(Debug)]
pub enum Moment<'a> {
    /// The assignment of that number is with a worker.
    Begun(usize),
    /// Something about it that people should know.
    Note(usize, &'a str),
    /// It goes on.
    Progress(usize, Progress),
    /// Its worker is lost, for the reason told; it runs again if `again`.
    Lost {
        /// The assignment's number.
        ticket: usize,
        /// What is known of the worker's end.
        reason: &'a str,
        /// Whether it is given to another worker.
        again: bool,
    },
    /// It is done. Verdicts come as they are reached, out of order.
    Done(usize, &'a Verdict),
    /// Its turn: every verdict before it was given out. Verdicts come in the order of the assignments.
    Turn(usize, &'a Verdict),
}

/// Works through `assignments`, of which `known` have a verdict already. A worker that is lost is replaced once.
///
/// # Errors
/// Those of the runner, and those of `tell`.
pub fn run_all(
    assignments: &[Assignment],
    known: BTreeMap<usize, Verdict>,
    runner: &mut dyn Runner,
    tell: &mut dyn FnMut(Moment<'_>) -> Result<(), EvolveError>,
) -> Result<(), EvolveError> {
    let mut queue: VecDeque<usize> = (0..assignments.len()).filter(|ticket| !known.contains_key(ticket)).collect();
    let mut verdicts = known;
    let mut lost: BTreeMap<usize, u32> = BTreeMap::new();
    let (mut open, mut turn) = (0, 0);
    loop {
        while let Some(verdict) = verdicts.remove(&turn) {
            tell(Moment::Turn(turn, &verdict))?;
            turn += 1;
        }
        while open < runner.capacity().max(1) {
            let Some(ticket) = queue.pop_front() else { break };
            runner.submit(ticket, &assignments[ticket])?;
            tell(Moment::Begun(ticket))?;
            open += 1;
        }
        if open == 0 {
            return Ok(());
        }
        match runner.next()? {
            Report::Note(ticket, note) => tell(Moment::Note(ticket, &note))?,
            Report::Progress(ticket, progress) => tell(Moment::Progress(ticket, progress))?,
            Report::Done(ticket, verdict) => {
                open -= 1;
                tell(Moment::Done(ticket, &verdict))?;
                verdicts.insert(ticket, *verdict);
            }
            Report::Lost(ticket, reason) => {
                open -= 1;
                let times = lost.entry(ticket).or_default();
                *times += 1;
                let again = *times == 1;
                tell(Moment::Lost { ticket, reason: &reason, again })?;
                match again {
                    true => queue.push_front(ticket),
                    false => drop(verdicts.insert(ticket, Err(Failure::WorkerDied(reason)))),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use genesys_ladder::Scale;

    use super::*;

    /// Two at once, the later one first; those in the list are lost that often.
    struct Contrary {
        open: Vec<usize>,
        losses: BTreeMap<usize, u32>,
    }

    fn score(ticket: usize) -> Score {
        let v = Validation { nats: ticket as f64, bits_per_byte: 1.0, tokens: 1, bytes: 1 };
        Score { start: v, trained: v, parameters: 1, curve: vec![] }
    }

    impl Runner for Contrary {
        fn capacity(&self) -> usize {
            2
        }

        fn submit(&mut self, ticket: usize, _: &Assignment) -> Result<(), EvolveError> {
            self.open.push(ticket);
            assert!(self.open.len() <= 2, "more than the capacity");
            Ok(())
        }

        fn next(&mut self) -> Result<Report, EvolveError> {
            let ticket = self.open.pop().unwrap();
            match self.losses.get_mut(&ticket).filter(|left| **left > 0) {
                Some(left) => {
                    *left -= 1;
                    Ok(Report::Lost(ticket, "killed".into()))
                }
                None => Ok(Report::Done(ticket, Box::new(Ok(score(ticket))))),
            }
        }
    }

    fn turns(known: &[usize], losses: &[(usize, u32)]) -> (Vec<(usize, bool)>, usize) {
        let job = Job::at_scale("", &Scale::named("nano").unwrap(), 1);
        let assignments = vec![Assignment { job, dataset: PathBuf::new(), keep: None }; 7];
        let known = known.iter().map(|ticket| (*ticket, Ok(score(*ticket)))).collect();
        let mut runner = Contrary { open: Vec::new(), losses: losses.iter().copied().collect() };
        let (mut turns, mut begun) = (Vec::new(), 0);
        run_all(&assignments, known, &mut runner, &mut |moment| {
            match moment {
                Moment::Turn(ticket, verdict) => turns.push((ticket, verdict.is_ok())),
                Moment::Begun(_) => begun += 1,
                Moment::Note(..) | Moment::Progress(..) | Moment::Lost { .. } | Moment::Done(..) => {}
            }
            Ok(())
        })
        .unwrap();
        (turns, begun)
    }

    #[test]
    fn verdicts_come_in_the_order_of_the_assignments() {
        let expected: Vec<_> = (0..7).map(|ticket| (ticket, true)).collect();
        assert_eq!(turns(&[], &[]), (expected.clone(), 7));
        assert_eq!(turns(&[0, 3, 6], &[]), (expected.clone(), 4));
        assert_eq!(turns(&[0, 1, 2, 3, 4, 5, 6], &[]), (expected, 0));
    }

    #[test]
    fn a_lost_worker_is_replaced_once() {
        let (turns, begun) = turns(&[], &[(2, 1), (4, 2)]);
        let expected: Vec<_> = (0..7).map(|ticket| (ticket, ticket != 4)).collect();
        assert_eq!((turns, begun), (expected, 9));
    }
}
