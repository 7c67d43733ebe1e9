//! Operations of a tile from instructions of the IR.

use genesys_axis::Constant;
use genesys_ir::module::{Adjoint, AxisId, Direction, Expr, Instruction, Op as IrOp, Stage, ValueId};
use genesys_kernels::{packed_len, packed_len_bf16};

use crate::code::Code;
use crate::contract::{self, Contraction};
use crate::error::Result;
use crate::kernel::Pack;
use crate::lower::build::Build;
use crate::lower::{Lowering, Stream, Use};
use crate::op::{Op, Pick, Picking, Rows, Running};
use crate::precision::Precision;
use crate::view::{Dim, Extent, Place, Spot, View};

impl Build {
    /// Appends what computes an instruction's result.
    pub(crate) fn operation(&mut self, lowering: &mut Lowering<'_>, instruction: &Instruction) -> Result<()> {
        let around = self.make_for(instruction.results.first().copied());
        self.made(lowering, instruction)?;
        self.make_for(around);
        Ok(())
    }

    fn made(&mut self, lowering: &mut Lowering<'_>, instruction: &Instruction) -> Result<()> {
        let Instruction { op, args, results } = instruction;
        let result = results[0];
        let view = match op {
            IrOp::Weight(_) | IrOp::Layer | IrOp::Constant(_) | IrOp::Position | IrOp::Age(_) | IrOp::Index(_) => {
                self.leaf(lowering, op, result)?
            }
            IrOp::Regroup { .. } | IrOp::Slice { .. } | IrOp::Select { .. } | IrOp::Broadcast { .. } => {
                self.strided(lowering, op, args[0], result)?
            }
            IrOp::Map(expr) => self.expression(lowering, expr, args, result)?,
            IrOp::Reduce { .. } | IrOp::Softmax { .. } => self.reduction(lowering, op, args[0], result)?,
            IrOp::Contract { axes } => self.contract(lowering, args, axes, result)?,
            IrOp::Concat { .. } | IrOp::Stack { .. } | IrOp::Pad { .. } => self.joined(lowering, op, args, result)?,
            IrOp::Gather { axis } => self.looked_up(lowering, *axis, args, result)?,
            IrOp::Shift { .. } | IrOp::Window { .. } | IrOp::Pool { .. } => {
                self.elsewhere(lowering, op, args[0], result)?
            }
            IrOp::Cumsum(axis) => self.running(lowering, args[0], result, *axis, Running::UpTo)?,
            IrOp::After(axis) => self.running(lowering, args[0], result, *axis, Running::Behind)?,
            IrOp::Top { from, to } => self.top(lowering, [args[0], args[1]], result, (*from, *to), Pick::Value)?,
            IrOp::Picked { from, to } => self.top(lowering, [args[0], args[0]], result, (*from, *to), Pick::Exists)?,
            IrOp::View(axis) => self.seen(lowering, args[0], *axis, None)?,
            IrOp::Blocks { axis, within } => self.seen(lowering, args[0], *axis, Some(*within))?,
            IrOp::CrossEntropy { axis } => return self.cross_entropy(lowering, *axis, args, result),
            IrOp::MeanTokens => return self.summed(lowering, instruction),
            IrOp::Adjoint(op) => match self.adjoint(lowering, op, instruction)? {
                Some(view) => view,
                None => return Ok(()),
            },
            IrOp::Past { .. } | IrOp::Scan { .. } | IrOp::Call { .. } => {
                return Err(lowering.unsupported("a region within a region"));
            }
            IrOp::Grad { .. } => return Err(lowering.unsupported("a derivative that was not expanded")),
        };
        self.define_as(lowering, result, view);
        Ok(())
    }

