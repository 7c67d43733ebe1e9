//! What happens in a run, as the payloads of its events.
//!
//! A [`Fact`] becomes an event of the log and is read back from one. The state of a run is a function of its facts
//! (see [`State`](crate::State)), so whatever a decision needs stands here, and no time of day does.

use genesys_agents::{Attempt, Dialogue, Lesson, Mode};
use genesys_llm::Spent;
use genesys_store::{Event, NewEvent, Refusal};
use genesys_train::{Divergence, Validation};
use serde::{Deserialize, Serialize};

use crate::board::Row;
use crate::error::EvolveError;
use crate::settings::{Settings, Shipped, TextMark};

/// The version of the payloads.
const SCHEMA: u32 = 1;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// `run-started`
    Started(Box<Started>),
    /// `design-proposed`
    Proposed(Proposed),
    /// `design-rejected`
    Rejected(Rejected),
    /// `dialogue-finished`: what came of it follows as a proposal or a rejection of the same place.
    Talked(Box<Talked>),
    /// `lesson-learned`
    Learned(Learned),
    /// `training-submitted`: handed to the workers; the workers' own progress is not part of a run.
    Submitted(Submitted),
    /// `training-finished`
    Finished(Finished),
    /// `training-failed`
    Failed(Failed),
    /// `generation-closed`
    Closed(Closed),
    /// `finalists-chosen`
    Finalists(Finalists),
    /// `run-finished`
    Over(Over),
}

/// What a run is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Started {
    /// Its numbers.
    pub settings: Settings,
    /// Its text.
    pub text: TextMark,
    /// The designs it starts from.
    pub shipped: Vec<Shipped>,
    /// The version of this program.
    pub program: String,
    /// The version of the trainer: [`TRAINER`](crate::settings::TRAINER).
    pub trainer: u32,
}

/// A design that takes part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposed {
    /// Its place.
    pub place: Place,
    /// Its hash, the same for equal designs.
    pub hash: String,
    /// What people call it in this run.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Whether the others are compared with it.
    pub baseline: bool,
    /// The designs it was made from, by hash.
    pub parents: Vec<String>,
    /// How it was made; none for one that the run starts from.
    pub operator: Option<String>,
    /// What was drawn to make it.
    pub draw: Option<Draw>,
    /// How many weights it has at the run's scale.
    pub parameters: u64,
    /// Bytes of state that decoding one row holds after a whole context.
    pub state_bytes: u64,
}

/// Where in a run a design was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The generation; 0 are the designs that the run starts from.
    pub generation: u64,
    /// The place in it, from 0.
    pub slot: u64,
    /// The attempt at this place, from 0.
    pub attempt: u64,
}

/// The draws behind a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draw {
    /// The point in `[0, 1)` that chose the parent.
    pub parent: f64,
    /// The seed of the operator.
    pub operator: u64,
    /// The point in `[0, 1)` that chose the second parent; none for a mutation, as in every run before there was
    /// crossover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mate: Option<f64>,
}

/// An offspring that takes no part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejected {
    /// Its place.
    pub place: Place,
    /// The designs it was made from, by hash.
    pub parents: Vec<String>,
    /// How it was made.
    pub operator: Option<String>,
    /// What was drawn.
    pub draw: Draw,
    /// Its hash, if there was an offspring.
    pub hash: Option<String>,
    /// Why not.
    pub reason: Rejection,
}

/// A dialogue with language models that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Talked {
    /// The place that it was to fill.
    pub place: Place,
    /// From how many designs it began.
    pub mode: Mode,
    /// Which, by hash.
    pub parents: Vec<String>,
    /// What was drawn: the parents, and what the model draws from.
    pub draw: Draw,
    /// All that was said and made.
    pub dialogue: Dialogue,
    /// Why a model did not answer to the end, if it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unanswered: Option<String>,
    /// What its answers took; calls that failed stand in the ledger alone.
    pub spent: Spent,
}

/// What a generation taught.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learned {
    /// Which.
    pub generation: u64,
    /// What was learned.
    pub lessons: Vec<Lesson>,
    /// All answers.
    pub attempts: Vec<Attempt>,
    /// Why a model did not answer, if it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unanswered: Option<String>,
    /// What its answers took.
    pub spent: Spent,
}

/// Why an offspring takes no part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rejection {
    /// No operator applies to the parent.
    NoOffspring,
    /// A dialogue ended without a design.
    NoDesign(String),
    /// A design of this hash was proposed before.
    Known,
    /// It does not run at the run's scale.
    DoesNotRun(String),
}

/// A training that the workers were given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submitted {
    /// The design's hash.
    pub design: String,
    /// The number of the seed, from 0.
    pub index: u64,
    /// The seed.
    pub seed: u64,
    /// The key of its result.
    pub key: String,
}

