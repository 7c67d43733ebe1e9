//! Which instructions the processor has, and one body compiled for each of them.
//!
//! In: what the processor says of itself. Out: a [`Level`], and the macro that compiles a body three times and runs the
//! copy of a level. A body takes whether products are fused as a constant, so that they are nowhere by chance.

use std::fmt;
use std::sync::LazyLock;

/// Instructions that this processor has: a value is proof of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Level(Kind);

/// The levels by name, for matches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// What every processor has.
    Portable,
    /// AVX2 and FMA: 8 lanes.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512: 16 lanes.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// Found out once; what it says cannot change.
static BEST: LazyLock<Level> = LazyLock::new(|| Level::available()[0]);

impl Level {
    /// The best level of this processor.
    #[must_use]
    pub fn best() -> Level {
        *BEST
    }

    /// All levels of this processor, the best first; the portable one is always the last.
    #[must_use]
    pub fn available() -> Vec<Level> {
        let mut levels = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let wide = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            if avx2 && wide {
                levels.push(Level(Kind::Avx512));
            }
            if avx2 {
                levels.push(Level(Kind::Avx2));
            }
        }
        levels.push(Level(Kind::Portable));
        levels
    }

    /// Lanes of an f32 register.
    #[must_use]
    pub fn lanes(self) -> usize {
        match self.0 {
            Kind::Portable => 4,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => 8,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => 16,
        }
    }

    /// Whether a product and the sum it enters are rounded once.
    #[must_use]
    pub fn is_fused(self) -> bool {
        self.0 != Kind::Portable
    }

    /// The level, for a match.
    pub(crate) fn kind(self) -> Kind {
        self.0
    }
}

impl fmt::Debug for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A function of a level and arguments that runs `body::<FUSED, ..>`, compiled for the level's instructions.
///
/// The body has to be `#[inline(always)]`, down to what its loops call, or it is compiled for the portable level.
macro_rules! leveled {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)? = $body:ident) => {
        $(#[$meta])*
        #[allow(unsafe_code)] // a level is proof of its instructions
        $vis fn $name(level: $crate::level::Level, $($arg: $type),*) $(-> $result)? {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            fn avx512($($arg: $type),*) $(-> $result)? {
                $body::<true>($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $type),*) $(-> $result)? {
                $body::<true>($($arg),*)
            }
            match level.kind() {
                $crate::level::Kind::Portable => $body::<false>($($arg),*),
                #[cfg(target_arch = "x86_64")]
                // SAFETY: a level is made only where the processor has its instructions.
                $crate::level::Kind::Avx2 => unsafe { avx2($($arg),*) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: as above.
                $crate::level::Kind::Avx512 => unsafe { avx512($($arg),*) },
            }
        }
    };
}
pub(crate) use leveled;

/// `a * b + c`: rounded once where `FUSED`, else twice.
#[inline(always)]
pub(crate) fn mad<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_level_is_first_and_the_portable_one_last() {
        let levels = Level::available();
        assert_eq!(levels[0], Level::best());
        assert_eq!(levels.last().map(|level| level.kind()), Some(Kind::Portable));
        assert!(levels.windows(2).all(|pair| pair[0].lanes() > pair[1].lanes()));
    }
}