    /// An operation of adjoint functions; nothing where it says itself where its result lies.
    fn adjoint(
        &mut self,
        lowering: &mut Lowering<'_>,
        op: &Adjoint,
        instruction: &Instruction,
    ) -> Result<Option<View>> {
        let Instruction { args, results, .. } = instruction;
        let result = results[0];
        Ok(Some(match op {
            Adjoint::Window { .. } | Adjoint::Pool { .. } => {
                self.elsewhere(lowering, &instruction.op, args[0], result)?
            }
            Adjoint::Before(axis) => self.running(lowering, args[0], result, *axis, Running::Before)?,
            Adjoint::Top { from, to } => self.top(lowering, [args[0], args[1]], result, (*from, *to), Pick::Back)?,
            Adjoint::CrossEntropy { axis } => {
                lowering.expect(args[2], Stream::Targets)?;
                let (g, x) = (self.view(lowering, args[0])?.spot, self.view(lowering, args[1])?);
                let (n, logits) = (lowering.size(*axis)?, x.walk(&self.order(lowering, &[*axis])));
                self.simple(lowering, result, |out| Op::CrossEntropySlope { g, logits, n, out })
            }
            Adjoint::MeanTokens => self.counted(lowering, args, result)?,
            Adjoint::Total | Adjoint::Contract { .. } => {
                self.summed(lowering, instruction)?;
                return Ok(None);
            }
            Adjoint::View(axis) => {
                self.unseen(lowering, args[0], result, *axis, None)?;
                return Ok(None);
            }
            Adjoint::Blocks { axis, within } => {
                self.unseen(lowering, args[0], result, *axis, Some(*within))?;
                return Ok(None);
            }
            Adjoint::Gather { .. } => return Err(lowering.unsupported("rows added to a table within a region")),
        }))
    }

    /// What has no operands.
    fn leaf(&mut self, lowering: &mut Lowering<'_>, op: &IrOp, result: ValueId) -> Result<View> {
        Ok(match op {
            IrOp::Weight(id) => {
                let sized = lowering.dense(&lowering.function.weights[id.0 as usize].axes)?;
                let buffer = lowering.weight(id.0 as usize)?;
                self.here(View::dense(Spot::new(Place::Once(buffer), 0), &sized))
            }
            IrOp::Layer => View::dense(Spot::new(Place::Once(lowering.layer()), 0), &[]),
            IrOp::Constant(constant) => self.constant(lowering, constant, result)?,
            IrOp::Position => self.simple(lowering, result, |out| Op::Position { out }),
            IrOp::Age(_) => self.simple(lowering, result, |out| Op::Age { out }),
            IrOp::Index(axis) if self.task == Some(*axis) => {
                let n = lowering.size(*axis)?;
                let spot = Spot::new(Place::Local(self.memory(n)), 0);
                self.ops.push(Op::Index { out: spot, n });
                View { spot, axes: vec![(*axis, 1)] }.by_task(*axis)
            }
            IrOp::Index(axis) => {
                let n = lowering.size(*axis)?;
                self.simple(lowering, result, |out| Op::Index { out, n })
            }
            _ => unreachable!("asked for what has no operands only"),
        })
    }

    /// A number everywhere.
    fn constant(&mut self, lowering: &Lowering<'_>, constant: &Constant, result: ValueId) -> Result<View> {
        let axes = lowering.function.ty(result).axes.clone();
        let out = self.out(lowering, result);
        let order = self.order(lowering, &axes);
        let code = Code::new(&Expr::Const(constant.clone()), &|_| None)?;
        let extents = order.iter().map(|(_, extent)| *extent).collect();
        self.ops.push(Op::Map { code, args: Vec::new(), out: out.walk(&order), order: extents });
        Ok(out)
    }

    fn expression(
        &mut self,
        lowering: &mut Lowering<'_>,
        expr: &Expr,
        args: &[ValueId],
        result: ValueId,
    ) -> Result<View> {
        let known: Vec<Option<f64>> = args.iter().map(|id| self.known(lowering, *id)).collect();
        let code = Code::new(expr, &|i| known[i])?;
        let mut views = Vec::with_capacity(args.len());
        for (id, known) in args.iter().zip(&known) {
            views.push(if known.is_some() { None } else { Some(self.raw(lowering, *id)?) });
        }
        let axes = self.as_they_lie(lowering, result, &views);
        let out = self.out_in(lowering, result, &axes);
        let order = self.order(lowering, &axes);
        // A number is in the code; something must stand in its place.
        let walks = views.iter().map(|view| view.as_ref().unwrap_or(&out).walk(&order)).collect();
        let extents = order.iter().map(|(_, extent)| *extent).collect();
        self.ops.push(Op::Map { code, args: walks, out: out.walk(&order), order: extents });
        Ok(out)
    }

