//! Who came from whom, drawn: one design a line, under the parent it came from first.
//!
//! In: a view. Out: a figure. From left to right go generations; the color of a mark is the design's place among the
//! scores, in fifths; its shape says whether it has one. A line along a second parent is dashed. Each mark leads to
//! the design's section.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use crate::number::count;
use crate::run::{Entry, View};
use crate::ticks::class;

/// Classes of color.
const CLASSES: usize = 5;

/// Height of a line, in pixels.
const LINE: usize = 26;

/// From one generation to the next, in pixels.
const COLUMN: usize = 44;

/// Space at the left edge, to the middle of the first mark.
const MARGIN: usize = 16;

/// Half the size of a mark.
const RADIUS: usize = 7;

/// A generous width of a letter.
const LETTER: usize = 8;

/// Letters of an operator that are shown; the section of the design has all of them.
const OPERATOR_SHOWN: usize = 72;

/// A design in its place.
struct Node<'v, 'a> {
    entry: &'v Entry<'a>,
    x: usize,
    y: usize,
}

/// The figure.
pub(crate) fn figure(view: &View<'_>) -> Markup {
    let nodes = layout(view);
    let places: BTreeMap<&str, (usize, usize)> =
        nodes.iter().map(|node| (node.entry.proposed.hash.as_str(), (node.x, node.y))).collect();
    let line_of_best = ancestry(view);
    let scores = sorted_scores(view);
    let width = nodes.iter().map(|node| node.x + LETTER * label(node.entry).chars().count()).max().unwrap_or(0) + 40;
    let height = nodes.len() * LINE + 8;
    html! {
        figure {
            div.scroll tabindex="0" role="region" aria-label="Lineage tree" {
                svg.tree width=(width) height=(height) role="group" aria-labelledby="tree-title tree-desc" {
                    title id="tree-title" { "Lineage tree" }
                    desc id="tree-desc" {
                        "One line a design, under its first parent; " (count(nodes.len() as u64, "design")) "."
                    }
                    @for best in [false, true] {
                        @for node in &nodes { (edges(node, view, &places, &line_of_best, best)) }
                    }
                    @for node in &nodes { (mark(node, &scores)) }
                }
            }
            (legend(&scores))
        }
    }
}

/// The designs in the order of their lines: each one behind its first parent, with its own offspring behind it.
fn layout<'v, 'a>(view: &'v View<'a>) -> Vec<Node<'v, 'a>> {
    let mut children: BTreeMap<Option<usize>, Vec<&Entry<'a>>> = BTreeMap::new();
    let mut by_number: Vec<&Entry<'a>> = view.entries.iter().collect();
    by_number.sort_by_key(|entry| entry.number);
    for entry in by_number {
        children.entry(first_parent(view, entry).map(|parent| parent.number)).or_default().push(entry);
    }
    let mut open: Vec<&Entry<'a>> = children.remove(&None).unwrap_or_default();
    open.reverse();
    let mut nodes = Vec::new();
    while let Some(entry) = open.pop() {
        let generation = usize::try_from(entry.proposed.place.generation).unwrap_or(0);
        nodes.push(Node { entry, x: MARGIN + COLUMN * generation, y: LINE / 2 + 4 + LINE * nodes.len() });
        open.extend(children.remove(&Some(entry.number)).unwrap_or_default().into_iter().rev());
    }
    nodes
}

/// A parent always stands before its offspring; in a log where it does not, the offspring stands for itself.
fn first_parent<'v, 'a>(view: &'v View<'a>, entry: &'v Entry<'a>) -> Option<&'v Entry<'a>> {
    view.parents(entry).find(|parent| parent.number < entry.number)
}

/// The hashes of the best design and of all it came from.
fn ancestry<'v>(view: &'v View<'_>) -> BTreeSet<&'v str> {
    let mut line = BTreeSet::new();
    let mut open: Vec<&Entry<'_>> = view.best().into_iter().collect();
    while let Some(entry) = open.pop() {
        if line.insert(entry.proposed.hash.as_str()) {
            open.extend(view.parents(entry));
        }
    }
    line
}

