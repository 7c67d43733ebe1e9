//! Thin products against sums in f64.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn numbers(n: usize) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-2.0_f32..2.0, n)
}

fn close(found: f32, expected: f64) -> bool {
    (f64::from(found) - expected).abs() <= 1e-5 * (1.0 + expected.abs())
}

proptest! {
    #[test]
    fn a_vector_times_a_matrix(
        (k, n, step, gap) in (0_usize..9, 0_usize..150, 0_usize..3, 0_usize..3),
        data in numbers(9 * 155 + 30),
        accumulate: bool,
    ) {
        let (a, b) = data.split_at(30);
        let mut out = vec![0.5; n];
        for level in Level::available() {
            out.fill(0.5);
            vector_matrix_at(level, k, a, step, b, n + gap, &mut out, accumulate);
            for (j, out) in out.iter().enumerate() {
                let product = |i: usize| f64::from(a[i * step]) * f64::from(b[i * (n + gap) + j]);
                let before = if accumulate { 0.5 } else { 0.0 };
                prop_assert!(close(*out, before + (0..k).map(product).sum::<f64>()));
            }
        }
    }

    #[test]
    fn rows_by_pairs(
        (m, k, step) in (0_usize..7, 0_usize..70, 1_usize..3),
        data in numbers(2 * 7 * 71),
        once: bool,
        accumulate: bool,
    ) {
        let (a, b) = data.split_at(7 * 71);
        let rows = (k + 1, if once { 0 } else { k });
        for level in Level::available() {
            let mut out = vec![0.5; 7 * step];
            row_dots_at(level, m, k, a, b, rows, &mut out, step, accumulate);
            for i in 0..m {
                let product = |j: usize| f64::from(a[i * rows.0 + j]) * f64::from(b[i * rows.1 + j]);
                let before = if accumulate { 0.5 } else { 0.0 };
                prop_assert!(close(out[i * step], before + (0..k).map(product).sum::<f64>()));
            }
        }
    }
}
