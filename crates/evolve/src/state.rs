//! The state of a run: a pure function of its events.
//!
//! Facts go in, in the order of the log; out comes what the run knows. The driver decides from a [`State`] alone, so
//! a run that was killed and one that was not are the same run. Nothing here trains, draws or writes.

use std::collections::{BTreeMap, BTreeSet};

use genesys_store::Event;
use genesys_train::Validation;

use crate::board::Row;
use crate::error::EvolveError;
use crate::fact::{Fact, Failure, Finished, Learned, Place, Proposed, Rejection, Started, Submitted, Talked};

/// What a run knows.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// What the run is.
    pub started: Started,
    /// All designs, in the order they were proposed.
    pub designs: Vec<Design>,
    /// All trainings, in the order they were submitted.
    pub trainings: Vec<Training>,
    /// All dialogues, in the order of their places.
    pub dialogues: Vec<Talk>,
    /// What generations taught, in their order.
    pub lessons: Vec<Learned>,
    /// How many offspring were rejected.
    pub rejected: u64,
    /// The generation that is open; one more than the last when all are closed.
    pub generation: u64,
    /// The designs that are trained with more seeds, once they are chosen.
    pub finalists: Option<Vec<String>>,
    /// The leaderboard, once the run is over.
    pub board: Option<Vec<Row>>,
    attempts: BTreeMap<(u64, u64), u64>,
    gate: u64,
    last: u64,
}

/// A design of the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Design {
    /// What was proposed.
    pub proposed: Proposed,
    /// How many offspring it was a parent of, rejected ones included.
    pub children: u64,
    /// The same, before the generation that is open.
    pub earlier_children: u64,
    /// The number of its event.
    pub event: u64,
}

/// A dialogue of the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Talk {
    /// What was said and made.
    pub talked: Talked,
    /// The number of its event.
    pub event: u64,
    /// Why its design takes no part, once that is known; none where it does.
    pub rejected: Option<Rejection>,
}

/// A training of the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Training {
    /// What was submitted.
    pub submitted: Submitted,
    /// The number of its event.
    pub event: u64,
    /// What came of it, once it is done.
    pub result: Option<Result<Finished, Failure>>,
}

