//! A kernel under construction: the values that it has, and memory for them.

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{AxisId, Instruction, Op as IrOp, Stage, ValueId};

use crate::code::Code;
use crate::error::Result;
use crate::kernel::{Finish, Tile, Zeroed};
use crate::lower::emit::restrided;
use crate::lower::schedule::Kind;
use crate::lower::{Lowering, number};
use crate::op::Op;
use crate::view::{Extent, LocalId, Place, Spot, View};

/// A kernel under construction.
pub(crate) struct Build {
    pub(crate) ops: Vec<Op>,
    /// The value that each operation is of, but for the last ones: these are of `about`.
    pub(crate) marks: Vec<Option<ValueId>>,
    pub(crate) about: Option<ValueId>,
    /// The elements that each local value has in a tile.
    pub(crate) locals: Vec<usize>,
    pub(crate) views: BTreeMap<ValueId, View>,
    /// Copies of values that lie as bf16.
    pub(crate) wide: BTreeMap<ValueId, View>,
    /// Where values of this kernel lie as bf16 as well.
    pub(crate) stored: BTreeMap<ValueId, View>,
    /// Where values go that a region gives.
    pub(crate) targets: BTreeMap<ValueId, View>,
    /// Values that are 0 where a position does not see.
    pub(crate) masked: BTreeSet<ValueId>,
    /// What is summed up when the kernel is through.
    pub(crate) finishes: Vec<Finish>,
    /// The axis that tasks go along.
    pub(crate) task: Option<AxisId>,
    /// Whether the tasks are strips, which add to what has not their axis.
    pub(crate) strips: bool,
    /// How many elements of the dependent axis a tile sees at most.
    pub(crate) capacity: usize,
    /// How many positions a tile has at most.
    pub(crate) rows: usize,
    /// Whether it runs before the first step, and computes what it needs.
    pub(crate) setup: bool,
    /// Whether there is one position in a tile, so that nothing varies within it.
    pub(crate) single: bool,
    /// Whether it is a region, whose parts are items and tasks.
    pub(crate) region: bool,
    /// What is summed up, with the axes that it has and whether it is one at each position.
    pub(crate) sums: Vec<(View, Vec<AxisId>, bool)>,
}

impl Build {
    pub(crate) fn new(rows: usize) -> Self {
        Self {
            ops: Vec::new(),
            marks: Vec::new(),
            about: None,
            locals: Vec::new(),
            views: BTreeMap::new(),
            wide: BTreeMap::new(),
            stored: BTreeMap::new(),
            targets: BTreeMap::new(),
            masked: BTreeSet::new(),
            finishes: Vec::new(),
            task: None,
            strips: false,
            capacity: 1,
            rows,
            setup: false,
            single: false,
            region: false,
            sums: Vec::new(),
        }
    }

    /// Says which value the operations are of that are appended from now on; gives that of those before.
    pub(crate) fn make_for(&mut self, id: Option<ValueId>) -> Option<ValueId> {
        self.marks.resize(self.ops.len(), self.about);
        std::mem::replace(&mut self.about, id)
    }

    /// Says that a value is summed up: it is 0 before. `each` says whether it is one at each position.
    pub(crate) fn summed_up(&mut self, view: View, axes: Vec<AxisId>, each: bool) {
        self.sums.push((view, axes, each));
    }

    /// What is 0 before a part of the kernel begins.
    pub(crate) fn zeroed(&self, lowering: &Lowering<'_>) -> Vec<Zeroed> {
        let zeroed = |(view, axes, each): &(View, Vec<AxisId>, bool)| {
            let order = match self.strips {
                true => axes.iter().map(|axis| (*axis, lowering.extent(*axis))).collect(),
                false => self.order(lowering, axes),
            };
            Zeroed { x: view.walk(&order), each: *each, order: order.into_iter().map(|(_, extent)| extent).collect() }
        };
        self.sums.iter().map(zeroed).collect()
    }

    /// The kernel, unless it does nothing.
    pub(crate) fn finish(self) -> Option<Tile> {
        let tile = self.tile(Vec::new());
        (!tile.is_empty()).then_some(tile)
    }

    /// The kernel. The values of `kept` hold from tile to tile.
    pub(crate) fn tile(mut self, kept: Vec<LocalId>) -> Tile {
        self.make_for(None);
        let (locals, memory) = place(&self.ops, &self.locals, &kept);
        Tile { ops: self.ops, marks: self.marks, locals, memory, rows: self.rows }
    }

    /// Where a value's elements lie as f32.
    pub(crate) fn view(&mut self, lowering: &mut Lowering<'_>, id: ValueId) -> Result<View> {
        let raw = self.raw(lowering, id)?;
        if !raw.spot.narrow {
            return Ok(raw);
        }
        if let Some(wide) = self.wide.get(&id) {
            return Ok(wide.clone());
        }
        let axes = lowering.function.ty(id).axes.clone();
        let wide = self.local(lowering, &axes, raw.spot.row != 0);
        self.copy_axes(lowering, &raw, &wide, &axes);
        self.wide.insert(id, wide.clone());
        Ok(wide)
    }

