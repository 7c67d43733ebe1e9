//! Rates, means and paired differences of rows: a pure function of them.

use std::collections::BTreeMap;

use genesys_llm::Money;
use serde::Serialize;

use crate::interval::{Interval, Pairs, bootstrap, mean, wilson};
use crate::row::Row;
use crate::variant::Variant;

/// A rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// How many are hits.
    pub hits: u64,
    /// Of how many.
    pub of: u64,
    /// Wilson's interval of 95 %.
    pub interval: Interval,
}

/// A mean of values of rows, or of differences of theirs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// The bootstrap's interval of 95 %.
    pub interval: Interval,
}

/// What a variant comes to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The variant.
    pub variant: Variant,
    /// Valid after at most `k` repairs, for `k` from 0, the first try, to the most that any row took.
    pub within: Vec<Rate>,
    /// Valid in the end.
    pub valid: Rate,
    /// Repairs of a proposal, whatever came of it.
    pub repairs: Mean,
    /// Tokens read for a proposal.
    pub read: Mean,
    /// Tokens written for a proposal.
    pub written: Mean,
    /// What all rows cost together, in 10^-12 USD; none where a row has no price.
    pub money: Option<Money>,
    /// Seconds of a proposal that were waited for the model; none where a row has none.
    pub model_seconds: Option<Mean>,
    /// All other seconds of a proposal.
    pub own_seconds: Mean,
    /// How many rows ended because the server would not go on.
    pub refused: u64,
}

/// A variant less another one, over the proposals that both have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The one.
    pub first: Variant,
    /// The other.
    pub second: Variant,
    /// How many proposals both have.
    pub pairs: u64,
    /// Of how many the first alone made a design.
    pub first_alone: u64,
    /// Of how many the second alone did.
    pub second_alone: u64,
    /// The rate of designs of the first less that of the second.
    pub valid: f64,
    /// Newcombe's interval of 95 % of that.
    pub interval: Interval,
    /// McNemar's exact test of that, two-sided.
    pub probability: f64,
    /// Repairs.
    pub repairs: Mean,
    /// Tokens read and written.
    pub tokens: Mean,
}

/// What rows come to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Each variant, in the order of [`Variant::ALL`].
    pub variants: Vec<Summary>,
    /// Each pair of variants, in that order.
    pub differences: Vec<Difference>,
}

/// The report of rows. `seed` is what the bootstrap draws from; the order of rows does not matter.
#[must_use]
pub fn report(rows: &[Row], seed: u64) -> Report {
    let mut of = BTreeMap::<Variant, BTreeMap<&str, &Row>>::new();
    for row in rows {
        of.entry(row.variant).or_default().insert(&row.proposal, row);
    }
    let most = rows.iter().map(|row| row.repairs).max().unwrap_or(0);
    let variants = of.iter().map(|(variant, rows)| summary(*variant, rows, most, seed)).collect();
    let pairs = of.iter().enumerate().flat_map(|(i, first)| of.iter().skip(i + 1).map(move |second| (first, second)));
    let differences = pairs.map(|((a, rows), (b, others))| difference((*a, rows), (*b, others), seed)).collect();
    Report { variants, differences }
}

/// Rows of one variant by their proposals.
type Rows<'a> = BTreeMap<&'a str, &'a Row>;

fn rate(rows: &Rows<'_>, hit: impl Fn(&Row) -> bool) -> Rate {
    let hits = rows.values().filter(|row| hit(row)).count() as u64;
    Rate { hits, of: rows.len() as u64, interval: wilson(hits, rows.len() as u64) }
}

fn mean_of(values: &[f64], seed: u64) -> Mean {
    Mean { mean: mean(values), interval: bootstrap(values, seed) }
}

fn summary(variant: Variant, rows: &Rows<'_>, most: u64, seed: u64) -> Summary {
    let each = |value: &dyn Fn(&Row) -> f64| -> Vec<f64> { rows.values().map(|row| value(row)).collect() };
    let waited: Option<Vec<f64>> = rows.values().map(|row| row.model_seconds).collect();
    Summary {
        variant,
        within: (0..=most).map(|repairs| rate(rows, |row| row.is_valid_within(repairs))).collect(),
        valid: rate(rows, Row::is_valid),
        repairs: mean_of(&each(&|row| row.repairs as f64), seed),
        read: mean_of(&each(&|row| row.usage.input as f64), seed),
        written: mean_of(&each(&|row| row.usage.output as f64), seed),
        money: rows.values().map(|row| row.money).sum(),
        model_seconds: waited.map(|waited| mean_of(&waited, seed)),
        own_seconds: mean_of(&each(&|row| row.own_seconds), seed),
        refused: rows.values().filter(|row| row.refused.is_some()).count() as u64,
    }
}

fn difference((first, rows): (Variant, &Rows<'_>), (second, others): (Variant, &Rows<'_>), seed: u64) -> Difference {
    let both: Vec<(&Row, &Row)> =
        rows.iter().filter_map(|(proposal, row)| Some((*row, *others.get(proposal)?))).collect();
    let mut pairs = Pairs::default();
    for (a, b) in &both {
        *match (a.is_valid(), b.is_valid()) {
            (true, true) => &mut pairs.both,
            (true, false) => &mut pairs.first,
            (false, true) => &mut pairs.second,
            (false, false) => &mut pairs.neither,
        } += 1;
    }
    let less = |value: &dyn Fn(&Row) -> u64| -> Mean {
        let values: Vec<f64> = both.iter().map(|(a, b)| value(a) as f64 - value(b) as f64).collect();
        mean_of(&values, seed)
    };
    Difference {
        first,
        second,
        pairs: pairs.count(),
        first_alone: pairs.first,
        second_alone: pairs.second,
        valid: pairs.difference(),
        interval: pairs.interval(),
        probability: pairs.probability(),
        repairs: less(&|row| row.repairs),
        tokens: less(&Row::tokens),
    }
}
