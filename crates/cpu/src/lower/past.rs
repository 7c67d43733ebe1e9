//! Regions over a past, as kernels that hold a tile of positions against what these see.
//!
//! A tile never holds more scores than its positions times what they see, and what no position of it sees is not touched. Tasks
//! go along an axis that all values of the region have, a head of attention say; one task of one item is one worker's, so what
//! is summed at the positions that were seen is summed in one order.

use std::collections::BTreeSet;

use genesys_axis::Domain;
use genesys_ir::module::{Adjoint, AxisId, Direction, Instruction, Op as IrOp, Region, Stage, ValueId};

use crate::contract::Contraction;
use crate::error::Result;
use crate::kernel::{Kernel, Sight};
use crate::lower::build::Build;
use crate::lower::{Lowering, TILE, number};
use crate::op::Op;
use crate::view::{Place, Spot, View};

impl Lowering<'_> {
    /// A past-region.
    pub(crate) fn past(&mut self, instruction: &Instruction) -> Result<()> {
        let IrOp::Past { axis, direction, reset, body } = &instruction.op else { unreachable!("asked for pasts only") };
        if *direction == Direction::Reverse || reset.is_some() {
            return Err(self.unsupported("a past in reverse, or in rows of several documents"));
        }
        let context = self.shape.context;
        let (sight, most) = match self.domain(*axis) {
            Domain::Past { window, skip } => {
                let window = window.as_ref().map(number).transpose()?;
                let most = window.map_or(context, |window| context.min(window + TILE));
                (Sight::Past { window, skip: number(skip)? }, most)
            }
            Domain::Blocks { size } => (Sight::Blocks { size: number(size)? }, context / number(size)?),
            Domain::Static(_) => return Err(self.unsupported("a past along a static axis")),
        };
        let leaving: Vec<ValueId> = body.results.iter().chain(&instruction.results).copied().collect();
        let task = self.task_axis(&[body], &leaving);
        let tasks = task.map_or(Ok(1), |axis| self.size(axis))?;
        let capacity = most.max(1).next_multiple_of(16);
        let rows = if capacity <= 1024 { TILE } else { TILE / 2 };
        let mut build = Build { task, capacity, region: true, ..Build::new(rows) };
        for (result, value) in instruction.results.iter().zip(&body.results) {
            let home = self.homes[result].clone();
            if self.function.ty(*value).stage == Stage::Loss {
                self.homes.insert(*value, home);
            } else if !build.targets.contains_key(value) {
                build.target(*value, home);
            }
        }
        let fused = fused(body);
        for instruction in &body.instructions {
            if !fused.contains(&instruction.results[0]) {
                build.region_operation(self, instruction, body)?;
            }
        }
        for (result, value) in instruction.results.iter().zip(&body.results) {
            build.leave(self, *result, *value)?;
        }
        let finishes = std::mem::take(&mut build.finishes);
        let zeroed = build.zeroed(self);
        self.ends.push(Kernel::Past { tile: build.tile(Vec::new()), sight, seen: capacity, tasks, zeroed });
        if !finishes.is_empty() {
            self.ends.push(Kernel::Finish(finishes));
        }
        Ok(())
    }

    /// The axis that every operation of the regions goes along, element by element, and all those values have: that with which
    /// tasks compute least again, and of such axes the largest; none where all would compute more again than there is to do.
    pub(crate) fn task_axis(&self, bodies: &[&Region], all: &[ValueId]) -> Option<AxisId> {
        let axes: BTreeSet<AxisId> = all.iter().flat_map(|id| &self.function.ty(*id).axes).copied().collect();
        let along = |axis: &AxisId| {
            let mut instructions = bodies.iter().flat_map(|body| &body.instructions);
            all.iter().all(|id| self.function.ty(*id).axes.contains(axis))
                && instructions.all(|instruction| untouched(&instruction.op, *axis))
        };
        let sized = axes.into_iter().filter(along).filter_map(|axis| Some((self.size(axis).ok()?, axis)));
        // What has not the axis is the same for all tasks, so each computes it for itself.
        let computed = || {
            let made = bodies.iter().flat_map(|body| &body.instructions).filter(|made| computes(&made.op));
            made.flat_map(|made| &made.results).map(|id| &self.function.ty(*id).axes)
        };
        let elements = |axes: &Vec<AxisId>| -> usize {
            axes.iter().map(|axis| self.size(*axis).unwrap_or(self.shape.context)).product()
        };
        let all: usize = computed().map(elements).sum();
        let again = |axis: &AxisId| computed().filter(|axes| !axes.contains(axis)).map(elements).sum::<usize>();
        let worth = sized.filter(|(size, axis)| again(axis) * size <= all);
        let best = worth.max_by_key(|(size, axis)| (std::cmp::Reverse(again(axis)), *size, std::cmp::Reverse(*axis)));
        best.filter(|(size, _)| *size > 1).map(|(_, axis)| axis)
    }
}

