//! How many operations an operation of a tile takes.

use std::ops::Range;

use genesys_ir::module::Reduction;

use crate::contract::Contraction;
use crate::kernel::{Chunkwise, Kernel, Pair, Scan};
use crate::lower::{Shape, TILE};
use crate::op::{Base, Faded, Op, Sweep};
use crate::view::Extent;

/// Tiles of one size, and the operations that run on them.
#[derive(Clone, Debug)]
pub(crate) struct Sizes {
    /// Which of the kernel's operations.
    pub(crate) operations: Range<usize>,
    /// How many tiles there are in a step, on all items and tasks.
    pub(crate) times: u64,
    /// Positions of a tile.
    rows: usize,
    /// What the tile sees of a dependent axis, and what its positions see, summed.
    seen: usize,
    pairs: usize,
}

/// All tiles of a kernel that has some.
pub(crate) fn sizes(kernel: &Kernel, shape: Shape) -> Vec<Sizes> {
    let Shape { rows, context } = shape;
    let all = |n: usize| 0..n;
    let one = |operations: Range<usize>, times: usize| Sizes::of(operations, times, 1);
    match kernel {
        Kernel::Once(tile) => vec![one(all(tile.ops.len()), 1)],
        Kernel::Each(tile, _) | Kernel::Chunks { tile, .. } => {
            let ops = all(tile.ops.len());
            let rest = context % TILE;
            vec![
                Sizes::of(ops.clone(), rows * (context / TILE), TILE),
                Sizes::of(ops, rows * usize::from(rest > 0), rest),
            ]
        }
        Kernel::Past { tile, sight, tasks, .. } => {
            let at = |t: usize| {
                let n = tile.rows.min(context - t);
                let (low, high) = (sight.of(t).0, sight.of(t + n - 1).1);
                let sees = |t: usize| sight.of(t).1 - sight.of(t).0;
                let (seen, pairs) = (high.saturating_sub(low), (t..t + n).map(sees).sum());
                Sizes { seen, pairs, ..Sizes::of(all(tile.ops.len()), rows * tasks, n) }
            };
            (0..context).step_by(tile.rows).map(at).collect()
        }
        Kernel::Scan(Scan { tile, cut, begin, anew, chunk, .. }) => {
            let parts = rows * cut.tasks * cut.strips;
            let chunks = chunk.map_or(1, |chunk| context.div_ceil(chunk));
            vec![one(0..*begin, parts), one(*begin..*anew, parts * chunks), one(*anew..tile.ops.len(), parts * context)]
        }
        Kernel::Pair(pair) => of_pair(pair, shape),
        Kernel::Chunkwise(chunkwise) => of_chunks(chunkwise, shape),
        Kernel::Pack(_) | Kernel::Products(_) | Kernel::Finish(_) | Kernel::Scatter { .. } | Kernel::Call { .. } => {
            Vec::new()
        }
    }
}

/// The way forward runs again for all spans but the last.
fn of_pair(pair: &Pair, Shape { rows, context }: Shape) -> Vec<Sizes> {
    let Pair { tile, cut, begin, anew, through, back, chunk, span, .. } = pair;
    let parts = rows * cut.tasks * cut.strips;
    let last = context - (context.saturating_sub(1)) / span * span;
    let forward = 2 * context - last;
    let chunks = chunk.map_or(0, |chunk| context.div_ceil(chunk) + (context - last).div_ceil(chunk));
    let one = |operations: Range<usize>, times: usize| Sizes::of(operations, parts * times, 1);
    vec![
        one(0..*begin, 1),
        one(*begin..*anew, chunks),
        one(*anew..*through, forward),
        one(*through..*back, 1),
        one(*back..tile.ops.len(), context),
    ]
}

/// The way forward runs for all chunks but the last where there is a way back.
fn of_chunks(chunkwise: &Chunkwise, Shape { rows, context }: Shape) -> Vec<Sizes> {
    let Chunkwise { tile, cut, begin, back, .. } = chunkwise;
    let (parts, whole, rest) = (rows * cut.tasks, context / tile.rows, context % tile.rows);
    let one = |operations: Range<usize>| Sizes::of(operations, parts, 1);
    let chunks = |operations: Range<usize>, last: bool| {
        let whole = if last || rest > 0 { whole } else { whole.saturating_sub(1) };
        let rest = if last { rest } else { 0 };
        [
            Sizes::of(operations.clone(), parts * whole, tile.rows),
            Sizes::of(operations, parts * usize::from(rest > 0), rest),
        ]
    };
    match back {
        None => [vec![one(0..*begin)], chunks(*begin..tile.ops.len(), true).to_vec()].concat(),
        Some(back) => [
            vec![one(0..*begin), one(back.through..back.back)],
            chunks(*begin..back.through, false).to_vec(),
            chunks(back.back..tile.ops.len(), true).to_vec(),
        ]
        .concat(),
    }
}

impl Sizes {
    fn of(operations: Range<usize>, times: usize, rows: usize) -> Self {
        Self { operations, times: times as u64, rows, seen: 0, pairs: 0 }
    }

