//! What a run does next: a pure function of its state.
//!
//! In: a [`State`]. Out: an [`Action`]. A generation is a barrier: nothing of the next one is proposed before all
//! trainings of the open one are done. Since the plan depends on the state alone, going on after a kill needs no more
//! than the log.

use crate::commission::{is_dialogue, is_learned_from};
use crate::fact::Place;
use crate::state::State;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Propose the shipped design of that number.
    Ship(usize),
    /// Try to fill a place with an offspring.
    Breed(Place),
    /// Try to fill a place with what language models design.
    Design(Place),
    /// Have what the open generation taught said.
    Learn,
    /// Train these, each a design's hash and the number of a seed, and take the results in this order.
    Train(Vec<(String, u64)>),
    /// Close the open generation.
    Close,
    /// Choose the designs that are trained with more seeds.
    ChooseFinalists,
    /// Write the leaderboard.
    Finish,
    /// Nothing: the run is over.
    Done,
}

/// The next action.
#[must_use]
pub fn next(state: &State) -> Action {
    if state.board.is_some() {
        return Action::Done;
    }
    if state.generation > state.started.settings.generations {
        return next_of_final(state);
    }
    if let Some(action) = next_proposal(state) {
        return action;
    }
    let generation = |place: &Place| place.generation == state.generation;
    let open = state.designs.iter().filter(|design| generation(&design.proposed.place));
    let wanted = open.map(|design| (design.proposed.hash.clone(), 0)).collect();
    let learned = state.lessons.iter().any(|learned| learned.generation == state.generation);
    let after = if is_learned_from(state) && !learned { Action::Learn } else { Action::Close };
    train_or(state, wanted, after)
}

fn next_proposal(state: &State) -> Option<Action> {
    let settings = &state.started.settings;
    let generation = state.generation;
    if generation == 0 {
        let missing = (0..state.started.shipped.len()).find(|slot| !state.is_filled(0, *slot as u64));
        return missing.map(Action::Ship);
    }
    let open =
        |slot: &u64| !state.is_filled(generation, *slot) && state.attempts(generation, *slot) < settings.attempts;
    let slot = (0..settings.population).find(open)?;
    let place = Place { generation, slot, attempt: state.attempts(generation, slot) };
    Some(if is_dialogue(state, place) { Action::Design(place) } else { Action::Breed(place) })
}

fn next_of_final(state: &State) -> Action {
    let Some(finalists) = &state.finalists else {
        return Action::ChooseFinalists;
    };
    let seeds = 0..state.started.settings.seeds;
    // Seed by seed, so that a run that is cut short has equally many of each.
    let wanted = seeds.flat_map(|index| finalists.iter().map(move |hash| (hash.clone(), index))).collect();
    train_or(state, wanted, Action::Finish)
}

/// Those of `wanted` that have no result yet; `after` when all have one.
fn train_or(state: &State, wanted: Vec<(String, u64)>, after: Action) -> Action {
    let done = |hash: &str, index| state.training(hash, index).is_some_and(|training| training.result.is_some());
    let open: Vec<_> = wanted.into_iter().filter(|(hash, index)| !done(hash, *index)).collect();
    if open.is_empty() { after } else { Action::Train(open) }
}