/// The outer products that only their transposed view reads: it sums them as one product of matrices.
fn fused(body: &Region) -> BTreeSet<ValueId> {
    let outer = |id: &ValueId| {
        let made = body.instructions.iter().find(|instruction| instruction.results.contains(id));
        made.is_some_and(|made| matches!(made.op, IrOp::Contract { .. }))
    };
    let readers = |id: &ValueId| {
        let read = body.instructions.iter().filter(|instruction| genesys_ir::reads(instruction).contains(id)).count();
        read + body.results.iter().filter(|result| *result == id).count()
    };
    let views = body
        .instructions
        .iter()
        .filter(|instruction| matches!(instruction.op, IrOp::Adjoint(Adjoint::View(_) | Adjoint::Blocks { .. })));
    views.map(|view| view.args[0]).filter(|id| outer(id) && readers(id) == 1).collect()
}

/// Whether an operation computes anything, and does not only say where something lies.
fn computes(op: &IrOp) -> bool {
    match op {
        IrOp::Map(_) | IrOp::Reduce { .. } | IrOp::Softmax { .. } | IrOp::Contract { .. } | IrOp::Adjoint(_) => true,
        IrOp::Cumsum(_) | IrOp::After(_) | IrOp::Top { .. } | IrOp::Picked { .. } | IrOp::Gather { .. } => true,
        IrOp::Concat { .. } | IrOp::Stack { .. } | IrOp::Pad { .. } => true,
        IrOp::Shift { .. } | IrOp::Window { .. } | IrOp::Pool { .. } => true,
        IrOp::CrossEntropy { .. } | IrOp::MeanTokens => true,
        IrOp::Past { .. } | IrOp::Scan { .. } | IrOp::Grad { .. } | IrOp::Call { .. } => true,
        IrOp::Weight(_) | IrOp::Constant(_) | IrOp::Position | IrOp::Layer | IrOp::Age(_) | IrOp::Index(_) => false,
        IrOp::Broadcast { .. } | IrOp::Regroup { .. } | IrOp::Slice { .. } | IrOp::Select { .. } => false,
        IrOp::View(_) | IrOp::Blocks { .. } => false,
    }
}

