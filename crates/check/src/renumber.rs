//! Operations with their axes, weights, scans and states numbered anew.
//!
//! In: an operation, and what each number becomes ([`Renumber`]). Out: the same operation in the new numbers. The operands
//! are not part of an operation, so nodes are not renumbered here.

use crate::AxisSet;
use crate::core::{AxisId, LeafId, Op, ScanId, Type};

/// What the numbers of a graph become in another one.
pub(crate) trait Renumber {
    /// An axis.
    fn axis(&self, axis: AxisId) -> AxisId;
    /// A weight.
    fn leaf(&self, leaf: LeafId) -> LeafId;
    /// A scan.
    fn scan(&self, scan: ScanId) -> ScanId;
    /// A state of a scan.
    fn state(&self, scan: ScanId, index: u32) -> (ScanId, u32);

    /// A set of axes.
    fn set(&self, axes: &AxisSet) -> AxisSet {
        axes.map(|axis| self.axis(axis))
    }

    /// Axes in order.
    fn list(&self, axes: &[AxisId]) -> Vec<AxisId> {
        axes.iter().map(|&axis| self.axis(axis)).collect()
    }

    /// A type.
    fn ty(&self, ty: &Type) -> Type {
        Type { stage: ty.stage, axes: self.set(&ty.axes) }
    }

    /// An operation.
    fn op(&self, op: &Op) -> Op {
        match op {
            Op::Weight(leaf) => Op::Weight(self.leaf(*leaf)),
            Op::Index(axis) => Op::Index(self.axis(*axis)),
            Op::Age(axis) => Op::Age(self.axis(*axis)),
            Op::Reduce { reduction, axes, otherwise } => {
                Op::Reduce { reduction: *reduction, axes: self.set(axes), otherwise: *otherwise }
            }
            Op::Softmax { axes, sink } => Op::Softmax { axes: self.set(axes), sink: *sink },
            Op::Dot { axes } => Op::Dot { axes: self.set(axes) },
            Op::Regroup { from, to } => Op::Regroup { from: self.list(from), to: self.list(to) },
            Op::Concat { parts, whole } => Op::Concat { parts: self.list(parts), whole: self.axis(*whole) },
            Op::Cut { whole, part, offset } => {
                Op::Cut { whole: self.axis(*whole), part: self.axis(*part), offset: offset.clone() }
            }
            Op::Take { axis, index } => Op::Take { axis: self.axis(*axis), index: index.clone() },
            Op::Stack { axis } => Op::Stack { axis: self.axis(*axis) },
            Op::Broadcast { axes } => Op::Broadcast { axes: self.set(axes) },
            Op::Window(axis) => Op::Window(self.axis(*axis)),
            Op::Past(axis) => Op::Past(self.axis(*axis)),
            Op::Blocks { blocks, within } => Op::Blocks { blocks: self.axis(*blocks), within: self.axis(*within) },
            Op::Top { from, to } => Op::Top { from: self.axis(*from), to: self.axis(*to) },
            Op::Picked { from, to } => Op::Picked { from: self.axis(*from), to: self.axis(*to) },
            Op::Cumsum(axis) => Op::Cumsum(self.axis(*axis)),
            Op::After(axis) => Op::After(self.axis(*axis)),
            Op::State { scan, index } => {
                let (scan, index) = self.state(*scan, *index);
                Op::State { scan, index }
            }
            Op::Start { scan, index } => {
                let (scan, index) = self.state(*scan, *index);
                Op::Start { scan, index }
            }
            Op::Scanned(scan) => Op::Scanned(self.scan(*scan)),
            Op::Input(_) | Op::Constant(_) | Op::Position | Op::Layer | Op::Map(_) | Op::Grad => op.clone(),
            Op::Shift { .. } | Op::Pool { .. } | Op::MeanTokens => op.clone(),
        }
    }
}
