//! Random numbers as a pure function of (seed, purpose, counter).
//!
//! The stream of a purpose starts at the BLAKE3 hash of seed and purpose and goes on by SplitMix64,
//! so that equal seeds give equal choices on every machine, and a
//! draw for one purpose never moves the draws for another. Not for weights, and not for secrets.

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// The stream of `seed` for `purpose`.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes()).update(purpose.as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        Self { state: u64::from_le_bytes(first) }
    }

    /// The next number.
    fn next(&mut self) -> u64 {
        let number = genesys_random::mix(self.state);
        self.state = self.state.wrapping_add(genesys_random::GAMMA);
        number
    }

    /// A number in `0..n`, for `n >= 1`: the high half of a product, whose bias is below `n / 2^64`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        debug_assert!(n >= 1, "there is a choice to make");
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_and_seeds_have_streams_of_their_own() {
        let first = |seed, purpose| Random::new(seed, purpose).next();
        assert_eq!(first(1, "a"), first(1, "a"));
        assert_ne!(first(1, "a"), first(1, "b"));
        assert_ne!(first(1, "a"), first(2, "a"));
    }

    #[test]
    fn draws_cover_their_range() {
        let mut random = Random::new(7, "cover");
        let seen: std::collections::BTreeSet<usize> = (0..200).map(|_| random.below(5)).collect();
        assert_eq!(seen, (0..5).collect());
    }
}
