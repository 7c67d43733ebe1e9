//! Sixteen lanes on each level: one register of AVX-512, two of AVX2, or plain Rust.
//!
//! In: addresses. Out: lanes. Every method is compiled into its caller, which has the level's instructions.
#![allow(unsafe_code)] // registers of a level

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// How many lanes there are on every level.
pub(crate) const GROUP: usize = 16;

/// Sixteen numbers.
///
/// # Safety
/// The methods are called only where the processor has the level's instructions; addresses can be read or written for as many
/// elements as the method says.
pub(crate) trait Lanes: Copy {
    /// 0 in every lane.
    unsafe fn zero() -> Self;
    /// A number in every lane.
    unsafe fn broadcast(x: f32) -> Self;
    /// Sixteen elements.
    unsafe fn load(p: *const f32) -> Self;
    /// The first `n` elements, at most sixteen, and 0.
    unsafe fn load_some(p: *const f32, n: usize) -> Self;
    /// Sixteen elements.
    unsafe fn store(self, p: *mut f32);
    /// The first `n` elements, at most sixteen.
    unsafe fn store_some(self, p: *mut f32, n: usize);
    /// `self + other`
    unsafe fn plus(self, other: Self) -> Self;
    /// `self * other`
    unsafe fn times(self, other: Self) -> Self;
    /// `self + a * b`, rounded once where the level fuses.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    /// The first `n` lanes, at most sixteen, and 0.
    unsafe fn first(self, n: usize) -> Self;
    /// The sum of the lanes: those that lie 8 apart first, then 4, 2 and 1.
    unsafe fn sum(self) -> f32;
    /// The sums of several.
    #[inline(always)]
    unsafe fn joined<const R: usize>(rows: [Self; R]) -> [f32; R] {
        // SAFETY: as asked of the caller.
        rows.map(|row| unsafe { row.sum() })
    }
}

