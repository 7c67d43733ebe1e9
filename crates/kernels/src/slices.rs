//! Sums into slices, and the dot product.
//!
//! In: slices of one length. Out: each element by itself, or one number in an order of its own.
//! Not here: functions other than sum, product and selection.

use crate::level::{Level, leveled, mad};

/// Lanes of a sum: element `i` enters partial sum `i % LANES`.
pub(crate) const LANES: usize = 16;

/// `out[i]` is `a[i]` where `c[i]` is not 0, else `b[i]`: a selection, never a product.
///
/// # Panics
/// Where the lengths differ.
pub fn select(c: &[f32], a: &[f32], b: &[f32], out: &mut [f32]) {
    select_at(Level::best(), c, a, b, out);
}

/// `out[i] = a[i] * b[i] + c[i]`, rounded once where the level [fuses](Level::is_fused), else twice.
///
/// # Panics
/// Where the lengths differ.
pub fn multiply_add(a: &[f32], b: &[f32], c: &[f32], out: &mut [f32]) {
    multiply_add_at(Level::best(), a, b, c, out);
}

/// `out[i] = value`.
pub fn fill(value: f32, out: &mut [f32]) {
    out.fill(value);
}

/// `out[i] += x[i]`.
///
/// # Panics
/// Where the lengths differ.
pub fn add_to(x: &[f32], out: &mut [f32]) {
    add_to_at(Level::best(), x, out);
}

/// `out[i] += a * x[i]`, rounded as [`multiply_add`].
///
/// # Panics
/// Where the lengths differ.
pub fn scale_add_to(a: f32, x: &[f32], out: &mut [f32]) {
    scale_add_to_at(Level::best(), a, x, out);
}

/// `out[i] += a[i] * b[i]`, rounded as [`multiply_add`].
///
/// # Panics
/// Where the lengths differ.
pub fn multiply_add_to(a: &[f32], b: &[f32], out: &mut [f32]) {
    multiply_add_to_at(Level::best(), a, b, out);
}

/// The sum of `a[i] * b[i]`: 16 partial sums, element `i` in that of `i % 16`, each product rounded as in
/// [`multiply_add`]; then the two halves of the partial sums are added until one is left.
///
/// # Panics
/// Where the lengths differ.
#[must_use]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    dot_at(Level::best(), a, b)
}

leveled! { pub(crate) fn select_at(c: &[f32], a: &[f32], b: &[f32], out: &mut [f32]) = select_body }
leveled! { fn multiply_add_at(a: &[f32], b: &[f32], c: &[f32], out: &mut [f32]) = multiply_add_body }
leveled! { fn add_to_at(x: &[f32], out: &mut [f32]) = add_to_body }
leveled! { fn scale_add_to_at(a: f32, x: &[f32], out: &mut [f32]) = scale_add_to_body }
leveled! { fn multiply_add_to_at(a: &[f32], b: &[f32], out: &mut [f32]) = multiply_add_to_body }
leveled! { fn dot_at(a: &[f32], b: &[f32]) -> f32 = dot_body }

#[inline(always)]
fn select_body<const FUSED: bool>(c: &[f32], a: &[f32], b: &[f32], out: &mut [f32]) {
    let (n, [c, a, b]) = (out.len(), [c, a, b].map(|x| exactly(out.len(), x)));
    for i in 0..n {
        out[i] = if c[i] != 0.0 { a[i] } else { b[i] };
    }
}

#[inline(always)]
fn multiply_add_body<const FUSED: bool>(a: &[f32], b: &[f32], c: &[f32], out: &mut [f32]) {
    let (n, [a, b, c]) = (out.len(), [a, b, c].map(|x| exactly(out.len(), x)));
    for i in 0..n {
        out[i] = mad::<FUSED>(a[i], b[i], c[i]);
    }
}

#[inline(always)]
fn add_to_body<const FUSED: bool>(x: &[f32], out: &mut [f32]) {
    let (n, [x]) = (out.len(), [x].map(|x| exactly(out.len(), x)));
    for i in 0..n {
        out[i] += x[i];
    }
}

#[inline(always)]
fn scale_add_to_body<const FUSED: bool>(a: f32, x: &[f32], out: &mut [f32]) {
    let (n, [x]) = (out.len(), [x].map(|x| exactly(out.len(), x)));
    for i in 0..n {
        out[i] = mad::<FUSED>(a, x[i], out[i]);
    }
}

#[inline(always)]
fn multiply_add_to_body<const FUSED: bool>(a: &[f32], b: &[f32], out: &mut [f32]) {
    let (n, [a, b]) = (out.len(), [a, b].map(|x| exactly(out.len(), x)));
    for i in 0..n {
        out[i] = mad::<FUSED>(a[i], b[i], out[i]);
    }
}

#[inline(always)]
pub(crate) fn dot_body<const FUSED: bool>(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "a dot product is of slices of one length");
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for i in 0..LANES {
            sums[i] = mad::<FUSED>(a[i], b[i], sums[i]);
        }
    }
    for (i, (a, b)) in a_rest.iter().zip(b_rest).enumerate() {
        sums[i] = mad::<FUSED>(*a, *b, sums[i]);
    }
    fold(sums, |a, b| a + b)
}

/// One number of all lanes: the two halves are joined until one lane is left.
#[inline(always)]
pub(crate) fn fold<T: Copy>(lanes: [T; LANES], join: impl Fn(T, T) -> T) -> T {
    // The compiler must not look through here: it would arrange the loop before for this tree, lane by lane.
    let mut lanes = std::hint::black_box(lanes);
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] = join(lanes[i], lanes[i + half]);
        }
        half /= 2;
    }
    lanes[0]
}

/// The slice, which has `n` elements: said once, so that a loop need not ask.
#[inline(always)]
pub(crate) fn exactly(n: usize, slice: &[f32]) -> &[f32] {
    assert_eq!(slice.len(), n, "the slices of one operation have one length");
    &slice[..n]
}

#[cfg(test)]
mod tests;
