//! Whether the losses of a model are sums over the rows of a batch.
//!
//! In: a module. Out: nothing, or the first loss that is none. Where means are over the tokens of the whole batch, those of a
//! part of its rows are terms of theirs. So the losses of parts add up to that of the batch, and gradients do, where a loss is
//! linear in such means and has no other term. A product of two means, or a penalty on a weight beside them, is not. Not here:
//! how a part is told how many tokens the whole batch counts.

use std::fmt;

use genesys_scalar::Function as Scalar;

use crate::module::{Expr, Function, Instruction, Module, Op, Reduction, Stage};

/// A loss that is no sum over rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAdditive {
    /// The function that computes it.
    pub function: String,
}

impl fmt::Display for NotAdditive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a loss of `{}` is no sum over rows: it is not linear in means over the tokens of a batch",
            self.function
        )
    }
}

/// Whether the losses of any parts of a batch's rows add up to those of the batch.
///
/// # Errors
/// The first function with a loss of which this is not known.
pub fn additive_losses(module: &Module) -> Result<(), NotAdditive> {
    let bad = |function: &&Function| !function.body.instructions.iter().all(|i| is_additive(function, i));
    match module.functions.iter().find(bad) {
        Some(function) => Err(NotAdditive { function: function.name.clone() }),
        None => Ok(()),
    }
}

/// Whether an instruction gives sums over rows of what are such. Regions hold no losses.
fn is_additive(function: &Function, Instruction { op, args, .. }: &Instruction) -> bool {
    let sums: Vec<bool> = args.iter().map(|id| function.ty(*id).stage == Stage::Loss).collect();
    let count = sums.iter().filter(|is_sum| **is_sum).count();
    if count == 0 {
        return true;
    }
    match op {
        Op::Map(expr) => degree(expr, &|i| usize::from(sums[i])) == Some(1),
        Op::Reduce { reduction: Reduction::Sum | Reduction::Mean, .. } => true,
        Op::Contract { .. } => count == 1,
        Op::Regroup { .. } | Op::Slice { .. } | Op::Select { .. } | Op::Broadcast { .. } | Op::Pad { .. } => true,
        Op::Concat { .. } | Op::Stack { .. } => count == args.len(),
        Op::Reduce { reduction: Reduction::Max | Reduction::Min | Reduction::LogSumExp, .. } => false,
        Op::Softmax { .. } | Op::Top { .. } | Op::Picked { .. } | Op::Cumsum(_) | Op::After(_) => false,
        Op::Weight(_) | Op::Constant(_) | Op::Layer | Op::Index(_) | Op::Position | Op::Age(_) => false,
        Op::Shift { .. } | Op::Window { .. } | Op::Pool { .. } | Op::View(_) | Op::Blocks { .. } => false,
        Op::Past { .. } | Op::Scan { .. } | Op::Call { .. } | Op::Grad { .. } | Op::Gather { .. } => false,
        Op::CrossEntropy { .. } | Op::MeanTokens | Op::Adjoint(_) => false,
    }
}

/// The degree of an expression in sums over rows: 0 without any, 1 if it is linear in them and has no other term.
fn degree(expr: &Expr, of: &dyn Fn(usize) -> usize) -> Option<usize> {
    let (function, args) = match expr {
        Expr::Arg(i) => return Some(of(*i)),
        Expr::Const(_) => return Some(0),
        Expr::Apply(function, args) => (*function, args),
    };
    let degrees = args.iter().map(|arg| degree(arg, of)).collect::<Option<Vec<usize>>>()?;
    if degrees.iter().all(|degree| *degree == 0) {
        return Some(0);
    }
    let is_linear = match function {
        Scalar::Neg | Scalar::Stop => true,
        Scalar::Add | Scalar::Sub => degrees == [1, 1],
        Scalar::Mul => degrees.iter().sum::<usize>() == 1,
        Scalar::Div => degrees == [1, 0],
        Scalar::Where => degrees == [0, 1, 1],
        Scalar::Abs | Scalar::Sign | Scalar::Floor | Scalar::Round | Scalar::Exp | Scalar::Expm1 => false,
        Scalar::Log | Scalar::Log1p | Scalar::Sqrt | Scalar::Sin | Scalar::Cos | Scalar::Tanh | Scalar::Erf => false,
        Scalar::Sigmoid | Scalar::LogSigmoid | Scalar::Softplus | Scalar::InvSoftplus => false,
        Scalar::Silu | Scalar::Gelu | Scalar::Relu | Scalar::Pow | Scalar::Rem | Scalar::Min | Scalar::Max => false,
        Scalar::Less | Scalar::AtMost | Scalar::Equal => false,
    };
    is_linear.then_some(1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A unit whose loss is that expression of two means, of a weight and of a number.
    fn with(loss: &str) -> Result<(), NotAdditive> {
        let text = format!(
            "module Two\n\naxis E = {{2}}\n\nfn Block {{\n  weight w: [E] = 1.0 @gain stream 0\n  input %0: Seq[E]\n  \
             input %1: Token Seq[]\n  %2: Loss[E] = mean_tokens %0, %1\n  %3: Loss[E] = mean_tokens %0, %1\n  \
             %4: [E] = weight w\n  %5: Loss[E] = map {loss} %2, %3, %4\n  %6: Loss[] = sum [E] %5\n  return %6\n}}\n"
        );
        let module = crate::parse(&text).unwrap();
        additive_losses(&module)
    }

    #[test]
    fn what_is_linear_in_means_is_a_sum_over_rows() {
        for loss in ["add($0, mul($1, 0.5))", "sub(neg($0), div($1, $2))", "mul($2, add($0, $1))", "where($2, $0, $1)"]
        {
            assert_eq!(with(loss), Ok(()), "{loss}");
        }
        for loss in
            ["mul($0, $1)", "add($0, $2)", "add($0, 1.0)", "exp($0)", "div($2, $0)", "max($0, $1)", "pow($0, 2.0)"]
        {
            assert_eq!(with(loss).unwrap_err().function, "Block", "{loss}");
        }
    }
}
