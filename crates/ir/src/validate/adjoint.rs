//! What holds of adjoint functions beside the rest: sums over tokens, and the transposes of looks at other positions.
//!
//! In: operations, and regions once they were gone through. Out: violations of the seventh rule of [`validate`](super).
//!
//! Not here: the types of such operations, see [`adjoint`](crate::adjoint).

use std::collections::BTreeSet;

use super::{Around, Checker};
use crate::module::{Adjoint, AxisId, Instruction, Op, Region, Stage, ValueId};
use crate::renumber::reads;

impl Checker<'_> {
    /// Whether an operation of adjoint functions may stand where it does.
    pub(super) fn adjoint(&mut self, op: &Adjoint, around: &Around) {
        self.require(self.function.adjoint, "an operation of adjoint functions stands in a function that is none");
        self.require(!around.in_scan && !around.in_grad, "a sum over positions stands in a step");
        let open = |axis: &AxisId| around.open.contains(axis);
        match op {
            Adjoint::View(axis) | Adjoint::Blocks { axis, .. } | Adjoint::Before(axis) => {
                self.require(open(axis), "a look at a past stands outside its region");
            }
            Adjoint::Gather { .. } | Adjoint::CrossEntropy { .. } | Adjoint::MeanTokens => {
                self.require(around.open.is_empty(), "a model's outer operation stands in a region");
            }
            Adjoint::Window { direction, reset, .. } | Adjoint::Pool { direction, reset, .. } => {
                self.require(around.open.is_empty(), "a window or a pool stands in a region");
                self.time(*direction, *reset);
            }
            Adjoint::Total | Adjoint::Contract { .. } | Adjoint::Top { .. } => {}
        }
    }

    /// What is summed over positions within a region, nothing in it reads.
    pub(super) fn incomplete(&mut self, body: &Region) {
        let sums = sums(body);
        let read = body.instructions.iter().any(|i| reads(i).iter().any(|id| sums.contains(id)));
        self.require(!read, "a sum over positions is read in the region that it is summed in");
        for id in body.results.iter().filter(|id| !sums.contains(id)) {
            if let Ok(ty) = self.scope.value(*id) {
                self.require(ty.stage != Stage::Loss, "a loss leaves a region");
            }
        }
    }
}

/// What a region sums over positions, in regions within it too.
fn sums(region: &Region) -> BTreeSet<ValueId> {
    let mut found = BTreeSet::new();
    for Instruction { op, results, .. } in &region.instructions {
        match op {
            Op::Adjoint(op) if op.gathers() => found.extend(results),
            Op::Past { body, .. } => {
                let inner = sums(body);
                let pairs = results.iter().zip(&body.results).filter(|(_, value)| inner.contains(value));
                found.extend(pairs.map(|(result, _)| *result));
            }
            _ => {}
        }
    }
    found
}
