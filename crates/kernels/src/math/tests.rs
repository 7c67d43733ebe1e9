//! Functions against their meaning in f64, over samples of all numbers, on every path of the processor.
//!
//! `GENESYS_SWEEP=all` takes all 2^32 of them, and prints the largest errors.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a sweep prints what it found

use genesys_scalar::Function;

use super::*;
use crate::level::Level;

/// Numbers at which functions are hard.
const HARD: [f32; 40] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    1.5,
    -2.5,
    f32::MIN_POSITIVE,
    -f32::MIN_POSITIVE,
    1e-45,
    -1e-45,
    1e-40,
    -1e-40,
    f32::MAX,
    f32::MIN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    f32::EPSILON,
    -f32::EPSILON,
    0.999_999_94,
    -0.999_999_94,
    1.000_000_1,
    88.722_83,
    88.722_84,
    89.0,
    -87.336_55,
    -103.278_93,
    -103.972_08,
    -104.0,
    -110.0,
    16.635_532,
    -17.5,
    std::f32::consts::LN_2,
    std::f32::consts::FRAC_PI_2,
    -std::f32::consts::PI,
    1e5,
    -1e6,
    1e10,
];

/// How far from its meaning a function may be: in units of the last place of the result, or of `floor` where that is
/// larger.
struct Bound {
    f: Function,
    ulp: f64,
    floor: f64,
}

const fn bound(f: Function, ulp: f64, floor: f64) -> Bound {
    Bound { f, ulp, floor }
}

const BOUNDS: [Bound; 22] = [
    bound(Function::Neg, 0.0, 0.0),
    bound(Function::Abs, 0.0, 0.0),
    bound(Function::Sign, 0.0, 0.0),
    bound(Function::Floor, 0.0, 0.0),
    bound(Function::Round, 0.0, 0.0),
    bound(Function::Stop, 0.0, 0.0),
    bound(Function::Exp, 1.0, 0.0),
    bound(Function::Expm1, 1.5, 0.0),
    bound(Function::Log, 1.0, 0.0),
    bound(Function::Log1p, 1.0, 0.0),
    bound(Function::Sqrt, 0.5, 0.0),
    bound(Function::Sin, 0.501, 0.0),
    bound(Function::Cos, 0.501, 0.0),
    bound(Function::Tanh, 2.5, 0.0),
    bound(Function::Erf, 1.0, 0.0),
    bound(Function::Sigmoid, 2.5, 0.0),
    bound(Function::LogSigmoid, 2.0, 0.0),
    bound(Function::Softplus, 2.0, 0.0),
    bound(Function::InvSoftplus, 2.0, 1.0),
    bound(Function::Silu, 3.0, 1e-35),
    bound(Function::Gelu, 6.0, 0.1),
    bound(Function::Relu, 0.0, 0.0),
];