    /// The axes of a result in the order in which most operands have them. A step of a recurrence computes little at a time: what
    /// lies in another order is gathered element by element, which takes longer than to compute with it.
    fn as_they_lie(&self, lowering: &Lowering<'_>, result: ValueId, views: &[Option<View>]) -> Vec<AxisId> {
        let axes = lowering.function.ty(result).axes.clone();
        if !self.single || self.targets.contains_key(&result) {
            return axes;
        }
        let own: Vec<AxisId> = axes.iter().copied().filter(|axis| Some(*axis) != self.task).collect();
        let orders: Vec<Vec<AxisId>> = views
            .iter()
            .flatten()
            .filter(|view| own.iter().all(|axis| view.stride(*axis) > 0))
            .map(|view| {
                let mut order = own.clone();
                order.sort_by_key(|axis| std::cmp::Reverse(view.stride(*axis)));
                order
            })
            .collect();
        let count = |order: &&Vec<AxisId>| orders.iter().filter(|other| other == order).count();
        // Of several that are as frequent the first.
        orders.iter().rev().max_by_key(count).cloned().unwrap_or(axes)
    }

    fn reduction(&mut self, lowering: &mut Lowering<'_>, op: &IrOp, arg: ValueId, result: ValueId) -> Result<View> {
        let x = self.view(lowering, arg)?;
        Ok(match op {
            IrOp::Reduce { reduction, axes, otherwise } => {
                let (how, otherwise) = (*reduction, otherwise.map(|value| value as f32));
                let rows = self.rows_of(lowering, &x, arg, axes);
                let kept: Vec<AxisId> =
                    lowering.function.ty(arg).axes.iter().copied().filter(|axis| !axes.contains(axis)).collect();
                let out = self.out(lowering, result);
                let walk = out.walk(&self.order(lowering, &kept));
                self.ops.push(Op::Reduce { how, otherwise, x: rows, out: walk });
                out
            }
            IrOp::Softmax { axes, sink } => {
                let rows = self.rows_of(lowering, &x, arg, axes);
                let out = self.out(lowering, result);
                let order = self.kept_then_over(lowering, arg, axes);
                let walk = out.walk(&order);
                if rows.masked {
                    self.masked.insert(result);
                }
                self.ops.push(Op::Softmax { sink: sink.map(|value| value as f32), x: rows, out: walk });
                out
            }
            _ => unreachable!("asked for reductions only"),
        })
    }

    /// Operands as parts of a result.
    fn joined(&mut self, lowering: &mut Lowering<'_>, op: &IrOp, args: &[ValueId], result: ValueId) -> Result<View> {
        let axes = lowering.function.ty(result).axes.clone();
        let out = match op {
            IrOp::Pad { .. } => self.constant(lowering, &Constant::Real(0.0), result)?,
            _ => self.out(lowering, result),
        };
        let mut offset = 0;
        for (i, id) in args.iter().enumerate() {
            let x = self.raw(lowering, *id)?;
            let (to, axes) = match op {
                IrOp::Concat { parts, whole } => {
                    let start = offset;
                    offset += lowering.size(parts[i])?;
                    (out.clone().slice(*whole, parts[i], start), swap_axis(&axes, *whole, Some(parts[i])))
                }
                IrOp::Stack { axis } => (out.clone().select(*axis, i), swap_axis(&axes, *axis, None)),
                IrOp::Pad { part, whole, offset } => {
                    let start = Build::number(offset)?;
                    (out.clone().slice(*whole, *part, start), swap_axis(&axes, *whole, Some(*part)))
                }
                _ => unreachable!("asked for what joins only"),
            };
            self.copy_axes(lowering, &x, &to, &axes);
        }
        Ok(out)
    }

    fn looked_up(
        &mut self,
        lowering: &mut Lowering<'_>,
        axis: AxisId,
        args: &[ValueId],
        result: ValueId,
    ) -> Result<View> {
        lowering.expect(args[1], Stream::Tokens)?;
        let table = self.view(lowering, args[0])?;
        let axes = lowering.function.ty(result).axes.clone();
        let walk = table.walk(&self.order(lowering, &axes));
        let stride = table.stride(axis);
        Ok(self.simple(lowering, result, |out| Op::Gather { table: walk, axis: stride, out }))
    }

