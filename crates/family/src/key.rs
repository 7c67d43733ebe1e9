//! The key of a whole design.

use std::fmt;

use genesys_check::design::Times;
use genesys_check::{CheckedDesign, normal_form};

use crate::saturate::saturate;
use crate::term::read;

/// A family of designs, `f1-` and 32 hexadecimal digits; the prefix is the version of the algorithm. A tilde behind
/// it says that a limit was met.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FamilyKey {
    text: String,
    partial: bool,
}

impl FamilyKey {
    /// The family of a design.
    pub fn of(design: &CheckedDesign) -> FamilyKey {
        let mut partial = false;
        let mut digests = Vec::new();
        for function in design.functions() {
            let smallest = saturate(&read(&normal_form(&function.graph)));
            partial |= smallest.partial;
            digests.push(smallest.digest);
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"genesys family 1\n");
        for part in design.stack() {
            let (times, starred) = match part.times {
                Times::Fixed(times) => (times, 0),
                Times::ToDepth => (1, 1),
            };
            hasher.update(&[starred, u8::from(part.shared)]);
            for _ in 0..times {
                part.body.iter().for_each(|entry| _ = hasher.update(&digests[entry.function.0]));
            }
        }
        hasher.update(b"final\n");
        design.last().iter().for_each(|id| _ = hasher.update(&digests[id.0]));
        hasher.update(&[u8::from(design.tie_embeddings())]);
        FamilyKey { text: format!("f1-{}", &hasher.finalize().to_hex()[..32]), partial }
    }

    /// The key as text, without a mark.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a limit was met, so that another member of the family may have another key.
    pub fn is_partial(&self) -> bool {
        self.partial
    }
}

impl fmt::Display for FamilyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.text, if self.partial { "~" } else { "" })
    }
}
