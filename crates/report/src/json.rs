//! The JSON value of a run; its fields are described at the [crate's](crate) head.
//!
//! In: a run. Out: a value whose fields stand in the order given here, which is part of the format.

use genesys_evolve::State;
use serde::{Deserialize, Serialize};

use crate::provenance::Provenance;
use crate::run::{Entry, Run, View};

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The digest of its log.
    pub run: String,
    /// Its seed.
    pub seed: u64,
    /// The hash of the design that the others are compared with.
    pub baseline: Option<String>,
    /// Its designs, in the order of the leaderboard.
    pub designs: Vec<Design>,
}

/// A design of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Design {
    /// Its hash.
    pub design_hash: String,
    /// What it is called in this run.
    pub name: String,
    /// The hashes of the designs it was made from.
    pub parents: Vec<String>,
    /// How it was made.
    pub operator: Option<String>,
    /// How many weights it has.
    pub params: u64,
    /// The seeds of the trainings that gave a score.
    pub seeds: Vec<u64>,
    /// The mean of its bits per byte.
    pub bpb: Option<f64>,
    /// Their sample standard deviation.
    pub bpb_sd: Option<f64>,
    /// How many tokens each training sees.
    pub tokens: u64,
    /// What is known of it against the baseline.
    pub verdict: String,
    /// What it rests on, where a dialogue proposed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// The value of a run.
#[must_use]
pub fn json(run: Run<'_>) -> Report {
    let view = View::new(run);
    Report {
        run: run.digest.to_owned(),
        seed: run.state.started.settings.seed,
        baseline: view.baseline().map(|entry| entry.proposed.hash.clone()),
        designs: view.entries.iter().map(|entry| design(run.state, entry)).collect(),
    }
}

fn design(state: &State, entry: &Entry<'_>) -> Design {
    let (proposed, row) = (entry.proposed, &entry.row);
    Design {
        design_hash: proposed.hash.clone(),
        name: proposed.name.clone(),
        parents: proposed.parents.clone(),
        operator: proposed.operator.clone(),
        params: proposed.parameters,
        seeds: entry.finished().map(|(training, _)| training.submitted.seed).collect(),
        bpb: row.bits_per_byte,
        bpb_sd: row.deviation,
        tokens: row.tokens,
        verdict: entry.verdict.to_string(),
        provenance: Provenance::of(state, proposed),
    }
}
