//! Replaces every `grad` of a module by operations.

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{Axis, Expr, Function, FunctionId, Instruction, Module, Op, Region, ValueId};
use genesys_ir::{renumber, substitute};

use crate::cotangents::Cotangents;
use crate::emit::Emit;
use crate::sweep::{NoCalls, needed, sweep};
use crate::{Unsupported, split};

/// Replaces every `grad` of a module; inner ones first, so that a derivative can be derived again. Gives the new numbers of
/// the values of each function that it changes.
///
/// # Errors
/// What is differentiated holds an operation on time, which no checked design has.
pub fn expand(module: &mut Module) -> Result<BTreeMap<FunctionId, BTreeMap<ValueId, ValueId>>, Unsupported> {
    let Module { axes, functions, .. } = module;
    let mut numbers = BTreeMap::new();
    let all = (0..).map(FunctionId).zip(functions);
    for (id, function) in all.filter(|(_, function)| has_grad(&function.body)) {
        let mut body = std::mem::take(&mut function.body);
        region(axes, function, &mut body)?;
        function.body = body;
        numbers.insert(id, renumber(function));
    }
    Ok(numbers)
}

fn has_grad(region: &Region) -> bool {
    region.instructions.iter().any(|instruction| match &instruction.op {
        Op::Grad { .. } => true,
        Op::Past { body, .. } | Op::Scan { body, .. } => has_grad(body),
        _ => false,
    })
}

fn region(axes: &[Axis], function: &mut Function, region: &mut Region) -> Result<(), Unsupported> {
    let mut done = Vec::new();
    for mut instruction in std::mem::take(&mut region.instructions) {
        match &mut instruction.op {
            Op::Past { body, .. } | Op::Scan { body, .. } | Op::Grad { body, .. } => {
                self::region(axes, function, body)?
            }
            _ => {}
        }
        let Instruction { op, args, results } = instruction;
        match op {
            Op::Grad { variable, body } => {
                done.extend(derivative(axes, function, variable, args[0], body, results[0])?);
            }
            op => done.push(Instruction { op, args, results }),
        }
    }
    region.instructions = done;
    Ok(())
}

/// Instructions that define `result` as the derivative of what `body` gives, at `at`, to `variable`.
fn derivative(
    axes: &[Axis],
    function: &mut Function,
    variable: ValueId,
    at: ValueId,
    body: Region,
    result: ValueId,
) -> Result<Vec<Instruction>, Unsupported> {
    let mut emit = Emit::new(axes, &[], function);
    // A copy, for `at` itself may be read as well, and is then held fixed.
    let copy = emit.map(Expr::Arg(0), &[at])?;
    let mut body = body;
    substitute(&mut body, &|id| if id == variable { copy } else { id });
    let mut active = BTreeSet::from([copy]);
    let given = body.results[0];
    for instruction in body.instructions {
        split::append(&mut emit, &mut active, instruction)?;
    }
    let mut cotangents = Cotangents::default();
    if active.contains(&given) {
        let one = emit.everywhere(1.0, given)?;
        cotangents.add(&mut emit, given, one)?;
    }
    let forward = emit.out.clone();
    sweep(&mut emit, &forward, &active, &mut cotangents, &mut NoCalls)?;
    let found = match cotangents.get(copy) {
        Some(found) => found,
        None => emit.everywhere(0.0, copy)?,
    };
    let mut out = emit.out;
    out.push(Instruction { op: Op::Map(Expr::Arg(0)), args: vec![found], results: vec![result] });
    let out = needed(out, [result]);
    out.iter().try_for_each(|instruction| within_a_position(&instruction.op))?;
    Ok(out)
}

/// The derivative at a position is one of a model: it looks at no later one.
fn within_a_position(op: &Op) -> Result<(), Unsupported> {
    match op {
        Op::Adjoint(op) => Err(Unsupported::Operation(op.name())),
        Op::Shift { .. } => Err(Unsupported::Operation("shift")),
        Op::Past { .. } => Err(Unsupported::Operation("past")),
        Op::Scan { .. } => Err(Unsupported::Operation("scan")),
        _ => Ok(()),
    }
}
