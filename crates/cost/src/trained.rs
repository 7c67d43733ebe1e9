//! The values of a function that something trained reaches through derivatives: those that need a gradient.
//!
//! In: a function without `grad`. Out: its inputs, its weights, and what is made of them by operations whose derivatives
//! are not zero everywhere.

use std::collections::BTreeSet;

use genesys_ir::module::{Expr, Function, Instruction, Op, Region, State, ValueId};
use genesys_scalar::Function as Scalar;

/// The values that need a gradient.
pub(crate) fn trained(function: &Function) -> BTreeSet<ValueId> {
    let mut found: BTreeSet<ValueId> = function.inputs.iter().copied().collect();
    // Each round carries a gradient around one more recurrence.
    loop {
        let before = found.len();
        region(&function.body, &mut found);
        if found.len() == before {
            return found;
        }
    }
}

fn region(of: &Region, found: &mut BTreeSet<ValueId>) {
    for instruction in &of.instructions {
        if learns(instruction, found) {
            found.extend(&instruction.results);
        }
        if let Op::Scan { states, .. } = &instruction.op {
            let carried = states.iter().filter(|state| found.contains(&state.init) || found.contains(&state.next));
            let held: Vec<ValueId> = carried.flat_map(State::defined).collect();
            found.extend(held);
        }
        if let Op::Past { body, .. } | Op::Scan { body, .. } = &instruction.op {
            region(body, found);
            let given = body.results.iter().zip(&instruction.results).filter(|(inner, _)| found.contains(inner));
            let given: Vec<ValueId> = given.map(|(_, outer)| *outer).collect();
            found.extend(given);
        }
    }
}

/// Whether an operation passes anything on from operands that are trained.
fn learns(Instruction { op, args, .. }: &Instruction, found: &BTreeSet<ValueId>) -> bool {
    match op {
        Op::Weight(_) => true,
        Op::Map(expr) => feels(expr, &|operand| found.contains(&args[operand])),
        // Through what is picked, not through the choice.
        Op::Top { .. } => found.contains(&args[1]),
        Op::Picked { .. } => false,
        _ => args.iter().any(|arg| found.contains(arg)),
    }
}

/// Whether an expression has a derivative for an operand that is trained.
fn feels(expr: &Expr, trained: &dyn Fn(usize) -> bool) -> bool {
    match expr {
        Expr::Arg(operand) => trained(*operand),
        Expr::Const(_) => false,
        Expr::Apply(function, _) if function.is_flat() => false,
        Expr::Apply(Scalar::Where, operands) => operands.iter().skip(1).any(|operand| feels(operand, trained)),
        Expr::Apply(_, operands) => operands.iter().any(|operand| feels(operand, trained)),
    }
}
