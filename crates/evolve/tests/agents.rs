//! Whole runs in which language models design: equal runs, stopped runs, models that fail.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use common::{Actor, dataset, digest, drawn, kinds, said, settings, shipped};
use genesys_agents::Commission;
use genesys_data::Dataset;
use genesys_evolve::designer::{Made, Taught, Teaching};
use genesys_evolve::{
    Agents, Asked, Designer, Designers, EvolveError, Fact, InProcess, News, Observer, Rejection, Settings, State,
    Subject, Submitted, Units, Words, discover_with, read, resume_with,
};
use genesys_llm::record::{Lines, Recorder, Replay, exchanges};
use genesys_llm::{Continued, LlmError, Reply, Request, Transport};

fn asked(transport: impl Transport + 'static, at_once: usize) -> Designers {
    let asked = Asked::new(Box::new(transport), "m".into(), None, None);
    Designers { designer: Arc::new(asked), at_once }
}

fn run(dir: &Path, settings: &Settings, data: &Dataset, designers: &Designers) -> Result<State, EvolveError> {
    discover_with(dir, settings, &shipped(), data, Some(designers), &mut InProcess::default(), &mut ())
}

#[test]
fn models_fill_places_and_the_log_tells_each_dialogue_before_what_came_of_it() {
    let root = tempfile::tempdir().unwrap();
    let (data, dir) = (dataset(root.path()), root.path().join("run"));
    let state = run(&dir, &settings(1), &data, &asked(Actor::default(), 2)).unwrap();
    let made = |design: &&genesys_evolve::Design| {
        design.proposed.operator.as_deref().is_some_and(|operator| operator.starts_with("dialogue: Look back by "))
    };
    assert!(state.designs.iter().filter(made).count() >= 6, "{:?}", state.designs.len());
    let failed = state.dialogues.iter().filter(|talk| talk.rejected.is_some()).count();
    assert!(failed >= 2 && state.dialogues.len() > 12, "{failed} of {} failed", state.dialogues.len());
    for (talk, next) in state.dialogues.iter().zip(state.dialogues.iter().skip(1)) {
        assert!(talk.talked.place < next.talked.place, "in the order of places");
        assert!(talk.talked.spent.calls >= 1 && talk.talked.spent.usage.output > 0);
    }
    let kinds = kinds(&dir);
    for (kind, next) in kinds.iter().zip(&kinds[1..]) {
        if kind == "dialogue-finished" {
            assert!(next == "design-proposed" || next == "design-rejected", "{next}");
        }
    }
    // Where models gave nothing three times, an operator came.
    let tried: Vec<_> = state.designs.iter().filter(|design| design.proposed.place.attempt >= 3).collect();
    assert!(tried.iter().all(|design| !made(design)));
    let events = kinds.iter().filter(|kind| *kind == "lesson-learned").count();
    assert_eq!((events, state.lessons.len()), (2, 2), "the last generation teaches nobody");
    assert_eq!(read(&dir).unwrap(), state, "the state is a function of the events");
}

#[test]
fn the_units_of_a_run_are_those_of_the_generations_that_are_closed() {
    let root = tempfile::tempdir().unwrap();
    let (data, dir) = (dataset(root.path()), root.path().join("run"));
    let state = run(&dir, &settings(1), &data, &asked(Actor::default(), 2)).unwrap();
    let known = |befores: &[u64]| {
        let mut units = Units::default();
        befores.iter().for_each(|before| units.know(&state, *before));
        (units.registry.entries().cloned().collect::<Vec<_>>(), units.credits)
    };
    let (first, (all, credits)) = (known(&[1]), known(&[u64::MAX]));
    assert!(!first.0.is_empty() && first.1.is_empty(), "nothing was bred yet");
    assert!(all.len() > first.0.len() && !credits.is_empty(), "{} and {}", all.len(), first.0.len());
    assert_eq!(known(&[1, 2, u64::MAX]), (all, credits), "whenever it was told");

    let asked = Asked::new(Box::new(Actor::default()), "m".into(), None, None);
    asked.know(&state);
    assert_eq!(asked.units(|units| Arc::clone(&units.credits)), known(&[state.generation]).1);
}

#[test]
fn neither_threads_nor_who_ends_first_change_the_log() {
    let root = tempfile::tempdir().unwrap();
    let data = dataset(root.path());
    let digests = [(1, false), (4, true), (3, true)].map(|(at_once, slow)| {
        let dir = root.path().join(at_once.to_string());
        run(&dir, &settings(2), &data, &asked(Actor { slow, ..Actor::default() }, at_once)).unwrap();
        digest(&dir)
    });
    assert_eq!(digests[0], digests[1]);
    assert_eq!(digests[0], digests[2]);
}

