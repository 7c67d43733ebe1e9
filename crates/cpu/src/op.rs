//! The tile program: what a kernel does with a tile of positions, as data.
//!
//! An operation reads values where they lie and writes one value. A tile is a run of positions of one item; where a kernel goes
//! along a task axis, of one element of it. Within a region over a past a tile sees a range of the dependent axis, and each of
//! its positions a part of that range.

use genesys_ir::module::Reduction;
use genesys_kernels::Fade;

use crate::code::Code;
use crate::contract::Contraction;
use crate::run::map::OPERANDS;
use crate::run::walk::LOOPS;
use crate::view::{Extent, Spot, Walk};

/// What is done to a tile.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// An expression, element by element, in the order of the loops.
    Map { code: Code, args: Vec<Walk>, out: Walk, order: Vec<Extent> },
    /// A reduction of the inner elements of each outer one.
    Reduce { how: Reduction, otherwise: Option<f32>, x: Rows, out: Walk },
    /// A softmax of the inner elements of each outer one.
    Softmax { sink: Option<f32>, x: Rows, out: Walk },
    /// A sum of products.
    Contract(Contraction),
    /// A pass over states: they decay, take products, and are summed with others.
    Sweep(Sweep),
    /// What the decays of a chunk of positions come to.
    Decays(Decays),
    /// Sums over a chunk's positions that fade element by element.
    Diagonal(Box<Diagonal>),
    /// A triangular system of a chunk's positions.
    Triangle(Triangle),
    /// Writes 0 to the elements that a position does not see: the innermost loop goes along these.
    Mask { x: Rows },
    /// Adds to memory that is kept from tile to tile, by position, a value or a product of two; where there is a condition, in
    /// tiles only at whose first position it is not 0.
    Sum { a: Walk, b: Option<Walk>, out: Walk, order: Vec<Extent>, only: Option<Spot> },
    /// The number of each position within its item.
    Position { out: Spot },
    /// The number of each element.
    Index { out: Spot, n: usize },
    /// How far back each element that is seen lies.
    Age { out: Spot },
    /// Rows of a table at tokens.
    Gather { table: Walk, axis: usize, out: Spot },
    /// The value so many positions before, or behind.
    Shift { x: Walk, order: Vec<Extent>, by: usize, reverse: bool, out: Spot },
    /// The last positions' values along an axis; or in an adjoint, the way back.
    Window { x: Walk, order: Vec<Extent>, n: usize, axis: usize, reverse: bool, adjoint: bool, out: Walk },
    /// A sum of the last positions' values times a kernel; or its ways back.
    Convolve(Convolution),
    /// The mean over the last completed block of positions; or in an adjoint, the way back.
    Pool { x: Walk, order: Vec<Extent>, size: usize, adjoint: bool, out: Spot },
    /// The loss of each position whose token counts.
    CrossEntropy { logits: Walk, n: usize, out: Spot },
    /// The derivative of the mean loss by the logits.
    CrossEntropySlope { g: Spot, logits: Walk, n: usize, out: Spot },
    /// A value at the positions whose token counts, over the number of these, and 0 at the others.
    Counted { x: Walk, order: Vec<Extent>, out: Spot },
    /// What stands at the largest scores.
    Top { pick: Pick, score: Walk, value: Walk, out: Walk, order: Vec<Extent>, from: Picking, to: usize },
    /// Sums along what is seen, in order.
    Running { which: Running, x: Rows, out: Walk },
}

/// A short convolution: over the loops of `order` and the taps of its kernel.
#[derive(Clone, Debug)]
pub(crate) struct Convolution {
    /// What is read at several positions.
    pub(crate) x: Walk,
    pub(crate) order: Vec<Extent>,
    /// How many taps the kernel has.
    pub(crate) n: usize,
    /// The kernel; or for its gradient, what is read at the position alone.
    pub(crate) near: Walk,
    /// The stride of the taps in the kernel, or in its gradient.
    pub(crate) axis: usize,
    /// Whether positions ahead are read.
    pub(crate) reverse: bool,
    pub(crate) taps: Taps,
    pub(crate) out: Walk,
}

