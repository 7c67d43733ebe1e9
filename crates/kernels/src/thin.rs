//! Products of a vector and a matrix, and products of rows by pairs.
//!
//! In: slices, and how far rows lie apart. Out: vectors. They are too thin for tiles of registers, and too short
//! for a call each row. Not here: products of two matrices.

use crate::level::{Level, leveled, mad};
use crate::slices::{LANES, dot_body};

/// Columns that are summed in registers together.
const WIDE: usize = 4;

/// `out[j] = sum_i a[i * step] b[i * row + j]`, or added to it: a row vector of `k` elements times a matrix of `k` rows.
///
/// # Panics
/// A slice is too short.
pub fn vector_matrix(k: usize, a: &[f32], step: usize, b: &[f32], row: usize, out: &mut [f32], accumulate: bool) {
    vector_matrix_at(Level::best(), k, a, step, b, row, out, accumulate);
}

/// `out[i * step] = dot(a[i * rows.0 ..], b[i * rows.1 ..])` over `k` elements, or added to it, for `m` rows. With
/// `rows.1 = 0` it is a matrix times a vector.
///
/// # Panics
/// A slice is too short.
#[allow(clippy::too_many_arguments)] // sizes, operands and strides: the signature of the field
pub fn row_dots(
    m: usize,
    k: usize,
    a: &[f32],
    b: &[f32],
    rows: (usize, usize),
    out: &mut [f32],
    step: usize,
    accumulate: bool,
) {
    row_dots_at(Level::best(), m, k, a, b, rows, out, step, accumulate);
}

leveled! {
    #[allow(clippy::too_many_arguments)]
    fn vector_matrix_at(k: usize, a: &[f32], step: usize, b: &[f32], row: usize, out: &mut [f32], accumulate: bool)
        = vector_matrix_body
}
leveled! {
    #[allow(clippy::too_many_arguments)]
    fn row_dots_at(
        m: usize, k: usize, a: &[f32], b: &[f32], rows: (usize, usize), out: &mut [f32], step: usize, accumulate: bool,
    ) = row_dots_body
}
#[inline(always)]
fn vector_matrix_body<const FUSED: bool>(
    k: usize,
    a: &[f32],
    step: usize,
    b: &[f32],
    row: usize,
    out: &mut [f32],
    accumulate: bool,
) {
    let n = out.len();
    let wide = n / (WIDE * LANES) * (WIDE * LANES);
    let mut j = 0;
    while j < wide {
        let mut sums = [[0.0_f32; LANES]; WIDE];
        for i in 0..k {
            let x = a[i * step];
            let from: &[f32; WIDE * LANES] = b[i * row + j..][..WIDE * LANES].try_into().expect("as many columns");
            for w in 0..WIDE {
                for l in 0..LANES {
                    sums[w][l] = mad::<FUSED>(x, from[w * LANES + l], sums[w][l]);
                }
            }
        }
        let to = &mut out[j..j + WIDE * LANES];
        for w in 0..WIDE {
            for l in 0..LANES {
                let before = if accumulate { to[w * LANES + l] } else { 0.0 };
                to[w * LANES + l] = before + sums[w][l];
            }
        }
        j += WIDE * LANES;
    }
    let rest = &mut out[wide..];
    if !accumulate {
        rest.fill(0.0);
    }
    for i in 0..k {
        let (x, from) = (a[i * step], &b[i * row + wide..][..n - wide]);
        for (out, b) in rest.iter_mut().zip(from) {
            *out = mad::<FUSED>(x, *b, *out);
        }
    }
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn row_dots_body<const FUSED: bool>(
    m: usize,
    k: usize,
    a: &[f32],
    b: &[f32],
    rows: (usize, usize),
    out: &mut [f32],
    step: usize,
    accumulate: bool,
) {
    for i in 0..m {
        let sum = dot_body::<FUSED>(&a[i * rows.0..][..k], &b[i * rows.1..][..k]);
        let out = &mut out[i * step];
        *out = if accumulate { *out + sum } else { sum };
    }
}

#[cfg(test)]
mod tests;