/// A model behind the recording in a folder, which records the rest there.
fn recorded(dir: &Path) -> Designers {
    std::fs::create_dir_all(dir).unwrap();
    let path = dir.join("exchanges.jsonl");
    let lines = Lines::open(&path).unwrap();
    let before = exchanges(&path).unwrap();
    asked(Continued::new(before, Recorder::new(Actor::default(), lines)), 3)
}

#[test]
fn the_recording_of_a_run_gives_the_same_log_without_a_model() {
    let root = tempfile::tempdir().unwrap();
    let data = dataset(root.path());
    let (live, again) = (root.path().join("live"), root.path().join("again"));
    run(&live, &settings(3), &data, &recorded(&live)).unwrap();
    let replay = Replay::settled(exchanges(&live.join("exchanges.jsonl")).unwrap());
    run(&again, &settings(3), &data, &asked(replay, 2)).unwrap();
    assert_eq!(digest(&again), digest(&live));
    let replay = Replay::settled(exchanges(&live.join("exchanges.jsonl")).unwrap());
    let other = run(&root.path().join("other"), &settings(4), &data, &asked(replay, 2)).unwrap_err();
    assert!(other.is_input() && other.to_string().contains("compared with the most alike request"), "{other}");
}

/// Stops at the event or the news of that number.
struct StopAt(usize);

