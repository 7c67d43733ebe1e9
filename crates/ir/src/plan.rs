//! The order in which a region's instructions run, and how a scan's body is split.
//!
//! Past-regions are transparent: their bodies run in place. A scan's body falls into three parts:
//! what reads no state runs before the loop for all positions at once, what the next states need
//! runs in the loop, and what only reads states runs behind it, again for all positions at once.

use std::collections::BTreeSet;

use crate::module::{Instruction, Op, Region, State, ValueId};

/// One thing to do.
#[derive(Clone, Copy, Debug)]
pub enum Item<'m> {
    /// An operation; never a past-region.
    Run(&'m Instruction),
    /// A result of a past-region is a value of its body.
    Same {
        /// Of the past-region.
        result: ValueId,
        /// Of its body.
        value: ValueId,
    },
}

impl<'m> Item<'m> {
    /// The values that it defines.
    pub fn results(self) -> Vec<ValueId> {
        match self {
            Item::Run(instruction) => instruction.results.clone(),
            Item::Same { result, .. } => vec![result],
        }
    }

    /// All values read, also by regions within.
    pub fn reads(self) -> BTreeSet<ValueId> {
        match self {
            Item::Run(instruction) => free(instruction),
            Item::Same { value, .. } => BTreeSet::from([value]),
        }
    }
}

/// The instructions of a region, those of past-regions in place.
pub fn flatten(region: &Region) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    for instruction in &region.instructions {
        match &instruction.op {
            Op::Past { body, .. } => {
                items.extend(flatten(body));
                let pairs = instruction.results.iter().zip(&body.results);
                items.extend(pairs.map(|(result, value)| Item::Same { result: *result, value: *value }));
            }
            _ => items.push(Item::Run(instruction)),
        }
    }
    items
}

/// The values that an instruction reads from around it.
fn free(instruction: &Instruction) -> BTreeSet<ValueId> {
    let mut reads: BTreeSet<ValueId> = instruction.args.iter().copied().collect();
    if let Op::Scan { states, body, .. } = &instruction.op {
        let items = flatten(body);
        let mut inside: BTreeSet<ValueId> = items.iter().flat_map(|item| item.results()).collect();
        inside.extend(states.iter().flat_map(State::defined));
        let inner = items.iter().flat_map(|item| item.reads()).chain(body.results.iter().copied());
        let outer = inner.chain(states.iter().map(|state| state.next)).filter(|id| !inside.contains(id));
        reads.extend(outer.chain(states.iter().map(|state| state.init)));
    }
    reads
}

/// The values that are operands of contractions and of nothing else.
pub fn contracted(region: &Region) -> BTreeSet<ValueId> {
    let (mut inside, mut elsewhere) = (BTreeSet::new(), BTreeSet::new());
    uses(region, &mut inside, &mut elsewhere);
    inside.difference(&elsewhere).copied().collect()
}

fn uses(region: &Region, inside: &mut BTreeSet<ValueId>, elsewhere: &mut BTreeSet<ValueId>) {
    elsewhere.extend(&region.results);
    for instruction in &region.instructions {
        let kind = if matches!(instruction.op, Op::Contract { .. }) { &mut *inside } else { &mut *elsewhere };
        kind.extend(&instruction.args);
        match &instruction.op {
            Op::Past { body, .. } => uses(body, inside, elsewhere),
            Op::Scan { states, body, .. } => {
                elsewhere.extend(states.iter().flat_map(|state| [state.init, state.next]));
                uses(body, inside, elsewhere);
            }
            _ => {}
        }
    }
}

/// A scan's body, split.
#[derive(Debug)]
pub struct ScanPlan<'m> {
    /// Reads no state.
    pub before: Vec<Item<'m>>,
    /// What the next states need.
    pub within: Vec<Item<'m>>,
    /// Reads states, and no state needs it.
    pub behind: Vec<Item<'m>>,
    /// Values from around that the loop reads.
    pub captured: BTreeSet<ValueId>,
    /// Values of the loop that are read behind it or leave the scan.
    pub collected: BTreeSet<ValueId>,
}

impl<'m> ScanPlan<'m> {
    /// The three parts of a scan's body.
    pub fn new(states: &[State], body: &'m Region) -> Self {
        let items = flatten(body);
        let mut moments: BTreeSet<ValueId> = states.iter().flat_map(State::defined).collect();
        let (mut before, mut dependent) = (Vec::new(), Vec::new());
        for item in items {
            if item.reads().is_disjoint(&moments) {
                before.push(item);
            } else {
                moments.extend(item.results());
                dependent.push(item);
            }
        }
        let mut needed: BTreeSet<ValueId> = states.iter().map(|state| state.next).collect();
        let (mut within, mut behind) = (Vec::new(), Vec::new());
        for item in dependent.into_iter().rev() {
            if item.results().iter().any(|id| needed.contains(id)) {
                needed.extend(item.reads());
                within.push(item);
            } else {
                behind.push(item);
            }
        }
        within.reverse();
        behind.reverse();
        let mut looped: BTreeSet<ValueId> = within.iter().flat_map(|item| item.results()).collect();
        looped.extend(states.iter().flat_map(State::defined));
        let captured = needed.difference(&looped).copied().collect();
        let read = behind.iter().flat_map(|item| item.reads()).chain(body.results.iter().copied());
        let collected = read.filter(|id| looped.contains(id)).collect();
        Self { before, within, behind, captured, collected }
    }
}
