//! Why a design is as it is, to read: facts with their names, then what was said, what it rests on, and what it brought.

use std::fmt::Write;

use genesys_agents::proposal::Reference;
use genesys_literature::plain::{clean, one_line};

use super::{Dialogue, Made, Parent, Score, Why};
use crate::number::count;

/// The lines.
#[must_use]
pub fn text(why: &Why) -> String {
    let mut out = String::new();
    line(&mut out, format_args!("{}  [generation {}, rank {}]", why.name, why.generation, why.rank));
    if let Made::Dialogue(dialogue) = &why.made {
        line(&mut out, format_args!("{}", one_line(&dialogue.title)));
    }
    for (name, value) in facts(why) {
        line(&mut out, format_args!("{:<8} {value}", format!("{name}:")));
    }
    if let Made::Dialogue(dialogue) = &why.made {
        said(&mut out, dialogue);
    }
    if !why.parents.is_empty() {
        line(&mut out, format_args!("\neffect:"));
    }
    for parent in &why.parents {
        line(&mut out, format_args!("  against {}{}: {}", parent.name, best(why, parent), effect(why, parent)));
    }
    out
}

/// What there is to say of it, each under its name.
fn facts(why: &Why) -> Vec<(&'static str, String)> {
    let parents: Vec<&str> = why.parents.iter().map(|parent| parent.name.as_str()).collect();
    let from = match (&why.made, parents.is_empty()) {
        (Made::Run, _) => None,
        (Made::Operator { .. } | Made::Dialogue(_), true) => Some("no other design".to_owned()),
        (Made::Operator { .. } | Made::Dialogue(_), false) => Some(parents.join(" and ")),
    };
    let facts = [
        ("made by", Some(maker(&why.made))),
        ("from", from),
        ("units", why.units.as_ref().map(ToString::to_string)),
        ("trained", Some(trained(why))),
        ("verdict", Some(why.verdict.clone())),
        ("hash", Some(why.hash.clone())),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn maker(made: &Made) -> String {
    match made {
        Made::Run => "nobody: the run started from it".to_owned(),
        Made::Operator { operator } => format!("the operator {}", one_line(operator)),
        Made::Dialogue(dialogue) => {
            let rating = match dialogue.rating {
                Some(rating) => format!("a reviewer gave it {rating} of 5"),
                None => "no reviewer rated it".to_owned(),
            };
            format!("a dialogue with language models ({}); {rating}", dialogue.mode)
        }
    }
}

fn trained(why: &Why) -> String {
    match (scored(&why.score), &why.failure) {
        (Some(score), None) => score,
        (Some(score), Some(failure)) => format!("{score}; a training of it failed and is left out: {failure}"),
        (None, Some(failure)) => format!("it failed: {failure}"),
        (None, None) => "not yet".to_owned(),
    }
}

/// `3.2980 ±0.0139 bits per byte over 3 seeds`
fn scored(score: &Score) -> Option<String> {
    let spread = score.bpb_sd.map_or_else(String::new, |deviation| format!(" ±{deviation:.4}"));
    score.bpb.map(|mean| format!("{mean:.4}{spread} bits per byte over {}", count(score.seeds, "seed")))
}

/// The parts of the proposal that say why, and the sentences that it rests on.
fn said(out: &mut String, dialogue: &Dialogue) {
    for (name, part) in [("idea", &dialogue.idea), ("expected effect", &dialogue.expected)] {
        line(out, format_args!("\n{name}:\n{}", clean(part).trim_end()));
    }
    line(out, format_args!("\nrests on:"));
    for Reference { key, sentence } in &dialogue.references {
        line(out, format_args!("  {}: \"{}\"", one_line(key), one_line(sentence)));
    }
    if dialogue.references.is_empty() {
        line(out, format_args!("  no document"));
    }
}

/// Told only where there are several parents.
fn best(why: &Why, parent: &Parent) -> &'static str {
    let is_best = why.parents.len() > 1 && why.best_parent.as_ref() == Some(&parent.hash);
    if is_best { ", the best parent" } else { "" }
}

fn effect(why: &Why, parent: &Parent) -> String {
    let Some(effect) = &parent.effect else {
        let who = if why.score.bpb.is_none() { &why.name } else { &parent.name };
        return format!("not known, for {who} has no score");
    };
    let same = effect.same_seed.map(|same| format!("{same:+.4} bits per byte with the same seed"));
    match (effect.error, same) {
        (Some(error), same) => {
            let same = same.map_or_else(String::new, |same| format!("; {same}"));
            format!("{:+.4} bits per byte on the mean, standard error {error:.4}{same}", effect.mean)
        }
        (None, Some(same)) => format!("{same}; one seed tells little"),
        (None, None) => format!("{:+.4} bits per byte with different seeds; that tells little", effect.mean),
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a string takes all that is written");
}
