//! What a chunk of positions needs besides products of matrices: its decays, and triangular systems.

use genesys_kernels::vector_matrix;

use crate::op::{Decays, Triangle};
use crate::run::walk::{Loops, slice, slice_mut};
use crate::run::{Context, Room};
use crate::view::Walk;

impl Context<'_> {
    pub(crate) fn decays(&self, plan: &Decays, room: &mut Room) {
        for element in 0..self.product(&plan.order) {
            self.decay(plan, element, &mut room.row[..(plan.stages.len() + 1) * plan.rows]);
        }
    }

    /// The decays of one element of the loops around; `room` is for a number for each stage and position, and one more each.
    fn decay(&self, plan: &Decays, element: usize, room: &mut [f32]) {
        let n = self.rows;
        let position = |i: usize| if plan.reverse { n - 1 - i } else { i };
        // SAFETY: the elements are the values' own.
        let at = |walk: &Walk| unsafe { self.at(walk.spot).add(Loops::new(self, walk).offset(element)) };
        let (run, factors) = room.split_at_mut(plan.rows);
        for (walk, factors) in plan.stages.iter().zip(factors.chunks_exact_mut(plan.rows)) {
            match walk {
                Some(walk) => {
                    let from = at(walk).cast_const();
                    // SAFETY: there is a factor for each position.
                    let factor = |i: usize| unsafe { *from.add(position(i) * walk.spot.row) };
                    factors[..n].iter_mut().enumerate().for_each(|(i, own)| *own = factor(i));
                }
                None => factors[..n].fill(1.0),
            }
        }
        // The product of the factors on the way from one stage to another.
        let stages = plan.stages.len() - 1;
        let within = |i: usize, from: usize, to: usize| {
            (from + 1..=to).map(|stage| factors[stage * plan.rows + i]).product::<f32>()
        };
        let write = |to: *mut f32, row: usize, i: usize, value: f32| {
            // SAFETY: there is an element for each position.
            unsafe { *to.add(position(i) * row) = value };
        };
        for (read, walk) in &plan.before {
            let (to, mut all) = (at(walk), 1.0);
            for i in 0..n {
                write(to, walk.spot.row, i, all * within(i, 0, *read));
                all *= within(i, 0, stages);
            }
        }
        for (written, walk) in &plan.behind {
            let (to, mut left) = (at(walk), 1.0);
            for i in (0..n).rev() {
                write(to, walk.spot.row, i, left * within(i, *written, stages));
                left *= within(i, 0, stages);
            }
        }
        if let Some(whole) = &plan.whole {
            write(at(whole), 0, 0, (0..n).map(|i| within(i, 0, stages)).product());
        }
        for (read, written, walk) in &plan.between {
            // SAFETY: a matrix has as many rows as columns.
            let matrix = unsafe { slice_mut(at(walk), plan.rows * plan.rows) };
            for i in 0..n {
                let row = &mut matrix[position(i) * plan.rows..][..plan.rows];
                // Those before `i`, as they lie.
                let (from, to) = if plan.reverse { (n - i, n) } else { (0, i) };
                let (before, all) = (within(i, 0, *read), within(i, 0, stages));
                row.fill(0.0);
                for (to, run) in row[from..to].iter_mut().zip(&mut run[from..to]) {
                    *to = before * *run;
                    *run *= all;
                }
                if written <= read {
                    row[position(i)] = within(i, *written, *read);
                }
                run[position(i)] = within(i, *written, stages);
            }
        }
    }

    pub(crate) fn triangle(&self, plan: &Triangle) {
        let n = self.rows;
        let (matrices, xs) = (Loops::new(self, &plan.matrix), Loops::new(self, &plan.x));
        let row = plan.x.spot.row;
        for element in 0..self.product(&plan.order) {
            // SAFETY: matrices and rows lie in memory planned for them, the rows are this chunk's alone and apart from one another.
            unsafe {
                let matrix = slice(self.at(plan.matrix.spot).add(matrices.offset(element)), plan.rows * plan.rows);
                let x = self.at(plan.x.spot).add(xs.offset(element));
                for i in 1..n {
                    let (own, from) = if plan.reverse { (n - 1 - i, n - i) } else { (i, 0) };
                    let others = slice(x.add(from * row).cast_const(), (i - 1) * row + plan.columns);
                    let to = slice_mut(x.add(own * row), plan.columns);
                    vector_matrix(i, &matrix[own * plan.rows + from..], 1, others, row, to, true);
                }
            }
        }
    }
}
