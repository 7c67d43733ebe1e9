//! The part of a run that asks language models: dialogues side by side, taken in the order of their places.
//!
//! In: a place whose turn it is. Out: what was said there, as a fact, and what came of it. All dialogues that are certain to be needed
//! are begun at once. While one is waited for, the designs of its generation that take part already are trained.

use std::time::Duration;

use genesys_agents::Lesson;

use crate::commission::{analysis_seed, cases, drafted, is_dialogue};
use crate::designer::Teaching;
use crate::error::EvolveError;
use crate::fact::{Fact, Learned, Place, Submitted, Talked};
use crate::propose::designed;
use crate::run::{Run, Words, go_on};
use crate::runner::Runner;
use crate::studio::{Heard, Product, Studio, Subject, Task};

/// How long one side is waited for before the other is looked after.
const WAIT: Duration = Duration::from_millis(20);

impl Run<'_> {
    /// Fills a place with what models design, or says why not.
    pub(crate) fn design(&mut self, place: Place, runner: &mut dyn Runner) -> Result<(), EvolveError> {
        if self.state.dialogue(place).is_none() {
            let talked = self.talked(place, runner)?;
            self.append(Fact::Talked(Box::new(talked)), self.state.gate())?;
        }
        let talk = self.state.dialogue(place).expect("a dialogue that was appended is known");
        let (fact, cause) = (designed(&self.state, &talk.talked), talk.event);
        self.append(fact, cause)
    }

    fn talked(&mut self, place: Place, runner: &mut dyn Runner) -> Result<Talked, EvolveError> {
        let made = match self.product(Subject::Design(place), runner)? {
            Product::Made(made) => *made,
            Product::Taught(_) => unreachable!("a place is asked for a design"),
        };
        let failed = self.failed(place).expect("those before it failed, or it would not be its turn");
        let drafted = drafted(&self.state, &self.prints, place, &failed)?;
        let parents = drafted.commission.parents.iter().map(|parent| parent.hash.clone()).collect();
        Ok(Talked {
            place,
            mode: drafted.commission.mode(),
            parents,
            draw: drafted.draw,
            dialogue: made.dialogue,
            unanswered: made.unanswered,
            spent: made.spent,
        })
    }

    /// Has what the open generation taught said.
    pub(crate) fn learn(&mut self, runner: &mut dyn Runner) -> Result<(), EvolveError> {
        let generation = self.state.generation;
        let subject = Subject::Lessons(generation);
        let limits = self.state.started.settings.agents.as_ref().map(|agents| agents.limits).unwrap_or_default();
        let (cases, seed) = (cases(&self.state), analysis_seed(&self.state));
        let teaching = Teaching { cases, mends: limits.mends, tokens: limits.tokens, seed };
        self.studio()?.ask(subject, Task::Learn(teaching));
        let taught = match self.product(subject, runner)? {
            Product::Taught(taught) => taught,
            Product::Made(_) => unreachable!("a generation is asked for lessons"),
        };
        let (lessons, attempts) = (taught.lessons, taught.attempts);
        let (unanswered, spent) = (taught.unanswered, taught.spent);
        self.append(Fact::Learned(Learned { generation, lessons, attempts, unanswered, spent }), self.state.last())
    }

    fn studio(&mut self) -> Result<&mut Studio, EvolveError> {
        let model = || self.state.started.settings.agents.as_ref().map_or("", |agents| &agents.model).to_owned();
        match &mut self.studio {
            Some(studio) => Ok(studio),
            None => Err(EvolveError::NoDesigner { model: model() }),
        }
    }

    /// What comes of a subject, which is waited for.
    fn product(&mut self, subject: Subject, runner: &mut dyn Runner) -> Result<Product, EvolveError> {
        loop {
            self.commission()?;
            self.train_ahead();
            let idle = self.trainings.is_idle();
            let mut wait = if idle { WAIT } else { Duration::ZERO };
            while let Some(heard) = self.studio()?.hear(wait) {
                self.told(&heard)?;
                wait = Duration::ZERO;
            }
            if let Some(product) = self.studio()?.take(subject) {
                return product.map_err(EvolveError::Model);
            }
            self.work(runner, Some(if idle { Duration::ZERO } else { WAIT }))?;
        }
    }

    fn told(&mut self, heard: &Heard) -> Result<(), EvolveError> {
        let (subject, words) = match heard {
            Heard::Begun(subject) => (*subject, Words::Begun),
            Heard::Answer(subject, attempt) => (*subject, Words::Answer(attempt)),
            Heard::Ended(subject) => (*subject, Words::Ended),
        };
        go_on(self.observer.dialogue(subject, words, &self.state))
    }

    /// Asks for every dialogue of the open generation that will be needed whatever comes of the others.
    fn commission(&mut self) -> Result<(), EvolveError> {
        let generation = self.state.generation;
        if let Some(designer) = self.studio()?.unknowing(generation) {
            designer.know(&self.state);
        }
        for slot in 0..self.state.started.settings.population {
            if self.state.is_filled(generation, slot) {
                continue;
            }
            let first = Place { generation, slot, attempt: self.state.attempts(generation, slot) };
            let places = (first.attempt..).map(|attempt| Place { attempt, ..first });
            for place in places.take_while(|place| is_dialogue(&self.state, *place)).collect::<Vec<_>>() {
                let subject = Subject::Design(place);
                if self.state.dialogue(place).is_some() || self.studio()?.has(subject) {
                    continue;
                }
                let Some(failed) = self.failed(place) else { break };
                let commission = drafted(&self.state, &self.prints, place, &failed)?.commission;
                self.studio()?.ask(subject, Task::Design(commission));
            }
        }
        Ok(())
    }

    /// Why the dialogues before this one failed; none where one of them goes on, or did not fail for certain.
    fn failed(&self, place: Place) -> Option<Vec<Lesson>> {
        let before = (0..place.attempt).map(|attempt| Place { attempt, ..place });
        let lesson = |place| match self.state.dialogue(place) {
            Some(talk) => talk.lesson(),
            None => self.studio.as_ref()?.made(place)?.lesson(),
        };
        before.map(lesson).collect()
    }

    /// Hands out the trainings of the designs that the open generation has so far.
    fn train_ahead(&mut self) {
        let generation = self.state.generation;
        let open = self.state.designs.iter().filter(|design| design.proposed.place.generation == generation);
        let new = open.filter(|design| !self.ahead.contains(&design.proposed.hash));
        let hashes: Vec<String> = new.map(|design| design.proposed.hash.clone()).collect();
        for hash in hashes {
            let trained = self.state.training(&hash, 0).is_some_and(|training| training.result.is_some());
            if !trained {
                let submitted: Submitted = self.order(&hash, 0);
                self.hand_out(&submitted);
            }
            self.ahead.insert(hash);
        }
    }
}
