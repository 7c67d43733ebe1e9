//! Who designs beside the operators: language models, asked by a transport.
//!
//! In: a commission. Out: a dialogue, and what its answers took. A [`Designer`] may be asked by several threads at once. [`Asked`] is
//! one over a transport; a test may be another.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use genesys_agents::offer::UnitWords;
use genesys_agents::{Attempt, Case, Commission, Desk, Dialogue, Lesson, Library, Unfinished, analyse, design};
use genesys_family::{Families, Fingerprints};
use genesys_llm::price::Price;
use genesys_llm::{LlmError, Reply, Request, Spent, Transport};
use genesys_registry::{Credit, Registry, UnitKey};

use crate::state::State;
use crate::units::Units;

/// Somebody who designs.
pub trait Designer: Send + Sync {
    /// Has a dialogue about a design. `see` is told each answer as it ends.
    ///
    /// # Errors
    /// Why no model answers. The run stops then, and can be gone on with.
    fn design(&self, commission: &Commission, see: &mut dyn FnMut(&Attempt)) -> Result<Made, LlmError>;

    /// Says what results teach, drawing from `seed`. `see` is told each answer as it ends.
    ///
    /// # Errors
    /// As [`design`](Self::design).
    fn learn(&self, lesson: &Teaching, see: &mut dyn FnMut(&Attempt)) -> Result<Taught, LlmError>;

    /// Hears what a run knows, before dialogues of its open generation begin: once for each generation, and again where a run goes on.
    /// What it takes from there must be the same both times, so nothing of the open generation.
    fn know(&self, _state: &State) {}
}

/// Results that are to teach something.
#[derive(Clone, Debug, PartialEq)]
pub struct Teaching {
    /// What became of designs.
    pub cases: Vec<Case>,
    /// How often an answer may be mended.
    pub mends: usize,
    /// The most tokens of an answer.
    pub tokens: u64,
    /// What a model draws from, where it knows seeds.
    pub seed: u64,
}

impl Made {
    /// Why no design came of it; nothing where one did.
    pub(crate) fn lesson(&self) -> Option<Lesson> {
        failure(&self.dialogue, self.unanswered.as_deref())
    }
}

/// Why no design came of a dialogue; nothing where one did.
pub(crate) fn failure(dialogue: &Dialogue, unanswered: Option<&str>) -> Option<Lesson> {
    match unanswered {
        Some(why) => Some(Lesson::cut(&format!("an attempt ended without an answer: {why}"))),
        None => dialogue.lesson(),
    }
}

/// What came of a commission.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// All that was said and made.
    pub dialogue: Dialogue,
    /// Why a model did not answer to the end, if it did not: its design failed, the run goes on.
    pub unanswered: Option<String>,
    /// What the answers took.
    pub spent: Spent,
}

/// What results taught.
#[derive(Clone, Debug, PartialEq)]
pub struct Taught {
    /// What was learned.
    pub lessons: Vec<Lesson>,
    /// All answers.
    pub attempts: Vec<Attempt>,
    /// Why a model did not answer, if it did not.
    pub unanswered: Option<String>,
    /// What the answers took.
    pub spent: Spent,
}

/// Who designs in a run, and how many dialogues go on side by side; the number changes no result.
#[derive(Clone)]
pub struct Designers {
    /// Who.
    pub designer: Arc<dyn Designer>,
    /// How many at once.
    pub at_once: usize,
}

/// A model behind a transport.
pub struct Asked {
    transport: Box<dyn Transport>,
    model: String,
    price: Option<Price>,
    members: BTreeMap<String, Option<Price>>,
    library: Option<Box<dyn Library + Send>>,
    families: Families,
    prints: Fingerprints,
    words: UnitWords,
    units: Mutex<Units>,
}

impl Asked {
    /// The model of that name behind `transport`. A price that is not known counts tokens alone; without a library no document is found.
    #[must_use]
    pub fn new(
        transport: Box<dyn Transport>,
        model: String,
        price: Option<Price>,
        library: Option<Box<dyn Library + Send>>,
    ) -> Self {
        let (families, prints, words) = (Families::default(), Fingerprints::default(), UnitWords::default());
        let (members, units) = (BTreeMap::new(), Mutex::default());
        Self { transport, model, price, members, library, families, prints, words, units }
    }

    /// The same, of several models that answer for each other: an answer counts by the price of the one that it names.
    #[must_use]
    pub fn with_members(self, members: BTreeMap<String, Option<Price>>) -> Self {
        Self { members, ..self }
    }

