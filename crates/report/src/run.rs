//! What a report is about: a run, and the designs of it with everything that is known of each.
//!
//! In: a state and curves. Out: entries in the order of the leaderboard, with their trainings, parents and verdicts
//! looked up once. Nothing is written here.

use std::collections::BTreeMap;

use genesys_evolve::fact::{Finished, Proposed};
use genesys_evolve::{Row, State, Training, board};

use crate::verdict::{Verdict, Word};

/// The loss of each step in nats a token, by the name of the artifact that holds it: `Finished::curve`.
pub type Curves = BTreeMap<String, Vec<f32>>;

/// A run, as far as it got.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// One line that stands for its log: `log1-..`.
    pub digest: &'a str,
    /// What it knows.
    pub state: &'a State,
    /// Its loss curves; one that is missing is not drawn.
    pub curves: &'a Curves,
}

/// A run with its designs looked up.
pub(crate) struct View<'a> {
    pub(crate) run: Run<'a>,
    /// In the order of the leaderboard.
    pub(crate) entries: Vec<Entry<'a>>,
    places: BTreeMap<&'a str, usize>,
}

/// A design and what became of it.
pub(crate) struct Entry<'a> {
    pub(crate) proposed: &'a Proposed,
    /// Its place in the order of proposal, from 0.
    pub(crate) number: usize,
    pub(crate) row: Row,
    /// By the number of the seed.
    pub(crate) trainings: Vec<&'a Training>,
    pub(crate) verdict: Verdict,
}

impl<'a> View<'a> {
    pub(crate) fn new(run: Run<'a>) -> Self {
        let rows = board::board(run.state);
        let baseline = rows.iter().find(|row| row.baseline).cloned();
        let mut trainings: BTreeMap<&str, Vec<&Training>> = BTreeMap::new();
        for training in &run.state.trainings {
            trainings.entry(&training.submitted.design).or_default().push(training);
        }
        let mut designs: BTreeMap<&str, (usize, &Proposed)> = BTreeMap::new();
        for (number, design) in run.state.designs.iter().enumerate() {
            designs.insert(&design.proposed.hash, (number, &design.proposed));
        }
        let entry = |row: Row| {
            let (number, proposed) = designs[row.hash.as_str()];
            let mut trainings = trainings.remove(row.hash.as_str()).unwrap_or_default();
            trainings.sort_by_key(|training| training.submitted.index);
            let verdict = Verdict::of(&row, baseline.as_ref());
            Entry { proposed, number, row, trainings, verdict }
        };
        let entries: Vec<Entry<'a>> = rows.into_iter().map(entry).collect();
        let places = entries.iter().enumerate().map(|(place, entry)| (entry.proposed.hash.as_str(), place)).collect();
        Self { run, entries, places }
    }

    /// The design of that hash.
    pub(crate) fn entry(&self, hash: &str) -> Option<&Entry<'a>> {
        self.places.get(hash).map(|place| &self.entries[*place])
    }

    /// The design that the others are compared with.
    pub(crate) fn baseline(&self) -> Option<&Entry<'a>> {
        self.entries.iter().find(|entry| entry.proposed.baseline)
    }

    /// The first of the leaderboard, if it has a score.
    pub(crate) fn best(&self) -> Option<&Entry<'a>> {
        self.entries.first().filter(|entry| entry.row.bits_per_byte.is_some())
    }

    /// Parents that are part of the run.
    pub(crate) fn parents<'v>(&'v self, entry: &'v Entry<'a>) -> impl Iterator<Item = &'v Entry<'a>> {
        entry.proposed.parents.iter().filter_map(|hash| self.entry(hash))
    }

    /// The loss of each step, where the training is done and its curve at hand.
    pub(crate) fn curve(&self, training: &Training) -> Option<&'a [f32]> {
        let finished = training.result.as_ref()?.as_ref().ok()?;
        self.run.curves.get(&finished.curve).map(Vec::as_slice)
    }

    /// Whether the run is over.
    pub(crate) fn is_over(&self) -> bool {
        self.run.state.board.is_some()
    }
}

impl<'a> Entry<'a> {
    /// The trainings that gave a score.
    pub(crate) fn finished(&self) -> impl Iterator<Item = (&'a Training, &'a Finished)> {
        self.trainings.iter().filter_map(|training| Some((*training, training.result.as_ref()?.as_ref().ok()?)))
    }

    /// What the sections of a page are linked by: the hash, and nothing that could end an attribute or a link.
    pub(crate) fn anchor(&self) -> String {
        let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
        format!("design-{}-{}", self.number + 1, self.proposed.hash.chars().filter(plain).take(11).collect::<String>())
    }

    pub(crate) fn is_failed(&self) -> bool {
        self.verdict.word == Word::Failed
    }
}
