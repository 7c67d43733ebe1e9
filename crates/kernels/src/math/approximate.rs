//! Exponential, logarithm and their kin in f32, one element at a time, without a branch: a loop over them becomes vectors.
//!
//! In: a number. Out: the function of it, right for zeros of either sign, subnormal numbers, infinities and NaN.
//! Coefficients are minimax fits of relative error by the algorithm of Remez, rounded to f32 from the lowest power on,
//! each with the rest fitted again. Reductions of arguments follow Cody and Waite ("Software Manual for the Elementary
//! Functions", 1980).
//!
//! The largest errors, in units of the last place of the result:
//!
//! | function | error | |
//! | --- | --- | --- |
//! | `exp`, `log`, `log1p`, `erf` | 1 | |
//! | `expm1` | 1.5 | |
//! | `log_sigmoid`, `softplus` | 2 | |
//! | `sigmoid`, `tanh` | 2.5 | |
//! | `silu` | 3 | of results above 1e-35; smaller ones have the absolute error of those |
//! | `inv_softplus` | 2 | of results above 1, in the same way: it crosses 0 at `log 2` |
//! | `gelu` | 6 | of results above 0.1, in the same way: its tail is a small exponential of a large number |
//!
//! Not here: the loops, and what is computed in f64.

use crate::level::mad;

/// `1.5 * 2^23`: a number below `2^22` that is added to it is rounded to a whole one, which stands in the low bits.
const MAGIC: f32 = 12_582_912.0;

/// The upper 15 bits of `ln 2`, so that a product with a number of 9 bits is exact, and what is left of it.
const LN_2_HIGH: f32 = 0.693_145_75;
const LN_2_LOW: f32 = 1.428_606_8e-6;

/// The bits of `sqrt(1/2)`: mantissas are taken from there to its double.
const ROOT_HALF: i32 = 0x3f35_04f3;

/// Below this, `x` is what `expm1`, `log1p` round to.
const TINY: f32 = 1.0 / 16_777_216.0;

/// `c[0] + c[1] x + c[2] x^2 + ..`
#[inline(always)]
fn polynomial<const FUSED: bool, const N: usize>(x: f32, c: [f32; N]) -> f32 {
    let mut y = c[N - 1];
    for i in (0..N - 1).rev() {
        y = mad::<FUSED>(y, x, c[i]);
    }
    y
}

/// `x`, at least `low` and at most `high`; NaN stays.
#[inline(always)]
fn clamp(x: f32, low: f32, high: f32) -> f32 {
    let x = if x > high { high } else { x };
    if x < low { low } else { x }
}

/// `2^n` for `n` in -126..=127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// `e^x = 2^n (1 + p)`: the pair `(n, p)`, for `|x| < 1000`.
#[inline(always)]
fn split_exp<const FUSED: bool>(x: f32) -> (i32, f32) {
    let shifted = mad::<FUSED>(x, std::f32::consts::LOG2_E, MAGIC);
    let whole = shifted - MAGIC;
    let r = mad::<FUSED>(whole, -LN_2_LOW, mad::<FUSED>(whole, -LN_2_HIGH, x));
    let c = [0.5, 1.666_663_4e-1, 4.166_650_4e-2, 8.341_71e-3, 1.393_153_3e-3, 1.504_127_4e-4];
    let p = mad::<FUSED>(r * r, polynomial::<FUSED, 6>(r, c), r);
    ((shifted.to_bits() as i32).wrapping_sub(MAGIC.to_bits() as i32), p)
}