/// The lines from its parents to a node: those on the way to the best design, or the others.
fn edges(
    node: &Node<'_, '_>,
    view: &View<'_>,
    places: &BTreeMap<&str, (usize, usize)>,
    line_of_best: &BTreeSet<&str>,
    best: bool,
) -> Markup {
    let first = first_parent(view, node.entry).map(|parent| parent.number);
    let is_best = |entry: &Entry<'_>| line_of_best.contains(entry.proposed.hash.as_str());
    let (x, y) = (node.x, node.y);
    let wanted = |parent: &&Entry<'_>| (is_best(parent) && is_best(node.entry)) == best;
    html! {
        @for parent in view.parents(node.entry).filter(wanted) {
            @let (px, py) = places[parent.proposed.hash.as_str()];
            @if Some(parent.number) == first {
                path.edge.best[best] d={ "M" (px) " " (py) "V" (y - 6) "q0 6 6 6H" (x.max(px + 6)) } {}
            } @else {
                path.edge.second.best[best] d={ "M" (px) " " (py) "C" (px + 20) " " (y) " " (px + 10) " " (y) " " (x) " " (y) } {}
            }
        }
    }
}

/// A mark with its label, as a link.
fn mark(node: &Node<'_, '_>, scores: &[f64]) -> Markup {
    let entry = node.entry;
    let operator = entry.proposed.operator.as_deref();
    html! {
        a.node href={ "#" (entry.anchor()) } {
            title { (entry.proposed.name) ": " (entry.verdict) @if let Some(operator) = operator { "; " (operator) } }
            g transform={ "translate(" (node.x) " " (node.y) ")" } { (shape(entry, scores)) }
            text x=(node.x + RADIUS + 9) y=(node.y + 4) {
                tspan.name { (entry.proposed.name) }
                tspan.score dx="8" { (score(entry)) }
                @if let Some(operator) = operator { tspan.operator dx="8" { (shown(operator)) } }
            }
        }
    }
}

fn shape(entry: &Entry<'_>, scores: &[f64]) -> Markup {
    match entry.row.bits_per_byte {
        Some(score) => {
            let color = format!("mark q{}", class(scores, score, CLASSES));
            html! {
                @if entry.proposed.baseline {
                    @if entry.row.deviation.is_some() { rect.ring x="-10" y="-10" width="20" height="20" {} }
                    (square(&color))
                } @else {
                    @if entry.row.deviation.is_some() { circle.ring r=(RADIUS + 3) {} }
                    circle class=(color) r=(RADIUS) {}
                }
            }
        }
        None if entry.is_failed() => cross(),
        None => html! { circle.mark.open r=(RADIUS) {} },
    }
}

fn square(class: &str) -> Markup {
    html! { rect class=(class) x="-6.5" y="-6.5" width="13" height="13" {} }
}

fn cross() -> Markup {
    html! { path.cross d="M-6 -6L6 6M-6 6L6 -6" {} }
}

fn score(entry: &Entry<'_>) -> String {
    match entry.row.bits_per_byte {
        Some(score) => format!("{score:.4}"),
        None => entry.verdict.word.as_str().to_owned(),
    }
}

fn shown(operator: &str) -> String {
    match operator.char_indices().nth(OPERATOR_SHOWN) {
        Some((end, _)) => format!("{}…", &operator[..end]),
        None => operator.to_owned(),
    }
}

/// As long as what stands beside the mark.
fn label(entry: &Entry<'_>) -> String {
    let operator = entry.proposed.operator.as_deref().map(shown).unwrap_or_default();
    format!("{}  {}  {operator}", entry.proposed.name, score(entry))
}

fn sorted_scores(view: &View<'_>) -> Vec<f64> {
    let mut scores: Vec<f64> = view.entries.iter().filter_map(|entry| entry.row.bits_per_byte).collect();
    scores.sort_by(f64::total_cmp);
    scores
}

fn legend(scores: &[f64]) -> Markup {
    let key =
        |shape: Markup| html! { svg width="20" height="20" viewBox="-10 -10 20 20" aria-hidden="true" { (shape) } };
    html! {
        figcaption {
            ul.legend {
                @for fifth in 0..CLASSES {
                    @let of_class = scores.iter().filter(|score| class(scores, **score, CLASSES) == fifth);
                    @let bounds = (of_class.clone().next(), of_class.clone().next_back());
                    @if let (Some(low), Some(high)) = bounds {
                        li { (key(html! { circle class=(format!("mark q{fifth}")) r=(RADIUS) {} })) (format!("{low:.3} to {high:.3}")) }
                    }
                }
                li { (key(square("mark"))) "baseline" }
                li { (key(html! { circle.ring r="9" {} circle.mark r="6" {} })) "several seeds" }
                li { (key(cross())) "failed" }
                li { (key(html! { circle.mark.open r=(RADIUS) {} })) "not trained yet" }
            }
            p {
                "Numbers are bits per byte, less is better. The thick line leads to the best design; a dashed one comes \
                 from a second parent."
            }
        }
    }
}
