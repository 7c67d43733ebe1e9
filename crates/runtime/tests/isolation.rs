//! Causality and separation of items, to the bit: what comes later, or stands in another row, may
//! change or be NaN.
#![allow(clippy::unwrap_used)]

mod support;

use genesys_ir::module::Module;
use genesys_runtime::candle_core::{DType, Var};
use support::{block, designs, noise, numbers, tensor, width};

const ROWS: usize = 2;

/// Outputs at the first `keep` positions of row 0, and the gradient of their weighted sum there;
/// then the gradients of all weights.
fn at_the_start(module: &Module, dtype: DType, x: &[f64], t: usize, keep: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let (block, d) = (block(module, dtype), width(module));
    let x = Var::from_tensor(&tensor(x, (ROWS, t, d), dtype)).unwrap();
    let y = block.run(&x).unwrap().narrow(0, 0, 1).unwrap().narrow(1, 0, keep).unwrap();
    let c = tensor(&noise(y.elem_count(), 5), y.dims3().unwrap(), dtype);
    let store = (&y * c).unwrap().sum_all().unwrap().backward().unwrap();
    let gradient = store.get(&x).unwrap().narrow(0, 0, 1).unwrap().narrow(1, 0, keep).unwrap();
    let weights = block.parameters().iter().flat_map(|p| numbers(store.get(&p.var).unwrap())).collect();
    (numbers(&y), numbers(&gradient), weights)
}

fn bits(x: &[f64]) -> Vec<u64> {
    // Zero has two signs, and a sum that gains a term of zero may change it.
    x.iter().map(|v| (v + 0.0).to_bits()).collect()
}

/// The input with everything after `keep` of row 0, and all of row 1, made by `f`.
fn elsewhere(x: &[f64], t: usize, d: usize, keep: usize, f: impl Fn(f64) -> f64) -> Vec<f64> {
    x.iter().enumerate().map(|(i, v)| if i < keep * d && i < t * d { *v } else { f(*v) }).collect()
}

fn check(name: &str, module: &Module, dtype: DType, (t, keep): (usize, usize), attends: bool) {
    let d = width(module);
    let x = noise(ROWS * t * d, 17);
    let (y, gradient, weights) = at_the_start(module, dtype, &x, t, keep);
    assert!(y.iter().chain(&gradient).chain(&weights).all(|v| v.is_finite()), "{name}");
    let other = elsewhere(&x, t, d, keep, |v| 1.0 - 2.0 * v);
    let (y2, gradient2, weights2) = at_the_start(module, dtype, &other, t, keep);
    assert_eq!(bits(&y), bits(&y2), "{name}: values at {keep} of {t} after a change later");
    assert_eq!(bits(&gradient), bits(&gradient2), "{name}: gradients at {keep} of {t} after a change later");
    assert_eq!(bits(&weights), bits(&weights2), "{name}: weights' gradients at {keep} of {t}");
    let poisoned = elsewhere(&x, t, d, keep, |_| f64::NAN);
    let (y3, gradient3, _) = at_the_start(module, dtype, &poisoned, t, keep);
    assert_eq!(bits(&y), bits(&y3), "{name}: values at {keep} of {t} with NaN later");
    if attends {
        assert_eq!(bits(&gradient), bits(&gradient3), "{name}: gradients at {keep} of {t} with NaN later");
    }
}

#[test]
fn the_future_and_other_rows_change_nothing() {
    for (name, module, attends) in designs::all() {
        for shape in [(1, 1), (2, 1), (63, 40), (64, 63), (65, 64), (100, 64)] {
            check(name, &module, DType::F32, shape, attends);
        }
        check(name, &module, DType::F64, (33, 16), attends);
    }
}

#[test]
fn what_is_seen_does_reach() {
    for (name, module, _) in designs::all() {
        let (t, d) = (9, width(&module));
        let x = noise(ROWS * t * d, 23);
        let (y, ..) = at_the_start(&module, DType::F64, &x, t, t);
        let poisoned: Vec<f64> = x.iter().enumerate().map(|(i, v)| if i < d { f64::NAN } else { *v }).collect();
        let (y2, ..) = at_the_start(&module, DType::F64, &poisoned, t, t);
        assert_ne!(bits(&y), bits(&y2), "{name}: a NaN at the first position reaches something");
    }
}
