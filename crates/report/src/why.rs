//! Why a design of a run is as it is: who made it, of what, what it rests on, which units that changed, and what it brought.
//!
//! In: a state, and a design by its name or hash. Out: plain data, and the same as text. It is a pure function of the state.
//! Scores and ranks are those of the leaderboard. What models wrote stands in the data as it was written, and without what
//! moves a cursor in the text.

mod text;

use genesys_agents::proposal::Reference;
use genesys_evolve::fact::Proposed;
use genesys_evolve::{Row, State, board};
use serde::Serialize;
use similar::get_close_matches;

use crate::provenance::{Changes, Provenance};
use crate::verdict::{Verdict, standard_error};

pub use text::text;

/// Why a design is as it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Why {
    /// What it is called in this run.
    pub name: String,
    /// Its hash.
    pub hash: String,
    /// Its generation; 0 are the designs that the run started from.
    pub generation: u64,
    /// Its rank on the leaderboard, from 1, as far as the run got.
    pub rank: u64,
    /// Who made it.
    pub made: Made,
    /// The designs that it was made of, the first one first.
    pub parents: Vec<Parent>,
    /// The hash of the parent with the fewest bits per byte by the first seed; none where no parent has a score.
    pub best_parent: Option<String>,
    /// The units in which it differs from its parents; none for a design that the run started from.
    pub units: Option<Changes>,
    /// Its own score.
    #[serde(flatten)]
    pub score: Score,
    /// Why the last training of it failed, if one did.
    pub failure: Option<String>,
    /// What is known of it against the baseline, as in the report.
    pub verdict: String,
}

/// Who made a design.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Made {
    /// Nobody in the run, which started from it.
    Run,
    /// An operator.
    Operator {
        /// Its name and what it drew, in words.
        operator: String,
    },
    /// A dialogue with language models.
    Dialogue(Box<Dialogue>),
}

/// What a dialogue said of the design that came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dialogue {
    /// From how many designs it began: `scratch`, `mutation` or `crossover`.
    pub mode: String,
    /// What the proposal is called.
    pub title: String,
    /// Its idea.
    pub idea: String,
    /// What should be seen in results.
    pub expected: String,
    /// What the reviewer gave it, from 0 to 5; none where none was asked.
    pub rating: Option<u8>,
    /// The sentences that it rests on, each of a document.
    pub references: Vec<Reference>,
}

/// A score on the leaderboard.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// The mean of the bits per byte over the seeds; none where no training gave one.
    pub bpb: Option<f64>,
    /// Their sample standard deviation, where there are two seeds or more.
    pub bpb_sd: Option<f64>,
    /// How many seeds gave a score.
    pub seeds: u64,
}

/// A parent, and what the design brought against it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parent {
    /// What it is called in this run.
    pub name: String,
    /// Its hash.
    pub hash: String,
    /// Its score.
    #[serde(flatten)]
    pub score: Score,
    /// What the design brought; none where one of the two has no score.
    pub effect: Option<Effect>,
}

/// Bits per byte of a design less those of another; below 0 it is better.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Effect {
    /// With the first seed, which is the same for both; none where that training failed.
    pub same_seed: Option<f64>,
    /// Of the means over the seeds that each has.
    pub mean: f64,
    /// The standard error of that difference, where both have two seeds or more.
    pub error: Option<f64>,
}

/// Why a design was not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfound {
    /// Nothing is called that; these names are like it, the likest first.
    NoOne(Vec<String>),
    /// It is the beginning of the hashes of these designs, which are more than one.
    Several(Vec<String>),
}

/// How many names are told where a design was not found.
const TOLD: usize = 5;

/// The share of letters, in their order, that a like name has in common.
const LIKE: f32 = 0.6;

