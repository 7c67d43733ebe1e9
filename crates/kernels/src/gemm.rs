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
//! | `brain` | the same of elements that are bf16, or are rounded to it |
//!
//! Not here: threads. Callers cut m or n into pieces and hand them to a pool.
#![allow(unsafe_code)] // matrices are addresses: strides may be anything, and threads share C by rows

mod brain;
mod pack;
mod tile;
mod vector;

use crate::level::{Kind, Level};
use crate::lines::Lines;
pub use brain::{Halves, Operand, has_bf16, multiply_bf16, multiply_packed_bf16, pack_panel_bf16, packed_len_bf16};
use tile::{Left, Panels, all};
#[cfg(target_arch = "x86_64")]
use vector::{Eight, Sixteen};
use vector::{Four, Vector, by_registers};

/// Rows of B in a block: a panel of it stays in the nearest cache.
const K_BLOCK: usize = 256;

/// Rows of A in a block: `K_BLOCK` columns of it stay in the second cache. A multiple of the rows of every tile.
const M_BLOCK: usize = 504;

/// Columns of B that are packed at a time where the caller has not packed them.
const N_BLOCK: usize = 1024;

/// Tiles of rows that may pass over B where it lies; more are worth its packing.
const PASSES: usize = 16;

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
    #[inline(always)]
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
    unsafe { product_at(Level::best(), product, Right::Anywhere(b), scratch) }
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
    unsafe { product_at(Level::best(), product, Right::Packed(packed), scratch) }
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

by_registers! {
    /// [`pack_panel`] by the registers of a level.
    ///
    /// # Safety
    /// As [`pack_panel`].
    unsafe fn pack_panel_at(panel: usize, k: usize, n: usize, b: Matrix, packed: *mut f32) = pack_one
}

/// Packs one panel to its place.
///
/// # Safety
/// As [`pack_panel`], and the processor has the registers.
#[inline(always)]
unsafe fn pack_one<V: Vector>(panel: usize, k: usize, n: usize, b: Matrix, packed: *mut f32) {
    let first = panel * width::<V>();
    debug_assert!(first < n, "there is no panel {panel} of {n} columns");
    let (columns, to) = (width::<V>().min(n - first), packed.wrapping_add(first * k));
    // SAFETY: the panel's columns are B's, and its place is in `packed`.
    unsafe { pack::panel::<V>(k, columns, b.from(0, first), to) }
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

by_registers! {
    /// The tiles of a block, by the registers of a level.
    ///
    /// # Safety
    /// As [`tile::all`], but that the level is proof of the registers.
    unsafe fn tiles_at(m: usize, n: usize, k: usize, a: Left, b: Panels, c: Target) = all
}

/// The product, block by block of k.
///
/// # Safety
/// As [`multiply`] or [`multiply_packed`], whichever B is.
unsafe fn product_at(level: Level, mut product: Product, b: Right, scratch: &mut Scratch) {
    let (k, width) = (product.k, 2 * level.lanes());
    if product.m == 0 || product.n == 0 {
        return;
    }
    if k == 0 && !product.c.accumulate {
        // SAFETY: C can be written.
        unsafe { product.clear() };
    }
    for from in (0..k).step_by(K_BLOCK) {
        let block = Product { k: K_BLOCK.min(k - from), a: product.a.from(0, from), ..product };
        // SAFETY: a block of A, of B and of C; a panel holds all k rows, of which these are some.
        unsafe {
            match b {
                Right::Packed(packed) => {
                    let data = packed.wrapping_add(from * width);
                    let panels = Panels { data, stride: k * width, step: width };
                    by_rows(level, block, panels, &mut scratch.left);
                }
                Right::Anywhere(b) => by_columns(level, block, b.from(from, 0), scratch),
            }
        }
        product.c.accumulate = true;
    }
}

/// The product of a block of k with B as it lies: read there if its rows are dense and few tiles pass over it, else packed,
/// some columns after the other.
///
/// # Safety
/// As [`multiply`].
unsafe fn by_columns(level: Level, product: Product, b: Matrix, scratch: &mut Scratch) {
    let Product { m, n, k, c, .. } = product;
    let width = 2 * level.lanes();
    if b.column == 1 && n % level.lanes() == 0 && m <= PASSES * rows_of(level) {
        let panels = Panels { data: b.data, stride: width, step: b.row as usize };
        // SAFETY: the columns are whole registers, so that tiles read nothing else.
        return unsafe { by_rows(level, product, panels, &mut scratch.left) };
    }
    for from in (0..n).step_by(N_BLOCK) {
        let n = N_BLOCK.min(n - from);
        let packed = scratch.right.at_least(n.next_multiple_of(width) * k);
        for panel in 0..n.div_ceil(width) {
            // SAFETY: the scratch is as long as the panels.
            unsafe { pack_panel_at(level, panel, k, n, b.from(0, from), packed) }
        }
        let part = Product { n, c: Target { data: c.data.wrapping_add(from), ..c }, ..product };
        let panels = Panels { data: packed, stride: k * width, step: width };
        // SAFETY: the panels are packed, and the columns of C are among those of the caller.
        unsafe { by_rows(level, part, panels, &mut scratch.left) }
    }
}

/// The product of a block of k with panels of B: blocks of rows of A, read where they lie if rows or columns are dense, else
/// packed.
///
/// # Safety
/// As [`multiply`]; the panels hold B.
unsafe fn by_rows(level: Level, product: Product, b: Panels, scratch: &mut Lines) {
    let (Product { n, k, .. }, tile) = (product, rows_of(level));
    for from in (0..product.m).step_by(M_BLOCK) {
        let (m, a) = (M_BLOCK.min(product.m - from), product.a.from(from, 0));
        let c = Target { data: product.c.row_at(from), ..product.c };
        let left = if a.column == 1 {
            Left::Rows { data: a.data, row: a.row }
        } else if a.row == 1 {
            Left::Columns { data: a.data, step: a.column as usize, tile }
        } else {
            let data = scratch.at_least(m.next_multiple_of(tile) * k);
            // SAFETY: the scratch is as long as the blocks of rows.
            unsafe { pack::rows(tile, m, k, a, data) };
            Left::Columns { data, step: tile, tile: tile * k }
        };
        // SAFETY: a block of A, of B and of C.
        unsafe { tiles_at(level, m, n, k, left, b, c) }
    }
}

/// Columns of a panel.
#[inline(always)]
fn width<V: Vector>() -> usize {
    2 * V::LANES
}

/// Rows of a tile.
fn rows_of(level: Level) -> usize {
    match level.kind() {
        Kind::Portable => Four::ROWS,
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => Eight::ROWS,
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512 => Sixteen::ROWS,
    }
}

impl Product {
    /// C is 0.
    ///
    /// # Safety
    /// C can be written.
    unsafe fn clear(self) {
        for i in 0..self.m {
            // SAFETY: the columns of C are dense.
            unsafe { std::slice::from_raw_parts_mut(self.c.row_at(i), self.n) }.fill(0.0);
        }
    }
}

impl Target {
    /// Where row `i` begins.
    #[inline(always)]
    fn row_at(self, i: usize) -> *mut f32 {
        self.data.wrapping_offset(self.row.wrapping_mul(i as isize))
    }
}

#[cfg(test)]
mod tests;
