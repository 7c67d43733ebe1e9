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
    Rows { data: *const f32, row: isize },
    /// The columns of a tile's rows are dense, and `step` elements one behind the other; so are the tiles by `tile`.
    Columns { data: *const f32, step: usize, tile: usize },
}

/// Panels of B, two registers wide: `stride` elements from one to the next, `step` from one row of it to the next.
#[derive(Clone, Copy)]
pub(super) struct Panels {
    pub(super) data: *const f32,
    pub(super) stride: usize,
    pub(super) step: usize,
}

/// The rows of A that a tile reads: `row` elements from one to the next, `step` from one column to the next.
#[derive(Clone, Copy)]
struct Rows {
    data: *const f32,
    row: isize,
    step: usize,
}

/// What a tile reads: rows of A, and of B a panel.
#[derive(Clone, Copy)]
struct Operands {
    rows: Rows,
    panel: *const f32,
    step: usize,
    /// How many columns of A and rows of B there are.
    k: usize,
}

/// All tiles of a block: panel by panel, so that a panel stays near while A passes.
///
/// # Safety
/// A holds `[m, k]` elements, and each register of the panels in which C has a column `k` rows; `[m, n]` elements of C can
/// be written. The processor has the registers.
#[inline(always)]
pub(super) unsafe fn all<V: Vector>(m: usize, n: usize, k: usize, a: Left, b: Panels, c: Target) {
    for (panel, j) in (0..n).step_by(2 * V::LANES).enumerate() {
        let (panel, columns) = (b.data.wrapping_add(panel * b.stride), n - j);
        for i in (0..m).step_by(V::ROWS) {
            let rows = match a {
                Left::Rows { data, row } => {
                    Rows { data: data.wrapping_offset(row.wrapping_mul(i as isize)), row, step: 1 }
                }
                Left::Columns { data, step, tile } => {
                    Rows { data: data.wrapping_add(i / V::ROWS * tile), row: 1, step }
                }
            };
            let operands = Operands { rows, panel, step: b.step, k };
            let c = Target { data: c.row_at(i).wrapping_add(j), ..c };
            // SAFETY: the tile's rows and columns are those of the block.
            unsafe { by_rows::<V>(V::ROWS.min(m - i), columns, operands, c) }
        }
    }
}

/// The tile of that many rows.
///
/// # Safety
/// As [`one`].
#[inline(always)]
unsafe fn by_rows<V: Vector>(rows: usize, columns: usize, operands: Operands, c: Target) {
    macro_rules! tile {
        ($($m:literal)*) => {
            match rows {
                // SAFETY: what is asked of the caller.
                $($m if const { $m <= V::ROWS } => unsafe { by_columns::<V, $m>(columns, operands, c) },)*
                _ => unreachable!("a tile has at most {} rows", V::ROWS),
            }
        };
    }
    tile!(1 2 3 4 5 6 7 8 9 10 11 12)
}

/// The tile of one or two registers of columns.
///
/// # Safety
/// As [`one`].
#[inline(always)]
unsafe fn by_columns<V: Vector, const M: usize>(columns: usize, operands: Operands, c: Target) {
    // SAFETY: what is asked of the caller.
    unsafe {
        if columns > V::LANES { one::<V, M, 2>(columns, operands, c) } else { one::<V, M, 1>(columns, operands, c) }
    }
}

/// One tile of `M` rows and `N` registers, of which `columns` columns are C's, if there are not more.
///
/// # Safety
/// A holds `M` rows of `k` elements, the panel `k` rows of `N` registers; `M` rows of the tile's columns can be written.
/// The processor has the registers.
#[inline(always)]
unsafe fn one<V: Vector, const M: usize, const N: usize>(columns: usize, operands: Operands, c: Target) {
    let Operands { rows, panel, step, k } = operands;
    // SAFETY: element `p` of row `i` of A and row `p` of the panel exist.
    let sums = unsafe {
        let mut sums = [[V::zero(); N]; M];
        let (mut left, mut right) = (rows.data, panel);
        for _ in 0..k {
            let row: [V; N] = std::array::from_fn(|j| V::load(right.add(j * V::LANES)));
            for (i, sums) in sums.iter_mut().enumerate() {
                let x = V::broadcast(left.offset(i as isize * rows.row));
                for (sum, y) in sums.iter_mut().zip(row) {
                    *sum = sum.add_product(x, y);
                }
            }
            left = left.wrapping_add(rows.step);
            right = right.wrapping_add(step);
        }
        sums
    };
    for (i, sums) in sums.iter().enumerate() {
        for (j, sum) in sums.iter().enumerate() {
            // SAFETY: as many columns of C follow, or a register of them.
            unsafe { put::<V>(*sum, c.row_at(i).wrapping_add(j * V::LANES), columns - j * V::LANES, c.accumulate) }
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
