//! A run's designs, and what came of them, as documents.
//!
//! In: a run's folder. Out: a batch: a proposal for each design, with its parents, a result for each that was trained, and each of their
//! units, with what it costs and was worth.
//! Figures are those of the leaderboard. The run is only read.

use std::path::Path;

use genesys_agents::library::unit_document;
use genesys_evolve::fact::Proposed;
use genesys_evolve::{Design, Row, State, Units};
use genesys_literature::{Batch, Document, Kind, Link, Relation};
use genesys_registry::entry::Cost;
use genesys_registry::{Credit, Entry};
use genesys_report::number::short_hash;

use crate::failure::Failure;

/// The documents of the run in `dir`.
pub(super) fn batch(dir: &Path) -> Result<Batch, Failure> {
    let state = genesys_evolve::read(dir).map_err(|error| Failure::of(error.is_input(), &error))?;
    let mut units = Units::default();
    units.know(&state, u64::MAX);
    Ok(documents(&dir.display().to_string(), &state, u64::MAX, &units))
}

/// The documents of a run of that name, of the generations below `before`, whose units these are: ranks are those among these.
pub(crate) fn documents(run: &str, state: &State, before: u64, units: &Units) -> Batch {
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

/// A unit, with the designs that have it.
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
    Document {
        key: format!("{run}#{}", entry.key),
        source: format!("{run}, {}", names.join(", ")),
        summary: format!("{says}It is {label}, with {parameters} parameters and {forward} operations.{worth}"),
        links: names.iter().map(link).collect(),
        ..document
    }
}

fn proposal(run: &str, state: &State, proposed: &Proposed) -> Document {
    let named = state.designs.iter().map(|design| &design.proposed);
    let parents: Vec<&str> =
        named.filter(|other| proposed.parents.contains(&other.hash)).map(|other| other.name.as_str()).collect();
    let summary = match &proposed.operator {
        Some(operator) => format!("Made from {} by {operator}.", parents.join(" and ")),
        None => "A design that the run starts from.".to_owned(),
    };
    let link = |name: &&str| Link { relation: Relation::ChildOf, key: format!("{run}/{name}") };
    Document {
        summary,
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
