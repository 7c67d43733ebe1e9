//! Pairs of bf16 in registers of AVX-512.
//!
//! In: matrices of f32 or bf16. Out: both in pairs of two neighbors in k, and the product of tiles of these.
//! Not here: what is done where the processor has no such instruction.

use std::arch::x86_64::*;
use std::sync::LazyLock;

use super::super::tile::{self, Left, Panels};
use super::super::vector::{Sixteen, Vector};
use super::super::{K_BLOCK, M_BLOCK, Matrix, N_BLOCK, Scratch, Target};
use super::{Halves, Operand};
use crate::brain::to_bf16;
use crate::level::{Kind, Level};
use crate::lines::Lines;

/// Columns of a panel: those of a panel of f32.
const WIDTH: usize = 32;

/// Lanes of a register, each a pair.
const LANES: usize = 16;

/// Found out once.
static AVAILABLE: LazyLock<bool> =
    LazyLock::new(|| Level::best().kind() == Kind::Avx512 && is_x86_feature_detected!("avx512bf16"));

/// Whether the processor multiplies pairs.
pub(super) fn available() -> bool {
    *AVAILABLE
}

/// Elements of 32 bits that the panels of a `[k, n]` matrix take.
pub(super) fn packed_len(k: usize, n: usize) -> usize {
    n.next_multiple_of(WIDTH) * k.div_ceil(2)
}

/// The sizes of a product, and where it goes.
#[derive(Clone, Copy)]
pub(super) struct Work {
    pub(super) m: usize,
    pub(super) n: usize,
    pub(super) k: usize,
    pub(super) c: Target,
}

/// A matrix whose elements are read as bf16.
///
/// # Safety
/// The methods are called only where the elements can be read, and where pairs are [`available`].
trait Source: Copy {
    /// Elements from one row to the next, and from one column to the next.
    fn strides(self) -> (isize, isize);
    /// The matrix without its first rows and columns.
    fn from(self, row: usize, column: usize) -> Self;
    /// The matrix with rows as columns.
    fn transposed(self) -> Self;
    /// The matrix in pairs, each row by itself, if it lies so in memory: the first, and how many from one row to the next.
    fn in_pairs(self, k: usize) -> Option<(*const f32, isize)>;
    /// The first element.
    unsafe fn first(self) -> u16;
    /// 16 neighbors in memory from the first element of `low` on, then 16 of `high`.
    unsafe fn both(low: Self, high: Self) -> __m512i;
    /// 32 neighbors in memory.
    unsafe fn neighbors(self) -> __m512i;
}

// SAFETY of all below: the contract of the trait.
#[allow(clippy::undocumented_unsafe_blocks)] // said once, above
impl Source for Matrix {
    fn strides(self) -> (isize, isize) {
        (self.row, self.column)
    }

    #[inline(always)]
    fn from(self, row: usize, column: usize) -> Self {
        Matrix::from(self, row, column)
    }

    fn transposed(self) -> Self {
        Matrix { data: self.data, row: self.column, column: self.row }
    }

    fn in_pairs(self, _: usize) -> Option<(*const f32, isize)> {
        None
    }

    #[inline(always)]
    unsafe fn first(self) -> u16 {
        to_bf16(unsafe { *self.data })
    }

    #[inline(always)]
    unsafe fn both(low: Self, high: Self) -> __m512i {
        unsafe {
            let halves = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(high.data), _mm512_loadu_ps(low.data));
            std::mem::transmute::<__m512bh, __m512i>(halves)
        }
    }

    #[inline(always)]
    unsafe fn neighbors(self) -> __m512i {
        unsafe { Self::both(self, Matrix { data: self.data.add(LANES), ..self }) }
    }
}

#[allow(clippy::undocumented_unsafe_blocks)] // as above
impl Source for Halves {
    fn strides(self) -> (isize, isize) {
        (self.row, self.column)
    }

    #[inline(always)]
    fn from(self, row: usize, column: usize) -> Self {
        let offset = self.row.wrapping_mul(row as isize).wrapping_add(self.column.wrapping_mul(column as isize));
        Halves { data: self.data.wrapping_offset(offset), ..self }
    }

    fn transposed(self) -> Self {
        Halves { data: self.data, row: self.column, column: self.row }
    }

    fn in_pairs(self, k: usize) -> Option<(*const f32, isize)> {
        let aligned = self.data.addr().is_multiple_of(align_of::<f32>());
        (self.column == 1 && self.row % 2 == 0 && k.is_multiple_of(2) && aligned)
            .then(|| (self.data.cast(), self.row / 2))
    }

    #[inline(always)]
    unsafe fn first(self) -> u16 {
        unsafe { *self.data }
    }

