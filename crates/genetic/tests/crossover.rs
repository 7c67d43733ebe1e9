//! Crossover of the shipped designs: what every offspring must be.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;

use common::{CONTEXT, PARENTS, SCALES, assert_sound, checked, named};
use genesys_genetic::crossover;

#[test]
fn every_crossing_gives_a_sound_offspring_of_both() {
    for first in PARENTS.iter() {
        for second in PARENTS.iter().filter(|second| second.hash() != first.hash()) {
            let mut seen = BTreeSet::from([first.hash().to_string(), second.hash().to_string()]);
            let mut all = crossover(first, second, &CONTEXT, 0);
            for child in &mut all {
                assert_sound(&child, &mut seen);
                assert_eq!(child.parents, [first.hash().clone(), second.hash().clone()]);
                let says = |name: &str| child.text().lines().next().unwrap().contains(name);
                assert!(says(first.name()) && says(second.name()), "{}", child.text());
            }
            let tally = all.tally();
            let refused: Vec<_> =
                all.refused().iter().map(|r| (r.operator, &r.detail, &r.diagnostics, &r.text)).collect();
            assert!(refused.is_empty(), "{} x {}: {refused:#?}", first.name(), second.name());
            assert!(tally.offspring >= 5, "{} x {}: {tally:?}", first.name(), second.name());
        }
    }
}

/// Five features per head have no halves: what no scale can have is no offspring, and no fault of
/// whoever proposes it.
#[test]
fn a_size_that_is_whole_at_no_scale_gives_no_offspring() {
    let first = checked(include_str!("../../../designs/mechanisms/rwkv6.gau")).design.unwrap();
    let second = checked(include_str!("../../../designs/retnet.gau")).design.unwrap();
    let mut all = crossover(&first, &second, &CONTEXT, 0);
    let texts: Vec<String> = all.by_ref().map(|child| child.text()).collect();
    let refused: Vec<_> = all.refused().iter().map(|r| (r.operator, &r.detail, &r.diagnostics)).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    assert!(all.tally_by_operator()["cross-expression"].off_scale > 0, "{:?}", all.tally_by_operator());
    assert!(texts.iter().any(|text| text.contains("RetentionQ<")), "where it has halves, it is taken");
}

#[test]
fn every_operator_crosses() {
    let layered = include_str!("../../../designs/gpt.gau").replace("RmsNorm", "LayerNorm");
    let layered = checked(&layered).design.unwrap();
    let mut made = BTreeSet::new();
    for (first, second) in [("Gpt", named("Odd")), ("Gla", named("Gpt")), ("Gla", &layered)] {
        made.extend(crossover(named(first), second, &CONTEXT, 0).map(|child| child.operator));
    }
    let expected = ["cross-call", "cross-expression", "cross-field", "cross-stack", "cross-sublayer", "cross-unit"];
    assert_eq!(made.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn equal_parents_have_nothing_to_exchange() {
    let gpt = named("Gpt");
    let mut all = crossover(gpt, &gpt.clone(), &CONTEXT, 0);
    assert!(all.next().is_none());
    assert_eq!(all.tally().tried, 0);
}

#[test]
fn the_seed_picks_the_order_alone() {
    let (gpt, gla) = (named("Gpt"), named("Gla"));
    let texts = |seed| crossover(gpt, gla, &CONTEXT, seed).map(|child| child.text()).collect::<Vec<_>>();
    let set = |seed| {
        let hashes = crossover(gpt, gla, &CONTEXT, seed).map(|child| child.design.hash().to_string());
        hashes.collect::<BTreeSet<_>>()
    };
    assert_eq!(texts(1), texts(1));
    assert_ne!(texts(1), texts(2));
    assert_eq!(set(1), set(2));
}

#[test]
fn offspring_run_where_the_first_parent_runs() {
    // The first parent's heads exist from the width 128 on; the second runs everywhere.
    let gla = include_str!("../../../designs/gla.gau").replace("H = D / 64", "H = D / 128");
    let first = checked(&gla).design.unwrap();
    let wide: Vec<_> = SCALES.iter().filter(|scale| first.at_scale(scale).is_ok()).collect();
    assert!(!wide.is_empty() && wide.len() < SCALES.len());
    let mut all = crossover(&first, named("Gpt"), &CONTEXT, 0);
    assert!(all.by_ref().all(|child| wide.iter().all(|scale| child.design.at_scale(scale).is_ok())));
    assert!(all.tally().offspring >= 10);
    // And the other way round the narrow second parent narrows nothing.
    let mut all = crossover(named("Gpt"), &first, &CONTEXT, 0);
    assert!(all.by_ref().all(|child| SCALES.iter().all(|scale| child.design.at_scale(scale).is_ok())));
    assert!(all.tally().off_scale > 0, "{:?}", all.tally());
}

#[test]
fn units_that_differ_in_name_only_are_told_apart_by_meaning() {
    // The same design under other names has the same hash, so that there is nothing to cross.
    let text = include_str!("../../../designs/gpt.gau").replace("Attention", "Looking").replace("Block", "Layer");
    let twin = checked(&text).design.unwrap();
    assert_eq!(crossover(named("Gpt"), &twin, &CONTEXT, 0).count(), 0);
}

#[test]
fn a_taken_unit_keeps_clear_of_the_units_it_meets() {
    // Both call a unit `Attention`, which means something else in each.
    let gpt = include_str!("../../../designs/gpt.gau");
    let other = gpt.replace("H = 8, E = D / 8", "H = 4, E = D / 4").replace("SwiGlu", "GeGlu");
    let second = checked(&other).design.unwrap();
    let mut all = crossover(named("Gpt"), &second, &CONTEXT, 0);
    let taken = ["Block: Attention -> Attention", "Block: Attention for Attention"];
    let text = all.find(|child| taken.contains(&child.detail.as_str())).unwrap().text();
    assert!(text.contains("unit Attention2<H = 4, E = D / 4>") && text.contains("Attention2("), "{text}");
    assert!(!text.contains("unit Attention<"), "what lost its last use is gone: {text}");
}
