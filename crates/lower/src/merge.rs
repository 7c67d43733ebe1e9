//! Joins past-regions of one axis that share work: numerator and denominator of a normalization.
//!
//! Two regions become one where the later can run as early as the earlier one, or the earlier as
//! late, and where an operation other than a view is then computed once instead of twice.
//! A region has several results then.

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{Instruction, Op, Region, ValueId};
use genesys_ir::{reads, substitute};

/// How many earlier regions one is compared with.
const MOST_COMPARED: usize = 16;

/// Joins past-regions in a region, and in the regions within it.
pub(crate) fn region(region: &mut Region) {
    let mut merged: Vec<Instruction> = Vec::new();
    for instruction in std::mem::take(&mut region.instructions) {
        if let Some(rest) = join(&mut merged, instruction) {
            merged.push(rest);
        }
    }
    region.instructions = merged;
    for instruction in &mut region.instructions {
        match &mut instruction.op {
            Op::Past { body, .. } | Op::Scan { body, .. } | Op::Grad { body, .. } => self::region(body),
            _ => {}
        }
    }
}

/// Joins an instruction with an earlier one, or gives it back.
fn join(before: &mut Vec<Instruction>, later: Instruction) -> Option<Instruction> {
    if !matches!(later.op, Op::Past { .. }) {
        return Some(later);
    }
    let pasts = before.iter().enumerate().rev().filter(|(_, i)| matches!(i.op, Op::Past { .. }));
    let candidates: Vec<usize> = pasts.map(|(index, _)| index).take(MOST_COMPARED).collect();
    let needed = reads(&later);
    for index in candidates {
        let Some(joined) = joined(&before[index], &later) else { continue };
        let between: BTreeSet<ValueId> = before[index..].iter().flat_map(|i| i.results.iter().copied()).collect();
        if needed.is_disjoint(&between) {
            before[index] = joined;
            return None;
        }
        let given = &before[index].results;
        let unread = |i: &Instruction| given.iter().all(|id| !reads(i).contains(id));
        if before[index + 1..].iter().chain([&later]).all(unread) {
            before.remove(index);
            before.push(joined);
            return None;
        }
    }
    Some(later)
}

/// Both regions as one, if they are of one past and share an operation other than a view.
fn joined(earlier: &Instruction, later: &Instruction) -> Option<Instruction> {
    let mut joined = earlier.clone();
    let (
        Op::Past { axis, direction, reset, body },
        Op::Past { axis: other_axis, direction: other_direction, reset: other_reset, body: other },
    ) = (&mut joined.op, &later.op)
    else {
        return None;
    };
    if (*axis, *direction, *reset) != (*other_axis, *other_direction, *other_reset) {
        return None;
    }
    if append(body, other) == 0 {
        return None;
    }
    joined.results.extend(&later.results);
    Some(joined)
}

/// Appends a region's instructions to another's, and counts those that were there already.
fn append(body: &mut Region, other: &Region) -> usize {
    // The text of operation and operands is an instruction's key.
    let key = |i: &Instruction| format!("{:?} {:?}", i.op, i.args);
    let mut known: BTreeMap<String, Vec<ValueId>> =
        body.instructions.iter().map(|i| (key(i), i.results.clone())).collect();
    let mut same: BTreeMap<ValueId, ValueId> = BTreeMap::new();
    let mut shared = 0;
    for instruction in &other.instructions {
        let mut one = Region { instructions: vec![instruction.clone()], results: vec![] };
        substitute(&mut one, &|id| same.get(&id).copied().unwrap_or(id));
        let Some(instruction) = one.instructions.pop() else { continue };
        match known.get(&key(&instruction)) {
            Some(results) => {
                same.extend(instruction.results.iter().copied().zip(results.iter().copied()));
                shared += usize::from(!matches!(instruction.op, Op::View(_) | Op::Age(_)));
            }
            None => {
                known.insert(key(&instruction), instruction.results.clone());
                body.instructions.push(instruction);
            }
        }
    }
    body.results.extend(other.results.iter().map(|id| same.get(id).copied().unwrap_or(*id)));
    shared
}
