//! The ways of asking that are compared.

use genesys_agents::Way;
use serde::{Deserialize, Serialize};

/// A way of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// A sketch, then one unit at a time, with what the checker says.
    ByUnits,
    /// All at once, with what the checker says.
    Whole,
    /// All at once, one answer.
    Direct,
    /// As `ByUnits`, with as many tries, but a model is told only that it is wrong.
    NoFeedback,
}

impl Variant {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 4] = [Self::ByUnits, Self::Whole, Self::Direct, Self::NoFeedback];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ByUnits => "by-units",
            Self::Whole => "whole",
            Self::Direct => "direct",
            Self::NoFeedback => "no-feedback",
        }
    }

    /// How the implementer is told to write.
    #[must_use]
    pub fn way(self) -> Way {
        match self {
            Self::ByUnits => Way::ByUnits,
            Self::Whole => Way::Whole,
            Self::Direct => Way::Direct,
            Self::NoFeedback => Way::Unheard,
        }
    }

    /// The one of a name.
    ///
    /// # Errors
    /// A sentence with the names that there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(Self::name).join("`, `");
        Self::ALL
            .into_iter()
            .find(|variant| variant.name() == text)
            .ok_or_else(|| format!("expected `{}`, found `{text}`", names()))
    }
}
