//! A run's designs, and what came of them, as documents.
//!
//! In: a run's folder. Out: a batch: a proposal for each design, with its parents, what it brought against them and what its dialogue
//! said, a result for each that was trained, and each unit that was checked, with what it costs and was worth.
//! Figures are those of the leaderboard, effects those of first seeds. The run is only read.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;

use genesys_agents::library::unit_document;
use genesys_evolve::fact::Proposed;
use genesys_evolve::{Design, Row, State, Units};
use genesys_literature::plain::{cut, one_line};
use genesys_literature::{Batch, Document, Kind, Link, Relation};
use genesys_registry::entry::Cost;
use genesys_registry::{Credit, Entry};
use genesys_report::number::short_hash;
use genesys_report::provenance::{Changes, Provenance};

use crate::failure::Failure;

/// The most characters that are told of a proposal beside its text.
const TOLD: usize = 700;

/// The documents of the run in `dir`.
pub(super) fn batch(dir: &Path) -> Result<Batch, Failure> {
    let state = genesys_evolve::read(dir).map_err(|error| Failure::of(error.is_input(), &error))?;
    let mut units = Units::default();
    units.know(&state, u64::MAX);
    Ok(documents(&dir.display().to_string(), &state, u64::MAX, &units))
}

/// The documents of a run of that name, of the generations below `before`, whose units these are: ranks are those among these. They
/// are those of the state in which that generation began, whatever came later.
pub(crate) fn documents(run: &str, state: &State, before: u64, units: &Units) -> Batch {
    let state = &*without_final(state, before);
    let is_asked = |design: &Design| design.proposed.place.generation < before;
    let proposals =
        state.designs.iter().filter(|design| is_asked(design)).map(|design| proposal(run, state, &design.proposed));
    let rows = genesys_evolve::board::board(state);
    let asked = rows.into_iter().filter(|row| state.design(&row.hash).is_some_and(is_asked));
    let ranked: Vec<Row> = asked.zip(1..).map(|(row, rank)| Row { rank, ..row }).collect();
    let results = ranked.iter().filter(|row| row.seeds > 0 || row.failure.is_some()).map(|row| result(run, row));
    let units = units.registry.entries().map(|entry| unit(run, state, entry, units.credits.get(&entry.key)));
    Batch::of(run, proposals.chain(results).chain(units).collect())
}

/// The state without the trainings of the final, where it follows a generation that is `before` or later.
fn without_final(state: &State, before: u64) -> Cow<'_, State> {
    if state.finalists.is_none() || before > state.started.settings.generations {
        return Cow::Borrowed(state);
    }
    let mut state = state.clone();
    state.trainings.retain(|training| training.submitted.index == 0);
    Cow::Owned(state)
}

/// A unit, with the designs that have it; none has one of a draft alone.
fn unit(run: &str, state: &State, entry: &Entry, credit: Option<&Credit>) -> Document {
    let document = unit_document(entry);
    let says = if document.summary.is_empty() { String::new() } else { format!("{} ", document.summary) };
    let Cost { parameters, forward, label, .. } = &entry.cost;
    let worth = credit.map_or_else(String::new, |credit| {
        let steps = if credit.steps == 1 { "1 step".to_owned() } else { format!("{} steps", credit.steps) };
        format!(" Its credit is {:+.4} bits per byte in {steps}.", credit.gain)
    });
    let has = |hash: &String| state.design(hash).map(|design| design.proposed.name.clone());
    let names: Vec<String> = entry.designs.iter().filter_map(has).collect();
    let link = |name: &String| Link { relation: Relation::PartOf, key: format!("{run}/{name}") };
    let place = if names.is_empty() { "a draft".to_owned() } else { names.join(", ") };
    Document {
        key: format!("{run}#{}", entry.key),
        source: format!("{run}, {place}"),
        summary: format!("{says}It is {label}, with {parameters} parameters and {forward} operations.{worth}"),
        links: names.iter().map(link).collect(),
        ..document
    }
}

fn proposal(run: &str, state: &State, proposed: &Proposed) -> Document {
    let parents: Vec<&Proposed> =
        proposed.parents.iter().filter_map(|hash| Some(&state.design(hash)?.proposed)).collect();
    let link = |parent: &&Proposed| Link { relation: Relation::ChildOf, key: format!("{run}/{}", parent.name) };
    Document {
        summary: summary(state, proposed, &parents),
        text: proposed.text.clone(),
        links: parents.iter().map(link).collect(),
        ..Document::new(
            Kind::Proposal,
            &format!("{run}/{}", proposed.name),
            &proposed.name,
            &source(run, &proposed.hash),
        )
    }
}

/// Who made a design, what it brought, and what its dialogue says of it: the longest last, which is cut.
fn summary(state: &State, proposed: &Proposed, parents: &[&Proposed]) -> String {
    let Some(operator) = &proposed.operator else { return "A design that the run starts from.".to_owned() };
    let names: Vec<&str> = parents.iter().map(|parent| parent.name.as_str()).collect();
    let from = if names.is_empty() { "no other design".to_owned() } else { names.join(" and ") };
    let effects = parents.iter().map(|parent| effect(state, proposed, parent));
    let sentences =
        std::iter::once(format!("Made from {from} by {operator}.")).chain(effects).chain(basis(state, proposed));
    cut(&one_line(&sentences.collect::<Vec<_>>().join(" ")), TOLD - " ...".len())
}

/// What a design brought against a parent: by the first seed, which generations are ranked by, so that no later one changes it.
fn effect(state: &State, proposed: &Proposed, parent: &Proposed) -> String {
    let against = format!("Against {}, with the same seed", parent.name);
    match state.score(&proposed.hash).zip(state.score(&parent.hash)) {
        Some((score, before)) => format!("{against}: {:+.4} bits per byte.", score - before),
        None => format!("{against}: not known."),
    }
}

/// The units that a design of a dialogue changed, what it refers to, and its idea; nothing where no dialogue made it.
fn basis(state: &State, proposed: &Proposed) -> Vec<String> {
    let Some(provenance) = Provenance::of(state, proposed) else { return Vec::new() };
    let Provenance { idea, references, added, changed, removed, .. } = provenance;
    let keys: BTreeSet<&str> = references.iter().map(|reference| reference.key.as_str()).collect();
    let keys: Vec<&str> = keys.into_iter().collect();
    let rests = if keys.is_empty() { "no document".to_owned() } else { keys.join(", ") };
    let changes = Changes { added, changed, removed };
    vec![format!("Units {changes}."), format!("It refers to {rests}."), idea]
}

fn result(run: &str, row: &Row) -> Document {
    let score = match (row.bits_per_byte, row.deviation, &row.failure) {
        (Some(mean), Some(deviation), _) => format!("{mean:.4} ±{deviation:.4} bits per byte with {} seeds", row.seeds),
        (Some(mean), None, _) => format!("{mean:.4} bits per byte with one seed"),
        (None, _, Some(failure)) => format!("no score: {failure}"),
        (None, _, None) => "no score yet".to_owned(),
    };
    let baseline = if row.baseline { "; the baseline of the run" } else { "" };
    let name = &row.name;
    Document {
        summary: format!("Rank {}: {score}{baseline}.", row.rank),
        links: vec![Link { relation: Relation::ResultOf, key: format!("{run}/{name}") }],
        ..Document::new(
            Kind::Result,
            &format!("{run}/{name}#result"),
            &format!("Result of {name}"),
            &source(run, &row.hash),
        )
    }
}

fn source(run: &str, hash: &str) -> String {
    format!("{run}, {}", short_hash(hash))
}

#[cfg(test)]
mod tests;
