//! Loops over one and two slices.
//!
//! In: slices, or a number in place of one of two. Out: each element by a function that is compiled into the loop.
//! Not here: the functions.

/// `out[i] = f(x[i])`.
#[inline(always)]
pub(super) fn map(x: &[f32], out: &mut [f32], f: impl Fn(f32) -> f32) {
    assert_eq!(x.len(), out.len(), "operand and result have one length");
    for (out, x) in out.iter_mut().zip(x) {
        *out = f(*x);
    }
}

/// Two operands, of which one may be the same number everywhere.
pub(super) trait Operands: Copy {
    /// `out[i] = f(a[i], b[i])`.
    fn each(self, out: &mut [f32], f: impl Fn(f32, f32) -> f32);
    /// `(a[i], b[i])`.
    fn at(self, i: usize) -> (f32, f32);
}

/// Two slices of one length.
#[derive(Clone, Copy)]
pub(super) struct Both<'a>(pub(super) &'a [f32], pub(super) &'a [f32]);

/// A number on the left.
#[derive(Clone, Copy)]
pub(super) struct Left<'a>(pub(super) f32, pub(super) &'a [f32]);

/// A number on the right.
#[derive(Clone, Copy)]
pub(super) struct Right<'a>(pub(super) &'a [f32], pub(super) f32);

impl Operands for Both<'_> {
    #[inline(always)]
    fn each(self, out: &mut [f32], f: impl Fn(f32, f32) -> f32) {
        assert!(self.0.len() == out.len() && self.1.len() == out.len(), "operands and result have one length");
        for ((out, a), b) in out.iter_mut().zip(self.0).zip(self.1) {
            *out = f(*a, *b);
        }
    }

    #[inline(always)]
    fn at(self, i: usize) -> (f32, f32) {
        (self.0[i], self.1[i])
    }
}

impl Operands for Left<'_> {
    #[inline(always)]
    fn each(self, out: &mut [f32], f: impl Fn(f32, f32) -> f32) {
        map(self.1, out, |b| f(self.0, b));
    }

    #[inline(always)]
    fn at(self, i: usize) -> (f32, f32) {
        (self.0, self.1[i])
    }
}

impl Operands for Right<'_> {
    #[inline(always)]
    fn each(self, out: &mut [f32], f: impl Fn(f32, f32) -> f32) {
        map(self.0, out, |a| f(a, self.1));
    }

    #[inline(always)]
    fn at(self, i: usize) -> (f32, f32) {
        (self.0[i], self.1)
    }
}
