//! Sums over positions: within a tile with parts that are summed up behind it, or as products of whole matrices.

use std::collections::BTreeSet;

use genesys_ir::module::{Adjoint, AxisId, Instruction, Op as IrOp, Stage, ValueId};

use crate::contract::Contraction;
use crate::error::Result;
use crate::kernel::{Finish, Kernel, Over, Products};
use crate::lower::build::Build;
use crate::lower::{Lowering, Stream, TILE, Use};
use crate::op::Op;
use crate::precision::Precision;
use crate::view::{Extent, Place, Spot, View};

impl Build {
    /// The mean loss of the tokens that count.
    pub(crate) fn cross_entropy(
        &mut self,
        lowering: &mut Lowering<'_>,
        axis: AxisId,
        args: &[ValueId],
        result: ValueId,
    ) -> Result<()> {
        lowering.expect(args[1], Stream::Targets)?;
        let x = self.view(lowering, args[0])?;
        let (n, logits) = (lowering.size(axis)?, x.walk(&self.order(lowering, &[axis])));
        let each = self.local(lowering, &[], true);
        self.ops.push(Op::CrossEntropy { logits, n, out: each.spot });
        self.part(lowering, &each, None, &[], result)
    }

    /// A total, a product by element, or a mean over tokens.
    pub(crate) fn summed(&mut self, lowering: &mut Lowering<'_>, instruction: &Instruction) -> Result<()> {
        let Instruction { op, args, results } = instruction;
        let result = results[0];
        match op {
            IrOp::MeanTokens => {
                let x = self.counted(lowering, args, result)?;
                self.part(lowering, &x, None, &[], result)
            }
            IrOp::Adjoint(Adjoint::Total) => {
                let x = self.view(lowering, args[0])?;
                self.part(lowering, &x, None, &[], result)
            }
            IrOp::Adjoint(Adjoint::Contract { axes }) => {
                let (a, b) = (self.view(lowering, args[0])?, self.view(lowering, args[1])?);
                for axis in axes.iter().filter(|axis| lowering.extent(**axis) == Extent::Seen) {
                    self.mask(lowering, args[0], &a, &[*axis]);
                    self.mask(lowering, args[1], &b, &[*axis]);
                }
                let kept = |view: &View| -> BTreeSet<AxisId> {
                    view.axes.iter().map(|(axis, _)| *axis).filter(|axis| !axes.contains(axis)).collect()
                };
                let (left, right) = (kept(&a), kept(&b));
                if left.is_subset(&right) || right.is_subset(&left) {
                    self.part(lowering, &a, Some(&b), axes, result)
                } else {
                    self.part_product(lowering, [&a, &b], axes, result)
                }
            }
            _ => unreachable!("asked for sums only"),
        }
    }

    /// A place for what a part of the kernel sums, without the axis of the tasks.
    pub(crate) fn parts(&mut self, lowering: &mut Lowering<'_>, result: ValueId) -> Result<View> {
        self.parts_like(lowering, result, result)
    }

    /// As [`parts`](Self::parts), with axes in the order of another value's, which has the same ones.
    pub(crate) fn parts_like(&mut self, lowering: &mut Lowering<'_>, result: ValueId, like: ValueId) -> Result<View> {
        let axes = lowering.function.ty(like).axes.clone();
        // Strips are parts of one.
        let task = self.task.filter(|_| !self.strips);
        let tasks = match task {
            Some(task) => lowering.size(task)?,
            None => 1,
        };
        let own: Vec<AxisId> = axes.iter().copied().filter(|axis| Some(*axis) != task).collect();
        let sized = lowering.dense(&own)?;
        let width: usize = sized.iter().map(|(_, n)| n).product();
        let within = self.capacity > 1 || task.is_some() || self.region;
        let (count, over) = if within {
            (lowering.shape.rows * tasks, Over::Tasks(tasks))
        } else {
            (lowering.shape.rows * lowering.shape.context.div_ceil(TILE), Over::Tiles)
        };
        let buffer = lowering.buffer(Use::Inner, count * width, Some(result));
        let grouped = task.is_some_and(|task| axes.contains(&task));
        let home =
            lowering.homes.get(&result).cloned().ok_or_else(|| lowering.unsupported("a sum without a buffer"))?;
        // The parts of a group lie as the result does, its tasks outermost.
        let (groups, out) = match (grouped, task) {
            (true, Some(task)) => (tasks, home.by_task(task)),
            _ => (1, home),
        };
        let order: Vec<(AxisId, Extent)> = own.iter().map(|axis| (*axis, lowering.extent(*axis))).collect();
        self.finishes.push(Finish { parts: buffer, groups, width, out: out.walk(&order), over, of: result });
        let view = View::dense(Spot::new(Place::Part { buffer, width }, 0), &sized);
        self.summed_up(view.clone(), own, false);
        Ok(self.here(view))
    }