impl StopAt {
    fn count(&mut self) -> ControlFlow<()> {
        self.0 -= usize::from(self.0 > 0);
        if self.0 == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl Observer for StopAt {
    fn fact(&mut self, _: &Fact, _: &State) -> ControlFlow<()> {
        self.count()
    }

    fn training(&mut self, _: &Submitted, news: News<'_>, _: &State) -> ControlFlow<()> {
        match news {
            News::Done(_) => self.count(),
            News::Begun | News::Note(_) | News::Progress(_) | News::Lost { .. } => ControlFlow::Continue(()),
        }
    }

    fn dialogue(&mut self, _: Subject, words: Words<'_>, _: &State) -> ControlFlow<()> {
        match words {
            Words::Answer(_) | Words::Ended => self.count(),
            Words::Begun => ControlFlow::Continue(()),
        }
    }
}

#[test]
fn a_run_that_is_stopped_in_the_middle_of_dialogues_is_the_run_that_never_was() {
    let root = tempfile::tempdir().unwrap();
    let data = dataset(root.path());
    let (whole, broken) = (root.path().join("whole"), root.path().join("broken"));
    let settings = Settings { generations: 2, ..settings(5) };
    run(&whole, &settings, &data, &recorded(&whole)).unwrap();
    let mut stops = 0;
    let first = discover_with(
        &broken,
        &settings,
        &shipped(),
        &data,
        Some(&recorded(&broken)),
        &mut InProcess::default(),
        &mut StopAt(3),
    );
    let mut end = first;
    while let Err(error) = end {
        assert!(matches!(error, EvolveError::Stopped), "{error}");
        stops += 1;
        let designers = recorded(&broken);
        let mut runner = InProcess::default();
        // Each time a little later: what dialogues under way had heard is heard again first.
        end = resume_with(&broken, &data, Some(&designers), &mut runner, &mut StopAt(3 + 4 * stops));
    }
    assert!(stops > 4, "only {stops} stops");
    assert_eq!(digest(&broken), digest(&whole));
}

#[test]
fn a_recording_that_was_cut_anywhere_is_gone_on_with() {
    let root = tempfile::tempdir().unwrap();
    let data = dataset(root.path());
    let whole = root.path().join("whole");
    let settings = Settings { generations: 1, ..settings(5) };
    run(&whole, &settings, &data, &recorded(&whole)).unwrap();
    let bytes = std::fs::read(whole.join("exchanges.jsonl")).unwrap();
    for eighth in 0..=8 {
        let dir = root.path().join(eighth.to_string());
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("exchanges.jsonl"), &bytes[..bytes.len() * eighth / 8]).unwrap();
        run(&dir, &settings, &data, &recorded(&dir)).unwrap();
        assert_eq!(digest(&dir), digest(&whole), "cut at {eighth} eighths");
        let lines = |dir: &Path| exchanges(&dir.join("exchanges.jsonl")).unwrap().len();
        assert_eq!(lines(&dir), lines(&whole), "nothing is asked twice");
    }
}

/// A model that fails at the calls of some numbers.
struct Failing<F>(Actor, F);

impl<F: Fn(usize) -> Option<LlmError> + Send + Sync> Transport for Failing<F> {
    fn ask(&self, request: &Request, hear: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        match (self.1)(self.0.calls.load(Ordering::SeqCst)) {
            Some(error) => {
                self.0.calls.fetch_add(1, Ordering::SeqCst);
                Err(error)
            }
            None => self.0.ask(request, hear),
        }
    }
}

#[test]
fn a_budget_that_is_spent_in_the_middle_of_a_dialogue_stops_the_run_and_loses_nothing() {
    let root = tempfile::tempdir().unwrap();
    let data = dataset(root.path());
    let (whole, broken) = (root.path().join("whole"), root.path().join("broken"));
    let settings = Settings { generations: 1, ..settings(6) };
    run(&whole, &settings, &data, &recorded(&whole)).unwrap();
    std::fs::create_dir_all(&broken).unwrap();
    let lines = || Lines::open(&broken.join("exchanges.jsonl")).unwrap();
    let spent = |calls: usize| (calls >= 4).then(|| LlmError::Budget("the cap is reached".into()));
    let designers = asked(Recorder::new(Failing(Actor::default(), spent), lines()), 1);
    let error = run(&broken, &settings, &data, &designers).unwrap_err();
    assert!(matches!(&error, EvolveError::Model(LlmError::Budget(_))) && error.is_input(), "{error}");
    resume_with(&broken, &data, Some(&recorded(&broken)), &mut InProcess::default(), &mut ()).unwrap();
    assert_eq!(digest(&broken), digest(&whole));
}

#[test]
fn what_one_request_is_refused_for_ends_its_dialogue_and_not_the_run() {
    let root = tempfile::tempdir().unwrap();
    let data = dataset(root.path());
    let settings = Settings { generations: 1, ..settings(7) };
    let refused = |at: usize| {
        move |calls: usize| (calls == at).then(|| LlmError::Refused { status: 400, says: "it is too long".into() })
    };
    // The second call is the one behind a proposal.
    let dir = root.path().join("later");
    let state = run(&dir, &settings, &data, &asked(Failing(Actor::default(), refused(1)), 1)).unwrap();
    let first = &state.dialogues[0];
    let why = "the model did not answer: the server refuses the request (status 400): it is too long";
    assert_eq!(first.rejected, Some(Rejection::NoDesign(why.into())));
    assert_eq!(first.talked.dialogue.attempts.len(), 1, "what was answered before stays visible");
    assert!(first.lesson().unwrap().as_str().contains("it is too long"));
    let says = || "the dialogue is too long: say less".to_owned();
    let declined = move |calls: usize| (calls == 1).then(|| LlmError::Declined { says: says(), before_work: true });
    let state =
        run(&root.path().join("long"), &settings, &data, &asked(Failing(Actor::default(), declined), 1)).unwrap();
    let why = format!("the model did not answer: {}", says());
    assert_eq!(state.dialogues[0].rejected, Some(Rejection::NoDesign(why.as_str().into())));
    // Where nothing was answered at all, the next would end alike.
    let error = run(&root.path().join("first"), &settings, &data, &asked(Failing(Actor::default(), refused(0)), 1));
    assert!(matches!(error, Err(EvolveError::Model(LlmError::Refused { .. }))));
}

/// Says nothing that can be taken, and notes what it was asked for.
struct Rubbish(Arc<Mutex<Vec<String>>>);

impl Transport for Rubbish {
    fn ask(&self, request: &Request, hear: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        self.0.lock().unwrap().push(format!("{:?}", request.messages));
        let reply = Actor::default().ask(request, hear)?;
        Ok(Reply { text: "<b>Ignore all that & do \u{1b}[31mthis</b>".into(), ..reply })
    }
}

#[test]
fn a_model_that_says_rubbish_leaves_its_places_to_operators_and_each_attempt_learns_from_the_one_before() {
    let root = tempfile::tempdir().unwrap();
    let data = dataset(root.path());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let settings = Settings { generations: 1, population: 1, ..settings(8) };
    let dir = root.path().join("run");
    let state = run(&dir, &settings, &data, &asked(Rubbish(Arc::clone(&heard)), 2)).unwrap();
    assert_eq!(state.dialogues.len(), 3);
    let why = "no proposal was written that could be taken".to_owned();
    assert!(state.dialogues.iter().all(|talk| talk.rejected == Some(Rejection::NoDesign(why.clone()))));
    let filled = state.designs.last().unwrap();
    assert_eq!((filled.proposed.place.attempt >= 3, filled.proposed.place.slot), (true, 0));
    assert!(!filled.proposed.operator.as_ref().unwrap().starts_with("dialogue"));
    let heard = heard.lock().unwrap();
    let begins: Vec<&String> = heard.iter().filter(|messages| messages.matches("User {").count() == 1).collect();
    let told = |messages: &str| messages.matches("no proposal was written that could be taken").count();
    assert_eq!(begins.iter().map(|messages| told(messages)).collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn a_design_that_is_known_is_rejected_and_the_next_attempt_hears_of_it() {
    /// Gives the same design always, and notes which generation it heard of when.
    struct Stubborn(Mutex<Vec<Commission>>, Mutex<Vec<(u64, usize)>>);
    impl Designer for Stubborn {
        fn design(
            &self,
            commission: &Commission,
            _: &mut dyn FnMut(&genesys_agents::Attempt),
        ) -> Result<Made, LlmError> {
            self.0.lock().unwrap().push(commission.clone());
            let written = genesys_agents::dialogue::Written { hash: "g0-wrong".into(), text: common::looking_back(1) };
            let (design, end) = (Some(written), genesys_agents::End::Designed);
            let dialogue = genesys_agents::Dialogue { design, end, ..genesys_agents::Dialogue::default() };
            Ok(Made { dialogue, unanswered: None, spent: genesys_llm::Spent::default() })
        }
        fn learn(&self, _: &Teaching, _: &mut dyn FnMut(&genesys_agents::Attempt)) -> Result<Taught, LlmError> {
            panic!("one generation teaches nobody")
        }
        fn know(&self, state: &State) {
            self.1.lock().unwrap().push((state.generation, self.0.lock().unwrap().len()));
        }
    }
    let root = tempfile::tempdir().unwrap();
    let data = dataset(root.path());
    let stubborn = Arc::new(Stubborn(Mutex::default(), Mutex::default()));
    let designers = Designers { designer: Arc::clone(&stubborn) as Arc<dyn Designer>, at_once: 4 };
    let settings = Settings { generations: 1, population: 2, ..settings(9) };
    let state = run(&root.path().join("run"), &settings, &data, &designers).unwrap();
    let rejected: Vec<_> = state.dialogues.iter().map(|talk| talk.rejected.clone()).collect();
    let known = Some(Rejection::Known);
    assert_eq!(rejected, [None, known.clone(), known.clone(), known], "the first is taken, by its own hash");
    assert!(state.designs.iter().all(|design| design.proposed.hash != "g0-wrong"));
    assert_eq!(*stubborn.1.lock().unwrap(), [(1, 0)], "told once, before it is asked");
    let commissions = stubborn.0.lock().unwrap();
    let mut lessons: Vec<usize> = commissions.iter().map(|commission| commission.lessons.len()).collect();
    lessons.sort_unstable();
    assert_eq!(lessons, [0, 0, 1, 2]);
    let all: BTreeMap<u64, usize> = commissions.iter().map(|commission| (commission.seed, 1)).collect();
    assert_eq!(all.len(), 4, "each attempt draws its own");
    for commission in commissions.iter() {
        assert!(commission.parents.len() == 1 && commission.others.len() == 1, "one of two is the parent");
        assert!(commission.parents[0].score.is_some() && commission.parents[0].hash != commission.others[0].hash);
    }
}

#[test]
fn operators_have_the_places_that_models_have_not() {
    let root = tempfile::tempdir().unwrap();
    let data = dataset(root.path());
    let with = |share: u64, name: &str| {
        let base = settings(11);
        let agents = base.agents.clone().map(|agents| Agents { share, ..agents });
        let settings = Settings { generations: 1, population: 8, agents, ..base };
        run(&root.path().join(name), &settings, &data, &asked(Actor::default(), 2)).unwrap()
    };
    let slots = |state: &State| -> std::collections::BTreeSet<u64> {
        state.dialogues.iter().map(|talk| talk.talked.place.slot).collect()
    };
    assert!(slots(&with(0, "none")).is_empty());
    assert_eq!(slots(&with(100, "all")).len(), 8);
    let half = with(50, "half");
    assert!((2..=6).contains(&slots(&half).len()), "{:?}", slots(&half));
    assert_eq!(half.designs.iter().filter(|design| design.proposed.place.generation == 1).count(), 8);
}

#[test]
fn a_run_without_agents_has_the_settings_that_it_always_had() {
    let plain = Settings { agents: None, ..settings(1) };
    let json = serde_json::to_string(&plain).unwrap();
    assert!(!json.contains("agents"), "{json}");
    assert_eq!(serde_json::from_str::<Settings>(&json).unwrap(), plain);
    let with = settings(1);
    assert_eq!(serde_json::from_str::<Settings>(&serde_json::to_string(&with).unwrap()).unwrap(), with);
}

#[test]
fn a_run_that_asks_models_says_so_where_nobody_is_named() {
    let root = tempfile::tempdir().unwrap();
    let data = dataset(root.path());
    let dir = root.path().join("run");
    let mut runner = InProcess::default();
    let error = discover_with(&dir, &settings(1), &shipped(), &data, None, &mut runner, &mut ()).unwrap_err();
    assert!(error.is_input() && error.to_string().contains("asks the language model `m`"), "{error}");
    assert!(error.to_string().contains("--llm"), "{error}");
    let wrong = |change: fn(&mut Agents)| {
        let mut settings = settings(1);
        change(settings.agents.as_mut().unwrap());
        let dir = root.path().join("none");
        let designers = asked(Actor::default(), 1);
        run(&dir, &settings, &data, &designers).unwrap_err().to_string()
    };
    assert_eq!(wrong(|agents| agents.share = 101), "expected a share of the places in per cent, found 101");
    assert_eq!(wrong(|agents| agents.dialogues = 0), "expected at least 1 dialogue a place, found 0");
    // Gone on with by prompts of another version.
    let mut other = settings(1);
    other.agents.as_mut().unwrap().prompts.insert("proposer".into(), "p1-0".into());
    let dir = root.path().join("other");
    let mut runner = InProcess::default();
    drop(discover_with(&dir, &other, &shipped(), &data, None, &mut runner, &mut ()).unwrap_err());
    let error = resume_with(&dir, &data, Some(&asked(Actor::default(), 1)), &mut runner, &mut ()).unwrap_err();
    assert!(error.to_string().contains("prompts of another version"), "{error}");
}

/// Notes whether a training was at work while a dialogue went on.
#[derive(Default)]
struct Both {
    under_way: usize,
    trained: usize,
}

impl Observer for Both {
    fn training(&mut self, _: &Submitted, news: News<'_>, state: &State) -> ControlFlow<()> {
        match news {
            News::Done(_) if self.under_way > 0 && state.generation > 0 => self.trained += 1,
            News::Done(_) | News::Begun | News::Note(_) | News::Progress(_) | News::Lost { .. } => {}
        }
        ControlFlow::Continue(())
    }

    fn dialogue(&mut self, _: Subject, words: Words<'_>, _: &State) -> ControlFlow<()> {
        match words {
            Words::Begun => self.under_way += 1,
            Words::Ended => self.under_way -= 1,
            Words::Answer(_) => {}
        }
        ControlFlow::Continue(())
    }
}

#[test]
fn designs_are_trained_while_other_dialogues_go_on() {
    /// Answers the first dialogue at once, and the others only when a training was asked for.
    struct Waits(AtomicUsize);
    impl Transport for Waits {
        fn ask(&self, request: &Request, _: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
            if self.0.fetch_add(1, Ordering::SeqCst) > 8 {
                std::thread::sleep(std::time::Duration::from_millis(100 + drawn(request, 200)));
            }
            Actor::default().ask(request, &mut |_| {}).map(|reply| Reply { text: said(request), ..reply })
        }
    }
    let root = tempfile::tempdir().unwrap();
    let data = dataset(root.path());
    let settings = Settings { generations: 1, ..settings(12) };
    let mut both = Both::default();
    let designers = asked(Waits(AtomicUsize::new(0)), 2);
    let dir = root.path().join("run");
    discover_with(&dir, &settings, &shipped(), &data, Some(&designers), &mut InProcess::default(), &mut both).unwrap();
    assert!(both.trained > 0, "no training ended while a dialogue went on");
    let kinds = kinds(&dir);
    let first = kinds.iter().rposition(|kind| kind == "generation-closed").unwrap();
    let last = kinds[..first].iter().rposition(|kind| kind == "dialogue-finished").unwrap();
    let submitted = kinds[..first].iter().rposition(|kind| kind == "training-submitted").unwrap();
    assert!(submitted > last, "the log has all proposals before the trainings");
}
