//! Products of bf16 against plain loops in f64 over rounded elements.

use proptest::prelude::*;

use super::super::tests::{Held, LAYOUTS};
use super::super::{Scratch, panels};
use super::*;

/// An element as the product sees it.
fn seen(x: f64) -> f64 {
    let rounds = packed_len_bf16(2, 1) != crate::packed_len(2, 1);
    if rounds { f64::from(f32::from_bits(round(x as f32) << 16)) } else { x }
}

proptest! {
    #[test]
    fn products_of_bf16_are_those_of_f64(
        (m, n, k) in prop_oneof![(0_usize..40, 0_usize..70, 0_usize..80), (1_usize..15, 1_usize..40, 500_usize..1100)],
        left in prop::sample::select(LAYOUTS.to_vec()), right in prop::sample::select(LAYOUTS.to_vec()),
        accumulate in any::<bool>(), seed in 0_u64..1000,
    ) {
        let (a, b) = (Held::new(m, k, left, seed), Held::new(k, n, right, seed + 1));
        let mut packed = vec![f32::NAN; packed_len_bf16(k, n)];
        let mut c = vec![0.5; m * n];
        // SAFETY: the matrices are as large as is said.
        unsafe {
            for panel in 0..panels(n) {
                pack_panel_bf16(panel, k, n, b.matrix(), packed.as_mut_ptr());
            }
            let (a, mut scratch) = (a.matrix(), Scratch::default());
            multiply_packed_bf16(m, n, k, a, packed.as_ptr(), c.as_mut_ptr(), n as isize, accumulate, &mut scratch);
        }
        for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
            let sum: f64 = (0..k).map(|p| seen(a.at(i, p)) * seen(b.at(p, j))).sum();
            let want = if accumulate { 0.5 + sum } else { sum };
            let found = f64::from(c[i * n + j]);
            prop_assert!((found - want).abs() <= 1e-6 * (k as f64 + 1.0), "({i}, {j}): {found}, not {want}");
        }
    }
}

#[test]
fn halves_are_rounded_to_the_even() {
    let rounded = |bits: u32| round(f32::from_bits(bits));
    assert_eq!([0x3f80_8000, 0x3f81_8000, 0x3f80_8001, 0x3f80_7fff].map(rounded), [0x3f80, 0x3f82, 0x3f81, 0x3f80]);
    assert_eq!([f32::INFINITY.to_bits(), 0x7f7f_ffff, 0xff80_0000].map(rounded), [0x7f80, 0x7f80, 0xff80]);
    assert!(f32::from_bits(rounded(0x7f80_0001) << 16).is_nan());
}

#[test]
fn nan_and_infinity_go_through() {
    let (k, n) = (40, 20);
    let (mut a, b) = (vec![1.0; 3 * k], vec![1.0; k * n]);
    a[5] = f32::NAN;
    a[k + 7] = f32::INFINITY;
    let dense = |x: &[f32], row: usize| Matrix { data: x.as_ptr(), row: row as isize, column: 1 };
    let (mut packed, mut c) = (vec![0.0; packed_len_bf16(k, n)], vec![0.0; 3 * n]);
    // SAFETY: the matrices are as large as is said.
    unsafe {
        for panel in 0..panels(n) {
            pack_panel_bf16(panel, k, n, dense(&b, n), packed.as_mut_ptr());
        }
        let (a, mut scratch) = (dense(&a, k), Scratch::default());
        multiply_packed_bf16(3, n, k, a, packed.as_ptr(), c.as_mut_ptr(), n as isize, false, &mut scratch);
    }
    assert!(c[..n].iter().all(|x| x.is_nan()));
    assert!(c[n..2 * n].iter().all(|x| *x == f32::INFINITY));
    assert!(c[2 * n..].iter().all(|x| *x == k as f32));
}
