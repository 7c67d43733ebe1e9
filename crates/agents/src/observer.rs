//! The observer: whether a design is what was proposed.
//!
//! What the program can find out is found out, not asked: what decoding keeps, how the work grows, which units changed, how far it
//! is from each design that is known. A model rates the rest.

use genesys_check::CheckedDesign;
use genesys_compiler::{CheckedText, check_text};
use genesys_explain::explain;
use genesys_family::Fingerprint;
use genesys_llm::{Form, LlmError};
use genesys_registry::Diff;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::commission::{Commission, Known};
use crate::conversation::{Conversation, Record, value};
use crate::design::Desk;
use crate::prompt::{OBSERVE, OBSERVER, enclosed};
use crate::proposal::{Claims, Proposal, State, class};

/// The mark from which on a design does what was proposed.
const FAITHFUL: u8 = 3;

/// What was seen in a design.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// What the program found.
    pub facts: Facts,
    /// Each claim that does not hold, with what does.
    pub broken: Vec<String>,
    /// What a model says; none where none was asked, or none answered as was asked.
    pub opinion: Option<Opinion>,
}

/// What the program found out about a design.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// What decoding keeps.
    pub state: State,
    /// How the work grows, as a power of the tokens.
    pub power: u32,
    /// In which units it differs from its parents.
    pub diff: Diff,
    /// The design that is nearest, and how far it is: 0 for equal ones, 1 for such that share nothing.
    pub nearest: Option<(String, f64)>,
    /// A design that it is equal to, or equal to in exact arithmetic.
    pub twin: Option<String>,
}

/// What a model says of a design. Each mark is from 0 to 5.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opinion {
    /// Whether it does what the proposal says.
    pub faithful: u8,
    /// Whether it is something new.
    pub novelty: u8,
    /// Whether it is written well.
    pub quality: u8,
    /// What is missing or other than proposed.
    pub remarks: String,
}

impl Observation {
    /// Whether the design is what was proposed, and new.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.broken.is_empty() && self.opinion.as_ref().is_none_or(|opinion| opinion.faithful >= FAITHFUL)
    }

    /// What does not hold, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let opinion = self.opinion.iter().filter(|opinion| opinion.faithful < FAITHFUL);
        let said = opinion.map(|opinion| format!("faithful {} of 5: {}", opinion.faithful, opinion.remarks.trim()));
        self.broken.iter().cloned().chain(said).collect::<Vec<_>>().join("\n")
    }
}

/// What there is to know about a design, and which claims of its proposal do not hold.
pub(crate) fn look(
    desk: &Desk<'_>,
    commission: &Commission,
    proposal: &Proposal,
    design: &CheckedDesign,
    text: &str,
) -> Observation {
    let facts = Facts::of(desk, commission, design, text);
    let mut broken = facts.against(&proposal.claims);
    if let Some(twin) = &facts.twin {
        broken.push(format!("the design is equal to `{twin}`, which is known: nothing would be learned from it"));
    }
    Observation { facts, broken, opinion: None }
}

impl Facts {
    fn of(desk: &Desk<'_>, commission: &Commission, design: &CheckedDesign, text: &str) -> Self {
        let known: Vec<(&Known, CheckedDesign)> =
            commission.known().filter_map(|one| Some((one, one.checked()?))).collect();
        let parents: Vec<&CheckedDesign> =
            known.iter().take(commission.parents.len()).map(|(_, design)| design).collect();
        let (print, family) = (Fingerprint::of(design), desk.families.key(design));
        let prints = known.iter().filter_map(|(one, _)| Some((one.name.clone(), one.print(desk.prints)?)));
        let far = prints.map(|(name, other)| (name, print.distance(&other)));
        let nearest = far.min_by(|a, b| a.1.total_cmp(&b.1));
        let equal = |other: &CheckedDesign| other.hash() == design.hash() || desk.families.key(other) == family;
        let twin = known.iter().find(|(_, other)| equal(other)).map(|(one, _)| one.name.clone());
        let (state, power) = costs(&check_text("design.gau", text), design);
        Self { state, power, diff: Diff::of(&parents, design), nearest, twin }
    }

