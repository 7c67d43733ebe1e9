//! Products of numbers of 16 bits (bf16: the upper half of an f32) with sums in f32.
//!
//! In: matrices of f32, rounded to bf16 as they are packed, to the nearest and halves to the even. Out: their product in
//! f32. A register holds *pairs*: two neighbors in k of each of 16 columns, so that one instruction adds two products.
//! Where the processor has no such instruction, nothing is rounded, and the product is that of [`super::multiply_packed`].
//!
//! Numbers below 2^-126 count as 0, and each pair of products is rounded as the processor does; an element depends on
//! k alone, as in f32. Not here: matrices that are stored in 16 bits.

use super::pack::Lines;
use super::tile::{self, Left, Panels};
use super::{K_BLOCK, M_BLOCK, Matrix, Product, Scratch, Target};

/// Elements of 32 bits that the panels of a `[k, n]` matrix take as bf16.
#[must_use]
pub fn packed_len_bf16(k: usize, n: usize) -> usize {
    #[cfg(target_arch = "x86_64")]
    if pairs::available() {
        return n.next_multiple_of(pairs::WIDTH) * k.div_ceil(2);
    }
    super::packed_len(k, n)
}

/// Packs one panel of B, one of [`panels`](super::panels)`(n)`, to its place among all, rounded to bf16.
///
/// # Safety
/// As [`pack_panel`](super::pack_panel), with [`packed_len_bf16`] elements at `packed`.
pub unsafe fn pack_panel_bf16(panel: usize, k: usize, n: usize, b: Matrix, packed: *mut f32) {
    #[cfg(target_arch = "x86_64")]
    if pairs::available() {
        // SAFETY: what is asked of the caller; the processor has the instructions.
        return unsafe { pairs::pack_panel(panel, k, n, b, packed) };
    }
    // SAFETY: what is asked of the caller.
    unsafe { super::pack_panel(panel, k, n, b, packed) }
}

/// As [`multiply_packed`](super::multiply_packed), with A rounded to bf16, and B packed by [`pack_panel_bf16`].
///
/// # Safety
/// As [`multiply_packed`](super::multiply_packed).
#[allow(clippy::too_many_arguments)] // as `multiply`
pub unsafe fn multiply_packed_bf16(
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
    #[cfg(target_arch = "x86_64")]
    if pairs::available() {
        let product = Product { m, n, k, a, c: Target { data: c, row: ldc, accumulate } };
        // SAFETY: what is asked of the caller; the processor has the instructions.
        return unsafe { pairs::multiply(product, packed, &mut scratch.left) };
    }
    // SAFETY: what is asked of the caller.
    unsafe { super::multiply_packed(m, n, k, a, packed, c, ldc, accumulate, scratch) }
}

/// `x` as bf16: the nearest, of two as near the even one; NaN stays one.
fn round(x: f32) -> u32 {
    let bits = x.to_bits();
    if x.is_nan() { (bits >> 16) | 0x40 } else { (bits + 0x7fff + ((bits >> 16) & 1)) >> 16 }
}

/// Pairs in registers of AVX-512.
#[cfg(target_arch = "x86_64")]
mod pairs {
    use std::arch::x86_64::*;
    use std::sync::LazyLock;

    use super::super::vector::{Sixteen, Vector};
    use super::{K_BLOCK, Left, Lines, M_BLOCK, Matrix, Panels, Product, Target, round, tile};
    use crate::level::{Kind, Level};

    /// Columns of a panel: those of a panel of f32.
    pub(super) const WIDTH: usize = 32;

    /// Lanes of a register, each a pair.
    const LANES: usize = 16;

    /// Found out once.
    static AVAILABLE: LazyLock<bool> =
        LazyLock::new(|| Level::best().kind() == Kind::Avx512 && is_x86_feature_detected!("avx512bf16"));

    /// Whether the processor multiplies pairs.
    pub(super) fn available() -> bool {
        *AVAILABLE
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
        let first = panel * WIDTH;
        for from in (first..n.min(first + WIDTH)).step_by(LANES) {
            let to = packed.wrapping_add(first * k.div_ceil(2) + from - first);
            // SAFETY: the columns are B's, and the place is the panel's.
            unsafe { pack_columns(k, LANES.min(n - from), b.from(0, from), to, WIDTH) }
        }
    }

