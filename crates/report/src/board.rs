//! The leaderboard as a table.
//!
//! In: a view. Out: a table, best first, with the spread of each design drawn beside its numbers. Where a design lies
//! far behind the others, its mark stands at the edge.

use maud::{Markup, html};

use crate::number::{bytes, grouped, short_hash};
use crate::run::{Entry, View};

/// Width and height of a drawn spread, in pixels.
const SPREAD: (f64, f64) = (150.0, 22.0);

/// Space for a mark at both edges.
const EDGE: f64 = 7.0;

/// The table.
pub(crate) fn table(view: &View<'_>) -> Markup {
    let ruler = Ruler::new(view);
    html! {
        div.scroll tabindex="0" role="region" aria-labelledby="leaderboard" {
            table {
                thead {
                    tr {
                        th.number scope="col" { "rank" }
                        th scope="col" { "design" }
                        th.number scope="col" { "bits per byte" }
                        th.number scope="col" { "to baseline" }
                        th scope="col" { "spread" }
                        th.number scope="col" { "seeds" }
                        th.number scope="col" { "parameters" }
                        th.number scope="col" { "decode state" }
                        th scope="col" { "hash" }
                        th scope="col" { "verdict" }
                    }
                }
                tbody { @for entry in &view.entries { (row(entry, view, ruler.as_ref())) } }
            }
        }
        p.note {
            "Bits per byte of validation text, less is better; ± is the sample standard deviation over seeds. Designs with \
             several seeds come first. Spread: dots are seeds, the bar is one standard deviation around the mean, the line \
             is the baseline. Better and worse mean more than two standard errors away from the baseline."
        }
    }
}

fn row(entry: &Entry<'_>, view: &View<'_>, ruler: Option<&Ruler>) -> Markup {
    let reference = view.baseline().and_then(|baseline| baseline.row.bits_per_byte);
    let (proposed, row) = (entry.proposed, &entry.row);
    html! {
        tr.baseline[proposed.baseline] {
            td.number { (row.rank) }
            th scope="row" { a href={ "#" (entry.anchor()) } { (proposed.name) } }
            td.number { (score(entry)) }
            td.number { (lead(entry, reference)) }
            td { @if let Some(ruler) = ruler { (spread(entry, ruler)) } }
            td.number { (row.seeds) }
            td.number { (grouped(row.parameters)) }
            td.number { (bytes(row.state_bytes)) }
            td { code title=(row.hash) { (short_hash(&row.hash)) } }
            td { (verdict(entry)) }
        }
    }
}

/// `3.2980 ±0.0139`
pub(crate) fn score(entry: &Entry<'_>) -> Markup {
    match (entry.row.bits_per_byte, entry.row.deviation) {
        (Some(mean), Some(deviation)) => html! { (format!("{mean:.4}")) span.sd { (format!(" ±{deviation:.4}")) } },
        (Some(mean), None) => html! { (format!("{mean:.4}")) span.sd { "" } },
        (None, _) => html! { "–" },
    }
}

fn lead(entry: &Entry<'_>, reference: Option<f64>) -> String {
    match (entry.row.bits_per_byte, reference) {
        (Some(mean), Some(reference)) if !entry.proposed.baseline => format!("{:+.4}", mean - reference),
        _ => "–".to_owned(),
    }
}

/// The word, and the reason where it is not in the table already.
fn verdict(entry: &Entry<'_>) -> Markup {
    let word = entry.verdict.word.as_str();
    html! {
        span class=(format!("verdict {word}")) { (word) }
        @if entry.is_failed() { ": " (entry.verdict.reason) }
    }
}

/// From bits per byte to pixels, the same for all rows.
struct Ruler {
    low: f64,
    high: f64,
    baseline: Option<f64>,
}

impl Ruler {
    /// From the best seed to somewhat more than three quarters of the designs, the baseline in any case.
    fn new(view: &View<'_>) -> Option<Self> {
        let seeds = view.entries.iter().flat_map(Entry::finished).map(|(_, finished)| finished.trained.bits_per_byte);
        let (mut low, mut worst) = (f64::INFINITY, f64::NEG_INFINITY);
        seeds.for_each(|score| (low, worst) = (low.min(score), worst.max(score)));
        let mut means: Vec<f64> = view.entries.iter().filter_map(|entry| entry.row.bits_per_byte).collect();
        means.sort_by(f64::total_cmp);
        let most = *means.get(means.len() * 3 / 4)?;
        let baseline = view.baseline().and_then(|baseline| baseline.row.bits_per_byte);
        let high = (most + (most - low) / 2.0).min(worst).max(baseline.unwrap_or(most)).max(low + 1e-6);
        let air = (high - low) * 0.05;
        Some(Self { low: low - air, high: high + air, baseline })
    }

    fn at(&self, score: f64) -> f64 {
        let share = ((score - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        EDGE + share * (SPREAD.0 - 2.0 * EDGE)
    }
}

fn spread(entry: &Entry<'_>, ruler: &Ruler) -> Markup {
    let (Some(mean), (width, height)) = (entry.row.bits_per_byte, SPREAD) else { return html! {} };
    let middle = height / 2.0;
    let at = |score: f64| format!("{:.1}", ruler.at(score));
    html! {
        svg.spread width=(width) height=(height) role="img" aria-label=(format!("mean {mean:.4}, {} seeds", entry.row.seeds)) {
            @if let Some(baseline) = ruler.baseline { line.zero x1=(at(baseline)) x2=(at(baseline)) y1="0" y2=(height) {} }
            @if let Some(deviation) = entry.row.deviation {
                line.bar x1=(at(mean - deviation)) x2=(at(mean + deviation)) y1=(middle) y2=(middle) {}
                line.mean x1=(at(mean)) x2=(at(mean)) y1=(middle - 6.0) y2=(middle + 6.0) {}
            }
            @for (_, finished) in entry.finished() {
                @let score = finished.trained.bits_per_byte;
                circle.seed.beyond[score > ruler.high] cx=(at(score)) cy=(middle) r="3" {}
            }
        }
    }
}
