//! Rows against sums in f64, on every path of the processor.

use proptest::prelude::*;

use super::*;

const KINDS: [RowReduction; 5] =
    [RowReduction::Sum, RowReduction::Mean, RowReduction::Max, RowReduction::Min, RowReduction::LogSumExp];

/// What a row without NaN reduces to.
fn exact(kind: RowReduction, row: &[f32]) -> f64 {
    let wide = || row.iter().map(|x| f64::from(*x));
    let top = wide().fold(f64::NEG_INFINITY, f64::max);
    match kind {
        RowReduction::Sum => wide().sum(),
        RowReduction::Mean => wide().sum::<f64>() / row.len().max(1) as f64,
        RowReduction::Max => top,
        RowReduction::Min => wide().fold(f64::INFINITY, f64::min),
        RowReduction::LogSumExp if top.is_infinite() => top,
        RowReduction::LogSumExp => top + wide().map(|x| (x - top).exp()).sum::<f64>().ln(),
    }
}

fn reduced(level: Level, kind: RowReduction, x: &[f32], n: usize, rows: usize) -> Vec<f32> {
    let mut out = vec![0.5; rows];
    reduce_rows_at(level, kind, x, n, &mut out);
    out
}

/// Rows of some length, up to more than a block.
fn rows() -> impl Strategy<Value = (usize, usize, Vec<f32>)> {
    (prop_oneof![0_usize..40, 250_usize..530], 0_usize..4)
        .prop_flat_map(|(n, rows)| (Just(n), Just(rows), prop::collection::vec(-30.0_f32..30.0, n * rows)))
}

proptest! {
    #[test]
    fn reductions_are_those_of_f64((n, rows, x) in rows()) {
        for (kind, level) in KINDS.into_iter().flat_map(|kind| Level::available().into_iter().map(move |l| (kind, l))) {
            let out = reduced(level, kind, &x, n, rows);
            for (i, y) in out.into_iter().enumerate() {
                let row = &x[i * n..][..n];
                let want = exact(kind, row);
                let size = row.iter().map(|x| f64::from(x.abs())).sum::<f64>() + 1.0;
                let near = f64::from(y) == want || (f64::from(y) - want).abs() <= 1e-6 * size;
                prop_assert!(near, "{kind:?} on {level:?}: {y}, not {want}");
            }
        }
    }

    #[test]
    fn softmax_is_that_of_f64((n, rows, x) in rows(), sink in prop::option::of(-40.0_f32..40.0)) {
        for level in Level::available() {
            let mut out = x.clone();
            softmax_rows_at(level, &mut out, n, sink);
            for row in 0..rows {
                let row = row * n..(row + 1) * n;
                let mut all = x[row.clone()].to_vec();
                all.extend(sink);
                let sum = exact(RowReduction::LogSumExp, &all);
                for (x, y) in x[row.clone()].iter().zip(&out[row]) {
                    let want = (f64::from(*x) - sum).exp();
                    // The distance to the largest is rounded before it is an exponent.
                    let close = 1e-6 * (1.0 + (f64::from(*x) - sum).abs() / 10.0) * want;
                    prop_assert!((f64::from(*y) - want).abs() <= close, "{level:?}: {y}, not {want}");
                }
            }
        }
    }

    #[test]
    fn fused_paths_have_the_same_bits_and_no_row_feels_its_neighbors((n, rows, x) in rows()) {
        let fused: Vec<Level> = Level::available().into_iter().filter(|level| level.is_fused()).collect();
        for kind in KINDS {
            let bits = |level| reduced(level, kind, &x, n, rows).into_iter().map(f32::to_bits).collect::<Vec<u32>>();
            for level in &fused {
                prop_assert_eq!(bits(*level), bits(fused[0]));
            }
            for row in 0..rows {
                let alone = reduced(Level::best(), kind, &x[row * n..][..n], n, 1)[0].to_bits();
                prop_assert_eq!(alone, bits(Level::best())[row]);
            }
        }
    }
}

#[test]
fn nothing_reduces_to_what_is_said() {
    for level in Level::available() {
        let of_nothing = KINDS.map(|kind| reduced(level, kind, &[], 0, 2));
        let expected = [0.0, 0.0, f32::NEG_INFINITY, f32::INFINITY, f32::NEG_INFINITY].map(|value| vec![value; 2]);
        assert_eq!(of_nothing, expected);
    }
}

#[test]
fn a_nan_spreads_wherever_it_stands() {
    for (level, n) in Level::available().into_iter().flat_map(|level| [1, 5, 16, 17, 40].map(|n| (level, n))) {
        for at in 0..n {
            let mut x = vec![1.0; 2 * n];
            x[at] = f32::NAN;
            for kind in KINDS {
                let out = reduced(level, kind, &x, n, 2);
                assert!(out[0].is_nan() && !out[1].is_nan(), "{kind:?} on {level:?}: {out:?}");
            }
            softmax_rows_at(level, &mut x, n, None);
            assert!(x[..n].iter().all(|x| x.is_nan()) && x[n..].iter().all(|x| !x.is_nan()), "{x:?}");
        }
    }
}

#[test]
fn infinities_are_masks_and_overflow_is_none() {
    for level in Level::available() {
        let x = [f32::NEG_INFINITY; 20];
        assert_eq!(reduced(level, RowReduction::LogSumExp, &x, 20, 1), [f32::NEG_INFINITY]);
        let mut masked = x;
        softmax_rows_at(level, &mut masked, 20, None);
        assert_eq!(masked, [0.0; 20]);
        let mut one = x;
        one[3] = 1e30;
        assert_eq!(reduced(level, RowReduction::LogSumExp, &one, 20, 1), [1e30]);
        softmax_rows_at(level, &mut one, 20, Some(f32::NEG_INFINITY));
        assert_eq!(one.iter().sum::<f32>(), 1.0);
        assert_eq!(one[3], 1.0);
        assert_eq!(reduced(level, RowReduction::LogSumExp, &[f32::INFINITY, 1.0], 2, 1), [f32::INFINITY]);
    }
}
