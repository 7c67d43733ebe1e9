//! Sums of products: loops around a matrix product, or around sums of a row where that is too small to be worth one.

use genesys_kernels::{
    Halves, Matrix, Operand, multiply, multiply_add_to, multiply_bf16, multiply_packed, multiply_packed_bf16,
};
use genesys_kernels::{row_dots, vector_matrix};

use crate::contract::{Contraction, Loop};
use crate::run::walk::{slice, slice_mut};
use crate::run::{Context, Room};
use crate::view::Spot;

/// A loop with its extent for a tile.
#[derive(Clone, Copy, Debug)]
struct Along {
    n: usize,
    a: usize,
    b: usize,
    c: usize,
}

/// How many loops go around a product at most.
pub(crate) const OUTER: usize = 8;

impl Context<'_> {
    fn along(&self, l: &Loop) -> Along {
        Along { n: self.count(l.extent), a: l.a, b: l.b, c: l.c }
    }

    pub(crate) fn contract(&self, plan: &Contraction, room: &mut Room) {
        let rows = self.count(plan.m.extent);
        self.contract_rows(plan, (0, rows), plan.accumulate, room);
    }

    /// The rows `from..to` of the product, added to what is there if it says so.
    pub(crate) fn contract_rows(&self, plan: &Contraction, (from, to): (usize, usize), add: bool, room: &mut Room) {
        let mut outer = [Along { n: 1, a: 0, b: 0, c: 0 }; OUTER];
        for (slot, l) in outer.iter_mut().zip(&plan.outer) {
            *slot = self.along(l);
        }
        let outer = &outer[..plan.outer.len()];
        let m = Along { n: to - from, ..self.along(&plan.m) };
        let (n, k) = (self.along(&plan.n), self.along(&plan.k));
        if plan.rounds {
            // SAFETY: as below.
            return unsafe { self.rounded(plan, outer, [m, n, k], (from, add), room) };
        }
        // SAFETY: the places lie in memory planned for them, and the result's elements are this tile's alone.
        unsafe {
            let a = self.at(plan.a).cast_const().add(from * m.a);
            let b = self.at(plan.b).cast_const();
            let c = self.at(plan.c).add(from * m.c);
            if plan.gathers && !add {
                each(outer, &mut |_, _, at| clear(c.add(at), m, n));
            }
            let accumulate = add || plan.gathers;
            if let (None, Some((last, around)), 1, 1, 1, 1) = (plan.packed, outer.split_last(), m.n, n.n, k.a, k.b)
                && k.n > 0
                && last.n > 0
                && !plan.gathers
            {
                // One element for each step of the innermost loop: these are rows.
                each(around, &mut |i, j, at| {
                    let (a, b) = (span(a.add(i), last.n, last.a, k.n), span(b.add(j), last.n, last.b, k.n));
                    let to = slice_mut(c.add(at), (last.n - 1) * last.c + 1);
                    row_dots(last.n, k.n, a, b, (last.a, last.b), to, last.c, accumulate);
                });
                return;
            }
            if let (None, Some((last, around)), 1, 1) = (plan.packed, outer.split_last(), m.n, n.n)
                && [last.a, last.b, last.c] == [1; 3]
            {
                // The innermost loop goes along dense elements of all three.
                each(around, &mut |i, j, at| {
                    let out = slice_mut(c.add(at), last.n);
                    if !accumulate {
                        out.fill(0.0);
                    }
                    for step in 0..k.n {
                        let (a, b) = (a.add(i + step * k.a), b.add(j + step * k.b));
                        multiply_add_to(slice(a, last.n), slice(b, last.n), out);
                    }
                });
                return;
            }
            each(outer, &mut |i, j, at| {
                let (a, b, c) = (a.add(i), b.add(j), c.add(at));
                match plan.packed {
                    Some(packed) => {
                        let matrix = Matrix { data: a, row: m.a as isize, column: k.a as isize };
                        let packed = self.bases[packed.0 as usize].cast_const();
                        multiply_packed(m.n, n.n, k.n, matrix, packed, c, m.c as isize, accumulate, &mut room.gemm);
                    }
                    None => product([a, b], c, [m, n, k], accumulate, room),
                }
            });
        }
    }
}