    #[inline(always)]
    unsafe fn both(low: Self, high: Self) -> __m512i {
        unsafe {
            let low = _mm512_castsi256_si512(_mm256_loadu_si256(low.data.cast()));
            _mm512_inserti64x4::<1>(low, _mm256_loadu_si256(high.data.cast()))
        }
    }

    #[inline(always)]
    unsafe fn neighbors(self) -> __m512i {
        unsafe { _mm512_loadu_si512(self.data.cast()) }
    }
}

/// Sixteen sums, or sixteen pairs.
#[derive(Clone, Copy)]
struct Pairs(Sixteen);

// SAFETY of all below: the contract of the trait.
#[allow(clippy::undocumented_unsafe_blocks)] // said once, above
impl Vector for Pairs {
    const LANES: usize = LANES;
    const ROWS: usize = Sixteen::ROWS;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Pairs(unsafe { Sixteen::zero() })
    }

    #[inline(always)]
    unsafe fn broadcast(p: *const f32) -> Self {
        Pairs(unsafe { Sixteen::broadcast(p) })
    }

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        Pairs(unsafe { Sixteen::load(p) })
    }

    #[inline(always)]
    unsafe fn load_some(p: *const f32, n: usize) -> Self {
        Pairs(unsafe { Sixteen::load_some(p, n) })
    }

    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        unsafe { self.0.store(p) }
    }

    #[inline(always)]
    unsafe fn store_some(self, p: *mut f32, n: usize) {
        unsafe { self.0.store_some(p, n) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Pairs(unsafe { self.0.add(other.0) })
    }

    /// Both products of each pair.
    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        let pairs = |x: Sixteen| unsafe { std::mem::transmute::<__m512, __m512bh>(x.0) };
        Pairs(Sixteen(unsafe { _mm512_dpbf16_ps(self.0.0, pairs(a.0), pairs(b.0)) }))
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_row: isize, to: *mut f32, to_row: usize) {
        unsafe { Sixteen::transpose(from, from_row, to, to_row) }
    }
}

/// # Safety
/// As [`pack_panel_bf16`](super::pack_panel_bf16), and [`available`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
pub(super) unsafe fn pack_panel(panel: usize, k: usize, n: usize, b: Matrix, packed: *mut f32) {
    // SAFETY: what is asked of the caller.
    unsafe { panel_of(panel, k, n, b, packed) }
}

/// # Safety
/// As [`multiply_packed_bf16`](super::multiply_packed_bf16), and [`available`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
pub(super) unsafe fn multiply_packed(work: Work, a: Operand, packed: *const f32, scratch: &mut Scratch) {
    // SAFETY: what is asked of the caller.
    unsafe {
        match a {
            Operand::F32(a) => product(work, a, packed, &mut scratch.left),
            Operand::Bf16(a) => product(work, a, packed, &mut scratch.left),
        }
    }
}

/// # Safety
/// As [`multiply_bf16`](super::multiply_bf16), and [`available`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
pub(super) unsafe fn multiply(work: Work, a: Operand, b: Operand, scratch: &mut Scratch) {
    for from in (0..work.n).step_by(N_BLOCK) {
        let n = N_BLOCK.min(work.n - from);
        let packed = scratch.right.at_least(packed_len(work.k, n));
        for panel in 0..n.div_ceil(WIDTH) {
            // SAFETY: the scratch is as long as the panels.
            unsafe {
                match b {
                    Operand::F32(b) => panel_of(panel, work.k, n, b.from(0, from), packed),
                    Operand::Bf16(b) => panel_of(panel, work.k, n, b.from(0, from), packed),
                }
            }
        }
        let c = Target { data: work.c.data.wrapping_add(from), ..work.c };
        // SAFETY: the panels are packed, and the columns of C are among those of the caller.
        unsafe { multiply_packed(Work { n, c, ..work }, a, packed, scratch) }
    }
}

/// Packs one panel to its place.
///
/// # Safety
/// The panel is one of B's, and its place can be written. [`available`].
#[inline(always)]
unsafe fn panel_of<S: Source>(panel: usize, k: usize, n: usize, b: S, packed: *mut f32) {
    let first = panel * WIDTH;
    for from in (first..n.min(first + WIDTH)).step_by(LANES) {
        let to = packed.wrapping_add(first * k.div_ceil(2) + from - first);
        // SAFETY: the columns are B's, and the place is the panel's.
        unsafe { columns(k, LANES.min(n - from), b.from(0, from), to, WIDTH) }
    }
}

