//! The values that instructions name: read, replaced, numbered afresh.
//!
//! Passes over regions are made of these; none of them changes what a function means.

use std::collections::{BTreeMap, BTreeSet};

use crate::module::{Adjoint, Function, Instruction, Op, Region, State, ValueId};

/// The values that an instruction reads from around it: operands, and what its regions see.
pub fn reads(instruction: &Instruction) -> BTreeSet<ValueId> {
    let mut found: BTreeSet<ValueId> = instruction.args.iter().copied().collect();
    match &instruction.op {
        Op::Shift { reset, .. } | Op::Window { reset, .. } | Op::Pool { reset, .. } => found.extend(reset),
        Op::Adjoint(Adjoint::Window { reset, .. } | Adjoint::Pool { reset, .. }) => found.extend(reset),
        Op::Past { reset, body, .. } => {
            found.extend(reset);
            found.extend(free(body));
        }
        Op::Scan { reset, states, body, .. } => {
            found.extend(reset);
            found.extend(free(body));
            let defined = defined(body);
            found.extend(states.iter().map(|state| state.next).filter(|next| !defined.contains(next)));
            states.iter().flat_map(State::defined).for_each(|id| _ = found.remove(&id));
            found.extend(states.iter().map(|state| state.init));
        }
        Op::Grad { variable, body } => {
            found.extend(free(body));
            found.remove(variable);
        }
        _ => {}
    }
    found
}

/// Every value that a region names as an operand or as a result of its own, at any depth and as often as it does.
pub fn mentions(region: &Region) -> Vec<ValueId> {
    let mut found = Vec::new();
    mention(region, &mut found);
    found
}

fn mention(region: &Region, found: &mut Vec<ValueId>) {
    for Instruction { op, args, .. } in &region.instructions {
        found.extend(args);
        match op {
            Op::Shift { reset, .. } | Op::Window { reset, .. } | Op::Pool { reset, .. } => found.extend(reset),
            Op::Adjoint(Adjoint::Window { reset, .. } | Adjoint::Pool { reset, .. }) => found.extend(reset),
            Op::Past { reset, body, .. } => {
                found.extend(reset);
                mention(body, found);
            }
            Op::Scan { reset, states, body, .. } => {
                found.extend(reset);
                found.extend(states.iter().flat_map(|state| [state.init, state.next]));
                mention(body, found);
            }
            Op::Grad { body, .. } => mention(body, found),
            _ => {}
        }
    }
    found.extend(&region.results);
}

/// Replaces values wherever the instructions of a region name them, and in its results.
pub fn substitute(region: &mut Region, replace: &dyn Fn(ValueId) -> ValueId) {
    for instruction in &mut region.instructions {
        let Instruction { op, args, results } = instruction;
        args.iter_mut().chain(results).for_each(|id| *id = replace(*id));
        match op {
            Op::Shift { reset, .. } | Op::Window { reset, .. } | Op::Pool { reset, .. } => {
                reset.iter_mut().for_each(|id| *id = replace(*id))
            }
            Op::Adjoint(Adjoint::Window { reset, .. } | Adjoint::Pool { reset, .. }) => {
                reset.iter_mut().for_each(|id| *id = replace(*id))
            }
            Op::Past { reset, body, .. } => {
                reset.iter_mut().for_each(|id| *id = replace(*id));
                substitute(body, replace);
            }
            Op::Scan { reset, states, body, .. } => {
                reset.iter_mut().for_each(|id| *id = replace(*id));
                let ids = states.iter_mut().flat_map(|s| [&mut s.init, &mut s.current, &mut s.next]);
                ids.for_each(|id| *id = replace(*id));
                states.iter_mut().filter_map(|s| s.start.as_mut()).for_each(|id| *id = replace(*id));
                substitute(body, replace);
            }
            Op::Grad { variable, body } => {
                *variable = replace(*variable);
                substitute(body, replace);
            }
            _ => {}
        }
    }
    region.results.iter_mut().for_each(|id| *id = replace(*id));
}

/// Numbers a function's values in the order of their definition, what a region defines before
/// the region's own results. Values that nothing defines are dropped. Gives the new number of each that is left.
pub fn renumber(function: &mut Function) -> BTreeMap<ValueId, ValueId> {
    let order: Vec<ValueId> = function.inputs.iter().copied().chain(definitions(&function.body)).collect();
    let numbers: BTreeMap<ValueId, ValueId> = order.iter().copied().zip((0..).map(ValueId)).collect();
    let replace = |id: ValueId| numbers.get(&id).copied().unwrap_or(id);
    function.inputs.iter_mut().for_each(|id| *id = replace(*id));
    substitute(&mut function.body, &replace);
    function.origins.renumber(&numbers);
    function.values = order.iter().map(|id| function.values[id.0 as usize].clone()).collect();
    numbers
}

fn defined(region: &Region) -> BTreeSet<ValueId> {
    region.instructions.iter().flat_map(|instruction| instruction.results.iter().copied()).collect()
}

fn free(region: &Region) -> BTreeSet<ValueId> {
    let mut found: BTreeSet<ValueId> = region.instructions.iter().flat_map(reads).collect();
    found.extend(&region.results);
    let defined = defined(region);
    found.retain(|id| !defined.contains(id));
    found
}

/// The values that a region and the regions within it define, in order.
pub fn definitions(region: &Region) -> Vec<ValueId> {
    let mut order = Vec::new();
    for instruction in &region.instructions {
        match &instruction.op {
            Op::Past { body, .. } => order.extend(definitions(body)),
            Op::Scan { states, body, .. } => {
                order.extend(states.iter().flat_map(State::defined));
                order.extend(definitions(body));
            }
            Op::Grad { variable, body } => {
                order.push(*variable);
                order.extend(definitions(body));
            }
            _ => {}
        }
        order.extend(&instruction.results);
    }
    order
}
