//! What language models are asked for: a pure function of the state.
//!
//! In: a state and a place, and the fingerprints that were found before, which change nothing but the time. Out: a commission, and what
//! was drawn to make it. All dialogues of a generation begin from what was known before it, so that they can go on side by side and be
//! taken in the order of their places, whichever ends first. One alone learns more: the next at the same place knows why those before it
//! failed.

use std::sync::Arc;

use genesys_agents::{Case, Commission, Known, Lesson, Mode};
use genesys_family::{Fingerprint, Fingerprints};

use crate::designer::failure;
use crate::error::EvolveError;
use crate::fact::{Draw, Place, Rejection};
use crate::parents::{Children, choose, choose_mate};
use crate::propose::{checked, no_parents};
use crate::random::{Purpose, bits, unit};
use crate::settings::Agents;
use crate::state::{Design, State, Talk};

/// The shares of dialogues that begin from no design, and from two.
const SCRATCH: f64 = 0.05;
const CROSSOVER: f64 = 0.15;
/// How many designs there have to be before one begins from none, and before one begins from two.
const SCRATCH_FROM: usize = 20;
const CROSSOVER_FROM: usize = 10;
/// How many others are shown: the best, and those that are nearest to a parent.
const BEST: usize = 4;
const NEAREST: usize = 4;
/// How many lessons are given of what generations taught, and of dialogues that failed.
const LESSONS: usize = 10;
const FAILURES: usize = 5;

/// A commission, and what was drawn to make it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Drafted {
    pub(crate) commission: Commission,
    pub(crate) draw: Draw,
}

/// Whether language models are asked for that attempt at a place.
pub(crate) fn is_dialogue(state: &State, place: Place) -> bool {
    let settings = &state.started.settings;
    let asked = |agents: &Agents| {
        let drawn = unit(settings.seed, Purpose::Share, &[place.generation, place.slot]) * 100.0;
        place.generation > 0 && place.attempt < agents.dialogues && drawn < agents.share as f64
    };
    place.attempt < settings.attempts && settings.agents.as_ref().is_some_and(asked)
}

/// Whether what the open generation taught is said: where models will be asked for designs of a later one.
pub(crate) fn is_learned_from(state: &State) -> bool {
    let settings = &state.started.settings;
    let asked = settings.agents.as_ref().is_some_and(|agents| agents.share > 0);
    asked && (1..settings.generations).contains(&state.generation)
}

/// What is asked for at a place, where the dialogues before it at this place failed for these reasons.
///
/// # Errors
/// [`EvolveError::NoParents`] where no design could be trained.
pub(crate) fn drafted(
    state: &State,
    prints: &Fingerprints,
    place: Place,
    failed: &[Lesson],
) -> Result<Drafted, EvolveError> {
    let settings = &state.started.settings;
    let agents = settings.agents.as_ref().expect("a place is given to models only where there are some");
    let at = [place.generation, place.slot, place.attempt];
    let draws = |purpose| unit(settings.seed, purpose, &at);
    let parent_point = draws(Purpose::Parent);
    let parent = choose(state, Children::Earlier, parent_point).ok_or_else(|| no_parents(state))?;
    let mode = mode(state.closed().count(), draws(Purpose::Mode));
    let mate_point = (mode == Mode::Crossover).then(|| draws(Purpose::Mate));
    let mate = mate_point.and_then(|point| choose_mate(state, Children::Earlier, parent, point));
    let parents: Vec<&Design> = match mode {
        Mode::Scratch => Vec::new(),
        Mode::Mutation | Mode::Crossover => [parent].into_iter().chain(mate).collect(),
    };
    let seed = bits(settings.seed, Purpose::Dialogue, &at);
    let commission = Commission {
        others: others(state, prints, &parents).into_iter().map(|other| known(state, other)).collect(),
        parents: parents.into_iter().map(|parent| known(state, parent)).collect(),
        lessons: lessons(state, failed).iter().map(Lesson::to_string).collect(),
        scales: vec![settings.scale.clone()],
        variant: agents.variant,
        limits: agents.limits,
        // What is drawn for a model stands in JSON, where whole numbers are safe below 2^53 alone.
        seed: seed >> 11,
    };
    let draw = Draw { parent: parent_point, operator: commission.seed, mate: mate.and(mate_point) };
    Ok(Drafted { commission, draw })
}

/// From how many designs a dialogue begins, where so many are known.
fn mode(known: usize, point: f64) -> Mode {
    match point {
        point if point < SCRATCH && known >= SCRATCH_FROM => Mode::Scratch,
        point if point >= 1.0 - CROSSOVER && known >= CROSSOVER_FROM => Mode::Crossover,
        _ => Mode::Mutation,
    }
}

