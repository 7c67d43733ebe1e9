//! What fits memory: a job whose batches are cut into parts, and whose backward pass keeps less, where it would not.
//!
//! In: a job, the size of the vocabulary, what may be taken of the machine. Out: the job as it will be trained. It is the first of
//! these that fits:
//!
//! 1. All rows of a step at a time.
//! 2. Parts of them, whose gradients are summed: as few parts as fit, as equal as can be. They cost hardly any time.
//! 3. Where one row does not fit, or the losses are no sums over rows: the same, with a backward pass that computes more again,
//!    the least work first ([`Recompute`]). Products again are about a third more time.
//!
//! What was chosen is part of the job, so a training that goes on rounds as before, wherever it goes on. Nothing is allocated
//! here but programs.

use genesys_ir::additive_losses;
use genesys_ir::module::Module;
use genesys_opt::Recompute;

use crate::arena::Layout;
use crate::engine::Passes;
use crate::error::{Shortage, TrainError};
use crate::job::{Job, rows_per_batch};
use crate::machine::Machine;
use crate::model::{self, compile};

/// The job as it fits the limit of `machine`. What it says of rows and of what is computed again stays, and without a limit all
/// fits.
///
/// # Errors
/// [`TrainError::Memory`] with the least that would do; [`TrainError::Design`].
pub fn fit(job: &Job, vocabulary: u64, machine: &Machine) -> Result<Job, TrainError> {
    let Some(limit) = machine.memory else { return Ok(job.clone()) };
    let module = compile(&job.design, &job.scale, vocabulary)?.module;
    let layout = model::layout(&module)?;
    let additive = additive_losses(&module);
    let rows = job.rows_in_memory();
    let may_be_cut = job.rows_at_a_time.is_none() && additive.is_ok();
    let mut least = (u64::MAX, rows);
    for how in Recompute::ALL.into_iter().filter(|how| job.recompute.is_little() || *how == job.recompute) {
        let needs = Needs { passes: Passes::of(&module, machine, how, job.precision), layout: &layout, job };
        let fits = |rows: usize| needs.bytes(rows) <= limit.bytes();
        let parts = if may_be_cut { fewest(rows, fits) } else { fits(rows).then_some(1) };
        if let Some(parts) = parts {
            let rows_at_a_time = if parts > 1 { Some(rows.div_ceil(parts) as u64) } else { job.rows_at_a_time };
            return Ok(Job { rows_at_a_time, recompute: how, ..job.clone() });
        }
        let rows = if may_be_cut { 1 } else { rows };
        least = least.min((needs.bytes(rows), rows));
    }
    let whole = additive.err().filter(|_| job.rows_at_a_time.is_none()).map(|why| why.to_string());
    let (needed, rows) = (least.0, least.1 as u64);
    Err(TrainError::Memory(Box::new(Shortage { needed, rows, limit, whole })))
}

/// Whether the batches of a job may be cut as it says.
///
/// # Errors
/// [`TrainError::Design`] where they are cut, and losses do not add up over the parts.
pub(crate) fn may_be_cut(module: &Module, job: &Job) -> Result<(), TrainError> {
    let (rows, all) = (job.rows_in_memory(), rows_per_batch(&job.scale));
    if rows >= all {
        return Ok(());
    }
    additive_losses(module).map_err(|why| {
        TrainError::Design(format!(
            "{why}, so that parts of {rows} rows do not add up to a batch of {all}; take all at a time"
        ))
    })
}

/// What a job needs by how many rows are in memory at a time.
struct Needs<'a> {
    passes: Passes,
    layout: &'a Layout,
    job: &'a Job,
}

impl Needs<'_> {
    /// More than there are, where they cannot be counted.
    fn bytes(&self, rows: usize) -> u64 {
        self.passes.plan(self.layout, &self.job.scale, rows).map_or(u64::MAX, |plan| plan.bytes())
    }
}

/// The fewest parts that `rows` are cut into so that each fits, as equal as can be; none where not even one row does. Fewer
/// rows fit wherever more do.
fn fewest(rows: usize, fits: impl Fn(usize) -> bool) -> Option<usize> {
    let fits = |parts: usize| fits(rows.div_ceil(parts));
    if !fits(rows) {
        return None;
    }
    // `few` parts do not fit, `many` do.
    let (mut few, mut many) = (0, rows);
    while many - few > 1 {
        let middle = few + (many - few) / 2;
        if fits(middle) { many = middle } else { few = middle }
    }
    Some(many)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_batch_is_cut_into_as_few_parts_as_fit() {
        for rows in 1..40 {
            for room in 0..45 {
                let parts = fewest(rows, |part| part <= room);
                let least = (1..=rows).find(|parts| rows.div_ceil(*parts) <= room);
                assert_eq!(parts, least, "{rows} rows, room for {room}");
            }
        }
    }
}
