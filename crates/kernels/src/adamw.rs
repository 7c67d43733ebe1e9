//! One update of AdamW over a range of flat slices, and the squares that its clipping needs.
//!
//! In: weights, gradients, both moments, and what an update has in common for all elements. Out: weights and moments in
//! place (Loshchilov and Hutter, 2019, "Decoupled weight decay regularization"):
//!
//! ```text
//! g <- scale g
//! m <- beta1 m + fresh1 g
//! v <- beta2 v + fresh2 g g
//! w <- kept w - rate m / (root sqrt(v) + epsilon)
//! ```
//!
//! Each operation is rounded by itself on every path, so a range has the same bits on all machines, and in whatever pieces
//! it is cut. Not here: corrections, schedules, and which weights decay.

use crate::level::{Level, leveled};
use crate::slices::{LANES, fold};

/// What one update has in common for all elements of a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Update {
    /// What the gradient is multiplied with: below 1 where it is clipped.
    pub scale: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// `1 - beta1`
    pub fresh1: f32,
    /// `1 - beta2`
    pub fresh2: f32,
    /// The rate over the correction of the first moment, `1 - beta1^t`.
    pub rate: f32,
    /// The inverse root of the correction of the second moment, `1 - beta2^t`.
    pub root: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// What is kept of a weight: `1 - rate * decay`, or 1.
    pub kept: f32,
}

/// Updates weights and moments; the slices have one element a weight.
///
/// # Panics
/// Where the lengths differ.
pub fn adamw(update: &Update, weights: &mut [f32], gradients: &[f32], first: &mut [f32], second: &mut [f32]) {
    adamw_at(Level::best(), update, weights, gradients, first, second);
}

/// The sum of squares, in f64: 16 partial sums, element `i` in that of `i % 16`, then the two halves are added until one
/// is left. The same bits on every path, as the square of an f32 is exact in f64.
#[must_use]
pub fn sum_of_squares(x: &[f32]) -> f64 {
    squares_at(Level::best(), x)
}

leveled! {
    pub(crate) fn adamw_at(
        update: &Update,
        weights: &mut [f32],
        gradients: &[f32],
        first: &mut [f32],
        second: &mut [f32],
    ) = adamw_body
}
leveled! { pub(crate) fn squares_at(x: &[f32]) -> f64 = squares_body }

#[inline(always)]
fn adamw_body<const FUSED: bool>(
    update: &Update,
    weights: &mut [f32],
    gradients: &[f32],
    first: &mut [f32],
    second: &mut [f32],
) {
    let n = weights.len();
    assert!(gradients.len() == n && first.len() == n && second.len() == n, "there is one element a weight");
    let u = *update;
    for (((w, g), m), v) in weights.iter_mut().zip(gradients).zip(first).zip(second) {
        let g = g * u.scale;
        *m = u.beta1 * *m + u.fresh1 * g;
        *v = u.beta2 * *v + u.fresh2 * g * g;
        *w = u.kept * *w - u.rate * *m / (v.sqrt() * u.root + u.epsilon);
    }
}

#[inline(always)]
fn squares_body<const FUSED: bool>(x: &[f32]) -> f64 {
    let (chunks, rest) = x.as_chunks::<LANES>();
    let mut sums = [0.0_f64; LANES];
    for chunk in chunks {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(*x) * f64::from(*x);
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest) {
        *sum += f64::from(*x) * f64::from(*x);
    }
    fold(sums, |a, b| a + b)
}

#[cfg(test)]
mod tests;
