//! Sums of products as loops around a matrix product.
//!
//! Each axis of the operands is kept of both (an outer loop), of the first (rows), of the second (columns), or summed. Of each
//! kind the axes that follow one another in memory become one loop; the largest of each make the matrix product, the others go
//! around it. The result lies densely: outer axes, those of rows, those of columns.

use genesys_ir::module::{AxisId, ValueId};

use crate::run::contract::OUTER;
use crate::view::{BufferId, Extent, Spot, View};

/// A loop over two operands and the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loop {
    pub(crate) extent: Extent,
    pub(crate) a: usize,
    pub(crate) b: usize,
    pub(crate) c: usize,
}

/// Loops around `C[m, n] = A[m, k] B[k, n]`.
#[derive(Clone, Debug)]
pub(crate) struct Contraction {
    pub(crate) a: Spot,
    pub(crate) b: Spot,
    pub(crate) c: Spot,
    pub(crate) outer: Vec<Loop>,
    pub(crate) m: Loop,
    pub(crate) n: Loop,
    pub(crate) k: Loop,
    /// Whether outer loops add to the same elements: then these are 0 first.
    pub(crate) gathers: bool,
    /// Whether what is there is added to.
    pub(crate) accumulate: bool,
    /// Where the second operand is packed, which is the same for all tiles.
    pub(crate) packed: Option<BufferId>,
    /// The value that it gives, where it is no operation of a tile, of which the tile says that.
    pub(crate) of: Option<ValueId>,
    /// Whether the operands are rounded to bf16, if they do not lie so.
    pub(crate) rounds: bool,
}

/// How positions enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    /// One product for each.
    Kept,
    /// Summed over.
    Summed,
}

const ONCE: Loop = Loop { extent: Extent::Fixed(1), a: 0, b: 0, c: 0 };

impl Contraction {
    /// What there is more of than there is room for.
    pub(crate) fn excess(&self) -> Option<String> {
        let n = self.outer.len();
        (n > OUTER).then(|| format!("a contraction with {n} loops around a product, more than {OUTER}"))
    }

    /// Whether it is a product of matrices that are large enough to be worth rounding; less is summed in f32.
    pub(crate) fn is_large(&self) -> bool {
        [self.m, self.n, self.k].iter().all(|l| match l.extent {
            Extent::Fixed(n) => n >= 16,
            Extent::Rows | Extent::Seen => true,
        })
    }
}

impl Loop {
    pub(crate) fn is_once(&self) -> bool {
        self.extent == Extent::Fixed(1)
    }
}

