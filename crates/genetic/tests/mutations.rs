//! Mutation of the shipped designs: what every offspring must be.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;

use common::{CONTEXT, PARENTS, SCALES, STD, assert_sound, checked};
use genesys_check::CheckedDesign;
use genesys_genetic::{Context, Offspring, mutations};
use genesys_ladder::Scale;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

#[test]
fn every_change_gives_a_sound_offspring() {
    for parent in PARENTS.iter() {
        let name = parent.name();
        let mut seen = BTreeSet::from([parent.hash().to_string()]);
        let mut all = mutations(parent, &CONTEXT, 0);
        for child in &mut all {
            assert_sound(&child, &mut seen);
        }
        let tally = all.tally();
        let refused: Vec<_> = all.refused().iter().map(|r| (r.operator, &r.detail, &r.diagnostics)).collect();
        assert!(refused.is_empty(), "{name}: {refused:#?}");
        assert!(tally.offspring >= 50, "{name}: {tally:?}");
        assert!(tally.valid_share() >= 0.9, "{name}: {tally:?}");
        let sum = tally.offspring
            + tally.equal
            + tally.unchecked
            + tally.off_scale
            + tally.blind
            + tally.idle
            + tally.outgrown;
        assert_eq!((tally.tried, all.next().is_none()), (sum, true), "{name}: {tally:?}");
    }
}

#[test]
fn every_operator_makes_offspring() {
    let made: BTreeSet<&str> =
        PARENTS.iter().flat_map(|parent| mutations(parent, &CONTEXT, 0)).map(|child| child.operator).collect();
    let expected = [
        "add-block-variant",
        "add-gate",
        "add-norm",
        "add-qk-norm",
        "change-age-bias",
        "change-decay",
        "change-gate-rank",
        "change-kernel",
        "change-reach",
        "change-read",
        "change-scale",
        "change-stack",
        "change-start",
        "change-write-strength",
        "delete-sublayer",
        "duplicate-sublayer",
        "insert-sublayer",
        "move-gate",
        "parallel-sublayers",
        "remove-gate",
        "remove-norm",
        "replace-final",
        "replace-unit",
        "resize",
        "scale-literal",
        "swap-activation",
        "swap-sublayers",
        "toggle-bias",
        "toggle-cap",
        "toggle-delta-rule",
        "toggle-normalizer",
        "toggle-sink",
        "toggle-stream-gate",
        "toggle-tie",
        "wrap-argument",
    ];
    assert_eq!(made.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn the_number_of_offspring_is_the_same_for_every_seed() {
    let hashes = |seed| -> BTreeSet<String> {
        mutations(&PARENTS[0], &CONTEXT, seed).map(|child| child.design.hash().to_string()).collect()
    };
    assert_eq!(hashes(1), hashes(2));
    let first = |seed| mutations(&PARENTS[0], &CONTEXT, seed).next().map(|child| child.text());
    assert!((2..8).any(|seed| first(seed) != first(1)), "the seed picks the order");
}

#[test]
fn offspring_run_where_the_parent_runs() {
    // Heads of 128 exist from the width 128 on, so that the smallest scale is no concern.
    let text = include_str!("../../../designs/gla.gau").replace("H = D / 64", "H = D / 128");
    let parent = checked(&text).design.unwrap();
    let runs = |design: &CheckedDesign, scale: &Scale| design.at_scale(scale).is_ok();
    let wide: Vec<&Scale> = SCALES.iter().filter(|scale| runs(&parent, scale)).collect();
    assert!(wide.len() < SCALES.len() && !wide.is_empty());
    let mut all = mutations(&parent, &CONTEXT, 0);
    assert!(all.by_ref().all(|child| wide.iter().all(|scale| runs(&child.design, scale))));
    assert!(all.tally().offspring >= 50);
}

#[test]
fn without_donors_there_are_still_many() {
    let alone = Context::new(&STD, &[], &SCALES);
    for parent in PARENTS.iter() {
        assert!(mutations(parent, &alone, 0).count() >= 50);
    }
}

#[test]
fn chains_of_mutations_do_not_stall() {
    for (start, seed) in PARENTS.iter().zip((1..).map(|n| 100 * n)) {
        let mut parent = start.clone();
        let mut seen = BTreeSet::from([parent.hash().to_string()]);
        for step in 0..20 {
            let child = mutations(&parent, &CONTEXT, seed + step)
                .find(|child| !seen.contains(&child.design.hash().to_string()))
                .unwrap();
            assert_sound(&child, &mut seen);
            parent = child.design;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("proptest-regressions/mutations.txt"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_seed_gives_the_same_sound_offspring_again(seed: u64, which in 0..PARENTS.len(), steps in 1usize..4) {
        let mut parent = PARENTS[which].clone();
        for step in 0..steps as u64 {
            let draw = || mutations(&parent, &CONTEXT, seed ^ step).take(3).collect::<Vec<_>>();
            let (children, again) = (draw(), draw());
            let texts = |all: &[Offspring]| all.iter().map(|child| child.text()).collect::<Vec<_>>();
            prop_assert_eq!(texts(&children), texts(&again));
            let mut seen = BTreeSet::from([parent.hash().to_string()]);
            children.iter().for_each(|child| assert_sound(child, &mut seen));
            parent = children.into_iter().next().unwrap().design;
        }
    }
}
