//! Products of bf16 against plain loops in f64 over rounded elements: of matrices of f32, of bf16, with B packed before or not.

use proptest::prelude::*;

use super::super::tests::{Held, LAYOUTS};
use super::super::{Scratch, panels};
use super::*;
use crate::brain::{from_bf16, to_bf16};

/// An element as the product sees it.
fn seen(x: f64) -> f64 {
    if has_bf16() { f64::from(from_bf16(to_bf16(x as f32))) } else { x }
}

/// The same elements as bf16, which lie as those of f32 do.
fn halves(matrix: Matrix, memory: &[f32], into: &mut Vec<u16>) -> Halves {
    into.extend(memory.iter().map(|x| to_bf16(*x)));
    // SAFETY: the matrix lies in that memory.
    let first = unsafe { matrix.data.offset_from(memory.as_ptr()) };
    Halves { data: into.as_ptr().wrapping_offset(first), row: matrix.row, column: matrix.column }
}

/// The product in every way that this processor has.
fn products([m, n, k]: [usize; 3], a: &Held, b: &Held, accumulate: bool) -> Vec<Vec<f32>> {
    let mut packed = vec![f32::NAN; packed_len_bf16(k, n)];
    // SAFETY: the matrices are as large as is said.
    unsafe {
        for panel in 0..panels(n) {
            pack_panel_bf16(panel, k, n, b.matrix(), packed.as_mut_ptr());
        }
    }
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let (near, far) = (halves(a.matrix(), a.memory(), &mut left), halves(b.matrix(), b.memory(), &mut right));
    let lefts =
        if has_bf16() { vec![Operand::F32(a.matrix()), Operand::Bf16(near)] } else { vec![Operand::F32(a.matrix())] };
    let rights =
        if has_bf16() { vec![Operand::F32(b.matrix()), Operand::Bf16(far)] } else { vec![Operand::F32(b.matrix())] };
    let (mut found, mut scratch) = (Vec::new(), Scratch::default());
    for left in lefts {
        let mut c = vec![0.5; m * n];
        let to = c.as_mut_ptr();
        // SAFETY: the matrices are as large as is said.
        unsafe { multiply_packed_bf16(m, n, k, left, packed.as_ptr(), to, n as isize, accumulate, &mut scratch) };
        found.push(c);
        for right in &rights {
            let mut c = vec![0.5; m * n];
            // SAFETY: as above.
            unsafe { multiply_bf16(m, n, k, left, *right, c.as_mut_ptr(), n as isize, accumulate, &mut scratch) };
            found.push(c);
        }
    }
    found
}

proptest! {
    #[test]
    fn products_of_bf16_are_those_of_f64(
        (m, n, k) in prop_oneof![(0_usize..40, 0_usize..70, 0_usize..80), (1_usize..15, 1_usize..40, 500_usize..1100)],
        left in prop::sample::select(LAYOUTS.to_vec()), right in prop::sample::select(LAYOUTS.to_vec()),
        accumulate in any::<bool>(), seed in 0_u64..1000,
    ) {
        let (a, b) = (Held::new(m, k, left, seed), Held::new(k, n, right, seed + 1));
        let found = products([m, n, k], &a, &b, accumulate);
        for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
            let sum: f64 = (0..k).map(|p| seen(a.at(i, p)) * seen(b.at(p, j))).sum();
            let want = if accumulate { 0.5 + sum } else { sum };
            let first = f64::from(found[0][i * n + j]);
            prop_assert!((first - want).abs() <= 1e-6 * (k as f64 + 1.0), "({i}, {j}): {first}, not {want}");
        }
        for (i, other) in found.iter().enumerate() {
            prop_assert_eq!(other, &found[0], "way {} gives the same bits", i);
        }
    }
}

#[test]
fn columns_beyond_a_block_join() {
    let (m, n, k) = (7, super::super::N_BLOCK + 37, 35);
    let (a, b) = (Held::new(m, k, LAYOUTS[0], 1), Held::new(k, n, LAYOUTS[1], 2));
    let found = products([m, n, k], &a, &b, false);
    for (i, j) in [(0, 0), (3, n - 1), (6, super::super::N_BLOCK), (6, super::super::N_BLOCK - 1)] {
        let want: f64 = (0..k).map(|p| seen(a.at(i, p)) * seen(b.at(p, j))).sum();
        assert!((f64::from(found[1][i * n + j]) - want).abs() < 1e-4, "({i}, {j})");
    }
    assert!(found.iter().all(|c| *c == found[0]));
}

#[test]
fn nan_and_infinity_go_through() {
    let (k, n) = (40, 20);
    let (mut a, b) = (vec![1.0; 3 * k], vec![1.0; k * n]);
    a[5] = f32::NAN;
    a[k + 7] = f32::INFINITY;
    let dense = |x: &[f32], row: usize| Matrix { data: x.as_ptr(), row: row as isize, column: 1 };
    let mut c = vec![0.0; 3 * n];
    let (left, right) = (Operand::F32(dense(&a, k)), Operand::F32(dense(&b, n)));
    // SAFETY: the matrices are as large as is said.
    unsafe { multiply_bf16(3, n, k, left, right, c.as_mut_ptr(), n as isize, false, &mut Scratch::default()) };
    assert!(c[..n].iter().all(|x| x.is_nan()));
    assert!(c[n..2 * n].iter().all(|x| *x == f32::INFINITY));
    assert!(c[2 * n..].iter().all(|x| *x == k as f32));
}
