//! The reviewer: rates a proposal by stated criteria, and says what is wrong with it.

use genesys_family::Fingerprints;
use genesys_llm::{Form, LlmError};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::commission::Commission;
use crate::conversation::{Conversation, Record, value};
use crate::prompt::{REVIEW, REVIEWER, enclosed};
use crate::proposal::Proposal;
use crate::proposer::{others, parents};

/// The rating from which on a proposal is implemented.
pub const PASSES: u8 = 4;

/// What a reviewer says. Each mark is from 0 to 5.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// Whether it is something else than the parents and the others.
    pub novelty: u8,
    /// Whether the mathematics says what the idea says, and is right.
    pub soundness: u8,
    /// Whether the effect follows, and can be seen at a small scale.
    pub effect: u8,
    /// Whether it can be afforded, in time, memory and state.
    pub cost: u8,
    /// All in all; 4 passes.
    pub rating: u8,
    /// What is wrong with it, and what would make it better.
    pub remarks: String,
}

impl Verdict {
    /// Whether the proposal is implemented.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.rating >= PASSES
    }

    /// The marks and the remarks.
    #[must_use]
    pub fn words(&self) -> String {
        let Self { novelty, soundness, effect, cost, rating, remarks } = self;
        format!(
            "Rating {rating} of 5 (novelty {novelty}, soundness {soundness}, effect {effect}, cost {cost}).\n\n{}",
            remarks.trim()
        )
    }

    fn flaws(&self) -> Vec<String> {
        let marks = [
            ("novelty", self.novelty),
            ("soundness", self.soundness),
            ("effect", self.effect),
            ("cost", self.cost),
            ("rating", self.rating),
        ];
        let high = marks.into_iter().filter(|(_, mark)| *mark > 5);
        let mut flaws: Vec<String> =
            high.map(|(name, mark)| format!("expected a mark from 0 to 5 for `{name}`, found {mark}")).collect();
        let least = self.novelty.min(self.soundness).min(self.effect).min(self.cost);
        if self.passes() && least < 2 {
            flaws.push(format!("expected a rating below {PASSES} where one mark is {least}, found {}", self.rating));
        }
        if self.remarks.trim().is_empty() {
            flaws.push("expected remarks, found none".to_owned());
        }
        flaws
    }
}

/// What a reviewer is.
pub(crate) fn system() -> String {
    REVIEWER.filled(&[("passes", &PASSES.to_string())])
}

/// Has a proposal reviewed; none where no answer could be taken.
pub(crate) fn review(
    talk: &mut Conversation<'_>,
    record: &mut Record<'_>,
    prints: &Fingerprints,
    commission: &Commission,
    proposal: &Proposal,
    sketch: Option<&str>,
) -> Result<Option<Verdict>, LlmError> {
    let asked = REVIEW.filled(&[
        ("parents", &parents(commission)),
        ("others", &others(prints, commission)),
        ("proposal", &enclosed(&proposal.text())),
        ("sketch", &enclosed(sketch.unwrap_or("none"))),
    ]);
    talk.piece(record, "review", asked, &form(), &|reply| {
        let verdict: Verdict = value(reply)?;
        let flaws = verdict.flaws();
        if flaws.is_empty() { Ok(verdict) } else { Err(flaws) }
    })
}

fn form() -> Form {
    let mark = json!({ "type": "integer", "enum": [0, 1, 2, 3, 4, 5] });
    let names = ["novelty", "soundness", "effect", "cost", "rating"];
    let mut properties: serde_json::Map<String, serde_json::Value> =
        names.iter().map(|name| ((*name).to_owned(), mark.clone())).collect();
    properties.insert("remarks".to_owned(), json!({ "type": "string" }));
    let required: Vec<&str> = names.iter().copied().chain(["remarks"]).collect();
    let schema =
        json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    Form::Schema { name: "review".to_owned(), schema }
}
