//! The adjoint of a past-region: a region over the same past that computes its values again and goes through them backwards.
//!
//! In go the cotangents of its results, out come those of what it reads from around it. Of a value without the axis that is
//! the sum over the past; of one that the region views, the sum over the positions that saw it, which is complete behind the
//! region only. Nothing of the size of a past is kept from the forward pass.

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{Instruction, Op, Region, Stage, ValueId};

use crate::cotangents::Cotangents;
use crate::emit::Emit;
use crate::sweep::{NoCalls, needed, sweep};
use crate::{Unsupported, split};

/// Appends the adjoint of a region.
pub(crate) fn adjoint(
    emit: &mut Emit<'_>,
    instruction: &Instruction,
    active: &BTreeSet<ValueId>,
    cotangents: &mut Cotangents,
) -> Result<(), Unsupported> {
    let Op::Past { axis, direction, reset, body } = &instruction.op else {
        unreachable!("asked for past-regions only")
    };
    let around = std::mem::take(&mut emit.out);
    let body = emit.copy(body, BTreeMap::new(), Stage::Step);
    let mut active = active.clone();
    for instruction in body.instructions {
        split::append(emit, &mut active, instruction)?;
    }
    let defined = emit.out.iter().flat_map(|instruction| instruction.results.iter().copied()).collect();
    let mut inner = Cotangents::inside(defined);
    for (result, value) in instruction.results.iter().zip(&body.results) {
        if let Some(g) = cotangents.get(*result) {
            inner.add(emit, *value, g)?;
        }
    }
    let forward = emit.out.clone();
    sweep(emit, &forward, &active, &mut inner, &mut NoCalls)?;
    let inside = std::mem::replace(&mut emit.out, around);
    let defined: BTreeSet<ValueId> = inside.iter().flat_map(|i| i.results.iter().copied()).collect();
    let found = inner.leaving().into_iter().filter(|(id, _)| active.contains(id));
    // What passes through a region without being touched by it does not enter it.
    let (leaving, untouched): (Vec<_>, Vec<_>) = found.partition(|(_, cotangent)| defined.contains(cotangent));
    for (id, cotangent) in untouched {
        cotangents.add(emit, id, cotangent)?;
    }
    if leaving.is_empty() {
        return Ok(());
    }
    let results: Vec<ValueId> = leaving.iter().map(|(_, cotangent)| *cotangent).collect();
    let body = Region { instructions: needed(inside, results.iter().copied()), results };
    let results = emit.push_all(Op::Past { axis: *axis, direction: *direction, reset: *reset, body }, Vec::new())?;
    for ((id, inner), result) in leaving.into_iter().zip(results) {
        emit.passes(inner, result);
        cotangents.add(emit, id, result)?;
    }
    Ok(())
}
