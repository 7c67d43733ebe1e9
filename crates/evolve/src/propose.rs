//! Proposals: the designs that a run starts from, offspring, and what dialogues gave.
//!
//! In: a state, a place, and texts. Out: a fact, proposed or rejected. What is drawn is a function of the run's seed
//! and the place, and stands in the fact. A design that is equal to an earlier one, by hash, is rejected, so that
//! nothing is trained twice; so is one that does not compile at the run's scale.

use genesys_agents::Dialogue;
use genesys_check::CheckedDesign;
use genesys_compiler::{check_text, compile, standard_units};
use genesys_genetic::{Context, Offspring, crossover, mutations};
use genesys_ir::module::Module;
use genesys_ir::parameters;

use crate::decode_state::state_bytes;
use crate::error::EvolveError;
use crate::fact::{Draw, Fact, Place, Proposed, Rejected, Rejection, Talked};
use crate::parents::{Children, choose, choose_mate};
use crate::random::{Purpose, bits, unit};
use crate::state::{Design, State};

/// The share of offspring that are made of two parents, where there are two.
const CROSSOVER: f64 = 0.15;

/// The shipped design of number `slot`, as a proposal.
///
/// # Errors
/// [`EvolveError::Shipped`] where it does not check, does not run at the scale, or is there already.
pub(crate) fn ship(state: &State, slot: usize) -> Result<Fact, EvolveError> {
    let shipped = &state.started.shipped[slot];
    let at_fault = |why: String| EvolveError::Shipped { name: shipped.name.clone(), why };
    let design = checked(&shipped.text).map_err(at_fault)?;
    let measure = measure(state, &design).map_err(at_fault)?;
    let hash = design.hash().to_string();
    if let Some(equal) = state.design(&hash) {
        return Err(at_fault(format!("it is equal to `{}`", equal.proposed.name)));
    }
    Ok(Fact::Proposed(Proposed {
        place: Place { generation: 0, slot: slot as u64, attempt: 0 },
        hash,
        name: shipped.name.clone(),
        text: shipped.text.clone(),
        baseline: shipped.baseline,
        parents: Vec::new(),
        operator: None,
        draw: None,
        parameters: measure.parameters,
        state_bytes: measure.state_bytes,
    }))
}

/// An attempt to fill `place` with an offspring of one design of a closed generation, or of two.
///
/// # Errors
/// [`EvolveError::NoParents`] where none of them could be trained.
pub(crate) fn breed(state: &State, place: Place) -> Result<Fact, EvolveError> {
    let seed = state.started.settings.seed;
    let Place { generation, slot, attempt } = place;
    let at = [generation, slot, attempt];
    let parent_point = unit(seed, Purpose::Parent, &at);
    let parent = choose(state, Children::All, parent_point).ok_or_else(|| no_parents(state))?;
    let mate_point = (unit(seed, Purpose::Crossover, &at) < CROSSOVER).then(|| unit(seed, Purpose::Mate, &at));
    let mate = mate_point.and_then(|point| choose_mate(state, Children::All, parent, point));
    let operator = bits(seed, Purpose::Operator, &at);
    let draw = Draw { parent: parent_point, operator, mate: mate.and(mate_point) };
    let parents: Vec<String> = [parent].into_iter().chain(mate).map(|design| design.proposed.hash.clone()).collect();
    let rejected = |operator: Option<String>, hash: Option<String>, reason| {
        Ok(Fact::Rejected(Rejected { place, parents: parents.clone(), operator, draw, hash, reason }))
    };
    let Some(offspring) = offspring(state, parent, mate, draw.operator) else {
        return rejected(None, None, Rejection::NoOffspring);
    };
    let operator = Some(format!("{}: {}", offspring.operator, offspring.detail));
    let hash = offspring.design.hash().to_string();
    if state.design(&hash).is_some() {
        return rejected(operator, Some(hash), Rejection::Known);
    }
    match measure(state, &offspring.design) {
        Err(why) => rejected(operator, Some(hash), Rejection::DoesNotRun(why)),
        Ok(Measure { parameters, state_bytes }) => Ok(Fact::Proposed(Proposed {
            place,
            hash,
            name: name(state, Some(parent), place),
            text: offspring.text(),
            baseline: false,
            parents,
            operator,
            draw: Some(draw),
            parameters,
            state_bytes,
        })),
    }
}