impl State {
    /// The state after `events`, which begin with the first of a run.
    ///
    /// # Errors
    /// [`EvolveError::Event`] where one is not known here, or stands where it cannot.
    pub fn fold<'a>(events: impl IntoIterator<Item = &'a Event>) -> Result<Option<Self>, EvolveError> {
        let mut state: Option<Self> = None;
        for event in events {
            match &mut state {
                Some(state) => state.apply(event)?,
                None => state = Some(Self::first(event)?),
            }
        }
        Ok(state)
    }

    /// The state after the first event of a run.
    ///
    /// # Errors
    /// [`EvolveError::Event`] if it is no start.
    pub fn first(event: &Event) -> Result<Self, EvolveError> {
        let Fact::Started(started) = Fact::of(event)? else {
            return Err(EvolveError::event(event, "a run begins with `run-started`".to_owned()));
        };
        Ok(Self {
            started: *started,
            designs: Vec::new(),
            trainings: Vec::new(),
            dialogues: Vec::new(),
            lessons: Vec::new(),
            rejected: 0,
            generation: 0,
            finalists: None,
            board: None,
            attempts: BTreeMap::new(),
            gate: event.seq,
            last: event.seq,
        })
    }

    /// The state after one more event.
    ///
    /// # Errors
    /// [`EvolveError::Event`] where it is not known here, or stands where it cannot.
    pub fn apply(&mut self, event: &Event) -> Result<(), EvolveError> {
        match Fact::of(event)? {
            Fact::Started(_) => return Err(EvolveError::event(event, "a run starts once".to_owned())),
            Fact::Proposed(proposed) => {
                self.count(proposed.place, &proposed.parents);
                self.designs.push(Design { proposed, children: 0, earlier_children: 0, event: event.seq });
            }
            Fact::Rejected(rejected) => {
                self.count(rejected.place, &rejected.parents);
                self.rejected += 1;
                if let Some(talk) = self.dialogues.iter_mut().find(|talk| talk.talked.place == rejected.place) {
                    talk.rejected = Some(rejected.reason);
                }
            }
            Fact::Talked(talked) => {
                self.dialogues.push(Talk { talked: *talked, event: event.seq, rejected: None });
            }
            Fact::Learned(learned) => self.lessons.push(learned),
            Fact::Submitted(submitted) => {
                self.trainings.push(Training { submitted, event: event.seq, result: None });
            }
            Fact::Finished(finished) => {
                let key = finished.key.clone();
                self.settle(event, &key, Ok(finished))?;
            }
            Fact::Failed(failed) => self.settle(event, &failed.key, Err(failed.failure))?,
            Fact::Closed(closed) => {
                self.generation = closed.generation + 1;
                self.designs.iter_mut().for_each(|design| design.earlier_children = design.children);
                self.gate = event.seq;
            }
            Fact::Finalists(finalists) => {
                self.finalists = Some(finalists.designs);
                self.gate = event.seq;
            }
            Fact::Over(over) => self.board = Some(over.board),
        }
        self.last = event.seq;
        Ok(())
    }

    /// A design by its hash.
    #[must_use]
    pub fn design(&self, hash: &str) -> Option<&Design> {
        self.designs.iter().find(|design| design.proposed.hash == hash)
    }

    /// The dialogue that was to fill a place.
    #[must_use]
    pub fn dialogue(&self, place: Place) -> Option<&Talk> {
        self.dialogues.iter().find(|talk| talk.talked.place == place)
    }

    /// The designs of closed generations, in the order of proposal.
    pub fn closed(&self) -> impl Iterator<Item = &Design> {
        self.designs.iter().filter(|design| design.proposed.place.generation < self.generation)
    }

    /// The design that the others are compared with.
    #[must_use]
    pub fn baseline(&self) -> Option<&Design> {
        self.designs.iter().find(|design| design.proposed.baseline)
    }

    /// The training of a design with the seed of that number.
    #[must_use]
    pub fn training(&self, hash: &str, index: u64) -> Option<&Training> {
        self.trainings.iter().find(|t| t.submitted.design == hash && t.submitted.index == index)
    }

    /// The validations of a design, by the number of the seed; failed trainings give none.
    pub fn scores<'a>(&'a self, hash: &'a str) -> impl Iterator<Item = Validation> + 'a {
        let of_design = self.trainings.iter().filter(move |training| training.submitted.design == hash);
        of_design.filter_map(|training| Some(training.result.as_ref()?.as_ref().ok()?.trained))
    }

    /// Bits per byte of a design with the first seed: what generations are ranked by.
    #[must_use]
    pub fn score(&self, hash: &str) -> Option<f64> {
        let result = self.training(hash, 0)?.result.as_ref()?;
        result.as_ref().ok().map(|finished| finished.trained.bits_per_byte)
    }

    /// The designs that have a score, best first; equal scores in the order of proposal.
    #[must_use]
    pub fn ranking(&self) -> Vec<&Design> {
        let scored = |design: &'_ Design| self.score(&design.proposed.hash);
        let mut ranking: Vec<(f64, &Design)> =
            self.designs.iter().filter_map(|design| Some((scored(design)?, design))).collect();
        ranking.sort_by(|a, b| a.0.total_cmp(&b.0));
        ranking.into_iter().map(|(_, design)| design).collect()
    }

    /// The hashes of all designs.
    #[must_use]
    pub fn hashes(&self) -> BTreeSet<&str> {
        self.designs.iter().map(|design| design.proposed.hash.as_str()).collect()
    }

    /// How often the slot was tried.
    #[must_use]
    pub fn attempts(&self, generation: u64, slot: u64) -> u64 {
        self.attempts.get(&(generation, slot)).copied().unwrap_or(0)
    }

    /// Whether the slot holds a design.
    #[must_use]
    pub fn is_filled(&self, generation: u64, slot: u64) -> bool {
        self.designs.iter().any(|d| (d.proposed.place.generation, d.proposed.place.slot) == (generation, slot))
    }

    /// The number of the event that opened what is going on: a generation, or the final.
    #[must_use]
    pub fn gate(&self) -> u64 {
        self.gate
    }

    /// The number of the last event.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last
    }

    fn count(&mut self, place: Place, parents: &[String]) {
        let attempts = self.attempts.entry((place.generation, place.slot)).or_default();
        *attempts = (*attempts).max(place.attempt + 1);
        for design in self.designs.iter_mut().filter(|design| parents.contains(&design.proposed.hash)) {
            design.children += 1;
        }
    }

    fn settle(&mut self, event: &Event, key: &str, result: Result<Finished, Failure>) -> Result<(), EvolveError> {
        let mut open = self.trainings.iter_mut().filter(|t| t.submitted.key == key && t.result.is_none());
        let Some(training) = open.next() else {
            return Err(EvolveError::event(event, "no training of this key is open".to_owned()));
        };
        training.result = Some(result);
        Ok(())
    }
}