    /// The claims that do not hold.
    fn against(&self, claims: &Claims) -> Vec<String> {
        let word = |state| match state {
            State::Constant => "as much after any number of tokens",
            State::Growing => "more with every token",
        };
        let state = claims.state.filter(|claimed| *claimed != self.state).map(|claimed| {
            format!("the proposal says that decoding keeps {}, and it keeps {}", word(claimed), word(self.state))
        });
        let time = claims.power.filter(|claimed| *claimed != self.power).map(|claimed| {
            format!("the proposal says that a forward pass is {}, and it is {}", class(claimed), class(self.power))
        });
        state.into_iter().chain(time).collect()
    }

    fn words(&self) -> String {
        let names = |units: Vec<&String>| match &units[..] {
            [] => "none".to_owned(),
            units => units.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", "),
        };
        let nearest =
            self.nearest.as_ref().map_or("none".to_owned(), |(name, far)| format!("{name}, at {far:.2} of 1"));
        format!(
            "- decoding keeps {}\n- a forward pass is {}\n- units added: {}\n- units changed: {}\n- units removed: {}\n- the nearest design: {nearest}",
            match self.state {
                State::Constant => "a state of constant size",
                State::Growing => "more with every token",
            },
            class(self.power),
            names(self.diff.added.keys().collect()),
            names(self.diff.changed.keys().collect()),
            names(self.diff.removed.keys().collect()),
        )
    }
}

/// What decoding keeps, and how the work grows. Where a figure does not fit in 64 bits, the worst of both.
fn costs(text: &CheckedText, design: &CheckedDesign) -> (State, u32) {
    let Ok(all) = explain(text, design, None) else { return (State::Growing, u32::MAX) };
    let grows = all.units.iter().flat_map(|unit| &unit.kept).any(|kept| kept.kind == "growing");
    let power = |class: &str| -> Option<u32> {
        match class.strip_prefix("O(")?.strip_suffix(')')? {
            "1" => Some(0),
            "T" => Some(1),
            inner => inner.strip_prefix("T^")?.parse().ok(),
        }
    };
    let power = all.units.iter().filter_map(|unit| power(&unit.class)).max().unwrap_or(0);
    (if grows { State::Growing } else { State::Constant }, power)
}

/// What an observer is.
pub(crate) fn system() -> String {
    OBSERVER.filled(&[])
}

/// Asks a model what it sees; none where no answer could be taken.
pub(crate) fn observe(
    talk: &mut Conversation<'_>,
    record: &mut Record<'_>,
    proposal: &Proposal,
    text: &str,
    facts: &Facts,
) -> Result<Option<Opinion>, LlmError> {
    let asked = OBSERVE.filled(&[
        ("proposal", &enclosed(&proposal.text())),
        ("design", &enclosed(text.trim_end())),
        ("facts", &enclosed(&facts.words())),
    ]);
    talk.piece(record, "observation", asked, &form(), &|reply| {
        let opinion: Opinion = value(reply)?;
        let marks = [("faithful", opinion.faithful), ("novelty", opinion.novelty), ("quality", opinion.quality)];
        let high = marks.into_iter().filter(|(_, mark)| *mark > 5);
        let flaws: Vec<String> =
            high.map(|(name, mark)| format!("expected a mark from 0 to 5 for `{name}`, found {mark}")).collect();
        if flaws.is_empty() { Ok(opinion) } else { Err(flaws) }
    })
}

fn form() -> Form {
    let mark = json!({ "type": "integer", "enum": [0, 1, 2, 3, 4, 5] });
    let schema = json!({
        "type": "object",
        "properties": { "faithful": mark, "novelty": mark, "quality": mark, "remarks": { "type": "string" } },
        "required": ["faithful", "novelty", "quality", "remarks"],
        "additionalProperties": false,
    });
    Form::Schema { name: "observation".to_owned(), schema }
}
