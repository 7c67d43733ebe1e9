//! What a chunk of positions needs besides products of matrices: its decays, sums that fade element by element, and triangular
//! systems.

use genesys_kernels::{faded_dots, faded_runs, faded_scores, faded_sums, vector_matrix};

use crate::op::{Decays, Diagonal, Faded, Triangle};
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

    pub(crate) fn diagonal(&self, plan: &Diagonal, room: &mut Room) {
        for element in 0..self.product(&plan.order) {
            Rows { context: self, plan, element }.run(&mut room.row[..]);
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

/// The elements that a row is padded to.
fn padded(columns: usize) -> usize {
    columns.next_multiple_of(16)
}

/// How many numbers the memory for sums that fade has: nine operands, and a matrix over positions.
pub(crate) fn room(plan: &Diagonal) -> usize {
    9 * plan.rows * padded(plan.columns) + plan.rows * plan.rows
}

/// One element of the loops around: its rows in the order of time.
struct Rows<'a> {
    context: &'a Context<'a>,
    plan: &'a Diagonal,
    element: usize,
}

impl Rows<'_> {
    fn run(&self, room: &mut [f32]) {
        let (n, k) = (self.context.rows, padded(self.plan.columns));
        let (matrix, room) = room.split_at_mut(self.plan.rows * self.plan.rows);
        let matrix = &mut matrix[..n * n];
        let (rest, room) = room.split_at_mut(4 * n * k);
        let mut parts = room.chunks_exact_mut(n * k);
        let mut part = || parts.next().expect("there is room for five operands");
        match &self.plan.what {
            Faded::Ends { a, before, behind, whole } => {
                let (a, to) = (self.rows(a, part()), part());
                self.ends(a, k, before, behind, whole, to);
            }
            Faded::Scores { q, u, a, fade, out } => {
                let [q, u, a] = [q, u, a].map(|walk| &*self.rows(walk, part()));
                faded_scores(n, k, q, u, a, *fade, matrix);
                self.matrix(out, matrix, false);
            }
            Faded::Sums { s, u, a, fade, out } => {
                self.matrix(s, matrix, true);
                let [u, a] = [u, a].map(|walk| &*self.rows(walk, part()));
                let to = self.rows(out, part());
                faded_sums(n, k, matrix, u, a, *fade, to);
                self.write(to, out);
            }
            Faded::Runs { u, a, fade, out } => {
                let [u, a] = [u, a].map(|walk| &*self.rows(walk, part()));
                let to = part();
                faded_runs(n, k, u, a, *fade, to);
                self.write(to, out);
            }
            Faded::Dots { m, back, fore, out } => {
                self.matrix(m, matrix, true);
                let [u, a, v, b] = [&back.0, &back.1, &fore.0, &fore.1].map(|walk| &*self.rows(walk, part()));
                let to = self.rows(out, part());
                faded_dots(n, k, matrix, (u, a, back.2), (v, b, fore.2), to, rest);
                self.write(to, out);
            }
        }
    }

    fn position(&self, i: usize) -> usize {
        if self.plan.reverse { self.context.rows - 1 - i } else { i }
    }

    /// Copies the rows of a value.
    fn rows<'t>(&self, walk: &Walk, to: &'t mut [f32]) -> &'t mut [f32] {
        let columns = self.plan.columns;
        let loops = Loops::new(self.context, walk);
        for (i, row) in to.chunks_exact_mut(padded(columns)).enumerate() {
            let (own, rest) = row.split_at_mut(columns);
            // SAFETY: the elements are the value's own.
            unsafe {
                let from = self.context.at(walk.spot).add(self.position(i) * walk.spot.row);
                loops.gather(from, self.element * columns, own);
            }
            rest.fill(0.0);
        }
        to
    }

    /// Copies rows to a value.
    fn write(&self, from: &[f32], walk: &Walk) {
        let columns = self.plan.columns;
        let loops = Loops::new(self.context, walk);
        for (i, row) in from.chunks_exact(padded(columns)).enumerate() {
            // SAFETY: the elements are the value's own, and this chunk's alone.
            unsafe {
                let to = self.context.at(walk.spot).add(self.position(i) * walk.spot.row);
                loops.scatter(&row[..columns], self.element * columns, to);
            }
        }
    }

    /// Copies a matrix over positions, whose rows lie `plan.rows` apart, to one that is dense in the order of time, or back.
    fn matrix(&self, walk: &Walk, dense: &mut [f32], reads: bool) {
        let (n, row) = (self.context.rows, self.plan.rows);
        let loops = Loops::new(self.context, walk);
        // SAFETY: the matrix is the value's own, and this chunk's alone.
        let own = unsafe { slice_mut(self.context.at(walk.spot).add(loops.offset(self.element)), row * row) };
        for (i, dense) in dense.chunks_exact_mut(n).enumerate() {
            let own = &mut own[self.position(i) * row..][..n];
            match (reads, self.plan.reverse) {
                (true, false) => dense.copy_from_slice(own),
                (true, true) => dense.iter_mut().zip(own.iter().rev()).for_each(|(to, from)| *to = *from),
                (false, false) => own.copy_from_slice(dense),
                (false, true) => own.iter_mut().rev().zip(dense).for_each(|(to, from)| *to = *from),
            }
        }
    }

    fn ends(&self, a: &[f32], k: usize, before: &[(bool, Walk)], behind: &Walk, whole: &Walk, to: &mut [f32]) {
        let n = self.context.rows;
        let (row, last) = (|i: usize| &a[i * k..(i + 1) * k], (n - 1) * k);
        for (late, walk) in before {
            to[..k].fill(1.0);
            if *late {
                to[..k].copy_from_slice(row(0));
            }
            for i in 1..n {
                let (done, next) = to.split_at_mut(i * k);
                let by = row(if *late { i } else { i - 1 });
                let factors = done[(i - 1) * k..].iter().zip(by);
                next[..k].iter_mut().zip(factors).for_each(|(to, (run, a))| *to = run * a);
            }
            self.write(to, walk);
        }
        to[last..].fill(1.0);
        for i in (1..n).rev() {
            let (next, done) = to.split_at_mut(i * k);
            let factors = done[..k].iter().zip(row(i));
            next[(i - 1) * k..].iter_mut().zip(factors).for_each(|(to, (run, a))| *to = run * a);
        }
        self.write(to, behind);
        to[..k].iter_mut().zip(row(0)).for_each(|(run, a)| *run *= a);
        let loops = Loops::new(self.context, whole);
        // SAFETY: as above.
        unsafe {
            loops.scatter(&to[..self.plan.columns], self.element * self.plan.columns, self.context.at(whole.spot))
        };
    }
}