fn known(state: &State, design: &Design) -> Known {
    let proposed = &design.proposed;
    let score = state.score(&proposed.hash);
    Known { name: proposed.name.clone(), hash: proposed.hash.clone(), text: proposed.text.clone(), score }
}

/// The best other designs, then those that are nearest to a parent.
fn others<'s>(state: &'s State, prints: &Fingerprints, parents: &[&Design]) -> Vec<&'s Design> {
    let generation = state.generation;
    let is_other = |design: &&'s Design| {
        design.proposed.place.generation < generation && parents.iter().all(|parent| parent.event != design.event)
    };
    let mut others: Vec<&Design> = state.ranking().into_iter().filter(is_other).take(BEST).collect();
    let print = |design: &Design| prints.print(&design.proposed.text, |text| checked(text).ok());
    let own: Vec<Arc<Fingerprint>> = parents.iter().filter_map(|parent| print(parent)).collect();
    let distance = |design: &Design| {
        let print = print(design)?;
        own.iter().map(|parent| parent.distance(&print)).min_by(f64::total_cmp)
    };
    let rest = state.closed().filter(is_other).filter(|design| others.iter().all(|other| other.event != design.event));
    let mut rest: Vec<(f64, &Design)> = rest.filter_map(|design| Some((distance(design)?, design))).collect();
    // Stable: designs at one distance stay in the order of proposal.
    rest.sort_by(|a, b| a.0.total_cmp(&b.0));
    others.extend(rest.into_iter().take(NEAREST).map(|(_, design)| design));
    others
}

/// What failed at this place first, then what was learned last, then what failed elsewhere, the latest first.
fn lessons(state: &State, failed: &[Lesson]) -> Vec<Lesson> {
    let learned = state.lessons.iter().rev().flat_map(|learned| &learned.lessons).take(LESSONS).cloned();
    let closed = |talk: &&Talk| talk.talked.place.generation < state.generation;
    let elsewhere = state.dialogues.iter().rev().filter(closed).filter_map(Talk::lesson).take(FAILURES);
    failed.iter().rev().cloned().chain(learned).chain(elsewhere).collect()
}

impl Talk {
    /// What the dialogue teaches those that come behind it; nothing where its design takes part.
    #[must_use]
    pub fn lesson(&self) -> Option<Lesson> {
        let title = || self.talked.dialogue.proposals.last().map_or("an attempt", |last| &last.proposal.title);
        match self.rejected.as_ref()? {
            Rejection::Known => Some(Lesson::cut(&format!("{}: the design is equal to one that is known.", title()))),
            Rejection::DoesNotRun(why) => Some(Lesson::cut(&format!("{}: the design does not run: {why}", title()))),
            Rejection::NoOffspring => None,
            Rejection::NoDesign(why) => {
                let lesson = failure(&self.talked.dialogue, self.talked.unanswered.as_deref());
                Some(lesson.unwrap_or_else(|| Lesson::cut(why)))
            }
        }
    }
}

/// What became of the designs of the open generation, in the order of proposal.
pub(crate) fn cases(state: &State) -> Vec<Case> {
    let open = state.designs.iter().filter(|design| design.proposed.place.generation == state.generation);
    open.map(|design| case(state, design)).collect()
}

fn case(state: &State, design: &Design) -> Case {
    let proposed = &design.proposed;
    let parents: Vec<&Design> = proposed.parents.iter().filter_map(|hash| state.design(hash)).collect();
    let before = parents.iter().filter_map(|parent| state.score(&parent.proposed.hash)).min_by(f64::total_cmp);
    let result = state.training(&proposed.hash, 0).and_then(|training| training.result.as_ref());
    Case {
        name: proposed.name.clone(),
        parents: parents.iter().map(|parent| parent.proposed.name.clone()).collect(),
        about: about(state, design),
        score: state.score(&proposed.hash),
        before,
        failure: result.and_then(|result| result.as_ref().err()).map(ToString::to_string),
    }
}

/// What was proposed, or the operator that made it.
fn about(state: &State, design: &Design) -> String {
    let proposal = state.dialogue(design.proposed.place).and_then(|talk| talk.talked.dialogue.proposals.last());
    match proposal {
        Some(last) => format!("{}: {}", last.proposal.title, last.proposal.idea),
        None => design.proposed.operator.clone().unwrap_or_default(),
    }
}

