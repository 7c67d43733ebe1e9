//! SplitMix64 as functions (Steele, Lea and Flood, 2014): draws that depend on a state that is
//! handed in, never on what was drawn before.
//!
//! Everything random in a run is a function of (seed, purpose, place): the caller makes a state of
//! these, and draws at it. Equal seeds give equal numbers on every machine, whatever else was
//! drawn. Not for secrets.

/// What a state grows by from one number of a stream to the next: 2^64 divided by the golden ratio.
pub const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// The number that a stream gives next whose state is `state`: a bijection of 64 bits, of which
/// each output bit depends on all input bits.
pub fn mix(state: u64) -> u64 {
    finalize(state.wrapping_add(GAMMA))
}

/// The number at place `counter`, from 0, of the stream that starts at `state`.
pub fn at(state: u64, counter: u64) -> u64 {
    mix(state.wrapping_add(counter.wrapping_mul(GAMMA)))
}

/// A real in `[0, 1)` of the upper 53 of 64 random bits.
pub fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 * (-53f64).exp2()
}

/// The mixing of the bits of a state, which is a bijection with `finalize(0) == 0`.
pub fn finalize(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        // The first outputs of the published generator from state 1234567.
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        let mut state = 1_234_567u64;
        for (counter, number) in expected.into_iter().enumerate() {
            assert_eq!((mix(state), at(1_234_567, counter as u64)), (number, number));
            state = state.wrapping_add(GAMMA);
        }
    }

    #[test]
    fn units_lie_below_one() {
        assert_eq!(unit(0), 0.0);
        assert!(unit(u64::MAX) < 1.0);
    }
}
