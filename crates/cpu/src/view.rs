//! Where the elements of a value lie: a place, and a stride for positions and for each axis.
//!
//! Parts, splits, merges and repetitions of axes are other strides over the same elements, and cost nothing. What no stride can
//! say is copied by who asked.

use genesys_ir::module::AxisId;

use crate::run::walk::LOOPS;

/// A buffer of a function: what is kept between kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BufferId(pub(crate) u32);

/// A value within a kernel, in the memory of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LocalId(pub(crate) u32);

/// What a value's first element is counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A buffer that is the same at every position.
    Once(BufferId),
    /// A buffer with a row of so many elements for each position of each item: from the row of the tile's first position.
    Seq { buffer: BufferId, row: usize },
    /// A buffer with a row of so many elements for each position of a chunk: from the row of the tile's first position.
    Chunk { buffer: BufferId, row: usize },
    /// A buffer with a row of so many elements for each position, for all items.
    Positions { buffer: BufferId, row: usize },
    /// A buffer with a row of so many elements for each position of each item (or none, for all items), seen along the dependent
    /// axis, whose elements lie `along` apart: from the first that the tile sees.
    Item { buffer: BufferId, row: usize, along: usize },
    /// A buffer with so many elements for each part of a kernel: a tile, or an item and a task.
    Part { buffer: BufferId, width: usize },
    /// Memory of the worker: from the first row of the tile.
    Local(LocalId),
    /// Memory of the worker with a row of so many elements for each position of a span: from the row of the position, or of one
    /// so many positions ahead.
    Span { local: LocalId, row: usize, ahead: usize },
}

/// The first element of a value, and what a position and a task add to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) place: Place,
    pub(crate) offset: usize,
    /// From one position to the next; 0 where they are alike.
    pub(crate) row: usize,
    /// From one task to the next, where tasks go along an axis.
    pub(crate) task: usize,
    /// Whether elements are of 16 bits (bf16), not of 32.
    pub(crate) narrow: bool,
}

/// A value: each axis with its stride.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) spot: Spot,
    pub(crate) axes: Vec<(AxisId, usize)>,
}

/// How many elements an axis has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// So many.
    Fixed(usize),
    /// As many as the tile has positions.
    Rows,
    /// As many as the dependent axis has for the tile.
    Seen,
}

/// One loop over a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dim {
    pub(crate) extent: Extent,
    pub(crate) stride: usize,
}

/// A value's elements at one position, in an order: loops from the outermost to the innermost, as few as possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Walk {
    pub(crate) spot: Spot,
    pub(crate) dims: Vec<Dim>,
}

impl Place {
    /// The buffer, if it is one.
    pub(crate) fn buffer(self) -> Option<BufferId> {
        match self {
            Place::Once(buffer) | Place::Seq { buffer, .. } | Place::Positions { buffer, .. } => Some(buffer),
            Place::Chunk { buffer, .. } | Place::Item { buffer, .. } | Place::Part { buffer, .. } => Some(buffer),
            Place::Local(_) | Place::Span { .. } => None,
        }
    }
}

impl Spot {
    pub(crate) fn new(place: Place, row: usize) -> Self {
        Self { place, offset: 0, row, task: 0, narrow: false }
    }
}

impl View {
    /// A value whose elements lie densely in the order of the axes.
    pub(crate) fn dense(spot: Spot, axes: &[(AxisId, usize)]) -> Self {
        let mut stride = 1;
        let mut strided = Vec::with_capacity(axes.len());
        for (axis, size) in axes.iter().rev() {
            strided.push((*axis, stride));
            stride *= size;
        }
        strided.reverse();
        Self { spot, axes: strided }
    }

    /// The stride of an axis; 0 where the value does not have it, for it is the same along it.
    pub(crate) fn stride(&self, axis: AxisId) -> usize {
        self.axes.iter().find(|(own, _)| *own == axis).map_or(0, |(_, stride)| *stride)
    }

    pub(crate) fn has(&self, axis: AxisId) -> bool {
        self.axes.iter().any(|(own, _)| *own == axis)
    }

    /// One element of an axis.
    pub(crate) fn select(mut self, axis: AxisId, index: usize) -> Self {
        self.spot.offset += index * self.stride(axis);
        self.axes.retain(|(own, _)| *own != axis);
        self
    }

    /// The elements of an axis from `offset` on, as another axis.
    pub(crate) fn slice(mut self, whole: AxisId, part: AxisId, offset: usize) -> Self {
        self.spot.offset += offset * self.stride(whole);
        self.axes.iter_mut().filter(|(own, _)| *own == whole).for_each(|(own, _)| *own = part);
        self
    }

    /// The same along more axes.
    pub(crate) fn broadcast(mut self, axes: &[AxisId]) -> Self {
        self.axes.extend(axes.iter().map(|axis| (*axis, 0)));
        self
    }

