//! The adjoint of each operation: from the cotangent of its result to those of its operands.
//!
//! For past-regions, scans and calls see `past`, `scan` and `function`.

use std::collections::BTreeSet;

use genesys_axis::Size;
use genesys_ir::module::{Adjoint, AxisId, Expr, Instruction, Op, Reduction, Stage, ValueId};
use genesys_scalar::Function as Scalar;
use genesys_scalar::Function::{Add, Div, Equal, Exp, Mul, Sub, Where};

use crate::emit::{Emit, apply, constant, number};
use crate::{Unsupported, scalar};

type Cotangents = Vec<(ValueId, ValueId)>;

/// The cotangents of those operands that depend on the variable.
pub(crate) fn adjoints(
    emit: &mut Emit<'_>,
    instruction: &Instruction,
    active: &BTreeSet<ValueId>,
    g: ValueId,
) -> Result<Cotangents, Unsupported> {
    let Instruction { op, args, results } = instruction;
    let is_active = |i: usize| args.get(i).is_some_and(|id| active.contains(id));
    let one = |value: Result<ValueId, Unsupported>| value.map(|value| vec![(args[0], value)]);
    let transposed = |op: Adjoint, args: Vec<ValueId>, emit: &mut Emit<'_>| one(emit.push(Op::Adjoint(op), args));
    match op {
        Op::Map(expr) => map(emit, expr, args, active, g),
        Op::Reduce { reduction, axes, .. } => one(reduce(emit, *reduction, axes, args[0], results[0], g)),
        Op::Softmax { axes, .. } => one(softmax(emit, axes, results[0], g)),
        Op::Contract { .. } => contract(emit, args, active, g),
        Op::Regroup { from, to } => one(emit.push(Op::Regroup { from: to.clone(), to: from.clone() }, vec![g])),
        Op::Concat { parts, whole } => concat(emit, parts, *whole, args, active, g),
        Op::Slice { whole, part, offset } => {
            one(emit.push(Op::Pad { part: *part, whole: *whole, offset: offset.clone() }, vec![g]))
        }
        Op::Pad { part, whole, offset } => {
            one(emit.push(Op::Slice { whole: *whole, part: *part, offset: offset.clone() }, vec![g]))
        }
        Op::Select { axis, index } => one(unselect(emit, *axis, index, g)),
        Op::Stack { axis } => {
            let select = |(i, id): (usize, &ValueId)| {
                let index = Size::int(i as i64);
                Ok((*id, emit.push(Op::Select { axis: *axis, index }, vec![g])?))
            };
            args.iter().enumerate().filter(|(i, _)| is_active(*i)).map(select).collect()
        }
        Op::Broadcast { axes } => one(emit.sum(g, axes.clone())),
        Op::Weight(_) | Op::Constant(_) | Op::Position | Op::Layer | Op::Index(_) | Op::Age(_) => Ok(Vec::new()),
        Op::Shift { by, direction, reset } => {
            one(emit.push(Op::Shift { by: by.clone(), direction: direction.reversed(), reset: *reset }, vec![g]))
        }
        Op::Window { axis, direction, reset } => {
            transposed(Adjoint::Window { axis: *axis, direction: direction.reversed(), reset: *reset }, vec![g], emit)
        }
        Op::Pool { size, direction, reset } => {
            let (size, direction) = (size.clone(), direction.reversed());
            transposed(Adjoint::Pool { size, direction, reset: *reset }, vec![g], emit)
        }
        Op::View(axis) => {
            let g = seen(emit, &[*axis], args[0], g)?;
            transposed(Adjoint::View(*axis), vec![g], emit)
        }
        Op::Blocks { axis, within } => {
            let g = seen(emit, &[*axis, *within], args[0], g)?;
            transposed(Adjoint::Blocks { axis: *axis, within: *within }, vec![g], emit)
        }
        Op::Top { from, to } if is_active(1) => {
            let spread = emit.push(Op::Adjoint(Adjoint::Top { from: *from, to: *to }), vec![args[0], g])?;
            Ok(vec![(args[1], emit.sum_to(spread, args[1])?)])
        }
        // Which elements are picked is no function that has a derivative.
        Op::Top { .. } | Op::Picked { .. } => Ok(Vec::new()),
        Op::Cumsum(axis) => {
            let behind = emit.push(Op::After(*axis), vec![g])?;
            one(emit.map(apply(Add, [Expr::Arg(0), Expr::Arg(1)]), &[behind, g]))
        }
        Op::After(axis) => transposed(Adjoint::Before(*axis), vec![g], emit),
        Op::Gather { axis } => transposed(Adjoint::Gather { axis: *axis }, vec![g, args[1]], emit),
        Op::CrossEntropy { axis } => transposed(Adjoint::CrossEntropy { axis: *axis }, vec![g, args[0], args[1]], emit),
        Op::MeanTokens => transposed(Adjoint::MeanTokens, vec![g, args[1]], emit),
        Op::Adjoint(op) => Err(Unsupported::Operation(op.name())),
        Op::Grad { .. } => Err(Unsupported::Operation("grad")),
        Op::Past { .. } | Op::Scan { .. } | Op::Call { .. } => {
            unreachable!("operations with regions, and calls, have adjoints of their own")
        }
    }
}

