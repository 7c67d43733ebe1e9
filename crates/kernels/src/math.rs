//! Scalar functions over slices.
//!
//! In: a function and slices of one length. Out: the function of each element, by the instructions the processor has.
//! What the functions mean is said by [`Function::eval`]; how far each is from it, by the table in `approximate`.
//! Everything else is a loop over slices: sums into slices, and the dot product in an order of its own.
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

use crate::level::{Level, leveled, mad};
use loops::{Both, Left, Operands, Right, map};

/// Lanes of a sum: element `i` enters partial sum `i % LANES`.
pub(crate) const LANES: usize = 16;

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

/// `out[i]` is `a[i]` where `c[i]` is not 0, else `b[i]`: a selection, never a product.
///
/// # Panics
/// Where the lengths differ.
pub fn select(c: &[f32], a: &[f32], b: &[f32], out: &mut [f32]) {
    select_at(Level::best(), c, a, b, out);
}

/// `out[i] = a[i] * b[i] + c[i]`, rounded once where the level [fuses](Level::is_fused), else twice.
///
/// # Panics
/// Where the lengths differ.
pub fn multiply_add(a: &[f32], b: &[f32], c: &[f32], out: &mut [f32]) {
    multiply_add_at(Level::best(), a, b, c, out);
}

/// `out[i] = value`.
pub fn fill(value: f32, out: &mut [f32]) {
    out.fill(value);
}

/// `out[i] += x[i]`.
///
/// # Panics
/// Where the lengths differ.
pub fn add_to(x: &[f32], out: &mut [f32]) {
    add_to_at(Level::best(), x, out);
}

/// `out[i] += a * x[i]`, rounded as [`multiply_add`].
///
/// # Panics
/// Where the lengths differ.
pub fn scale_add_to(a: f32, x: &[f32], out: &mut [f32]) {
    scale_add_to_at(Level::best(), a, x, out);
}

/// `out[i] += a[i] * b[i]`, rounded as [`multiply_add`].
///
/// # Panics
/// Where the lengths differ.
pub fn multiply_add_to(a: &[f32], b: &[f32], out: &mut [f32]) {
    multiply_add_to_at(Level::best(), a, b, out);
}

/// The sum of `a[i] * b[i]`: 16 partial sums, element `i` in that of `i % 16`, each product rounded as in
/// [`multiply_add`]; then the two halves of the partial sums are added until one is left.
///
/// # Panics
/// Where the lengths differ.
#[must_use]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    dot_at(Level::best(), a, b)
}

leveled! { pub(crate) fn unary_at(f: Function, x: &[f32], out: &mut [f32]) = unary_body }
leveled! { pub(crate) fn both_at(f: Function, a: &[f32], b: &[f32], out: &mut [f32]) = both_body }
leveled! { pub(crate) fn left_at(f: Function, a: f32, b: &[f32], out: &mut [f32]) = left_body }
leveled! { pub(crate) fn right_at(f: Function, a: &[f32], b: f32, out: &mut [f32]) = right_body }
leveled! { fn select_at(c: &[f32], a: &[f32], b: &[f32], out: &mut [f32]) = select_body }
leveled! { fn multiply_add_at(a: &[f32], b: &[f32], c: &[f32], out: &mut [f32]) = multiply_add_body }
leveled! { fn add_to_at(x: &[f32], out: &mut [f32]) = add_to_body }
leveled! { fn scale_add_to_at(a: f32, x: &[f32], out: &mut [f32]) = scale_add_to_body }
leveled! { fn multiply_add_to_at(a: &[f32], b: &[f32], out: &mut [f32]) = multiply_add_to_body }
leveled! { pub(crate) fn dot_at(a: &[f32], b: &[f32]) -> f32 = dot_body }

