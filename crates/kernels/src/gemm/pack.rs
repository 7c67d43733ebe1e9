//! A and B in the order in which tiles read them.
//!
//! In: a block of a matrix of any strides. Out: dense memory: of B a panel, row by row; of A blocks of as many rows as a
//! tile has, column by column.
//! Not here: when packing pays.

use super::Matrix;
#[cfg(target_arch = "x86_64")]
use super::vector::{Eight, Sixteen};
use super::vector::{Four, Vector};
use crate::level::{Kind, Level};

/// Columns of A that are packed at a time, so that what is written stays near.
const COLUMNS: usize = 8;

/// Lines of the cache: memory that begins at one.
#[derive(Default)]
pub(super) struct Lines(Vec<Line>);

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; Line::LEN]);

impl Line {
    const LEN: usize = 16;
}

impl Lines {
    /// Memory for `n` elements, of whatever values. It allocates only where it was never as long.
    pub(super) fn at_least(&mut self, n: usize) -> *mut f32 {
        let lines = n.div_ceil(Line::LEN);
        if self.0.len() < lines {
            self.0.resize(lines, Line([0.0; Line::LEN]));
        }
        self.0.as_mut_ptr().cast()
    }
}

/// Packs a panel of `columns` columns, at most two registers', and fills the others with 0.
///
/// # Safety
/// `[k, columns]` elements of B can be read, and `k` rows of two registers can be written at `to`.
pub(super) unsafe fn panel(level: Level, k: usize, columns: usize, b: Matrix, to: *mut f32) {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    unsafe fn sixteen(k: usize, columns: usize, b: Matrix, to: *mut f32) {
        // SAFETY: what is asked of the caller.
        unsafe { panel_of::<Sixteen>(k, columns, b, to) }
    }
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn eight(k: usize, columns: usize, b: Matrix, to: *mut f32) {
        // SAFETY: what is asked of the caller.
        unsafe { panel_of::<Eight>(k, columns, b, to) }
    }
    // SAFETY: what is asked of the caller, and a level is made only where the processor has its instructions.
    unsafe {
        match level.kind() {
            Kind::Portable => panel_of::<Four>(k, columns, b, to),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => eight(k, columns, b, to),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => sixteen(k, columns, b, to),
        }
    }
}

/// As [`panel`]: dense rows are copied, dense columns transposed by squares, anything else goes element by element.
///
/// # Safety
/// As [`panel`].
#[inline(always)]
unsafe fn panel_of<V: Vector>(k: usize, columns: usize, b: Matrix, to: *mut f32) {
    let width = 2 * V::LANES;
    // SAFETY: rows and columns are below the sizes of the block, as the loops say.
    unsafe {
        if b.column == 1 && columns == width {
            for p in 0..k {
                let from = b.from(p, 0).data;
                V::load(from).store(to.add(p * width));
                V::load(from.add(V::LANES)).store(to.add(p * width + V::LANES));
            }
        } else if b.row == 1 && columns == width {
            let whole = k / V::LANES * V::LANES;
            for p in (0..whole).step_by(V::LANES) {
                for j in [0, V::LANES] {
                    V::transpose(b.from(p, j).data, b.column, to.add(p * width + j), width);
                }
            }
            elements(whole..k, columns, width, b, to);
        } else {
            elements(0..k, columns, width, b, to);
        }
    }
}

/// Packs rows of a panel element by element.
///
/// # Safety
/// As [`panel`].
#[inline(always)]
unsafe fn elements(rows: std::ops::Range<usize>, columns: usize, width: usize, b: Matrix, to: *mut f32) {
    for p in rows {
        for j in 0..width {
            // SAFETY: `p` and `j` are in the block, and `to` holds a panel.
            unsafe { *to.add(p * width + j) = if j < columns { *b.from(p, j).data } else { 0.0 } }
        }
    }
}

/// Packs `[m, k]` of A in blocks of `rows` rows, each column by column; what is missing in the last is left as it was.
///
/// # Safety
/// `[m, k]` elements of A can be read, and as many blocks written at `to`.
pub(super) unsafe fn rows(rows: usize, m: usize, k: usize, a: Matrix, to: *mut f32) {
    for from in (0..k).step_by(COLUMNS) {
        for block in 0..m.div_ceil(rows) {
            let height = rows.min(m - block * rows);
            for p in from..k.min(from + COLUMNS) {
                let source = a.from(block * rows, p);
                let target = to.wrapping_add((block * k + p) * rows);
                for i in 0..height {
                    // SAFETY: row `block * rows + i` and column `p` are in the block.
                    unsafe { *target.add(i) = *source.from(i, 0).data }
                }
            }
        }
    }
}
