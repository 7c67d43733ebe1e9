//! Which bytes of memory an operation reads and writes.
//!
//! A kernel reads each element of a buffer once: what it reads again, or wrote itself, is in a cache. So an operation counts for
//! what the operations before it left.

use crate::contract::{Contraction, Loop};
use crate::kernel::Kernel;
use crate::op::{Base, Op, Rows, Strided, Sweep, Taps};
use crate::view::{BufferId, Dim, Extent, Place, Spot, Walk};
use crate::work::{Counter, Known};

/// A buffer, where in it a walk begins, and its loops.
pub(super) type Key = (BufferId, usize, Vec<(usize, usize)>);

/// What an operation reads, and what it writes.
#[derive(Default)]
struct Touched {
    read: Vec<Walk>,
    written: Vec<Walk>,
}

impl Counter<'_> {
    /// Bytes read and bytes written by an operation of a tile's kernel.
    pub(super) fn traffic(&self, kernel: &Kernel, op: &Op, known: &mut Known) -> (u64, u64) {
        let tasks = match kernel {
            Kernel::Past { tasks, .. } => *tasks,
            Kernel::Scan(scan) => scan.cut.tasks * scan.cut.strips,
            Kernel::Pair(pair) => pair.cut.tasks * pair.cut.strips,
            Kernel::Chunkwise(chunkwise) => chunkwise.cut.tasks,
            Kernel::Once(_)
            | Kernel::Pack(_)
            | Kernel::Each(..)
            | Kernel::Chunks { .. }
            | Kernel::Products(_)
            | Kernel::Finish(_)
            | Kernel::Scatter { .. }
            | Kernel::Call { .. } => 1,
        };
        let Touched { read, written } = touched(op);
        let mut bytes = |walks: &[Walk]| walks.iter().map(|walk| self.bytes(walk, tasks, known)).sum();
        (bytes(&read), bytes(&written))
    }

    /// The same of a product of whole matrices.
    pub(super) fn contracted(&self, plan: &Contraction, known: &mut Known) -> (u64, u64) {
        let [a, b, c] = operands(plan);
        (self.bytes(&a, 1, known) + self.bytes(&b, 1, known), self.bytes(&c, 1, known))
    }

    /// The bytes of a walk's elements on all tiles, items and tasks of a step; none where they were touched before.
    fn bytes(&self, walk: &Walk, tasks: usize, known: &mut Known) -> u64 {
        let Some(buffer) = walk.spot.place.buffer() else { return 0 };
        let fixed = |dim: &Dim| match dim.extent {
            Extent::Fixed(n) if dim.stride != 0 => Some((n, dim.stride)),
            Extent::Fixed(_) | Extent::Rows | Extent::Seen => None,
        };
        let dims: Vec<(usize, usize)> = walk.dims.iter().filter_map(fixed).collect();
        let each: usize = dims.iter().map(|(n, _)| n).product();
        if !known.insert((buffer, walk.spot.offset, dims)) {
            return 0;
        }
        let shape = self.program.shape;
        let (whole, size) = (self.lowered.buffers[buffer.0 as usize].elements, if walk.spot.narrow { 2 } else { 4 });
        let rows = match walk.spot.place {
            Place::Once(_) => 1,
            Place::Seq { .. } => shape.positions(),
            // The same memory again for each chunk.
            Place::Chunk { row, .. } => return size * (shape.positions() * row) as u64,
            Place::Positions { .. } => shape.context,
            Place::Item { row: 0, .. } => shape.context,
            Place::Item { .. } => shape.positions(),
            Place::Part { width, .. } => whole / width.max(1),
            Place::Local(_) | Place::Span { .. } => 0,
        };
        let tasks = if walk.spot.task != 0 { tasks } else { 1 };
        (size * (rows * each * tasks) as u64).min(4 * whole as u64)
    }
}

