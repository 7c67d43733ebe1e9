//! What must hold of sizes before a design runs at a scale.

use std::fmt;

use crate::{Size, SizeError};

/// A comparison of two sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compare {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Compare {
    /// The operator as written.
    pub fn symbol(self) -> &'static str {
        match self {
            Compare::Equal => "==",
            Compare::NotEqual => "!=",
            Compare::Less => "<",
            Compare::AtMost => "<=",
            Compare::Greater => ">",
            Compare::AtLeast => ">=",
        }
    }

    fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Compare::Equal => left == right,
            Compare::NotEqual => left != right,
            Compare::Less => left < right,
            Compare::AtMost => left <= right,
            Compare::Greater => left > right,
            Compare::AtLeast => left >= right,
        }
    }
}

/// A condition on sizes, decided by evaluation at each scale.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Requirement {
    /// `divisor` divides `value`.
    Divides {
        /// What must divide.
        divisor: Size,
        /// What must be a multiple.
        value: Size,
    },
    /// `left` and `right` stand in the relation.
    Holds {
        /// Left side.
        left: Size,
        /// The relation.
        compare: Compare,
        /// Right side.
        right: Size,
    },
}

/// Why a requirement does not hold at an assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// It is false; the text gives both sides with their values.
    False(String),
    /// A side has no value.
    Size(SizeError),
}

impl Requirement {
    /// Decides the requirement where each symbol has the value that `lookup` gives.
    pub fn check(&self, lookup: &dyn Fn(&str) -> Option<i64>) -> Result<(), Unmet> {
        match self {
            Requirement::Divides { divisor, value } => {
                let (n, v) = (divisor.eval(lookup).map_err(Unmet::Size)?, value.eval(lookup).map_err(Unmet::Size)?);
                if n > 0 && v % n == 0 { Ok(()) } else { Err(Unmet::False(format!("{value} = {v}, {divisor} = {n}"))) }
            }
            Requirement::Holds { left, compare, right } => {
                let (l, r) = (left.eval(lookup).map_err(Unmet::Size)?, right.eval(lookup).map_err(Unmet::Size)?);
                if compare.holds(l, r) { Ok(()) } else { Err(Unmet::False(format!("{left} = {l}, {right} = {r}"))) }
            }
        }
    }

    /// Whether no symbol occurs, so that the requirement can be decided at once.
    pub fn is_constant(&self) -> bool {
        match self {
            Requirement::Divides { divisor: a, value: b } | Requirement::Holds { left: a, right: b, .. } => {
                a.is_constant() && b.is_constant()
            }
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Requirement::Divides { divisor, value } => write!(f, "{value} must be a multiple of {divisor}"),
            Requirement::Holds { left, compare, right } => write!(f, "{left} {} {right} must hold", compare.symbol()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_decided_by_value() {
        let d = Size::symbol("D");
        let at = |n: i64| move |_: &str| Some(n);
        let heads = Requirement::Divides { divisor: Size::int(64), value: d.clone() };
        assert_eq!(heads.check(&at(128)), Ok(()));
        assert_eq!(heads.check(&at(100)), Err(Unmet::False("D = 100, 64 = 64".into())));
        let wide = Requirement::Holds { left: d, compare: Compare::AtLeast, right: Size::int(64) };
        assert!(wide.check(&at(64)).is_ok() && wide.check(&at(63)).is_err());
        assert_eq!(wide.to_string(), "D >= 64 must hold");
    }
}