/// The distance of `got` from `want` in units of the last place of f32 numbers of the size of `want`, or of `floor`.
fn distance(got: f32, want: f64, floor: f64) -> f64 {
    let rounded = want as f32;
    if rounded.is_nan() || got.is_nan() {
        return if rounded.is_nan() && got.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if got == rounded {
        return if rounded.is_infinite() { 0.0 } else { ((f64::from(got) - want) / unit(want, floor)).abs() };
    }
    // Infinity stands for what follows the largest number.
    let value = |x: f32| if x.is_infinite() { 2.0_f64.powi(128).copysign(f64::from(x)) } else { f64::from(x) };
    let want = want.clamp(-2.0_f64.powi(128), 2.0_f64.powi(128));
    ((value(got) - want) / unit(want, floor)).abs()
}

fn unit(want: f64, floor: f64) -> f64 {
    let exponent = want.abs().max(floor).max(f64::from(f32::MIN_POSITIVE)).log2().floor().min(127.0);
    2.0_f64.powf(exponent - 23.0)
}

/// Bit patterns of the sweep, some thousand at a time.
fn sweep() -> impl Iterator<Item = Vec<f32>> {
    let all = std::env::var("GENESYS_SWEEP").is_ok_and(|what| what == "all");
    // A prime, so that every exponent and all kinds of mantissas are met.
    let step = if all { 1 } else { 9_973 };
    let mut next = 0_u64;
    std::iter::from_fn(move || {
        let part: Vec<f32> = (0..4096)
            .map(|i| next + i * step)
            .take_while(|bits| *bits <= u64::from(u32::MAX))
            .map(|bits| f32::from_bits(bits as u32))
            .collect();
        next += 4096 * step;
        (!part.is_empty()).then_some(part)
    })
}

#[test]
fn functions_are_as_near_to_their_meaning_as_is_said() {
    let mut above = Vec::new();
    for Bound { f, ulp, floor } in BOUNDS {
        for level in Level::available() {
            let mut worst = (0.0, 0.0_f32);
            for x in std::iter::once(HARD.to_vec()).chain(sweep()) {
                let mut out = vec![0.0; x.len()];
                unary_at(level, f, &x, &mut out);
                for (x, y) in x.iter().zip(&out) {
                    let off = distance(*y, f.eval(&[f64::from(*x)]), floor);
                    if off > worst.0 {
                        worst = (off, *x);
                    }
                }
            }
            println!("{:12} {level:?}: {:.3} at {:e}", f.name(), worst.0, worst.1);
            if worst.0 > ulp {
                above.push((f, level, worst));
            }
        }
    }
    assert!(above.is_empty(), "farther than is said: {above:?}");
}

#[test]
fn every_function_of_one_argument_has_a_bound() {
    let bounded: Vec<Function> = BOUNDS.iter().map(|bound| bound.f).collect();
    let unary: Vec<Function> = Function::ALL.into_iter().filter(|f| f.arity() == 1).collect();
    assert_eq!(bounded, unary);
}

#[test]
fn odd_functions_keep_the_sign_of_zero() {
    for level in Level::available() {
        for f in [
            Function::Expm1,
            Function::Log1p,
            Function::Sin,
            Function::Tanh,
            Function::Erf,
            Function::Sqrt,
            Function::Stop,
        ] {
            let mut out = [1.0; 2];
            unary_at(level, f, &[0.0, -0.0], &mut out);
            assert_eq!(out.map(f32::to_bits), [0.0_f32, -0.0].map(f32::to_bits), "{} on {level:?}", f.name());
        }
    }
}

#[test]
fn functions_of_two_arguments_are_their_meaning_rounded() {
    let binary = Function::ALL.into_iter().filter(|f| f.arity() == 2);
    for (f, level) in binary.flat_map(|f| Level::available().into_iter().map(move |level| (f, level))) {
        let allowed = if f == Function::Pow { 0.501 } else { 0.5 };
        for a in HARD {
            let (mut both, mut left, mut right) = ([0.0; 40], [0.0; 40], [0.0; 40]);
            both_at(level, f, &[a; 40], &HARD, &mut both);
            left_at(level, f, a, &HARD, &mut left);
            for (i, b) in HARD.into_iter().enumerate() {
                let off = distance(both[i], f.eval(&[f64::from(a), f64::from(b)]), 0.0);
                assert!(off <= allowed, "{}({a:e}, {b:e}) on {level:?} is {off} off: {:e}", f.name(), both[i]);
                assert!(left[i].to_bits() == both[i].to_bits() || left[i].is_nan() && both[i].is_nan());
            }
            right_at(level, f, &HARD, a, &mut right);
            for (i, x) in HARD.into_iter().enumerate() {
                let off = distance(right[i], f.eval(&[f64::from(x), f64::from(a)]), 0.0);
                assert!(off <= allowed, "{}({x:e}, {a:e}) on {level:?} is {off} off: {:e}", f.name(), right[i]);
            }
        }
    }
}

#[test]
fn functions_of_other_arities_and_lengths_are_refused() {
    let refused = |f: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_err();
    assert!(refused(&|| unary(Function::Add, &[1.0], &mut [0.0])));
    assert!(refused(&|| binary(Function::Exp, &[1.0], &[1.0], &mut [0.0])));
    assert!(refused(&|| binary_left(Function::Where, 1.0, &[1.0], &mut [0.0])));
    assert!(refused(&|| unary(Function::Exp, &[1.0], &mut [0.0; 2])));
    assert!(refused(&|| binary(Function::Add, &[1.0; 2], &[1.0], &mut [0.0; 2])));
}