/// What a convolution gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taps {
    /// `y(t) = sum_i kernel[i] x(t - n + 1 + i)`
    Forward,
    /// `x'(t) = sum_i kernel[i] y'(t + n - 1 - i)`
    Back,
    /// `kernel'[i] = sum_t y'(t) x(t - n + 1 + i)`
    Kernel,
}

/// What the decays of a chunk's positions come to. A state goes through stages at each position: on the way to a stage it is
/// multiplied, and what is written there is added. Each list names the stage of what reads or writes.
#[derive(Clone, Debug)]
pub(crate) struct Decays {
    /// The factor on the way to each stage; none where there is none.
    pub(crate) stages: Vec<Option<Walk>>,
    /// From a write to a read: matrices of `rows` columns, reads down and writes across; 0 where the write is not before the read.
    pub(crate) between: Vec<(usize, usize, Walk)>,
    /// From the beginning of the chunk to a read.
    pub(crate) before: Vec<(usize, Walk)>,
    /// From a write to the end of the chunk.
    pub(crate) behind: Vec<(usize, Walk)>,
    /// From the beginning to the end.
    pub(crate) whole: Option<Walk>,
    /// The loops around.
    pub(crate) order: Vec<Extent>,
    /// The most positions of a chunk.
    pub(crate) rows: usize,
    /// Whether the last position comes first.
    pub(crate) reverse: bool,
}

/// Sums over the positions of a chunk of rows that fade element by element: around them the loops of `order`.
#[derive(Clone, Debug)]
pub(crate) struct Diagonal {
    pub(crate) what: Faded,
    pub(crate) order: Vec<Extent>,
    /// The elements of a row.
    pub(crate) columns: usize,
    /// The most positions of a chunk, which is how many columns matrices over positions have.
    pub(crate) rows: usize,
    /// Whether the last position comes first.
    pub(crate) reverse: bool,
}

/// Which sums: of `u`, which fades by `a`.
#[derive(Clone, Debug)]
pub(crate) enum Faded {
    /// The factors from the beginning of the chunk to each position, with its own where it says so; from each position to the
    /// end; and from the beginning to the end.
    Ends { a: Walk, before: Vec<(bool, Walk)>, behind: Walk, whole: Walk },
    /// `out_ij = sum q_i u_j`
    Scores { q: Walk, u: Walk, a: Walk, fade: Fade, out: Walk },
    /// `out_i += sum_j s_ij u_j`
    Sums { s: Walk, u: Walk, a: Walk, fade: Fade, out: Walk },
    /// `out_i = sum_j u_j`
    Runs { u: Walk, a: Walk, fade: Fade, out: Walk },
    /// `out_p += sum_ij m_ij u_i v_j` where `u` goes back and fades by `a`, and `v` by `b`.
    Dots { m: Walk, back: (Walk, Walk, Fade), fore: (Walk, Walk, Fade), out: Walk },
}

/// `x_i <- x_i + sum_j matrix_ij x_j` over the positions `j` before `i`, one position after the other: the solution of
/// `(1 - matrix) x = x_0`.
#[derive(Clone, Debug)]
pub(crate) struct Triangle {
    /// Matrices of `rows` columns, around them the loops of `order`.
    pub(crate) matrix: Walk,
    /// A row of `columns` elements that follow one another, for each position.
    pub(crate) x: Walk,
    pub(crate) order: Vec<Extent>,
    pub(crate) columns: usize,
    pub(crate) rows: usize,
    /// Whether the last position comes first.
    pub(crate) reverse: bool,
}

/// Matrices that are computed and summed up while their rows are in registers: outer loops, rows, columns.
#[derive(Clone, Debug)]
pub(crate) struct Sweep {
    /// How many elements each loop has; the last two are rows and columns.
    pub(crate) sizes: Vec<usize>,
    pub(crate) sources: Vec<Source>,
    /// Those of the first source, then those of the second, and so on.
    pub(crate) readers: Vec<Reader>,
}

