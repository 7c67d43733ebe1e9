//! What is asked of those who design: from which designs, beside which others, within which limits.
//!
//! A dialogue is a function of its commission and of what is answered. So a commission has all that decides, and no time of day.

use std::fmt;
use std::sync::Arc;

use genesys_check::CheckedDesign;
use genesys_compiler::check_text;
use genesys_family::{Fingerprint, Fingerprints};
use genesys_ladder::Scale;
use genesys_registry::{Origin, Registry};
use serde::{Deserialize, Serialize};

/// A design that is wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commission {
    /// The designs that it is made from: none, one or two.
    pub parents: Vec<Known>,
    /// Others that it is compared with, those that matter most first.
    pub others: Vec<Known>,
    /// What was learned before: from results, and from attempts that failed.
    pub lessons: Vec<String>,
    /// The scales at which it has to run.
    pub scales: Vec<Scale>,
    /// Which parts of the work are done.
    pub variant: Variant,
    /// What may be taken.
    pub limits: Limits,
    /// What draws are made of, where a model knows seeds.
    pub seed: u64,
}

/// A design that is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// What people call it.
    pub name: String,
    /// Its hash.
    pub hash: String,
    /// Its text.
    pub text: String,
    /// What it reached, in bits per byte; none where it has no result.
    pub score: Option<f64>,
}

/// From how many designs one is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// From none.
    Scratch,
    /// From one.
    Mutation,
    /// From two.
    Crossover,
}

/// Which parts of the work are done: all, or less, to see what each is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// How designs are written.
    pub way: Way,
    /// Whether proposals are reviewed.
    pub review: Review,
}

/// How a design is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// A sketch, then one unit at a time, with what the checker says.
    ByUnits,
    /// The same, told only that an answer is wrong, not what is wrong with it.
    Unheard,
    /// All at once, with what the checker says.
    Whole,
    /// All at once, and no word from the checker.
    Direct,
}

/// Whether proposals are reviewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Review {
    /// By a reviewer, whom a proposal has to convince.
    Asked,
    /// Not.
    Skipped,
}

/// What may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Rounds of searching before a proposal.
    pub searches: usize,
    /// Proposals: the first, and what is written anew behind a review.
    pub proposals: usize,
    /// How often each piece may be mended.
    pub mends: usize,
    /// How many units a sketch may leave open.
    pub units: usize,
    /// How often a proposal is implemented, where an observer says that the design is another one.
    pub designs: usize,
    /// The most tokens of an answer.
    pub tokens: u64,
}

impl Default for Variant {
    fn default() -> Self {
        Self { way: Way::ByUnits, review: Review::Asked }
    }
}

impl Default for Limits {
    /// Three rounds of searching, four proposals, seven mends a piece, sixteen units, two designs, 4,000 tokens an answer.
    fn default() -> Self {
        Self { searches: 3, proposals: 4, mends: 7, units: 16, designs: 2, tokens: 4_000 }
    }
}

impl Commission {
    /// From how many designs it is made.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match self.parents.len() {
            0 => Mode::Scratch,
            1 => Mode::Mutation,
            _ => Mode::Crossover,
        }
    }

    /// The units that may be used again: those of `known`, the designs of a run or none, then those of parents and others that are not
    /// among them.
    #[must_use]
    pub fn units(&self, mut known: Arc<Registry>) -> Arc<Registry> {
        for one in self.known() {
            if !known.has(&one.hash)
                && let Some(design) = one.checked()
            {
                Arc::make_mut(&mut known).add(&design, Origin::default());
            }
        }
        known
    }

    /// Parents, then others.
    pub(crate) fn known(&self) -> impl Iterator<Item = &Known> {
        self.parents.iter().chain(&self.others)
    }
}

impl Known {
    /// The design; none where its text does not check.
    pub(crate) fn checked(&self) -> Option<CheckedDesign> {
        check_text(&self.name, &self.text).design
    }

    /// Its fingerprint.
    pub(crate) fn print(&self, prints: &Fingerprints) -> Option<Arc<Fingerprint>> {
        prints.print(&self.text, |_| self.checked())
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scratch => "scratch",
            Self::Mutation => "mutation",
            Self::Crossover => "crossover",
        })
    }
}
