//! A and B in the order in which tiles read them.
//!
//! In: a block of a matrix of any strides. Out: dense memory: of B a panel, row by row; of A blocks of as many rows as a
//! tile has, column by column.
//! Not here: when packing pays.

use super::Matrix;
use super::vector::Vector;

/// Packs a panel of `columns` columns, at most two registers'. Lanes without a column are 0, and a register without one is
/// left as it was: tiles do not read it.
///
/// # Safety
/// `[k, columns]` elements of B can be read, and `k` rows of two registers can be written at `to`. The processor has the
/// registers.
#[inline(always)]
pub(super) unsafe fn panel<V: Vector>(k: usize, columns: usize, b: Matrix, to: *mut f32) {
    for first in (0..columns).step_by(V::LANES) {
        let (columns, b, to) = (V::LANES.min(columns - first), b.from(0, first), to.wrapping_add(first));
        // SAFETY: a register of the panel.
        unsafe { register::<V>(k, columns, b, to) }
    }
}

/// Packs a register's columns: dense rows are copied, dense columns transposed by squares, anything else goes element by
/// element.
///
/// # Safety
/// As [`panel`], for one register.
#[inline(always)]
unsafe fn register<V: Vector>(k: usize, columns: usize, b: Matrix, to: *mut f32) {
    let width = 2 * V::LANES;
    let mut done = 0;
    // SAFETY: rows and columns are below the sizes of the block, as the loops say.
    unsafe {
        if b.column == 1 {
            while done < k {
                let from = b.from(done, 0).data;
                let row = if columns == V::LANES { V::load(from) } else { V::load_some(from, columns) };
                row.store(to.add(done * width));
                done += 1;
            }
        } else if b.row == 1 && columns == V::LANES {
            while done + V::LANES <= k {
                V::transpose(b.from(done, 0).data, b.column, to.add(done * width), width);
                done += V::LANES;
            }
        }
        for p in done..k {
            for j in 0..V::LANES {
                *to.add(p * width + j) = if j < columns { *b.from(p, j).data } else { 0.0 };
            }
        }
    }
}

/// Packs `[m, k]` of A in blocks of `tile` rows, each column by column; what is missing in the last is left as it was.
///
/// # Safety
/// `[m, k]` elements of A can be read, and as many blocks written at `to`.
pub(super) unsafe fn rows(tile: usize, m: usize, k: usize, a: Matrix, to: *mut f32) {
    for first in (0..m).step_by(tile) {
        for p in 0..k {
            for i in first..m.min(first + tile) {
                // SAFETY: row `i` and column `p` are in the matrix, and the block is one of those at `to`.
                unsafe { *to.add(first * k + p * tile + i - first) = *a.from(i, p).data }
            }
        }
    }
}