    /// The element of each task instead of an axis.
    pub(crate) fn by_task(mut self, axis: AxisId) -> Self {
        self.spot.task += self.stride(axis);
        self.axes.retain(|(own, _)| *own != axis);
        self
    }

    /// Axes split, merged or renamed, major to minor; nothing where no strides say it.
    pub(crate) fn regroup(&self, from: &[(AxisId, usize)], to: &[(AxisId, usize)]) -> Option<Self> {
        let old: Vec<(usize, usize)> =
            from.iter().filter(|(_, n)| *n != 1).map(|(axis, n)| (*n, self.stride(*axis))).collect();
        let mut made = Vec::new();
        let mut old = old.into_iter().rev();
        // From the innermost on: what is left of the present run of old axes, and its stride.
        let mut run: Option<(usize, usize)> = None;
        for (axis, size) in to.iter().rev() {
            if *size == 1 {
                made.push((*axis, 0));
                continue;
            }
            let (mut left, stride) = match run.take() {
                Some(run) => run,
                None => old.next()?,
            };
            // Merge further old axes while they continue the run.
            while left < *size {
                let (n, outer) = old.next()?;
                if outer != stride * left {
                    return None;
                }
                left *= n;
            }
            if left % size != 0 {
                return None;
            }
            made.push((*axis, stride));
            left /= size;
            run = (left > 1).then_some((left, stride * size));
        }
        if run.is_some() || old.next().is_some() {
            return None;
        }
        let mut axes: Vec<(AxisId, usize)> =
            self.axes.iter().filter(|(own, _)| from.iter().all(|(axis, _)| axis != own)).copied().collect();
        axes.extend(made.into_iter().rev());
        Some(Self { spot: self.spot, axes })
    }

    /// The elements at one position in the order of those axes.
    pub(crate) fn walk(&self, order: &[(AxisId, Extent)]) -> Walk {
        let mut dims: Vec<Dim> = Vec::new();
        for (axis, extent) in order {
            if *extent == Extent::Fixed(1) {
                continue;
            }
            push(&mut dims, Dim { extent: *extent, stride: self.stride(*axis) });
        }
        Walk { spot: self.spot, dims }
    }
}

impl Walk {
    /// What there is more of than there is room for.
    pub(crate) fn excess(&self) -> Option<String> {
        let n = self.dims.len();
        (n > LOOPS).then(|| format!("a value of {n} axes that do not follow one another, more than {LOOPS}"))
    }
}

/// Appends an inner loop, joined with the one around it where they are one.
pub(crate) fn push(dims: &mut Vec<Dim>, inner: Dim) {
    if let (Some(Dim { extent: Extent::Fixed(m), stride }), Extent::Fixed(n)) = (dims.last().copied(), inner.extent)
        && stride == n * inner.stride
    {
        dims.pop();
        dims.push(Dim { extent: Extent::Fixed(m * n), stride: inner.stride });
        return;
    }
    dims.push(inner);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const A: AxisId = AxisId(0);
    const B: AxisId = AxisId(1);
    const C: AxisId = AxisId(2);
    const D: AxisId = AxisId(3);

    fn view(axes: &[(AxisId, usize)]) -> View {
        View { spot: Spot::new(Place::Local(LocalId(0)), 0), axes: axes.to_vec() }
    }

    #[test]
    fn splits_and_merges_are_strides() {
        let split = view(&[(A, 1)]).regroup(&[(A, 12)], &[(B, 3), (C, 4)]).unwrap();
        assert_eq!(split.axes, [(B, 4), (C, 1)]);
        let merged = view(&[(B, 4), (C, 1)]).regroup(&[(B, 3), (C, 4)], &[(A, 12)]).unwrap();
        assert_eq!(merged.axes, [(A, 1)]);
        assert_eq!(view(&[(B, 1), (C, 3)]).regroup(&[(B, 3), (C, 4)], &[(A, 12)]), None);
        // 6 x 4 as 3 x 8: the middle is cut elsewhere.
        let cut = view(&[(A, 4), (B, 1)]).regroup(&[(A, 6), (B, 4)], &[(C, 3), (D, 8)]).unwrap();
        assert_eq!(cut.axes, [(C, 8), (D, 1)]);
        assert_eq!(view(&[(A, 1), (B, 6)]).regroup(&[(A, 6), (B, 4)], &[(C, 3), (D, 8)]), None);
    }

    #[test]
    fn walks_join_loops() {
        let fixed = Extent::Fixed;
        let walk = view(&[(A, 4), (B, 1)]).walk(&[(A, fixed(6)), (B, fixed(4))]);
        assert_eq!(walk.dims, [Dim { extent: fixed(24), stride: 1 }]);
        let walk = view(&[(A, 4)]).walk(&[(A, fixed(6)), (B, fixed(4)), (C, fixed(2))]);
        assert_eq!(walk.dims, [Dim { extent: fixed(6), stride: 4 }, Dim { extent: fixed(8), stride: 0 }]);
    }
}
