//! A function without what none of its results depends on.
//!
//! In: a function. Out: the same function with fewer instructions. Inputs and weights stay, used or not, and so do the states
//! of a scan that is left.

use std::collections::{BTreeMap, BTreeSet};

use crate::module::{Function, Op, Region, State, ValueId};
use crate::renumber::{reads, renumber};

/// Drops what no result of a function depends on, results of its regions too, and numbers the values that are left. Gives the
/// new number of each.
pub fn prune(function: &mut Function) -> BTreeMap<ValueId, ValueId> {
    let mut needed = function.body.results.iter().copied().collect();
    region(&mut function.body, &mut needed);
    renumber(function)
}

/// Drops the instructions of a region that define nothing that is needed, and the results of its regions that are not.
fn region(body: &mut Region, needed: &mut BTreeSet<ValueId>) {
    let mut kept = Vec::new();
    for mut instruction in std::mem::take(&mut body.instructions).into_iter().rev() {
        if !instruction.results.iter().any(|id| needed.contains(id)) {
            continue;
        }
        match &mut instruction.op {
            Op::Past { body, .. } => {
                keep(&mut instruction.results, &mut body.results, needed);
                region(body, &mut body.results.iter().copied().collect());
            }
            Op::Scan { states, body, .. } => {
                keep(&mut instruction.results, &mut body.results, needed);
                let mut inner: BTreeSet<ValueId> = body.results.iter().copied().collect();
                inner.extend(states.iter().map(|State { next, .. }| *next));
                region(body, &mut inner);
            }
            _ => {}
        }
        needed.extend(reads(&instruction));
        kept.push(instruction);
    }
    kept.reverse();
    body.instructions = kept;
}

/// Keeps those results that are needed, and what they leave their region as.
fn keep(results: &mut Vec<ValueId>, within: &mut Vec<ValueId>, needed: &BTreeSet<ValueId>) {
    let both = results.iter().copied().zip(within.iter().copied());
    (*results, *within) = both.filter(|(result, _)| needed.contains(result)).unzip();
}