impl Why {
    /// Why that design of a run is as it is.
    #[must_use]
    pub fn of(state: &State, proposed: &Proposed) -> Self {
        let rows = board::board(state);
        let row = row_of(&rows, &proposed.hash).expect("every design of a run has a row");
        let parents = proposed.parents.iter().filter_map(|hash| row_of(&rows, hash));
        let provenance = Provenance::of(state, proposed);
        let units = match (&provenance, proposed.operator.is_some()) {
            (Some(Provenance { added, changed, removed, .. }), _) => {
                Some(Changes { added: added.clone(), changed: changed.clone(), removed: removed.clone() })
            }
            (None, true) => Some(Changes::of(state, proposed)),
            (None, false) => None,
        };
        Self {
            name: proposed.name.clone(),
            hash: proposed.hash.clone(),
            generation: proposed.place.generation,
            rank: row.rank,
            made: Made::of(state, proposed, provenance),
            parents: parents.map(|parent| Parent::of(state, row, parent)).collect(),
            best_parent: best_parent(state, proposed),
            units,
            score: Score::of(row),
            failure: row.failure.clone(),
            verdict: Verdict::of(row, rows.iter().find(|row| row.baseline)).to_string(),
        }
    }
}

/// The design of a run with that name, with that hash, or with a hash that begins so, where that is one design.
///
/// # Errors
/// [`Unfound`] where there is no such design, or more than one.
pub fn find<'a>(state: &'a State, asked: &str) -> Result<&'a Proposed, Unfound> {
    let all = state.designs.iter().map(|design| &design.proposed);
    if let Some(found) = all.clone().find(|one| one.name == asked || one.hash == asked) {
        return Ok(found);
    }
    // The mark of the scheme, `g2-`, begins every hash.
    let digits = asked.split_once('-').map_or("", |(_, digits)| digits);
    let begins = |one: &&Proposed| !digits.is_empty() && one.hash.starts_with(asked);
    let beginning: Vec<&Proposed> = all.clone().filter(begins).collect();
    match beginning[..] {
        [found] => Ok(found),
        [] => {
            let names: Vec<&str> = all.map(|one| one.name.as_str()).collect();
            let like = get_close_matches(asked, &names, TOLD, LIKE);
            Err(Unfound::NoOne(like.into_iter().map(str::to_owned).collect()))
        }
        _ => Err(Unfound::Several(beginning.iter().take(TOLD).map(|one| one.name.clone()).collect())),
    }
}

impl Made {
    fn of(state: &State, proposed: &Proposed, provenance: Option<Provenance>) -> Self {
        let talk = state.dialogue(proposed.place).map(|talk| &talk.talked);
        match (provenance, talk, &proposed.operator) {
            (Some(Provenance { title, idea, rating, references, .. }), Some(talked), _) => {
                let proposal = talked.dialogue.proposals.last().map(|last| &last.proposal);
                let expected = proposal.map_or_else(String::new, |proposal| proposal.effect.clone());
                let mode = talked.mode.to_string();
                Self::Dialogue(Box::new(Dialogue { mode, title, idea, expected, rating, references }))
            }
            (_, _, Some(operator)) => Self::Operator { operator: operator.clone() },
            (_, _, None) => Self::Run,
        }
    }
}

impl Score {
    fn of(row: &Row) -> Self {
        Self { bpb: row.bits_per_byte, bpb_sd: row.deviation, seeds: row.seeds }
    }
}

impl Parent {
    fn of(state: &State, row: &Row, parent: &Row) -> Self {
        Self {
            name: parent.name.clone(),
            hash: parent.hash.clone(),
            score: Score::of(parent),
            effect: Effect::of(state, row, parent),
        }
    }
}

impl Effect {
    fn of(state: &State, row: &Row, other: &Row) -> Option<Self> {
        let first = state.score(&row.hash).zip(state.score(&other.hash));
        Some(Self {
            same_seed: first.map(|(score, before)| score - before),
            mean: row.bits_per_byte? - other.bits_per_byte?,
            error: standard_error(row, other),
        })
    }
}

fn row_of<'a>(rows: &'a [Row], hash: &str) -> Option<&'a Row> {
    rows.iter().find(|row| row.hash == hash)
}

/// The parent with the fewest bits per byte by the first seed, by which parents are drawn; the first of equal ones.
fn best_parent(state: &State, proposed: &Proposed) -> Option<String> {
    let scored = proposed.parents.iter().filter_map(|hash| Some((state.score(hash)?, hash)));
    scored.min_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, hash)| hash.clone())
}
