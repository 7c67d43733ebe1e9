//! Sums of products: loops around a matrix product, or around sums of a row where that is too small to be worth one.

use genesys_kernels::{Matrix, dot, multiply, multiply_packed, scale_add_to};

use crate::contract::{Contraction, Loop};
use crate::run::walk::{slice, slice_mut};
use crate::run::{Context, Room};

/// A loop with its extent for a tile.
#[derive(Clone, Copy, Debug)]
struct Along {
    n: usize,
    a: usize,
    b: usize,
    c: usize,
}

/// How many loops go around a product at most.
const OUTER: usize = 8;

impl Context<'_> {
    fn along(&self, l: &Loop) -> Along {
        Along { n: self.count(l.extent), a: l.a, b: l.b, c: l.c }
    }

    pub(crate) fn contract(&self, plan: &Contraction, room: &mut Room) {
        let rows = self.count(plan.m.extent);
        self.contract_rows(plan, (0, rows), room);
    }

    /// The rows `from..to` of the product.
    pub(crate) fn contract_rows(&self, plan: &Contraction, (from, to): (usize, usize), room: &mut Room) {
        let mut outer = [Along { n: 1, a: 0, b: 0, c: 0 }; OUTER];
        for (slot, l) in outer.iter_mut().zip(&plan.outer) {
            *slot = self.along(l);
        }
        let outer = &outer[..plan.outer.len()];
        let m = Along { n: to - from, ..self.along(&plan.m) };
        let (n, k) = (self.along(&plan.n), self.along(&plan.k));
        // SAFETY: the places lie in memory planned for them, and the result's elements are this tile's alone.
        unsafe {
            let a = self.at(plan.a).cast_const().add(from * m.a);
            let b = self.at(plan.b).cast_const();
            let c = self.at(plan.c).add(from * m.c);
            if plan.gathers && !plan.accumulate {
                each(outer, &mut |_, _, at| clear(c.add(at), m, n));
            }
            let accumulate = plan.accumulate || plan.gathers;
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
    // SAFETY: as asked of the caller.
    unsafe {
        if m.n >= 4 && n.n >= 8 && k.n >= 4 {
            let a = Matrix { data: a, row: m.a as isize, column: k.a as isize };
            let b = Matrix { data: b, row: k.b as isize, column: n.b as isize };
            multiply(m.n, n.n, k.n, a, b, c, m.c as isize, accumulate, &mut room.gemm);
            return;
        }
        if n.n > 1 && n.b != 1 && k.b != 1 && k.n > 0 {
            return scalar([a, b], c, [m, n, k], accumulate);
        }
        for i in 0..m.n {
            let (a, c) = (a.add(i * m.a), c.add(i * m.c));
            if n.n > 1 && n.b == 1 {
                row(a, b, slice_mut(c, n.n), k, accumulate);
            } else {
                columns(a, b, c, n, k, accumulate);
            }
        }
    }
}

/// A row of the result as a sum of rows of the second operand.
unsafe fn row(a: *const f32, b: *const f32, c: &mut [f32], k: Along, accumulate: bool) {
    if !accumulate {
        c.fill(0.0);
    }
    for i in 0..k.n {
        // SAFETY: as asked of the caller.
        unsafe { scale_add_to(*a.add(i * k.a), slice(b.add(i * k.b), c.len()), c) };
    }
}

/// A row of the result, each element as a sum of products.
unsafe fn columns(a: *const f32, b: *const f32, c: *mut f32, n: Along, k: Along, accumulate: bool) {
    // SAFETY: as asked of the caller.
    unsafe {
        for j in 0..n.n {
            let b = b.add(j * n.b);
            let sum = if k.a == 1 && k.b == 1 {
                dot(slice(a, k.n), slice(b, k.n))
            } else {
                (0..k.n).map(|i| *a.add(i * k.a) * *b.add(i * k.b)).sum()
            };
            let c = c.add(j);
            *c = if accumulate { *c + sum } else { sum };
        }
    }
}

unsafe fn scalar([a, b]: [*const f32; 2], c: *mut f32, [m, n, k]: [Along; 3], accumulate: bool) {
    // SAFETY: as asked of the caller.
    unsafe {
        for i in 0..m.n {
            columns(a.add(i * m.a), b, c.add(i * m.c), n, k, accumulate);
        }
    }
}