/// `decay base + number u v`, the first summand and the second each only where its condition is met.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) base: Base,
    pub(crate) decay: Option<Strided>,
    pub(crate) begins: Option<Condition>,
    pub(crate) product: Option<(f32, [Strided; 2])>,
    pub(crate) only: Option<Condition>,
    pub(crate) store: Option<Strided>,
    pub(crate) readers: usize,
}

/// A value that is the same for all rows and columns, and whether it has to hold: to be another number than 0.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    pub(crate) value: Strided,
    pub(crate) holds: bool,
}

/// What a source begins with.
#[derive(Clone, Debug)]
pub(crate) enum Base {
    Zero,
    /// The source before it.
    Before,
    Memory(Strided),
}

/// A sum over rows (`down`) or over columns of products with a source; and over the other loops along which the result is the
/// same.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pub(crate) down: bool,
    pub(crate) by: Option<Strided>,
    pub(crate) out: Strided,
    /// Whether it adds to what is there.
    pub(crate) adds: bool,
}

/// An operand of a pass, with a stride for each loop.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Strided {
    pub(crate) spot: Spot,
    pub(crate) strides: Vec<usize>,
}

impl Decays {
    /// All values.
    pub(crate) fn walks(&self) -> impl Iterator<Item = &Walk> {
        let between = self.between.iter().map(|(_, _, walk)| walk);
        let ends = self.before.iter().chain(&self.behind).map(|(_, walk)| walk);
        self.stages.iter().flatten().chain(between).chain(ends).chain(&self.whole)
    }
}

impl Faded {
    /// What is read, and what is written.
    pub(crate) fn walks(&self) -> (Vec<&Walk>, Vec<&Walk>) {
        match self {
            Faded::Ends { a, before, behind, whole } => {
                (vec![a], before.iter().map(|(_, walk)| walk).chain([behind, whole]).collect())
            }
            Faded::Scores { q, u, a, out, .. } => (vec![q, u, a], vec![out]),
            Faded::Sums { s, u, a, out, .. } => (vec![s, u, a], vec![out]),
            Faded::Runs { u, a, out, .. } => (vec![u, a], vec![out]),
            Faded::Dots { m, back, fore, out } => (vec![m, &back.0, &back.1, &fore.0, &fore.1], vec![out]),
        }
    }
}

impl Sweep {
    /// The most sources and readers of a pass.
    pub(crate) const SOURCES: usize = 12;
    pub(crate) const READERS: usize = 8;

    /// All operands.
    fn strided(&self) -> impl Iterator<Item = &Strided> {
        let sources = self.sources.iter().flat_map(|source| {
            let base = match &source.base {
                Base::Memory(base) => Some(base),
                Base::Zero | Base::Before => None,
            };
            let product = source.product.iter().flat_map(|(_, operands)| operands);
            let conditions = source.begins.iter().chain(&source.only).map(|condition| &condition.value);
            base.into_iter().chain(&source.decay).chain(product).chain(conditions).chain(&source.store)
        });
        sources.chain(self.readers.iter().flat_map(|reader| reader.by.iter().chain([&reader.out])))
    }
}

/// A value as rows: outer loops, and those that are gone through together.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    pub(crate) x: Walk,
    pub(crate) kept: Vec<Extent>,
    pub(crate) over: Vec<Extent>,
    /// The same with the kept loops innermost, where these then follow one another.
    pub(crate) across: Option<Walk>,
    /// Whether the innermost loop goes along what each position sees of the dependent axis.
    pub(crate) masked: bool,
}

/// The axis that is picked from, and that of what is picked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Picking {
    pub(crate) extent: Extent,
    /// The stride of the axis in the score.
    pub(crate) score: usize,
    /// In the value, or in the result where it goes back.
    pub(crate) from: usize,
    /// The stride of the other axis: in the result, or in the value.
    pub(crate) to: usize,
}

/// What is done with the elements picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pick {
    /// The value there.
    Value,
    /// 1 where there is one.
    Exists,
    /// What is held for each goes where it was picked.
    Back,
}

