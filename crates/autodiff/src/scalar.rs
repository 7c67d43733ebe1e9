//! The adjoint of each scalar function, as an expression.
//!
//! In goes the cotangent `g` of `f(x..)` and the operands, out comes that of one operand:
//! `g df/dx_i`. A derivative that selects (`max`, `where`, `relu`) selects the cotangent and never
//! multiplies it, so that what is not chosen cannot spread. Equal extremes share the derivative. At kinks derivatives are
//! those of the runtime: 1 of `abs` at 0, 0 of `relu`.

use genesys_axis::Constant;
use genesys_ir::module::Expr;
use genesys_scalar::Function::{self, *};

use crate::emit::{apply, number};

/// The cotangent of operand `which` of `function(x..)`; none where the derivative is 0 everywhere.
pub(crate) fn adjoint(function: Function, which: usize, x: &[Expr], g: Expr) -> Option<Expr> {
    let a = || x[0].clone();
    let b = || x[1].clone();
    let times = |slope: Expr| Some(apply(Mul, [g.clone(), slope]));
    match function {
        Sign | Floor | Round | Stop | Less | AtMost | Equal => None,
        Neg => Some(apply(Neg, [g])),
        Abs => Some(chosen(apply(Less, [a(), number(0.0)]), apply(Neg, [g.clone()]), g)),
        Relu => Some(positive(a(), g)),
        Exp | Expm1 => times(apply(Exp, [a()])),
        Log => Some(apply(Div, [g, a()])),
        Log1p => Some(apply(Div, [g, apply(Add, [number(1.0), a()])])),
        Sqrt => Some(apply(Div, [g, apply(Mul, [number(2.0), apply(Sqrt, [a()])])])),
        Sin => times(apply(Cos, [a()])),
        Cos => times(apply(Neg, [apply(Sin, [a()])])),
        Tanh => times(one_minus(square(apply(Tanh, [a()])))),
        Erf => {
            let bell = apply(Exp, [apply(Neg, [square(a())])]);
            times(apply(Mul, [number(std::f64::consts::FRAC_2_SQRT_PI), bell]))
        }
        Sigmoid => times(apply(Mul, [apply(Sigmoid, [a()]), apply(Sigmoid, [apply(Neg, [a()])])])),
        LogSigmoid => times(apply(Sigmoid, [apply(Neg, [a()])])),
        Softplus => times(apply(Sigmoid, [a()])),
        // 1 / (1 - e^-x)
        InvSoftplus => Some(apply(Neg, [apply(Div, [g, apply(Expm1, [apply(Neg, [a()])])])])),
        Silu => times(silu_slope(a())),
        Gelu => times(gelu_slope(a())),
        Add => Some(g),
        Sub if which == 0 => Some(g),
        Sub => Some(apply(Neg, [g])),
        Mul => times(x[1 - which].clone()),
        Div if which == 0 => Some(apply(Div, [g, b()])),
        Div => Some(apply(Neg, [apply(Div, [apply(Mul, [g, apply(Div, [a(), b()])]), b()])])),
        Pow if which == 0 => power_slope(a(), b()).map(|slope| apply(Mul, [g, slope])),
        Pow => times(apply(Mul, [apply(Pow, [a(), b()]), apply(Log, [a()])])),
        Rem if which == 0 => Some(g),
        Rem => times(apply(Neg, [apply(Floor, [apply(Div, [a(), b()])])])),
        Min | Max => Some(extreme(function, which, a(), b(), g)),
        Where => match which {
            0 => None,
            1 => Some(chosen(a(), g, number(0.0))),
            _ => Some(chosen(a(), number(0.0), g)),
        },
    }
}

/// `g` where the operand is the extreme one, half of it where both are, else 0.
fn extreme(function: Function, which: usize, a: Expr, b: Expr, g: Expr) -> Expr {
    let (own, other) = if which == 0 { (a, b) } else { (b, a) };
    let (low, high) = if function == Max { (other.clone(), own.clone()) } else { (own.clone(), other.clone()) };
    let half = apply(Mul, [number(0.5), g.clone()]);
    let tied = chosen(apply(Equal, [own, other]), half, number(0.0));
    chosen(apply(Less, [low, high]), g, tied)
}

/// `g` where `x > 0`, else 0.
fn positive(x: Expr, g: Expr) -> Expr {
    chosen(apply(Less, [number(0.0), x]), g, number(0.0))
}

fn chosen(condition: Expr, yes: Expr, no: Expr) -> Expr {
    apply(Where, [condition, yes, no])
}

fn square(x: Expr) -> Expr {
    apply(Mul, [x.clone(), x])
}

fn one_minus(x: Expr) -> Expr {
    apply(Sub, [number(1.0), x])
}

/// `b a^(b - 1)`, without a power where there is none; nothing for `a^0`.
fn power_slope(a: Expr, b: Expr) -> Option<Expr> {
    match b {
        Expr::Const(Constant::Real(0.0)) => None,
        Expr::Const(Constant::Real(1.0)) => Some(number(1.0)),
        Expr::Const(Constant::Real(2.0)) => Some(apply(Mul, [number(2.0), a])),
        Expr::Const(Constant::Real(n)) => Some(apply(Mul, [number(n), apply(Pow, [a, number(n - 1.0)])])),
        b => Some(apply(Mul, [b.clone(), apply(Pow, [a, apply(Sub, [b, number(1.0)])])])),
    }
}

/// `s + x s (1 - s)` with `s = sigmoid(x)`
fn silu_slope(x: Expr) -> Expr {
    let s = || apply(Sigmoid, [x.clone()]);
    let rest = apply(Mul, [s(), apply(Sigmoid, [apply(Neg, [x.clone()])])]);
    apply(Add, [s(), apply(Mul, [x.clone(), rest])])
}

/// With `u = c (x + 0.044715 x^3)`: `(1 + tanh u) / 2 + x (1 - tanh^2 u) c (1 + 0.134145 x^2) / 2`.
fn gelu_slope(x: Expr) -> Expr {
    let c = (2.0 / std::f64::consts::PI).sqrt();
    let cubic = apply(Mul, [number(0.044_715), apply(Mul, [square(x.clone()), x.clone()])]);
    let t = apply(Tanh, [apply(Mul, [number(c), apply(Add, [x.clone(), cubic])])]);
    let inner = apply(Add, [number(c), apply(Mul, [number(3.0 * 0.044_715 * c), square(x.clone())])]);
    let bend = apply(Mul, [apply(Mul, [x, one_minus(square(t.clone()))]), inner]);
    apply(Mul, [number(0.5), apply(Add, [apply(Add, [number(1.0), t]), bend])])
}
