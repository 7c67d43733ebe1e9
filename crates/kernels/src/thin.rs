//! Products of a vector and a matrix, products of rows by pairs, and the update of a state by an outer product.
//!
//! In: slices, and how far rows lie apart. Out: vectors, or the state. They are too thin for tiles of registers, and too short
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

/// An operand of an update: its elements, and how far rows and columns lie apart.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a> {
    /// From the first element on.
    pub data: &'a [f32],
    /// From one row to the next.
    pub row: usize,
    /// From one column to the next: 1, or 0 where columns are alike.
    pub column: usize,
}

/// `state[i * row + j] = d(i, j) state[i * row + j] + sign u(i, j) v(i, j)` for `m` rows of `n` columns.
///
/// # Panics
/// A slice is too short.
pub fn update(
    (m, n): (usize, usize),
    state: &mut [f32],
    row: usize,
    decay: Plane<'_>,
    [u, v]: [Plane<'_>; 2],
    sign: f32,
) {
    // One of the two is best the same along a row.
    let (u, v) = if u.column == 0 { (u, v) } else { (v, u) };
    update_at(Level::best(), m, n, state, row, decay, u, v, sign);
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
leveled! {
    #[allow(clippy::too_many_arguments)]
    fn update_at(
        m: usize, n: usize, state: &mut [f32], row: usize, decay: Plane<'_>, u: Plane<'_>, v: Plane<'_>, sign: f32,
    ) = update_body
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

#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn update_body<const FUSED: bool>(
    m: usize,
    n: usize,
    state: &mut [f32],
    row: usize,
    decay: Plane<'_>,
    u: Plane<'_>,
    v: Plane<'_>,
    sign: f32,
) {
    for i in 0..m {
        let state = &mut state[i * row..][..n];
        let x = sign * u.data[i * u.row];
        if u.column != 0 || v.column != 1 {
            for (j, state) in state.iter_mut().enumerate() {
                let at = |plane: &Plane<'_>| plane.data[i * plane.row + j * plane.column];
                *state = mad::<FUSED>(sign * at(&u), at(&v), at(&decay) * *state);
            }
        } else if decay.column == 0 {
            let (keep, v) = (decay.data[i * decay.row], &v.data[i * v.row..][..n]);
            for j in 0..n {
                state[j] = mad::<FUSED>(x, v[j], keep * state[j]);
            }
        } else {
            let (keep, v) = (&decay.data[i * decay.row..][..n], &v.data[i * v.row..][..n]);
            for j in 0..n {
                state[j] = mad::<FUSED>(x, v[j], keep[j] * state[j]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
