//! Registers of each level: what a tile and its packing need of them.
//!
//! In: addresses. Out: lanes. Every method is compiled into its caller, which has the level's instructions.
//! Not here: which level the processor has.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// A register of f32.
///
/// # Safety
/// The methods are called only where the processor has the level's instructions; addresses can be read or written for as
/// many elements as the method says.
pub(super) trait Vector: Copy {
    /// Elements of a register.
    const LANES: usize;
    /// Rows of a tile: as many as leave registers for two of B and one of A.
    const ROWS: usize;

    /// 0 in every lane.
    unsafe fn zero() -> Self;
    /// The element at `p` in every lane.
    unsafe fn broadcast(p: *const f32) -> Self;
    /// As many elements as there are lanes.
    unsafe fn load(p: *const f32) -> Self;
    /// The first `n` elements, fewer than there are lanes.
    unsafe fn load_some(p: *const f32, n: usize) -> Self;
    /// As many elements as there are lanes.
    unsafe fn store(self, p: *mut f32);
    /// The first `n` elements, fewer than there are lanes.
    unsafe fn store_some(self, p: *mut f32, n: usize);
    /// `self + other`
    unsafe fn add(self, other: Self) -> Self;
    /// `self + a * b`, rounded once where the level fuses.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    /// A square of `LANES` by `LANES`: element `(i, j)`, at `from + i * from_row + j`, goes to `to + j * to_row + i`.
    unsafe fn transpose(from: *const f32, from_row: isize, to: *mut f32, to_row: usize);
}

