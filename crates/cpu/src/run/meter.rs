//! How long the operations of a kernel take, on each worker.
//!
//! A meter is there only while it is asked for: a step without one reads no clock. What reading it costs is in the figures, once
//! a run; who reads them knows how often an operation ran, and can take that off.

use std::time::Instant;

/// The time that one of a kernel's operations took, on all workers together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// In nanoseconds.
    pub nanoseconds: u64,
    /// How often it ran.
    pub runs: u64,
}

/// The times of a kernel's operations on one worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter {
    spent: Vec<Spent>,
}

/// A clock that goes on from operation to operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch(Instant);

impl Spent {
    /// What reading the clock adds to each run of an operation on this machine, in nanoseconds: the least of many.
    pub fn overhead() -> f64 {
        const LAPS: usize = 1000;
        let round = |_| {
            let (mut meter, mut watch) = (Some(Meter::default()), Watch::start());
            (0..LAPS).for_each(|_| watch.lap(&mut meter, 0));
            meter.map_or(0.0, |meter| meter.spent[0].nanoseconds as f64 / LAPS as f64)
        };
        (0..10).map(round).fold(f64::INFINITY, f64::min)
    }

    pub(crate) fn add(&mut self, other: Spent) {
        self.nanoseconds += other.nanoseconds;
        self.runs += other.runs;
    }
}

impl Watch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Says that an operation is through, and the next begins.
    pub(crate) fn lap(&mut self, meter: &mut Option<Meter>, operation: usize) {
        let Some(Meter { spent }) = meter else { return };
        let now = Instant::now();
        if spent.len() <= operation {
            spent.resize(operation + 1, Spent::default());
        }
        let nanoseconds = u64::try_from((now - self.0).as_nanos()).unwrap_or(u64::MAX);
        spent[operation].add(Spent { nanoseconds, runs: 1 });
        self.0 = now;
    }
}

impl Meter {
    /// Adds what was measured to a table, and begins anew.
    pub(crate) fn empty_into(&mut self, all: &mut Vec<Spent>) {
        if all.len() < self.spent.len() {
            all.resize(self.spent.len(), Spent::default());
        }
        for (sum, spent) in all.iter_mut().zip(&mut self.spent) {
            sum.add(std::mem::take(spent));
        }
    }
}
