//! What looks at other positions, at tokens, or at single elements.

use genesys_ir::module::IGNORE;
use genesys_kernels::{RowReduction, add_to, reduce_rows, softmax_rows};

use crate::op::{Op, Pick};
use crate::run::walk::{Loops, slice, slice_mut};
use crate::run::{Context, Room};
use crate::view::{Extent, Place, Spot, Walk};

impl Context<'_> {
    pub(crate) fn position(&self, out: Spot) {
        let to = self.at(out);
        let rows = if out.row == 0 { 1 } else { self.rows };
        for row in 0..rows {
            // SAFETY: one element a position, of this tile.
            unsafe { *to.add(row * out.row) = (self.t + row) as f32 };
        }
    }

    pub(crate) fn index(&self, out: Spot, n: usize) {
        // SAFETY: memory for so many elements.
        let to = unsafe { slice_mut(self.at(out), n) };
        to.iter_mut().enumerate().for_each(|(i, to)| *to = i as f32);
    }

    pub(crate) fn age(&self, out: Spot) {
        let sight = self.sight.expect("ages are those of what is seen");
        for row in 0..self.rows {
            // SAFETY: memory for what is seen, a row a position.
            let to = unsafe { slice_mut(self.at(out).add(row * out.row), self.seen) };
            for (i, to) in to.iter_mut().enumerate() {
                *to = sight.age(self.t + row, self.low + i) as f32;
            }
        }
    }

    fn here(&self, row: usize) -> usize {
        self.item * self.step.shape.context + self.t + row
    }

    pub(crate) fn gather_rows(&self, table: &Walk, axis: usize, out: Spot) {
        let loops = Loops::new(self, table);
        let n = loops.all().iter().map(|(n, _)| n).product();
        for row in 0..self.rows {
            let token = self.step.tokens[self.here(row)] as usize;
            // SAFETY: tokens are numbers of the table's rows, which was checked before the step.
            unsafe {
                let to = slice_mut(self.at(out).add(row * out.row), n);
                loops.gather(self.at(table.spot).add(token * axis), 0, to);
            }
        }
    }

    /// Where a value lies at another position of the item.
    pub(crate) fn other(&self, walk: &Walk, t: usize) -> *const f32 {
        let row = match walk.spot.place {
            Place::Seq { row, .. } | Place::Positions { row, .. } => row as isize,
            Place::Once(_) | Place::Chunk { .. } | Place::Item { .. } | Place::Part { .. } => 0,
            Place::Local(_) | Place::Span { .. } => 0,
        };
        // SAFETY: the position is one of the item, so its row is in the buffer.
        unsafe { self.at(walk.spot).offset((t as isize - self.t as isize) * row).cast_const() }
    }

    pub(crate) fn shift(&self, x: &Walk, order: &[Extent], by: usize, reverse: bool, out: Spot) {
        let (loops, n) = (Loops::new(self, x), self.product(order));
        for row in 0..self.rows {
            let t = self.t + row;
            let then = if reverse { Some(t + by).filter(|t| *t < self.step.shape.context) } else { t.checked_sub(by) };
            // SAFETY: memory for the value, a row a position; other positions were written by kernels before.
            unsafe {
                let to = slice_mut(self.at(out).add(row * out.row), n);
                match then {
                    Some(then) => loops.gather(self.other(x, then), 0, to),
                    None => to.fill(0.0),
                }
            }
        }
    }

    pub(crate) fn window(&self, op: &Op, room: &mut Room) {
        let Op::Window { x, order, n, axis, reverse, adjoint, out } = op else {
            unreachable!("asked for windows only")
        };
        let (loops, target) = (Loops::new(self, x), Loops::new(self, out));
        let width = self.product(order);
        let (values, sums) = (&mut room.row[..width], &mut room.other[..width]);
        for row in 0..self.rows {
            let t = self.t + row;
            // The position `by` steps back in the direction in which time runs.
            let at = |by: usize| {
                if *reverse { Some(t + by).filter(|t| *t < self.step.shape.context) } else { t.checked_sub(by) }
            };
            // SAFETY: as for shifts.
            unsafe {
                let to = self.at(out.spot).add(row * out.spot.row);
                sums.fill(0.0);
                for i in 0..*n {
                    let element = *n - 1 - i;
                    match at(i) {
                        Some(then) if *adjoint => {
                            loops.gather(self.other(x, then).add(element * axis), 0, values);
                            add_to(values, sums);
                        }
                        Some(then) => {
                            loops.gather(self.other(x, then), 0, values);
                            target.scatter(values, 0, to.add(element * axis));
                        }
                        None if *adjoint => {}
                        None => target.scatter(sums, 0, to.add(element * axis)),
                    }
                }
                if *adjoint {
                    target.scatter(sums, 0, to);
                }
            }
        }
    }

    pub(crate) fn pool(&self, x: &Walk, order: &[Extent], size: usize, adjoint: bool, out: Spot, room: &mut Room) {
        let (loops, n) = (Loops::new(self, x), self.product(order));
        let context = self.step.shape.context;
        for row in 0..self.rows {
            let t = self.t + row;
            let (start, end) = if adjoint {
                let block = t / size;
                (((block + 1) * size - 1).min(context), ((block + 2) * size - 1).min(context))
            } else {
                let end = (t + 1) / size * size;
                (end.saturating_sub(size), end)
            };
            // SAFETY: as for shifts.
            unsafe {
                let to = slice_mut(self.at(out).add(row * out.row), n);
                to.fill(0.0);
                for then in start..end {
                    let values = &mut room.row[..n];
                    loops.gather(self.other(x, then), 0, values);
                    add_to(values, to);
                }
                to.iter_mut().for_each(|to| *to /= size as f32);
            }
        }
    }

    fn target(&self, row: usize) -> Option<usize> {
        Some(self.step.targets[self.here(row)]).filter(|target| *target != IGNORE).map(|target| target as usize)
    }

    pub(crate) fn cross_entropy(&self, logits: &Walk, n: usize, out: Spot, room: &mut Room) {
        let loops = Loops::new(self, logits);
        for row in 0..self.rows {
            // SAFETY: one element a position, of this tile; logits were computed before.
            unsafe {
                let to = self.at(out).add(row * out.row);
                let Some(target) = self.target(row) else {
                    *to = 0.0;
                    continue;
                };
                let from = self.at(logits.spot).add(row * logits.spot.row);
                let values = if loops.is_dense() {
                    slice(from, n)
                } else {
                    loops.gather(from, 0, &mut room.row[..n]);
                    &room.row[..n]
                };
                let mut all = [0.0];
                reduce_rows(RowReduction::LogSumExp, values, n, &mut all);
                *to = (all[0] - values[target]) * self.step.share;
            }
        }
    }

    pub(crate) fn slope(&self, g: Spot, logits: &Walk, n: usize, out: Spot, _: &mut Room) {
        let loops = Loops::new(self, logits);
        for row in 0..self.rows {
            // SAFETY: a row a position, of this tile.
            unsafe {
                let to = slice_mut(self.at(out).add(row * out.row), n);
                let Some(target) = self.target(row) else {
                    to.fill(0.0);
                    continue;
                };
                loops.gather(self.at(logits.spot).add(row * logits.spot.row), 0, to);
                softmax_rows(to, n, None);
                to[target] -= 1.0;
                let scale = *self.at(g) * self.step.share;
                to.iter_mut().for_each(|to| *to *= scale);
            }
        }
    }

    pub(crate) fn counted(&self, x: &Walk, order: &[Extent], out: Spot) {
        let (loops, n) = (Loops::new(self, x), self.product(order));
        for row in 0..self.rows {
            // SAFETY: a row a position, of this tile.
            unsafe {
                let to = slice_mut(self.at(out).add(row * out.row), n);
                match self.target(row) {
                    Some(_) => {
                        loops.gather(self.at(x.spot).add(row * x.spot.row), 0, to);
                        to.iter_mut().for_each(|to| *to *= self.step.share);
                    }
                    None => to.fill(0.0),
                }
            }
        }
    }

    pub(crate) fn top(&self, op: &Op, room: &mut Room) {
        let Op::Top { pick, score, value, out, order, from, to } = op else { unreachable!("asked for picks only") };
        let loops = [score, value, out].map(|walk| Loops::new(self, walk));
        let n = self.product(order);
        for row in 0..self.rows {
            let (low, high) = if from.extent == Extent::Seen { self.range(row) } else { (0, self.count(from.extent)) };
            for i in 0..n {
                // SAFETY: a row a position, of this tile; what is picked is one of the elements.
                unsafe {
                    let at = |k: usize, walk: &Walk| {
                        let mut first = 0;
                        loops[k].runs(i, 1, |offset, _, _, _| first = offset);
                        self.at(walk.spot).add(row * walk.spot.row + first)
                    };
                    let (score, value, out) = (at(0, score), at(1, value), at(2, out));
                    let number = |e: u32| {
                        let x = *score.add(e as usize * from.score);
                        if x.is_nan() { f32::NEG_INFINITY } else { x }
                    };
                    room.ranking.clear();
                    room.ranking.extend(low as u32..high as u32);
                    let larger = |a: &u32, b: &u32| number(*b).partial_cmp(&number(*a)).expect("they are numbers");
                    room.ranking.sort_unstable_by(|a, b| larger(a, b).then(a.cmp(b)));
                    if *pick == Pick::Back {
                        for e in 0..self.count(from.extent) {
                            *out.add(e * from.from) = 0.0;
                        }
                    }
                    for place in 0..*to {
                        let picked = room.ranking.get(place).map(|e| *e as usize);
                        match (pick, picked) {
                            (Pick::Value, Some(e)) => *out.add(place * from.to) = *value.add(e * from.from),
                            (Pick::Exists, Some(_)) => *out.add(place * from.to) = 1.0,
                            (Pick::Value | Pick::Exists, None) => *out.add(place * from.to) = 0.0,
                            (Pick::Back, Some(e)) => *out.add(e * from.from) = *value.add(place * from.to),
                            (Pick::Back, None) => {}
                        }
                    }
                }
            }
        }
    }
}
