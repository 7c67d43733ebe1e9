//! A report to be read: what came of the proposals, the differences, and at the end the seconds, which no two runs share.

use crate::interval::Interval;
use crate::report::{Difference, Mean, Rate, Report, Summary};

/// The repairs whose rates have a column.
const SHOWN: [usize; 3] = [0, 1, 3];

/// The lines of a report.
#[must_use]
pub fn table(report: &Report) -> String {
    [validity(report), costs(report), differences(report), seconds(report)].join("\n")
}

/// What came of the proposals.
fn validity(report: &Report) -> String {
    let head = ["valid, % [95 %]", "at first try", "<= 1 repair", "<= 3 repairs", "in the end", "designs", "refused"];
    let rows = report.variants.iter().map(|summary| {
        let within = |repairs: usize| percent(*summary.within.get(repairs).unwrap_or(&summary.valid));
        let [first, one, three] = SHOWN.map(within);
        let designs = format!("{} of {}", summary.valid.hits, summary.valid.of);
        let name = summary.variant.name().to_owned();
        vec![name, first, one, three, percent(summary.valid), designs, summary.refused.to_string()]
    });
    laid_out(&head, rows.collect())
}

/// What they took.
fn costs(report: &Report) -> String {
    let head = ["a proposal takes [95 %]", "repairs", "tokens read", "tokens written", "USD in all"];
    let row = |summary: &Summary| {
        let money = summary.money.map_or("unknown".to_owned(), |money| money.to_string().replace(" USD", ""));
        let means = [&summary.repairs, &summary.read, &summary.written];
        let [repairs, read, written] = [figure(means[0], 2), figure(means[1], 0), figure(means[2], 0)];
        vec![summary.variant.name().to_owned(), repairs, read, written, money]
    };
    laid_out(&head, report.variants.iter().map(row).collect())
}

fn differences(report: &Report) -> String {
    let head = ["first less second, same proposals", "valid, points", "alone", "p", "repairs", "tokens"];
    let row = |difference: &Difference| {
        let Difference { first, second, first_alone, second_alone, .. } = difference;
        let (low, high) = difference.interval;
        vec![
            format!("{} - {}", first.name(), second.name()),
            format!("{:+.0} {}", 100.0 * difference.valid, within((100.0 * low, 100.0 * high), 0)),
            format!("{first_alone} : {second_alone}"),
            probability(difference.probability),
            figure(&difference.repairs, 2),
            figure(&difference.tokens, 0),
        ]
    };
    laid_out(&head, report.differences.iter().map(row).collect())
}

fn seconds(report: &Report) -> String {
    let head = ["seconds of a proposal [95 %]", "of the model", "of all else"];
    let row = |summary: &Summary| {
        let waited = summary.model_seconds.map_or("not measured".to_owned(), |mean| figure(&mean, 2));
        vec![summary.variant.name().to_owned(), waited, figure(&summary.own_seconds, 3)]
    };
    laid_out(&head, report.variants.iter().map(row).collect())
}

/// `0.031`, `< 0.001`
fn probability(value: f64) -> String {
    if value < 0.000_5 { "< 0.001".to_owned() } else { format!("{value:.3}") }
}

/// `70 [48, 85]`
fn percent(rate: Rate) -> String {
    let (low, high) = rate.interval;
    let part = if rate.of == 0 { 0.0 } else { 100.0 * rate.hits as f64 / rate.of as f64 };
    format!("{part:.0} {}", within((100.0 * low, 100.0 * high), 0))
}

fn figure(mean: &Mean, decimals: usize) -> String {
    format!("{:.decimals$} {}", mean.mean, within(mean.interval, decimals))
}

fn within((low, high): Interval, decimals: usize) -> String {
    format!("[{low:.decimals$}, {high:.decimals$}]")
}

/// Columns under their heads, the first to the left and the others to the right.
fn laid_out(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut lines: Vec<Vec<String>> = vec![head.iter().map(|cell| (*cell).to_owned()).collect()];
    lines.extend(rows);
    let widths: Vec<usize> =
        (0..head.len()).map(|i| lines.iter().map(|line| line[i].len()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).enumerate().map(|(i, (cell, width))| match i {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}
