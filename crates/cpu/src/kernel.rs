//! Kernels: what is run by all workers together, one after the other.

use genesys_ir::module::ValueId;

use crate::contract::Contraction;
use crate::op::Op;
use crate::view::{BufferId, Extent, LocalId, Spot, Walk};

/// The operations of a tile, and the memory that a worker needs for them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tile {
    pub(crate) ops: Vec<Op>,
    /// The value that each operation is of, where one is known.
    pub(crate) marks: Vec<Option<ValueId>>,
    /// Where each local value lies in the worker's memory.
    pub(crate) locals: Vec<usize>,
    /// The elements of that memory.
    pub(crate) memory: usize,
    /// How many positions a tile has at most.
    pub(crate) rows: usize,
}

/// What each position sees of a dependent axis.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sight {
    /// The positions `s` with `t - skip - window < s <= t - skip`.
    Past { window: Option<usize>, skip: usize },
    /// The completed blocks of so many positions.
    Blocks { size: usize },
}

/// A unit of work.
#[derive(Clone, Debug)]
pub(crate) enum Kernel {
    /// What is the same at every position: once.
    Once(Tile),
    /// Matrices into the order in which products read them.
    Pack(Vec<Pack>),
    /// Each position by itself, tile by tile.
    Each(Tile, Vec<Zeroed>),
    /// A region over a past: by item and task, tile after tile.
    Past { tile: Tile, sight: Sight, seen: usize, tasks: usize, zeroed: Vec<Zeroed> },
    /// A recurrence: by item, position after position.
    Scan(Scan),
    /// A recurrence, and one that goes back over it.
    Pair(Pair),
    /// A recurrence in chunkwise form, or one and another that goes back over it.
    Chunkwise(Chunkwise),
    /// Products summed over all positions.
    Products(Products),
    /// `Each` and then `Products` for so many positions at a time: what one leaves for the other is there for these only.
    Chunks { tile: Tile, zeroed: Vec<Zeroed>, products: Vec<Contraction>, positions: usize },
    /// Sums over the parts that a kernel left.
    Finish(Vec<Finish>),
    /// At each token the sum of the rows of the positions that hold it.
    Scatter { x: Spot, width: usize, tokens: usize, out: Spot, of: ValueId },
    /// A function: its arguments, its results, and memory for what it keeps between its kernels.
    Call { function: usize, args: Vec<BufferId>, results: Vec<BufferId>, frame: BufferId, layer: u32, path: String },
}

/// How the states of a recurrence are cut along an axis.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    /// Into parts that workers share.
    pub(crate) tasks: usize,
    /// Or into strips that a worker goes through one after the other, so that each lies in a near cache. One of both is 1.
    pub(crate) strips: usize,
    /// What the strips add to.
    pub(crate) zeroed: Vec<Zeroed>,
}

/// A recurrence. The operations of its tile are, in this order: those of the first position, those where a chunk begins, those
/// of every position.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    pub(crate) tile: Tile,
    pub(crate) cut: Cut,
    /// How many operations the first position has, and how many there are up to the end of those of a chunk's first.
    pub(crate) begin: usize,
    pub(crate) anew: usize,
    /// The positions of a chunk.
    pub(crate) chunk: Option<usize>,
    pub(crate) reverse: bool,
}

/// A recurrence run through, and another that goes back over what it held. The operations are, in this order: those of the
/// first position, those where a chunk begins, those of every position; then those of the last position, and those of every
/// position on the way back.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) tile: Tile,
    pub(crate) cut: Cut,
    /// Where each kind of operation ends, but for the last.
    pub(crate) begin: usize,
    pub(crate) anew: usize,
    pub(crate) through: usize,
    pub(crate) back: usize,
    pub(crate) chunk: Option<usize>,
    /// The positions for which all is held at a time.
    pub(crate) span: usize,
    /// The states, with their elements.
    pub(crate) states: Vec<(LocalId, usize)>,
    /// Where they are kept as they are before each span.
    pub(crate) saved: LocalId,
}

/// A recurrence that goes through an item chunk after chunk. The operations are, in this order: those of the first chunk, and those
/// of every chunk; what there is of a way back comes between.
#[derive(Clone, Debug)]
pub(crate) struct Chunkwise {
    pub(crate) tile: Tile,
    pub(crate) cut: Cut,
    /// How many operations the first chunk has.
    pub(crate) begin: usize,
    pub(crate) back: Option<Back>,
    pub(crate) reverse: bool,
}

