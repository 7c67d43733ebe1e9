//! Computes recurrences again instead of keeping their states for the backward pass.
//!
//! A scan whose states are larger than all that it is computed from (a matrix from vectors) is run again by the backward pass:
//! what goes on the tape instead are the vectors, most of which it holds already. What it gives besides, and is no larger than
//! these, stays on the tape, so that nothing but its states is wanted again. The same for a window, which holds what was
//! there several times. What leads from the tape to the scan is computed again too: maps, parts and other arrangements.
//!
//! What is computed again is so by the same operations in the same order, so no bit of a result changes.
//!
//! Not here: which states a back end keeps while it goes backwards. States of the size of what is read stay on the tape.

use std::collections::BTreeSet;

use genesys_ir::module::{Instruction, Module, Op, Stage, ValueId};
use genesys_ir::reads;

use crate::again::{Again, is_light};
use crate::tape::{self, pairs};
use crate::work::elements;

/// Repeats in every backward pass.
pub fn remat(module: &mut Module) {
    for pair in pairs(module) {
        let forward = tape::of(module, pair.forward).clone();
        let Module { axes, functions, .. } = &mut *module;
        let again = Again::new(axes, &forward, &mut functions[pair.backward], &pair);
        let taped = again.there.keys().copied().collect();
        let mut states = States { again, taped };
        forward.body.instructions.iter().for_each(|instruction| states.consider(instruction));
        states.again.done().apply(module, &pair);
    }
}

/// States that may be computed again.
struct States<'a> {
    again: Again<'a>,
    /// What the backward pass is handed.
    taped: BTreeSet<ValueId>,
}

impl States<'_> {
    /// Computes an instruction again where a result of it is on the tape, and larger than what it comes from.
    fn consider(&mut self, instruction: &Instruction) {
        let taped: Vec<ValueId> =
            instruction.results.iter().copied().filter(|result| self.taped.contains(result)).collect();
        if taped.is_empty() || !matches!(instruction.op, Op::Scan { .. } | Op::Window { .. }) {
            return;
        }
        let (mut path, mut leaves) = (BTreeSet::new(), BTreeSet::new());
        for id in reads(instruction) {
            self.way(id, &mut path, &mut leaves);
        }
        // What is no larger than all that it comes from stays on the tape, also beside what does not.
        let forward = self.again.forward;
        let size = |id: &ValueId| elements(self.again.axes, forward.ty(*id));
        let varies = |id: &&ValueId| forward.ty(**id).stage != Stage::Const;
        let read: Option<u64> = leaves.iter().filter(varies).map(size).sum();
        let (large, small): (Vec<ValueId>, Vec<ValueId>) =
            taped.into_iter().partition(|id| matches!((size(id), read), (Some(made), Some(read)) if made > read));
        if large.is_empty() {
            return;
        }
        leaves.into_iter().for_each(|id| self.again.hand_on(id));
        let missing = |again: &Again<'_>, other: &Instruction| {
            other.results.iter().any(|id| path.contains(id) && !again.there.contains_key(id))
        };
        for other in &forward.body.instructions {
            if missing(&self.again, other) {
                self.again.repeat(other);
            }
        }
        let before = |ids: &[ValueId]| -> Vec<ValueId> { ids.iter().map(|id| self.again.there[id]).collect() };
        let (replaced, kept) = (before(&large), before(&small));
        self.again.repeat(instruction);
        for (id, before) in large.iter().zip(replaced) {
            self.again.replaced.insert(before, self.again.there[id]);
        }
        self.again.there.extend(small.into_iter().zip(kept));
    }

    /// The values on the way from what the backward pass has to one, and what else they begin with.
    fn way(&self, id: ValueId, path: &mut BTreeSet<ValueId>, leaves: &mut BTreeSet<ValueId>) {
        if path.contains(&id) || leaves.contains(&id) {
            return;
        }
        match self.again.made.get(&id) {
            Some(instruction) if !self.again.there.contains_key(&id) && is_light(self.again.forward, instruction) => {
                path.insert(id);
                reads(instruction).into_iter().for_each(|id| self.way(id, path, leaves));
            }
            _ => _ = leaves.insert(id),
        }
    }
}
