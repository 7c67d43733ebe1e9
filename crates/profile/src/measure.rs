//! Steps of a training under a clock.
//!
//! In: a job, a dataset, a number of steps. Out: for each kernel of a step its median time, and how that is spread over its
//! operations. The first steps are left out, for they take memory and fill caches. Then come the steps whose kernels are timed,
//! with a clock read between two kernels and nowhere else; then a few in which each operation of a kernel is timed on each
//! worker, which are slower, and decide shares only.

use std::time::Instant;

use genesys_cpu::{Footprint, KernelWork, Operation, Roofline, Spent};
use genesys_data::Dataset;
use genesys_train::{Job, Machine, Part, Rehearsal, TrainError, rehearse};

/// Steps before those that count.
const WARM_UP: u64 = 2;

/// Steps at most whose operations are timed.
const METERED: u64 = 5;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// What is trained.
    pub job: &'a Job,
    /// On what.
    pub data: &'a Dataset,
    /// What may be taken of the machine.
    pub machine: &'a Machine,
    /// How many steps are timed.
    pub steps: u64,
}

/// What a kernel takes.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelTime {
    /// What it does.
    pub work: KernelWork,
    /// The median of its times.
    pub seconds: f64,
    /// How its time is spread over its operations: they add up to 1.
    pub shares: Vec<f64>,
}

/// What a step takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The hash of the design.
    pub hash: String,
    /// The numbers of its weights.
    pub parameters: usize,
    /// The threads of a step.
    pub threads: usize,
    /// How many steps were timed.
    pub steps: u64,
    /// What the machine does at best.
    pub roofline: Roofline,
    /// The kernels of a step, in their order.
    pub kernels: Vec<KernelTime>,
    /// How often a step runs them: more than once where a batch is run in parts.
    pub runs: usize,
    /// Median times of making a batch, and of updating the weights.
    pub batch: f64,
    /// As `batch`.
    pub optimizer: f64,
    /// The memory of a step.
    pub footprint: Footprint,
}

/// The times of one step, in seconds.
#[derive(Clone, Debug, Default)]
struct Times {
    batch: f64,
    kernels: Vec<f64>,
    optimizer: f64,
}

/// Measures some steps; nothing where `go_on` said no before one of them.
///
/// # Errors
/// As [`rehearse`].
pub fn measure(plan: &Plan<'_>, go_on: &mut (dyn FnMut() -> bool + Send)) -> Result<Option<Measured>, TrainError> {
    rehearse(plan.job, plan.data, plan.machine, |rehearsal| steps(rehearsal, plan.steps, go_on))?
}

fn steps(
    rehearsal: &mut Rehearsal,
    steps: u64,
    go_on: &mut (dyn FnMut() -> bool + Send),
) -> Result<Option<Measured>, TrainError> {
    let work = rehearsal.work();
    let kernels = work.len().max(1);
    let roofline = rehearsal.roofline();
    let mut timed = Vec::new();
    for step in 0..WARM_UP + steps {
        if !go_on() {
            return Ok(None);
        }
        let times = once(rehearsal, kernels, &mut |_, _| {})?;
        if step >= WARM_UP {
            timed.push(times);
        }
    }
    let mut spent = vec![Vec::new(); work.len()];
    rehearsal.meter(true);
    for _ in 0..steps.min(METERED) {
        if !go_on() {
            return Ok(None);
        }
        once(rehearsal, kernels, &mut |kernel, found| add(&mut spent[kernel], found))?;
    }
    rehearsal.meter(false);
    let runs = timed.first().map_or(1, |times| times.kernels.len() / kernels);
    let overhead = Spent::overhead();
    let time = |(i, (work, spent)): (usize, (KernelWork, Vec<Spent>))| KernelTime {
        seconds: median(timed.iter().map(|times| times.kernels.iter().skip(i).step_by(kernels).sum())),
        shares: shares(&work.operations, &spent, overhead),
        work,
    };
    let footprint = rehearsal.footprint();
    Ok(Some(Measured {
        hash: rehearsal.hash().to_owned(),
        parameters: rehearsal.parameters(),
        threads: rehearsal.threads(),
        steps,
        roofline,
        batch: median(timed.iter().map(|times| times.batch)),
        optimizer: median(timed.iter().map(|times| times.optimizer)),
        kernels: work.into_iter().zip(spent).enumerate().map(time).collect(),
        runs,
        footprint,
    }))
}

/// One step; `spent` hears what the operations of each kernel took.
fn once(
    rehearsal: &mut Rehearsal,
    kernels: usize,
    spent: &mut dyn FnMut(usize, &[Spent]),
) -> Result<Times, TrainError> {
    let mut times = Times::default();
    let mut last = Instant::now();
    rehearsal.step(&mut |part| {
        let seconds = last.elapsed().as_secs_f64();
        match part {
            Part::Batch => times.batch = seconds,
            Part::Kernel(through) => {
                spent(times.kernels.len() % kernels, through.spent);
                times.kernels.push(seconds);
            }
            Part::Optimizer => times.optimizer = seconds,
        }
        last = Instant::now();
    })?;
    Ok(times)
}

fn add(all: &mut Vec<Spent>, found: &[Spent]) {
    all.resize(all.len().max(found.len()), Spent::default());
    for (all, found) in all.iter_mut().zip(found) {
        all.nanoseconds += found.nanoseconds;
        all.runs += found.runs;
    }
}

/// How the time of a kernel is spread: by what its operations took, without what the clock took; by bytes and operations where
/// that was not measured.
fn shares(operations: &[Operation], spent: &[Spent], overhead: f64) -> Vec<f64> {
    let took = |i: usize| spent.get(i).map_or(0.0, |s| (s.nanoseconds as f64 - s.runs as f64 * overhead).max(0.0));
    let measured: Vec<f64> = (0..operations.len()).map(took).collect();
    let counted = || operations.iter().map(|o| (o.work.bytes() + o.work.operations()) as f64).collect();
    let equal = || vec![1.0; operations.len()];
    let weights = [measured, counted(), equal()].into_iter().find(|weights| weights.iter().sum::<f64>() > 0.0);
    let weights = weights.unwrap_or_default();
    let all: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / all).collect()
}

/// The middle one of some times; the mean of the two in the middle of an even number; 0 of none.
fn median(times: impl Iterator<Item = f64>) -> f64 {
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    let n = times.len();
    match n {
        0 => 0.0,
        _ => (times[(n - 1) / 2] + times[n / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use genesys_cpu::Work;

    use super::*;

    fn operation(read: u64) -> Operation {
        Operation { what: "map", backward: false, portions: Vec::new(), work: Work { read, ..Work::default() } }
    }

    #[test]
    fn medians_are_of_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert_eq!(median(std::iter::empty()), 0.0);
    }

    #[test]
    fn times_are_spread_by_what_was_measured_without_the_clock() {
        let operations = [operation(300), operation(100)];
        let spent = [Spent { nanoseconds: 1100, runs: 10 }, Spent { nanoseconds: 3200, runs: 20 }];
        assert_eq!(shares(&operations, &spent, 10.0), [0.25, 0.75]);
        assert_eq!(shares(&operations, &[], 10.0), [0.75, 0.25]);
        assert_eq!(shares(&[operation(0), operation(0)], &[], 10.0), [0.5, 0.5]);
        assert_eq!(shares(&[], &[], 10.0), [0.0; 0]);
    }
}