/// A contraction over `summed`, and the axes of its result in the order in which they lie; `out` says where they lie instead.
pub(crate) fn plan(
    mut a: View,
    mut b: View,
    summed: &[AxisId],
    sizes: &dyn Fn(AxisId) -> (Extent, usize),
    rows: Rows,
    out: Option<&View>,
) -> (Contraction, Vec<AxisId>) {
    if swapped(&a, &b, summed, sizes, rows, out) {
        std::mem::swap(&mut a, &mut b);
    }
    let of = |view: &View, test: &dyn Fn(AxisId) -> bool| -> Vec<AxisId> {
        view.axes.iter().map(|(axis, _)| *axis).filter(|axis| test(*axis)).collect()
    };
    let shared = of(&a, &|axis| b.has(axis) && !summed.contains(&axis));
    let mut left = of(&a, &|axis| !b.has(axis) && !summed.contains(&axis));
    let mut right = of(&b, &|axis| !a.has(axis) && !summed.contains(&axis));
    let mut over = of(&a, &|axis| summed.contains(&axis));
    left.sort_by_key(|axis| std::cmp::Reverse(a.stride(*axis)));
    right.sort_by_key(|axis| std::cmp::Reverse(b.stride(*axis)));
    over.sort_by_key(|axis| std::cmp::Reverse(a.stride(*axis)));
    let layout: Vec<AxisId> = shared.iter().chain(&left).chain(&right).copied().collect();
    let sized: Vec<(AxisId, usize)> = layout.iter().map(|axis| (*axis, sizes(*axis).1)).collect();
    let c = out.cloned().unwrap_or_else(|| {
        let width = sized.iter().map(|(_, n)| n).product();
        View::dense(Spot { row: width, ..Spot::new(a.spot.place, 0) }, &sized)
    });
    let loops = |axes: &[AxisId]| -> Vec<Loop> {
        let along = |axis: &AxisId| Loop {
            extent: sizes(*axis).0,
            a: a.stride(*axis),
            b: b.stride(*axis),
            c: if summed.contains(axis) { 0 } else { c.stride(*axis) },
        };
        join(axes.iter().map(along).collect())
    };
    let (mut outer, mut m, mut n, mut k) = (loops(&shared), loops(&left), loops(&right), loops(&over));
    let row = Loop { extent: Extent::Rows, a: a.spot.row, b: b.spot.row, c: c.spot.row };
    match rows {
        Rows::Summed => k.insert(0, Loop { c: 0, ..row }),
        Rows::Kept if a.spot.row == 0 => {}
        Rows::Kept if b.spot.row == 0 => m.insert(0, row),
        Rows::Kept => outer.insert(0, row),
    }
    let rows_of = largest(&mut m);
    outer.append(&mut m);
    let columns = match n.iter().position(|columns| columns.c == 1) {
        Some(i) => n.remove(i),
        None => ONCE,
    };
    outer.append(&mut n);
    let sum = if rows == Rows::Summed { k.remove(0) } else { largest(&mut k) };
    let gathers = !k.is_empty();
    outer.append(&mut k);
    let c = Spot { row: if rows == Rows::Summed || a.spot.row == 0 { 0 } else { c.spot.row }, ..c.spot };
    let (a, b) = (a.spot, b.spot);
    (
        Contraction {
            a,
            b,
            c,
            outer,
            m: rows_of,
            n: columns,
            k: sum,
            gathers,
            accumulate: false,
            packed: None,
            of: None,
            rounds: false,
        },
        layout,
    )
}

/// Whether the operands are better the other way around: what varies by position makes rows, what lies densely in the result
/// makes columns, and else the operand that gives more of them.
fn swapped(
    a: &View,
    b: &View,
    summed: &[AxisId],
    sizes: &dyn Fn(AxisId) -> (Extent, usize),
    rows: Rows,
    out: Option<&View>,
) -> bool {
    if rows == Rows::Kept && (a.spot.row != 0) != (b.spot.row != 0) {
        return b.spot.row != 0;
    }
    let dense = |view: &View, other: &View| {
        let own = view.axes.iter().map(|(axis, _)| *axis).filter(|axis| !other.has(*axis) && !summed.contains(axis));
        own.map(|axis| out.map_or(0, |out| usize::from(out.stride(axis) == 1 && sizes(axis).1 > 1))).sum::<usize>()
    };
    if out.is_some() && dense(a, b) != dense(b, a) {
        return dense(a, b) > dense(b, a);
    }
    columns(a, b, summed, sizes) > columns(b, a, summed, sizes)
}

/// How many columns a view gives beside another.
fn columns(own: &View, other: &View, summed: &[AxisId], sizes: &dyn Fn(AxisId) -> (Extent, usize)) -> usize {
    let axes = own.axes.iter().filter(|(axis, _)| !other.has(*axis) && !summed.contains(axis));
    axes.map(|(axis, _)| sizes(*axis).1).product()
}

/// Loops of which each inner one that continues in all operands is joined with the one around it.
fn join(loops: Vec<Loop>) -> Vec<Loop> {
    let mut joined: Vec<Loop> = Vec::new();
    for inner in loops {
        if inner.is_once() {
            continue;
        }
        if let (Some(outer), Extent::Fixed(n)) = (joined.last_mut(), inner.extent)
            && let Extent::Fixed(m) = outer.extent
            && outer.a == n * inner.a
            && outer.b == n * inner.b
            && outer.c == n * inner.c
        {
            *outer = Loop { extent: Extent::Fixed(m * n), ..inner };
            continue;
        }
        joined.push(inner);
    }
    joined
}

/// Takes the largest loop out.
fn largest(loops: &mut Vec<Loop>) -> Loop {
    let size = |l: &Loop| match l.extent {
        Extent::Fixed(n) => n,
        Extent::Rows => 48,
        Extent::Seen => 1 << 16,
    };
    let place = (0..loops.len()).max_by_key(|i| size(&loops[*i]));
    place.map_or(ONCE, |i| loops.remove(i))
}