    fn desk<'a>(
        &'a self,
        counted: &'a Counted<'a>,
        registry: Option<&'a Registry>,
        credits: &'a BTreeMap<UnitKey, Credit>,
    ) -> Desk<'a> {
        let library = self.library.as_deref().map(|library| library as &dyn Library);
        let (families, prints, words) = (&self.families, &self.prints, &self.words);
        Desk { transport: counted, model: &self.model, library, registry, credits, words, families, prints }
    }

    /// What `read` takes of the units that the run had before its open generation.
    pub fn units<T>(&self, read: impl FnOnce(&Units) -> T) -> T {
        read(&self.units.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn counted(&self) -> Counted<'_> {
        Counted { asked: self, spent: Mutex::default() }
    }
}

impl Designer for Asked {
    fn design(&self, commission: &Commission, see: &mut dyn FnMut(&Attempt)) -> Result<Made, LlmError> {
        let (registry, credits) = self.units(|units| (Arc::clone(&units.registry), Arc::clone(&units.credits)));
        let (counted, units) = (self.counted(), commission.units(registry));
        let made = design(&self.desk(&counted, Some(&units), &credits), commission, see);
        let spent = counted.spent();
        let (dialogue, unanswered) = match made.map_err(|unfinished| *unfinished) {
            Ok(dialogue) => (dialogue, None),
            Err(Unfinished { dialogue, error }) => (dialogue, Some(of_the_dialogue(error, spent)?)),
        };
        Ok(Made { dialogue, unanswered, spent })
    }

    fn know(&self, state: &State) {
        self.units.lock().unwrap_or_else(PoisonError::into_inner).know(state, state.generation);
    }

    fn learn(&self, teaching: &Teaching, see: &mut dyn FnMut(&Attempt)) -> Result<Taught, LlmError> {
        let counted = self.counted();
        let mut attempts = Vec::new();
        let Teaching { cases, mends, tokens, seed } = teaching;
        let lessons =
            analyse(&self.desk(&counted, None, &BTreeMap::new()), cases, *mends, *tokens, *seed, &mut |attempt| {
                see(attempt);
                attempts.push(attempt.clone());
            });
        let spent = counted.spent();
        let (lessons, unanswered) = match lessons {
            Ok(lessons) => (lessons, None),
            Err(error) => (Vec::new(), Some(of_the_dialogue(error, spent)?)),
        };
        Ok(Taught { lessons, attempts, unanswered, spent })
    }
}

/// Why a dialogue ended that the model had answered before: what was asked last is at fault, as where it is too long for the model.
///
/// # Errors
/// The error, where the model or the world is at fault, or where nothing was answered at all: then the next dialogue would end alike.
fn of_the_dialogue(error: LlmError, spent: Spent) -> Result<String, LlmError> {
    let of_one = match &error {
        LlmError::Refused { .. } | LlmError::TooLarge { .. } | LlmError::Malformed(_) => true,
        LlmError::Misfit { .. } | LlmError::Declined { .. } => true,
        LlmError::Recorded { passes, .. } => !passes,
        LlmError::Unreachable { .. } | LlmError::Key { .. } | LlmError::Busy { .. } | LlmError::Silent { .. } => false,
        LlmError::CutOff(_) | LlmError::File { .. } | LlmError::Unrecorded(_) | LlmError::Budget(_) => false,
        LlmError::NoPrice { .. } | LlmError::Unsupported(_) => false,
    };
    if of_one && spent.calls > 0 { Ok(error.to_string()) } else { Err(error) }
}

/// Counts what the answers of one dialogue take. It is a function of the answers, so that a replay counts the same; what failed on
/// the way is in the ledger.
struct Counted<'a> {
    asked: &'a Asked,
    spent: Mutex<Spent>,
}

impl Counted<'_> {
    fn spent(&self) -> Spent {
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, reply: &Reply) {
        let price = self.asked.members.get(&reply.model).unwrap_or(&self.asked.price);
        let money = price.as_ref().map(|price| price.of(reply.usage)).unwrap_or_default();
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        *spent = spent.plus(Spent::call(money, reply.usage));
    }
}

impl Transport for Counted<'_> {
    fn ask(&self, request: &Request, hear: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        let reply = self.asked.transport.ask(request, hear)?;
        self.count(&reply);
        Ok(reply)
    }
}