#[inline(always)]
fn unary_body<const FUSED: bool>(f: Function, x: &[f32], out: &mut [f32]) {
    match f {
        Function::Neg => map(x, out, |x| -x),
        Function::Abs => map(x, out, f32::abs),
        Function::Sign => map(x, out, sign),
        Function::Floor => map(x, out, f32::floor),
        Function::Round => map(x, out, f32::round),
        Function::Stop => out.copy_from_slice(x),
        Function::Exp => map(x, out, approximate::exp::<FUSED>),
        Function::Expm1 => map(x, out, approximate::expm1::<FUSED>),
        Function::Log => map(x, out, approximate::log::<FUSED>),
        Function::Log1p => map(x, out, approximate::log1p::<FUSED>),
        Function::Sqrt => map(x, out, f32::sqrt),
        Function::Sin => wide::sin(x, out),
        Function::Cos => wide::cos(x, out),
        Function::Tanh => map(x, out, approximate::tanh::<FUSED>),
        Function::Erf => map(x, out, approximate::erf::<FUSED>),
        Function::Sigmoid => map(x, out, approximate::sigmoid::<FUSED>),
        Function::LogSigmoid => map(x, out, |x| -approximate::softplus::<FUSED>(-x)),
        Function::Softplus => map(x, out, approximate::softplus::<FUSED>),
        Function::InvSoftplus => map(x, out, approximate::inv_softplus::<FUSED>),
        Function::Silu => map(x, out, |x| x * approximate::sigmoid::<FUSED>(x)),
        Function::Gelu => map(x, out, approximate::gelu::<FUSED>),
        Function::Relu => map(x, out, |x| if x > 0.0 { x } else { 0.0 }),
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
        Function::Pow if b == 2.0 => map(a, out, |a| a * a),
        Function::Pow if b == -1.0 => map(a, out, |a| 1.0 / a),
        _ => apply(f, Right(a, b), out),
    }
}

#[inline(always)]
fn apply(f: Function, operands: impl Operands, out: &mut [f32]) {
    match f {
        Function::Add => operands.each(out, |a, b| a + b),
        Function::Sub => operands.each(out, |a, b| a - b),
        Function::Mul => operands.each(out, |a, b| a * b),
        Function::Div => operands.each(out, |a, b| a / b),
        Function::Pow => wide::pow(operands, out),
        Function::Rem => operands.each(out, wide::rem),
        Function::Min => operands.each(out, f32::min),
        Function::Max => operands.each(out, f32::max),
        Function::Less => operands.each(out, |a, b| number(a < b)),
        Function::AtMost => operands.each(out, |a, b| number(a <= b)),
        Function::Equal => operands.each(out, |a, b| number(a == b)),
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

#[inline(always)]
fn select_body<const FUSED: bool>(c: &[f32], a: &[f32], b: &[f32], out: &mut [f32]) {
    let (n, [c, a, b]) = (out.len(), equal(out.len(), [c, a, b]));
    for i in 0..n {
        out[i] = if c[i] != 0.0 { a[i] } else { b[i] };
    }
}

#[inline(always)]
fn multiply_add_body<const FUSED: bool>(a: &[f32], b: &[f32], c: &[f32], out: &mut [f32]) {
    let (n, [a, b, c]) = (out.len(), equal(out.len(), [a, b, c]));
    for i in 0..n {
        out[i] = mad::<FUSED>(a[i], b[i], c[i]);
    }
}

#[inline(always)]
fn add_to_body<const FUSED: bool>(x: &[f32], out: &mut [f32]) {
    let (n, [x]) = (out.len(), equal(out.len(), [x]));
    for i in 0..n {
        out[i] += x[i];
    }
}

#[inline(always)]
fn scale_add_to_body<const FUSED: bool>(a: f32, x: &[f32], out: &mut [f32]) {
    let (n, [x]) = (out.len(), equal(out.len(), [x]));
    for i in 0..n {
        out[i] = mad::<FUSED>(a, x[i], out[i]);
    }
}

#[inline(always)]
fn multiply_add_to_body<const FUSED: bool>(a: &[f32], b: &[f32], out: &mut [f32]) {
    let (n, [a, b]) = (out.len(), equal(out.len(), [a, b]));
    for i in 0..n {
        out[i] = mad::<FUSED>(a[i], b[i], out[i]);
    }
}

#[inline(always)]
fn dot_body<const FUSED: bool>(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "a dot product is of slices of one length");
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for i in 0..LANES {
            sums[i] = mad::<FUSED>(a[i], b[i], sums[i]);
        }
    }
    for (i, (a, b)) in a_rest.iter().zip(b_rest).enumerate() {
        sums[i] = mad::<FUSED>(*a, *b, sums[i]);
    }
    fold(sums, |a, b| a + b)
}

/// One number of all lanes: the two halves are joined until one lane is left.
#[inline(always)]
pub(crate) fn fold<T: Copy>(mut lanes: [T; LANES], join: impl Fn(T, T) -> T) -> T {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] = join(lanes[i], lanes[i + half]);
        }
        half /= 2;
    }
    lanes[0]
}

/// The slices, each `n` long: said once, so that loops need not ask.
#[inline(always)]
fn equal<const N: usize>(n: usize, slices: [&[f32]; N]) -> [&[f32]; N] {
    slices.map(|slice| {
        assert_eq!(slice.len(), n, "the slices of one operation have one length");
        &slice[..n]
    })
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
