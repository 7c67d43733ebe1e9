//! What rows come to: counted by hand, and laws of it.
#![allow(clippy::unwrap_used)]

use genesys_agents_bench::{Report, Row, Variant, report, table};
use genesys_llm::{Money, Usage};
use proptest::prelude::*;

fn row(proposal: &str, variant: Variant, design: bool, repairs: u64) -> Row {
    Row {
        proposal: proposal.to_owned(),
        variant,
        design: design.then(|| "g2-0".to_owned()),
        answers: repairs + 1,
        repairs,
        refused: None,
        calls: repairs + 1,
        usage: Usage { input: 1_000 * (repairs + 1), output: 100, ..Usage::default() },
        money: Some(Money(5)),
        model_seconds: Some(2.0),
        own_seconds: 0.5,
    }
}

fn rows() -> Vec<Row> {
    use Variant::{ByUnits, Direct};
    vec![
        row("a", ByUnits, true, 0),
        row("b", ByUnits, true, 2),
        row("c", ByUnits, false, 9),
        row("a", Direct, true, 0),
        row("b", Direct, false, 0),
        row("c", Direct, false, 0),
    ]
}

#[test]
fn rates_and_means_are_those_counted_by_hand() {
    let Report { variants, differences } = report(&rows(), 0);
    let [units, direct] = &variants[..] else { panic!("{variants:?}") };
    let hits = |k: usize| units.within[k].hits;
    assert_eq!((units.within.len(), hits(0), hits(1), hits(2), hits(9)), (10, 1, 1, 2, 2));
    assert_eq!((units.valid.hits, units.valid.of, direct.valid.hits), (2, 3, 1));
    assert!((units.repairs.mean - 11.0 / 3.0).abs() < 1e-12 && units.written.mean == 100.0);
    assert_eq!((units.money, units.refused), (Some(Money(15)), 0));
    assert_eq!((units.model_seconds.unwrap().mean, units.own_seconds.interval), (2.0, (0.5, 0.5)));
    let [one] = &differences[..] else { panic!("{differences:?}") };
    assert_eq!((one.first, one.second, one.pairs), (Variant::ByUnits, Variant::Direct, 3));
    assert_eq!((one.first_alone, one.second_alone, one.probability), (1, 0, 1.0));
    assert!((one.valid - 1.0 / 3.0).abs() < 1e-12 && (one.tokens.mean - 11_000.0 / 3.0).abs() < 1e-9);
}

#[test]
fn what_one_row_lacks_the_sum_lacks_and_pairs_are_those_that_both_have() {
    let mut rows = rows();
    (rows[0].money, rows[1].model_seconds) = (None, None);
    rows[2].refused = Some("full".to_owned());
    rows.pop();
    let report = report(&rows, 0);
    assert_eq!((report.variants[0].money, report.variants[1].money), (None, Some(Money(10))));
    assert!(report.variants[0].model_seconds.is_none() && report.variants[0].refused == 1);
    assert_eq!(report.differences[0].pairs, 2);
    let text = table::table(&report);
    assert!(text.contains("unknown") && text.contains("not measured"), "{text}");
}

#[test]
fn a_table_is_laid_out_in_columns() {
    let text = table::table(&report(&rows(), 0));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("valid, % [95 %]") && lines[1].starts_with("by-units"), "{text}");
    assert!(
        lines[1].contains("33 [6, 79]") && lines[1].contains("67 [21, 94]") && lines[1].contains("2 of 3"),
        "{text}"
    );
    let ends: Vec<usize> = lines[..3].iter().map(|line| line.len()).collect();
    assert!(ends.iter().all(|end| *end == ends[0]), "{text}");
    assert!(text.contains("0.00000000001 ") || text.contains("0.000000000015"), "{text}");
    assert!(report(&[], 0).variants.is_empty() && table::table(&report(&[], 0)).contains("seconds"));
}

fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    let one = (0..6usize, 0..4usize, any::<bool>(), 0..9u64);
    prop::collection::vec(one, 0..30).prop_map(|all| {
        let names = ["a", "b", "c", "d", "e", "f"];
        let mut rows: Vec<Row> =
            all.into_iter().map(|(p, v, design, repairs)| row(names[p], Variant::ALL[v], design, repairs)).collect();
        rows.sort_by(|a, b| (&a.proposal, a.variant).cmp(&(&b.proposal, b.variant)));
        rows.dedup_by(|a, b| (&a.proposal, a.variant) == (&b.proposal, b.variant));
        rows
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn reports_are_of_rows_whatever_their_order(rows in any_rows()) {
        let found = report(&rows, 1);
        let mut turned = rows.clone();
        turned.reverse();
        prop_assert_eq!(&found, &report(&turned, 1));
        for summary in &found.variants {
            let of = rows.iter().filter(|row| row.variant == summary.variant).count() as u64;
            prop_assert_eq!(summary.valid.of, of);
            prop_assert!(summary.within.windows(2).all(|pair| pair[0].hits <= pair[1].hits));
            prop_assert_eq!(summary.within.last().unwrap(), &summary.valid);
        }
        let of = |variant| found.variants.iter().find(|summary| summary.variant == variant).unwrap();
        for difference in found.differences.iter().filter(|difference| {
            (of(difference.first).valid.of, of(difference.second).valid.of) == (difference.pairs, difference.pairs)
        }) {
            let rate = |variant| of(variant).valid.hits as f64 / difference.pairs as f64;
            prop_assert!((difference.valid - (rate(difference.first) - rate(difference.second))).abs() < 1e-12);
            let repairs = of(difference.first).repairs.mean - of(difference.second).repairs.mean;
            prop_assert!((difference.repairs.mean - repairs).abs() < 1e-9);
        }
    }
}
