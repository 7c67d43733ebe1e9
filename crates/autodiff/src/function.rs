//! A function and its backward pass: `f` gives what `f.adjoint` reads of it, the tape.
//!
//! `f.adjoint` takes the tape and the cotangents of the results that depend on an argument or a weight; it gives those of the
//! arguments, then those of the weights. It computes again what is cheap: maps, parts and other arrangements of values, and all
//! that is no value of positions. What costs more, and lies outside of regions, is the tape. Regions compute their insides again.

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{ADJOINT, Axis, Dtype, Function, Instruction, Op, Region, Stage, Type, ValueId, WeightId};
use genesys_ir::{prune, reads};

use crate::cotangents::Cotangents;
use crate::emit::Emit;
use crate::prepare::prepare;
use crate::sweep::{NoCalls, sweep};
use crate::{Unsupported, split};

/// Where a call finds a value of the tape.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Taped {
    /// Among its operands.
    Operand(usize),
    /// Among its results.
    Result(usize),
}

/// What a caller has to know of a function and its backward pass.
#[derive(Debug)]
pub(crate) struct Pair {
    /// The function, which also gives the tape, before its loss if it has one.
    pub(crate) forward: Function,
    /// Its backward pass.
    pub(crate) backward: Function,
    /// The first arguments of the backward pass.
    pub(crate) tape: Vec<Taped>,
    /// The results of the function whose cotangents are the other arguments.
    pub(crate) given: Vec<usize>,
    /// The arguments of the function whose cotangents are the first results of the backward pass.
    pub(crate) operands: Vec<usize>,
    /// The weights whose gradients are its other results, by their paths.
    pub(crate) weights: Vec<String>,
}

/// The values of a function that an argument or a weight reaches, with its instructions appended.
pub(crate) fn forward(
    emit: &mut Emit<'_>,
    inputs: impl IntoIterator<Item = ValueId>,
    body: &[Instruction],
) -> Result<BTreeSet<ValueId>, Unsupported> {
    let mut active: BTreeSet<ValueId> = inputs.into_iter().collect();
    for instruction in body {
        if matches!(instruction.op, Op::Weight(_)) {
            active.extend(&instruction.results);
        }
        split::append(emit, &mut active, instruction.clone())?;
        // A function has weights of its own.
        if matches!(instruction.op, Op::Call { .. }) {
            active.extend(&instruction.results);
        }
    }
    Ok(active)
}

/// The backward pass of a function.
pub(crate) fn pair(axes: &[Axis], function: &Function) -> Result<Pair, Unsupported> {
    let mut forward_pass = prepare(function);
    let mut work = forward_pass.clone();
    let body = std::mem::take(&mut work.body);
    let real: Vec<usize> = (0..work.inputs.len()).filter(|i| work.ty(work.inputs[*i]).dtype == Dtype::Real).collect();
    let inputs = work.inputs.clone();
    let mut emit = Emit::new(axes, &[], &mut work);
    let active = forward(&mut emit, real.iter().map(|i| inputs[*i]), &body.instructions)?;
    let primal = emit.out.clone();
    let mut cotangents = Cotangents::default();
    let given: Vec<usize> = (0..body.results.len()).filter(|i| active.contains(&body.results[*i])).collect();
    let mut arguments = Vec::new();
    for i in &given {
        let ty = cotangent_type(emit.ty(body.results[*i]));
        arguments.push(emit.value(ty));
        cotangents.add(&mut emit, body.results[*i], arguments[arguments.len() - 1])?;
    }
    sweep(&mut emit, &primal, &active, &mut cotangents, &mut NoCalls)?;
    let operands: Vec<usize> = real.into_iter().filter(|i| cotangents.get(inputs[*i]).is_some()).collect();
    let mut gradients = weights(&mut emit, &primal, &cotangents)?;
    for (id, gradient) in &mut gradients {
        *gradient = emit.laid_out(*gradient, &forward_pass.weights[id.0 as usize].axes)?;
    }
    let mut results: Vec<ValueId> = operands.iter().filter_map(|i| cotangents.get(inputs[*i])).collect();
    results.extend(gradients.values());
    let all = std::mem::take(&mut emit.out);
    let (instructions, tape) = cut(&work, all, primal.len(), &results);
    let tape: Vec<ValueId> = tape.into_iter().filter(|id| (id.0 as usize) < forward_pass.values.len()).collect();
    let weights = gradients.keys().map(|id| work.weights[id.0 as usize].path.clone()).collect();
    let found = tape.iter().map(|id| taped(&mut forward_pass, *id)).collect();
    let given = given.into_iter().map(|i| place(&forward_pass, body.results[i], i)).collect();
    let tape_and_cotangents = tape.into_iter().chain(arguments).collect();
    prune(&mut forward_pass);
    let name = format!("{}{ADJOINT}", function.name);
    let mut backward =
        Function { name, adjoint: true, inputs: tape_and_cotangents, body: Region { instructions, results }, ..work };
    keep_read(&mut backward);
    prune(&mut backward);
    Ok(Pair { forward: forward_pass, backward, tape: found, given, operands, weights })
}

