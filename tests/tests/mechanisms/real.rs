//! The scalars that references are written over: plain numbers, and variables of the tape.
//!
//! A function of one number is its value and its derivative; everything else follows.

use std::fmt::Debug;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A real number that may be differentiated through.
pub(crate) trait Real:
    Copy + Debug + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// A constant.
    fn of(value: f64) -> Self;

    /// The number, for comparisons.
    fn value(self) -> f64;

    /// A function of this number that has this value and this derivative here.
    fn unary(self, value: f64, derivative: f64) -> Self;

    fn exp(self) -> Self {
        let e = self.value().exp();
        self.unary(e, e)
    }

    fn ln(self) -> Self {
        self.unary(self.value().ln(), 1.0 / self.value())
    }

    fn sqrt(self) -> Self {
        let root = self.value().sqrt();
        self.unary(root, 0.5 / root)
    }

    fn sin(self) -> Self {
        self.unary(self.value().sin(), self.value().cos())
    }

    fn cos(self) -> Self {
        self.unary(self.value().cos(), -self.value().sin())
    }

    fn tanh(self) -> Self {
        let y = self.value().tanh();
        self.unary(y, 1.0 - y * y)
    }

    fn abs(self) -> Self {
        if self.value() < 0.0 { -self } else { self }
    }

    fn relu(self) -> Self {
        if self.value() > 0.0 { self } else { Self::of(0.0) }
    }

    fn max(self, other: Self) -> Self {
        if self.value() < other.value() { other } else { self }
    }

    fn sigmoid(self) -> Self {
        Self::of(1.0) / (Self::of(1.0) + (-self).exp())
    }

    fn silu(self) -> Self {
        self * self.sigmoid()
    }

    fn softplus(self) -> Self {
        (Self::of(1.0) + self.exp()).ln()
    }

    /// By its tanh approximation.
    fn gelu(self) -> Self {
        let cubic = self + self * self * self * Self::of(0.044715);
        let inner = cubic * Self::of((2.0 / std::f64::consts::PI).sqrt());
        self * Self::of(0.5) * (Self::of(1.0) + inner.tanh())
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }

    fn value(self) -> f64 {
        self
    }

    fn unary(self, value: f64, _derivative: f64) -> Self {
        value
    }
}
