//! Writes a region with one scalar function an instruction, where it depends on the variable.
//!
//! So each map has a short adjoint, and what several of them need is computed once.

use std::collections::BTreeSet;

use genesys_ir::module::{AxisId, Expr, Instruction, Op, ValueId};
use genesys_ir::reads;
use genesys_scalar::Function;

use crate::Unsupported;
use crate::emit::Emit;

/// A part of an expression: a value, or an expression of constants.
enum Piece {
    Value(ValueId),
    Constant(Expr),
}

/// Appends an instruction, and adds its result to `active` where it depends on what is in there.
pub(crate) fn append(
    emit: &mut Emit<'_>,
    active: &mut BTreeSet<ValueId>,
    instruction: Instruction,
) -> Result<(), Unsupported> {
    if reads(&instruction).is_disjoint(active) {
        emit.out.push(instruction);
        return Ok(());
    }
    let Instruction { op, args, results } = instruction;
    if learns(&op, &args, active) {
        active.extend(&results);
    }
    let op = match op {
        Op::Map(Expr::Apply(function, operands)) => {
            let around = emit.about(results.first().copied());
            let pieces = operands.into_iter().map(|operand| piece(emit, active, operand, &args));
            let (expr, mut read) = one(function, pieces.collect::<Result<Vec<_>, _>>()?);
            emit.about(around);
            // An operand that is not read gives its axes all the same.
            for arg in args {
                let has = |axis: &AxisId| read.iter().any(|id| emit.ty(*id).axes.contains(axis));
                if !emit.ty(arg).axes.iter().all(has) {
                    read.push(arg);
                }
            }
            emit.out.push(Instruction { op: Op::Map(expr), args: read, results });
            return Ok(());
        }
        op => op,
    };
    emit.out.push(Instruction { op, args, results });
    Ok(())
}

/// Whether anything is learned through an operation that reads what depends on the variable.
fn learns(op: &Op, args: &[ValueId], active: &BTreeSet<ValueId>) -> bool {
    match op {
        Op::Map(Expr::Apply(function, _)) => !function.is_flat(),
        Op::Top { .. } => active.contains(&args[1]),
        Op::Picked { .. } => false,
        _ => true,
    }
}

fn piece(
    emit: &mut Emit<'_>,
    active: &mut BTreeSet<ValueId>,
    expr: Expr,
    args: &[ValueId],
) -> Result<Piece, Unsupported> {
    let mut read = BTreeSet::new();
    operands(&expr, &mut read);
    let read: Vec<ValueId> = read.into_iter().map(|i| args[i]).collect();
    match expr {
        _ if read.is_empty() => Ok(Piece::Constant(expr)),
        Expr::Arg(i) => Ok(Piece::Value(args[i])),
        // What does not depend on the variable stays one expression.
        expr if !read.iter().any(|id| active.contains(id)) => Ok(Piece::Value(emit.map(expr, args)?)),
        Expr::Apply(function, operands) => {
            let pieces = operands.into_iter().map(|operand| piece(emit, active, operand, args));
            let (expr, args) = one(function, pieces.collect::<Result<Vec<_>, _>>()?);
            let value = emit.map(expr, &args)?;
            if !function.is_flat() {
                active.insert(value);
            }
            Ok(Piece::Value(value))
        }
        Expr::Const(_) => Ok(Piece::Constant(expr)),
    }
}

/// The numbers of the operands that an expression reads.
fn operands(expr: &Expr, found: &mut BTreeSet<usize>) {
    match expr {
        Expr::Arg(i) => _ = found.insert(*i),
        Expr::Const(_) => {}
        Expr::Apply(_, inner) => inner.iter().for_each(|expr| operands(expr, found)),
    }
}

/// A function of pieces, and the values it reads.
fn one(function: Function, pieces: Vec<Piece>) -> (Expr, Vec<ValueId>) {
    let mut args = Vec::new();
    let operands = pieces.into_iter().map(|piece| match piece {
        Piece::Constant(expr) => expr,
        Piece::Value(id) => {
            args.push(id);
            Expr::Arg(args.len() - 1)
        }
    });
    (Expr::Apply(function, operands.collect()), args)
}
