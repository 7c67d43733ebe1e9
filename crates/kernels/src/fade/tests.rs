//! Faded sums against their definitions in f64.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

/// Most positions, and most elements of a row.
const N: usize = 11;
const K: usize = 112;

fn numbers() -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(prop_oneof![9 => -1.0_f32..1.0, 1 => Just(0.0)], N * K)
}

fn close(found: f32, expected: f64) -> bool {
    (f64::from(found) - expected).abs() <= 1e-5 * (1.0 + expected.abs())
}

/// The product of factors between a write and a read; nothing where the write is not read.
fn between(a: &[f32], k: usize, c: usize, fade: Fade, (i, j): (usize, usize)) -> f64 {
    let to = if fade.late { i + 1 } else { i };
    match () {
        () if i == j => f64::from(u8::from(fade.own)),
        () if j > i => 0.0,
        () => (j + 1..to).map(|m| f64::from(a[m * k + c])).product(),
    }
}

proptest! {
    #[test]
    fn faded_sums_are_what_they_are_defined_as(
        (n, k) in (0..=N, (1..=K / GROUP).prop_map(|k| k * GROUP)),
        (q, u, a, s) in (numbers(), numbers(), numbers(), numbers()),
        late: bool,
        own: bool,
    ) {
        let fade = Fade { late, own };
        for level in Level::available() {
            let (mut scores, mut sums, mut runs) = (vec![0.0; N * N], vec![0.5; N * K], vec![f32::NAN; N * K]);
            super::scores(level, (n, k), [&q, &u, &a], fade, &mut scores);
            super::sums(level, (n, k), [&s, &u, &a], fade, &mut sums);
            super::runs(level, (n, k), [&u, &a], fade, &mut runs);
            for i in 0..n {
                for j in 0..n {
                    let term = |c: usize| f64::from(q[i * k + c]) * between(&a, k, c, fade, (i, j)) * f64::from(u[j * k + c]);
                    prop_assert!(close(scores[i * n + j], (0..k).map(term).sum()));
                }
                for c in 0..k {
                    let term = |j: usize| between(&a, k, c, fade, (i, j)) * f64::from(u[j * k + c]);
                    prop_assert!(close(sums[i * k + c], 0.5 + (0..n).map(|j| f64::from(s[i * n + j]) * term(j)).sum::<f64>()));
                    prop_assert!(close(runs[i * k + c], (0..n).map(term).sum()));
                }
            }
        }
    }

    #[test]
    fn two_faded_sums_meet(
        (n, k) in (0..=N, (1..=K / GROUP).prop_map(|k| k * GROUP)),
        (m, u, a) in (numbers(), numbers(), numbers()),
        (v, b) in (numbers(), numbers()),
        flags in any::<[bool; 4]>(),
    ) {
        let [back, fore] = [[flags[0], flags[1]], [flags[2], flags[3]]].map(|[late, own]| Fade { late, own });
        // The first goes back in time: its positions are counted from the end.
        let reversed: Vec<f32> = (0..n).rev().flat_map(|i| a[i * k..(i + 1) * k].to_vec()).collect();
        for level in Level::available() {
            let (mut out, mut room) = (vec![0.5; N * K], vec![f32::NAN; 4 * N * K]);
            dots(level, (n, k), &m, [&u, &a, &v, &b], [back, fore], &mut out, &mut room);
            for p in 0..n {
                for c in 0..k {
                    let mut sum = 0.5;
                    for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
                        let first = between(&reversed, k, c, back, (n - 1 - p, n - 1 - i)) * f64::from(u[i * k + c]);
                        let second = between(&b, k, c, fore, (p, j)) * f64::from(v[j * k + c]);
                        sum += f64::from(m[i * n + j]) * first * second;
                    }
                    prop_assert!(close(out[p * k + c], sum));
                }
            }
        }
    }
}