    /// Where a product reads a value: as bf16, if it lies so.
    pub(crate) fn operand(&mut self, lowering: &mut Lowering<'_>, id: ValueId) -> Result<View> {
        let raw = self.raw(lowering, id)?;
        Ok(self.stored.get(&id).cloned().unwrap_or(raw))
    }

    /// Where a value's elements lie, in however many bits.
    pub(crate) fn raw(&mut self, lowering: &mut Lowering<'_>, id: ValueId) -> Result<View> {
        if let Some(view) = self.views.get(&id) {
            return Ok(view.clone());
        }
        if let Some(home) = self.home(lowering, id) {
            let view = self.here(home);
            self.views.insert(id, view.clone());
            return Ok(view);
        }
        self.define(lowering, id)?;
        Ok(self.views[&id].clone())
    }

    /// Where a value's elements lie, with the axis of the tasks if it lies in a buffer.
    pub(crate) fn whole(&mut self, lowering: &mut Lowering<'_>, id: ValueId) -> Result<View> {
        if let Some(home) = self.home(lowering, id) {
            return Ok(home);
        }
        match lowering.schedule.definition.get(&id).copied() {
            Some((i, _)) if lowering.schedule.kinds[i] == Kind::View => {
                let Instruction { op, args, .. } = lowering.schedule.instructions[i];
                let x = self.whole(lowering, args[0])?;
                match restrided(&|axis| lowering.size(axis), op, &x)? {
                    Some(view) => Ok(view),
                    None => self.raw(lowering, id),
                }
            }
            _ => self.raw(lowering, id),
        }
    }

    /// The buffer of a value; before the first step there are only those that are computed then.
    fn home(&self, lowering: &Lowering<'_>, id: ValueId) -> Option<View> {
        let home = lowering.homes.get(&id)?;
        let there = !self.setup || matches!(home.spot.place, Place::Positions { .. });
        there.then(|| home.clone())
    }

    /// A value as the present task sees it.
    pub(crate) fn here(&self, view: View) -> View {
        let mut view = match self.task {
            Some(task) => view.by_task(task),
            None => view,
        };
        if self.single {
            view.spot.row = 0;
        }
        view
    }

    /// A value that has no buffer, as it is defined.
    fn define(&mut self, lowering: &mut Lowering<'_>, id: ValueId) -> Result<()> {
        let Some((i, _)) = lowering.schedule.definition.get(&id).copied() else {
            return Err(lowering.unsupported("a value of a region outside of it"));
        };
        let kind = lowering.schedule.kinds[i];
        let instruction = lowering.schedule.instructions[i];
        match kind {
            Kind::Leaf | Kind::View => self.operation(lowering, instruction),
            Kind::Once | Kind::Fixed if self.setup => self.operation(lowering, instruction),
            _ => Err(lowering.unsupported("a value of another kernel without a buffer")),
        }
    }

    pub(crate) fn instruction(&mut self, lowering: &mut Lowering<'_>, i: usize) -> Result<()> {
        let instruction = lowering.schedule.instructions[i];
        for id in &instruction.results {
            if let Some(home) = lowering.homes.get(id) {
                self.target(*id, home.clone());
            }
        }
        if let Some(short) = lowering.schedule.shorts.by.get(&i).copied() {
            let around = self.make_for(instruction.results.first().copied());
            self.convolution(lowering, short, instruction.results[0])?;
            self.make_for(around);
            return Ok(());
        }
        self.operation(lowering, instruction)
    }

    /// Says where a value is to be written.
    pub(crate) fn target(&mut self, id: ValueId, view: View) {
        let view = self.here(view);
        self.targets.insert(id, view);
    }

    /// Memory for a value with those axes, dense in their order.
    pub(crate) fn local(&mut self, lowering: &Lowering<'_>, axes: &[AxisId], each: bool) -> View {
        let sized: Vec<(AxisId, usize)> = axes
            .iter()
            .filter(|axis| Some(**axis) != self.task)
            .map(|axis| (*axis, self.room(lowering.extent(*axis))))
            .collect();
        let width: usize = sized.iter().map(|(_, n)| n).product();
        let each = each && !self.single;
        let place = Place::Local(self.memory(width * if each { self.rows } else { 1 }));
        View::dense(Spot::new(place, if each { width } else { 0 }), &sized)
    }

    pub(crate) fn room(&self, extent: Extent) -> usize {
        match extent {
            Extent::Fixed(n) => n,
            Extent::Rows => self.rows,
            Extent::Seen => self.capacity,
        }
    }

    /// The axes with how many elements they have, without that of the tasks.
    pub(crate) fn order(&self, lowering: &Lowering<'_>, axes: &[AxisId]) -> Vec<(AxisId, Extent)> {
        let own = axes.iter().filter(|axis| Some(**axis) != self.task);
        own.map(|axis| (*axis, lowering.extent(*axis))).collect()
    }