/// What a model draws from that says what the open generation taught.
pub(crate) fn analysis_seed(state: &State) -> u64 {
    bits(state.started.settings.seed, Purpose::Analysis, &[state.generation]) >> 11
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use genesys_compiler::standard_units;
    use genesys_genetic::{Context, Offspring, mutations};
    use genesys_store::Log;
    use genesys_train::Validation;

    use super::*;
    use crate::fact::{Closed, Fact, Finished, Proposed, Started, Submitted};
    use crate::settings::{Settings, TextMark};

    #[test]
    fn a_dialogue_begins_from_one_design_until_there_are_enough_for_others() {
        assert_eq!([0.0, 0.5, 0.99].map(|point| mode(9, point)), [Mode::Mutation; 3]);
        assert_eq!([0.0, 0.5, 0.99].map(|point| mode(10, point)), [Mode::Mutation, Mode::Mutation, Mode::Crossover]);
        assert_eq!([0.0, 0.5, 0.99].map(|point| mode(20, point)), [Mode::Scratch, Mode::Mutation, Mode::Crossover]);
    }

    #[test]
    fn the_modes_have_their_shares() {
        let (mut scratch, mut crossover) = (0, 0);
        for place in 0..10_000 {
            match mode(100, unit(3, Purpose::Mode, &[1, place, 0])) {
                Mode::Scratch => scratch += 1,
                Mode::Crossover => crossover += 1,
                Mode::Mutation => {}
            }
        }
        assert!((420..580).contains(&scratch) && (1_400..1_600).contains(&crossover), "{scratch} and {crossover}");
    }

    /// A state with that many designs of one closed generation, all trained: offspring of GPT, and of these.
    fn closed(count: usize) -> State {
        let dir = tempfile::tempdir().expect("a folder");
        let settings = Settings { agents: Some(Agents::new("m", None)), ..Settings::new(7) };
        let text = TextMark { key: "k".into(), corpus_hash: "c".into(), tokenizer_hash: "t".into(), vocabulary: 300 };
        let (program, trainer) = ("test".to_owned(), 1);
        let started = Fact::Started(Box::new(Started { settings, text, shipped: Vec::new(), program, trainer }));
        let event = |fact: Fact| fact.to_event().expect("its numbers are finite");
        let (mut log, first) = Log::begin(dir.path(), &"test", vec![event(started)], None).expect("a log");
        let mut state = State::fold(&first).expect("events of a run").expect("a run");
        let facts =
            offspring(count).into_iter().enumerate().flat_map(|(slot, design)| proposed_and_trained(slot, &design));
        for fact in facts.chain([Fact::Closed(Closed { generation: 0, ranking: Vec::new() })]) {
            state.apply(&log.append(event(fact), None).expect("an event")).expect("an event of a run");
        }
        state
    }

    fn offspring(count: usize) -> Vec<Offspring> {
        let context = Context::new(standard_units(), &[], &[]);
        let first = checked(include_str!("../../../designs/gpt.gau")).expect("a shipped design checks");
        let (mut all, mut hashes): (Vec<Offspring>, BTreeSet<String>) = Default::default();
        for seed in 0.. {
            let parent = all.get(all.len() / 2).map_or(&first, |one| &one.design);
            let new =
                mutations(parent, &context, seed).next().filter(|one| hashes.insert(one.design.hash().to_string()));
            all.extend(new);
            if all.len() >= count {
                break;
            }
        }
        all
    }

    fn proposed_and_trained(slot: usize, offspring: &Offspring) -> [Fact; 3] {
        let (hash, slot) = (offspring.design.hash().to_string(), slot as u64);
        let score = Validation { nats: 1.0, bits_per_byte: 2.0 + (slot * 7 % 11) as f64 / 10.0, tokens: 1, bytes: 1 };
        let proposed = Proposed {
            place: Place { generation: 0, slot, attempt: 0 },
            hash: hash.clone(),
            name: format!("design-{slot}"),
            text: offspring.text(),
            baseline: false,
            parents: Vec::new(),
            operator: None,
            draw: None,
            parameters: 1,
            state_bytes: 1,
        };
        let submitted = Submitted { design: hash.clone(), index: 0, seed: 1, key: hash.clone() };
        let curve = String::new();
        let finished = Finished { key: hash, start: score, trained: score, parameters: 1, steps: 1, curve };
        [Fact::Proposed(proposed), Fact::Submitted(submitted), Fact::Finished(finished)]
    }

    #[test]
    fn what_is_drafted_does_not_hang_on_what_was_drafted_before() {
        let (state, prints) = (closed(24), Fingerprints::default());
        let mut parents = BTreeSet::new();
        for slot in 0..12 {
            let place = Place { generation: 1, slot, attempt: 0 };
            let drafted = |prints: &Fingerprints| drafted(&state, prints, place, &[]).expect("there are parents");
            let (alone, behind) = (drafted(&Fingerprints::default()), drafted(&prints));
            assert_eq!(alone, behind);
            let commission = &behind.commission;
            // From no design none is near.
            let others = if commission.parents.is_empty() { BEST } else { BEST + NEAREST };
            assert_eq!(commission.others.len(), others);
            parents.extend(commission.parents.iter().map(|parent| parent.hash.clone()));
        }
        assert!(parents.len() > 3, "{parents:?}");
    }
}
