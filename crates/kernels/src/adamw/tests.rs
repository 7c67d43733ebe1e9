//! The update against the formula, bit by bit, and the squares against a sum in another order.

use proptest::prelude::*;

use super::*;

const UPDATE: Update = Update {
    scale: 0.7,
    beta1: 0.9,
    beta2: 0.95,
    fresh1: 0.1,
    fresh2: 0.05,
    rate: 0.01,
    root: 1.5,
    epsilon: 1e-8,
    kept: 0.999,
};

/// The formula, one element at a time: new weight and moments.
fn plain(u: &Update, [w, g, m, v]: [f32; 4]) -> [f32; 3] {
    let g = g * u.scale;
    let m = u.beta1 * m + u.fresh1 * g;
    let v = u.beta2 * v + u.fresh2 * g * g;
    [u.kept * w - u.rate * m / (v.sqrt() * u.root + u.epsilon), m, v]
}

proptest! {
    #[test]
    fn an_update_is_the_formula_to_the_bit(
        rows in prop::collection::vec((-2.0_f32..2.0, -9.0_f32..9.0, -1.0_f32..1.0, 0.0_f32..1.0), 0..100)
    ) {
        let column = |f: fn(&(f32, f32, f32, f32)) -> f32| rows.iter().map(f).collect::<Vec<f32>>();
        let start = [column(|r| r.0), column(|r| r.1), column(|r| r.2), column(|r| r.3)];
        for level in Level::available() {
            let [mut w, g, mut m, mut v] = start.clone();
            for _ in 0..3 {
                let expected: Vec<[f32; 3]> = (0..w.len()).map(|i| plain(&UPDATE, [w[i], g[i], m[i], v[i]])).collect();
                adamw_at(level, &UPDATE, &mut w, &g, &mut m, &mut v);
                let found: Vec<[f32; 3]> = (0..w.len()).map(|i| [w[i], m[i], v[i]]).collect();
                prop_assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn squares_are_summed_to_the_same_bits_on_every_path(x in prop::collection::vec(-1e3_f32..1e3, 0..100)) {
        let want: f64 = x.iter().rev().map(|x| f64::from(*x).powi(2)).sum();
        for level in Level::available() {
            let found = squares_at(level, &x);
            prop_assert!((found - want).abs() <= 1e-12 * want);
            prop_assert_eq!(found.to_bits(), sum_of_squares(&x).to_bits());
        }
    }
}

#[test]
fn squares_that_are_no_number_are_told() {
    assert!(sum_of_squares(&[1.0, f32::NAN]).is_nan());
    assert_eq!(sum_of_squares(&[f32::INFINITY, 1.0]), f64::INFINITY);
    assert_eq!(sum_of_squares(&[f32::MAX; 20]), 20.0 * f64::from(f32::MAX).powi(2));
}