    /// The values of other positions.
    fn elsewhere(&mut self, lowering: &mut Lowering<'_>, op: &IrOp, arg: ValueId, result: ValueId) -> Result<View> {
        let (reset, direction) = match op {
            IrOp::Shift { reset, direction, .. } | IrOp::Window { reset, direction, .. } => (reset, direction),
            IrOp::Pool { reset, direction, .. } => (reset, direction),
            IrOp::Adjoint(Adjoint::Window { reset, direction, .. }) => (reset, direction),
            IrOp::Adjoint(Adjoint::Pool { reset, direction, .. }) => (reset, direction),
            _ => unreachable!("asked for looks at other positions only"),
        };
        if reset.is_some() {
            return Err(lowering.unsupported("rows of several documents"));
        }
        let reverse = *direction == Direction::Reverse;
        match op {
            IrOp::Shift { by, .. } => {
                let (x, order) = self.far(lowering, arg, result)?;
                let by = Build::number(by)?;
                Ok(self.simple(lowering, result, |out| Op::Shift { x, order, by, reverse, out }))
            }
            IrOp::Window { axis, .. } => self.window(lowering, arg, result, *axis, reverse, false),
            IrOp::Adjoint(Adjoint::Window { axis, .. }) => self.window(lowering, arg, result, *axis, reverse, true),
            IrOp::Pool { size, .. } => self.pool(lowering, arg, result, size, reverse, false),
            IrOp::Adjoint(Adjoint::Pool { size, .. }) => self.pool(lowering, arg, result, size, reverse, true),
            _ => unreachable!("asked for looks at other positions only"),
        }
    }

    /// An operation whose result lies densely in the order of its axes.
    fn simple(&mut self, lowering: &Lowering<'_>, result: ValueId, op: impl FnOnce(Spot) -> Op) -> View {
        let axes = lowering.function.ty(result).axes.clone();
        let sized: Vec<(AxisId, usize)> =
            self.order(lowering, &axes).into_iter().map(|(axis, extent)| (axis, self.room(extent))).collect();
        let out = match self.targets.get(&result) {
            Some(target) if *target == View::dense(target.spot, &sized) && is_plain(target.spot) => target.clone(),
            _ => {
                let each = self.each(lowering, result);
                self.local(lowering, &axes, each)
            }
        };
        let op = op(out.spot);
        self.ops.push(op);
        out
    }

    /// Other strides over a value, or where none say it, a copy.
    fn strided(&mut self, lowering: &mut Lowering<'_>, op: &IrOp, arg: ValueId, result: ValueId) -> Result<View> {
        let x = self.whole(lowering, arg)?;
        if self.masked.contains(&arg) {
            self.masked.insert(result);
        }
        if let Some(view) = restrided(&|axis| lowering.size(axis), op, &x)? {
            return Ok(self.here(view));
        }
        let IrOp::Regroup { from, to } = op else { unreachable!("only regrouping may want a copy") };
        if self.task.is_some_and(|task| from.contains(&task) || to.contains(&task)) {
            return Err(lowering.unsupported("a regrouping of the axis of tasks"));
        }
        let (x, each) = (self.here(x), self.each(lowering, arg));
        let (from, to) = (lowering.dense(from)?, lowering.dense(to)?);
        let axes = lowering.function.ty(arg).axes.clone();
        let mut order: Vec<AxisId> =
            axes.iter().copied().filter(|axis| from.iter().all(|(own, _)| own != axis)).collect();
        order.extend(from.iter().map(|(axis, _)| *axis));
        let copy = self.local(lowering, &order, each);
        self.copy_axes(lowering, &x, &copy, &order);
        copy.regroup(&from, &to).ok_or_else(|| lowering.unsupported("a regrouping of no whole axes"))
    }

    fn kept_then_over(&self, lowering: &Lowering<'_>, arg: ValueId, axes: &[AxisId]) -> Vec<(AxisId, Extent)> {
        let own = &lowering.function.ty(arg).axes;
        let kept: Vec<AxisId> = own.iter().copied().filter(|axis| !axes.contains(axis)).collect();
        let mut order = self.order(lowering, &kept);
        // What is seen is innermost.
        let mut over = self.order(lowering, axes);
        over.sort_by_key(|(_, extent)| *extent == Extent::Seen);
        order.extend(over);
        order
    }

