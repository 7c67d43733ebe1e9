//! The reverse sweep: from the cotangent of a result to that of a variable.

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{Instruction, Stage, ValueId};
use genesys_scalar::Function::{Add, Where};

use crate::emit::{Emit, apply, number};
use crate::{Unsupported, rule};
use genesys_ir::module::Expr;

/// Appends the derivative of the sum of `result` to `variable`, which the instructions appended so far
/// lead from to it; `active` are the values that depend on the variable.
pub(crate) fn sweep(
    emit: &mut Emit<'_>,
    active: &BTreeSet<ValueId>,
    variable: ValueId,
    result: ValueId,
) -> Result<ValueId, Unsupported> {
    let instructions: Vec<Instruction> = emit.out.clone();
    let mut cotangents: BTreeMap<ValueId, ValueId> = BTreeMap::new();
    if active.contains(&result) {
        cotangents.insert(result, everywhere(emit, 1.0, result)?);
    }
    for instruction in instructions.iter().rev() {
        let Some(&g) = instruction.results.first().and_then(|id| cotangents.get(id)) else { continue };
        for (operand, cotangent) in rule::adjoints(emit, instruction, active, g)? {
            let varies = emit.ty(operand).stage != Stage::Const;
            if !varies {
                return Err(Unsupported::Constant);
            }
            let total = match cotangents.get(&operand) {
                Some(&before) => emit.map(apply(Add, [Expr::Arg(0), Expr::Arg(1)]), &[before, cotangent])?,
                None => cotangent,
            };
            cotangents.insert(operand, total);
        }
    }
    match cotangents.get(&variable) {
        Some(&found) => Ok(found),
        None => everywhere(emit, 0.0, variable),
    }
}

/// A number with the axes and the stage of a value, which is selected away.
fn everywhere(emit: &mut Emit<'_>, value: f64, like: ValueId) -> Result<ValueId, Unsupported> {
    emit.map(apply(Where, [number(1.0), number(value), Expr::Arg(0)]), &[like])
}
