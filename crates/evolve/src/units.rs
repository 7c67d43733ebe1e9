//! The units of a run's designs, and what each was worth.
//!
//! In: a state, as often as it has more. Out: a registry, and credits by the scores of first seeds. Both are functions of the designs
//! and scores that were taken in, so a run that goes on has the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use genesys_registry::{Credit, Origin, Registry, UnitKey};

use crate::propose::checked;
use crate::state::State;

/// The units of a run.
#[derive(Default)]
pub struct Units {
    /// The units, in the order in which the designs were proposed.
    pub registry: Arc<Registry>,
    /// What each was worth, where that is known.
    pub credits: Arc<BTreeMap<UnitKey, Credit>>,
}

impl Units {
    /// Takes in the designs of generations below `before`, with the scores that they have by now.
    pub fn know(&mut self, state: &State, before: u64) {
        let mut scores = BTreeMap::new();
        for design in state.designs.iter().filter(|design| design.proposed.place.generation < before) {
            let proposed = &design.proposed;
            if !self.registry.has(&proposed.hash)
                && let Ok(checked) = checked(&proposed.text)
            {
                Arc::make_mut(&mut self.registry).add(&checked, Origin { parents: proposed.parents.clone() });
            }
            scores.extend(state.score(&proposed.hash).map(|score| (proposed.hash.clone(), score)));
        }
        self.credits = Arc::new(self.registry.credits(&scores));
    }
}