    /// Packs at most 16 columns: pair by pair, `step` elements from one pair to the next.
    ///
    /// # Safety
    /// `[k, columns]` elements of B can be read, and 16 elements of each pair of rows written. [`available`].
    #[inline(always)]
    unsafe fn pack_columns(k: usize, columns: usize, b: Matrix, to: *mut f32, step: usize) {
        let mut done = 0;
        // SAFETY: rows and columns are below the sizes, as the loops say.
        unsafe {
            if b.column == 1 && columns == LANES {
                while done + 2 <= k {
                    interleave(b.from(done, 0).data, b.from(done + 1, 0).data, to.add(done / 2 * step));
                    done += 2;
                }
            } else if b.row == 1 && columns == LANES {
                let mut square = [0.0; LANES * LANES];
                while done + 2 * LANES <= k {
                    for j in 0..LANES {
                        convert(b.from(done, j).data, square.as_mut_ptr().add(j * LANES));
                    }
                    Sixteen::transpose(square.as_ptr(), LANES as isize, to.add(done / 2 * step), step);
                    done += 2 * LANES;
                }
            }
            for p in (done..k).step_by(2) {
                for j in 0..LANES {
                    let at = |p: usize| if j < columns && p < k { round(*b.from(p, j).data) } else { 0 };
                    *to.add(p / 2 * step + j) = f32::from_bits(at(p) | at(p + 1) << 16);
                }
            }
        }
    }

    /// 16 pairs of which the first are of one row, the second of another.
    ///
    /// # Safety
    /// 16 elements at each address. [`available`].
    #[inline(always)]
    unsafe fn interleave(low: *const f32, high: *const f32, to: *mut f32) {
        // SAFETY: what is asked of the caller.
        unsafe {
            let halves = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(high), _mm512_loadu_ps(low));
            // Element `i` of the low half, then element `i` of the high one.
            let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            let order = _mm512_or_si512(lanes, _mm512_slli_epi32::<16>(_mm512_add_epi32(lanes, _mm512_set1_epi32(16))));
            let pairs = _mm512_permutexvar_epi16(order, std::mem::transmute::<__m512bh, __m512i>(halves));
            _mm512_storeu_si512(to.cast(), pairs);
        }
    }

    /// 16 pairs of 32 neighbors.
    ///
    /// # Safety
    /// 32 elements at `from`, 16 at `to`. [`available`].
    #[inline(always)]
    unsafe fn convert(from: *const f32, to: *mut f32) {
        // SAFETY: what is asked of the caller.
        unsafe {
            let pairs = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from.add(LANES)), _mm512_loadu_ps(from));
            _mm512_storeu_si512(to.cast(), std::mem::transmute::<__m512bh, __m512i>(pairs));
        }
    }

    /// # Safety
    /// As [`multiply_packed_bf16`](super::multiply_packed_bf16), and [`available`].
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
    pub(super) unsafe fn multiply(mut product: Product, packed: *const f32, scratch: &mut Lines) {
        let Product { m, n, k, a, .. } = product;
        if k == 0 && !product.c.accumulate {
            // SAFETY: C can be written.
            unsafe { product.clear() };
        }
        for from in (0..k).step_by(2 * K_BLOCK) {
            let size = (2 * K_BLOCK).min(k - from);
            let panels =
                Panels { data: packed.wrapping_add(from / 2 * WIDTH), stride: k.div_ceil(2) * WIDTH, step: WIDTH };
            for first in (0..m).step_by(M_BLOCK) {
                let rows = M_BLOCK.min(m - first);
                let c = Target { data: product.c.row_at(first), ..product.c };
                // SAFETY: a block of A, of B and of C.
                unsafe {
                    let left = pack_rows(rows, size, a.from(first, from), scratch);
                    tile::all::<Pairs>(rows, n, size.div_ceil(2), left, panels, c);
                }
            }
            product.c.accumulate = true;
        }
    }

    /// A in pairs: each row by itself, or, where columns are dense, all rows of a pair side by side.
    ///
    /// # Safety
    /// `[m, k]` elements of A can be read. [`available`].
    #[inline(always)]
    unsafe fn pack_rows(m: usize, k: usize, a: Matrix, scratch: &mut Lines) -> Left {
        let pairs = k.div_ceil(2);
        if a.row == 1 {
            let step = m.next_multiple_of(LANES);
            let to = scratch.at_least(pairs * step);
            let transposed = Matrix { data: a.data, row: a.column, column: a.row };
            for i in (0..m).step_by(LANES) {
                // SAFETY: the rows are A's, and the scratch has a place for each.
                unsafe { pack_columns(k, LANES.min(m - i), transposed.from(0, i), to.add(i), step) }
            }
            return Left::Columns { data: to, step, tile: Pairs::ROWS };
        }
        let to = scratch.at_least(m * pairs);
        for i in 0..m {
            let (row, to) = (a.from(i, 0), to.wrapping_add(i * pairs));
            let whole = if a.column == 1 { k / (2 * LANES) * (2 * LANES) } else { 0 };
            // SAFETY: columns below k, and a pair of the row for each two of them.
            unsafe {
                for p in (0..whole).step_by(2 * LANES) {
                    convert(row.from(0, p).data, to.add(p / 2));
                }
                for p in (whole..k).step_by(2) {
                    let second = if p + 1 < k { round(*row.from(0, p + 1).data) } else { 0 };
                    *to.add(p / 2) = f32::from_bits(round(*row.from(0, p).data) | second << 16);
                }
            }
        }
        Left::Rows { data: to, row: pairs as isize }
    }
}

#[cfg(test)]
mod tests;
