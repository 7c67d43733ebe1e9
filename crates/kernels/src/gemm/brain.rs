//! Products of numbers of 16 bits (bf16: the upper half of an f32) with sums in f32.
//!
//! In: matrices of f32, rounded to bf16 as they are packed, to the nearest and halves to the even; or of bf16. Out: their
//! product in f32. A register holds *pairs*: two neighbors in k of each of 16 columns, so that one instruction adds two
//! products. Where the processor has no such instruction, nothing is rounded, and the product of matrices of f32 is that of
//! f32; whoever keeps bf16 in memory asks [`has_bf16`] before.
//!
//! Numbers below 2^-126 count as 0, and each pair of products is rounded as the processor does; an element depends on
//! k alone, as in f32.

use super::{Matrix, Scratch};

/// A matrix of bf16 in memory: element `(i, j)` is `row * i + column * j` elements behind `data`.
#[derive(Clone, Copy, Debug)]
pub struct Halves {
    /// Element `(0, 0)`.
    pub data: *const u16,
    /// Elements from one row to the next.
    pub row: isize,
    /// Elements from one column to the next.
    pub column: isize,
}

/// What a product reads.
#[derive(Clone, Copy, Debug)]
pub enum Operand {
    /// Numbers of 32 bits, rounded as they are read.
    F32(Matrix),
    /// Numbers of 16 bits.
    Bf16(Halves),
}

/// Whether this processor multiplies numbers of 16 bits. Only then may an operand be [`Operand::Bf16`].
#[must_use]
pub fn has_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    let has = pairs::available();
    #[cfg(not(target_arch = "x86_64"))]
    let has = false;
    has
}

/// Elements of 32 bits that the panels of a `[k, n]` matrix take as bf16.
#[must_use]
pub fn packed_len_bf16(k: usize, n: usize) -> usize {
    #[cfg(target_arch = "x86_64")]
    if pairs::available() {
        return pairs::packed_len(k, n);
    }
    super::packed_len(k, n)
}

/// Packs one panel of B, one of [`panels`](super::panels)`(n)`, to its place among all, rounded to bf16.
///
/// # Safety
/// As [`pack_panel`](super::pack_panel), with [`packed_len_bf16`] elements at `packed`.
pub unsafe fn pack_panel_bf16(panel: usize, k: usize, n: usize, b: Matrix, packed: *mut f32) {
    #[cfg(target_arch = "x86_64")]
    if pairs::available() {
        // SAFETY: what is asked of the caller; the processor has the instructions.
        return unsafe { pairs::pack_panel(panel, k, n, b, packed) };
    }
    // SAFETY: what is asked of the caller.
    unsafe { super::pack_panel(panel, k, n, b, packed) }
}

/// As [`multiply_packed`](super::multiply_packed), with A as bf16, and B packed by [`pack_panel_bf16`].
///
/// # Safety
/// As [`multiply_packed`](super::multiply_packed).
///
/// # Panics
/// A lies as bf16, and the processor does not multiply these.
#[allow(clippy::too_many_arguments)] // as `multiply`
pub unsafe fn multiply_packed_bf16(
    m: usize,
    n: usize,
    k: usize,
    a: Operand,
    packed: *const f32,
    c: *mut f32,
    ldc: isize,
    accumulate: bool,
    scratch: &mut Scratch,
) {
    #[cfg(target_arch = "x86_64")]
    if pairs::available() {
        let work = pairs::Work { m, n, k, c: super::Target { data: c, row: ldc, accumulate } };
        // SAFETY: what is asked of the caller; the processor has the instructions.
        return unsafe { pairs::multiply_packed(work, a, packed, scratch) };
    }
    // SAFETY: what is asked of the caller.
    unsafe { super::multiply_packed(m, n, k, wide(a), packed, c, ldc, accumulate, scratch) }
}

/// As [`multiply`](super::multiply), with A and B as bf16.
///
/// # Safety
/// As [`multiply`](super::multiply).
///
/// # Panics
/// A matrix lies as bf16, and the processor does not multiply these.
#[allow(clippy::too_many_arguments)] // as `multiply`
pub unsafe fn multiply_bf16(
    m: usize,
    n: usize,
    k: usize,
    a: Operand,
    b: Operand,
    c: *mut f32,
    ldc: isize,
    accumulate: bool,
    scratch: &mut Scratch,
) {
    #[cfg(target_arch = "x86_64")]
    if pairs::available() {
        let work = pairs::Work { m, n, k, c: super::Target { data: c, row: ldc, accumulate } };
        // SAFETY: what is asked of the caller; the processor has the instructions.
        return unsafe { pairs::multiply(work, a, b, scratch) };
    }
    // SAFETY: what is asked of the caller.
    unsafe { super::multiply(m, n, k, wide(a), wide(b), c, ldc, accumulate, scratch) }
}

/// A matrix of f32, which all are where the processor has no products of bf16.
fn wide(operand: Operand) -> Matrix {
    match operand {
        Operand::F32(matrix) => matrix,
        Operand::Bf16(_) => panic!("bf16 lies in memory only where the processor multiplies it"),
    }
}

#[cfg(target_arch = "x86_64")]
mod pairs;
#[cfg(test)]
mod tests;