    /// Whether a value varies by position.
    pub(crate) fn each(&self, lowering: &Lowering<'_>, id: ValueId) -> bool {
        matches!(lowering.function.ty(id).stage, Stage::Seq | Stage::Step)
    }

    /// Copies a value of the axes of `like`.
    pub(crate) fn copy(&mut self, lowering: &Lowering<'_>, from: &View, to: &View, like: ValueId) {
        let axes = lowering.function.ty(like).axes.clone();
        let around = self.make_for(self.about.or(Some(like)));
        self.copy_axes(lowering, from, to, &axes);
        self.make_for(around);
    }

    pub(crate) fn copy_axes(&mut self, lowering: &Lowering<'_>, from: &View, to: &View, axes: &[AxisId]) {
        let order = self.order(lowering, axes);
        let extents = order.iter().map(|(_, extent)| *extent).collect();
        self.ops.push(Op::Map {
            code: Code::copy(),
            args: vec![from.walk(&order)],
            out: to.walk(&order),
            order: extents,
        });
    }

    /// The number that a value is known to be.
    pub(crate) fn known(&self, lowering: &Lowering<'_>, id: ValueId) -> Option<f64> {
        let (i, _) = lowering.schedule.definition.get(&id)?;
        match &lowering.schedule.instructions[*i].op {
            IrOp::Constant(constant) => constant.eval(&|_| None).ok(),
            _ => None,
        }
    }

    /// Where the result of an operation goes: to its target, or to memory of its own.
    pub(crate) fn out(&mut self, lowering: &Lowering<'_>, id: ValueId) -> View {
        self.out_in(lowering, id, &lowering.function.ty(id).axes)
    }

    /// As [`out`](Self::out), with the axes in that order where the memory is its own.
    pub(crate) fn out_in(&mut self, lowering: &Lowering<'_>, id: ValueId, axes: &[AxisId]) -> View {
        match self.targets.get(&id) {
            Some(target) if !target.spot.narrow => target.clone(),
            Some(_) | None => {
                let each = self.each(lowering, id);
                self.local(lowering, axes, each)
            }
        }
    }

    /// Records where a value lies; one with a target elsewhere is copied there.
    pub(crate) fn define_as(&mut self, lowering: &Lowering<'_>, id: ValueId, view: View) {
        let subject = self.about.or(Some(id));
        self.marks.resize(self.ops.len(), subject);
        if let Some(target) = self.targets.get(&id).cloned()
            && target != view
        {
            self.copy(lowering, &view, &target, id);
            if target.spot.narrow {
                self.stored.insert(id, target);
            }
        }
        self.views.insert(id, view);
    }

    /// The local values that are used on both sides of one of these places among the operations: loops over what is between
    /// them may come back to what was written before.
    pub(crate) fn across(&self, places: &[usize]) -> Vec<LocalId> {
        let mut life: BTreeMap<LocalId, (usize, usize)> = BTreeMap::new();
        let mut held = BTreeSet::new();
        for (i, spot) in
            self.ops.iter().enumerate().flat_map(|(i, op)| op.spots().into_iter().map(move |spot| (i, spot)))
        {
            match spot.place {
                Place::Local(id) => life.entry(id).or_insert((i, i)).1 = i,
                Place::Span { local, .. } => _ = held.insert(local),
                Place::Once(_)
                | Place::Seq { .. }
                | Place::Chunk { .. }
                | Place::Positions { .. }
                | Place::Item { .. }
                | Place::Part { .. } => {}
            }
        }
        // A state is written at the end of a step and read in the next.
        let carried =
            life.iter().filter(|(_, (first, last))| places.iter().any(|place| first < place && place <= last));
        held.extend(carried.map(|(id, _)| *id));
        held.into_iter().collect()
    }

    /// Memory for so many elements.
    pub(crate) fn memory(&mut self, elements: usize) -> LocalId {
        self.locals.push(elements);
        LocalId(self.locals.len() as u32 - 1)
    }

    /// A size as a number of elements.
    pub(crate) fn number(size: &genesys_axis::Size) -> Result<usize> {
        number(size)
    }
}

/// Where local values lie, those that are not used at the same time in the same memory; and how much is needed.
fn place(ops: &[Op], sizes: &[usize], kept: &[LocalId]) -> (Vec<usize>, usize) {
    let mut life: Vec<Option<(usize, usize)>> = vec![None; sizes.len()];
    for (i, op) in ops.iter().enumerate() {
        for spot in op.spots() {
            if let Place::Local(LocalId(id)) = spot.place {
                let life = &mut life[id as usize];
                *life = Some((life.map_or(i, |(first, _)| first), i));
            }
        }
    }
    for LocalId(id) in kept {
        life[*id as usize] = Some((0, ops.len()));
    }
    let spans = life.iter().zip(sizes).map(|(life, size)| life.map(|life| (life, *size)));
    crate::memory::place(&spans.collect::<Vec<_>>())
}