/// A way back: first the chunks are gone through forward by operations of their own, then others begin the way back, and the last
/// ones are of every chunk on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Back {
    /// Where the operations of the way forward end, and where those of the way back begin.
    pub(crate) through: usize,
    pub(crate) back: usize,
    /// The state of the way forward, with its elements.
    pub(crate) state: (LocalId, usize),
    /// Where it is kept as it is before each chunk.
    pub(crate) saved: LocalId,
}

/// A matrix to pack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pack {
    pub(crate) b: Spot,
    pub(crate) k: (usize, usize),
    pub(crate) n: (usize, usize),
    pub(crate) out: BufferId,
    /// The value whose product reads it.
    pub(crate) of: Option<ValueId>,
    /// Whether to bf16.
    pub(crate) rounds: bool,
}

/// Products summed over all positions, which go through these a block after the other where they share operands.
#[derive(Clone, Debug)]
pub(crate) struct Products {
    pub(crate) plans: Vec<Contraction>,
    /// The right operands that are packed once for all that read them.
    pub(crate) shared: Vec<Shared>,
}

/// A right operand with a row for each position, packed for a block of them at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shared {
    pub(crate) b: Spot,
    /// Columns, which lie densely.
    pub(crate) n: usize,
    pub(crate) out: BufferId,
    /// The value that the first product gives which reads it.
    pub(crate) of: Option<ValueId>,
}

/// What a task sets to 0 before it begins: a value at all positions of the item, or its part.
#[derive(Clone, Debug)]
pub(crate) struct Zeroed {
    pub(crate) x: Walk,
    /// Whether it is one at each position of the item.
    pub(crate) each: bool,
    pub(crate) order: Vec<Extent>,
}

/// A sum over parts: `count` of `groups * width` elements.
#[derive(Clone, Debug)]
pub(crate) struct Finish {
    pub(crate) parts: BufferId,
    /// How many groups of parts there are, each with a place of its own in the result.
    pub(crate) groups: usize,
    pub(crate) width: usize,
    pub(crate) out: Walk,
    /// Which parts there are.
    pub(crate) over: Over,
    /// The value that they are of.
    pub(crate) of: ValueId,
}

/// The parts of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// One for each tile.
    Tiles,
    /// One for each item and task.
    Tasks(usize),
}

impl Kernel {
    /// What it does, in a word.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Kernel::Once(_) => "once",
            Kernel::Pack(_) => "pack",
            Kernel::Each(..) => "each",
            Kernel::Past { .. } => "past",
            Kernel::Scan(_) => "scan",
            Kernel::Pair(_) => "pair",
            Kernel::Chunkwise(_) => "chunkwise",
            Kernel::Products(_) => "products",
            Kernel::Chunks { .. } => "chunks",
            Kernel::Finish(_) => "finish",
            Kernel::Scatter { .. } => "scatter",
            Kernel::Call { .. } => "call",
        }
    }
}

impl Kernel {
    /// What it has more of than a loop has room for; such a program is refused before it runs.
    pub(crate) fn excess(&self) -> Option<String> {
        let operations = |tile: &Tile| tile.ops.iter().find_map(Op::excess);
        let zeroed = |zeroed: &[Zeroed]| zeroed.iter().find_map(|zeroed| zeroed.x.excess());
        match self {
            Kernel::Once(tile) => operations(tile),
            Kernel::Each(tile, sums) | Kernel::Past { tile, zeroed: sums, .. } => {
                operations(tile).or_else(|| zeroed(sums))
            }
            Kernel::Chunks { tile, zeroed: sums, products, .. } => {
                let products = || products.iter().find_map(Contraction::excess);
                operations(tile).or_else(|| zeroed(sums)).or_else(products)
            }
            Kernel::Scan(scan) => operations(&scan.tile),
            Kernel::Pair(pair) => operations(&pair.tile),
            Kernel::Chunkwise(chunkwise) => operations(&chunkwise.tile),
            Kernel::Products(products) => products.plans.iter().find_map(Contraction::excess),
            Kernel::Finish(finishes) => finishes.iter().find_map(|finish| finish.out.excess()),
            Kernel::Pack(_) | Kernel::Scatter { .. } | Kernel::Call { .. } => None,
        }
    }
}
