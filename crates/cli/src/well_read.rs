//! A designer that finds what its own run made, among what is known besides.
//!
//! In: an index, a designer over it. Out: that designer, which before each generation finds the designs of those before it, what came
//! of them, and their units. What is found is a function of the run's log, so a run that goes on or is replayed finds the same.

use std::sync::{Arc, Mutex, PoisonError};

use genesys_agents::{Attempt, Commission, Library};
use genesys_evolve::designer::{Made, Taught, Teaching};
use genesys_evolve::{Asked, Designer, State};
use genesys_literature::{Document, Index, Kind};
use genesys_llm::LlmError;

use crate::literature::documents;
use crate::output;

/// What the documents of the run are called: a replay, which lies elsewhere, calls them the same.
const RUN: &str = "run";

/// A designer, and the index it reads.
pub(crate) struct WellRead {
    asked: Asked,
    index: Arc<Mutex<Index>>,
}

impl WellRead {
    /// A designer that is made over a library.
    pub(crate) fn new(index: Index, asked: impl FnOnce(Option<Box<dyn Library + Send>>) -> Asked) -> Self {
        let index = Arc::new(Mutex::new(index));
        Self { asked: asked(Some(Box::new(Shared(Arc::clone(&index))))), index }
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
        let documents = self.asked.units(|units| documents(RUN, state, state.generation, units));
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = index.replace(RUN, &[documents]) {
            output::say(format_args!("models cannot look for what the run made: {error}"));
        }
    }
}

/// An index that somebody else puts documents in.
struct Shared(Arc<Mutex<Index>>);

impl Library for Shared {
    fn search(&self, question: &str, kinds: &[Kind], limit: usize) -> Result<Vec<Document>, String> {
        self.0.search(question, kinds, limit)
    }
}
