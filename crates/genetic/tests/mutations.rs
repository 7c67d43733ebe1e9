//! Mutation of the shipped designs: what every offspring must be.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use genesys_check::{Checked, CheckedDesign, check};
use genesys_genetic::{Context, Offspring, mutations};
use genesys_ladder::Scale;
use genesys_span::Sources;
use genesys_syntax::ast::File;
use genesys_syntax::{parse, print};
use proptest::prelude::*;

const DESIGNS: [(&str, &str); 2] =
    [("gpt", include_str!("../../../designs/gpt.gau")), ("gla", include_str!("../../../designs/gla.gau"))];

static STD: LazyLock<File> = LazyLock::new(|| read(genesys_stdlib::TEXT));
static SCALES: LazyLock<Vec<Scale>> = LazyLock::new(Scale::all);
static PARENTS: LazyLock<Vec<CheckedDesign>> =
    LazyLock::new(|| DESIGNS.iter().map(|(_, text)| checked(text).design.unwrap()).collect());

fn read(text: &str) -> File {
    let mut sources = Sources::default();
    let id = sources.add("test.gau", text);
    let parsed = parse(&sources, id);
    assert!(parsed.diagnostics.is_empty(), "{:?}\n{text}", parsed.diagnostics);
    parsed.file
}

fn checked(text: &str) -> Checked {
    check(&read(text), &STD)
}

fn context() -> Context<'static> {
    Context { std: &STD, donors: &PARENTS, scales: &SCALES }
}

/// What every offspring must be; `seen` are the hashes it must differ from.
fn assert_sound(child: &Offspring, seen: &mut BTreeSet<String>) {
    let Offspring { text, design, operator, detail } = child;
    let again = checked(text);
    assert!(again.diagnostics.is_empty(), "{operator} {detail}: {:#?}\n{text}", again.diagnostics);
    assert_eq!(again.design.unwrap().hash(), design.hash(), "{operator} {detail}\n{text}");
    assert_eq!(print(&read(text)), *text, "{operator} {detail}: not canonical");
    assert!(seen.insert(design.hash().to_string()), "{operator} {detail}: stands twice\n{text}");
    for scale in SCALES.iter() {
        assert!(design.at_scale(scale).is_ok(), "{operator} {detail} does not run at {}\n{text}", scale.name);
    }
}

#[test]
fn every_change_of_a_shipped_design_gives_a_sound_offspring() {
    for (parent, (name, _)) in PARENTS.iter().zip(DESIGNS) {
        let mut seen = BTreeSet::from([parent.hash().to_string()]);
        let mut all = mutations(parent, &context(), 0);
        for child in &mut all {
            assert_sound(&child, &mut seen);
        }
        let tally = all.tally();
        println!("{name}: {tally:?}, valid {:.3}", tally.valid_share());
        assert!(tally.offspring >= 50, "{name}: {tally:?}");
        assert!(tally.valid_share() >= 0.9, "{name}: {tally:?}");
    }
}

#[test]
fn without_donors_there_are_still_many() {
    for parent in PARENTS.iter() {
        let alone = Context { donors: &[], ..context() };
        assert!(mutations(parent, &alone, 0).count() >= 50);
    }
}

#[test]
fn chains_of_mutations_do_not_stall() {
    for (start, seed) in PARENTS.iter().zip([11, 12]) {
        let mut parent = start.clone();
        let mut seen = BTreeSet::from([parent.hash().to_string()]);
        for step in 0..20 {
            let child = mutations(&parent, &context(), seed + step)
                .find(|child| !seen.contains(&child.design.hash().to_string()))
                .unwrap();
            assert_sound(&child, &mut seen);
            parent = child.design;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_seed_gives_the_same_sound_offspring_again(seed: u64, which in 0..DESIGNS.len(), steps in 1usize..4) {
        let mut parent = PARENTS[which].clone();
        for step in 0..steps as u64 {
            let draw = || mutations(&parent, &context(), seed ^ step).take(3).collect::<Vec<_>>();
            let (children, again) = (draw(), draw());
            let texts = |all: &[Offspring]| all.iter().map(|child| child.text.clone()).collect::<Vec<_>>();
            prop_assert_eq!(texts(&children), texts(&again));
            let mut seen = BTreeSet::from([parent.hash().to_string()]);
            children.iter().for_each(|child| assert_sound(child, &mut seen));
            parent = children.into_iter().next().unwrap().design;
        }
    }
}
