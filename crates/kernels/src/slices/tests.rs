//! Slices against plain loops, bit by bit, on every path of the processor.

use proptest::prelude::*;

use super::*;

#[test]
fn a_selection_takes_nothing_of_what_it_leaves() {
    let mut out = [0.0; 3];
    select(&[1.0, 0.0, -0.0], &[2.0, f32::NAN, f32::NAN], &[f32::NAN, 3.0, 4.0], &mut out);
    assert_eq!(out, [2.0, 3.0, 4.0]);
}

#[test]
fn slices_of_different_lengths_are_refused() {
    let refused = |f: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_err();
    assert!(refused(&|| add_to(&[1.0], &mut [0.0; 2])));
    assert!(refused(&|| scale_add_to(1.0, &[1.0; 3], &mut [0.0; 2])));
    assert!(refused(&|| multiply_add(&[1.0; 2], &[1.0; 2], &[1.0; 3], &mut [0.0; 2])));
    assert!(refused(&|| {
        std::hint::black_box(dot(&[1.0; 2], &[1.0; 3]));
    }));
}

fn numbers(n: usize) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-100.0_f32..100.0, n)
}

proptest! {
    #[test]
    fn sums_into_slices_are_those_of_a_plain_loop(
        (a, b, c) in (0_usize..70).prop_flat_map(|n| (numbers(n), numbers(n), numbers(n))), scale in -2.0_f32..2.0,
    ) {
        for level in Level::available() {
            let product = |a: f32, b: f32, c: f32| if level.is_fused() { a.mul_add(b, c) } else { a * b + c };
            let each = |f: &dyn Fn(usize) -> f32| (0..a.len()).map(f).collect::<Vec<f32>>();
            let mut out = vec![0.0; a.len()];
            multiply_add_at(level, &a, &b, &c, &mut out);
            prop_assert_eq!(&out, &each(&|i| product(a[i], b[i], c[i])));
            let mut out = c.clone();
            add_to_at(level, &a, &mut out);
            prop_assert_eq!(&out, &each(&|i| c[i] + a[i]));
            let mut out = c.clone();
            scale_add_to_at(level, scale, &a, &mut out);
            prop_assert_eq!(&out, &each(&|i| product(scale, a[i], c[i])));
            let mut out = c.clone();
            multiply_add_to_at(level, &a, &b, &mut out);
            prop_assert_eq!(&out, &each(&|i| product(a[i], b[i], c[i])));
        }
    }

    #[test]
    fn a_dot_product_has_one_order(
        (a, b) in (0_usize..200).prop_flat_map(|n| (numbers(n), numbers(n)))
    ) {
        for level in Level::available() {
            let mut lanes = [0.0_f32; 16];
            for (i, (a, b)) in a.iter().zip(&b).enumerate() {
                let lane = &mut lanes[i % 16];
                *lane = if level.is_fused() { a.mul_add(*b, *lane) } else { a * b + *lane };
            }
            let half = |lanes: Vec<f32>| {
                let (low, high) = lanes.split_at(lanes.len() / 2);
                low.iter().zip(high).map(|(low, high)| low + high).collect::<Vec<f32>>()
            };
            let expected = (0..4).fold(lanes.to_vec(), |lanes, _| half(lanes))[0];
            prop_assert_eq!(dot_at(level, &a, &b).to_bits(), expected.to_bits());
        }
    }
}
