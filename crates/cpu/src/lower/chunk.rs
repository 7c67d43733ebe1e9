//! What is kept for a chunk of positions only: large values that nothing but sums of products over all positions read.
//!
//! In: a schedule, and how many bytes such values may take. Out: for a level with more of them, these values and how many
//! positions a chunk has. The level's tiles and those products run chunk after chunk, and the products add to what they have.
//! The gradient of logits is such a value: of a large vocabulary it is the largest of a step. A chunk is of whole tiles, and of
//! whole blocks of a product where items are: then sums of f32 have the bits that they have without chunks.

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{Adjoint, AxisId, Function, Op, Stage, ValueId};

use crate::error::{CpuError, Result};
use crate::lower::Shape;
use crate::lower::schedule::{Kind, Schedule};

/// The bytes that a level's values may take before they are cut. More is worth little: a product passes over its result once
/// for each chunk.
pub(crate) const CHUNK: usize = 64 << 20;

/// The fewest positions of a chunk, and what larger ones are multiples of: as many as a product sums at a time.
const BLOCK: usize = 256;

/// A level that runs chunk by chunk.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    /// What is there for a chunk only.
    pub(crate) values: BTreeSet<ValueId>,
    /// How many positions a chunk has at most.
    pub(crate) positions: usize,
}

/// The levels whose values of that kind take more than `room` bytes.
pub(crate) fn chunks(
    schedule: &Schedule<'_>,
    function: &Function,
    shape: Shape,
    room: usize,
    size: &dyn Fn(AxisId) -> Result<usize>,
) -> Result<BTreeMap<usize, Chunk>> {
    let mut rows: BTreeMap<usize, (usize, BTreeSet<ValueId>)> = BTreeMap::new();
    for (level, id) in candidates(schedule, function) {
        let width: usize = function.ty(id).axes.iter().map(|axis| size(*axis)).product::<Result<_>>()?;
        let (row, values) = rows.entry(level).or_default();
        *row += width;
        values.insert(id);
    }
    let mut chunks = BTreeMap::new();
    for (level, (row, values)) in rows {
        let bytes = row.checked_mul(size_of::<f32>()).ok_or(CpuError::TooLarge)?.max(1);
        let positions = (room / bytes / BLOCK).max(1) * BLOCK;
        if positions < shape.positions() {
            chunks.insert(level, Chunk { values, positions });
        }
    }
    Ok(chunks)
}

/// Values that are kept for sums of products of their own level alone, with that level.
fn candidates(schedule: &Schedule<'_>, function: &Function) -> Vec<(usize, ValueId)> {
    let mut readers: BTreeMap<ValueId, Vec<usize>> = BTreeMap::new();
    for i in 0..schedule.instructions.len() {
        if schedule.kinds[i] != Kind::View {
            schedule.reads(i).into_iter().for_each(|id| readers.entry(schedule.root(id)).or_default().push(i));
        }
    }
    let leaving: BTreeSet<ValueId> = function.body.results.iter().map(|id| schedule.root(*id)).collect();
    let mut found = Vec::new();
    for id in schedule.kept.iter().filter(|id| !leaving.contains(id) && function.ty(**id).stage == Stage::Seq) {
        let Some((source, _)) = schedule.definition.get(id).copied() else { continue };
        let level = schedule.levels[source];
        let allowed = |reader: &usize| {
            let near = matches!(schedule.kinds[*reader], Kind::Each | Kind::Sum) && !schedule.is_far(*reader, *id);
            schedule.levels[*reader] == level && (near || is_product(schedule, *reader))
        };
        let by_tile = matches!(schedule.kinds[source], Kind::Each | Kind::Far);
        if by_tile && readers.get(id).is_some_and(|readers| readers.iter().all(allowed)) {
            found.push((level, *id));
        }
    }
    found
}

/// Whether an instruction is a sum of products over all positions, by a kernel of its own.
pub(crate) fn is_product(schedule: &Schedule<'_>, i: usize) -> bool {
    let op = &schedule.instructions[i].op;
    schedule.kinds[i] == Kind::Whole && matches!(op, Op::Adjoint(Adjoint::Contract { .. }))
}
