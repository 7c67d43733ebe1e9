//! Runs in which models write unit by unit: what is offered for a hole comes from all designs of closed generations, and from no other,
//! however often the run is stopped and however many dialogues go on at once.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex};

use common::{dataset, digest, drawn, said, settings, shipped};
use genesys_agents::{Attempt, Commission, Way};
use genesys_data::Dataset;
use genesys_evolve::designer::{Made, Taught, Teaching};
use genesys_evolve::{
    Asked, Designer, Designers, EvolveError, InProcess, Observer, Settings, State, Subject, Units, Words,
    discover_with, read, resume_with,
};
use genesys_llm::record::{Lines, Recorder, exchanges};
use genesys_llm::{Continued, LlmError, Message, Reply, Request, Stop, Transport, Usage};

/// What a unit is said to be like: a hole that is like a crane is filled by a unit that is.
const BIRDS: [&str; 8] = ["crane", "dunlin", "egret", "finch", "godwit", "heron", "ibis", "jay"];

/// What was asked of those who fill holes, by the seed of the dialogue.
type Heard = Arc<Mutex<BTreeSet<(u64, String)>>>;

/// A model that writes a design unit by unit, and of one in four leaves the last unit unwritten.
struct Writer(Heard);

impl Transport for Writer {
    fn ask(&self, request: &Request, _: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        let told = match request.messages.last() {
            Some(Message::User { text }) => text.clone(),
            other => panic!("expected a question, found {other:?}"),
        };
        let text = answer(request, &told);
        if request.role == "implementer" {
            self.0.lock().unwrap().insert((request.seed.unwrap(), told));
        }
        let usage = Usage { input: request.about_input(), cached: 0, output: text.len() as u64 / 4, estimated: true };
        Ok(Reply { text, calls: Vec::new(), stop: Stop::End, usage, model: request.model.clone() })
    }
}

fn answer(request: &Request, told: &str) -> String {
    match request.role.as_str() {
        "proposer" if told.contains("write the sketch") => {
            let bird = BIRDS[drawn(request, BIRDS.len() as u64) as usize];
            let (last, called) = match drawn(request, 4 * BIRDS.len() as u64) / BIRDS.len() as u64 {
                0 => ("\nunit Last(x: Seq[D]) -> Seq[D];\n", " + Last(x)"),
                _ => ("", ""),
            };
            format!(
                "```gau\ndesign Back {{\n    stack = [Block*]\n}}\n\nunit Block(x: Seq[D]) -> Seq[D] {{\n    \
                 x + Look(x){called}\n}}\n\n/// It looks back like a {bird}.\nunit Look(x: Seq[D]) -> Seq[D];\n{last}```\n"
            )
        }
        "planner" if told.contains("unit Last") => "As it stands.".to_owned(),
        "planner" => "{\"units\": [{\"unit\": \"Look\", \"how\": \"As it says.\"}]}".to_owned(),
        "implementer" if !told.contains("unit Look(x: Seq[D]) -> Seq[D];") => "I do not know how.".to_owned(),
        "implementer" => {
            let by = 1 + drawn(request, 5_000);
            format!("```gau\nunit Look(x: Seq[D]) -> Seq[D] {{\n    linear[D -> D](shift(x, {by}))\n}}\n```\n")
        }
        _ => said(request),
    }
}

/// One who notes what was commissioned.
struct Noting(Asked, Arc<Mutex<Vec<Commission>>>);

impl Designer for Noting {
    fn design(&self, commission: &Commission, see: &mut dyn FnMut(&Attempt)) -> Result<Made, LlmError> {
        self.1.lock().unwrap().push(commission.clone());
        self.0.design(commission, see)
    }

    fn learn(&self, teaching: &Teaching, see: &mut dyn FnMut(&Attempt)) -> Result<Taught, LlmError> {
        self.0.learn(teaching, see)
    }

    fn know(&self, state: &State) {
        self.0.know(state);
    }
}

/// Two generations of twelve: in the second more designs are closed than a commission names.
fn wide() -> Settings {
    let mut settings = Settings { generations: 2, population: 12, ..settings(21) };
    settings.agents.as_mut().unwrap().variant.way = Way::ByUnits;
    settings
}

fn asked(transport: impl Transport + 'static) -> Asked {
    Asked::new(Box::new(transport), "m".into(), None, None)
}

fn run(dir: &Path, data: &Dataset, designer: impl Designer + 'static, at_once: usize) -> State {
    let designers = Designers { designer: Arc::new(designer), at_once };
    discover_with(dir, &wide(), &shipped(), data, Some(&designers), &mut InProcess::default(), &mut ()).unwrap()
}

