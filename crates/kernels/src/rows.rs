//! Reductions and softmax of rows.
//!
//! In: rows of `n` elements, one behind the other. Out: a number a row, or the weights of its elements. Element `i` of a
//! row goes to lane `i % 16`, then the two halves of the lanes are joined until one is left: the order depends on the
//! length of the row alone, so a row has the same bits wherever it stands.
//!
//! Not here: rows that are not dense, and masks; what is masked is negative infinity, or not there.

use crate::level::{Level, leveled};
use crate::math::approximate::{exp, log};
use crate::slices::{LANES, fold};

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowReduction {
    /// The sum; 0 of nothing.
    Sum,
    /// The mean; 0 of nothing.
    Mean,
    /// The largest; negative infinity of nothing.
    Max,
    /// The smallest; infinity of nothing.
    Min,
    /// `log(sum(exp(x)))`, stable; negative infinity of nothing.
    LogSumExp,
}

/// Exponentials that are computed before they are summed: a loop of its own, which becomes vectors whatever surrounds it.
const BLOCK: usize = 256;

/// Reduces each row of `n` elements of `x` to one of `out`. A NaN in a row is the row's result.
///
/// # Panics
/// Where `x` does not hold `n` elements for each of `out`.
pub fn reduce_rows(kind: RowReduction, x: &[f32], n: usize, out: &mut [f32]) {
    reduce_rows_at(Level::best(), kind, x, n, out);
}

/// Softmax of each row of `n` elements, in place: `exp(x) / (sum(exp(x)) + exp(sink))`, stable.
///
/// The weights of a row that holds negative infinity only are 0. A NaN in a row makes all of it NaN.
///
/// # Panics
/// Where `x` is not made of rows of `n`.
pub fn softmax_rows(x: &mut [f32], n: usize, sink: Option<f32>) {
    softmax_rows_at(Level::best(), x, n, sink);
}

leveled! { pub(crate) fn reduce_rows_at(kind: RowReduction, x: &[f32], n: usize, out: &mut [f32]) = reduce_body }
leveled! { pub(crate) fn softmax_rows_at(x: &mut [f32], n: usize, sink: Option<f32>) = softmax_body }

#[inline(always)]
fn reduce_body<const FUSED: bool>(kind: RowReduction, x: &[f32], n: usize, out: &mut [f32]) {
    assert_eq!(x.len(), n * out.len(), "there is a row for each result");
    for (i, out) in out.iter_mut().enumerate() {
        let row = &x[i * n..][..n];
        *out = match kind {
            RowReduction::Sum => sum(row),
            RowReduction::Mean => sum(row) / n.max(1) as f32,
            RowReduction::Max => largest(row),
            RowReduction::Min => -largest_of::<true>(row),
            RowReduction::LogSumExp => log_sum_exp::<FUSED>(row),
        };
    }
}

#[inline(always)]
fn softmax_body<const FUSED: bool>(x: &mut [f32], n: usize, sink: Option<f32>) {
    if n == 0 {
        assert!(x.is_empty(), "rows of nothing hold nothing");
        return;
    }
    assert_eq!(x.len() % n, 0, "softmax is of whole rows");
    for row in x.chunks_exact_mut(n) {
        let (top, sink) = (largest(row), sink.unwrap_or(f32::NEG_INFINITY));
        let top = if top.is_nan() | sink.is_nan() { f32::NAN } else { larger(top, sink) };
        if top == f32::NEG_INFINITY {
            row.fill(0.0);
            continue;
        }
        for x in row.iter_mut() {
            *x = exp::<FUSED>(*x - top);
        }
        let scale = 1.0 / (sum(row) + exp::<FUSED>(sink - top));
        for x in row.iter_mut() {
            *x *= scale;
        }
    }
}

#[inline(always)]
fn log_sum_exp<const FUSED: bool>(row: &[f32]) -> f32 {
    let top = largest(row);
    if !top.is_finite() {
        return top;
    }
    let mut sums = [0.0; LANES];
    let mut block = [0.0; BLOCK];
    for part in row.chunks(BLOCK) {
        for (y, x) in block.iter_mut().zip(part) {
            *y = exp::<FUSED>(*x - top);
        }
        accumulate(&block[..part.len()], &mut sums);
    }
    top + log::<FUSED>(fold(sums, |a, b| a + b))
}

#[inline(always)]
fn sum(row: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    accumulate(row, &mut lanes);
    fold(lanes, |a, b| a + b)
}

/// Element `i` is added to lane `i % 16`.
#[inline(always)]
fn accumulate(row: &[f32], lanes: &mut [f32; LANES]) {
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] += chunk[i];
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane += x;
    }
}

#[inline(always)]
fn largest(row: &[f32]) -> f32 {
    largest_of::<false>(row)
}

/// The largest element, or the largest negated one; NaN where there is one.
#[inline(always)]
fn largest_of<const NEGATED: bool>(row: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] = larger(lanes[i], if NEGATED { -chunk[i] } else { chunk[i] });
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane = larger(*lane, if NEGATED { -x } else { *x });
    }
    let largest = fold(lanes, larger);
    if has_nan(row) { f32::NAN } else { largest }
}

/// Whether an element is no number. Without signs, the bits of NaN are above those of all numbers.
#[inline(always)]
fn has_nan(row: &[f32]) -> bool {
    row.iter().fold(0, |bits, x| x.abs().to_bits().max(bits)) > f32::INFINITY.to_bits()
}

/// The larger of two numbers.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

#[cfg(test)]
mod tests;
