//! The shipped operators on the shipped designs and on the mechanisms, at every scale of the ladder.
//!
//! `PROPTEST_CASES` sets the number of offspring of either. Failures are shrunk and kept in
//! `crates/strategies/proptest-regressions/`, and tried first from then on.

#![allow(clippy::unwrap_used)]

mod common;

use common::{CONTEXT, DESIGNS, MECHANISMS, design};
use genesys_check::CheckedDesign;
use genesys_genetic::Context;
use genesys_ladder::Scale;
use genesys_strategies::{Plan, Walk, hold_shipped};

/// Offspring of the shipped designs in a run that states no other number.
const OFFSPRING: u32 = 10_000;
/// The same of the mechanisms, whose units are more to look at.
const OF_MECHANISMS: u32 = 4_000;

#[test]
fn offspring_of_all_shipped_designs_are_valid() {
    hold_all(&DESIGNS, &CONTEXT, OFFSPRING, "proptest-regressions/operators.txt");
}

/// Each mechanism is a parent, a mate and a donor, beside the shipped designs.
#[test]
fn offspring_of_all_mechanisms_are_valid() {
    let context = Context::new(CONTEXT.library(), &MECHANISMS, &Scale::all());
    hold_all(&MECHANISMS, &context, OF_MECHANISMS, "proptest-regressions/mechanisms.txt");
}

fn hold_all(designs: &[CheckedDesign], context: &Context, sample: u32, kept: &'static str) {
    let children = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(sample);
    let plan = Plan { children, depth: 5, kept: Some(kept) };
    let tally = hold_shipped(designs, context, plan).unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(tally.unchecked, 0, "{tally:?}");
    assert!(tally.offspring >= children as usize, "{tally:?}");
    if children >= sample {
        // A run that tries nothing hard proves little.
        assert!(tally.valid_share() >= 0.9, "{tally:?}");
    }
}

#[test]
fn every_shipped_design_runs_at_every_scale() {
    for design in DESIGNS.iter() {
        assert_eq!(CONTEXT.scales_of(design), Scale::all(), "{}", design.name());
    }
}

#[test]
fn a_walk_ends_in_the_same_design_each_time() {
    use genesys_strategies::Step;
    let steps = vec![Step::Mutate { seed: 1 }, Step::Cross { mate: 1, seed: 2 }, Step::Mutate { seed: 3 }];
    let walk = Walk { start: 0, steps };
    let end = walk.end(&DESIGNS, &CONTEXT);
    assert_eq!(end.hash(), walk.end(&DESIGNS, &CONTEXT).hash());
    let start = Walk { start: 0, steps: Vec::new() };
    assert_eq!(start.end(&DESIGNS, &CONTEXT).hash(), DESIGNS[0].hash());
    assert_ne!(end.hash(), DESIGNS[0].hash());
}

#[test]
fn designs_with_nothing_to_cross_are_walked_all_the_same() {
    let only = [design("design A { stack = [B*] }\nunit B(x: Seq[D]) -> Seq[D] { x + shift(x, 1) }")];
    let context = Context::new(CONTEXT.library(), &[], &Scale::all());
    let plan = Plan { children: 20, depth: 2, kept: None };
    let tally = hold_shipped(&only, &context, plan).unwrap_or_else(|failure| panic!("{failure}"));
    assert!(tally.offspring > 0, "{tally:?}");
}
