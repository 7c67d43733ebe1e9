//! The laws of sampling, over random scores.
#![allow(clippy::unwrap_used)]

use std::num::NonZeroUsize;

use genesys_sample::{NotFinite, Sampling, draw, kept};
use proptest::prelude::*;

fn sampling(temperature: f64, top_k: usize, top_p: f64) -> Sampling {
    Sampling::new(temperature, NonZeroUsize::new(top_k), top_p).unwrap()
}

/// Scores with ties among them.
fn scores() -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec((-40_i16..40).prop_map(|quarter| f32::from(quarter) / 4.0), 1..60)
}

/// What softmax at temperature `t` gives, in the order of the tokens.
fn softmax(scores: &[f32], t: f64) -> Vec<f64> {
    let weights: Vec<f64> = scores.iter().map(|score| (f64::from(*score) / t).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

proptest! {
    #[test]
    fn temperature_0_is_the_first_of_the_highest(scores in scores(), k in 0_usize..9, p in 0.01..=1.0, seed: u64) {
        let top = scores.iter().copied().fold(f32::MIN, f32::max);
        let first = scores.iter().position(|score| *score == top).unwrap();
        prop_assert_eq!(draw(&scores, &sampling(0.0, k, p), seed, 3), Ok(Some(first)));
    }

    #[test]
    fn without_filters_it_is_softmax(scores in scores(), t in 0.2..5.0) {
        let expected = softmax(&scores, t);
        let found = kept(&scores, &sampling(t, 0, 1.0)).unwrap();
        prop_assert_eq!(found.len(), scores.len());
        prop_assert!(found.iter().all(|kept| close(kept.probability, expected[kept.token])));
    }

    #[test]
    fn top_k_keeps_just_the_k_highest(scores in scores(), k in 1_usize..70, t in 0.2..5.0) {
        let found = kept(&scores, &sampling(t, k, 1.0)).unwrap();
        prop_assert_eq!(found.len(), k.min(scores.len()));
        let is_kept = |token: usize| found.iter().any(|kept| kept.token == token);
        for (token, score) in scores.iter().enumerate().filter(|(token, _)| !is_kept(*token)) {
            let beaten = |other: usize| scores[other] > *score || (scores[other] == *score && other < token);
            prop_assert!(found.iter().all(|kept| beaten(kept.token)));
        }
        let sum: f64 = found.iter().map(|kept| kept.probability).sum();
        prop_assert!(close(sum, 1.0));
    }

    #[test]
    fn top_p_keeps_the_smallest_set_of_that_mass(scores in scores(), p in 0.001..0.999, t in 0.2..5.0) {
        let all = softmax(&scores, t);
        let found = kept(&scores, &sampling(t, 0, p)).unwrap();
        let mass: f64 = found.iter().map(|kept| all[kept.token]).sum();
        prop_assert!(!found.is_empty() && mass >= p - 1e-9);
        prop_assert!(mass - all[found.last().unwrap().token] < p + 1e-9, "the last one was needed");
        let least = found.iter().map(|kept| all[kept.token]).fold(f64::INFINITY, f64::min);
        let others = (0..scores.len()).filter(|token| found.iter().all(|kept| kept.token != *token));
        prop_assert!(others.clone().all(|token| all[token] <= least + 1e-12));
    }

    #[test]
    fn top_p_counts_what_top_k_leaves(scores in scores(), k in 1_usize..9, p in 0.001..0.999) {
        let left = kept(&scores, &sampling(1.0, k, 1.0)).unwrap();
        let found = kept(&scores, &sampling(1.0, k, p)).unwrap();
        let mass: f64 = left[..found.len()].iter().map(|kept| kept.probability).sum();
        prop_assert!(mass >= p - 1e-9 && mass - left[found.len() - 1].probability < p + 1e-9);
    }

    #[test]
    fn one_seed_and_step_give_one_token_that_is_kept(scores in scores(), k in 0_usize..9, p in 0.01..=1.0, seed: u64, step: u64) {
        let sampling = sampling(0.7, k, p);
        let token = draw(&scores, &sampling, seed, step).unwrap().unwrap();
        prop_assert_eq!(draw(&scores, &sampling, seed, step), Ok(Some(token)));
        prop_assert!(kept(&scores, &sampling).unwrap().iter().any(|kept| kept.token == token));
    }

    #[test]
    fn scores_that_are_not_finite_are_an_error(mut scores in scores(), at: prop::sample::Index, which in 0_usize..3) {
        let token = at.index(scores.len());
        scores[token] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][which];
        for temperature in [0.0, 1.0] {
            let error = draw(&scores, &sampling(temperature, 0, 1.0), 0, 0).unwrap_err();
            let NotFinite { token: found, .. } = error;
            prop_assert_eq!(found, token);
        }
    }
}

#[test]
fn tokens_come_as_often_as_they_are_probable() {
    let scores: Vec<f32> = [0.5_f32, 0.25, 0.15, 0.1].iter().map(|p| p.ln()).collect();
    let mut counts = [0_u32; 4];
    for step in 0..20_000 {
        counts[draw(&scores, &sampling(1.0, 0, 1.0), 7, step).unwrap().unwrap()] += 1;
    }
    // Five standard deviations of a share of one half over 20,000 draws are 0.018.
    for (count, expected) in counts.iter().zip([0.5, 0.25, 0.15, 0.1]) {
        assert!((f64::from(*count) / 20_000.0 - expected).abs() < 0.018, "{counts:?}");
    }
}

#[test]
fn extremes_stay_numbers() {
    let scores = [f32::MAX, f32::MIN, 0.0];
    for temperature in [f64::MIN_POSITIVE, 1e-300, 1.0, f64::MAX] {
        let found = kept(&scores, &sampling(temperature, 0, 1.0)).unwrap();
        assert_eq!((found.len(), found[0].token), (3, 0));
        assert!(found.iter().all(|kept| kept.probability.is_finite()), "{temperature}: {found:?}");
    }
    assert_eq!(draw(&[], &sampling(1.0, 0, 1.0), 0, 0), Ok(None));
}

#[test]
fn settings_that_are_none_say_what_was_expected() {
    for temperature in [-0.1, f64::NAN, f64::INFINITY] {
        assert_eq!(Sampling::new(temperature, None, 1.0).unwrap_err(), "expected a number of 0 or more");
    }
    for top_p in [0.0, -1.0, 1.01, f64::NAN] {
        assert_eq!(Sampling::new(1.0, None, top_p).unwrap_err(), "expected a number above 0 and at most 1");
    }
}