/// Packs at most 16 columns: pair by pair, `step` elements from one pair to the next.
///
/// # Safety
/// `[k, count]` elements of B can be read, and 16 elements of each pair of rows written. [`available`].
#[inline(always)]
unsafe fn columns<S: Source>(k: usize, count: usize, b: S, to: *mut f32, step: usize) {
    let mut done = 0;
    let (row, column) = b.strides();
    // SAFETY: rows and columns are below the sizes, as the loops say.
    unsafe {
        if column == 1 && count == LANES {
            while done + 2 <= k {
                interleave(S::both(b.from(done, 0), b.from(done + 1, 0)), to.add(done / 2 * step));
                done += 2;
            }
        } else if row == 1 && count == LANES {
            let mut square = [0.0_f32; LANES * LANES];
            while done + 2 * LANES <= k {
                for j in 0..LANES {
                    _mm512_storeu_si512(square.as_mut_ptr().add(j * LANES).cast(), b.from(done, j).neighbors());
                }
                Sixteen::transpose(square.as_ptr(), LANES as isize, to.add(done / 2 * step), step);
                done += 2 * LANES;
            }
        }
        for p in (done..k).step_by(2) {
            for j in 0..LANES {
                let at = |p: usize| if j < count && p < k { u32::from(b.from(p, j).first()) } else { 0 };
                *to.add(p / 2 * step + j) = f32::from_bits(at(p) | at(p + 1) << 16);
            }
        }
    }
}

/// 16 pairs of which the first are of the lower half, the second of the upper.
///
/// # Safety
/// 16 elements at the address. [`available`].
#[inline(always)]
unsafe fn interleave(halves: __m512i, to: *mut f32) {
    // SAFETY: what is asked of the caller.
    unsafe {
        // Element `i` of the lower half, then element `i` of the upper one.
        let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        let order = _mm512_or_si512(lanes, _mm512_slli_epi32::<16>(_mm512_add_epi32(lanes, _mm512_set1_epi32(16))));
        _mm512_storeu_si512(to.cast(), _mm512_permutexvar_epi16(order, halves));
    }
}

/// The product with packed panels, block by block of k and of rows.
///
/// # Safety
/// As [`multiply_packed`].
#[inline(always)]
unsafe fn product<S: Source>(work: Work, a: S, packed: *const f32, scratch: &mut Lines) {
    let Work { m, n, k, mut c } = work;
    if k == 0 && !c.accumulate {
        for i in 0..m {
            // SAFETY: C can be written, and its columns are dense.
            unsafe { std::slice::from_raw_parts_mut(c.row_at(i), n) }.fill(0.0);
        }
    }
    for from in (0..k).step_by(2 * K_BLOCK) {
        let size = (2 * K_BLOCK).min(k - from);
        let panels = Panels { data: packed.wrapping_add(from / 2 * WIDTH), stride: k.div_ceil(2) * WIDTH, step: WIDTH };
        for first in (0..m).step_by(M_BLOCK) {
            let rows = M_BLOCK.min(m - first);
            let c = Target { data: c.row_at(first), ..c };
            // SAFETY: a block of A, of B and of C.
            unsafe {
                let left = in_pairs(rows, size, a.from(first, from), scratch);
                tile::all::<Pairs>(rows, n, size.div_ceil(2), left, panels, c);
            }
        }
        c.accumulate = true;
    }
}

/// A in pairs: where it lies, if it lies so; else each row by itself, or, where columns are dense, all rows of a pair side by
/// side.
///
/// # Safety
/// `[m, k]` elements of A can be read. [`available`].
#[inline(always)]
unsafe fn in_pairs<S: Source>(m: usize, k: usize, a: S, scratch: &mut Lines) -> Left {
    let (pairs, (row, column)) = (k.div_ceil(2), a.strides());
    if let Some((data, row)) = a.in_pairs(k) {
        return Left::Rows { data, row };
    }
    if row == 1 {
        let step = m.next_multiple_of(LANES);
        let to = scratch.at_least(pairs * step);
        for i in (0..m).step_by(LANES) {
            // SAFETY: the rows are A's, and the scratch has a place for each.
            unsafe { columns(k, LANES.min(m - i), a.from(i, 0).transposed(), to.add(i), step) }
        }
        return Left::Columns { data: to, step, tile: Pairs::ROWS };
    }
    let to = scratch.at_least(m * pairs);
    let whole = if column == 1 { k / (2 * LANES) * (2 * LANES) } else { 0 };
    for i in 0..m {
        let to = to.wrapping_add(i * pairs);
        // SAFETY: columns below k, and a pair of the row for each two of them.
        unsafe {
            for p in (0..whole).step_by(2 * LANES) {
                _mm512_storeu_si512(to.add(p / 2).cast(), a.from(i, p).neighbors());
            }
            for p in (whole..k).step_by(2) {
                let second = if p + 1 < k { u32::from(a.from(i, p + 1).first()) } else { 0 };
                *to.add(p / 2) = f32::from_bits(u32::from(a.from(i, p).first()) | second << 16);
            }
        }
    }
    Left::Rows { data: to, row: pairs as isize }
}