/// A training that gave a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finished {
    /// The key of the result.
    pub key: String,
    /// Validation before training.
    pub start: Validation,
    /// Validation of the trained model.
    pub trained: Validation,
    /// How many weights it has.
    pub parameters: u64,
    /// How many steps it was trained for.
    pub steps: u64,
    /// The artifact with the loss of each step.
    pub curve: String,
}

/// A training that gave none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failed {
    /// The key of the result.
    pub key: String,
    /// Why.
    pub failure: Failure,
}

/// Why a training gave no model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// Its numbers stopped being finite.
    Diverged(Divergence),
    /// The trainer refused it.
    Refused(String),
    /// Its worker died twice.
    WorkerDied(String),
}

/// A generation whose trainings are all done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closed {
    /// Which.
    pub generation: u64,
    /// All trained designs so far, best first, by hash.
    pub ranking: Vec<String>,
}

/// The designs that are trained with more seeds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finalists {
    /// The best ones and the baseline, by hash.
    pub designs: Vec<String>,
}

/// The end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Over {
    /// The leaderboard.
    pub board: Vec<Row>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Diverged(divergence) => divergence.fmt(f),
            Self::Refused(why) => f.write_str(why),
            Self::WorkerDied(why) => write!(f, "its worker died twice: {why}"),
        }
    }
}

impl Fact {
    /// The fact as an event that is not in the log yet.
    ///
    /// # Errors
    /// [`Refusal`] where a number is not finite.
    pub fn to_event(&self) -> Result<NewEvent, Refusal> {
        let kind = self.kind();
        match self {
            Self::Started(payload) => NewEvent::new(kind, SCHEMA, payload),
            Self::Proposed(payload) => NewEvent::new(kind, SCHEMA, payload),
            Self::Rejected(payload) => NewEvent::new(kind, SCHEMA, payload),
            Self::Talked(payload) => NewEvent::new(kind, SCHEMA, payload),
            Self::Learned(payload) => NewEvent::new(kind, SCHEMA, payload),
            Self::Submitted(payload) => NewEvent::new(kind, SCHEMA, payload),
            Self::Finished(payload) => NewEvent::new(kind, SCHEMA, payload),
            Self::Failed(payload) => NewEvent::new(kind, SCHEMA, payload),
            Self::Closed(payload) => NewEvent::new(kind, SCHEMA, payload),
            Self::Finalists(payload) => NewEvent::new(kind, SCHEMA, payload),
            Self::Over(payload) => NewEvent::new(kind, SCHEMA, payload),
        }
    }

    /// The fact that an event tells.
    ///
    /// # Errors
    /// [`EvolveError::Event`] where its kind, version or form is not known here.
    pub fn of(event: &Event) -> Result<Self, EvolveError> {
        if event.schema != SCHEMA {
            return Err(EvolveError::event(event, format!("version {} is not known here", event.schema)));
        }
        let read = match event.kind.as_str() {
            "run-started" => event.read().map(Box::new).map(Self::Started),
            "design-proposed" => event.read().map(Self::Proposed),
            "design-rejected" => event.read().map(Self::Rejected),
            "dialogue-finished" => event.read().map(Self::Talked),
            "lesson-learned" => event.read().map(Self::Learned),
            "training-submitted" => event.read().map(Self::Submitted),
            "training-finished" => event.read().map(Self::Finished),
            "training-failed" => event.read().map(Self::Failed),
            "generation-closed" => event.read().map(Self::Closed),
            "finalists-chosen" => event.read().map(Self::Finalists),
            "run-finished" => event.read().map(Self::Over),
            _ => return Err(EvolveError::event(event, "this kind is not known here".to_owned())),
        };
        read.map_err(|error| EvolveError::event(event, error.to_string()))
    }

    /// The kind of the event.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Started(_) => "run-started",
            Self::Proposed(_) => "design-proposed",
            Self::Rejected(_) => "design-rejected",
            Self::Talked(_) => "dialogue-finished",
            Self::Learned(_) => "lesson-learned",
            Self::Submitted(_) => "training-submitted",
            Self::Finished(_) => "training-finished",
            Self::Failed(_) => "training-failed",
            Self::Closed(_) => "generation-closed",
            Self::Finalists(_) => "finalists-chosen",
            Self::Over(_) => "run-finished",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_of_runs_without_crossover_are_read_and_written_as_ever() {
        let old = r#"{"parent":0.5,"operator":7}"#;
        let draw: Draw = serde_json::from_str(old).expect("the old form");
        assert_eq!(draw, Draw { parent: 0.5, operator: 7, mate: None });
        assert_eq!(serde_json::to_string(&draw).expect("a form"), old);
    }
}
