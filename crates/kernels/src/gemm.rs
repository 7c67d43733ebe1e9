//! Matrix products of one thread.
//!
//! In: sizes, and matrices as an address and two strides. Out: `C = A B` or `C += A B`, with `C`'s columns dense. Work is
//! cut for the caches, and B is packed in *panels*: `2 L` columns for `L` lanes of a register, row by row, with zeros
//! where columns are missing. A panel may be packed by any thread, and is read by all.
//!
//! An element of C is the sum over blocks of 256 of k, each summed in order in one register, so its bits depend on k alone:
//! not on where B was packed, nor on how callers cut rows and columns. Paths that fuse give the same bits.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `vector` | registers of each level |
//! | `tile` | a tile of C in registers |
//! | `pack` | A and B in the order in which tiles read them |
//!
//! Not here: threads. Callers cut m or n into pieces and hand them to a pool.
#![allow(unsafe_code)] // matrices are addresses: strides may be anything, and threads share C by rows

mod pack;
mod tile;
mod vector;

#[cfg(test)]
mod tests;

use crate::level::{Kind, Level};
use pack::Lines;
use tile::{Left, Panels};
#[cfg(target_arch = "x86_64")]
use vector::{Eight, Sixteen};
use vector::{Four, Vector};

/// Rows of B in a block: a panel of it stays in the nearest cache.
const K_BLOCK: usize = 256;

/// Rows of A in a block: `K_BLOCK` columns of it stay in the second cache. A multiple of the rows of every tile.
const M_BLOCK: usize = 504;

/// Columns of B that are packed at a time where the caller has not packed them.
const N_BLOCK: usize = 1024;

/// A matrix in memory: element `(i, j)` is `row * i + column * j` elements behind `data`.
#[derive(Clone, Copy, Debug)]
pub struct Matrix {
    /// Element `(0, 0)`.
    pub data: *const f32,
    /// Elements from one row to the next.
    pub row: isize,
    /// Elements from one column to the next.
    pub column: isize,
}

// SAFETY: it is an address, which is followed only where the caller vouches for it.
unsafe impl Send for Matrix {}
// SAFETY: as above.
unsafe impl Sync for Matrix {}

impl Matrix {
    /// The matrix without its first `row` rows and `column` columns.
    fn from(self, row: usize, column: usize) -> Matrix {
        let offset = self.row.wrapping_mul(row as isize).wrapping_add(self.column.wrapping_mul(column as isize));
        Matrix { data: self.data.wrapping_offset(offset), ..self }
    }
}

/// Memory that products pack into: it grows on first use, and is kept.
#[derive(Default)]
pub struct Scratch {
    left: Lines,
    right: Lines,
}

/// Where a product goes.
#[derive(Clone, Copy)]
struct Target {
    data: *mut f32,
    row: isize,
    accumulate: bool,
}

/// `C = A B`, or `C += A B` where `accumulate`: A is `[m, k]`, B `[k, n]`, and C `[m, n]` with `ldc` elements from one row
/// to the next and dense columns. With `k = 0` the product is 0.
///
/// # Safety
/// All elements of A and B can be read, and all of C written; none of C is one of A or B, and no other thread writes A
/// or B or touches C during the call. Where `accumulate`, C holds numbers.
#[allow(clippy::too_many_arguments)] // three sizes, three matrices, and where to work: the signature of the field
pub unsafe fn multiply(
    m: usize,
    n: usize,
    k: usize,
    a: Matrix,
    b: Matrix,
    c: *mut f32,
    ldc: isize,
    accumulate: bool,
    scratch: &mut Scratch,
) {
    let product = Product { m, n, k, a, c: Target { data: c, row: ldc, accumulate } };
    // SAFETY: what is asked of the caller.
    unsafe { product.run(Level::best(), Right::Anywhere(b), scratch) }
}

/// As [`multiply`], with B packed by [`pack_panel`], all panels of it.
///
/// # Safety
/// As [`multiply`]; and `packed` holds the panels of a `[k, n]` matrix.
#[allow(clippy::too_many_arguments)] // as `multiply`
pub unsafe fn multiply_packed(
    m: usize,
    n: usize,
    k: usize,
    a: Matrix,
    packed: *const f32,
    c: *mut f32,
    ldc: isize,
    accumulate: bool,
    scratch: &mut Scratch,
) {
    let product = Product { m, n, k, a, c: Target { data: c, row: ldc, accumulate } };
    // SAFETY: what is asked of the caller.
    unsafe { product.run(Level::best(), Right::Packed(packed), scratch) }
}

/// Panels of a matrix of `n` columns.
#[must_use]
pub fn panels(n: usize) -> usize {
    n.div_ceil(2 * Level::best().lanes())
}

/// Elements that the panels of a `[k, n]` matrix take.
#[must_use]
pub fn packed_len(k: usize, n: usize) -> usize {
    panels(n) * k * 2 * Level::best().lanes()
}

/// Packs one panel of B, which is `[k, n]`, to its place among all panels, which begin at `packed`. Panels lie best where
/// `packed` is a multiple of 64 bytes.
///
/// # Safety
/// `panel` is below [`panels`]`(n)`; all elements of B can be read, and [`packed_len`]`(k, n)` elements at `packed` can be
/// written. No other thread packs the same panel or reads it during the call.
pub unsafe fn pack_panel(panel: usize, k: usize, n: usize, b: Matrix, packed: *mut f32) {
    // SAFETY: what is asked of the caller.
    unsafe { pack_panel_at(Level::best(), panel, k, n, b, packed) }
}

