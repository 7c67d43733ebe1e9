//! Numbers of 16 bits: bf16, the upper half of an f32.
//!
//! In: slices. Out: each element rounded to the nearest bf16, of two as near to the even one, or the f32 that a bf16 is.
//! Signs, infinities, zeros and what is below 2^-126 are kept, and NaN stays NaN. All levels give the same bits.
//! Not here: arithmetic. Products are in `gemm`, and everything else is computed in f32.

use crate::level::{Level, leveled};

/// `x` as bf16: the nearest, of two as near the even one; NaN stays one.
#[inline(always)]
#[must_use]
pub fn to_bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    let nearest = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
    (if x.is_nan() { (bits >> 16) | 0x40 } else { nearest }) as u16
}

/// The f32 that a bf16 is.
#[inline(always)]
#[must_use]
pub fn from_bf16(x: u16) -> f32 {
    f32::from_bits(u32::from(x) << 16)
}

/// `out[i]` is `x[i]` as bf16: see [`to_bf16`].
///
/// # Panics
/// Where the lengths differ.
pub fn narrow(x: &[f32], out: &mut [u16]) {
    assert_eq!(x.len(), out.len(), "a place for each element");
    narrow_at(Level::best(), x, out);
}

/// `out[i]` is the f32 that `x[i]` is.
///
/// # Panics
/// Where the lengths differ.
pub fn widen(x: &[u16], out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "a place for each element");
    widen_at(Level::best(), x, out);
}

leveled! { fn narrow_at(x: &[f32], out: &mut [u16]) = narrow_body }
leveled! { fn widen_at(x: &[u16], out: &mut [f32]) = widen_body }

#[inline(always)]
fn narrow_body<const FUSED: bool>(x: &[f32], out: &mut [u16]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out = to_bf16(*x);
    }
}

#[inline(always)]
fn widen_body<const FUSED: bool>(x: &[u16], out: &mut [f32]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out = from_bf16(*x);
    }
}

#[cfg(test)]
mod tests;
