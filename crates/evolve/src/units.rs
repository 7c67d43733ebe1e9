//! Every unit that was checked in a run, and what each was worth.
//!
//! In: a state of one run, as often as it has more. Out: a registry of the units of its designs and of its dialogues, whatever became of
//! these, and credits by the scores of first seeds. Events are taken in by their order, each once, and a generation begins behind all
//! events of those before it: a run that goes on has the same, and in the same order.
//! Not here: offspring of operators that take no part, each of which is a function of its draw.

use std::collections::BTreeMap;
use std::sync::Arc;

use genesys_compiler::check_text;
use genesys_registry::{Credit, Origin, Registry, UnitKey};

use crate::fact::{Place, Proposed, Talked};
use crate::propose::checked;
use crate::state::State;

/// The units of a run.
#[derive(Default)]
pub struct Units {
    /// The units, in the order in which their designs and dialogues came to be.
    pub registry: Arc<Registry>,
    /// What each was worth, where that is known.
    pub credits: Arc<BTreeMap<UnitKey, Credit>>,
    /// The number of the last event that was taken in.
    last: Option<u64>,
}

impl From<Registry> for Units {
    /// Units of no run: nothing is known of what they were worth.
    fn from(registry: Registry) -> Self {
        Self { registry: Arc::new(registry), ..Self::default() }
    }
}

/// What an event brought.
enum Brought<'a> {
    Design(&'a Proposed),
    Dialogue(&'a Talked),
}

impl Units {
    /// Takes in what generations below `before` brought, with the scores that their designs have by now.
    pub fn know(&mut self, state: &State, before: u64) {
        let designs = state.designs.iter().map(|design| (design.event, Brought::Design(&design.proposed)));
        let dialogues = state.dialogues.iter().map(|talk| (talk.event, Brought::Dialogue(&talk.talked)));
        let is_new = |event: u64, place: Place| place.generation < before && self.last.is_none_or(|last| last < event);
        let mut new: Vec<(u64, Brought<'_>)> =
            designs.chain(dialogues).filter(|(event, brought)| is_new(*event, brought.place())).collect();
        new.sort_by_key(|(event, _)| *event);
        self.last = new.last().map(|(event, _)| *event).or(self.last);
        for (_, brought) in new {
            self.add(brought);
        }
        let closed = state.designs.iter().filter(|design| design.proposed.place.generation < before);
        let hashes = closed.map(|design| &design.proposed.hash);
        let scores = hashes.filter_map(|hash| Some((hash.clone(), state.score(hash)?))).collect();
        self.credits = Arc::new(self.registry.credits(&scores));
    }

    fn add(&mut self, brought: Brought<'_>) {
        let registry = Arc::make_mut(&mut self.registry);
        match brought {
            Brought::Design(Proposed { text, parents, .. }) => {
                if let Ok(checked) = checked(text) {
                    registry.add(&checked, Origin { parents: parents.clone() });
                }
            }
            Brought::Dialogue(Talked { dialogue, parents, .. }) => {
                for text in dialogue.checked() {
                    let checked = check_text("draft", text);
                    if checked.sketch.is_some() || checked.design.is_some() {
                        registry.add_draft(&checked.syntax, &Origin { parents: parents.clone() });
                    }
                }
            }
        }
    }
}

impl Brought<'_> {
    fn place(&self) -> Place {
        match self {
            Self::Design(proposed) => proposed.place,
            Self::Dialogue(talked) => talked.place,
        }
    }
}
