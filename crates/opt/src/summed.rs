//! Sums over tokens of products of what is large, as sums of what these products give at each token.
//!
//! `adjoint contract [A] a, b` is `adjoint total` of `contract [A] a, b`. Where the latter is smaller than both factors, and they
//! are of the size of a state, it can be computed in the step that makes them: see `sink`. The sum is rounded in another order.

use genesys_ir::module::{Adjoint, Axis, Function, Instruction, Op, Stage, Type, ValueId};

use crate::work::{elements, value};

/// Rewrites the sums of a function whose factors have that many elements or more.
pub(crate) fn split(axes: &[Axis], function: &mut Function, least: u64) {
    let Function { values, body, .. } = function;
    let mut kept = Vec::with_capacity(body.instructions.len());
    for Instruction { op, args, results } in std::mem::take(&mut body.instructions) {
        let size = |id: &ValueId| elements(axes, &values[id.0 as usize]).unwrap_or(0);
        let seq = args.iter().all(|id| values[id.0 as usize].stage == Stage::Seq);
        let shrinks = |args: &[_]| args.iter().all(|id| size(id) >= least && size(id) > size(&results[0]));
        match op {
            Op::Adjoint(Adjoint::Contract { axes: summed }) if seq && shrinks(&args) => {
                let ty = Type { stage: Stage::Seq, ..values[results[0].0 as usize].clone() };
                let each = value(values, ty);
                kept.push(Instruction { op: Op::Contract { axes: summed }, args, results: vec![each] });
                kept.push(Instruction { op: Op::Adjoint(Adjoint::Total), args: vec![each], results });
            }
            op => kept.push(Instruction { op, args, results }),
        }
    }
    body.instructions = kept;
}
