//! Replaces every `grad` of a module by operations.

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{Axis, Expr, Function, FunctionId, Instruction, Module, Op, Region, ValueId};
use genesys_ir::{renumber, substitute};

use crate::cotangents::Cotangents;
use crate::emit::Emit;
use crate::sweep::{NoCalls, needed, sweep};
use crate::{Unsupported, split};

/// The values of a function whose derivatives became operations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expanded {
    /// The new number of each value that is left.
    pub kept: BTreeMap<ValueId, ValueId>,
    /// For each value that was added the derivative it was added for; both by their new numbers.
    pub added: BTreeMap<ValueId, ValueId>,
}

/// Replaces every `grad` of a module; inner ones first, so that a derivative can be derived again. Says what became of the
/// values of each function that it changes.
///
/// # Errors
/// What is differentiated holds an operation on time, which no checked design has.
pub fn expand(module: &mut Module) -> Result<BTreeMap<FunctionId, Expanded>, Unsupported> {
    let Module { axes, functions, .. } = module;
    let all = (0..).map(FunctionId).zip(functions).filter(|(_, function)| has_grad(&function.body));
    all.map(|(id, function)| Ok((id, expand_function(axes, function)?))).collect()
}

/// As [`expand`], of one function over those axes.
///
/// # Errors
/// As [`expand`].
pub fn expand_function(axes: &[Axis], function: &mut Function) -> Result<Expanded, Unsupported> {
    let mut body = std::mem::take(&mut function.body);
    let mut added = BTreeMap::new();
    region(axes, function, &mut body, &mut added)?;
    function.body = body;
    let kept = renumber(function);
    let left = |(value, derivative): (ValueId, ValueId)| Some((*kept.get(&value)?, *kept.get(&derivative)?));
    let added: BTreeMap<ValueId, ValueId> = added.into_iter().filter_map(left).collect();
    let kept = kept.into_iter().filter(|(_, new)| !added.contains_key(new)).collect();
    Ok(Expanded { kept, added })
}

fn has_grad(region: &Region) -> bool {
    region.instructions.iter().any(|instruction| match &instruction.op {
        Op::Grad { .. } => true,
        Op::Past { body, .. } | Op::Scan { body, .. } => has_grad(body),
        _ => false,
    })
}

/// `added` tells the derivative of each value that is made.
fn region(
    axes: &[Axis],
    function: &mut Function,
    region: &mut Region,
    added: &mut BTreeMap<ValueId, ValueId>,
) -> Result<(), Unsupported> {
    let mut done = Vec::new();
    for mut instruction in std::mem::take(&mut region.instructions) {
        match &mut instruction.op {
            Op::Past { body, .. } | Op::Scan { body, .. } | Op::Grad { body, .. } => {
                self::region(axes, function, body, added)?
            }
            _ => {}
        }
        let Instruction { op, args, results } = instruction;
        match op {
            Op::Grad { variable, body } => {
                let known = function.values.len();
                done.extend(derivative(axes, function, variable, args[0], body, results[0])?);
                added.extend((known..function.values.len()).map(|i| (ValueId(i as u32), results[0])));
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
    emit.about(Some(result));
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
