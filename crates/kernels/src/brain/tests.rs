//! Rounding against a plain definition: the nearest of all bf16, and of two the one whose last bit is 0.

use super::*;

/// The bf16 nearest to `x`, found among its neighbors by their distances in f64.
fn nearest(x: f32) -> u16 {
    let below = (x.to_bits() >> 16) as u16;
    // The next one away from 0; behind the largest number it stands for 2^128, which is infinity.
    let above = below + 1;
    let value = |bits: u16| {
        let magnitude = if bits & 0x7fff == 0x7f80 { 2.0_f64.powi(128) } else { f64::from(from_bf16(bits & 0x7fff)) };
        if bits & 0x8000 == 0 { magnitude } else { -magnitude }
    };
    let distance = |bits: u16| (value(bits) - f64::from(x)).abs();
    match distance(below).total_cmp(&distance(above)) {
        std::cmp::Ordering::Less => below,
        std::cmp::Ordering::Greater => above,
        std::cmp::Ordering::Equal => {
            if below & 1 == 0 {
                below
            } else {
                above
            }
        }
    }
}

/// Each upper half with lower halves at, below and above the middle, and at both ends: of all signs and exponents, those below
/// 2^-126 among them.
fn all() -> impl Iterator<Item = f32> {
    let lower = [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff];
    (0..=u32::from(u16::MAX)).flat_map(move |upper| lower.map(|lower| f32::from_bits(upper << 16 | lower)))
}

#[test]
fn every_number_is_rounded_to_the_nearest_and_halves_to_the_even() {
    for x in all().filter(|x| x.is_finite()) {
        assert_eq!(to_bf16(x), nearest(x), "{x:e}, {:#x}", x.to_bits());
    }
}

#[test]
fn what_is_no_number_stays_what_it_is() {
    for x in all().filter(|x| !x.is_finite()) {
        let rounded = from_bf16(to_bf16(x));
        assert_eq!(rounded.is_nan(), x.is_nan(), "{:#x}", x.to_bits());
        assert!(x.is_nan() || rounded == x, "{x}");
        assert_eq!(rounded.is_sign_negative(), x.is_sign_negative(), "{:#x}", x.to_bits());
    }
}

#[test]
fn slices_of_any_length_are_rounded_as_single_numbers_on_every_level() {
    let x: Vec<f32> = all().step_by(7).collect();
    for n in (0..70).chain([x.len()]) {
        let alone: Vec<u16> = x[..n].iter().map(|x| to_bf16(*x)).collect();
        for level in Level::available() {
            let (mut halves, mut back) = (vec![0; n], vec![0.0; n]);
            narrow_at(level, &x[..n], &mut halves);
            assert_eq!(halves, alone, "{n} on {level:?}");
            widen_at(level, &halves, &mut back);
            let bits = back.iter().map(|x| x.to_bits() >> 16);
            assert!(bits.eq(halves.iter().map(|half| u32::from(*half))), "{n} on {level:?}");
        }
    }
}