/// Whether an operation goes along an axis element by element.
pub(crate) fn untouched(op: &IrOp, axis: AxisId) -> bool {
    match op {
        IrOp::Reduce { axes, .. } | IrOp::Softmax { axes, .. } | IrOp::Contract { axes } => !axes.contains(&axis),
        IrOp::Broadcast { axes } => !axes.contains(&axis),
        IrOp::Adjoint(Adjoint::Contract { axes }) => !axes.contains(&axis),
        IrOp::Regroup { from, to } => !from.contains(&axis) && !to.contains(&axis),
        IrOp::Concat { parts, whole } => *whole != axis && !parts.contains(&axis),
        IrOp::Slice { whole, part, .. } | IrOp::Pad { part, whole, .. } => *whole != axis && *part != axis,
        IrOp::Select { axis: own, .. } | IrOp::Stack { axis: own } | IrOp::Index(own) => *own != axis,
        IrOp::Blocks { within, .. } | IrOp::Adjoint(Adjoint::Blocks { within, .. }) => *within != axis,
        IrOp::Top { from, to } | IrOp::Picked { from, to } => *from != axis && *to != axis,
        IrOp::Adjoint(Adjoint::Top { from, to }) => *from != axis && *to != axis,
        IrOp::Window { axis: own, .. } | IrOp::Adjoint(Adjoint::Window { axis: own, .. }) => *own != axis,
        IrOp::Gather { axis: own } | IrOp::CrossEntropy { axis: own } => *own != axis,
        IrOp::Weight(_) | IrOp::Constant(_) | IrOp::Position | IrOp::Layer | IrOp::Age(_) | IrOp::Map(_) => true,
        IrOp::Shift { .. } | IrOp::Pool { .. } | IrOp::View(_) | IrOp::Cumsum(_) | IrOp::After(_) => true,
        IrOp::Past { .. } | IrOp::Scan { .. } | IrOp::Grad { .. } | IrOp::MeanTokens | IrOp::Call { .. } => false,
        IrOp::Adjoint(Adjoint::Total | Adjoint::MeanTokens | Adjoint::Pool { .. }) => true,
        IrOp::Adjoint(Adjoint::View(_) | Adjoint::Before(_)) => true,
        IrOp::Adjoint(Adjoint::Gather { .. } | Adjoint::CrossEntropy { .. }) => false,
    }
}

impl Build {
    /// An operation of a region; a sum over what was seen takes the outer product that it is of with it.
    fn region_operation(
        &mut self,
        lowering: &mut Lowering<'_>,
        instruction: &Instruction,
        body: &Region,
    ) -> Result<()> {
        let around = self.make_for(instruction.results.first().copied());
        self.in_region(lowering, instruction, body)?;
        self.make_for(around);
        Ok(())
    }

    fn in_region(&mut self, lowering: &mut Lowering<'_>, instruction: &Instruction, body: &Region) -> Result<()> {
        let Instruction { op, args, results } = instruction;
        let transposed = matches!(op, IrOp::Adjoint(Adjoint::View(_) | Adjoint::Blocks { .. }));
        let within = body.instructions.iter().find(|made| made.results.contains(args.first().unwrap_or(&results[0])));
        if let (true, Some(Instruction { op: IrOp::Contract { axes }, args: operands, .. })) = (transposed, within)
            && !self.views.contains_key(&args[0])
        {
            return self.unseen_product(lowering, op, operands, axes, results[0]);
        }
        if let IrOp::Adjoint(Adjoint::Total | Adjoint::Contract { .. }) = op {
            if !lowering.homes.contains_key(&results[0]) {
                lowering.inner_home(results[0])?;
            }
            return self.summed(lowering, instruction);
        }
        self.operation(lowering, instruction)
    }

    /// A result of the region, where it leaves.
    fn leave(&mut self, lowering: &mut Lowering<'_>, result: ValueId, value: ValueId) -> Result<()> {
        if lowering.function.ty(value).stage == Stage::Loss {
            // A sum over positions, which is finished behind the region.
            return Ok(());
        }
        let home = match self.task {
            Some(task) => lowering.homes[&result].clone().by_task(task),
            None => lowering.homes[&result].clone(),
        };
        let view = self.raw(lowering, value)?;
        if view != home && self.stored.get(&value) != Some(&home) {
            self.copy(lowering, &view, &home, result);
        }
        Ok(())
    }

