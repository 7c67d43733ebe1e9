//! What a design of a dialogue rests on: sentences of documents, the proposal, the units that differ from its parents, the effect.
//!
//! In: a state and a design. Out: plain data, and the same as markup. It is a pure function of the state. What models wrote and what
//! was found are texts of others: the markup's maker escapes them.

use std::collections::BTreeMap;
use std::fmt;

use genesys_agents::proposal::Reference;
use genesys_check::CheckedDesign;
use genesys_compiler::check_text;
use genesys_evolve::State;
use genesys_evolve::fact::Proposed;
use genesys_registry::Diff;
use maud::{Markup, html};
use serde::{Deserialize, Serialize};

/// What a design rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// What the proposal is called.
    pub title: String,
    /// Its idea.
    pub idea: String,
    /// What the reviewer gave it, from 0 to 5; none where none was asked.
    pub rating: Option<u8>,
    /// The sentences that it rests on, each of a document.
    pub references: Vec<Reference>,
    /// Units that no parent has, by name.
    pub added: Vec<String>,
    /// Units that a parent has under the same name, and that are others now.
    pub changed: Vec<String>,
    /// Units of the first parent that are not there any more.
    pub removed: Vec<String>,
    /// Bits per byte less those of each parent, by the parent's hash, trained with the same seed; below 0 it is better. None where one
    /// of them has no score.
    pub effect: BTreeMap<String, Option<f64>>,
}

/// The units in which a design differs from its parents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    /// Units that no parent has, by name.
    pub added: Vec<String>,
    /// Units that a parent has under the same name, and that are others now.
    pub changed: Vec<String>,
    /// Units of the first parent that are not there any more.
    pub removed: Vec<String>,
}

impl Provenance {
    /// What a design rests on; none where no dialogue proposed it.
    #[must_use]
    pub fn of(state: &State, proposed: &Proposed) -> Option<Self> {
        let dialogue = &state.dialogue(proposed.place)?.talked.dialogue;
        dialogue.design.as_ref()?;
        let last = dialogue.proposals.last()?;
        let parents: Vec<&Proposed> =
            proposed.parents.iter().filter_map(|hash| Some(&state.design(hash)?.proposed)).collect();
        let Changes { added, changed, removed } = Changes::of(state, proposed);
        let score = state.score(&proposed.hash);
        let effect = |parent: &&Proposed| {
            let before = state.score(&parent.hash);
            (parent.hash.clone(), score.zip(before).map(|(score, before)| score - before))
        };
        Some(Self {
            title: last.proposal.title.clone(),
            idea: last.proposal.idea.clone(),
            rating: last.verdict.as_ref().map(|verdict| verdict.rating),
            references: last.proposal.references.clone(),
            added,
            changed,
            removed,
            effect: parents.iter().map(effect).collect(),
        })
    }
}

impl Changes {
    /// Those of a design of a run: told apart by what units compute, so that a new name or another comment is none.
    #[must_use]
    pub fn of(state: &State, proposed: &Proposed) -> Self {
        let design = |proposed: &Proposed| check_text(&proposed.name, &proposed.text).design;
        let parents = proposed.parents.iter().filter_map(|hash| state.design(hash));
        let before: Vec<CheckedDesign> = parents.filter_map(|parent| design(&parent.proposed)).collect();
        let Some(child) = design(proposed) else { return Self::default() };
        let Diff { added, changed, removed } = Diff::of(&before.iter().collect::<Vec<_>>(), &child);
        Self {
            added: added.into_keys().collect(),
            changed: changed.into_keys().collect(),
            removed: removed.into_keys().collect(),
        }
    }
}

impl fmt::Display for Changes {
    /// `added: Extra; changed: none; removed: none`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { added, changed, removed } = self;
        write!(f, "added: {}; changed: {}; removed: {}", listed(added), listed(changed), listed(removed))
    }
}

/// The chain from what was cited to what came of it.
pub(crate) fn chain(state: &State, proposed: &Proposed) -> Markup {
    let Some(provenance) = Provenance::of(state, proposed) else { return html! {} };
    let Provenance { title, idea, rating, references, added, changed, removed, effect } = provenance;
    let changes = Changes { added, changed, removed };
    html! {
        details {
            summary { "Proposal: " (title) }
            p { (idea) }
            @if let Some(rating) = rating { p { "A reviewer gave it " (rating) " of 5." } }
            @if references.is_empty() { p { "It refers to no document." } } @else {
                ul { @for Reference { key, sentence } in &references { li { code { (key) } ": " q { (sentence) } } } }
            }
            p { "Units " (changes) "." }
            @for (parent, effect) in &effect {
                p {
                    "Against " (state.design(parent).map_or("a parent", |parent| parent.proposed.name.as_str())) ", with the same seed: "
                    @match effect {
                        Some(effect) => { (format!("{effect:+.4}")) " bits per byte." }
                        None => { "not known." }
                    }
                }
            }
        }
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// All dialogues, what came of each, and what generations taught.
pub(crate) fn dialogues(state: &State) -> Markup {
    let designed = state.dialogues.iter().filter(|talk| talk.rejected.is_none()).count();
    html! {
        p { (state.dialogues.len()) " dialogues with language models gave " (designed) " designs." }
        ul {
            @for talk in &state.dialogues {
                @let place = talk.talked.place;
                li {
                    "Place " (place.generation) "." (place.slot + 1) ", attempt " (place.attempt + 1) ", " (talk.talked.mode) ", "
                    (talk.talked.dialogue.attempts.len()) " answers: "
                    @match talk.lesson() {
                        Some(lesson) => (lesson),
                        None => (talk.talked.dialogue.proposals.last().map_or("a design", |last| last.proposal.title.as_str())),
                    }
                }
            }
        }
        @for learned in &state.lessons {
            p { "Generation " (learned.generation) " taught:" }
            ul { @for lesson in &learned.lessons { li { (lesson) } } }
        }
    }
}