    fn rows_of(&self, lowering: &Lowering<'_>, x: &View, arg: ValueId, axes: &[AxisId]) -> Rows {
        let order = self.kept_then_over(lowering, arg, axes);
        let count = order.len() - self.order(lowering, axes).len();
        let extents: Vec<Extent> = order.iter().map(|(_, extent)| *extent).collect();
        let (kept, over) = (extents[..count].to_vec(), extents[count..].to_vec());
        let masked = over.last() == Some(&Extent::Seen);
        let turned: Vec<(AxisId, Extent)> = order[count..].iter().chain(&order[..count]).copied().collect();
        let across = Some(x.walk(&turned)).filter(|walk| {
            let fixed = |n: usize, extent: &Extent| if let Extent::Fixed(m) = extent { Some(n * m) } else { None };
            let width = kept.iter().try_fold(1, fixed).filter(|n| !masked && *n > 1);
            match (width, walk.dims.last()) {
                (Some(n), Some(Dim { extent: Extent::Fixed(m), stride: 1 })) => m % n == 0,
                _ => false,
            }
        });
        Rows { x: x.walk(&order), kept, over, across, masked }
    }

    /// Makes a value 0 where a position does not see, if it is summed over.
    pub(crate) fn mask(&mut self, lowering: &Lowering<'_>, id: ValueId, view: &View, axes: &[AxisId]) {
        let seen = axes.iter().any(|axis| lowering.extent(*axis) == Extent::Seen && view.has(*axis));
        let varies = view.spot.row != 0 && matches!(view.spot.place, Place::Local(_));
        if seen && varies && self.masked.insert(id) {
            let seen: Vec<AxisId> =
                axes.iter().copied().filter(|axis| lowering.extent(*axis) == Extent::Seen).collect();
            let x = self.rows_of(lowering, view, id, &seen);
            self.ops.push(Op::Mask { x });
        }
    }