/// The keys that a prompt offers, without the one of its example.
fn offered(prompt: &str) -> BTreeSet<String> {
    let list = prompt.split_once("<units>").map_or("", |(_, list)| list);
    let keys = list.lines().filter_map(|line| line.split(' ').next());
    keys.filter(|word| word.starts_with("u1-")).map(str::to_owned).collect()
}

#[test]
fn units_are_offered_that_no_parent_and_no_other_of_the_commission_has_and_units_of_no_design() {
    let root = tempfile::tempdir().unwrap();
    let data = dataset(root.path());
    let (heard, noted) = (Heard::default(), Arc::default());
    let state = run(&root.path().join("run"), &data, Noting(asked(Writer(Arc::clone(&heard))), Arc::clone(&noted)), 3);
    let commissions: BTreeMap<u64, Commission> =
        noted.lock().unwrap().iter().map(|one: &Commission| (one.seed, one.clone())).collect();
    let generations: BTreeMap<u64, u64> =
        state.dialogues.iter().map(|talk| (talk.talked.draw.operator, talk.talked.place.generation)).collect();
    let known = [0, 1, 2].map(|before| {
        let mut units = Units::default();
        units.know(&state, before);
        let entries = units.registry.entries().map(|entry| (entry.key.to_string(), entry.designs.clone()));
        entries.collect::<BTreeMap<_, _>>()
    });
    let order = |befores: &[u64]| {
        let mut units = Units::default();
        befores.iter().for_each(|before| units.know(&state, *before));
        units.registry.entries().cloned().collect::<Vec<_>>()
    };
    assert_eq!(order(&[1, 1, 2, 3]), order(&[3]), "generation by generation or at once");
    let (mut near, mut far, mut of_drafts) = (0, 0, 0);
    for (seed, prompt) in heard.lock().unwrap().iter() {
        let (commission, closed) = (&commissions[seed], &known[generations[seed] as usize]);
        let named = |hash: &String| commission.parents.iter().chain(&commission.others).any(|one| one.hash == *hash);
        for key in offered(prompt) {
            let designs = closed.get(&key).unwrap_or_else(|| panic!("{key} is of no closed generation"));
            match designs.is_empty() {
                true => of_drafts += 1,
                false if designs.iter().any(named) => near += 1,
                false => far += 1,
            }
        }
    }
    let found = format!("{near} units of those that a commission names, {far} of others, {of_drafts} of drafts alone");
    assert!(near > 20 && far > 5 && of_drafts > 0, "{found}");
    let unfinished = |talk: &&genesys_evolve::Talk| talk.rejected.is_some() && !talk.talked.dialogue.drafts.is_empty();
    let drafts = state.dialogues.iter().filter(unfinished).count();
    let alone = known[2].values().filter(|designs| designs.is_empty()).count();
    assert!(alone > 0 && alone <= drafts, "each of {drafts} has one unit at most of its own, {alone} have");
}

/// Stops when so many dialogues have ended.
struct StopAt(usize);

impl Observer for StopAt {
    fn dialogue(&mut self, _: Subject, words: Words<'_>, _: &State) -> ControlFlow<()> {
        match words {
            Words::Ended if self.0 == 0 => return ControlFlow::Break(()),
            Words::Ended => self.0 -= 1,
            Words::Begun | Words::Answer(_) => {}
        }
        ControlFlow::Continue(())
    }
}

#[test]
fn a_run_that_is_stopped_and_gone_on_with_is_offered_the_same() {
    let root = tempfile::tempdir().unwrap();
    let data = dataset(root.path());
    let (whole, broken) = (root.path().join("whole"), root.path().join("broken"));
    let (once, often) = (Heard::default(), Heard::default());
    run(&whole, &data, asked(Writer(Arc::clone(&once))), 1);
    std::fs::create_dir_all(&broken).unwrap();
    let designers = || {
        let path = broken.join("exchanges.jsonl");
        let (lines, before) = (Lines::open(&path).unwrap(), exchanges(&path).unwrap());
        let transport = Continued::new(before, Recorder::new(Writer(Arc::clone(&often)), lines));
        Designers { designer: Arc::new(asked(transport)), at_once: 3 }
    };
    let (mut runner, mut stops) = (InProcess::default(), 0);
    let begun = discover_with(&broken, &wide(), &shipped(), &data, Some(&designers()), &mut runner, &mut StopAt(9));
    let mut end = begun;
    while let Err(error) = end {
        assert!(matches!(error, EvolveError::Stopped), "{error}");
        stops += 1;
        // Each time as many places further.
        end = resume_with(&broken, &data, Some(&designers()), &mut runner, &mut StopAt(9));
    }
    assert!(stops >= 2 && read(&broken).unwrap().board.is_some(), "{stops} stops");
    assert_eq!(digest(&broken), digest(&whole));
    let (once, often) = (once.lock().unwrap(), often.lock().unwrap());
    assert!(once.len() >= 24 && *once == *often, "{} and {} holes", once.len(), often.len());
}
