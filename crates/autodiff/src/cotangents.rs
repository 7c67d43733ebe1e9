//! The cotangents found so far.

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{Adjoint, Expr, Op, Stage, ValueId};
use genesys_scalar::Function::Add;

use crate::Unsupported;
use crate::emit::{Emit, apply};

/// What is known of the derivative to each value; several contributions add up.
///
/// The cotangent of a value has its axes. That of a constant, which every position reads, is the sum over them: of stage
/// loss.
#[derive(Debug, Default)]
pub(crate) struct Cotangents {
    found: BTreeMap<ValueId, ValueId>,
    /// Within a past-region, what it defines.
    inside: Option<BTreeSet<ValueId>>,
    /// Within a past-region, sums that are complete only behind it, with the values that they belong to.
    sums: Vec<(ValueId, ValueId)>,
}

impl Cotangents {
    /// Those within a past-region that defines these values.
    pub(crate) fn inside(defined: BTreeSet<ValueId>) -> Self {
        Cotangents { inside: Some(defined), ..Self::default() }
    }

    pub(crate) fn get(&self, id: ValueId) -> Option<ValueId> {
        self.found.get(&id).copied()
    }

    /// Adds a contribution.
    pub(crate) fn add(&mut self, emit: &mut Emit<'_>, id: ValueId, cotangent: ValueId) -> Result<(), Unsupported> {
        let leaves = self.inside.as_ref().is_some_and(|defined| !defined.contains(&id));
        if leaves && emit.is_sum(cotangent) {
            self.sums.push((id, cotangent));
            return Ok(());
        }
        let constant = emit.ty(id).stage == Stage::Const && emit.ty(cotangent).stage == Stage::Seq;
        let own = match constant && self.inside.is_none() {
            true => emit.push(Op::Adjoint(Adjoint::Total), vec![cotangent])?,
            false => cotangent,
        };
        let sum = match self.get(id) {
            Some(before) => emit.map(apply(Add, [Expr::Arg(0), Expr::Arg(1)]), &[before, own])?,
            None => own,
        };
        self.found.insert(id, sum);
        Ok(())
    }

    /// What a past-region found for the values around it.
    pub(crate) fn leaving(self) -> Vec<(ValueId, ValueId)> {
        let defined = self.inside.unwrap_or_default();
        self.found.into_iter().filter(|(id, _)| !defined.contains(id)).chain(self.sums).collect()
    }
}