    fn contract(
        &mut self,
        lowering: &mut Lowering<'_>,
        args: &[ValueId],
        axes: &[AxisId],
        result: ValueId,
    ) -> Result<View> {
        let own: Vec<AxisId> = axes.iter().copied().filter(|axis| Some(*axis) != self.task).collect();
        let target = self.targets.get(&result).cloned().filter(|target| !target.spot.narrow);
        let mut make = |build: &mut Self, lowering: &mut Lowering<'_>, [a, b]: [&View; 2]| {
            build.mask(lowering, args[0], a, axes);
            build.mask(lowering, args[1], b, axes);
            build.planned(lowering, [a, b], &own, contract::Rows::Kept, target.as_ref(), result)
        };
        let (mut plan, out) = self.rounded(lowering, [args[0], args[1]], &mut make)?;
        if let Some(packed) = self.packed(lowering, &plan) {
            plan.packed = Some(packed);
        }
        self.ops.push(Op::Contract(plan));
        Ok(out)
    }

    /// A contraction that `make` makes of two operands. It reads them as bf16 where that is the precision and they are matrices; of
    /// what is less, and of all that a recurrence does, it reads f32.
    pub(crate) fn rounded(
        &mut self,
        lowering: &mut Lowering<'_>,
        [a, b]: [ValueId; 2],
        make: &mut Make<'_>,
    ) -> Result<(Contraction, View)> {
        if lowering.precision == Precision::Bf16 && self.rows > 1 && !self.single && !self.setup {
            let operands = [self.operand(lowering, a)?, self.operand(lowering, b)?];
            let (plan, out) = make(self, lowering, [&operands[0], &operands[1]]);
            if plan.is_large() {
                return Ok((Contraction { rounds: true, ..plan }, out));
            }
        }
        let operands = [self.view(lowering, a)?, self.view(lowering, b)?];
        Ok(make(self, lowering, [&operands[0], &operands[1]]))
    }

    /// A contraction, and where its result lies: at the target if that makes good columns.
    fn planned(
        &mut self,
        lowering: &Lowering<'_>,
        [a, b]: [&View; 2],
        axes: &[AxisId],
        rows: contract::Rows,
        target: Option<&View>,
        result: ValueId,
    ) -> (Contraction, View) {
        let capacity = self.capacity;
        let sizes = |axis: AxisId| match lowering.extent(axis) {
            Extent::Fixed(n) => (Extent::Fixed(n), n),
            extent => (extent, capacity),
        };
        let plan = |out: Option<&View>| contract::plan(a.clone(), b.clone(), axes, &sizes, rows, out);
        let (free, layout) = plan(None);
        if let Some(target) = target {
            let (plan, _) = plan(Some(target));
            if !plan.n.is_once() || free.n.is_once() {
                return (plan, target.clone());
            }
        }
        let each = rows == contract::Rows::Kept && self.each(lowering, result);
        let out = self.local(lowering, &layout, each);
        (Contraction { c: Spot { row: out.spot.row, ..out.spot }, ..free }, out)
    }

    /// Where the second operand is packed, if it is the same for all tiles and large enough.
    fn packed(&mut self, lowering: &mut Lowering<'_>, plan: &Contraction) -> Option<crate::view::BufferId> {
        let (Extent::Fixed(k), Extent::Fixed(n)) = (plan.k.extent, plan.n.extent) else { return None };
        let whole = matches!(plan.b.place, Place::Once(_)) && plan.outer.is_empty() && self.task.is_none();
        let worth = plan.m.extent == Extent::Rows && k >= 16 && n >= 16 && self.rows > 1 && !self.setup;
        if !(whole && worth) {
            return None;
        }
        let length = if plan.rounds { packed_len_bf16(k, n) } else { packed_len(k, n) };
        let out = lowering.buffer(Use::Inner, length, self.about);
        let (k, n, of, rounds) = ((k, plan.k.b), (n, plan.n.b), self.about, plan.rounds);
        lowering.pack(Pack { b: plan.b, k, n, out, of, rounds });
        Some(out)
    }

    /// A value whose other positions are read: it lies in a buffer.
    pub(crate) fn far(
        &mut self,
        lowering: &mut Lowering<'_>,
        arg: ValueId,
        like: ValueId,
    ) -> Result<(crate::view::Walk, Vec<Extent>)> {
        let x = self.view(lowering, arg)?;
        if matches!(x.spot.place, Place::Local(_)) {
            return Err(lowering.unsupported("a look at other positions of a value without a buffer"));
        }
        let axes = lowering.function.ty(like).axes.clone();
        let order = self.order(lowering, &axes);
        Ok((x.walk(&order), order.into_iter().map(|(_, extent)| extent).collect()))
    }

    fn window(
        &mut self,
        lowering: &mut Lowering<'_>,
        arg: ValueId,
        result: ValueId,
        axis: AxisId,
        reverse: bool,
        adjoint: bool,
    ) -> Result<View> {
        // Both walk over the axes without that of the window; the one that has it adds its stride.
        let narrow = if adjoint { result } else { arg };
        let (x, order) = self.far(lowering, arg, narrow)?;
        let out = self.out(lowering, result);
        let axes = lowering.function.ty(narrow).axes.clone();
        let out_walk = out.walk(&self.order(lowering, &axes));
        let stride = if adjoint { self.view(lowering, arg)?.stride(axis) } else { out.stride(axis) };
        let n = lowering.size(axis)?;
        self.ops.push(Op::Window { x, order, n, axis: stride, reverse, adjoint, out: out_walk });
        Ok(out)
    }

    fn pool(
        &mut self,
        lowering: &mut Lowering<'_>,
        arg: ValueId,
        result: ValueId,
        size: &genesys_axis::Size,
        reverse: bool,
        adjoint: bool,
    ) -> Result<View> {
        if reverse != adjoint {
            return Err(lowering.unsupported("blocks that are completed from the end"));
        }
        let (x, order) = self.far(lowering, arg, result)?;
        let size = Build::number(size)?;
        Ok(self.simple(lowering, result, |out| Op::Pool { x, order, size, adjoint, out }))
    }

    fn running(
        &mut self,
        lowering: &mut Lowering<'_>,
        arg: ValueId,
        result: ValueId,
        axis: AxisId,
        which: Running,
    ) -> Result<View> {
        let x = self.view(lowering, arg)?;
        let rows = self.rows_of(lowering, &x, arg, &[axis]);
        let order = self.kept_then_over(lowering, arg, &[axis]);
        let out = self.out(lowering, result);
        let out_walk = out.walk(&order);
        self.ops.push(Op::Running { which, x: rows, out: out_walk });
        Ok(out)
    }

    fn top(
        &mut self,
        lowering: &mut Lowering<'_>,
        [score, value]: [ValueId; 2],
        result: ValueId,
        (from, to): (AxisId, AxisId),
        pick: Pick,
    ) -> Result<View> {
        let (score, value) = (self.view(lowering, score)?, self.view(lowering, value)?);
        let out = self.out(lowering, result);
        let count = lowering.size(to)?;
        let skipped = if pick == Pick::Back { from } else { to };
        let axes = swap_axis(&lowering.function.ty(result).axes, skipped, None);
        let order = self.order(lowering, &axes);
        let extents: Vec<Extent> = order.iter().map(|(_, extent)| *extent).collect();
        let picking = Picking {
            extent: lowering.extent(from),
            score: score.stride(from),
            from: if pick == Pick::Back { out.stride(from) } else { value.stride(from) },
            to: if pick == Pick::Back { value.stride(to) } else { out.stride(to) },
        };
        let (score, value) = (score.walk(&order), value.walk(&order));
        let walk = out.walk(&order);
        self.ops.push(Op::Top { pick, score, value, out: walk, order: extents, from: picking, to: count });
        Ok(out)
    }

    /// `g` at the positions that count, over their number.
    pub(crate) fn counted(&mut self, lowering: &mut Lowering<'_>, args: &[ValueId], result: ValueId) -> Result<View> {
        lowering.expect(args[1], Stream::Targets)?;
        let x = self.view(lowering, args[0])?;
        let axes = lowering.function.ty(args[0]).axes.clone();
        let order = self.order(lowering, &axes);
        let walk = x.walk(&order);
        let extents = order.iter().map(|(_, extent)| *extent).collect();
        let out = match lowering.function.ty(result).stage {
            Stage::Seq => self.simple(lowering, result, |out| Op::Counted { x: walk, order: extents, out }),
            _ => {
                let out = self.local(lowering, &axes, true);
                self.ops.push(Op::Counted { x: walk, order: extents, out: out.spot });
                out
            }
        };
        Ok(out)
    }

    /// The plan of a sum over positions.
    pub(crate) fn sum_plan(
        &mut self,
        lowering: &Lowering<'_>,
        [a, b]: [&View; 2],
        axes: &[AxisId],
        out: &View,
    ) -> Contraction {
        let capacity = self.capacity;
        let sizes = |axis: AxisId| match lowering.extent(axis) {
            Extent::Fixed(n) => (Extent::Fixed(n), n),
            extent => (extent, capacity),
        };
        contract::plan(a.clone(), b.clone(), axes, &sizes, contract::Rows::Summed, Some(out)).0
    }
}

