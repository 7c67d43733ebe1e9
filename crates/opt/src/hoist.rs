//! Moves out of regions what does not vary in them.
//!
//! - Out of a past-region what neither has its axis nor reads what has: it would be computed once for every position of the
//!   past.
//! - Out of a scan's step what reads no state, where its result is not larger than what it reads: computed for all positions
//!   at once, and read from memory step by step. The product of two vectors stays, for it is larger than they are.
//!
//! Not here: what is larger than what it reads; sums over positions, which are complete where their region ends.

use std::collections::BTreeSet;

use genesys_ir::module::{Axis, AxisId, Function, Instruction, Module, Op, Region, Stage, State, Type, ValueId};
use genesys_ir::{reads, renumber};

use crate::work::{elements, gathers};

/// Hoists in every function.
pub fn hoist(module: &mut Module) {
    let Module { axes, functions, .. } = module;
    for function in functions {
        let Function { values, body, .. } = function;
        if out_of(axes, values, body) {
            renumber(function);
        }
    }
}

/// Moves what can be moved into a region out of the regions in it, innermost first; says whether anything was.
fn out_of(axes: &[Axis], types: &[Type], region: &mut Region) -> bool {
    let mut changed = false;
    let mut kept = Vec::with_capacity(region.instructions.len());
    for mut instruction in std::mem::take(&mut region.instructions) {
        let moved = match &mut instruction.op {
            Op::Past { axis, body, .. } => {
                changed |= out_of(axes, types, body);
                let axis = *axis;
                split(body, BTreeSet::new(), |inner| leaves_past(types, axis, inner))
            }
            Op::Scan { states, body, .. } => {
                changed |= out_of(axes, types, body);
                let held = states.iter().flat_map(State::defined).collect();
                split(body, held, |inner| leaves_scan(axes, types, inner))
            }
            _ => Vec::new(),
        };
        changed |= !moved.is_empty();
        kept.extend(moved);
        kept.push(instruction);
    }
    region.instructions = kept;
    changed
}

/// Takes out of a region the instructions that read nothing of it, `inside` included, and that may leave.
fn split(body: &mut Region, mut inside: BTreeSet<ValueId>, leaves: impl Fn(&Instruction) -> bool) -> Vec<Instruction> {
    let (mut moved, mut kept) = (Vec::new(), Vec::new());
    for instruction in std::mem::take(&mut body.instructions) {
        if reads(&instruction).is_disjoint(&inside) && leaves(&instruction) {
            moved.push(instruction);
        } else {
            inside.extend(&instruction.results);
            kept.push(instruction);
        }
    }
    body.instructions = kept;
    moved
}

fn leaves_past(types: &[Type], axis: AxisId, instruction: &Instruction) -> bool {
    let has = |id: &ValueId| types[id.0 as usize].axes.contains(&axis);
    !gathers(instruction) && !instruction.results.iter().any(has)
}

fn leaves_scan(axes: &[Axis], types: &[Type], instruction: &Instruction) -> bool {
    let ty = |id: &ValueId| &types[id.0 as usize];
    let size = |id: &ValueId| elements(axes, ty(id));
    let varies = |id: &&ValueId| ty(id).stage != Stage::Const;
    let Some(made) = instruction.results.iter().filter(varies).map(size).sum::<Option<u64>>() else { return false };
    // A read with an axis that grows with the position is larger than any.
    let read =
        reads(instruction).iter().filter(varies).map(|id| size(id).unwrap_or(u64::MAX)).fold(0, u64::saturating_add);
    made <= read.max(1)
}