/// The first offspring that `seed` gives: of both parents, or of one, to which the other designs of closed generations
/// may give units.
fn offspring(state: &State, parent: &Design, mate: Option<&Design>, seed: u64) -> Option<Offspring> {
    let others = state.closed().filter(|design| design.proposed.hash != parent.proposed.hash);
    let donors: Vec<CheckedDesign> = others.filter_map(|design| checked(&design.proposed.text).ok()).collect();
    let scales = [state.started.settings.scale.clone()];
    let context = Context::new(standard_units(), &donors, &scales);
    let parent = checked(&parent.proposed.text).ok()?;
    match mate {
        Some(mate) => crossover(&parent, &checked(&mate.proposed.text).ok()?, &context, seed).next(),
        None => mutations(&parent, &context, seed).next(),
    }
}

/// What came of a dialogue: its design, or why it takes no part.
pub(crate) fn designed(state: &State, talked: &Talked) -> Fact {
    let Talked { place, parents, draw, dialogue, .. } = talked;
    let operator = Some(title(dialogue));
    let rejected = |hash: Option<String>, reason| {
        let (operator, parents) = (operator.clone(), parents.clone());
        Fact::Rejected(Rejected { place: *place, parents, operator, draw: *draw, hash, reason })
    };
    let Some(written) = &dialogue.design else {
        return rejected(None, Rejection::NoDesign(no_design(talked)));
    };
    let design = match checked(&written.text) {
        Ok(design) => design,
        Err(why) => return rejected(None, Rejection::DoesNotRun(why)),
    };
    let hash = design.hash().to_string();
    if state.design(&hash).is_some() {
        return rejected(Some(hash), Rejection::Known);
    }
    match measure(state, &design) {
        Err(why) => rejected(Some(hash), Rejection::DoesNotRun(why)),
        Ok(Measure { parameters, state_bytes }) => Fact::Proposed(Proposed {
            place: *place,
            hash,
            name: name(state, parents.first().and_then(|hash| state.design(hash)), *place),
            text: written.text.clone(),
            baseline: false,
            parents: parents.clone(),
            operator,
            draw: Some(*draw),
            parameters,
            state_bytes,
        }),
    }
}

/// Why no design came of a dialogue.
fn no_design(talked: &Talked) -> String {
    match &talked.unanswered {
        Some(why) => format!("the model did not answer: {}", plain(why, 400)),
        None => talked.dialogue.end.words().to_owned(),
    }
}

/// `dialogue: Halved memory`: what the last proposal is called, without what moves a terminal.
fn title(dialogue: &Dialogue) -> String {
    let title = plain(dialogue.proposals.last().map_or("", |last| &last.proposal.title), 80);
    if title.is_empty() { "dialogue".to_owned() } else { format!("dialogue: {title}") }
}

/// A text of others on one line, of at most so many characters.
fn plain(text: &str, most: usize) -> String {
    let line: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(most).collect();
    line.trim().to_owned()
}

/// The name of the design that the line began with, and the place: `gpt-2.4`; `new-2.4` where no line led to it.
fn name(state: &State, parent: Option<&Design>, place: Place) -> String {
    let mut root = parent;
    while let Some(earlier) = root.and_then(|root| state.design(root.proposed.parents.first()?)) {
        root = Some(earlier);
    }
    let root = root.map_or("new", |root| root.proposed.name.as_str());
    format!("{root}-{}.{}", place.generation, place.slot + 1)
}

pub(crate) fn no_parents(state: &State) -> EvolveError {
    let mut failures = state.trainings.iter().filter_map(|training| training.result.as_ref()?.as_ref().err());
    let last = failures.next_back().map_or_else(|| "there was none".to_owned(), ToString::to_string);
    EvolveError::NoParents { last }
}

pub(crate) fn checked(text: &str) -> Result<CheckedDesign, String> {
    let checked = check_text("design", text);
    let error = checked.diagnostics.iter().find(|diagnostic| diagnostic.is_error());
    let why = error.map_or_else(|| "it does not check".to_owned(), |error| error.message.clone());
    checked.design.ok_or(why)
}

struct Measure {
    parameters: u64,
    state_bytes: u64,
}

/// The design's size at the run's scale, or why it does not run there.
fn measure(state: &State, design: &CheckedDesign) -> Result<Measure, String> {
    let scale = &state.started.settings.scale;
    let module = compile(design, scale, state.started.text.vocabulary).map_err(|error| error.to_string())?;
    Ok(Measure { parameters: weights(&module)?, state_bytes: state_bytes(&module, scale.context)? })
}

fn weights(module: &Module) -> Result<u64, String> {
    let table = parameters(module).map_err(|error| error.to_string())?;
    Ok(table.iter().map(|parameter| parameter.shape.iter().product::<usize>() as u64).sum())
}
