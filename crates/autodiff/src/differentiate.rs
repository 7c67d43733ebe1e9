//! The backward pass of a model, as a module.
//!
//! Each function that `main` calls becomes a pair (see `function`); `main` runs forward and then through itself backwards.
//! The list of functions does not grow with depth. Calls that share weights, and other readers of a weight, add up.
//!
//! A pass begins with its own losses ([`differentiate`]), or with cotangents that it is given ([`pullback`]).

use std::collections::{BTreeMap, BTreeSet};

use genesys_axis::Constant;
use genesys_ir::module::{
    Adjoint, Axis, AxisId, Dtype, Expr, Function, FunctionId, Instruction, Module, Op, Region, Stage, ValueId,
};
use genesys_ir::{full_name, parameter_names, prune};
use genesys_scalar::Function::{Add, Where};

use crate::cotangents::Cotangents;
use crate::emit::{Emit, apply, number};
use crate::function::{Pair, Taped, cotangent_type, forward, pair, weights};
use crate::prepare::prepare;
use crate::sweep::{Calls, sweep};
use crate::{Unsupported, expand};

/// From a model, whose `main` gives logits and losses, to one whose `main` gives the losses and then the gradient of their sum
/// for each weight, in the order of [`parameters`](genesys_ir::parameters).
///
/// # Errors
/// An operation has no derivative: none that a checked design holds. See `docs/compiler.md`.
pub fn differentiate(module: &Module) -> Result<Module, Unsupported> {
    backward(module, Begin::Losses)
}

/// From a module, whose `main` gives what it may, to its passes within a larger program: `main` takes what it took, and then the
/// cotangent of each of its results. It gives what it gave, then the cotangent of each argument that is no token, and then the
/// gradient for each weight, in the order of [`parameters`](genesys_ir::parameters). See [`halves`](crate::halves).
///
/// # Errors
/// As [`differentiate`].
pub fn pullback(module: &Module) -> Result<Module, Unsupported> {
    backward(module, Begin::Given)
}

/// What a backward pass begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begin {
    /// 1 for each loss; it gives the losses.
    Losses,
    /// The cotangents of all results, which it takes; it gives the results.
    Given,
}

fn backward(module: &Module, begin: Begin) -> Result<Module, Unsupported> {
    let mut module = module.clone();
    expand(&mut module)?;
    let names = parameter_names(&module);
    let Module { name, axes, mut functions } = module;
    let Some(main) = functions.pop() else { return Err(Unsupported::Type("a module has a main function".into())) };
    let pairs = functions.iter().map(|function| pair(&axes, function)).collect::<Result<Vec<_>, _>>()?;
    let mut all = Vec::new();
    let mut known = Vec::new();
    for Pair { forward, backward, tape, given, operands, weights } in pairs {
        all.extend([forward, backward]);
        known.push(Known { tape, given, operands, weights });
    }
    let main = backward_main((&axes, &all), known, &main, &names, begin)?;
    all.push(main);
    Ok(Module { name, axes, functions: all })
}

/// What `main` knows of a function and its backward pass: see [`Pair`].
struct Known {
    tape: Vec<Taped>,
    given: Vec<usize>,
    operands: Vec<usize>,
    weights: Vec<String>,
}

/// The gradients of weights that calls gave, by their full names.
struct Called {
    known: Vec<Known>,
    gradients: BTreeMap<String, ValueId>,
}

fn backward_main(
    (axes, functions): (&[Axis], &[Function]),
    known: Vec<Known>,
    main: &Function,
    names: &[(String, Vec<AxisId>)],
    begin: Begin,
) -> Result<Function, Unsupported> {
    let mut work = prepare(main);
    let inputs: Vec<ValueId> = match begin {
        Begin::Losses => Vec::new(),
        Begin::Given => work.inputs.iter().copied().filter(|id| work.ty(*id).dtype == Dtype::Real).collect(),
    };
    let body = std::mem::take(&mut work.body);
    let paths: Vec<String> = work.weights.iter().map(|weight| weight.path.clone()).collect();
    let mut emit = Emit::new(axes, functions, &mut work);
    let instructions =
        body.instructions.into_iter().map(|i| taping(&mut emit, functions, i)).collect::<Vec<Instruction>>();
    let active = forward(&mut emit, inputs.iter().copied(), &instructions)?;
    let primal = emit.out.clone();
    let mut cotangents = Cotangents::default();
    let (mut results, taken) = match begin {
        Begin::Losses => {
            let losses: Vec<ValueId> =
                body.results.into_iter().filter(|id| emit.ty(*id).stage == Stage::Loss).collect();
            let one = emit.push(Op::Constant(Constant::Real(1.0)), Vec::new())?;
            losses.iter().try_for_each(|loss| cotangents.add(&mut emit, *loss, one))?;
            (losses, Vec::new())
        }
        Begin::Given => {
            let taken = take(&mut emit, &body.results, &active, &mut cotangents)?;
            (body.results, taken)
        }
    };
    let mut called = Called { known, gradients: BTreeMap::new() };
    sweep(&mut emit, &primal, &active, &mut cotangents, &mut called)?;
    for (id, gradient) in weights(&mut emit, &primal, &cotangents)? {
        called.add(&mut emit, paths[id.0 as usize].clone(), gradient)?;
    }
    for input in inputs {
        results.push(leaving(&mut emit, input, &cotangents)?);
    }
    for (name, axes) in names {
        let gradient = match called.gradients.get(name) {
            Some(gradient) => *gradient,
            None => zeros(&mut emit, axes)?,
        };
        results.push(emit.laid_out(gradient, axes)?);
    }
    let instructions = std::mem::take(&mut emit.out);
    work.adjoint = true;
    work.inputs.extend(taken);
    work.body = Region { instructions, results };
    prune(&mut work);
    Ok(work)
}