fn touched(op: &Op) -> Touched {
    let rows = |rows: &Rows| rows.x.clone();
    let (read, written) = match op {
        Op::Map { args, out, .. } => (args.clone(), out.clone()),
        Op::Reduce { x, out, .. } | Op::Softmax { x, out, .. } | Op::Running { x, out, .. } => {
            (vec![rows(x)], out.clone())
        }
        Op::Contract(plan) => {
            let [a, b, c] = operands(plan);
            (vec![a, packed(plan).unwrap_or(b)], c)
        }
        Op::Sweep(sweep) => return swept(sweep),
        Op::Decays(plan) => {
            return Touched { read: plan.stages.iter().flatten().cloned().collect(), written: Vec::new() };
        }
        Op::Diagonal(plan) => {
            let (read, written) = plan.what.walks();
            return Touched {
                read: read.into_iter().cloned().collect(),
                written: written.into_iter().cloned().collect(),
            };
        }
        Op::Triangle(plan) => (vec![plan.matrix.clone()], plan.x.clone()),
        Op::Convolve(short) => {
            let taps = Dim { extent: Extent::Fixed(short.n), stride: short.axis };
            let (mut near, mut out) = (short.near.clone(), short.out.clone());
            let kernel = if short.taps == Taps::Kernel { &mut out } else { &mut near };
            kernel.dims.push(taps);
            (vec![short.x.clone(), near], out)
        }
        Op::Mask { .. } => return Touched::default(),
        Op::Sum { a, b, out, .. } => ([Some(a), b.as_ref()].into_iter().flatten().cloned().collect(), out.clone()),
        Op::Position { out } | Op::Age { out } => (Vec::new(), dense(*out, &[])),
        Op::Index { out, n } => (Vec::new(), dense(*out, &[Extent::Fixed(*n)])),
        // As many rows as there are positions, at most the table.
        Op::Gather { table, out, .. } => {
            let extents: Vec<Extent> = table.dims.iter().map(|dim| dim.extent).collect();
            let rows = Place::Seq { buffer: table.spot.place.buffer().unwrap_or(BufferId(0)), row: 0 };
            let looked_up = Walk { spot: Spot { place: rows, ..table.spot }, dims: table.dims.clone() };
            (vec![looked_up], dense(*out, &extents))
        }
        Op::Shift { x, order, out, .. } | Op::Pool { x, order, out, .. } | Op::Counted { x, order, out } => {
            (vec![x.clone()], dense(*out, order))
        }
        Op::Window { x, n, axis, out, adjoint, .. } => {
            let mut long = if *adjoint { x.clone() } else { out.clone() };
            long.dims.push(Dim { extent: Extent::Fixed(*n), stride: *axis });
            if *adjoint { (vec![long], out.clone()) } else { (vec![x.clone()], long) }
        }
        Op::CrossEntropy { logits, out, .. } => (vec![logits.clone()], dense(*out, &[])),
        Op::CrossEntropySlope { g, logits, n, out } => {
            (vec![dense(*g, &[]), logits.clone()], dense(*out, &[Extent::Fixed(*n)]))
        }
        Op::Top { score, value, out, .. } => (vec![score.clone(), value.clone()], out.clone()),
    };
    Touched { read, written: vec![written] }
}

/// Left operand, right operand and result of a product.
fn operands(plan: &Contraction) -> [Walk; 3] {
    let loops = || plan.outer.iter().chain([&plan.m, &plan.n, &plan.k]);
    let walk = |spot: Spot, stride: fn(&Loop) -> usize| Walk {
        spot,
        dims: loops().map(|l| Dim { extent: l.extent, stride: stride(l) }).collect(),
    };
    [walk(plan.a, |l| l.a), walk(plan.b, |l| l.b), walk(plan.c, |l| l.c)]
}

/// The right operand where it was packed before.
fn packed(plan: &Contraction) -> Option<Walk> {
    let dims = [plan.k, plan.n].map(|l| Dim { extent: l.extent, stride: 1 }).to_vec();
    Some(Walk { spot: Spot::new(Place::Once(plan.packed?), 0), dims })
}

fn swept(sweep: &Sweep) -> Touched {
    let of = |x: &Strided| strided(x, &sweep.sizes);
    let mut touched = Touched::default();
    for source in &sweep.sources {
        if let Base::Memory(base) = &source.base {
            touched.read.push(of(base));
        }
        touched.read.extend(source.decay.iter().chain(source.product.iter().flat_map(|(_, both)| both)).map(of));
        touched.written.extend(source.store.iter().map(of));
    }
    for reader in &sweep.readers {
        touched.read.extend(reader.by.iter().map(of));
        touched.written.push(of(&reader.out));
    }
    touched
}

fn strided(x: &Strided, sizes: &[usize]) -> Walk {
    let dims = sizes.iter().zip(&x.strides).map(|(n, stride)| Dim { extent: Extent::Fixed(*n), stride: *stride });
    Walk { spot: x.spot, dims: dims.collect() }
}

/// A value whose elements lie densely; of its strides only that they are some matters here.
fn dense(spot: Spot, order: &[Extent]) -> Walk {
    Walk { spot, dims: order.iter().map(|extent| Dim { extent: *extent, stride: 1 }).collect() }
}
