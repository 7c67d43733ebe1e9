//! A profile as stacks: the design, the pass, the units that call one another, the operation and its kernel; and as a picture.
//!
//! In: what was measured. Out: a line a stack with its nanoseconds, as the tools that draw flame graphs read it; or an SVG of them.
//! Lines are sorted, and colors follow from names: two pictures differ in what was measured only.

use std::collections::BTreeMap;

use inferno::flamegraph::{self, Options};

use crate::measure::Measured;
use crate::piece::pieces;
use crate::profile::Subject;

/// A line a stack: names from the outermost to the innermost, `;` between them, then nanoseconds.
pub fn to_folded(measured: &Measured, subject: &Subject) -> String {
    let mut stacks: BTreeMap<String, f64> = BTreeMap::new();
    let mut add = |names: &[&str], seconds: f64| {
        let all: Vec<String> =
            std::iter::once(subject.design.as_str()).chain(names.iter().copied()).map(plain).collect();
        *stacks.entry(all.join(";")).or_default() += seconds;
    };
    for piece in pieces(measured) {
        let pass = if piece.backward { "backward" } else { "forward" };
        let leaf = format!("{} in {}", piece.what, piece.kernel.kind);
        let names = [&[pass][..], &piece.unit, &[leaf.as_str()]].concat();
        add(&names, piece.amount.seconds);
    }
    add(&["batch"], measured.batch);
    add(&["optimizer"], measured.optimizer);
    let line = |(stack, seconds): (String, f64)| format!("{stack} {}\n", (1e9 * seconds).round() as u64);
    stacks.into_iter().map(line).collect()
}

/// A name as a part of a stack.
fn plain(name: &str) -> String {
    name.replace([';', '\n'], ",")
}

/// The stacks as a flame graph, an SVG that opens in a browser.
///
/// # Errors
/// There is no time to show.
pub fn to_flame(measured: &Measured, subject: &Subject) -> Result<String, String> {
    let folded = to_folded(measured, subject);
    let mut options = Options::default();
    options.title = format!("{} at {}: where a training step goes", subject.design, subject.scale);
    options.count_name = "ns".to_owned();
    options.deterministic = true;
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, folded.lines(), &mut svg).map_err(|error| error.to_string())?;
    String::from_utf8(svg).map_err(|error| error.to_string())
}
