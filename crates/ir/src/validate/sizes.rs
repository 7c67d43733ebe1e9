//! What holds of the numbers that operations carry: sizes, offsets, counts of operands.
//!
//! In: operations and the axes of their module. Out: violations of the eighth rule of [`validate`](super). Sizes with symbols
//! are compared once they are known, at a width.

use genesys_axis::{Domain, Size};

use super::Checker;
use crate::MAX_DEPTH;
use crate::module::{Adjoint, AxisId, Expr, Op};

impl Checker<'_> {
    pub(super) fn attributes(&mut self, op: &Op, args: usize) {
        match op {
            Op::Map(expr) => {
                self.require(expr_is_sound(expr, args, MAX_DEPTH), "an expression is too deep, or names no operand");
                self.require(args > 0, "a map has an operand");
            }
            Op::Shift { by, .. } => self.at_least(by, 0, "a shift"),
            Op::Pool { size, .. } => self.at_least(size, 1, "a block"),
            Op::Blocks { axis, within } => {
                let differ = known_to_differ(self.block(*axis), self.size(*within));
                self.require(!differ, "the axis is not of the blocks' size");
            }
            Op::Regroup { from, to } => {
                let sizes = (self.product(from), self.product(to));
                self.require(!known_to_differ(sizes.0, sizes.1), "the sizes regrouped differ");
            }
            Op::Concat { parts, whole } => {
                let sum = parts.iter().try_fold(Size::int(0), |sum, axis| sum.add(&self.size(*axis)?).ok());
                self.require(!known_to_differ(sum, self.size(*whole)), "the sizes joined do not sum up");
            }
            Op::Slice { whole, part, offset } => {
                self.at_least(offset, 0, "an offset");
                let end = self.size(*part).and_then(|size| size.add(offset).ok());
                self.at_most(end, self.size(*whole), "a slice");
            }
            Op::Pad { part, whole, offset } => {
                self.at_least(offset, 0, "an offset");
                let end = self.size(*part).and_then(|size| size.add(offset).ok());
                self.at_most(end, self.size(*whole), "a pad");
            }
            Op::Adjoint(Adjoint::Pool { size, .. }) => self.at_least(size, 1, "a block"),
            Op::Select { axis, index } => {
                self.at_least(index, 0, "an index");
                self.at_most(index.add(&Size::int(1)).ok(), self.size(*axis), "an index");
            }
            Op::Stack { axis } => {
                let count = i64::try_from(args).ok().map(Size::int);
                self.require(!known_to_differ(count, self.size(*axis)), "the axis is not of the number stacked");
            }
            _ => {}
        }
    }

    fn size(&self, axis: AxisId) -> Option<Size> {
        self.scope.axis(axis).ok()?.domain.size().cloned()
    }

    /// The positions of a block.
    fn block(&self, axis: AxisId) -> Option<Size> {
        match &self.scope.axis(axis).ok()?.domain {
            Domain::Blocks { size } => Some(size.clone()),
            Domain::Static(_) | Domain::Past { .. } => None,
        }
    }

    fn product(&self, axes: &[AxisId]) -> Option<Size> {
        axes.iter().try_fold(Size::int(1), |product, axis| product.mul(&self.size(*axis)?).ok())
    }

    pub(super) fn at_least(&mut self, size: &Size, least: i64, what: &str) {
        if size.as_int().is_some_and(|value| value < least) {
            self.report(format!("{what} is below {least}"));
        }
    }

    fn at_most(&mut self, size: Option<Size>, most: Option<Size>, what: &str) {
        if let (Some(size), Some(most)) = (size.and_then(|s| s.as_int()), most.and_then(|m| m.as_int()))
            && size > most
        {
            self.report(format!("{what} reaches beyond its axis"));
        }
    }
}

/// Sizes compare as polynomials; those with symbols may agree at each scale all the same.
fn known_to_differ(a: Option<Size>, b: Option<Size>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.is_constant() && b.is_constant() && a != b,
        _ => false,
    }
}

fn expr_is_sound(expr: &Expr, args: usize, depth: usize) -> bool {
    match expr {
        Expr::Arg(index) => *index < args,
        Expr::Const(_) => true,
        Expr::Apply(function, operands) => {
            depth > 0
                && operands.len() == function.arity()
                && operands.iter().all(|operand| expr_is_sound(operand, args, depth - 1))
        }
    }
}
