//! Scalar expressions: their size, their operands, and what of them is a number.

use genesys_axis::Constant;
use genesys_ir::module::Expr;
use genesys_scalar::Function::{self, *};

/// A number.
pub(crate) fn number(value: f64) -> Expr {
    Expr::Const(Constant::Real(value))
}

/// `function(operands)`
pub(crate) fn apply(function: Function, operands: impl IntoIterator<Item = Expr>) -> Expr {
    Expr::Apply(function, operands.into_iter().collect())
}

/// The number that an expression is.
pub(crate) fn value(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Const(Constant::Real(value)) => Some(*value),
        Expr::Const(Constant::Size(_)) | Expr::Arg(_) | Expr::Apply(..) => None,
    }
}

/// How many functions are applied.
pub(crate) fn applications(expr: &Expr) -> usize {
    match expr {
        Expr::Arg(_) | Expr::Const(_) => 0,
        Expr::Apply(_, operands) => 1 + operands.iter().map(applications).sum::<usize>(),
    }
}

/// Whether all functions are such as a processor has a quick instruction or two for.
pub(crate) fn is_cheap(expr: &Expr) -> bool {
    match expr {
        Expr::Arg(_) | Expr::Const(_) => true,
        Expr::Apply(function, operands) => is_arithmetic(*function) && operands.iter().all(is_cheap),
    }
}

fn is_arithmetic(function: Function) -> bool {
    match function {
        Neg | Abs | Sign | Floor | Round | Stop | Relu | Add | Sub | Mul | Min | Max | Less | AtMost | Equal
        | Where => true,
        Div | Exp | Expm1 | Log | Log1p | Sqrt | Sin | Cos | Tanh | Erf | Sigmoid | LogSigmoid | Softplus
        | InvSoftplus | Silu | Gelu | Pow | Rem => false,
    }
}

/// Calls `visit` with the number of every operand, as often as it is read.
pub(crate) fn operands(expr: &Expr, visit: &mut impl FnMut(usize)) {
    match expr {
        Expr::Arg(i) => visit(*i),
        Expr::Const(_) => {}
        Expr::Apply(_, inner) => inner.iter().for_each(|expr| operands(expr, visit)),
    }
}

/// The expression with something in place of each operand.
pub(crate) fn replaced(expr: &Expr, by: &impl Fn(usize) -> Expr) -> Expr {
    match expr {
        Expr::Arg(i) => by(*i),
        Expr::Const(_) => expr.clone(),
        Expr::Apply(function, inner) => Expr::Apply(*function, inner.iter().map(|expr| replaced(expr, by)).collect()),
    }
}

/// The same expression with every part computed that is a number, and without what changes no bit.
pub(crate) fn simplified(expr: Expr) -> Expr {
    let Expr::Apply(function, inner) = expr else { return expr };
    let inner: Vec<Expr> = inner.into_iter().map(simplified).collect();
    let numbers: Option<Vec<f64>> = inner.iter().map(value).collect();
    if let Some(result) = numbers.map(|numbers| function.eval(&numbers))
        && result.is_finite()
    {
        return number(result);
    }
    identity(function, inner)
}

/// `function(operands)`, or what it is to the bit.
fn identity(function: Function, mut inner: Vec<Expr>) -> Expr {
    let is = |i: usize, number: f64| value(&inner[i]).is_some_and(|found| found.to_bits() == number.to_bits());
    match function {
        Mul if is(1, 1.0) => inner.swap_remove(0),
        Mul if is(0, 1.0) => inner.swap_remove(1),
        Div | Pow if is(1, 1.0) => inner.swap_remove(0),
        // Of `x + 0.0` the zero may have another sign than `x`.
        Sub if is(1, 0.0) => inner.swap_remove(0),
        Add if is(1, -0.0) => inner.swap_remove(0),
        Add if is(0, -0.0) => inner.swap_remove(1),
        Div => match value(&inner[1]).and_then(inverse) {
            Some(factor) => apply(Mul, [inner.swap_remove(0), number(factor)]),
            None => Expr::Apply(Div, inner),
        },
        Where => match value(&inner[0]) {
            Some(0.0) => inner.swap_remove(2),
            Some(_) => inner.swap_remove(1),
            None => Expr::Apply(Where, inner),
        },
        _ => Expr::Apply(function, inner),
    }
}

/// `1 / x` where a product with it is the quotient, to the bit: of powers of two that 32 bits hold.
fn inverse(x: f64) -> Option<f64> {
    let power = x.to_bits() & ((1 << 52) - 1) == 0;
    (power && (1e-30..1e30).contains(&x.abs())).then(|| 1.0 / x)
}
