//! Running kernels: a tile of positions at a time, over memory that was planned.
//!
//! All loops go through raw pointers, since workers write interleaved parts of the same buffers. What makes this sound is made
//! when a program is: each place lies within its buffer, buffers that live together lie apart, and no two tiles, tasks or pieces
//! of a kernel write the same elements.

#![allow(unsafe_code, reason = "workers write interleaved parts of one memory")]

mod chunkwise;
pub(crate) mod contract;
mod convolve;
pub(crate) mod kernel;
pub(crate) mod map;
pub(crate) mod meter;
mod other;
pub(crate) mod products;
mod rows;
mod sweep;
pub(crate) mod walk;

use genesys_kernels::{BLOCK, Lines, Scratch};

use crate::kernel::{Sight, Tile};
use crate::lower::Shape;
use crate::op::Op;
use crate::run::meter::{Meter, Watch};
use crate::view::{Extent, LocalId, Place, Spot};

/// The memory of a worker, besides local values.
pub(crate) struct Room {
    /// Operands of a block that are gathered, and what is scattered.
    pub(crate) blocks: Lines,
    /// The registers of an expression.
    pub(crate) registers: Lines,
    /// A row that is gathered, and another.
    pub(crate) row: Lines,
    pub(crate) other: Lines,
    pub(crate) ranking: Vec<u32>,
    pub(crate) gemm: Scratch,
    /// What operations take, where that is asked for.
    pub(crate) meter: Option<Meter>,
}

/// How much of each a program needs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Needs {
    pub(crate) blocks: usize,
    pub(crate) registers: usize,
    pub(crate) row: usize,
    pub(crate) locals: usize,
}

/// What a step is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<'a> {
    pub(crate) shape: Shape,
    pub(crate) tokens: &'a [u32],
    pub(crate) targets: &'a [u32],
    /// One over the number of tokens that count; 0 where none does.
    pub(crate) share: f32,
}

/// A tile: where the places of its values are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) step: &'a Step<'a>,
    pub(crate) bases: &'a [*mut f32],
    /// All operations of the tile's kernel.
    pub(crate) ops: &'a [Op],
    pub(crate) locals: &'a [usize],
    pub(crate) scratch: *mut f32,
    pub(crate) item: usize,
    /// The first position of the tile, and how many it has.
    pub(crate) t: usize,
    pub(crate) rows: usize,
    /// The first position of the chunk, counted through all items.
    pub(crate) start: usize,
    pub(crate) task: usize,
    pub(crate) part: usize,
    /// Where the position stands in its span.
    pub(crate) phase: usize,
    pub(crate) sight: Option<Sight>,
    /// What the tile sees of the dependent axis: the first element, and how many.
    pub(crate) low: usize,
    pub(crate) seen: usize,
}

impl Sight {
    /// The elements that a position sees.
    pub(crate) fn of(self, t: usize) -> (usize, usize) {
        match self {
            Sight::Past { window, skip } => {
                let end = (t + 1).saturating_sub(skip);
                (window.map_or(0, |window| end.saturating_sub(window)), end)
            }
            Sight::Blocks { size } => (0, (t + 1) / size),
        }
    }

    /// How long ago an element was, or ended; where it is not seen, the nearest age of one that may be. So what has a value at all
    /// ages that there are has one everywhere, and so have its derivatives, which a sum multiplies by 0.
    pub(crate) fn age(self, t: usize, element: usize) -> usize {
        match self {
            Sight::Past { window, skip } => {
                let most = window.map_or(usize::MAX, |window| skip + window - 1);
                t.saturating_sub(element).clamp(skip, most)
            }
            Sight::Blocks { size } => (t + 1).saturating_sub((element + 1) * size),
        }
    }
}

