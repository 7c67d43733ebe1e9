//! Reverse differentiation by a tape: each operation on variables notes the local derivatives to its
//! operands, and one walk backwards gives the derivative of one result to all of them.
//!
//! It knows numbers only, no tensors, and keeps all it was ever told.

use std::cell::RefCell;
use std::fmt;
use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::real::Real;

/// What a variable was made from, and the derivative to each.
#[derive(Clone, Copy)]
enum Node {
    Leaf,
    One(u32, f64),
    Two([(u32, f64); 2]),
}

/// The record of a computation.
#[derive(Default)]
pub(crate) struct Tape {
    nodes: RefCell<Vec<Node>>,
}

/// A number that a tape follows, or a constant.
#[derive(Clone, Copy)]
pub(crate) struct Var<'t> {
    value: f64,
    at: Option<(&'t Tape, u32)>,
}

impl Tape {
    /// A variable to differentiate to.
    pub(crate) fn variable(&self, value: f64) -> Var<'_> {
        self.push(value, Node::Leaf)
    }

    fn push(&self, value: f64, node: Node) -> Var<'_> {
        let mut nodes = self.nodes.borrow_mut();
        nodes.push(node);
        Var { value, at: Some((self, nodes.len() as u32 - 1)) }
    }

    /// The derivative of a result to everything before it, by place on the tape.
    pub(crate) fn derivatives(&self, result: Var<'_>) -> Derivatives {
        let nodes = self.nodes.borrow();
        let mut adjoints = vec![0.0; nodes.len()];
        if let Some((_, place)) = result.at {
            adjoints[place as usize] = 1.0;
        }
        for (place, node) in nodes.iter().enumerate().rev() {
            let adjoint = adjoints[place];
            match *node {
                Node::Leaf => {}
                Node::One(a, d) => adjoints[a as usize] += adjoint * d,
                Node::Two(operands) => {
                    for (a, d) in operands {
                        adjoints[a as usize] += adjoint * d;
                    }
                }
            }
        }
        Derivatives(adjoints)
    }
}

/// The derivatives of one result.
pub(crate) struct Derivatives(Vec<f64>);

impl Derivatives {
    /// The derivative to a variable.
    pub(crate) fn to(&self, var: Var<'_>) -> f64 {
        var.at.map_or(0.0, |(_, place)| self.0[place as usize])
    }
}

impl<'t> Var<'t> {
    fn binary(self, other: Self, value: f64, to_self: f64, to_other: f64) -> Self {
        match (self.at, other.at) {
            (None, None) => Var { value, at: None },
            (Some((tape, a)), None) => tape.push(value, Node::One(a, to_self)),
            (None, Some((tape, b))) => tape.push(value, Node::One(b, to_other)),
            (Some((tape, a)), Some((_, b))) => tape.push(value, Node::Two([(a, to_self), (b, to_other)])),
        }
    }
}

impl fmt::Debug for Var<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl Real for Var<'_> {
    fn of(value: f64) -> Self {
        Var { value, at: None }
    }

    fn value(self) -> f64 {
        self.value
    }

    fn unary(self, value: f64, derivative: f64) -> Self {
        match self.at {
            None => Var { value, at: None },
            Some((tape, a)) => tape.push(value, Node::One(a, derivative)),
        }
    }
}

impl Add for Var<'_> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        self.binary(other, self.value + other.value, 1.0, 1.0)
    }
}

impl Sub for Var<'_> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.binary(other, self.value - other.value, 1.0, -1.0)
    }
}

impl Mul for Var<'_> {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        self.binary(other, self.value * other.value, other.value, self.value)
    }
}

impl Div for Var<'_> {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        self.binary(other, value, 1.0 / other.value, -value / other.value)
    }
}

impl Neg for Var<'_> {
    type Output = Self;
    fn neg(self) -> Self {
        self.unary(-self.value, -1.0)
    }
}

mod tests {
    use super::*;

    struct Function {
        name: &'static str,
        taped: for<'t> fn(Var<'t>, Var<'t>) -> Var<'t>,
        plain: fn(f64, f64) -> f64,
    }

    /// The same expressions over both scalars.
    macro_rules! functions {
        ($(|$a:ident, $b:ident| $e:expr),+ $(,)?) => {
            [$({
                fn function<R: Real>($a: R, $b: R) -> R {
                    $e
                }
                fn taped<'t>(a: Var<'t>, b: Var<'t>) -> Var<'t> {
                    function(a, b)
                }
                Function { name: stringify!($e), taped, plain: function::<f64> }
            }),+]
        };
    }

    #[test]
    fn derivatives_are_the_limits_of_differences() {
        let functions = functions![
            |a, b| a + b * b,
            |a, b| a - a * b,
            |a, b| a / b + b / a,
            |a, b| -(a * b),
            |a, b| (a * b).exp(),
            |a, b| (a * a + b * b).ln(),
            |a, b| (a * a + b * b).sqrt(),
            |a, b| (a * b).sin() + b.cos(),
            |a, b| (a + b).tanh(),
            |a, b| a.abs() * b.abs(),
            |a, b| a.relu() + (-b).relu(),
            |a, b| a.max(b) * a,
            |a, b| (a * b).sigmoid(),
            |a, b| (a - b).silu(),
            |a, b| (a * b).softplus(),
            |a, b| (a + b).gelu(),
            |a, b| a * a * a * R::of(2.0) - b,
        ];
        for Function { name, taped, plain } in functions {
            for (a, b) in [(0.7, 1.3), (-0.4, 0.9), (1.1, -0.2), (-1.5, -0.8)] {
                let tape = Tape::default();
                let (x, y) = (tape.variable(a), tape.variable(b));
                let z = taped(x, y);
                let h = 1e-5;
                let to_a = (plain(a + h, b) - plain(a - h, b)) / (2.0 * h);
                let to_b = (plain(a, b + h) - plain(a, b - h)) / (2.0 * h);
                let found = tape.derivatives(z);
                assert!((z.value() - plain(a, b)).abs() < 1e-14, "{name} at {a}, {b}");
                for (found, expected) in [(found.to(x), to_a), (found.to(y), to_b)] {
                    let off = (found - expected).abs() / (1.0 + expected.abs());
                    assert!(off < 1e-8, "{name} at {a}, {b}: {found} is not {expected}");
                }
            }
        }
    }
}
