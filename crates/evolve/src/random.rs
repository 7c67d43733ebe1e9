//! Draws that are functions: the number at (seed, purpose, place), with no generator whose state could be lost.
//!
//! In: a seed and a list of words that say what is drawn. Out: 64 bits, or a real in `[0, 1)`. Each word is mixed in
//! with SplitMix64. Not for secrets.

use genesys_random::mix;

/// What a number is drawn for. The values are part of the meaning of a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Weights and data order of a training.
    Training = 1,
    /// The choice of a parent.
    Parent = 2,
    /// The choices of a genetic operator.
    Operator = 3,
    /// Whether an offspring has two parents.
    Crossover = 4,
    /// The choice of the second one.
    Mate = 5,
    /// Whether language models are asked for a place.
    Share = 6,
    /// From how many designs a dialogue begins.
    Mode = 7,
    /// What a model draws from in a dialogue.
    Dialogue = 8,
    /// What a model draws from that says what results teach.
    Analysis = 9,
}

/// 64 bits for `purpose` at `place`.
pub(crate) fn bits(seed: u64, purpose: Purpose, place: &[u64]) -> u64 {
    let start = mix(mix(seed) ^ purpose as u64);
    place.iter().fold(start, |state, word| mix(state ^ mix(*word)))
}

/// A real in `[0, 1)` for `purpose` at `place`, with 53 random bits.
pub(crate) fn unit(seed: u64, purpose: Purpose, place: &[u64]) -> f64 {
    genesys_random::unit(bits(seed, purpose, place))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_seed_purpose_and_place_draws_its_own() {
        use Purpose::{Analysis, Crossover, Dialogue, Mate, Mode, Operator, Parent, Share, Training};
        let mut all = BTreeSet::new();
        for seed in 0..8 {
            for purpose in [Training, Parent, Operator, Crossover, Mate, Share, Mode, Dialogue, Analysis] {
                for (a, b) in (0..10).flat_map(|a| (0..10).map(move |b| (a, b))) {
                    all.insert(bits(seed, purpose, &[a, b]));
                }
            }
        }
        assert_eq!(all.len(), 8 * 9 * 100);
    }

    #[test]
    fn reals_are_spread_evenly() {
        let mut counts = [0; 10];
        for place in 0..10_000 {
            counts[(unit(7, Purpose::Parent, &[place]) * 10.0) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }
}
