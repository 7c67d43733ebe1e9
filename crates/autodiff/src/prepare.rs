//! A function in the form that its backward pass is made from.
//!
//! In: a function without `grad`. Out: the same function, whose weights are read outside of regions, and whose scans also
//! give what each state held when a step began, and at the start of its chunk. Of these, those that no backward pass reads are
//! dropped in the end.

use genesys_ir::module::{Function, Instruction, Op, Region, Stage, State, Type, ValueId};

/// Prepares a function.
pub(crate) fn prepare(function: &Function) -> Function {
    let mut function = function.clone();
    let mut body = std::mem::take(&mut function.body);
    let mut weights = Vec::new();
    hoist(&mut body, &mut weights);
    weights.append(&mut body.instructions);
    body.instructions = weights;
    for instruction in &mut body.instructions {
        if let Op::Scan { states, body, .. } = &mut instruction.op {
            for held in states.iter().flat_map(State::defined) {
                body.results.push(held);
                instruction.results.push(whole(&mut function, held));
            }
        }
    }
    function.body = body;
    function
}

/// A new value: a state at every position.
fn whole(function: &mut Function, state: ValueId) -> ValueId {
    let ty = Type { stage: Stage::Seq, ..function.ty(state).clone() };
    function.values.push(ty);
    ValueId(function.values.len() as u32 - 1)
}

/// Takes the reading of weights out of a region and the regions within it.
fn hoist(region: &mut Region, weights: &mut Vec<Instruction>) {
    let mut kept = Vec::new();
    for mut instruction in std::mem::take(&mut region.instructions) {
        match &mut instruction.op {
            Op::Past { body, .. } | Op::Scan { body, .. } => hoist(body, weights),
            _ => {}
        }
        if matches!(instruction.op, Op::Weight(_)) { weights.push(instruction) } else { kept.push(instruction) }
    }
    region.instructions = kept;
}
