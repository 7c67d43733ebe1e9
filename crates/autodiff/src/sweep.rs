//! The reverse sweep: from the cotangents of results to those of what they were computed from.

use std::collections::BTreeSet;

use genesys_ir::module::{Instruction, Op, ValueId};

use crate::cotangents::Cotangents;
use crate::emit::Emit;
use crate::{Unsupported, past, rule, scan};

/// Appends the adjoint of a call: what the functions of a module know of each other.
pub(crate) trait Calls {
    /// From the cotangents of a call's results to those of its operands and weights.
    fn adjoint(
        &mut self,
        emit: &mut Emit<'_>,
        call: &Instruction,
        cotangents: &mut Cotangents,
    ) -> Result<(), Unsupported>;
}

/// Where no call may stand.
pub(crate) struct NoCalls;

impl Calls for NoCalls {
    fn adjoint(&mut self, _: &mut Emit<'_>, _: &Instruction, _: &mut Cotangents) -> Result<(), Unsupported> {
        Err(Unsupported::Operation("call"))
    }
}

/// Goes through instructions backwards and appends their adjoints; `active` are the values that depend on what is varied.
pub(crate) fn sweep(
    emit: &mut Emit<'_>,
    instructions: &[Instruction],
    active: &BTreeSet<ValueId>,
    cotangents: &mut Cotangents,
    calls: &mut dyn Calls,
) -> Result<(), Unsupported> {
    for instruction in instructions.iter().rev() {
        if !instruction.results.iter().any(|id| active.contains(id) && cotangents.get(*id).is_some()) {
            continue;
        }
        let around = emit.about(instruction.results.first().copied());
        match &instruction.op {
            Op::Past { .. } => past::adjoint(emit, instruction, active, cotangents)?,
            Op::Scan { .. } => scan::adjoint(emit, instruction, active, cotangents)?,
            Op::Call { .. } => calls.adjoint(emit, instruction, cotangents)?,
            _ => {
                let Some(g) = cotangents.get(instruction.results[0]) else { continue };
                for (operand, cotangent) in rule::adjoints(emit, instruction, active, g)? {
                    cotangents.add(emit, operand, cotangent)?;
                }
            }
        }
        emit.about(around);
    }
    Ok(())
}

/// The instructions that values depend on.
pub(crate) fn needed(all: Vec<Instruction>, values: impl IntoIterator<Item = ValueId>) -> Vec<Instruction> {
    let mut wanted: BTreeSet<ValueId> = values.into_iter().collect();
    let mut kept = Vec::new();
    for instruction in all.into_iter().rev() {
        if instruction.results.iter().any(|id| wanted.contains(id)) {
            wanted.extend(genesys_ir::reads(&instruction));
            kept.push(instruction);
        }
    }
    kept.reverse();
    kept
}
