//! What became of a proposal by one variant.

use genesys_llm::{Money, Usage};
use serde::{Deserialize, Serialize};

use crate::variant::Variant;

/// A written proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Its name: that of its file, without an ending.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl Proposal {
    /// The version of its text: `w1-` and 16 hexadecimal digits of a BLAKE3 hash.
    #[must_use]
    pub fn version(&self) -> String {
        let hash = blake3::Hasher::new_derive_key("genesys proposal 1").update(self.text.as_bytes()).finalize();
        format!("w1-{}", &hash.to_hex()[..16])
    }
}

/// What became of a proposal by one variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The proposal's name.
    pub proposal: String,
    /// How it was asked for.
    pub variant: Variant,
    /// The hash of the design, if there is one.
    pub design: Option<String>,
    /// How many answers were taken or not.
    pub answers: u64,
    /// How many of them mend another: those of each piece but its first.
    pub repairs: u64,
    /// Why the server would not go on, where it would not: the row counts as one without a design.
    pub refused: Option<String>,
    /// How often the model was asked.
    pub calls: u64,
    /// Tokens.
    pub usage: Usage,
    /// What they cost, in 10^-12 USD; none where the model has no price.
    pub money: Option<Money>,
    /// The seconds that were waited for the model; none where an answer came from a recording.
    pub model_seconds: Option<f64>,
    /// All other seconds: prompts, checks, records.
    pub own_seconds: f64,
}

impl Row {
    /// Whether there is a design.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.design.is_some()
    }

    /// Whether there is a design after at most `repairs`.
    #[must_use]
    pub fn is_valid_within(&self, repairs: u64) -> bool {
        self.is_valid() && self.repairs <= repairs
    }

    /// Tokens read and written.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.usage.input + self.usage.output
    }
}
