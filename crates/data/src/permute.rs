//! A permutation that is a function: the i-th row of an epoch, without a list of rows.
//!
//! In: a key, a length n and a position below n. Out: another position below n; over all positions, each once. It is a
//! balanced Feistel network over the smallest even number of bits that holds n, walked along its cycle until it lands
//! below n (Black and Rogaway 2002). The round function is SplitMix64. Not for secrets.

use genesys_random::mix;

const ROUNDS: u64 = 6;

/// Where position `i` of `0..n` goes under `key`. At most four tries on average.
///
/// Positions at or past `n` are an error of the caller; they give some position below `n` when `n > 0`.
pub(crate) fn permute(i: u64, n: u64, key: u64) -> u64 {
    if n <= 1 {
        return 0;
    }
    let half = (64 - (n - 1).leading_zeros()).div_ceil(2);
    let mut at = feistel(i % n, half, key);
    while at >= n {
        at = feistel(at, half, key);
    }
    at
}

/// One pass over 2 x `half` bits: (l, r) -> (r, l xor f(r)) each round.
fn feistel(x: u64, half: u32, key: u64) -> u64 {
    let mask = (1_u64 << half) - 1;
    let (mut l, mut r) = (x >> half, x & mask);
    for round in 0..ROUNDS {
        (l, r) = (r, l ^ (mix(mix(key ^ round) ^ r) & mask));
    }
    (l << half) | r
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_position_comes_once() {
        for n in [1, 2, 3, 4, 5, 17, 64, 65, 1000, 4097] {
            for key in [0, 1, 99] {
                let all: BTreeSet<u64> = (0..n).map(|i| permute(i, n, key)).collect();
                assert_eq!(all, (0..n).collect(), "n {n}, key {key}");
            }
        }
    }

    #[test]
    fn keys_give_different_orders_and_no_order_is_the_natural_one() {
        let order = |key| -> Vec<u64> { (0..1000).map(|i| permute(i, 1000, key)).collect() };
        assert_ne!(order(1), order(2));
        let fixed = order(1).iter().zip(0..).filter(|(at, i)| **at == *i).count();
        assert!(fixed < 10, "{fixed} of 1000 stay where they are");
        // Neighbors land far apart: a third of n on average, for a uniform permutation.
        let order = order(7);
        let apart: u64 = order.windows(2).map(|w| w[0].abs_diff(w[1])).sum::<u64>() / 999;
        assert!((280..390).contains(&apart), "{apart}");
    }
}