/// One scalar function, or a copy: see `split`.
fn map(
    emit: &mut Emit<'_>,
    expr: &Expr,
    args: &[ValueId],
    active: &BTreeSet<ValueId>,
    g: ValueId,
) -> Result<Cotangents, Unsupported> {
    let (function, operands) = match expr {
        Expr::Arg(i) => return Ok(vec![(args[*i], emit.sum_to(g, args[*i])?)]),
        Expr::Const(_) => return Ok(Vec::new()),
        Expr::Apply(function, operands) => (*function, operands),
    };
    // Operand 0 of the adjoint is the cotangent.
    let shifted: Vec<Expr> = operands.iter().map(shift).collect();
    let all: Vec<ValueId> = [g].into_iter().chain(args.iter().copied()).collect();
    let mut found = Vec::new();
    for (which, operand) in operands.iter().enumerate() {
        let Expr::Arg(i) = operand else { continue };
        if let (true, Some(other)) = (active.contains(&args[*i]), factor(emit, function, operands, args, which)) {
            let cotangent = factored(emit, args[*i], other, g)?;
            found.push((args[*i], emit.sum_to(cotangent, args[*i])?));
        } else if active.contains(&args[*i])
            && let Some(adjoint) = scalar::adjoint(function, which, &shifted, Expr::Arg(0))
        {
            let cotangent = read(emit, &adjoint, &all)?;
            found.push((args[*i], emit.sum_to(cotangent, args[*i])?));
        }
    }
    Ok(found)
}

/// The other factor of a product, where one is repeated along axes or positions that the other has.
fn factor(emit: &Emit<'_>, function: Scalar, operands: &[Expr], args: &[ValueId], which: usize) -> Option<ValueId> {
    let [Expr::Arg(a), Expr::Arg(b)] = operands else { return None };
    let (own, other) = if which == 0 { (args[*a], args[*b]) } else { (args[*b], args[*a]) };
    let (held, beside) = (emit.ty(own), emit.ty(other));
    let repeated = beside.axes.iter().any(|axis| !held.axes.contains(axis))
        || (held.stage == Stage::Const && beside.stage == Stage::Seq);
    (function == Mul && own != other && repeated).then_some(other)
}

/// A map of just the operands that the expression reads: others would add their axes.
fn read(emit: &mut Emit<'_>, expr: &Expr, all: &[ValueId]) -> Result<ValueId, Unsupported> {
    let mut args = Vec::new();
    let expr = renamed(expr, all, &mut args);
    match expr {
        Expr::Arg(i) => Ok(args[i]),
        expr => emit.map(expr, &args),
    }
}

fn renamed(expr: &Expr, all: &[ValueId], args: &mut Vec<ValueId>) -> Expr {
    match expr {
        Expr::Arg(i) => {
            let known = args.iter().position(|arg| *arg == all[*i]);
            Expr::Arg(known.unwrap_or_else(|| {
                args.push(all[*i]);
                args.len() - 1
            }))
        }
        Expr::Const(_) => expr.clone(),
        Expr::Apply(function, operands) => {
            Expr::Apply(*function, operands.iter().map(|operand| renamed(operand, all, args)).collect())
        }
    }
}

fn shift(expr: &Expr) -> Expr {
    match expr {
        Expr::Arg(i) => Expr::Arg(i + 1),
        Expr::Const(_) => expr.clone(),
        Expr::Apply(function, operands) => Expr::Apply(*function, operands.iter().map(shift).collect()),
    }
}

/// Of `sum(a b)` to one factor: the sum of products with the other one, over what it has beside. Of a factor that is the
/// same everywhere that is a sum over positions, too: the matrix product that gives the gradient of a weight.
fn contract(
    emit: &mut Emit<'_>,
    args: &[ValueId],
    active: &BTreeSet<ValueId>,
    g: ValueId,
) -> Result<Cotangents, Unsupported> {
    let mut found = Vec::new();
    for i in (0..2).filter(|i| active.contains(&args[*i])) {
        found.push((args[i], factored(emit, args[i], args[1 - i], g)?));
    }
    Ok(found)
}

