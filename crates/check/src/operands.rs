//! The operands of a node: few, in order, and made for every node.

use std::ops::Deref;

use smallvec::SmallVec;

use crate::core::NodeId;

/// Operands in order; most nodes have at most two, and up to four need no memory of their own.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct Operands(SmallVec<[NodeId; 4]>);

impl Clone for Operands {
    /// As a slice, not one by one.
    fn clone(&self) -> Self {
        Operands(SmallVec::from_slice(&self.0))
    }
}

impl Operands {
    /// The operands in order.
    pub fn as_slice(&self) -> &[NodeId] {
        &self.0
    }
}

impl Deref for Operands {
    type Target = [NodeId];

    fn deref(&self) -> &[NodeId] {
        &self.0
    }
}

impl From<&[NodeId]> for Operands {
    fn from(operands: &[NodeId]) -> Self {
        Operands(SmallVec::from_slice(operands))
    }
}

impl<const N: usize> From<[NodeId; N]> for Operands {
    fn from(operands: [NodeId; N]) -> Self {
        Operands(SmallVec::from_slice(&operands))
    }
}

impl FromIterator<NodeId> for Operands {
    fn from_iter<I: IntoIterator<Item = NodeId>>(operands: I) -> Self {
        let mut all = SmallVec::new();
        operands.into_iter().for_each(|operand| all.push(operand));
        Operands(all)
    }
}

impl<'a> IntoIterator for &'a Operands {
    type Item = &'a NodeId;
    type IntoIter = std::slice::Iter<'a, NodeId>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