/// A constant gets a sum over all positions; a loss has the cotangent of the one number that is trained.
pub(crate) fn cotangent_type(ty: &Type) -> Type {
    let stage = match ty.stage {
        Stage::Const => Stage::Loss,
        Stage::Loss => Stage::Const,
        Stage::Seq | Stage::Step => Stage::Seq,
    };
    Type { stage, ..ty.clone() }
}

/// The gradient of each weight that is reached, once for all that read it.
pub(crate) fn weights(
    emit: &mut Emit<'_>,
    primal: &[Instruction],
    cotangents: &Cotangents,
) -> Result<BTreeMap<WeightId, ValueId>, Unsupported> {
    let mut sums: BTreeMap<WeightId, Cotangents> = BTreeMap::new();
    let mut first: BTreeMap<WeightId, ValueId> = BTreeMap::new();
    for instruction in primal {
        let Op::Weight(id) = instruction.op else { continue };
        let Some(g) = cotangents.get(instruction.results[0]) else { continue };
        let value = *first.entry(id).or_insert(instruction.results[0]);
        sums.entry(id).or_default().add(emit, value, g)?;
    }
    Ok(first.into_iter().filter_map(|(id, value)| Some((id, sums[&id].get(value)?))).collect())
}

/// The instructions of a backward pass: of the first ones, which are the function's, those that are computed again. Gives the
/// values that they read and none of them defines, too.
pub(crate) fn cut(
    function: &Function,
    all: Vec<Instruction>,
    primal: usize,
    results: &[ValueId],
) -> (Vec<Instruction>, BTreeSet<ValueId>) {
    let mut wanted: BTreeSet<ValueId> = results.iter().copied().collect();
    let mut kept = Vec::new();
    for (i, instruction) in all.into_iter().enumerate().rev() {
        if !instruction.results.iter().any(|id| wanted.contains(id)) || (i < primal && !cheap(function, &instruction)) {
            continue;
        }
        wanted.extend(reads(&instruction));
        instruction.results.iter().for_each(|id| _ = wanted.remove(id));
        kept.push(instruction);
    }
    kept.reverse();
    let defined: BTreeSet<ValueId> = kept.iter().flat_map(|i| i.results.iter().copied()).collect();
    let tape = kept.iter().flat_map(reads).chain(results.iter().copied());
    let tape = tape.filter(|id| !defined.contains(id)).collect();
    (kept, tape)
}

/// Whether a value is computed again rather than kept.
fn cheap(function: &Function, Instruction { op, results, .. }: &Instruction) -> bool {
    if results.iter().all(|id| function.ty(*id).stage != Stage::Seq) {
        return true;
    }
    match op {
        Op::Weight(_) | Op::Constant(_) | Op::Position | Op::Layer | Op::Index(_) | Op::Map(_) => true,
        Op::Regroup { .. } | Op::Slice { .. } | Op::Select { .. } | Op::Broadcast { .. } => true,
        Op::Concat { .. } | Op::Stack { .. } | Op::Pad { .. } => true,
        Op::Reduce { .. } | Op::Softmax { .. } | Op::Contract { .. } | Op::Shift { .. } | Op::Window { .. } => false,
        Op::Pool { .. } | Op::Past { .. } | Op::Scan { .. } | Op::Top { .. } | Op::Picked { .. } => false,
        Op::Age(_) | Op::View(_) | Op::Blocks { .. } | Op::Cumsum(_) | Op::After(_) | Op::Grad { .. } => false,
        Op::Gather { .. } | Op::CrossEntropy { .. } | Op::MeanTokens | Op::Call { .. } | Op::Adjoint(_) => false,
    }
}

/// Where a call finds a value, which becomes a result if it is none.
fn taped(forward: &mut Function, id: ValueId) -> Taped {
    if let Some(i) = forward.inputs.iter().position(|input| *input == id) {
        return Taped::Operand(i);
    }
    if let Some(i) = forward.body.results.iter().position(|result| *result == id) {
        return Taped::Result(i);
    }
    let losses = forward.body.results.iter().filter(|id| forward.ty(**id).stage == Stage::Loss).count();
    let at = forward.body.results.len() - losses;
    forward.body.results.insert(at, id);
    Taped::Result(at)
}

/// Where a result stands: a loss behind the tape.
fn place(forward: &Function, result: ValueId, i: usize) -> usize {
    if forward.ty(result).stage == Stage::Loss { forward.body.results.len() - 1 } else { i }
}

/// Drops the weights that a function does not read.
fn keep_read(function: &mut Function) {
    let mut kept: Vec<WeightId> = Vec::new();
    for instruction in &mut function.body.instructions {
        if let Op::Weight(id) = &mut instruction.op {
            let known = kept.iter().position(|other| other == id);
            let number = known.unwrap_or_else(|| {
                kept.push(*id);
                kept.len() - 1
            });
            *id = WeightId(number as u32);
        }
    }
    function.weights = kept.iter().map(|id| function.weights[id.0 as usize].clone()).collect();
}
