//! What fits memory: a job whose batches are cut into parts where whole ones would not.
//!
//! In: a job, the size of the vocabulary, what may be taken of the machine. Out: the job as it will be trained. All rows of a
//! step are in memory at a time where they fit; else as few parts as fit, as equal as can be, and gradients are summed over
//! them. What was chosen is part of the job, so a training that goes on rounds as before, wherever it goes on. A design whose
//! losses are no sums over rows is never cut. Nothing is allocated here but programs.

use genesys_ir::additive_losses;
use genesys_ir::module::Module;

use crate::arena::Layout;
use crate::engine::Passes;
use crate::error::{Shortage, TrainError};
use crate::job::{Job, rows_per_batch};
use crate::machine::Machine;
use crate::model::{self, compile};

/// The job with so many rows at a time as fit the limit of `machine`. A job that says how many keeps them, and without a limit
/// all fit.
///
/// # Errors
/// [`TrainError::Memory`] where one row at a time does not fit, or parts would not do; [`TrainError::Design`].
pub fn fit(job: &Job, vocabulary: u64, machine: &Machine) -> Result<Job, TrainError> {
    let (None, Some(limit)) = (job.rows_at_a_time, machine.memory) else { return Ok(job.clone()) };
    let module = compile(&job.design, &job.scale, vocabulary)?.module;
    let needs = Needs::of(&module, job, machine)?;
    let rows = rows_per_batch(&job.scale).max(1);
    let shortage = |rows: usize, whole: Option<String>| {
        let needed = needs.bytes(rows);
        TrainError::Memory(Box::new(Shortage { needed, rows: rows as u64, limit, whole }))
    };
    if needs.bytes(rows) <= limit.bytes() {
        return Ok(job.clone());
    }
    if let Err(why) = additive_losses(&module) {
        return Err(shortage(rows, Some(why.to_string())));
    }
    match fewest(rows, |rows| needs.bytes(rows) <= limit.bytes()) {
        Some(parts) => Ok(Job { rows_at_a_time: Some(rows.div_ceil(parts) as u64), ..job.clone() }),
        None => Err(shortage(1, None)),
    }
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
    layout: Layout,
    job: &'a Job,
}

impl<'a> Needs<'a> {
    fn of(module: &Module, job: &'a Job, machine: &Machine) -> Result<Self, TrainError> {
        Ok(Self { passes: Passes::of(module, machine), layout: model::layout(module)?, job })
    }

    /// More than there are, where they cannot be counted.
    fn bytes(&self, rows: usize) -> u64 {
        self.passes.plan(&self.layout, &self.job.scale, rows).map_or(u64::MAX, |plan| plan.bytes())
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
