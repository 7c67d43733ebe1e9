//! What a reader wants first: who leads, by how much, how sure that is; and what all trainings had in common.
//!
//! In: a view. Out: sentences, and a list of conditions.

use maud::{Markup, html};

use crate::number::{count, grouped};
use crate::run::{Entry, View};
use crate::verdict::Word;

/// The sentences.
pub(crate) fn sentences(view: &View<'_>) -> Markup {
    html! {
        @if !view.is_over() {
            p.notice role="note" { strong { "This run is not finished" } ": " (progress(view)) " What follows is what is known so far." }
        }
        p.lead { (leader(view)) }
        @if let Some(caution) = caution(view) { p.caution { (caution) } }
        p { (tally(view)) }
    }
}

fn progress(view: &View<'_>) -> String {
    let state = view.run.state;
    let open = state.trainings.iter().filter(|training| training.result.is_none()).count() as u64;
    let stage = match &state.finalists {
        Some(_) => "the best designs are trained with more seeds".to_owned(),
        None => format!("generation {} of {}", state.generation, state.started.settings.generations),
    };
    format!("{stage}, {} not done.", count(open, "training"))
}

fn leader(view: &View<'_>) -> Markup {
    let Some(best) = view.best() else {
        return html! { "No design has a score yet." };
    };
    html! {
        (link(best)) " is the best of " (count(view.entries.len() as u64, "design")) ": " (measured(best))
        @match view.baseline() {
            Some(baseline) if best.proposed.baseline => { ". It is the baseline " (baseline.proposed.name) ": nothing better was found." }
            Some(baseline) => (against(best, baseline)),
            None => ".",
        }
    }
}

fn against(best: &Entry<'_>, baseline: &Entry<'_>) -> Markup {
    let scores = best.row.bits_per_byte.zip(baseline.row.bits_per_byte);
    html! {
        @if let Some((mean, reference)) = scores {
            ", " (format!("{:.4}", (mean - reference).abs())) @if mean <= reference { " below" } @else { " above" }
            " the baseline " (link(baseline)) " (" (measured(baseline)) ")."
        } @else {
            "; the baseline " (link(baseline)) " has no score."
        }
    }
}

/// `3.2980 ±0.0139 bits per byte over 3 seeds`
fn measured(entry: &Entry<'_>) -> String {
    let mean = entry.row.bits_per_byte.unwrap_or(f64::NAN);
    let spread = entry.row.deviation.map_or(String::new(), |deviation| format!(" ±{deviation:.4}"));
    format!("{mean:.4}{spread} bits per byte over {}", count(entry.row.seeds, "seed"))
}

/// What keeps the lead from being a fact.
fn caution(view: &View<'_>) -> Option<String> {
    let best = view.best()?;
    match best.verdict.word {
        Word::OneSeed => Some(
            "Caution: one seed tells little. The spread over seeds is not known here, and the best of many single \
             trainings looks better than it is."
                .to_owned(),
        ),
        Word::Even => Some(format!(
            "Caution: this is no more than two standard errors away from the baseline ({}), which may be luck.",
            best.verdict.reason
        )),
        Word::Better => Some(format!(
            "That is more than two standard errors ({}). The seeds are few and the best was chosen by its first one, so \
             the true lead is probably smaller.",
            best.verdict.reason
        )),
        Word::Baseline | Word::Worse | Word::Failed | Word::Untrained => None,
    }
}

fn tally(view: &View<'_>) -> String {
    let state = view.run.state;
    let done = state.trainings.iter().filter(|training| training.result.is_some()).count() as u64;
    let failed = view.entries.iter().filter(|entry| entry.is_failed()).count() as u64;
    format!(
        "{} in {}, {} done; {} failed; {} rejected (equal to a design known before, or not able to run).",
        count(view.entries.len() as u64, "design"),
        count(state.started.settings.generations + 1, "generation"),
        count(done, "training"),
        count(failed, "design"),
        count(state.rejected, "proposal"),
    )
}

/// A design's name, leading to its section.
pub(crate) fn link(entry: &Entry<'_>) -> Markup {
    html! { a href={ "#" (entry.anchor()) } { (entry.proposed.name) } }
}

/// What all trainings had in common, and what decided the run.
pub(crate) fn conditions(view: &View<'_>) -> Markup {
    let started = &view.run.state.started;
    let (settings, scale, text) = (&started.settings, &started.settings.scale, &started.text);
    let tokens = scale.steps * scale.tokens_per_step();
    let facts: [(&str, String); 9] = [
        ("seed", settings.seed.to_string()),
        ("search", format!("{} of {} offspring", count(settings.generations, "generation"), settings.population)),
        ("final", format!("the best {} and the baseline, {} each", settings.finalists, count(settings.seeds, "seed"))),
        ("every training", format!("{}, {} tokens", count(scale.steps, "step"), grouped(tokens))),
        ("scale", format!("{}: width {}, {}", scale.name, scale.width, count(scale.blocks, "block"))),
        ("rows", format!("{} of {} tokens a step", scale.rows, scale.context)),
        ("peak learning rate", scale.learning_rate.to_string()),
        ("vocabulary", format!("{} tokens", grouped(text.vocabulary))),
        ("program", format!("genesys {}, trainer {}", started.program, started.trainer)),
    ];
    let hashes = [("run", view.run.digest), ("text", &text.corpus_hash), ("tokenizer", &text.tokenizer_hash)];
    html! {
        dl.facts {
            @for (name, value) in &facts { div { dt { (name) } dd { (value) } } }
            @for (name, hash) in hashes { div.wide { dt { (name) } dd { code { (hash) } } } }
        }
    }
}
