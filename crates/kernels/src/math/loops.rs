//! Loops over one and two slices.
//!
//! In: slices, or a number in place of one of two, and an expression of an element. Out: each element by the expression.
//! They are macros: a closure may be compiled apart from the loop, and then knows nothing of the loop's instructions.
//! Not here: the functions.

use crate::slices::exactly;

/// `map!(x => out, |x| expression)`: `out[i]` is the expression of `x[i]`.
macro_rules! map {
    ($x:expr => $out:expr, |$element:ident| $f:expr) => {{
        let (x, out): (&[f32], &mut [f32]) = ($x, $out);
        assert_eq!(x.len(), out.len(), "operand and result have one length");
        for (out, x) in out.iter_mut().zip(x) {
            let $element = *x;
            *out = $f;
        }
    }};
}
pub(super) use map;

/// `pairs!(operands => out, |a, b| expression)`: `out[i]` is the expression of element `i` of two operands.
macro_rules! pairs {
    ($operands:expr => $out:expr, |$a:ident, $b:ident| $f:expr) => {{
        let out: &mut [f32] = $out;
        let (n, operands) = (out.len(), $operands.of_length(out.len()));
        for i in 0..n {
            let ($a, $b) = operands.at(i);
            out[i] = $f;
        }
    }};
}
pub(super) use pairs;

/// Two operands, of which one may be the same number everywhere.
pub(super) trait Operands: Copy {
    /// The same, known to be of that length, so that a loop need not ask.
    fn of_length(self, n: usize) -> Self;
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
    fn of_length(self, n: usize) -> Self {
        Both(exactly(n, self.0), exactly(n, self.1))
    }

    #[inline(always)]
    fn at(self, i: usize) -> (f32, f32) {
        (self.0[i], self.1[i])
    }
}

impl Operands for Left<'_> {
    #[inline(always)]
    fn of_length(self, n: usize) -> Self {
        Left(self.0, exactly(n, self.1))
    }

    #[inline(always)]
    fn at(self, i: usize) -> (f32, f32) {
        (self.0, self.1[i])
    }
}

impl Operands for Right<'_> {
    #[inline(always)]
    fn of_length(self, n: usize) -> Self {
        Right(exactly(n, self.0), self.1)
    }

    #[inline(always)]
    fn at(self, i: usize) -> (f32, f32) {
        (self.0[i], self.1)
    }
}