/// `e^x`
#[inline(always)]
pub(crate) fn exp<const FUSED: bool>(x: f32) -> f32 {
    // Outside, the result is 0 or infinite.
    let (n, p) = split_exp::<FUSED>(clamp(x, -104.0, 89.0));
    // In two steps: `2^n` alone may be too small or too large for a normal number.
    let half = n >> 1;
    (1.0 + p) * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// `e^x - 1`
#[inline(always)]
pub(crate) fn expm1<const FUSED: bool>(x: f32) -> f32 {
    // Below -20 the result is -1.
    let (n, p) = split_exp::<FUSED>(clamp(x, -20.0, 89.0));
    // Half of it, as `2^128` is no number.
    let half = power_of_two(n.wrapping_sub(1));
    let y = 2.0 * mad::<FUSED>(half, p, half - 0.5);
    if x.abs() < TINY { x } else { y }
}

/// `x = m 2^e` with `m` between `sqrt(1/2)` and `sqrt(2)`: the pair `(m, e)`, for `x` above 0 and below infinity.
#[inline(always)]
pub(super) fn split(x: f32) -> (f32, f32) {
    let subnormal = x < f32::MIN_POSITIVE;
    let bits = (if subnormal { x * 8_388_608.0 } else { x }).to_bits() as i32;
    let bits = bits.wrapping_sub(ROOT_HALF);
    let m = f32::from_bits((bits & 0x007f_ffff).wrapping_add(ROOT_HALF) as u32);
    (m, (bits >> 23) as f32 - if subnormal { 23.0 } else { 0.0 })
}

/// `log(1 + f) + e log(2) + rest`, for `f` between `sqrt(1/2) - 1` and `sqrt(2) - 1`, and a small rest.
#[inline(always)]
fn join_log<const FUSED: bool>(f: f32, e: f32, rest: f32) -> f32 {
    let c = [
        3.333_331_3e-1,
        -2.500_017_6e-1,
        2.000_223e-1,
        -1.665_890_4e-1,
        1.420_908_7e-1,
        -1.255_712_2e-1,
        1.211_936e-1,
        -1.087_872_76e-1,
        5.272_589_6e-2,
    ];
    let square = f * f;
    let cubic = mad::<FUSED>(f * square, polynomial::<FUSED, 9>(f, c), mad::<FUSED>(e, LN_2_LOW, rest));
    mad::<FUSED>(e, LN_2_HIGH, f + mad::<FUSED>(-0.5, square, cubic))
}

/// `y`, but where the logarithm of `x` is none of a positive number: of 0, of less, of infinity, of NaN.
#[inline(always)]
fn guard_log(x: f32, y: f32) -> f32 {
    let special = if x < 0.0 { f32::NAN } else { x };
    let special = if x == 0.0 { f32::NEG_INFINITY } else { special };
    if (x > 0.0) & (x < f32::INFINITY) { y } else { special }
}

/// The natural logarithm.
#[inline(always)]
pub(crate) fn log<const FUSED: bool>(x: f32) -> f32 {
    let (m, e) = split(x);
    guard_log(x, join_log::<FUSED>(m - 1.0, e, 0.0))
}

/// `log(1 + x)`
#[inline(always)]
pub(crate) fn log1p<const FUSED: bool>(x: f32) -> f32 {
    let sum = 1.0 + x;
    let (m, e) = split(sum);
    // What the sum has lost; where `e` is 0, nothing is lost, as `x` itself is used.
    let lost = if x > 1.0 { 1.0 - (sum - x) } else { x - (sum - 1.0) };
    let near = e == 0.0;
    let y = join_log::<FUSED>(if near { x } else { m - 1.0 }, e, if near { 0.0 } else { lost / sum });
    if x.abs() < TINY { x } else { guard_log(sum, y) }
}

/// The hyperbolic tangent: `-t / (t + 2)` with `t = e^(-2|x|) - 1`, and the sign of `x`.
#[inline(always)]
pub(crate) fn tanh<const FUSED: bool>(x: f32) -> f32 {
    let t = expm1::<FUSED>(-2.0 * x.abs());
    (-t / (t + 2.0)).copysign(x)
}

/// `1 / (1 + e^-x)`; the exponential is of a negative number, so that small results keep their digits.
#[inline(always)]
pub(crate) fn sigmoid<const FUSED: bool>(x: f32) -> f32 {
    let e = exp::<FUSED>(-x.abs());
    (if x >= 0.0 { 1.0 } else { e }) / (1.0 + e)
}

/// `log(1 + e^x)`
#[inline(always)]
pub(crate) fn softplus<const FUSED: bool>(x: f32) -> f32 {
    // Between 0 and 1, so that the sum with 1 need not be made: it is twice `1 + (e - 1) / 2` where it is large.
    let e = exp::<FUSED>(-x.abs());
    let large = e > 0.414_213_56;
    let log = join_log::<FUSED>(if large { 0.5 * e - 0.5 } else { e }, if large { 1.0 } else { 0.0 }, 0.0);
    (if x > 0.0 { x } else { 0.0 }) + log
}

/// `log(e^x - 1)`
#[inline(always)]
pub(crate) fn inv_softplus<const FUSED: bool>(x: f32) -> f32 {
    x + log::<FUSED>(-expm1::<FUSED>(-x))
}

/// `x Phi(x)` by its tanh approximation, which is `x sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3))`.
#[inline(always)]
pub(crate) fn gelu<const FUSED: bool>(x: f32) -> f32 {
    let (linear, cubic) = (1.595_769, 0.071_354_814);
    x * sigmoid::<FUSED>(x * mad::<FUSED>(cubic, x * x, linear))
}

/// The error function: `x + x P(x^2)` near 0, and `1 - e^(-|x| Q(|x|))` with the sign of `x` elsewhere.
#[inline(always)]
pub(crate) fn erf<const FUSED: bool>(x: f32) -> f32 {
    let p = [
        1.283_791_7e-1,
        -3.761_264_7e-1,
        1.128_389_4e-1,
        -2.686_912e-2,
        5.221_987_6e-3,
        -8.346_786_5e-4,
        9.101_556_5e-5,
    ];
    let q = [1.128_648_5, 6.351_512e-1, 1.062_370_3e-1, -2.376_216e-2, 3.642_481_3e-3, -3.228_007_4e-4, 1.122_983_1e-5];
    let near = mad::<FUSED>(x, polynomial::<FUSED, 7>(x * x, p), x);
    // From 4 on the result is 1.
    let t = clamp(x.abs(), 0.0, 4.0);
    let far = (1.0 - exp::<FUSED>(-t * polynomial::<FUSED, 7>(t, q))).copysign(x);
    if t > 0.92 { far } else { near }
}
