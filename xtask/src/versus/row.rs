//! A line of the table: a figure of ours against one of the peer, and what it must be.

use serde_json::{Value, json};

use super::samples::Samples;
use super::works::Bounds;

/// A line of the table.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) work: String,
    /// Which of our sides, and which form of the peer it is held to.
    pub(super) side: String,
    pub(super) against: String,
    /// In `unit`.
    pub(super) ours: Option<f64>,
    pub(super) peer: Option<f64>,
    pub(super) unit: &'static str,
    /// What the bounds are about.
    pub(super) ratio: Option<f64>,
    pub(super) bounds: Bounds,
    /// Spread, processor time, or why there is no figure.
    pub(super) note: String,
}

impl Row {
    /// A row of the times of two sides.
    pub(super) fn of_times(work: &str, bounds: Bounds, ours: (&str, &Samples), peer: (&str, &Samples)) -> Self {
        let span = |samples: &Samples| {
            let (low, high) = samples.spread();
            format!("{} .. {}", short(low), short(high))
        };
        let note = format!(
            "quarters {} and {}; processor {} and {} ms, ratio {:.2}",
            span(ours.1),
            span(peer.1),
            short(ours.1.processor),
            short(peer.1.processor),
            ours.1.processor / peer.1.processor
        );
        Self { note, ..Self::of(work, bounds, "ms", (ours.0, ours.1.median()), (peer.0, peer.1.median())) }
    }

    /// A row of two figures.
    pub(super) fn of(work: &str, bounds: Bounds, unit: &'static str, ours: (&str, f64), peer: (&str, f64)) -> Self {
        Self {
            work: work.to_owned(),
            side: ours.0.to_owned(),
            against: peer.0.to_owned(),
            ours: Some(ours.1),
            peer: Some(peer.1),
            unit,
            ratio: Some(ours.1 / peer.1),
            bounds,
            note: String::new(),
        }
    }

    /// A row of what one of our sides does not do.
    pub(super) fn refused(work: &str, bounds: Bounds, side: &str, why: &str) -> Self {
        let (work, side, note) = (work.to_owned(), side.to_owned(), why.to_owned());
        Self { work, side, against: String::new(), ours: None, peer: None, unit: "", ratio: None, bounds, note }
    }

    /// A line of a Markdown table under [`HEAD`].
    pub(super) fn line(&self) -> String {
        let figure = |value: Option<f64>| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{} {}", short(value), self.unit))
        };
        let ratio = self.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        let Self { work, side, against, bounds: Bounds { must, aim }, note, .. } = self;
        format!(
            "| `{work}` | {side} | {} | {} | {against} | {ratio} | {must} | {aim} | {} | {note} |",
            figure(self.ours),
            figure(self.peer),
            self.verdict()
        )
    }

    /// Whether it is what it must be.
    fn verdict(&self) -> &'static str {
        match self.ratio {
            None => "not measured",
            Some(ratio) if ratio <= self.bounds.aim => "aim",
            Some(ratio) if ratio <= self.bounds.must => "must",
            Some(_) => "missed",
        }
    }

    /// As JSON.
    pub(super) fn json(&self) -> Value {
        let Self { work, side, against, ours, peer, unit, ratio, bounds: Bounds { must, aim }, note } = self;
        json!({
            "work": work, "ours": ours, "peer": peer, "ratio": ratio, "must": must, "aim": aim,
            "side": side, "against": against, "unit": unit, "note": note,
        })
    }
}

/// The head of the table.
pub(super) const HEAD: &str = "| work | ours | time or size | peer | its form | ratio | must | aim | verdict | |\n\
     | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |";

/// A number with as many digits as say something.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 1.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { must: 1.0, aim: 0.5 };

    #[test]
    fn a_row_says_whether_it_is_what_it_must_be() {
        let row = |ours: f64| Row::of("gpt", BOUNDS, "ms", ("cpu", ours), ("compiled", 100.0));
        assert_eq!([40.0, 70.0, 130.0].map(|ours| row(ours).verdict()), ["aim", "must", "missed"]);
        let expected = "| `gpt` | cpu | 70.0 ms | 100 ms | compiled | 0.70 | 1 | 0.5 | must |  |";
        assert_eq!(row(70.0).line(), expected);
        assert_eq!(row(70.0).json()["ratio"], 0.7);
    }

    #[test]
    fn what_is_not_done_says_why() {
        let row = Row::refused("gpt-bf16", BOUNDS, "runtime", "it trains in f32");
        assert_eq!(row.line(), "| `gpt-bf16` | runtime | - | - |  | - | 1 | 0.5 | not measured | it trains in f32 |");
        assert!(row.json()["ours"].is_null());
    }
}