/// A function of a level and arguments that runs `body::<V>`, compiled for the level's instructions. The body has to be
/// `#[inline(always)]`, down to what its loops call.
macro_rules! by_registers {
    ($(#[$meta:meta])* unsafe fn $name:ident($($arg:ident: $type:ty),* $(,)?) = $body:ident) => {
        $(#[$meta])*
        unsafe fn $name(level: $crate::level::Level, $($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            unsafe fn avx512($($arg: $type),*) {
                // SAFETY: what is asked of the caller.
                unsafe { $body::<$crate::gemm::vector::Sixteen>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2($($arg: $type),*) {
                // SAFETY: what is asked of the caller.
                unsafe { $body::<$crate::gemm::vector::Eight>($($arg),*) }
            }
            // SAFETY: what is asked of the caller, and a level is made only where the processor has its instructions.
            unsafe {
                match level.kind() {
                    $crate::level::Kind::Portable => $body::<$crate::gemm::vector::Four>($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    $crate::level::Kind::Avx2 => avx2($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    $crate::level::Kind::Avx512 => avx512($($arg),*),
                }
            }
        }
    };
}
pub(super) use by_registers;

/// Four lanes of plain Rust.
#[derive(Clone, Copy)]
pub(super) struct Four([f32; 4]);

impl Vector for Four {
    const LANES: usize = 4;
    const ROWS: usize = 4;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Four([0.0; 4])
    }

    #[inline(always)]
    unsafe fn broadcast(p: *const f32) -> Self {
        // SAFETY: one element can be read.
        Four([unsafe { *p }; 4])
    }

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: four elements can be read.
        Four(unsafe { p.cast::<[f32; 4]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn load_some(p: *const f32, n: usize) -> Self {
        let mut lanes = [0.0; 4];
        for (i, lane) in lanes[..n].iter_mut().enumerate() {
            // SAFETY: `n` elements can be read.
            *lane = unsafe { *p.add(i) };
        }
        Four(lanes)
    }

    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: four elements can be written.
        unsafe { p.cast::<[f32; 4]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    unsafe fn store_some(self, p: *mut f32, n: usize) {
        for (i, lane) in self.0[..n].iter().enumerate() {
            // SAFETY: `n` elements can be written.
            unsafe { *p.add(i) = *lane }
        }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Four(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }

    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        Four(std::array::from_fn(|i| self.0[i] + a.0[i] * b.0[i]))
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_row: isize, to: *mut f32, to_row: usize) {
        for i in 0..4 {
            for j in 0..4 {
                // SAFETY: both squares are the caller's.
                unsafe { *to.add(j * to_row + i) = *from.offset(i as isize * from_row).add(j) }
            }
        }
    }
}

/// Eight lanes of AVX2.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) struct Eight(__m256);

#[cfg(target_arch = "x86_64")]
impl Eight {
    /// All bits in the first `n` lanes.
    #[inline(always)]
    unsafe fn mask(n: usize) -> __m256i {
        // SAFETY: AVX2, by the trait's contract.
        unsafe {
            let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), lanes)
        }
    }
}

// SAFETY of all below: AVX2 and FMA, and the elements at the addresses, by the trait's contract.
#[cfg(target_arch = "x86_64")]
#[allow(clippy::undocumented_unsafe_blocks)] // said once, above
impl Vector for Eight {
    const LANES: usize = 8;
    const ROWS: usize = 6;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Eight(unsafe { _mm256_setzero_ps() })
    }

    #[inline(always)]
    unsafe fn broadcast(p: *const f32) -> Self {
        Eight(unsafe { _mm256_set1_ps(*p) })
    }

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        Eight(unsafe { _mm256_loadu_ps(p) })
    }

    #[inline(always)]
    unsafe fn load_some(p: *const f32, n: usize) -> Self {
        Eight(unsafe { _mm256_maskload_ps(p, Self::mask(n)) })
    }

    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        unsafe { _mm256_storeu_ps(p, self.0) }
    }

    #[inline(always)]
    unsafe fn store_some(self, p: *mut f32, n: usize) {
        unsafe { _mm256_maskstore_ps(p, Self::mask(n), self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Eight(unsafe { _mm256_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        Eight(unsafe { _mm256_fmadd_ps(a.0, b.0, self.0) })
    }

    /// Pairs of rows are interleaved, then pairs of pairs, then halves of registers.
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_row: isize, to: *mut f32, to_row: usize) {
        unsafe {
            let r: [__m256; 8] = std::array::from_fn(|i| _mm256_loadu_ps(from.offset(i as isize * from_row)));
            // Of rows 2i and 2i + 1: columns 0 1 (4 5), columns 2 3 (6 7).
            let pairs: [__m256d; 8] = std::array::from_fn(|i| {
                let (a, b) = (r[i / 2 * 2], r[i / 2 * 2 + 1]);
                _mm256_castps_pd(if i % 2 == 0 { _mm256_unpacklo_ps(a, b) } else { _mm256_unpackhi_ps(a, b) })
            });
            // Of rows 4i to 4i + 3: column j (j + 4).
            let fours: [__m256; 8] = std::array::from_fn(|i| {
                let (half, j) = (i / 4, i % 4);
                let (a, b) = (pairs[4 * half + j / 2], pairs[4 * half + 2 + j / 2]);
                _mm256_castpd_ps(if j % 2 == 0 { _mm256_unpacklo_pd(a, b) } else { _mm256_unpackhi_pd(a, b) })
            });
            for j in 0..4 {
                let (low, high) = (fours[j], fours[4 + j]);
                _mm256_storeu_ps(to.add(j * to_row), _mm256_permute2f128_ps::<0x20>(low, high));
                _mm256_storeu_ps(to.add((j + 4) * to_row), _mm256_permute2f128_ps::<0x31>(low, high));
            }
        }
    }
}

/// Sixteen lanes of AVX-512.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) struct Sixteen(pub(super) __m512);

#[cfg(target_arch = "x86_64")]
impl Sixteen {
    /// A bit for each of the first `n` lanes.
    #[inline(always)]
    fn mask(n: usize) -> __mmask16 {
        ((1_u32 << n) - 1) as __mmask16
    }
}

// SAFETY of all below: AVX-512, and the elements at the addresses, by the trait's contract.
#[cfg(target_arch = "x86_64")]
#[allow(clippy::undocumented_unsafe_blocks)] // said once, above
impl Vector for Sixteen {
    const LANES: usize = 16;
    const ROWS: usize = 12;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Sixteen(unsafe { _mm512_setzero_ps() })
    }

    #[inline(always)]
    unsafe fn broadcast(p: *const f32) -> Self {
        Sixteen(unsafe { _mm512_set1_ps(*p) })
    }

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        Sixteen(unsafe { _mm512_loadu_ps(p) })
    }

    #[inline(always)]
    unsafe fn load_some(p: *const f32, n: usize) -> Self {
        Sixteen(unsafe { _mm512_maskz_loadu_ps(Self::mask(n), p) })
    }

    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        unsafe { _mm512_storeu_ps(p, self.0) }
    }

    #[inline(always)]
    unsafe fn store_some(self, p: *mut f32, n: usize) {
        unsafe { _mm512_mask_storeu_ps(p, Self::mask(n), self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Sixteen(unsafe { _mm512_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        Sixteen(unsafe { _mm512_fmadd_ps(a.0, b.0, self.0) })
    }

    /// Pairs of rows are interleaved, then pairs of pairs; then quarters of registers are gathered, twice.
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_row: isize, to: *mut f32, to_row: usize) {
        unsafe {
            let r: [__m512; 16] = std::array::from_fn(|i| _mm512_loadu_ps(from.offset(i as isize * from_row)));
            // Of rows 2i and 2i + 1: columns 0 1 (and 4 5, 8 9, 12 13), columns 2 3 (and ..).
            let pairs: [__m512d; 16] = std::array::from_fn(|i| {
                let (a, b) = (r[i / 2 * 2], r[i / 2 * 2 + 1]);
                _mm512_castps_pd(if i % 2 == 0 { _mm512_unpacklo_ps(a, b) } else { _mm512_unpackhi_ps(a, b) })
            });
            // Of rows 4i to 4i + 3: column j (and j + 4, j + 8, j + 12).
            let fours: [__m512; 16] = std::array::from_fn(|i| {
                let (group, j) = (i / 4, i % 4);
                let (a, b) = (pairs[4 * group + j / 2], pairs[4 * group + 2 + j / 2]);
                _mm512_castpd_ps(if j % 2 == 0 { _mm512_unpacklo_pd(a, b) } else { _mm512_unpackhi_pd(a, b) })
            });
            for j in 0..4 {
                let column = |group: usize| fours[4 * group + j];
                // Of rows 0 to 7, and 8 to 15: columns j and j + 8, columns j + 4 and j + 12.
                let even = |a, b| _mm512_shuffle_f32x4::<0x88>(a, b);
                let odd = |a, b| _mm512_shuffle_f32x4::<0xdd>(a, b);
                let (low, high) = (even(column(0), column(1)), even(column(2), column(3)));
                _mm512_storeu_ps(to.add(j * to_row), even(low, high));
                _mm512_storeu_ps(to.add((j + 8) * to_row), odd(low, high));
                let (low, high) = (odd(column(0), column(1)), odd(column(2), column(3)));
                _mm512_storeu_ps(to.add((j + 4) * to_row), even(low, high));
                _mm512_storeu_ps(to.add((j + 12) * to_row), odd(low, high));
            }
        }
    }
}