/// A function of a level and arguments that runs `body::<V, ROWS>`, compiled for the level's instructions; `ROWS` are as many
/// rows of 64 columns as its registers can hold beside operands. The body has to be `#[inline(always)]`, down to what its loops
/// call.
macro_rules! by_lanes {
    (unsafe fn $name:ident($($arg:ident: $type:ty),* $(,)?) = $body:ident) => {
        unsafe fn $name(level: $crate::level::Level, $($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            unsafe fn avx512($($arg: $type),*) {
                // SAFETY: what is asked of the caller.
                unsafe { $body::<$crate::lanes::One, 4>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2($($arg: $type),*) {
                // SAFETY: what is asked of the caller.
                unsafe { $body::<$crate::lanes::Two, 4>($($arg),*) }
            }
            // SAFETY: what is asked of the caller, and a level is made only where the processor has its instructions.
            unsafe {
                match level.kind() {
                    $crate::level::Kind::Portable => $body::<$crate::lanes::Plain, 4>($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    $crate::level::Kind::Avx2 => avx2($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    $crate::level::Kind::Avx512 => avx512($($arg),*),
                }
            }
        }
    };
}
pub(crate) use by_lanes;

/// Plain Rust.
#[derive(Clone, Copy)]
pub(crate) struct Plain([f32; GROUP]);

impl Lanes for Plain {
    #[inline(always)]
    unsafe fn zero() -> Self {
        Plain([0.0; GROUP])
    }

    #[inline(always)]
    unsafe fn broadcast(x: f32) -> Self {
        Plain([x; GROUP])
    }

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: sixteen elements can be read.
        Plain(unsafe { p.cast::<[f32; GROUP]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn load_some(p: *const f32, n: usize) -> Self {
        // SAFETY: `n` elements can be read.
        Plain(std::array::from_fn(|i| if i < n { unsafe { *p.add(i) } } else { 0.0 }))
    }

    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: sixteen elements can be written.
        unsafe { p.cast::<[f32; GROUP]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    unsafe fn store_some(self, p: *mut f32, n: usize) {
        for (i, lane) in self.0[..n].iter().enumerate() {
            // SAFETY: `n` elements can be written.
            unsafe { *p.add(i) = *lane }
        }
    }

    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        Plain(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }

    #[inline(always)]
    unsafe fn times(self, other: Self) -> Self {
        Plain(std::array::from_fn(|i| self.0[i] * other.0[i]))
    }

    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        Plain(std::array::from_fn(|i| self.0[i] + a.0[i] * b.0[i]))
    }

    #[inline(always)]
    unsafe fn first(self, n: usize) -> Self {
        Plain(std::array::from_fn(|i| if i < n { self.0[i] } else { 0.0 }))
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        let eight: [f32; 8] = std::array::from_fn(|i| self.0[i] + self.0[i + 8]);
        let four: [f32; 4] = std::array::from_fn(|i| eight[i] + eight[i + 4]);
        (four[0] + four[2]) + (four[1] + four[3])
    }
}

/// The sum of four lanes: those that lie 2 apart first.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn sum_of_four(four: __m128) -> f32 {
    // SAFETY: SSE, which every processor of this kind has.
    unsafe {
        let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
    }
}

/// Two registers of AVX2.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) struct Two(__m256, __m256);

#[cfg(target_arch = "x86_64")]
impl Two {
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
impl Lanes for Two {
    #[inline(always)]
    unsafe fn zero() -> Self {
        unsafe { Two(_mm256_setzero_ps(), _mm256_setzero_ps()) }
    }

    #[inline(always)]
    unsafe fn broadcast(x: f32) -> Self {
        unsafe { Two(_mm256_set1_ps(x), _mm256_set1_ps(x)) }
    }

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        unsafe { Two(_mm256_loadu_ps(p), _mm256_loadu_ps(p.add(8))) }
    }

    #[inline(always)]
    unsafe fn load_some(p: *const f32, n: usize) -> Self {
        unsafe {
            let low = _mm256_maskload_ps(p, Self::mask(n.min(8)));
            Two(low, _mm256_maskload_ps(p.wrapping_add(8), Self::mask(n.saturating_sub(8))))
        }
    }

    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        unsafe {
            _mm256_storeu_ps(p, self.0);
            _mm256_storeu_ps(p.add(8), self.1);
        }
    }

    #[inline(always)]
    unsafe fn store_some(self, p: *mut f32, n: usize) {
        unsafe {
            _mm256_maskstore_ps(p, Self::mask(n.min(8)), self.0);
            _mm256_maskstore_ps(p.wrapping_add(8), Self::mask(n.saturating_sub(8)), self.1);
        }
    }

    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        unsafe { Two(_mm256_add_ps(self.0, other.0), _mm256_add_ps(self.1, other.1)) }
    }

    #[inline(always)]
    unsafe fn times(self, other: Self) -> Self {
        unsafe { Two(_mm256_mul_ps(self.0, other.0), _mm256_mul_ps(self.1, other.1)) }
    }

    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        unsafe { Two(_mm256_fmadd_ps(a.0, b.0, self.0), _mm256_fmadd_ps(a.1, b.1, self.1)) }
    }

    #[inline(always)]
    unsafe fn first(self, n: usize) -> Self {
        unsafe {
            let [low, high] = [n.min(8), n.saturating_sub(8)].map(|n| _mm256_castsi256_ps(Self::mask(n)));
            Two(_mm256_and_ps(self.0, low), _mm256_and_ps(self.1, high))
        }
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        unsafe {
            let eight = _mm256_add_ps(self.0, self.1);
            sum_of_four(_mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight)))
        }
    }
}

/// A register of AVX-512.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) struct One(__m512);

#[cfg(target_arch = "x86_64")]
impl One {
    /// A bit for each of the first `n` lanes.
    #[inline(always)]
    fn mask(n: usize) -> __mmask16 {
        ((1_u32 << n) - 1) as __mmask16
    }
}

// SAFETY of all below: AVX-512, and the elements at the addresses, by the trait's contract.
#[cfg(target_arch = "x86_64")]
#[allow(clippy::undocumented_unsafe_blocks)] // said once, above
impl Lanes for One {
    #[inline(always)]
    unsafe fn zero() -> Self {
        One(unsafe { _mm512_setzero_ps() })
    }

    #[inline(always)]
    unsafe fn broadcast(x: f32) -> Self {
        One(unsafe { _mm512_set1_ps(x) })
    }

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        One(unsafe { _mm512_loadu_ps(p) })
    }

    #[inline(always)]
    unsafe fn load_some(p: *const f32, n: usize) -> Self {
        One(unsafe { _mm512_maskz_loadu_ps(Self::mask(n), p) })
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
    unsafe fn plus(self, other: Self) -> Self {
        One(unsafe { _mm512_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn times(self, other: Self) -> Self {
        One(unsafe { _mm512_mul_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        One(unsafe { _mm512_fmadd_ps(a.0, b.0, self.0) })
    }

    #[inline(always)]
    unsafe fn first(self, n: usize) -> Self {
        One(unsafe { _mm512_maskz_mov_ps(Self::mask(n), self.0) })
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        unsafe {
            let eight = _mm256_add_ps(_mm512_castps512_ps256(self.0), _mm512_extractf32x8_ps::<1>(self.0));
            sum_of_four(_mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight)))
        }
    }

    /// Four at once: halves of pairs of rows side by side are added, then quarters of all, so that what is left are four lanes
    /// of each.
    #[inline(always)]
    unsafe fn joined<const R: usize>(rows: [Self; R]) -> [f32; R] {
        unsafe {
            if R != 4 {
                return rows.map(|row| row.sum());
            }
            let halves = |a: __m512, b: __m512| {
                _mm512_add_ps(_mm512_shuffle_f32x4::<0x44>(a, b), _mm512_shuffle_f32x4::<0xee>(a, b))
            };
            let (low, high) = (halves(rows[0].0, rows[1].0), halves(rows[2].0, rows[3].0));
            let four = _mm512_add_ps(_mm512_shuffle_f32x4::<0x88>(low, high), _mm512_shuffle_f32x4::<0xdd>(low, high));
            let two = _mm512_add_ps(four, _mm512_permute_ps::<0x4e>(four));
            let one = _mm512_add_ps(two, _mm512_permute_ps::<0xb1>(two));
            let mut lanes = [0.0_f32; GROUP];
            _mm512_storeu_ps(lanes.as_mut_ptr(), one);
            std::array::from_fn(|r| lanes[4 * r])
        }
    }
}