fn factored(emit: &mut Emit<'_>, own: ValueId, other: ValueId, g: ValueId) -> Result<ValueId, Unsupported> {
    let held = &emit.ty(own).axes;
    let axes = emit.ty(other).axes.iter().copied().filter(|axis| !held.contains(axis)).collect();
    let gathered = emit.ty(own).stage == Stage::Const && emit.ty(g).stage == Stage::Seq;
    let op = if gathered { Op::Adjoint(Adjoint::Contract { axes }) } else { Op::Contract { axes } };
    emit.push(op, vec![g, other])
}

/// A cotangent of what a past saw, summed over all else that the region added: to the axes of the operand and these.
fn seen(emit: &mut Emit<'_>, axes: &[AxisId], operand: ValueId, g: ValueId) -> Result<ValueId, Unsupported> {
    let kept = &emit.ty(operand).axes;
    let extra = emit.ty(g).axes.iter().copied().filter(|axis| !kept.contains(axis) && !axes.contains(axis)).collect();
    emit.sum(g, extra)
}

fn reduce(
    emit: &mut Emit<'_>,
    reduction: Reduction,
    axes: &[AxisId],
    x: ValueId,
    y: ValueId,
    g: ValueId,
) -> Result<ValueId, Unsupported> {
    let arg = Expr::Arg;
    let grows = axes.iter().any(|axis| emit.is_dependent(*axis));
    match reduction {
        Reduction::Sum if grows => emit.spread(g, x),
        Reduction::Mean if grows => {
            let ones = emit.everywhere(1.0, x)?;
            let count = emit.sum(ones, axes.to_vec())?;
            let share = emit.map(apply(Div, [arg(0), arg(1)]), &[g, count])?;
            emit.spread(share, x)
        }
        Reduction::Sum => emit.push(Op::Broadcast { axes: axes.to_vec() }, vec![g]),
        Reduction::Mean => {
            let count = Expr::Const(emit.count(axes)?);
            let share = emit.map(apply(Div, [arg(0), count]), &[g])?;
            emit.push(Op::Broadcast { axes: axes.to_vec() }, vec![share])
        }
        // Equal extremes share the derivative.
        Reduction::Max | Reduction::Min => {
            let extreme = emit.map(apply(Equal, [arg(0), arg(1)]), &[x, y])?;
            let count = emit.sum(extreme, axes.to_vec())?;
            let share = apply(Where, [arg(0), apply(Div, [arg(1), arg(2)]), number(0.0)]);
            emit.map(share, &[extreme, g, count])
        }
        Reduction::LogSumExp => {
            let weight = apply(Exp, [apply(Sub, [arg(0), arg(1)])]);
            emit.map(apply(Mul, [arg(2), weight]), &[x, y, g])
        }
    }
}

/// `y (g - sum(g y))`; a sink takes part in no sum.
fn softmax(emit: &mut Emit<'_>, axes: &[AxisId], y: ValueId, g: ValueId) -> Result<ValueId, Unsupported> {
    let arg = Expr::Arg;
    let product = emit.map(apply(Mul, [arg(0), arg(1)]), &[g, y])?;
    let sum = emit.sum(product, axes.to_vec())?;
    emit.map(apply(Mul, [arg(0), apply(Sub, [arg(1), arg(2)])]), &[y, g, sum])
}

fn concat(
    emit: &mut Emit<'_>,
    parts: &[AxisId],
    whole: AxisId,
    args: &[ValueId],
    active: &BTreeSet<ValueId>,
    g: ValueId,
) -> Result<Cotangents, Unsupported> {
    let mut offset = Size::int(0);
    let mut found = Vec::new();
    for (part, id) in parts.iter().zip(args) {
        if active.contains(id) {
            let slice = Op::Slice { whole, part: *part, offset: offset.clone() };
            found.push((*id, emit.push(slice, vec![g])?));
        }
        offset = offset.add(&emit.size(*part)?).map_err(|error| Unsupported::Type(error.to_string()))?;
    }
    Ok(found)
}

/// The cotangent at one element of an axis, 0 at the others.
fn unselect(emit: &mut Emit<'_>, axis: AxisId, index: &Size, g: ValueId) -> Result<ValueId, Unsupported> {
    let place = emit.push(Op::Index(axis), vec![])?;
    let here = apply(Equal, [Expr::Arg(0), constant(index)]);
    emit.map(apply(Where, [here, Expr::Arg(1), number(0.0)]), &[place, g])
}