    fn part(
        &mut self,
        lowering: &mut Lowering<'_>,
        a: &View,
        b: Option<&View>,
        summed: &[AxisId],
        result: ValueId,
    ) -> Result<()> {
        let out = self.parts(lowering, result)?;
        let mut axes: Vec<AxisId> = summed.to_vec();
        axes.extend(lowering.function.ty(result).axes.iter().copied());
        let order = self.order(lowering, &axes);
        let extents = order.iter().map(|(_, extent)| *extent).collect();
        let b = b.map(|b| b.walk(&order));
        self.ops.push(Op::Sum { a: a.walk(&order), b, out: out.walk(&order), order: extents, only: None });
        Ok(())
    }

    fn part_product(
        &mut self,
        lowering: &mut Lowering<'_>,
        operands: [&View; 2],
        axes: &[AxisId],
        result: ValueId,
    ) -> Result<()> {
        let out = self.parts(lowering, result)?;
        let axes: Vec<AxisId> = axes.iter().copied().filter(|axis| Some(*axis) != self.task).collect();
        let plan = self.sum_plan(lowering, operands, &axes, &out);
        self.ops.push(Op::Contract(Contraction { accumulate: true, ..plan }));
        Ok(())
    }
}

impl Lowering<'_> {
    /// A product over all positions, or rows added to a table.
    pub(crate) fn total(&mut self, instruction: &Instruction) -> Result<()> {
        let Instruction { op, args, results } = instruction;
        match op {
            IrOp::Adjoint(Adjoint::Gather { axis }) => {
                self.expect(args[1], Stream::Tokens)?;
                let out = self.homes[&results[0]].clone();
                let mut build = Build::new(TILE);
                let x = build.view(self, args[0])?;
                let axes = self.function.ty(results[0]).axes[1..].to_vec();
                let sized = self.dense(&axes)?;
                let width = sized.iter().map(|(_, n)| n).product();
                let dense = View::dense(x.spot, &sized).axes == x.axes;
                if !dense || !matches!(x.spot.place, Place::Seq { .. }) {
                    return Err(self.unsupported("rows of a table that do not lie densely"));
                }
                let tokens = self.size(*axis)?;
                self.ends.push(Kernel::Scatter { x: x.spot, width, tokens, out: out.spot, of: results[0] });
                Ok(())
            }
            IrOp::Adjoint(Adjoint::Contract { .. }) => {
                let plan = self.product(instruction)?;
                match self.ends.last_mut() {
                    Some(Kernel::Products(products)) => products.plans.push(plan),
                    _ => self.ends.push(Kernel::Products(Products { plans: vec![plan], shared: Vec::new() })),
                }
                Ok(())
            }
            _ => Err(self.unsupported("an operation that is no kernel of its own")),
        }
    }

    /// A sum of products over all positions, or over those of a chunk.
    pub(crate) fn product(&mut self, instruction: &Instruction) -> Result<Contraction> {
        let Instruction { op, args, results } = instruction;
        let IrOp::Adjoint(Adjoint::Contract { axes }) = op else { unreachable!("asked for products only") };
        let out = self.homes[&results[0]].clone();
        let mut build = Build::new(TILE);
        let (a, b) = (build.raw(self, args[0])?, build.raw(self, args[1])?);
        let local = |view: &View| matches!(view.spot.place, Place::Local(_) | Place::Positions { .. });
        if local(&a) || local(&b) || self.function.ty(results[0]).stage == Stage::Seq {
            return Err(self.unsupported("a product over positions of a value without a buffer"));
        }
        let plan = build.sum_plan(self, [&a, &b], axes, &out);
        let rounds = self.precision == Precision::Bf16 && (plan.is_large() || a.spot.narrow || b.spot.narrow);
        Ok(Contraction { of: Some(results[0]), rounds, ..plan })
    }
}
