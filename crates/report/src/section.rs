//! One design: where it came from, how it did, what was changed, its source.
//!
//! In: an entry. Out: an article that links lead to. Every text of a design is escaped by the markup's maker.

use genesys_evolve::Training;
use maud::{Markup, html};

use crate::board::score;
use crate::diff::difference;
use crate::highlight::highlight;
use crate::needs::needs;
use crate::number::{bytes, count, grouped};
use crate::provenance::chain;
use crate::run::{Entry, View};
use crate::summary::link;

/// The article.
pub(crate) fn article(entry: &Entry<'_>, view: &View<'_>) -> Markup {
    let heading = format!("{}-name", entry.anchor());
    html! {
        article id=(entry.anchor()) aria-labelledby=(heading) {
            h3 id=(heading) { (entry.proposed.name) " " span.rank { "rank " (entry.row.rank) } }
            p { (origin(entry, view)) }
            (facts(entry))
            (trainings(entry))
            (chain(view.run.state, entry.proposed))
            @for parent in view.parents(entry) { (changes(entry, parent)) }
            details {
                summary { "Source, " (count(entry.proposed.text.lines().count() as u64, "line")) }
                pre.source tabindex="0" { code { (highlight(&entry.proposed.text)) } }
            }
        }
    }
}

fn origin(entry: &Entry<'_>, view: &View<'_>) -> Markup {
    let proposed = entry.proposed;
    html! {
        @if let Some(operator) = &proposed.operator { "Made by " code { (operator) } } @else { "The run started from it" }
        @for (at, parent) in view.parents(entry).enumerate() { (if at == 0 { ", from " } else { " and " }) (link(parent)) }
        ", in generation " (proposed.place.generation) "."
        @if proposed.baseline { " The others are compared with it." }
    }
}

fn facts(entry: &Entry<'_>) -> Markup {
    let needs = needs(&entry.proposed.text);
    html! {
        dl.facts {
            div { dt { "bits per byte" } dd { (score(entry)) } }
            div { dt { "parameters" } dd { (grouped(entry.row.parameters)) } }
            div { dt { "decode state" } dd { (bytes(entry.row.state_bytes)) } }
            @if let Some(needs) = &needs { div { dt { "runs at" } dd { (needs.rungs) } } }
            div.wide { dt { "verdict" } dd { (entry.verdict) } }
            @if let Some(needs) = needs.filter(|needs| !needs.conditions.is_empty()) {
                div.wide { dt { "requires of the width D" } dd { (needs.conditions.join("; ")) } }
            }
            div.wide { dt { "hash" } dd { code { (entry.row.hash) } } }
        }
    }
}

fn trainings(entry: &Entry<'_>) -> Markup {
    html! {
        @if !entry.trainings.is_empty() {
            div.scroll {
                table.trainings {
                    caption { "Trainings" }
                    thead {
                        tr {
                            th.number scope="col" { "seed" }
                            th.number scope="col" { "untrained" }
                            th.number scope="col" { "trained, bits per byte" }
                            th.number scope="col" { "nats a token" }
                        }
                    }
                    tbody { @for training in &entry.trainings { (training_row(training)) } }
                }
            }
        }
    }
}

fn training_row(training: &Training) -> Markup {
    html! {
        tr {
            th.number scope="row" { (training.submitted.seed) }
            @match &training.result {
                Some(Ok(finished)) => {
                    td.number { (format!("{:.4}", finished.start.bits_per_byte)) }
                    td.number { (format!("{:.4}", finished.trained.bits_per_byte)) }
                    td.number { (format!("{:.4}", finished.trained.nats)) }
                }
                Some(Err(failure)) => td colspan="3" { "failed: " (failure) },
                None => td colspan="3" { "not done yet" },
            }
        }
    }
}

fn changes(entry: &Entry<'_>, parent: &Entry<'_>) -> Markup {
    let found = difference(&parent.proposed.text, &entry.proposed.text);
    html! {
        details open {
            summary { "Changes from " (parent.proposed.name) ", +" (found.added) " −" (found.removed) " lines" }
            pre.diff tabindex="0" { code { (found.markup) } }
        }
    }
}
