//! Scalar functions over slices.
//!
//! In: a function and slices of one length. Out: the function of each element, by the instructions the processor has.
//! What the functions mean is said by [`Function::eval`]; how far each is from it, by `approximate` and `wide`; what they do
//! not name is the nearest number. Minimum and maximum are those of numbers: NaN gives way.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `approximate` | exponential, logarithm and their kin in f32 |
//! | `wide` | sine, cosine, powers and remainders in f64 |
//! | `loops` | loops over one and two slices |
//!
//! Not here: shapes, and which of two slices is repeated.

pub(crate) mod approximate;
mod loops;
mod wide;

#[cfg(test)]
mod tests;

use genesys_scalar::Function;

use crate::level::{Level, leveled};
use loops::{Both, Left, Operands, Right, map, pairs};

/// `out[i] = f(x[i])`.
///
/// # Panics
/// Where `f` is not a function of one argument, or the lengths differ.
pub fn unary(f: Function, x: &[f32], out: &mut [f32]) {
    unary_at(Level::best(), f, x, out);
}

/// `out[i] = f(a[i], b[i])`.
///
/// # Panics
/// Where `f` is not a function of two arguments, or the lengths differ.
pub fn binary(f: Function, a: &[f32], b: &[f32], out: &mut [f32]) {
    assert_eq!(a.len(), b.len(), "two operands have one length");
    both_at(Level::best(), f, a, b, out);
}

/// `out[i] = f(a, b[i])`.
///
/// # Panics
/// As [`binary`].
pub fn binary_left(f: Function, a: f32, b: &[f32], out: &mut [f32]) {
    left_at(Level::best(), f, a, b, out);
}

/// `out[i] = f(a[i], b)`.
///
/// # Panics
/// As [`binary`].
pub fn binary_right(f: Function, a: &[f32], b: f32, out: &mut [f32]) {
    right_at(Level::best(), f, a, b, out);
}

leveled! { pub(crate) fn unary_at(f: Function, x: &[f32], out: &mut [f32]) = unary_body }
leveled! { pub(crate) fn both_at(f: Function, a: &[f32], b: &[f32], out: &mut [f32]) = both_body }
leveled! { pub(crate) fn left_at(f: Function, a: f32, b: &[f32], out: &mut [f32]) = left_body }
leveled! { pub(crate) fn right_at(f: Function, a: &[f32], b: f32, out: &mut [f32]) = right_body }

#[inline(always)]
fn unary_body<const FUSED: bool>(f: Function, x: &[f32], out: &mut [f32]) {
    match f {
        Function::Neg => map!(x => out, |x| -x),
        Function::Abs => map!(x => out, |x| f32::abs(x)),
        Function::Sign => map!(x => out, |x| sign(x)),
        Function::Floor => map!(x => out, |x| f32::floor(x)),
        Function::Round => map!(x => out, |x| f32::round(x)),
        Function::Stop => out.copy_from_slice(x),
        Function::Exp => map!(x => out, |x| approximate::exp::<FUSED>(x)),
        Function::Expm1 => map!(x => out, |x| approximate::expm1::<FUSED>(x)),
        Function::Log => map!(x => out, |x| approximate::log::<FUSED>(x)),
        Function::Log1p => map!(x => out, |x| approximate::log1p::<FUSED>(x)),
        Function::Sqrt => map!(x => out, |x| f32::sqrt(x)),
        Function::Sin => wide::sin(x, out),
        Function::Cos => wide::cos(x, out),
        Function::Tanh => map!(x => out, |x| approximate::tanh::<FUSED>(x)),
        Function::Erf => map!(x => out, |x| approximate::erf::<FUSED>(x)),
        Function::Sigmoid => map!(x => out, |x| approximate::sigmoid::<FUSED>(x)),
        Function::LogSigmoid => map!(x => out, |x| -approximate::softplus::<FUSED>(-x)),
        Function::Softplus => map!(x => out, |x| approximate::softplus::<FUSED>(x)),
        Function::InvSoftplus => map!(x => out, |x| approximate::inv_softplus::<FUSED>(x)),
        Function::Silu => map!(x => out, |x| x * approximate::sigmoid::<FUSED>(x)),
        Function::Gelu => map!(x => out, |x| approximate::gelu::<FUSED>(x)),
        Function::Relu => map!(x => out, |x| if x > 0.0 { x } else { 0.0 }),
        Function::Add
        | Function::Sub
        | Function::Mul
        | Function::Div
        | Function::Pow
        | Function::Rem
        | Function::Min
        | Function::Max
        | Function::Less
        | Function::AtMost
        | Function::Equal
        | Function::Where => refuse(f, 1),
    }
}

#[inline(always)]
fn both_body<const FUSED: bool>(f: Function, a: &[f32], b: &[f32], out: &mut [f32]) {
    apply(f, Both(a, b), out);
}

#[inline(always)]
fn left_body<const FUSED: bool>(f: Function, a: f32, b: &[f32], out: &mut [f32]) {
    apply(f, Left(a, b), out);
}

/// The powers that are one rounding of a product or quotient are computed so.
#[inline(always)]
fn right_body<const FUSED: bool>(f: Function, a: &[f32], b: f32, out: &mut [f32]) {
    match f {
        Function::Pow if b == 1.0 => out.copy_from_slice(a),
        Function::Pow if b == 2.0 => map!(a => out, |a| a * a),
        Function::Pow if b == -1.0 => map!(a => out, |a| 1.0 / a),
        _ => apply(f, Right(a, b), out),
    }
}

#[inline(always)]
fn apply(f: Function, operands: impl Operands, out: &mut [f32]) {
    match f {
        Function::Add => pairs!(operands => out, |a, b| a + b),
        Function::Sub => pairs!(operands => out, |a, b| a - b),
        Function::Mul => pairs!(operands => out, |a, b| a * b),
        Function::Div => pairs!(operands => out, |a, b| a / b),
        Function::Pow => wide::pow(operands, out),
        Function::Rem => pairs!(operands => out, |a, b| wide::rem(a, b)),
        Function::Min => pairs!(operands => out, |a, b| f32::min(a, b)),
        Function::Max => pairs!(operands => out, |a, b| f32::max(a, b)),
        Function::Less => pairs!(operands => out, |a, b| number(a < b)),
        Function::AtMost => pairs!(operands => out, |a, b| number(a <= b)),
        Function::Equal => pairs!(operands => out, |a, b| number(a == b)),
        Function::Neg
        | Function::Abs
        | Function::Sign
        | Function::Floor
        | Function::Round
        | Function::Stop
        | Function::Exp
        | Function::Expm1
        | Function::Log
        | Function::Log1p
        | Function::Sqrt
        | Function::Sin
        | Function::Cos
        | Function::Tanh
        | Function::Erf
        | Function::Sigmoid
        | Function::LogSigmoid
        | Function::Softplus
        | Function::InvSoftplus
        | Function::Silu
        | Function::Gelu
        | Function::Relu
        | Function::Where => refuse(f, 2),
    }
}

#[cold]
#[inline(never)]
fn refuse(f: Function, given: usize) {
    panic!("{} takes {} arguments, not {given}", f.name(), f.arity());
}

/// 0 at 0 of either sign.
#[inline(always)]
fn sign(x: f32) -> f32 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        // 0 or not a number.
        x.abs()
    }
}

#[inline(always)]
fn number(condition: bool) -> f32 {
    if condition { 1.0 } else { 0.0 }
}