/// Makes a contraction of two operands, and says where its result lies.
type Make<'a> = dyn FnMut(&mut Build, &mut Lowering<'_>, [&View; 2]) -> (Contraction, View) + 'a;

/// Whether a place can be written as f32, by no task.
fn is_plain(spot: Spot) -> bool {
    spot.task == 0 && !spot.narrow
}

/// The axes with one replaced, or left out.
fn swap_axis(axes: &[AxisId], old: AxisId, new: Option<AxisId>) -> Vec<AxisId> {
    axes.iter().filter_map(|axis| if *axis == old { new } else { Some(*axis) }).collect()
}

/// Other strides over a value; nothing where none say it.
pub(crate) fn restrided(size: &dyn Fn(AxisId) -> Result<usize>, op: &IrOp, x: &View) -> Result<Option<View>> {
    let sized = |axes: &[AxisId]| axes.iter().map(|axis| Ok((*axis, size(*axis)?))).collect::<Result<Vec<_>>>();
    Ok(match op {
        IrOp::Slice { whole, part, offset } => Some(x.clone().slice(*whole, *part, Build::number(offset)?)),
        IrOp::Select { axis, index } => Some(x.clone().select(*axis, Build::number(index)?)),
        IrOp::Broadcast { axes } => Some(x.clone().broadcast(axes)),
        IrOp::Regroup { from, to } => x.regroup(&sized(from)?, &sized(to)?),
        _ => unreachable!("asked for views only"),
    })
}
