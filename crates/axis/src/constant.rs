//! Constants of a design: plain numbers, and sizes used as numbers.

use std::fmt;

use crate::{Size, SizeError};

/// A number that is known once a scale is fixed.
#[derive(Clone, Debug, PartialEq)]
pub enum Constant {
    /// A literal.
    Real(f64),
    /// The value of a size, as in `score / sqrt(E)`.
    Size(Size),
}

impl Constant {
    /// The number, where each symbol has the value that `lookup` gives.
    pub fn eval(&self, lookup: &dyn Fn(&str) -> Option<i64>) -> Result<f64, SizeError> {
        match self {
            Constant::Real(value) => Ok(*value),
            Constant::Size(size) => size.eval(lookup).map(|n| n as f64),
        }
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Constant::Real(value) => write!(f, "{value:?}"),
            Constant::Size(size) => write!(f, "{size}"),
        }
    }
}
