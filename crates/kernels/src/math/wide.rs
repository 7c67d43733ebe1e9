//! Sine, cosine, powers and remainders: computed in f64, rounded once to f32.
//!
//! In: slices. Out: each result is the exact one rounded, or its neighbor where the exact one lies within a thousandth of
//! the middle of two. Within bounds that vectors can keep, the loop is one over vectors; what lies beyond is marked by
//! NaN there, and computed by the standard library after it.
//!
//! Not here: what f32 is good enough for.

use super::approximate::split;
use super::loops::{Operands, map, pairs};

/// `1.5 * 2^52`: a number below `2^51` that is added to it is rounded to a whole one, which stands in the low bits.
const MAGIC: f64 = 6_755_399_441_055_744.0;

/// The largest angle that is reduced in vectors: its quotient by `pi / 2` has 20 bits.
const FARTHEST: f32 = 1e6;

/// The upper 33 bits of `pi / 2`, so that a product with a number of 20 bits is exact, and what is left of it.
const HALF_PI_HIGH: f64 = 1.570_796_326_734_125_6;
const HALF_PI_LOW: f64 = 6.077_100_506_506_192e-11;

/// `c[0] + c[1] x + c[2] x^2 + ..`
#[inline(always)]
fn polynomial<const N: usize>(x: f64, c: [f64; N]) -> f64 {
    let mut y = c[N - 1];
    for i in (0..N - 1).rev() {
        y = y * x + c[i];
    }
    y
}

/// Sines of angles in radians.
#[inline(always)]
pub(super) fn sin(x: &[f32], out: &mut [f32]) {
    map!(x => &mut *out, |x| if x.abs() <= FARTHEST { circle(x, 0) } else { f32::NAN });
    patch(out, |i| f64::from(x[i]).sin() as f32);
}

/// Cosines of angles in radians.
#[inline(always)]
pub(super) fn cos(x: &[f32], out: &mut [f32]) {
    map!(x => &mut *out, |x| if x.abs() <= FARTHEST { circle(x, 1) } else { f32::NAN });
    patch(out, |i| f64::from(x[i]).cos() as f32);
}

/// `sin(x + turns * pi / 2)`, by the series of Taylor around the next multiple of `pi / 2`.
#[inline(always)]
fn circle(x: f32, turns: u64) -> f32 {
    let x = f64::from(x);
    let shifted = x * std::f64::consts::FRAC_2_PI + MAGIC;
    let whole = shifted - MAGIC;
    let r = (x - whole * HALF_PI_HIGH) - whole * HALF_PI_LOW;
    let square = r * r;
    let sine = [1.0, -1.0 / 6.0, 1.0 / 120.0, -1.0 / 5_040.0, 1.0 / 362_880.0, -1.0 / 39_916_800.0];
    let cosine = [1.0, -0.5, 1.0 / 24.0, -1.0 / 720.0, 1.0 / 40_320.0, -1.0 / 3_628_800.0, 1.0 / 479_001_600.0];
    let quadrant = shifted.to_bits().wrapping_add(turns);
    let y = if quadrant & 1 == 0 { r * polynomial(square, sine) } else { polynomial(square, cosine) };
    f64::from_bits(y.to_bits() ^ ((quadrant & 2) << 62)) as f32
}

/// Powers: `2^(b log2 a)` where `a` is positive and both are finite, and as the standard library has them elsewhere.
#[inline(always)]
pub(super) fn pow(operands: impl Operands, out: &mut [f32]) {
    pairs!(operands => &mut *out, |a, b| {
        let ordinary = (a > 0.0) & (a < f32::INFINITY) & (b.abs() < f32::INFINITY);
        if ordinary { exp2(f64::from(b) * log2(a)) } else { f32::NAN }
    });
    patch(out, |i| {
        let (a, b) = operands.at(i);
        a.powf(b)
    });
}

/// `log2 x` of a positive finite number: with `s = (m - 1) / (m + 1)`, `log m = 2 (s + s^3 / 3 + s^5 / 5 + ..)`.
#[inline(always)]
fn log2(x: f32) -> f64 {
    let (m, e) = split(x);
    let m = f64::from(m);
    let s = (m - 1.0) / (m + 1.0);
    let series = [1.0, 1.0 / 3.0, 1.0 / 5.0, 1.0 / 7.0, 1.0 / 9.0, 1.0 / 11.0, 1.0 / 13.0, 1.0 / 15.0];
    f64::from(e) + 2.0 * std::f64::consts::LOG2_E * s * polynomial(s * s, series)
}

/// `2^x` as f32: 0 below its range, infinite above.
#[inline(always)]
fn exp2(x: f64) -> f32 {
    let x = x.clamp(-200.0, 200.0);
    let shifted = x + MAGIC;
    let r = (x - (shifted - MAGIC)) * std::f64::consts::LN_2;
    let series = [
        1.0,
        1.0,
        1.0 / 2.0,
        1.0 / 6.0,
        1.0 / 24.0,
        1.0 / 120.0,
        1.0 / 720.0,
        1.0 / 5_040.0,
        1.0 / 40_320.0,
        1.0 / 362_880.0,
        1.0 / 3_628_800.0,
    ];
    let bits = polynomial(r, series).to_bits();
    f64::from_bits(bits.wrapping_add(shifted.to_bits() << 52)) as f32
}

/// `a - b floor(a / b)`, without the loss of f32 where the quotient is all but whole.
#[inline(always)]
pub(super) fn rem(a: f32, b: f32) -> f32 {
    let (a, b) = (f64::from(a), f64::from(b));
    (a - b * (a / b).floor()) as f32
}

/// Computes again, one by one, what is not a number.
#[inline(always)]
fn patch(out: &mut [f32], f: impl Fn(usize) -> f32) {
    if out.iter().fold(false, |found, y| found | y.is_nan()) {
        for (i, y) in out.iter_mut().enumerate().filter(|(_, y)| y.is_nan()) {
            *y = f(i);
        }
    }
}