impl Context<'_> {
    /// The first element of a value at the tile's first position; of one of 16 bits, where that lies.
    pub(crate) fn at(&self, spot: Spot) -> *mut f32 {
        let (base, elements) = match spot.place {
            Place::Once(buffer) => (self.bases[buffer.0 as usize], 0),
            Place::Seq { buffer, row } => {
                (self.bases[buffer.0 as usize], (self.item * self.step.shape.context + self.t) * row)
            }
            Place::Chunk { buffer, row } => {
                (self.bases[buffer.0 as usize], (self.item * self.step.shape.context + self.t - self.start) * row)
            }
            Place::Positions { buffer, row } => (self.bases[buffer.0 as usize], self.t * row),
            Place::Item { buffer, row, along } => {
                (self.bases[buffer.0 as usize], self.item * self.step.shape.context * row + self.low * along)
            }
            Place::Part { buffer, width } => (self.bases[buffer.0 as usize], self.part * width),
            Place::Local(LocalId(id)) => (self.scratch, self.locals[id as usize]),
            Place::Span { local: LocalId(id), row, ahead } => {
                (self.scratch, self.locals[id as usize] + (self.phase + ahead) * row)
            }
        };
        // SAFETY: the place lies within its buffer for every tile, as the program was made.
        unsafe {
            let elements = elements + spot.offset + self.task * spot.task;
            if spot.narrow { base.cast::<u16>().add(elements).cast() } else { base.add(elements) }
        }
    }

    pub(crate) fn count(&self, extent: Extent) -> usize {
        match extent {
            Extent::Fixed(n) => n,
            Extent::Rows => self.rows,
            Extent::Seen => self.seen,
        }
    }

    pub(crate) fn product(&self, extents: &[Extent]) -> usize {
        extents.iter().map(|extent| self.count(*extent)).product()
    }

    /// What the tile's position `row` sees, counted from the first element that the tile sees.
    pub(crate) fn range(&self, row: usize) -> (usize, usize) {
        match self.sight {
            Some(sight) => {
                let (low, high) = sight.of(self.t + row);
                (low - self.low, high - self.low)
            }
            None => (0, self.seen),
        }
    }

    /// Runs operations on the tile.
    pub(crate) fn run(&self, ops: &[Op], room: &mut Room) {
        if room.meter.is_some() {
            return self.timed(ops, room);
        }
        for op in ops {
            self.op(op, room);
        }
    }

    /// As [`run`](Self::run), and says how long each takes.
    fn timed(&self, ops: &[Op], room: &mut Room) {
        let first = ops.first().and_then(|op| self.ops.element_offset(op)).unwrap_or(0);
        let mut watch = Watch::start();
        for (i, op) in ops.iter().enumerate() {
            self.op(op, room);
            watch.lap(&mut room.meter, first + i);
        }
    }

    fn op(&self, op: &Op, room: &mut Room) {
        match op {
            Op::Map { code, args, out, order } => self.map(code, args, out, order, room),
            Op::Reduce { how, otherwise, x, out } => self.reduce(*how, *otherwise, x, out, room),
            Op::Softmax { sink, x, out } => self.softmax(*sink, x, out, room),
            Op::Sweep(sweep) => self.sweep(sweep),
            Op::Decays(plan) => self.decays(plan, room),
            Op::Diagonal(plan) => self.diagonal(plan, room),
            Op::Triangle(plan) => self.triangle(plan),
            Op::Mask { x } => self.mask(x),
            Op::Contract(plan) => self.contract(plan, room),
            Op::Sum { a, b, out, order, only } => {
                // SAFETY: a condition is one element.
                if only.is_none_or(|only| unsafe { *self.at(only) != 0.0 }) {
                    self.sum(a, b.as_ref(), out, order, room);
                }
            }
            Op::Running { which, x, out } => self.running(*which, x, out, room),
            Op::Position { out } => self.position(*out),
            Op::Index { out, n } => self.index(*out, *n),
            Op::Age { out } => self.age(*out),
            Op::Gather { table, axis, out } => self.gather_rows(table, *axis, *out),
            Op::Shift { x, order, by, reverse, out } => self.shift(x, order, *by, *reverse, *out),
            Op::Window { .. } => self.window(op, room),
            Op::Convolve(plan) => self.convolve(plan, room),
            Op::Pool { x, order, size, adjoint, out } => self.pool(x, order, *size, *adjoint, *out, room),
            Op::CrossEntropy { logits, n, out } => self.cross_entropy(logits, *n, *out, room),
            Op::CrossEntropySlope { g, logits, n, out } => self.slope(*g, logits, *n, *out, room),
            Op::Counted { x, order, out } => self.counted(x, order, *out),
            Op::Top { .. } => self.top(op, room),
        }
    }
}

impl Room {
    pub(crate) fn new(needs: Needs) -> Self {
        Self {
            blocks: Lines::zeros(needs.blocks.max(1) * BLOCK),
            registers: Lines::zeros(needs.registers.max(1) * BLOCK),
            row: Lines::zeros(needs.row.max(BLOCK)),
            other: Lines::zeros(needs.row.max(BLOCK)),
            ranking: Vec::with_capacity(needs.row.max(BLOCK)),
            gemm: Scratch::default(),
            meter: None,
        }
    }
}

impl Needs {
    /// Counts what a tile needs besides its locals, which see at most `seen` elements of a dependent axis.
    pub(crate) fn of(tile: &Tile, seen: usize) -> Self {
        let mut needs = Needs { locals: tile.memory, ..Needs::default() };
        let count = |extents: &[Extent]| -> usize {
            let each = |extent: &Extent| match extent {
                Extent::Fixed(n) => *n,
                Extent::Rows => tile.rows,
                Extent::Seen => seen,
            };
            extents.iter().map(each).product()
        };
        for op in &tile.ops {
            match op {
                Op::Map { code, args, .. } => {
                    needs.blocks = needs.blocks.max(args.len() + 1);
                    needs.registers = needs.registers.max(code.steps.len());
                }
                Op::Reduce { x, .. } | Op::Softmax { x, .. } | Op::Running { x, .. } => {
                    needs.row = needs.row.max(count(&x.kept) * count(&x.over));
                }
                Op::Sum { order, .. } | Op::Pool { order, .. } | Op::Window { order, .. } => {
                    needs.row = needs.row.max(count(order));
                }
                Op::Convolve(plan) => needs.row = needs.row.max((plan.n + 3) * count(&plan.order)),
                Op::Decays(plan) => needs.row = needs.row.max((plan.stages.len() + 1) * plan.rows),
                Op::Diagonal(plan) => needs.row = needs.row.max(chunkwise::room(plan)),
                Op::CrossEntropy { n, .. } | Op::CrossEntropySlope { n, .. } => needs.row = needs.row.max(*n),
                Op::Top { from, .. } => needs.row = needs.row.max(count(&[from.extent])),
                Op::Contract(_)
                | Op::Sweep(_)
                | Op::Triangle(_)
                | Op::Mask { .. }
                | Op::Position { .. }
                | Op::Index { .. }
                | Op::Age { .. } => {}
                Op::Gather { .. } | Op::Shift { .. } | Op::Counted { .. } => {}
            }
        }
        needs
    }

    pub(crate) fn join(self, other: Self) -> Self {
        Self {
            blocks: self.blocks.max(other.blocks),
            registers: self.registers.max(other.registers),
            row: self.row.max(other.row),
            locals: self.locals.max(other.locals),
        }
    }
}
