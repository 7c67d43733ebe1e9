//! A tile of C in registers: as many rows as a level has registers for, and one or two registers of columns.
//!
//! In: a block of A, read where it lies or packed, and panels of B. Out: C, element by element the sum over the block's k.
//! Not here: how blocks are cut.

use super::Target;
use super::vector::Vector;

/// Rows of A.
#[derive(Clone, Copy)]
pub(super) enum Left {
    /// Each row is dense, and `row` elements behind the last.
    Dense { data: *const f32, row: isize },
    /// Blocks of [`Vector::ROWS`] rows, column by column.
    Packed(*const f32),
}

/// Panels of B: `stride` elements from one to the next, each two registers wide.
#[derive(Clone, Copy)]
pub(super) struct Panels {
    pub(super) data: *const f32,
    pub(super) stride: usize,
}

/// The rows of A that a tile reads: `row` elements from one to the next, `step` from one column to the next.
#[derive(Clone, Copy)]
struct Rows {
    data: *const f32,
    row: isize,
    step: usize,
}

/// All tiles of a block: panel by panel, so that a panel stays near while A passes.
///
/// # Safety
/// A holds `[m, k]` and the panels `[k, n]` elements; C `[m, n]` that can be written. The processor has the registers.
#[inline(always)]
pub(super) unsafe fn all<V: Vector>(m: usize, n: usize, k: usize, a: Left, b: Panels, c: Target) {
    let width = 2 * V::LANES;
    for (panel, j) in (0..n).step_by(width).enumerate() {
        let (b, columns) = (b.data.wrapping_add(panel * b.stride), width.min(n - j));
        for i in (0..m).step_by(V::ROWS) {
            let c = Target { data: c.data.wrapping_offset(c.row.wrapping_mul(i as isize)).wrapping_add(j), ..c };
            let (rows, size) = (V::ROWS.min(m - i), (k, columns));
            // SAFETY: the tile's rows and columns are those of the block.
            unsafe {
                match a {
                    Left::Dense { data, row } => {
                        by_rows::<V>(
                            rows,
                            size,
                            Rows { data: data.wrapping_offset(row.wrapping_mul(i as isize)), row, step: 1 },
                            b,
                            c,
                        );
                    }
                    Left::Packed(data) => {
                        by_rows::<V>(rows, size, Rows { data: data.wrapping_add(i * k), row: 1, step: V::ROWS }, b, c);
                    }
                }
            }
        }
    }
}

/// The tile of that many rows.
///
/// # Safety
/// As [`one`].
#[inline(always)]
unsafe fn by_rows<V: Vector>(rows: usize, size: (usize, usize), a: Rows, b: *const f32, c: Target) {
    macro_rules! tile {
        ($($m:literal)*) => {
            match rows {
                // SAFETY: what is asked of the caller.
                $($m if $m <= V::ROWS => unsafe { by_columns::<V, $m>(size, a, b, c) },)*
                _ => unreachable!("a tile has at most {} rows", V::ROWS),
            }
        };
    }
    tile!(1 2 3 4 5 6 7 8 9 10 11 12)
}

/// The tile of that many registers of columns.
///
/// # Safety
/// As [`one`].
#[inline(always)]
unsafe fn by_columns<V: Vector, const M: usize>(size: (usize, usize), a: Rows, b: *const f32, c: Target) {
    // SAFETY: what is asked of the caller.
    unsafe { if size.1 > V::LANES { one::<V, M, 2>(size, a, b, c) } else { one::<V, M, 1>(size, a, b, c) } }
}

/// One tile of `M` rows and `N` registers, of which `size.1` columns are C's; the sum is over `size.0`.
///
/// # Safety
/// A holds `M` rows of `size.0` elements, B as many rows of two registers; `M` rows of `size.1` elements of C can be
/// written. The processor has the registers.
#[inline(always)]
unsafe fn one<V: Vector, const M: usize, const N: usize>(size: (usize, usize), a: Rows, b: *const f32, c: Target) {
    let (k, columns) = size;
    // SAFETY: element `p` of row `i` of A and row `p` of B exist.
    let sums = unsafe {
        let mut sums = [[V::zero(); N]; M];
        let (mut left, mut right) = (a.data, b);
        for _ in 0..k {
            let right_row: [V; N] = std::array::from_fn(|j| V::load(right.add(j * V::LANES)));
            for (i, sums) in sums.iter_mut().enumerate() {
                let x = V::broadcast(left.offset(i as isize * a.row));
                for (sum, y) in sums.iter_mut().zip(right_row) {
                    *sum = sum.add_product(x, y);
                }
            }
            left = left.wrapping_add(a.step);
            right = right.wrapping_add(2 * V::LANES);
        }
        sums
    };
    for (i, sums) in sums.iter().enumerate() {
        let row = c.data.wrapping_offset(c.row.wrapping_mul(i as isize));
        for (j, sum) in sums.iter().enumerate() {
            let (at, left) = (row.wrapping_add(j * V::LANES), columns - j * V::LANES);
            // SAFETY: `left` columns of C follow, or a register of them.
            unsafe { put::<V>(*sum, at, left, c.accumulate) }
        }
    }
}

/// Writes a register to C, or adds it: as many lanes as there are columns left.
///
/// # Safety
/// As many elements can be written at `at`.
#[inline(always)]
unsafe fn put<V: Vector>(sum: V, at: *mut f32, left: usize, accumulate: bool) {
    // SAFETY: what is asked of the caller.
    unsafe {
        if left >= V::LANES {
            (if accumulate { V::load(at).add(sum) } else { sum }).store(at);
        } else {
            (if accumulate { V::load_some(at, left).add(sum) } else { sum }).store_some(at, left);
        }
    }
}