    /// All positions of a step at once.
    pub(crate) fn whole(shape: Shape) -> Self {
        Self::of(0..0, 1, shape.positions())
    }

    /// How many elements loops go through that count: of what is seen, those that a position sees. `each` says whether they run
    /// for each position besides.
    fn elements(&self, extents: &[Extent], each: bool) -> u64 {
        let (mut fixed, mut rows, mut seen) = (1, 0, false);
        for extent in extents {
            match extent {
                Extent::Fixed(n) => fixed *= n,
                Extent::Rows => rows += 1,
                Extent::Seen => seen = true,
            }
        }
        let varying = match (rows.max(u32::from(each)), seen) {
            (0, false) => 1,
            (0, true) => self.seen,
            (rows, false) => self.rows.pow(rows),
            (_, true) => self.pairs,
        };
        (fixed * varying) as u64
    }
}

/// The operations of a sum of products.
pub(crate) fn product(plan: &Contraction, sizes: &Sizes) -> u64 {
    let loops = plan.outer.iter().chain([&plan.m, &plan.n, &plan.k]);
    2 * sizes.elements(&loops.map(|l| l.extent).collect::<Vec<_>>(), false)
}

/// The operations in sums of products, and those on single elements, of one tile.
pub(crate) fn operations(op: &Op, sizes: &Sizes) -> (u64, u64) {
    let rows = |rows: &crate::op::Rows, each: bool| {
        sizes.elements(&rows.kept.iter().chain(&rows.over).copied().collect::<Vec<_>>(), each)
    };
    let elementwise = match op {
        Op::Map { code, out, order, .. } => code.functions as u64 * sizes.elements(order, out.spot.row != 0),
        Op::Reduce { how, x, out, .. } => {
            let times = match how {
                Reduction::Sum | Reduction::Mean | Reduction::Max | Reduction::Min => 1,
                Reduction::LogSumExp => 3,
            };
            times * rows(x, out.spot.row != 0)
        }
        Op::Softmax { x, out, .. } => 4 * rows(x, out.spot.row != 0),
        Op::Running { x, out, .. } => rows(x, out.spot.row != 0),
        Op::Contract(plan) => return (product(plan, sizes), 0),
        Op::Sweep(sweep) => return swept(sweep),
        // Each element of a matrix is one product more than that of the position before.
        Op::Decays(plan) => {
            let squares = (plan.between.len() * plan.rows * plan.rows) as u64;
            squares * sizes.elements(&plan.order, false)
        }
        // For each pair of positions a factor and a product; two of each where two sums meet.
        Op::Diagonal(plan) => {
            let pairs = (sizes.rows * (sizes.rows + 1) / 2) as u64;
            let row = plan.columns as u64 * sizes.elements(&plan.order, false);
            return match plan.what {
                Faded::Ends { .. } => (0, 2 * sizes.rows as u64 * row),
                Faded::Runs { .. } => (2 * sizes.rows as u64 * row, 0),
                Faded::Scores { .. } | Faded::Sums { .. } => (2 * pairs * row, pairs * row),
                Faded::Dots { .. } => (4 * pairs * row, 2 * pairs * row),
            };
        }
        Op::Triangle(plan) => {
            let below = (sizes.rows * (sizes.rows.saturating_sub(1)) / 2 * plan.columns) as u64;
            return (2 * below * sizes.elements(&plan.order, false), 0);
        }
        // A product and a sum for each tap, as the operations that it was found in.
        Op::Convolve(short) => 2 * short.n as u64 * sizes.elements(&short.order, true),
        Op::Sum { b, order, .. } => (1 + u64::from(b.is_some())) * sizes.elements(order, true),
        Op::Pool { order, .. } | Op::Counted { order, .. } => sizes.elements(order, true),
        Op::Window { order, n, adjoint: true, .. } => *n as u64 * sizes.elements(order, true),
        Op::CrossEntropy { n, .. } | Op::CrossEntropySlope { n, .. } => 4 * (sizes.rows * n) as u64,
        Op::Top { order, from, .. } => sizes.elements(&[order.as_slice(), &[from.extent]].concat(), true),
        Op::Window { adjoint: false, .. } | Op::Mask { .. } | Op::Position { .. } | Op::Index { .. } => 0,
        Op::Age { .. } | Op::Gather { .. } | Op::Shift { .. } => 0,
    };
    (0, elementwise)
}

/// Those of a pass over states: a decay and a sum are of the update, the product that is added to it is a map; what is summed
/// times something else is a sum of products.
fn swept(sweep: &Sweep) -> (u64, u64) {
    let elements = sweep.sizes.iter().product::<usize>() as u64;
    let (mut products, mut elementwise) = (0, 0);
    for source in &sweep.sources {
        let adds = source.product.is_some() && !matches!(source.base, Base::Zero);
        products += u64::from(source.decay.is_some()) + u64::from(adds);
        elementwise += u64::from(source.product.is_some());
    }
    for reader in &sweep.readers {
        match reader.by {
            Some(_) => products += 2,
            None => elementwise += 1,
        }
    }
    (elements * products, elements * elementwise)
}
