//! Replaces every `grad` of a module by operations.

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{Axis, Expr, Function, FunctionId, Instruction, Module, Op, Region, ValueId};
use genesys_ir::{reads, renumber, substitute};

use crate::emit::Emit;
use crate::{Unsupported, split, sweep};

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
    let mut emit = Emit::new(axes, function);
    // A copy, for `at` itself may be read as well, and is then held fixed.
    let copy = emit.map(Expr::Arg(0), &[at])?;
    let mut body = body;
    substitute(&mut body, &|id| if id == variable { copy } else { id });
    let mut active = BTreeSet::from([copy]);
    let given = body.results[0];
    for instruction in body.instructions {
        split::append(&mut emit, &mut active, instruction)?;
    }
    let found = sweep::sweep(&mut emit, &active, copy, given)?;
    let mut out = emit.out;
    out.push(Instruction { op: Op::Map(Expr::Arg(0)), args: vec![found], results: vec![result] });
    Ok(needed(out, result))
}

/// The instructions that a value depends on.
fn needed(all: Vec<Instruction>, value: ValueId) -> Vec<Instruction> {
    let mut wanted = BTreeSet::from([value]);
    let mut kept = Vec::new();
    for instruction in all.into_iter().rev() {
        if instruction.results.iter().any(|id| wanted.contains(id)) {
            wanted.extend(reads(&instruction));
            kept.push(instruction);
        }
    }
    kept.reverse();
    kept
}
