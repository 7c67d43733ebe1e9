//! A run as it goes, on standard error: what happened, line by line, and a bar where there is a terminal.
//!
//! In: what the run tells its observer. Out: lines. The clock is read here and decides nothing.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use genesys_evolve::fact::{Fact, Place, Proposed, Rejected, Talked};
use genesys_evolve::{News, Observer, Rejection, Settings, State, Subject, Submitted, Words};
use genesys_llm::Ledger;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;
use crate::shipped;
use crate::stop::Stop;

/// Shows a run, and stops it when a signal came.
pub(crate) struct Live {
    bar: ProgressBar,
    steps: u64,
    checkpoint_every: u64,
    stop: Stop,
    begin: Instant,
    tokens: u64,
    /// Steps done of each training at work, by key.
    at_work: BTreeMap<String, u64>,
    /// Steps of trainings that are done.
    past: u64,
    /// Dialogues under way.
    talks: u64,
    ledger: Option<Arc<Ledger>>,
}

impl Live {
    /// For a run of these numbers, whose trainings are kept after every `checkpoint_every` steps.
    pub(crate) fn new(settings: &Settings, checkpoint_every: u64, stop: Stop, ledger: Option<Arc<Ledger>>) -> Self {
        let (trainings, steps) = (settings.trainings(shipped::DESIGNS.len() as u64), settings.scale.steps);
        let bar = ProgressBar::with_draw_target(Some(trainings * steps), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:30} {percent}%, {msg}, {eta} left");
        bar.set_style(style.expect("the template is well formed"));
        let (begin, at_work) = (Instant::now(), BTreeMap::new());
        Self { bar, steps, checkpoint_every, stop, begin, tokens: 0, at_work, past: 0, talks: 0, ledger }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn go_on(&self) -> ControlFlow<()> {
        if self.stop.is_asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// A line that stays, above the bar.
    fn tell(&self, line: &str) {
        self.bar.suspend(|| output::say(line));
    }

    fn move_bar(&self) {
        let rate = self.tokens as f64 / self.begin.elapsed().as_secs_f64().max(1e-9);
        self.bar.set_position(self.past + self.at_work.values().sum::<u64>());
        let talks = match &self.ledger {
            Some(ledger) => {
                let spent = ledger.committed();
                format!(", {} in dialogue, {} calls, {}", self.talks, spent.calls, spent.money)
            }
            None => String::new(),
        };
        self.bar.set_message(format!("{} at work, {rate:.0} tokens/s{talks}", self.at_work.len()));
    }
}

impl Observer for Live {
    fn wall(&mut self) -> Option<u64> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        u64::try_from(now.as_millis()).ok()
    }

    fn fact(&mut self, fact: &Fact, state: &State) -> ControlFlow<()> {
        if let Some(line) = line_of(fact, state) {
            self.tell(&line);
        }
        self.go_on()
    }

    fn checkpoint_every(&self) -> Option<u64> {
        Some(self.checkpoint_every)
    }

    fn dialogue(&mut self, _: Subject, words: Words<'_>, _: &State) -> ControlFlow<()> {
        match words {
            Words::Begun => self.talks += 1,
            Words::Ended => self.talks -= 1,
            Words::Answer(_) => {}
        }
        self.move_bar();
        self.go_on()
    }

    fn training(&mut self, training: &Submitted, news: News<'_>, state: &State) -> ControlFlow<()> {
        match news {
            News::Begun => {
                self.at_work.insert(training.key.clone(), 0);
            }
            News::Note(note) => self.tell(&format!("note       {}: {note}", name(state, &training.design))),
            News::Progress(progress) => {
                self.tokens += progress.tokens;
                self.at_work.insert(training.key.clone(), progress.done);
            }
            News::Lost { reason, again } => {
                self.at_work.remove(&training.key);
                let then = if again { "it is trained again" } else { "it is given up" };
                self.tell(&format!("lost       {}: {reason}; {then}", name(state, &training.design)));
            }
            News::Done(_) => {
                self.at_work.remove(&training.key);
                self.past += self.steps;
            }
        }
        self.move_bar();
        self.go_on()
    }
}

/// What happened, in a line; nothing for what needs no telling.
fn line_of(fact: &Fact, state: &State) -> Option<String> {
    match fact {
        Fact::Proposed(proposed) => Some(proposal(proposed, state)),
        Fact::Finished(finished) => {
            let training = state.trainings.iter().find(|training| training.submitted.key == finished.key)?;
            let name = name(state, &training.submitted.design);
            let (index, score) = (training.submitted.index + 1, finished.trained.bits_per_byte);
            Some(format!("trained    {name:<10} seed {index}: {score:.4} bits per byte"))
        }
        Fact::Failed(failed) => {
            let training = state.trainings.iter().find(|training| training.submitted.key == failed.key)?;
            Some(format!("failed     {:<10} {}", name(state, &training.submitted.design), failed.failure))
        }
        Fact::Closed(closed) => {
            let best = closed.ranking.first().map_or("none", |hash| name(state, hash));
            Some(format!("generation {} is done, the best so far is {best}", closed.generation))
        }
        Fact::Finalists(finalists) => {
            let names: Vec<&str> = finalists.designs.iter().map(|hash| name(state, hash)).collect();
            Some(format!("finalists  {}: trained with more seeds", names.join(", ")))
        }
        Fact::Talked(talked) => Some(talk(talked)),
        Fact::Rejected(rejected) => rejection(rejected, state),
        Fact::Learned(learned) => {
            Some(format!("learned    {} lessons of generation {}", learned.lessons.len(), learned.generation))
        }
        Fact::Started(_) | Fact::Submitted(_) | Fact::Over(_) => None,
    }
}

/// `2.4`: the generation, and the place in it as people count.
fn spot(place: Place) -> String {
    format!("{}.{}", place.generation, place.slot + 1)
}

fn talk(talked: &Talked) -> String {
    let (place, calls) = (spot(talked.place), talked.spent.calls);
    let parents = talked.parents.len();
    format!("dialogue   {place:<10} {} answers, {}, from {parents} designs", calls, talked.mode)
}

/// Why nothing came of a dialogue; where an operator gives nothing, the next attempt does.
fn rejection(rejected: &Rejected, state: &State) -> Option<String> {
    state.dialogue(rejected.place)?;
    let why = match &rejected.reason {
        Rejection::Known => "the design is known",
        Rejection::NoOffspring => "there is no offspring",
        Rejection::DoesNotRun(why) | Rejection::NoDesign(why) => why,
    };
    Some(format!("rejected   {:<10} {why}", spot(rejected.place)))
}

fn proposal(proposed: &Proposed, state: &State) -> String {
    let parents: Vec<&str> = proposed.parents.iter().map(|hash| name(state, hash)).collect();
    let origin = match &proposed.operator {
        Some(operator) if parents.is_empty() => operator.clone(),
        Some(operator) => format!("from {} by {operator}", parents.join(" and ")),
        None => "shipped".to_owned(),
    };
    format!("proposed   {:<10} {origin}, {}", proposed.name, proposed.hash)
}

/// What people call the design of that hash.
fn name<'s>(state: &'s State, hash: &str) -> &'s str {
    state.design(hash).map_or("?", |design| &design.proposed.name)
}
