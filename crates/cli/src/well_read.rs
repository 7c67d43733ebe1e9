//! A designer that finds what its own run made, among what is known besides.
//!
//! In: what is searched, a designer over it. Out: that designer, which before each generation finds the designs of those before it, what
//! came of them, and their units. What is found is recorded, or is a function of the run's log, so a run that goes on or is replayed finds
//! the same.

use std::sync::Arc;

use genesys_agents::{Attempt, Commission, Library, Searches};
use genesys_evolve::designer::{Made, Taught, Teaching};
use genesys_evolve::{Asked, Designer, State};
use genesys_llm::LlmError;

use crate::literature::{Reading, documents};
use crate::output;

/// What the documents of the run are called: a replay, which lies elsewhere, calls them the same.
const RUN: &str = "run";

/// A designer, and what it searches.
pub(crate) struct WellRead {
    asked: Asked,
    searches: Arc<Searches<Reading>>,
}

impl WellRead {
    /// A designer that is made over a library.
    pub(crate) fn new(
        searches: Searches<Reading>,
        asked: impl FnOnce(Option<Box<dyn Library + Send>>) -> Asked,
    ) -> Self {
        let searches = Arc::new(searches);
        Self { asked: asked(Some(Box::new(Arc::clone(&searches)))), searches }
    }
}

impl Designer for WellRead {
    fn design(&self, commission: &Commission, see: &mut dyn FnMut(&Attempt)) -> Result<Made, LlmError> {
        self.asked.design(commission, see)
    }

    fn learn(&self, lesson: &Teaching, see: &mut dyn FnMut(&Attempt)) -> Result<Taught, LlmError> {
        self.asked.learn(lesson, see)
    }

    fn know(&self, state: &State) {
        self.asked.know(state);
        self.searches.begin(state.generation);
        // A recording has what was found.
        let Some(reading) = self.searches.library() else { return };
        let made = self.asked.units(|units| documents(RUN, state, state.generation, units));
        if let Err(error) = reading.put(RUN, made) {
            output::say(format_args!("models cannot look for what the run made: {error}"));
        }
    }
}
