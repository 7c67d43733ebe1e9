//! The leaderboard: every design of a run, best first.
//!
//! In: a state. Out: rows. Designs that were trained with several seeds are ranked by their mean and come first, for a
//! single training is an anecdote; behind them come those with one seed, then those that failed. The baseline had as
//! many seeds, steps and tokens as the finalists.

use serde::{Deserialize, Serialize};

use crate::state::{Design, State};

/// A design on the leaderboard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its rank, from 1.
    pub rank: u64,
    /// Its hash.
    pub hash: String,
    /// Its name in this run.
    pub name: String,
    /// Its generation.
    pub generation: u64,
    /// Its ancestors, the oldest first, each with the operator that made the next one; ends with the design itself.
    pub lineage: Vec<Ancestor>,
    /// How many weights it has.
    pub parameters: u64,
    /// Bytes of state that decoding one row holds after a whole context.
    pub state_bytes: u64,
    /// With how many seeds it was trained.
    pub seeds: u64,
    /// Tokens each training saw.
    pub tokens: u64,
    /// The mean of its bits per byte over the seeds; none if every training failed.
    pub bits_per_byte: Option<f64>,
    /// Their sample standard deviation, where there are two or more.
    pub deviation: Option<f64>,
    /// Whether the others are compared with it.
    pub baseline: bool,
    /// Why the last failed training failed, if one did.
    pub failure: Option<String>,
}

/// A step of a lineage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ancestor {
    /// The design's name in this run.
    pub name: String,
    /// The operator that made it; none for a design that the run started from.
    pub operator: Option<String>,
}

/// The leaderboard of a state.
#[must_use]
pub fn board(state: &State) -> Vec<Row> {
    let mut rows: Vec<Row> = state.designs.iter().map(|design| row(state, design)).collect();
    // Stable: equal designs stay in the order of proposal.
    rows.sort_by(|a, b| {
        let class = |row: &Row| (row.bits_per_byte.is_none(), row.deviation.is_none());
        let score = |row: &Row| row.bits_per_byte.unwrap_or(f64::INFINITY);
        class(a).cmp(&class(b)).then(score(a).total_cmp(&score(b)))
    });
    for (row, rank) in rows.iter_mut().zip(1..) {
        row.rank = rank;
    }
    rows
}

/// Mean, and sample standard deviation where there are two or more values.
#[must_use]
pub fn mean_and_deviation(values: &[f64]) -> (Option<f64>, Option<f64>) {
    if values.is_empty() {
        return (None, None);
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    (Some(mean), (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()))
}

fn row(state: &State, design: &Design) -> Row {
    let proposed = &design.proposed;
    let scores: Vec<f64> = state.scores(&proposed.hash).map(|validation| validation.bits_per_byte).collect();
    let (bits_per_byte, deviation) = mean_and_deviation(&scores);
    let trainings = state.trainings.iter().filter(|training| training.submitted.design == proposed.hash);
    let mut failures = trainings.filter_map(|training| training.result.as_ref()?.as_ref().err());
    let scale = &state.started.settings.scale;
    Row {
        rank: 0,
        hash: proposed.hash.clone(),
        name: proposed.name.clone(),
        generation: proposed.place.generation,
        lineage: lineage(state, design),
        parameters: proposed.parameters,
        state_bytes: proposed.state_bytes,
        seeds: scores.len() as u64,
        tokens: scale.steps * scale.tokens_per_step(),
        bits_per_byte,
        deviation,
        baseline: proposed.baseline,
        failure: failures.next_back().map(ToString::to_string),
    }
}

/// Along first parents; a parent always stands before its offspring, so this ends.
fn lineage(state: &State, design: &Design) -> Vec<Ancestor> {
    let mut line = Vec::new();
    let mut next = Some(design);
    while let Some(design) = next {
        let proposed = &design.proposed;
        line.push(Ancestor { name: proposed.name.clone(), operator: proposed.operator.clone() });
        let parent = proposed.parents.first().and_then(|hash| state.design(hash));
        next = parent.filter(|parent| parent.event < design.event);
    }
    line.reverse();
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_is_the_sample_standard_deviation() {
        assert_eq!(mean_and_deviation(&[]), (None, None));
        assert_eq!(mean_and_deviation(&[2.5]), (Some(2.5), None));
        let (mean, deviation) = mean_and_deviation(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert_eq!(mean, Some(5.0));
        assert!((deviation.unwrap_or(0.0) - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
    }
}