    /// A value at what each position sees.
    pub(crate) fn seen(
        &mut self,
        lowering: &mut Lowering<'_>,
        arg: ValueId,
        axis: AxisId,
        within: Option<AxisId>,
    ) -> Result<View> {
        let x = self.raw(lowering, arg)?;
        let (buffer, stride, row) = match x.spot.place {
            Place::Seq { buffer, row } => (buffer, row, row),
            Place::Positions { buffer, row } => (buffer, row, 0),
            Place::Chunk { .. } => unreachable!("what a region sees is kept for all positions"),
            Place::Once(_) | Place::Item { .. } | Place::Part { .. } | Place::Local(_) | Place::Span { .. } => {
                return Err(lowering.unsupported("a view of a value without a buffer"));
            }
        };
        self.along(
            lowering,
            View { spot: Spot { place: Place::Item { buffer, row, along: stride }, row: 0, ..x.spot }, ..x },
            axis,
            within,
        )
    }

    /// Adds the axes along which a buffer of positions is seen.
    fn along(&self, lowering: &Lowering<'_>, mut view: View, axis: AxisId, within: Option<AxisId>) -> Result<View> {
        let Place::Item { buffer, row, along } = view.spot.place else { unreachable!("asked for seen buffers only") };
        match within {
            None => view.axes.push((axis, along)),
            Some(within) => {
                let block = along * lowering.size(within)?;
                view.axes.extend([(within, along), (axis, block)]);
                view.spot.place = Place::Item { buffer, row, along: block };
            }
        }
        Ok(view)
    }

    /// Where the sum over what was seen goes.
    fn unseen_home(
        &mut self,
        lowering: &mut Lowering<'_>,
        result: ValueId,
        axis: AxisId,
        within: Option<AxisId>,
    ) -> Result<View> {
        let home = match self.targets.get(&result) {
            Some(target) => target.clone(),
            None => {
                lowering.inner_home(result)?;
                let home = lowering.homes[&result].clone();
                self.task.map_or(home.clone(), |task| home.by_task(task))
            }
        };
        let axes = lowering.function.ty(result).axes.clone();
        self.summed_up(home.clone(), axes, true);
        self.views.insert(result, home.clone());
        let Place::Seq { buffer, row } = home.spot.place else { unreachable!("it is a value of positions") };
        let spot = Spot { place: Place::Item { buffer, row, along: row }, row: 0, ..home.spot };
        self.along(lowering, View { spot, ..home }, axis, within)
    }

    /// The sum, at each position, over those that see it.
    pub(crate) fn unseen(
        &mut self,
        lowering: &mut Lowering<'_>,
        arg: ValueId,
        result: ValueId,
        axis: AxisId,
        within: Option<AxisId>,
    ) -> Result<()> {
        let x = self.view(lowering, arg)?;
        self.mask(lowering, arg, &x, &[axis]);
        let out = self.unseen_home(lowering, result, axis, within)?;
        let axes = lowering.function.ty(arg).axes.clone();
        let order = self.order(lowering, &axes);
        let extents = order.iter().map(|(_, extent)| *extent).collect();
        self.ops.push(Op::Sum { a: x.walk(&order), b: None, out: out.walk(&order), order: extents, only: None });
        Ok(())
    }

    /// The same of a product that nothing else reads, as a product of matrices.
    fn unseen_product(
        &mut self,
        lowering: &mut Lowering<'_>,
        op: &IrOp,
        operands: &[ValueId],
        axes: &[AxisId],
        result: ValueId,
    ) -> Result<()> {
        let (axis, within) = match op {
            IrOp::Adjoint(Adjoint::View(axis)) => (*axis, None),
            IrOp::Adjoint(Adjoint::Blocks { axis, within }) => (*axis, Some(*within)),
            _ => unreachable!("asked for transposed views only"),
        };
        let out = self.unseen_home(lowering, result, axis, within)?;
        let mut make = |build: &mut Self, lowering: &mut Lowering<'_>, views: [&View; 2]| {
            for (id, view) in operands.iter().zip(views).filter(|(_, view)| view.has(axis)) {
                build.mask(lowering, *id, view, &[axis]);
            }
            (build.sum_plan(lowering, views, axes, &out), out.clone())
        };
        let (plan, _) = self.rounded(lowering, [operands[0], operands[1]], &mut make)?;
        self.ops.push(Op::Contract(Contraction { accumulate: true, ..plan }));
        Ok(())
    }
}
