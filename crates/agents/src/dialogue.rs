//! What a dialogue was: proposals and what was said of them, a plan, attempts, a design, and how it ended.
//!
//! Plain data, which is kept in the log of a run and shown to people. Nothing is left out: an attempt that failed stands here as
//! one that did not.

use genesys_llm::LlmError;
use serde::{Deserialize, Serialize};

use crate::analyst::Lesson;
use crate::observer::Observation;
use crate::planner::Plan;
use crate::proposal::Proposal;
use crate::reviewer::Verdict;
use crate::role::Role;

/// A dialogue that is over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dialogue {
    /// The proposals in their order; the last is the one that was implemented, if any was.
    pub proposals: Vec<Considered>,
    /// How the units were to be written.
    pub plan: Option<Plan>,
    /// The design, if there is one.
    pub design: Option<Written>,
    /// What was seen in each design that was written, in their order.
    pub observations: Vec<Observation>,
    /// All answers, in their order.
    pub attempts: Vec<Attempt>,
    /// Other texts that the checker passed: sketches as far as they were filled, designs that do not run at the scales, designs that were
    /// not what was proposed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drafts: Vec<String>,
    /// How it ended.
    pub end: End,
}

/// A dialogue that no model went on with, and why.
#[derive(Debug)]
pub struct Unfinished {
    /// What was said and made before.
    pub dialogue: Dialogue,
    /// Why the model did not answer.
    pub error: LlmError,
}

/// A proposal, and what was said of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Considered {
    /// The proposal.
    pub proposal: Proposal,
    /// Its sketch; none where the design is written at once.
    pub sketch: Option<String>,
    /// What the reviewer said; none where none was asked, or none answered as was asked.
    pub verdict: Option<Verdict>,
}

/// A design as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// Its hash.
    pub hash: String,
    /// Its text.
    pub text: String,
}

/// An answer, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// Who answered.
    pub role: Role,
    /// What was asked for: `proposal`, `sketch`, `unit Router`.
    pub piece: String,
    /// The number of the answer for this piece, from 1.
    pub number: usize,
    /// What was answered.
    pub answer: String,
    /// What is wrong with it; nothing where it is taken.
    pub errors: Vec<String>,
}

/// How a dialogue ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// With a design; of a proposal alone, with one that may be implemented.
    Designed,
    /// No proposal was written that could be taken.
    #[default]
    Unproposed,
    /// No proposal convinced the reviewer.
    Declined,
    /// No design was written that checks.
    Unwritten,
    /// The design was not what was proposed.
    Unlike,
}

impl End {
    /// What happened, in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Designed => "a design was written",
            Self::Unproposed => "no proposal was written that could be taken",
            Self::Declined => "no proposal convinced the reviewer",
            Self::Unwritten => "no design was written that checks",
            Self::Unlike => "the design was not what was proposed",
        }
    }
}

impl Dialogue {
    /// All texts that the checker passed: sketches of proposals, drafts, the design.
    pub fn checked(&self) -> impl Iterator<Item = &str> {
        let sketches = self.proposals.iter().filter_map(|one| one.sketch.as_deref());
        let design = self.design.iter().map(|design| design.text.as_str());
        sketches.chain(self.drafts.iter().map(String::as_str)).chain(design)
    }

    /// Why it failed, for those who try next: how it ended, and the last that was said against it. None where there is a design.
    #[must_use]
    pub fn lesson(&self) -> Option<Lesson> {
        if self.end == End::Designed {
            return None;
        }
        let review =
            || self.proposals.last().and_then(|last| last.verdict.as_ref()).map(|verdict| verdict.remarks.clone());
        let errors = || self.attempts.iter().rev().find_map(|attempt| attempt.errors.first().cloned());
        let seen = || self.observations.last().map(Observation::words);
        let why = match self.end {
            End::Designed | End::Unproposed | End::Unwritten => errors(),
            End::Declined => review(),
            End::Unlike => seen(),
        };
        let title = self.proposals.last().map_or("an attempt", |last| last.proposal.title.as_str());
        Some(Lesson::cut(&format!("{title}: {}. {}", self.end.words(), why.unwrap_or_default())))
    }
}
