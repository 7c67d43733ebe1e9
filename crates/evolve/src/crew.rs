//! Assignments under way, to which more may come at any time.
//!
//! In: assignments, and the reports of a runner. Out: a verdict for each ticket. A worker that is lost is replaced once; then its
//! training is a failed result.

use std::collections::{BTreeMap, VecDeque};

use crate::error::EvolveError;
use crate::fact::Failure;
use crate::runner::{Assignment, Progress, Report, Runner, Verdict};

/// Assignments that wait or are with a worker.
#[derive(Debug, Default)]
pub(crate) struct Crew {
    assignments: BTreeMap<usize, Assignment>,
    next: usize,
    queue: VecDeque<usize>,
    lost: BTreeMap<usize, u32>,
    /// How many are with a worker.
    open: usize,
}

/// What happens while assignments are worked through.
#[derive(Debug)]
pub(crate) enum Moment<'a> {
    /// The assignment of that ticket is with a worker.
    Begun(usize),
    /// Something about it that people should know.
    Note(usize, &'a str),
    /// It goes on.
    Progress(usize, Progress),
    /// Its worker is lost, for the reason told; it runs again if `again`.
    Lost {
        /// The assignment's ticket.
        ticket: usize,
        /// What is known of the worker's end.
        reason: &'a str,
        /// Whether it is given to another worker.
        again: bool,
    },
    /// It is done. Verdicts come as they are reached, out of order.
    Done(usize, &'a Verdict),
}

type Tell<'a> = &'a mut dyn FnMut(Moment<'_>) -> Result<(), EvolveError>;

impl Crew {
    /// Takes an assignment, and gives its ticket.
    pub(crate) fn add(&mut self, assignment: Assignment) -> usize {
        let ticket = self.next;
        self.next += 1;
        self.assignments.insert(ticket, assignment);
        self.queue.push_back(ticket);
        ticket
    }

    /// Whether nothing waits and nothing is with a worker.
    pub(crate) fn is_idle(&self) -> bool {
        self.assignments.is_empty()
    }

    /// Gives assignments to `runner`, as many as it takes.
    ///
    /// # Errors
    /// Those of the runner, and those of `tell`.
    pub(crate) fn begin(&mut self, runner: &mut dyn Runner, tell: Tell<'_>) -> Result<(), EvolveError> {
        while self.open < runner.capacity().max(1) {
            let Some(ticket) = self.queue.pop_front() else { break };
            runner.submit(ticket, &self.assignments[&ticket])?;
            tell(Moment::Begun(ticket))?;
            self.open += 1;
        }
        Ok(())
    }

    /// Hears a report; a verdict, if it brings one.
    ///
    /// # Errors
    /// Those of `tell`.
    pub(crate) fn hear(&mut self, report: Report, tell: Tell<'_>) -> Result<Option<(usize, Verdict)>, EvolveError> {
        match report {
            Report::Note(ticket, note) => tell(Moment::Note(ticket, &note)).map(|()| None),
            Report::Progress(ticket, progress) => tell(Moment::Progress(ticket, progress)).map(|()| None),
            Report::Done(ticket, verdict) => {
                self.open -= 1;
                tell(Moment::Done(ticket, &verdict))?;
                self.assignments.remove(&ticket);
                Ok(Some((ticket, *verdict)))
            }
            Report::Lost(ticket, reason) => {
                self.open -= 1;
                let times = self.lost.entry(ticket).or_default();
                *times += 1;
                let again = *times == 1;
                tell(Moment::Lost { ticket, reason: &reason, again })?;
                if again {
                    self.queue.push_front(ticket);
                    return Ok(None);
                }
                self.assignments.remove(&ticket);
                Ok(Some((ticket, Err(Failure::WorkerDied(reason)))))
            }
        }
    }
}

/// Works through `assignments`, and gives their verdicts in their order.
#[cfg(test)]
pub(crate) fn run_all(
    assignments: &[Assignment],
    runner: &mut dyn Runner,
    tell: Tell<'_>,
) -> Result<Vec<Verdict>, EvolveError> {
    let (mut crew, mut verdicts) = (Crew::default(), BTreeMap::new());
    for assignment in assignments {
        crew.add(assignment.clone());
    }
    while !crew.is_idle() {
        crew.begin(runner, tell)?;
        let report = runner.next()?;
        verdicts.extend(crew.hear(report, tell)?);
    }
    Ok(verdicts.into_values().collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::PathBuf;

    use genesys_ladder::Scale;
    use genesys_train::{Job, Validation};

    use super::*;
    use crate::runner::Score;

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

    fn verdicts(losses: &[(usize, u32)]) -> (Vec<Option<f64>>, usize) {
        let job = Job::at_scale("", &Scale::named("nano").unwrap(), 1);
        let assignments = vec![Assignment { job, dataset: PathBuf::new(), keep: None }; 7];
        let mut runner = Contrary { open: Vec::new(), losses: losses.iter().copied().collect() };
        let mut begun = 0;
        let verdicts = run_all(&assignments, &mut runner, &mut |moment| {
            match moment {
                Moment::Begun(_) => begun += 1,
                Moment::Note(..) | Moment::Progress(..) | Moment::Lost { .. } | Moment::Done(..) => {}
            }
            Ok(())
        });
        let nats = |verdict: Verdict| verdict.ok().map(|score| score.trained.nats);
        (verdicts.unwrap().into_iter().map(nats).collect(), begun)
    }

    #[test]
    fn each_assignment_gets_its_own_verdict() {
        let expected: Vec<_> = (0..7).map(|ticket| Some(f64::from(ticket))).collect();
        assert_eq!(verdicts(&[]), (expected, 7));
    }

    #[test]
    fn a_lost_worker_is_replaced_once() {
        let expected: Vec<_> = (0..7).map(|ticket| (ticket != 4).then(|| f64::from(ticket))).collect();
        assert_eq!(verdicts(&[(2, 1), (4, 2)]), (expected, 9));
    }
}