impl Context<'_> {
    /// The rows of a product of bf16 from row `from` on, added to what is there if it says so.
    ///
    /// # Safety
    /// As for all products.
    unsafe fn rounded(
        &self,
        plan: &Contraction,
        outer: &[Along],
        [m, n, k]: [Along; 3],
        (from, add): (usize, bool),
        room: &mut Room,
    ) {
        // SAFETY: as asked of the caller.
        unsafe {
            let c = self.at(plan.c).add(from * m.c);
            if plan.gathers && !add {
                each(outer, &mut |_, _, at| clear(c.add(at), m, n));
            }
            let accumulate = add || plan.gathers;
            let (row, scratch) = (m.c as isize, &mut room.gemm);
            each(outer, &mut |i, j, at| {
                let (a, c) = (self.matrix(plan.a, from * m.a + i, (m.a, k.a)), c.add(at));
                match plan.packed {
                    Some(packed) => {
                        let packed = self.bases[packed.0 as usize].cast_const();
                        multiply_packed_bf16(m.n, n.n, k.n, a, packed, c, row, accumulate, scratch);
                    }
                    None => {
                        let b = self.matrix(plan.b, j, (k.b, n.b));
                        multiply_bf16(m.n, n.n, k.n, a, b, c, row, accumulate, scratch);
                    }
                }
            });
        }
    }

    /// An operand from an element on, with its strides.
    ///
    /// # Safety
    /// The element is one of the value's.
    unsafe fn matrix(&self, spot: Spot, offset: usize, (row, column): (usize, usize)) -> Operand {
        let (at, row, column) = (self.at(spot).cast_const(), row as isize, column as isize);
        // SAFETY: as asked of the caller.
        unsafe {
            if spot.narrow {
                Operand::Bf16(Halves { data: at.cast::<u16>().add(offset), row, column })
            } else {
                Operand::F32(Matrix { data: at.add(offset), row, column })
            }
        }
    }
}

/// Calls `run` with the offsets of each step of the loops.
fn each(loops: &[Along], run: &mut dyn FnMut(usize, usize, usize)) {
    nested(loops, 0, 0, 0, run);
}

fn nested(loops: &[Along], a: usize, b: usize, c: usize, run: &mut dyn FnMut(usize, usize, usize)) {
    match loops.split_first() {
        None => run(a, b, c),
        Some((first, rest)) => {
            for i in 0..first.n {
                nested(rest, a + i * first.a, b + i * first.b, c + i * first.c, run);
            }
        }
    }
}

unsafe fn clear(c: *mut f32, m: Along, n: Along) {
    for i in 0..m.n {
        // SAFETY: as asked of the caller.
        unsafe { slice_mut(c.add(i * m.c), n.n).fill(0.0) };
    }
}

/// `C[m, n] = A[m, k] B[k, n]`, or added to it; columns of the result are dense.
unsafe fn product([a, b]: [*const f32; 2], c: *mut f32, [m, n, k]: [Along; 3], accumulate: bool, room: &mut Room) {
    // SAFETY: as asked of the caller; slices reach from the first element that is read to the last.
    unsafe {
        if m.n >= 4 && n.n >= 8 && k.n >= 4 {
            let a = Matrix { data: a, row: m.a as isize, column: k.a as isize };
            let b = Matrix { data: b, row: k.b as isize, column: n.b as isize };
            multiply(m.n, n.n, k.n, a, b, c, m.c as isize, accumulate, &mut room.gemm);
            return;
        }
        if k.n > 0 && k.a == 1 && k.b == 1 && (n.n < 8 || m.n == 1) {
            // Sums of products of whole rows: all of A with one column after the other, or one row with all columns.
            let columns = if m.n == 1 { 1 } else { n.n };
            let (count, rows, step) = if m.n == 1 { (n.n, (0, n.b), 1) } else { (m.n, (m.a, 0), m.c) };
            for j in 0..columns {
                let (b, c) = (b.add(j * n.b), c.add(j));
                let (a, b) = (span(a, count, rows.0, k.n), span(b, count, rows.1, k.n));
                row_dots(count, k.n, a, b, rows, slice_mut(c, (count - 1) * step + 1), step, accumulate);
            }
            return;
        }
        for i in 0..m.n {
            let (a, c) = (a.add(i * m.a), c.add(i * m.c));
            if n.b == 1 && k.n > 0 {
                let (a, b) = (span(a, k.n, k.a, 1), span(b, k.n, k.b, n.n));
                vector_matrix(k.n, a, k.a, b, k.b, slice_mut(c, n.n), accumulate);
            } else {
                scalar(a, b, c, n, k, accumulate);
            }
        }
    }
}

/// The elements from the first of the first row to the last of the last.
unsafe fn span<'a>(from: *const f32, rows: usize, row: usize, columns: usize) -> &'a [f32] {
    // SAFETY: as asked of the caller.
    unsafe { slice(from, if rows == 0 { 0 } else { (rows - 1) * row + columns }) }
}

unsafe fn scalar(a: *const f32, b: *const f32, c: *mut f32, n: Along, k: Along, accumulate: bool) {
    // SAFETY: as asked of the caller.
    unsafe {
        for j in 0..n.n {
            let b = b.add(j * n.b);
            let sum: f32 = (0..k.n).map(|i| *a.add(i * k.a) * *b.add(i * k.b)).sum();
            let c = c.add(j);
            *c = if accumulate { *c + sum } else { sum };
        }
    }
}
