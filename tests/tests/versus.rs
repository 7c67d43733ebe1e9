//! Random expressions of `cargo xtask versus torch`: every one is a design, and measures something.

use std::collections::BTreeSet;

use benches::versus::Expression;
use genesys_compiler::{check_text, compile};

/// As many as the longest run measures.
const EXPRESSIONS: u64 = 200;

#[test]
fn every_expression_is_a_design_that_runs() {
    for seed in 0..EXPRESSIONS {
        let expression = Expression::draw(seed);
        let text = expression.design().expect("each operation has a text");
        let checked = check_text("expression", &text);
        let design = checked.design.unwrap_or_else(|| panic!("seed {seed}: {:?}\n{text}", checked.diagnostics));
        let scale = expression.scale();
        assert!(compile(&design, &scale, scale.vocabulary).is_ok(), "seed {seed}\n{text}");
    }
}

#[test]
fn every_value_is_read_later_and_none_before_it_is_made() {
    for seed in 0..EXPRESSIONS {
        let Expression { nodes, .. } = Expression::draw(seed);
        let mut read: BTreeSet<usize> = BTreeSet::new();
        for (i, node) in nodes.iter().enumerate().filter(|(_, node)| node.op != "weight") {
            assert!(node.of.iter().all(|operand| *operand < i), "seed {seed}: {nodes:?}");
            read.extend(&node.of);
        }
        assert_eq!(read.len(), nodes.len() - 1, "seed {seed}: {nodes:?}");
    }
}

#[test]
fn a_seed_gives_one_expression_and_both_kinds_are_drawn() {
    let texts: BTreeSet<String> = (0..EXPRESSIONS).filter_map(|seed| Expression::draw(seed).design().ok()).collect();
    assert_eq!(texts.len() as u64, EXPRESSIONS);
    assert_eq!(Expression::draw(7), Expression::draw(7));
    let backward = (0..EXPRESSIONS).filter(|seed| Expression::draw(*seed).backward).count() as u64;
    assert_eq!(backward, EXPRESSIONS / 2);
}
