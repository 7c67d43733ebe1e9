//! What goes through rows of elements: reductions, softmax, masks, sums.

use genesys_ir::module::Reduction;
use genesys_kernels::{RowReduction, add_to, multiply_add_to, reduce_rows, softmax_rows};

use crate::op::{Rows, Running};
use crate::run::walk::{Loops, slice, slice_mut};
use crate::run::{Context, Room};
use crate::view::{Extent, Spot, Walk};

fn kind(how: Reduction) -> RowReduction {
    match how {
        Reduction::Sum => RowReduction::Sum,
        Reduction::Mean => RowReduction::Mean,
        Reduction::Max => RowReduction::Max,
        Reduction::Min => RowReduction::Min,
        Reduction::LogSumExp => RowReduction::LogSumExp,
    }
}

impl Context<'_> {
    fn rows_of(&self, row: usize) -> usize {
        if row == 0 { 1 } else { self.rows }
    }

    pub(crate) fn reduce(&self, how: Reduction, otherwise: Option<f32>, x: &Rows, out: &Walk, room: &mut Room) {
        let (loops, target) = (Loops::new(self, &x.x), Loops::new(self, out));
        let (kept, over) = (self.product(&x.kept), self.product(&x.over));
        let (from, to) = (self.at(x.x.spot), self.at(out.spot));
        let across = x.across.as_ref().filter(|_| target.is_dense() && over > 0 && !loops.is_dense());
        if let (Some(across), Reduction::Sum | Reduction::Mean) = (across, how) {
            return self.sum_across(how == Reduction::Mean, across, (kept, over), out.spot);
        }
        for row in 0..self.rows_of(out.spot.row) {
            // SAFETY: the value and the result lie apart, in memory planned for them.
            unsafe {
                let (from, to) = (from.add(row * x.x.spot.row), to.add(row * out.spot.row));
                if !x.masked && loops.is_dense() && target.is_dense() {
                    reduce_rows(kind(how), slice(from, kept * over), over, slice_mut(to, kept));
                    continue;
                }
                let (low, high) = if x.masked { self.range(row) } else { (0, over) };
                for k in 0..kept {
                    let n = self.elements(&loops, x, from, (k, over), (low, high), &mut room.row);
                    let mut sum = [otherwise.unwrap_or_default()];
                    if n > 0 || otherwise.is_none() {
                        reduce_rows(kind(how), &room.row[..n], n, &mut sum);
                    }
                    target.scatter(&sum, k, to);
                }
            }
        }
    }

    /// A sum or mean over outer loops: one slice after the other.
    fn sum_across(&self, mean: bool, x: &Walk, (kept, over): (usize, usize), out: Spot) {
        let loops = Loops::new(self, x);
        for row in 0..self.rows_of(out.row) {
            // SAFETY: as for reductions.
            unsafe {
                let from = self.at(x.spot).add(row * x.spot.row).cast_const();
                let to = slice_mut(self.at(out).add(row * out.row), kept);
                to.fill(0.0);
                for i in 0..over {
                    loops.runs(i * kept, kept, |offset, _, _, count| add_to(slice(from.add(offset), count), to));
                }
                if mean {
                    to.iter_mut().for_each(|to| *to /= over as f32);
                }
            }
        }
    }

    /// Gathers those elements of the row `k` that are seen; gives their number.
    unsafe fn elements(
        &self,
        loops: &Loops,
        x: &Rows,
        from: *const f32,
        (k, over): (usize, usize),
        (low, high): (usize, usize),
        room: &mut [f32],
    ) -> usize {
        let (inner, length) = if x.masked { (self.seen, high - low) } else { (over, over) };
        if length == 0 || over == 0 {
            return 0;
        }
        let outer = over / inner;
        for i in 0..outer {
            // SAFETY: as asked of the caller.
            unsafe { loops.gather(from, k * over + i * inner + low, &mut room[i * length..(i + 1) * length]) };
        }
        outer * length
    }

    pub(crate) fn softmax(&self, sink: Option<f32>, x: &Rows, out: &Walk, room: &mut Room) {
        let (loops, target) = (Loops::new(self, &x.x), Loops::new(self, out));
        let (kept, over) = (self.product(&x.kept), self.product(&x.over));
        let (from, to) = (self.at(x.x.spot), self.at(out.spot));
        for row in 0..self.rows_of(out.spot.row) {
            // SAFETY: as for reductions.
            unsafe {
                let (from, to) = (from.add(row * x.x.spot.row), to.add(row * out.spot.row));
                if !x.masked && target.is_dense() {
                    let to = slice_mut(to, kept * over);
                    loops.gather(from, 0, to);
                    softmax_rows(to, over, sink);
                    continue;
                }
                let (low, high) = if x.masked { self.range(row) } else { (0, over) };
                let inner = if x.masked { self.seen } else { over };
                for k in 0..kept {
                    if let Some(row) = in_place(&loops, from, &target, to, (k * over, inner), (low, high), over) {
                        softmax_rows(row, high - low, sink);
                        continue;
                    }
                    let n = self.elements(&loops, x, from, (k, over), (low, high), &mut room.row);
                    softmax_rows(&mut room.row[..n], n, sink);
                    if over == 0 {
                        continue;
                    }
                    for (i, values) in room.row[..n].chunks_exact((high - low).max(1)).enumerate() {
                        target.scatter(values, k * over + i * inner + low, to);
                    }
                    for i in 0..over / inner {
                        let start = k * over + i * inner;
                        target.clear(start, low, to);
                        target.clear(start + high, inner - high, to);
                    }
                }
            }
        }
    }

    pub(crate) fn mask(&self, x: &Rows) {
        let loops = Loops::new(self, &x.x);
        let kept = self.product(&x.kept) * self.product(&x.over) / self.seen.max(1);
        let at = self.at(x.x.spot);
        for row in 0..self.rows_of(x.x.spot.row) {
            let (low, high) = self.range(row);
            for k in 0..kept {
                // SAFETY: the elements are those of a local value.
                unsafe {
                    let at = at.add(row * x.x.spot.row);
                    loops.clear(k * self.seen, low, at);
                    loops.clear(k * self.seen + high, self.seen - high, at);
                }
            }
        }
    }

    pub(crate) fn running(&self, which: Running, x: &Rows, out: &Walk, room: &mut Room) {
        let (loops, target) = (Loops::new(self, &x.x), Loops::new(self, out));
        let (from, to) = (self.at(x.x.spot), self.at(out.spot));
        let kept = self.product(&x.kept);
        for row in 0..self.rows_of(out.spot.row) {
            let (low, high) = self.range(row);
            for k in 0..kept {
                // SAFETY: as for reductions.
                unsafe {
                    let (from, to) = (from.add(row * x.x.spot.row), to.add(row * out.spot.row));
                    let values = &mut room.row[..high - low];
                    loops.gather(from, k * self.seen + low, values);
                    accumulate(which, values);
                    target.scatter(values, k * self.seen + low, to);
                }
            }
        }
    }

    pub(crate) fn sum(&self, a: &Walk, b: Option<&Walk>, out: &Walk, order: &[Extent], room: &mut Room) {
        let n = self.product(order);
        let target = Loops::new(self, out);
        let (left, to) = (Loops::new(self, a), self.at(out.spot));
        let right = b.map(|b| (Loops::new(self, b), self.at(b.spot), b.spot.row));
        for row in 0..self.rows {
            // SAFETY: what is summed up is this part's alone.
            unsafe {
                let from = self.at(a.spot).add(row * a.spot.row);
                let values = values(&left, from, n, &mut room.row);
                match &right {
                    None if target.is_dense() => add_to(values, slice_mut(to, n)),
                    None => target.scatter_add(values, to),
                    Some((loops, from, stride)) => {
                        let from = from.add(row * stride);
                        let others = self::values(loops, from, n, &mut room.other);
                        if target.is_dense() {
                            multiply_add_to(values, others, slice_mut(to, n));
                        } else {
                            target.runs(0, n, |offset, stride, done, count| {
                                for i in 0..count {
                                    *to.add(offset + i * stride) += values[done + i] * others[done + i];
                                }
                            });
                        }
                    }
                }
            }
        }
    }
}

