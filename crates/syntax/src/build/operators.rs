//! Operator precedence over a flat list, without recursion.
//!
//! The shunting-yard method: operands and operators wait on two stacks until an operator that binds
//! less arrives. A prefix operator waits like any other; it is never what makes others join.

use super::Built;

/// An operator between two operands.
#[derive(Clone, Copy)]
pub(super) struct Infix<O> {
    /// Which.
    pub(super) op: O,
    /// How tightly it binds; more is tighter.
    pub(super) strength: u8,
    /// Whether equal ones join from the right.
    pub(super) right: bool,
}

/// The two stacks.
pub(super) struct Fold<O, E> {
    operands: Vec<E>,
    operators: Vec<Infix<O>>,
}

impl<O: Copy, E> Fold<O, E> {
    pub(super) fn new() -> Self {
        Self { operands: Vec::with_capacity(4), operators: Vec::with_capacity(4) }
    }

    pub(super) fn operand(&mut self, operand: E) {
        self.operands.push(operand);
    }

    /// Takes an operator; what binds at least as tightly to its left is joined first.
    pub(super) fn infix(&mut self, next: Infix<O>, join: &mut dyn FnMut(O, E, E) -> Built<E>) -> Built<()> {
        while let Some(top) = self.operators.last() {
            if top.strength < next.strength || (top.strength == next.strength && next.right) {
                break;
            }
            self.reduce(join)?;
        }
        self.operators.push(next);
        Ok(())
    }

    /// Takes a prefix operator: it waits with `nothing` where an infix has its left operand.
    pub(super) fn prefix(&mut self, sign: Infix<O>, nothing: E) {
        self.operands.push(nothing);
        self.operators.push(sign);
    }

    /// Joins what is left.
    pub(super) fn finish(mut self, join: &mut dyn FnMut(O, E, E) -> Built<E>) -> Built<E> {
        while !self.operators.is_empty() {
            self.reduce(join)?;
        }
        Ok(self.operands.pop().expect("a list of operators has a first operand"))
    }

    fn reduce(&mut self, join: &mut dyn FnMut(O, E, E) -> Built<E>) -> Built<()> {
        let top = self.operators.pop().expect("only called while an operator waits");
        let right = self.operands.pop().expect("an operator follows an operand");
        let left = self.operands.pop().expect("an operator stands between operands");
        self.operands.push(join(top.op, left, right)?);
        Ok(())
    }
}
