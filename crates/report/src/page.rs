//! The page, from its parts.
//!
//! In: a run. Out: one HTML file that needs nothing else: no script, no network (its policy forbids both), no font. It
//! follows the reader's choice of light or dark, and works from a telephone's width to a wide screen's, and on paper.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::run::{Run, View};
use crate::{board, plot, provenance, section, summary, tree};

/// Nothing is loaded, and nothing runs; styles stand in the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Written by us, so it is put in as it is.
const STYLE: &str = include_str!("style.css");

/// The page of a run.
#[must_use]
pub fn page(run: Run<'_>) -> String {
    let view = View::new(run);
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            (head(&view))
            body {
                a.skip href="#summary" { "Skip to the summary" }
                (header(&view))
                main { (sections(&view)) }
                footer { p { "Written by genesys " (view.run.state.started.program) " from the log of the run; the same run gives the same page." } }
            }
        }
    };
    // NUL is the one character that HTML has no way to write.
    markup.into_string().replace('\0', "\u{fffd}") + "\n"
}

fn head(view: &View<'_>) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta http-equiv="Content-Security-Policy" content=(POLICY);
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title(view)) }
            style { (PreEscaped(STYLE)) }
        }
    }
}

fn title(view: &View<'_>) -> String {
    let seed = view.run.state.started.settings.seed;
    match view.best() {
        Some(best) => format!("Genesys run, seed {seed}: {} leads", best.proposed.name),
        None => format!("Genesys run, seed {seed}"),
    }
}

fn header(view: &View<'_>) -> Markup {
    html! {
        header {
            h1 { "Genesys run" span.seed { " seed " (view.run.state.started.settings.seed) } }
            nav aria-label="Sections" {
                ul {
                    @for (id, name) in sections_of(view) { li { a href={ "#" (id) } { (name) } } }
                }
            }
        }
    }
}

/// Identifier and heading of each section.
const SECTIONS: [(&str, &str); 7] = [
    ("summary", "Summary"),
    ("leaderboard", "Leaderboard"),
    ("lineage", "Lineage"),
    ("curves", "Loss curves"),
    ("dialogues", "Dialogues"),
    ("conditions", "Conditions"),
    ("designs", "Designs"),
];

/// Those that have something to say.
fn sections_of(view: &View<'_>) -> impl Iterator<Item = (&'static str, &'static str)> {
    let talked = !view.run.state.dialogues.is_empty();
    SECTIONS.into_iter().filter(move |(id, _)| talked || *id != "dialogues")
}

fn sections(view: &View<'_>) -> Markup {
    html! {
        @for (id, name) in sections_of(view) {
            section aria-labelledby=(id) {
                h2 id=(id) { (name) }
                @match id {
                    "summary" => (summary::sentences(view)),
                    "leaderboard" => (board::table(view)),
                    "lineage" => (tree::figure(view)),
                    "curves" => (plot::figure(view)),
                    "dialogues" => (provenance::dialogues(view.run.state)),
                    "conditions" => (summary::conditions(view)),
                    _ => { @for entry in &view.entries { (section::article(entry, view)) } }
                }
            }
        }
    }
}