/// What is seen of a row of that many elements from `start` on, copied to where its result goes, with 0 around it; if both lie
/// densely there.
///
/// # Safety
/// As for reductions.
unsafe fn in_place<'a>(
    loops: &Loops,
    from: *const f32,
    target: &Loops,
    to: *mut f32,
    (start, length): (usize, usize),
    (low, high): (usize, usize),
    over: usize,
) -> Option<&'a mut [f32]> {
    if over != length || low >= high {
        return None;
    }
    let (Some((near, 1)), Some((far, 1))) = (loops.within(start, length), target.within(start, length)) else {
        return None;
    };
    // SAFETY: as asked of the caller.
    unsafe {
        let row = slice_mut(to.add(far), length);
        row[..low].fill(0.0);
        row[high..].fill(0.0);
        let seen = &mut row[low..high];
        let from = from.add(near + low);
        if from != seen.as_ptr() {
            seen.copy_from_slice(slice(from, high - low));
        }
        Some(seen)
    }
}

/// The elements of a row: where they lie if densely, or gathered.
unsafe fn values<'a>(loops: &Loops, from: *const f32, n: usize, room: &'a mut [f32]) -> &'a [f32] {
    // SAFETY: as asked of the caller.
    unsafe {
        if loops.is_dense() {
            return slice(from, n);
        }
        loops.gather(from, 0, &mut room[..n]);
    }
    &room[..n]
}

/// Running sums in place, in the order of time.
fn accumulate(which: Running, values: &mut [f32]) {
    let mut sum = 0.0;
    let mut step = |value: &mut f32| {
        let own = *value;
        *value = if which == Running::UpTo { sum + own } else { sum };
        sum += own;
    };
    match which {
        Running::UpTo | Running::Before => values.iter_mut().for_each(&mut step),
        Running::Behind => values.iter_mut().rev().for_each(&mut step),
    }
}
