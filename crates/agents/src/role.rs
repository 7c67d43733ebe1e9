//! Who is asked: the roles that language models take.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Searches, writes a proposal, and sketches its interfaces.
    Proposer,
    /// Rates a proposal, and says what is wrong with it.
    Reviewer,
    /// Says in which order units are written, and how.
    Planner,
    /// Writes units, each until it checks.
    Implementer,
    /// Says whether a design does what its proposal says.
    Observer,
    /// Says what results teach.
    Analyst,
}

impl Role {
    /// All of them, in the order in which they are asked.
    pub const ALL: [Self; 6] =
        [Self::Proposer, Self::Reviewer, Self::Planner, Self::Implementer, Self::Observer, Self::Analyst];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Proposer => "proposer",
            Self::Reviewer => "reviewer",
            Self::Planner => "planner",
            Self::Implementer => "implementer",
            Self::Observer => "observer",
            Self::Analyst => "analyst",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