/// An argument for the cotangent of each result.
fn take(
    emit: &mut Emit<'_>,
    results: &[ValueId],
    active: &BTreeSet<ValueId>,
    cotangents: &mut Cotangents,
) -> Result<Vec<ValueId>, Unsupported> {
    let mut taken = Vec::new();
    for result in results {
        let ty = cotangent_type(emit.ty(*result));
        let cotangent = emit.value(ty);
        if active.contains(result) {
            cotangents.add(emit, *result, cotangent)?;
        }
        taken.push(cotangent);
    }
    Ok(taken)
}

/// The cotangent of an argument, in the argument's layout; zeros where nothing depends on it.
fn leaving(emit: &mut Emit<'_>, input: ValueId, cotangents: &Cotangents) -> Result<ValueId, Unsupported> {
    let axes = emit.ty(input).axes.clone();
    let cotangent = match cotangents.get(input) {
        Some(cotangent) => cotangent,
        None => zero(emit, input)?,
    };
    emit.laid_out(cotangent, &axes)
}

/// The gradient of a weight that no loss depends on.
fn zeros(emit: &mut Emit<'_>, axes: &[AxisId]) -> Result<ValueId, Unsupported> {
    let zero = emit.push(Op::Constant(Constant::Real(0.0)), Vec::new())?;
    if axes.is_empty() { Ok(zero) } else { emit.push(Op::Broadcast { axes: axes.to_vec() }, vec![zero]) }
}

/// A call of the function that also gives its tape; any other instruction as it is.
fn taping(emit: &mut Emit<'_>, functions: &[Function], instruction: Instruction) -> Instruction {
    let Instruction { op: Op::Call { function, layer, path }, args, mut results } = instruction else {
        return instruction;
    };
    let function = FunctionId(2 * function.0);
    let Function { body, values, .. } = &functions[function.0 as usize];
    let losses = body.results.iter().filter(|id| values[id.0 as usize].stage == Stage::Loss).count();
    let at = results.len() - losses;
    let tape: Vec<ValueId> = body.results[at..body.results.len() - losses]
        .iter()
        .map(|id| emit.value(values[id.0 as usize].clone()))
        .collect();
    results.splice(at..at, tape);
    Instruction { op: Op::Call { function, layer, path }, args, results }
}

impl Called {
    fn add(&mut self, emit: &mut Emit<'_>, name: String, gradient: ValueId) -> Result<(), Unsupported> {
        let sum = match self.gradients.get(&name) {
            Some(&before) => emit.map(apply(Add, [Expr::Arg(0), Expr::Arg(1)]), &[before, gradient])?,
            None => gradient,
        };
        self.gradients.insert(name, sum);
        Ok(())
    }
}

impl Calls for Called {
    fn adjoint(
        &mut self,
        emit: &mut Emit<'_>,
        call: &Instruction,
        cotangents: &mut Cotangents,
    ) -> Result<(), Unsupported> {
        let Op::Call { function, layer, path } = &call.op else { unreachable!("asked for calls only") };
        let Known { tape, given, operands, weights } = &self.known[function.0 as usize / 2];
        let mut args: Vec<ValueId> = tape
            .iter()
            .map(|taped| match taped {
                Taped::Operand(i) => call.args[*i],
                Taped::Result(i) => call.results[*i],
            })
            .collect();
        for result in given.iter().map(|i| call.results[*i]) {
            args.push(match cotangents.get(result) {
                Some(g) => g,
                None => zero(emit, result)?,
            });
        }
        let (operands, weights) = (operands.clone(), weights.clone());
        let op = Op::Call { function: FunctionId(function.0 + 1), layer: *layer, path: path.clone() };
        let results = emit.push_all(op, args)?;
        for (i, g) in operands.iter().zip(&results) {
            cotangents.add(emit, call.args[*i], *g)?;
        }
        for (weight, g) in weights.iter().zip(&results[operands.len()..]) {
            self.add(emit, full_name(path, weight), *g)?;
        }
        Ok(())
    }
}

/// No cotangent, as a value.
fn zero(emit: &mut Emit<'_>, like: ValueId) -> Result<ValueId, Unsupported> {
    match emit.ty(like).stage {
        Stage::Seq | Stage::Step => emit.everywhere(0.0, like),
        Stage::Loss => emit.push(Op::Constant(Constant::Real(0.0)), Vec::new()),
        Stage::Const => {
            let position = emit.push(Op::Position, Vec::new())?;
            let zeros =
                apply(Where, [number(1.0), number(0.0), apply(Where, [number(1.0), Expr::Arg(0), Expr::Arg(1)])]);
            let zeros = emit.map(zeros, &[like, position])?;
            emit.push(Op::Adjoint(Adjoint::Total), vec![zeros])
        }
    }
}