/// [`pack_panel`] by the panels of a level.
///
/// # Safety
/// As [`pack_panel`].
unsafe fn pack_panel_at(level: Level, panel: usize, k: usize, n: usize, b: Matrix, packed: *mut f32) {
    let width = 2 * level.lanes();
    let first = panel * width;
    debug_assert!(first < n, "there is no panel {panel} of {n} columns");
    let (columns, target) = (width.min(n - first), packed.wrapping_add(panel * k * width));
    // SAFETY: the panel's columns are B's, and its place is in `packed`.
    unsafe { pack::panel(level, k, columns, b.from(0, first), target) }
}

/// A product but for B.
#[derive(Clone, Copy)]
struct Product {
    m: usize,
    n: usize,
    k: usize,
    a: Matrix,
    c: Target,
}

/// Where B lies.
#[derive(Clone, Copy)]
enum Right {
    Packed(*const f32),
    Anywhere(Matrix),
}

impl Product {
    /// The product, block by block of k.
    ///
    /// # Safety
    /// As [`multiply`] or [`multiply_packed`], whichever B is.
    unsafe fn run(mut self, level: Level, b: Right, scratch: &mut Scratch) {
        if self.m == 0 || self.n == 0 {
            return;
        }
        if self.k == 0 && !self.c.accumulate {
            // SAFETY: C can be written.
            unsafe { self.clear() };
        }
        let (k, width) = (self.k, 2 * level.lanes());
        for from in (0..k).step_by(K_BLOCK) {
            let block = Product { k: K_BLOCK.min(k - from), a: self.a.from(0, from), ..self };
            match b {
                Right::Packed(packed) => {
                    let panels = Panels { data: packed.wrapping_add(from * width), stride: k * width };
                    // SAFETY: each packed panel holds k rows, of which these are some.
                    unsafe { block.by_rows(level, panels, &mut scratch.left) }
                }
                // SAFETY: a block of A, B and C.
                Right::Anywhere(b) => unsafe { block.by_columns(level, b.from(from, 0), scratch) },
            }
            self.c.accumulate = true;
        }
    }

    /// Packs some columns of B after the other, and multiplies with them.
    ///
    /// # Safety
    /// As [`multiply`], for a block of k.
    unsafe fn by_columns(self, level: Level, b: Matrix, scratch: &mut Scratch) {
        let width = 2 * level.lanes();
        for from in (0..self.n).step_by(N_BLOCK) {
            let n = N_BLOCK.min(self.n - from);
            let b = b.from(0, from);
            let packed = scratch.right.at_least(n.div_ceil(width) * self.k * width);
            for panel in 0..n.div_ceil(width) {
                // SAFETY: the scratch is as long as the panels.
                unsafe { pack_panel_at(level, panel, self.k, n, b, packed) }
            }
            let c = Target { data: self.c.data.wrapping_add(from), ..self.c };
            let panels = Panels { data: packed, stride: self.k * width };
            // SAFETY: the panels are packed, and the columns of C are among those of the caller.
            unsafe { Product { n, c, ..self }.by_rows(level, panels, &mut scratch.left) }
        }
    }

    /// Multiplies blocks of rows of A, read where they lie if they are dense, and packed else.
    ///
    /// # Safety
    /// As [`multiply`], for a block of k; `panels` holds B.
    unsafe fn by_rows(self, level: Level, panels: Panels, scratch: &mut Lines) {
        for from in (0..self.m).step_by(M_BLOCK) {
            let m = M_BLOCK.min(self.m - from);
            let a = self.a.from(from, 0);
            let c = Target { data: self.c.data.wrapping_offset(self.c.row.wrapping_mul(from as isize)), ..self.c };
            let a = if a.column == 1 {
                Left::Dense { data: a.data, row: a.row }
            } else {
                let rows = level_rows(level);
                let packed = scratch.at_least(m.div_ceil(rows) * rows * self.k);
                // SAFETY: the scratch is as long as the blocks of rows.
                unsafe { pack::rows(rows, m, self.k, a, packed) };
                Left::Packed(packed)
            };
            // SAFETY: a block of A, of B and of C.
            unsafe { tiles(level, m, self.n, self.k, a, panels, c) }
        }
    }

    /// C is 0.
    ///
    /// # Safety
    /// C can be written.
    unsafe fn clear(self) {
        for i in 0..self.m {
            let row = self.c.data.wrapping_offset(self.c.row.wrapping_mul(i as isize));
            // SAFETY: the columns of C are dense.
            unsafe { std::slice::from_raw_parts_mut(row, self.n) }.fill(0.0);
        }
    }
}

/// Rows of a tile.
fn level_rows(level: Level) -> usize {
    match level.kind() {
        Kind::Portable => Four::ROWS,
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => Eight::ROWS,
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512 => Sixteen::ROWS,
    }
}

/// All tiles of a block, by the registers of a level.
///
/// # Safety
/// As [`tile::all`].
unsafe fn tiles(level: Level, m: usize, n: usize, k: usize, a: Left, b: Panels, c: Target) {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    unsafe fn sixteen(m: usize, n: usize, k: usize, a: Left, b: Panels, c: Target) {
        // SAFETY: what is asked of the caller.
        unsafe { tile::all::<Sixteen>(m, n, k, a, b, c) }
    }
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn eight(m: usize, n: usize, k: usize, a: Left, b: Panels, c: Target) {
        // SAFETY: what is asked of the caller.
        unsafe { tile::all::<Eight>(m, n, k, a, b, c) }
    }
    // SAFETY: what is asked of the caller, and a level is made only where the processor has its instructions.
    unsafe {
        match level.kind() {
            Kind::Portable => tile::all::<Four>(m, n, k, a, b, c),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => eight(m, n, k, a, b, c),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => sixteen(m, n, k, a, b, c),
        }
    }
}
