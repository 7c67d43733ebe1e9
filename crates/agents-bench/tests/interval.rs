//! Intervals against exact sums, known values and laws.
#![allow(clippy::unwrap_used)]

use genesys_agents_bench::interval::{Pairs, bootstrap, mean, wilson};
use proptest::prelude::*;

/// log of `n` over `k`.
fn log_choose(n: u64, k: u64) -> f64 {
    (1..=k).map(|i| ((n - k + i) as f64 / i as f64).ln()).sum()
}

/// How probable `k` hits among `n` are at the rate `p`, within (0, 1).
fn binomial(n: u64, k: u64, p: f64) -> f64 {
    (log_choose(n, k) + k as f64 * p.ln() + (n - k) as f64 * (1.0 - p).ln()).exp()
}

/// How often Wilson's interval holds the rate: summed over all outcomes.
fn coverage(n: u64, p: f64) -> f64 {
    let holds = |k: &u64| {
        let (low, high) = wilson(*k, n);
        low <= p && p <= high
    };
    (0..=n).filter(holds).map(|k| binomial(n, k, p)).sum()
}

fn close(found: f64, expected: f64, within: f64) {
    assert!((found - expected).abs() <= within, "expected {expected}, found {found}");
}

#[test]
fn wilson_is_as_published() {
    // Newcombe (1998), Two-sided confidence intervals for the single proportion, table I, method 3.
    for (hits, of, low, high) in
        [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
    {
        let found = wilson(hits, of);
        close(found.0, low, 5e-5);
        close(found.1, high, 5e-5);
    }
    assert_eq!(wilson(0, 0), (0.0, 1.0));
}

#[test]
fn wilson_holds_the_rate_in_95_of_100_on_the_average() {
    for n in [5, 20, 100] {
        let rates: Vec<f64> = (1..200).map(|i| f64::from(i) / 200.0).collect();
        let average = mean(&rates.iter().map(|p| coverage(n, *p)).collect::<Vec<_>>());
        assert!((0.945..0.97).contains(&average), "{average} of {n}");
    }
}

#[test]
fn mcnemar_is_the_sign_test_of_pairs_that_differ() {
    let of = |first, second| Pairs { both: 3, first, second, neither: 9 }.probability();
    close(of(0, 5), 0.0625, 1e-12);
    close(of(1, 9), 22.0 / 1024.0, 1e-12);
    close(of(4, 4), 1.0, 1e-12);
    close(of(0, 0), 1.0, 1e-12);
    let exact = |first: u64, second: u64| {
        let n = first + second;
        (2.0 * (0..=first.min(second)).map(|k| binomial(n, k, 0.5)).sum::<f64>()).min(1.0)
    };
    close(of(12, 31), exact(12, 31), 1e-12);
    close(of(700, 600), exact(700, 600), 1e-9);
}

#[test]
fn newcombe_is_as_his_formula_gives_it() {
    // Independent outcomes: no correlation, so both halves are roots of sums of squares of Wilson's.
    let pairs = Pairs { both: 25, first: 25, second: 25, neither: 25 };
    let (low, high) = wilson(50, 100);
    let half = ((0.5 - low).powi(2) + (high - 0.5).powi(2)).sqrt();
    let found = pairs.interval();
    close(found.0, -half, 1e-12);
    close(found.1, half, 1e-12);
    // Newcombe (1998), Improved confidence intervals .. paired data: 12 pairs differ, all one way, none of 2 the other: 0.2 of 50.
    let pairs = Pairs { both: 36, first: 12, second: 2, neither: 0 };
    close(pairs.difference(), 0.2, 1e-12);
    let found = pairs.interval();
    assert!(found.0 > 0.04 && found.0 < 0.07 && found.1 > 0.33 && found.1 < 0.35, "{found:?}");
}

/// How often an interval of `n` draws holds the mean that the draws have.
fn held(n: u64, expected: f64, draw: impl Fn(f64) -> f64) -> f64 {
    let holds = |sample: &u64| {
        let values: Vec<f64> =
            (0..n).map(|i| draw(genesys_random::unit(genesys_random::at(sample * 7_919, i)))).collect();
        let (low, high) = bootstrap(&values, *sample);
        low <= expected && expected <= high
    };
    (0..200).filter(holds).count() as f64 / 200.0
}

#[test]
fn the_bootstrap_holds_means_about_as_often_as_it_says() {
    let even = held(20, 0.5, |u| u);
    assert!(even > 0.88, "{even} of 20 uniform draws");
    let long = held(20, 1.0, |u| -(1.0 - u).ln());
    assert!((0.83..0.97).contains(&long), "{long} of 20 exponential draws");
}

#[test]
fn the_bootstrap_draws_from_its_seed() {
    let values = [1.0, 2.0, 4.0, 9.0];
    assert_eq!(bootstrap(&values, 3), bootstrap(&values, 3));
    let found = bootstrap(&values, 3);
    assert!(found.0 >= 1.0 && found.0 < 3.0 && found.1 > 5.0 && found.1 <= 9.0, "{found:?}");
    assert_eq!(bootstrap(&[2.5; 7], 1), (2.5, 2.5));
    assert_eq!((bootstrap(&[], 1), mean(&[])), ((0.0, 0.0), 0.0));
}

proptest! {
    #[test]
    fn wilson_holds_its_rate_and_most_others_as_often_as_it_says(n in 1u64..80, p in 0.02f64..0.98, k in 0u64..80) {
        let k = k.min(n);
        let (low, high) = wilson(k, n);
        let rate = k as f64 / n as f64;
        prop_assert!((0.0..=rate).contains(&low) && (rate..=1.0).contains(&high));
        let (other_low, other_high) = wilson(n - k, n);
        prop_assert!((low - (1.0 - other_high)).abs() < 1e-12 && (high - (1.0 - other_low)).abs() < 1e-12);
        // It is known to fall below 95 % at rates near 0 and 1; to 0.793 of one draw, to 0.819 of two, and
        // nowhere below 0.826 of more.
        prop_assert!(coverage(n, p) > if n == 1 { 0.79 } else { 0.81 }, "{} of {n} at {p}", coverage(n, p));
    }

    #[test]
    fn paired_differences_are_antisymmetric_and_held(both in 0u64..40, first in 0u64..40, second in 0u64..40, neither in 0u64..40) {
        let pairs = Pairs { both, first, second, neither };
        let turned = Pairs { first: second, second: first, ..pairs };
        let ((low, high), (turned_low, turned_high)) = (pairs.interval(), turned.interval());
        prop_assert!((low + turned_high).abs() < 1e-12 && (high + turned_low).abs() < 1e-12);
        prop_assert!(low <= pairs.difference() && pairs.difference() <= high && low >= -1.0 && high <= 1.0);
        prop_assert!((pairs.probability() - turned.probability()).abs() < 1e-12);
        prop_assert!((0.0..=1.0).contains(&pairs.probability()));
        // What the test is sure of, the interval is too: none is far from the other.
        if pairs.probability() < 0.005 {
            prop_assert!(low > 0.0 || high < 0.0, "{pairs:?} {low} {high}");
        }
    }
}