/// Which elements a running sum takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Running {
    UpTo,
    Behind,
    Before,
}

impl Op {
    /// What it has more of than its loop has room for.
    pub(crate) fn excess(&self) -> Option<String> {
        let walks: Vec<&Walk> = match self {
            Op::Map { args, .. } if args.len() > OPERANDS => {
                return Some(format!("an expression of {} operands, more than {OPERANDS}", args.len()));
            }
            Op::Map { args, out, .. } => args.iter().chain([out]).collect(),
            Op::Mask { x } => vec![&x.x],
            Op::Reduce { x, out, .. } => [&x.x, out].into_iter().chain(&x.across).collect(),
            Op::Softmax { x, out, .. } | Op::Running { x, out, .. } => vec![&x.x, out],
            Op::Contract(plan) => return plan.excess(),
            Op::Sweep(plan) if plan.sizes.len() > LOOPS => {
                return Some(format!("a state of {} axes, more than {LOOPS}", plan.sizes.len()));
            }
            Op::Decays(plan) => plan.walks().collect(),
            Op::Diagonal(plan) => {
                let (read, written) = plan.what.walks();
                [read, written].concat()
            }
            Op::Triangle(Triangle { matrix, x, .. }) => vec![matrix, x],
            Op::Sum { a, b, out, .. } => [a, out].into_iter().chain(b).collect(),
            Op::Gather { table: x, .. } | Op::Shift { x, .. } | Op::Pool { x, .. } | Op::Counted { x, .. } => vec![x],
            Op::Window { x, out, .. } => vec![x, out],
            Op::Convolve(Convolution { x, near, out, .. }) => vec![x, near, out],
            Op::CrossEntropy { logits, .. } | Op::CrossEntropySlope { logits, .. } => vec![logits],
            Op::Top { score, value, out, .. } => vec![score, value, out],
            Op::Sweep(_) | Op::Position { .. } | Op::Index { .. } | Op::Age { .. } => Vec::new(),
        };
        walks.into_iter().find_map(Walk::excess)
    }

    /// All places that are read or written.
    pub(crate) fn spots(&self) -> Vec<Spot> {
        match self {
            Op::Map { args, out, .. } => args.iter().chain([out]).map(|walk| walk.spot).collect(),
            Op::Reduce { x, out, .. } | Op::Softmax { x, out, .. } | Op::Running { x, out, .. } => {
                vec![x.x.spot, out.spot]
            }
            Op::Contract(c) => vec![c.a, c.b, c.c],
            Op::Sweep(sweep) => sweep.strided().map(|operand| operand.spot).collect(),
            Op::Decays(plan) => plan.walks().map(|walk| walk.spot).collect(),
            Op::Diagonal(plan) => {
                let (read, written) = plan.what.walks();
                read.into_iter().chain(written).map(|walk| walk.spot).collect()
            }
            Op::Triangle(plan) => vec![plan.matrix.spot, plan.x.spot],
            Op::Mask { x } => vec![x.x.spot],
            Op::Sum { a, b, out, only, .. } => {
                [Some(a), b.as_ref(), Some(out)].into_iter().flatten().map(|w| w.spot).chain(*only).collect()
            }
            Op::Position { out } | Op::Index { out, .. } | Op::Age { out } => vec![*out],
            Op::Gather { table, out, .. } => vec![table.spot, *out],
            Op::Shift { x, out, .. } | Op::Pool { x, out, .. } | Op::Counted { x, out, .. } => vec![x.spot, *out],
            Op::Window { x, out, .. } => vec![x.spot, out.spot],
            Op::Convolve(Convolution { x, near, out, .. }) => vec![x.spot, near.spot, out.spot],
            Op::CrossEntropy { logits, out, .. } => vec![logits.spot, *out],
            Op::CrossEntropySlope { g, logits, out, .. } => vec![*g, logits.spot, *out],
            Op::Top { score, value, out, .. } => vec![score.spot, value.spot, out.spot],
        }
    }
}
