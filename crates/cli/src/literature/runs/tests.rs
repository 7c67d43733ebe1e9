//! A run's documents: their words, their length, and that nothing which comes later changes them.
#![allow(clippy::unwrap_used)]

use genesys_agents::dialogue::{Considered, Written};
use genesys_agents::proposal::{Claims, Proposal, Reference};
use genesys_agents::{Dialogue, End, Mode};
use genesys_evolve::fact::{Closed, Draw, Fact, Finalists, Finished, Over, Place, Started, Talked};
use genesys_evolve::{Settings, Submitted, TextMark, board};
use genesys_llm::Spent;
use genesys_store::{Event, Hash};
use genesys_train::Validation;

use super::*;

const GPT: &str = include_str!("../../../../../designs/gpt.gau");
const GLA: &str = include_str!("../../../../../designs/gla.gau");

/// The idea of a proposal, as long as one may be.
fn long() -> String {
    format!("It looks\n\u{1b}[2J back. {}", "And so on. ".repeat(500))
}

fn doubled() -> String {
    let changed = GPT.to_owned() + "\nunit Extra(x: Seq[D]) -> Seq[D] {\n    x + x\n}\n";
    changed.replacen("stack = [", "stack = [Extra, ", 1)
}

fn hash(number: usize) -> String {
    format!("g1-{number:032x}")
}

fn place(generation: u64, number: usize) -> Place {
    Place { generation, slot: number as u64, attempt: 0 }
}

fn event(seq: u64, fact: &Fact) -> Event {
    let payload = match fact {
        Fact::Started(payload) => serde_json::to_value(payload),
        Fact::Proposed(payload) => serde_json::to_value(payload),
        Fact::Talked(payload) => serde_json::to_value(payload),
        Fact::Submitted(payload) => serde_json::to_value(payload),
        Fact::Finished(payload) => serde_json::to_value(payload),
        Fact::Closed(payload) => serde_json::to_value(payload),
        Fact::Finalists(payload) => serde_json::to_value(payload),
        Fact::Over(payload) => serde_json::to_value(payload),
        Fact::Rejected(_) | Fact::Learned(_) | Fact::Failed(_) => unreachable!("no run here has one"),
    };
    let hash = Hash::from_bytes([0; 32]);
    Event { seq, kind: fact.kind().to_owned(), schema: 1, cause: None, payload: payload.unwrap(), hash }
}

/// A run of two generations, as it is told.
struct Told {
    events: Vec<Event>,
}

impl Told {
    fn start() -> Self {
        let mut settings = Settings::new(7);
        settings.generations = 2;
        let text = TextMark {
            key: "key".to_owned(),
            corpus_hash: "c0ffee".to_owned(),
            tokenizer_hash: "decade".to_owned(),
            vocabulary: 1024,
        };
        let started = Started { settings, text, shipped: Vec::new(), program: "0.1.0".to_owned(), trainer: 1 };
        let mut told = Self { events: Vec::new() };
        told.tell(&Fact::Started(Box::new(started)));
        told
    }

    fn tell(&mut self, fact: &Fact) {
        self.events.push(event(self.events.len() as u64 + 1, fact));
    }

    fn state(&self) -> State {
        State::fold(&self.events).unwrap().unwrap()
    }

    /// Proposes design `number` from parents of these numbers.
    fn propose(
        &mut self,
        name: &str,
        generation: u64,
        number: usize,
        parents: &[usize],
        text: &str,
        operator: Option<&str>,
    ) {
        self.tell(&Fact::Proposed(Proposed {
            place: place(generation, number),
            hash: hash(number),
            name: name.to_owned(),
            text: text.to_owned(),
            baseline: number == 0,
            parents: parents.iter().map(|parent| hash(*parent)).collect(),
            operator: operator.map(str::to_owned),
            draw: None,
            parameters: 1_000,
            state_bytes: 64,
        }));
    }

    /// A dialogue that gives the design of `number`.
    fn talk(&mut self, generation: u64, number: usize, idea: String, references: &[&str]) {
        let words = || "Words.".to_owned();
        let reference = |key: &&str| Reference { key: (*key).to_owned(), sentence: words() };
        let proposal = Proposal {
            title: "Look back".to_owned(),
            problem: words(),
            idea,
            mathematics: words(),
            effect: words(),
            change: words(),
            claims: Claims::default(),
            references: references.iter().map(reference).collect(),
        };
        let dialogue = Dialogue {
            proposals: vec![Considered { proposal, sketch: None, verdict: None }],
            design: Some(Written { hash: hash(number), text: doubled() }),
            end: End::Designed,
            ..Dialogue::default()
        };
        self.end(generation, number, dialogue);
    }

    /// The dialogue at that place ends.
    fn end(&mut self, generation: u64, number: usize, dialogue: Dialogue) {
        self.tell(&Fact::Talked(Box::new(Talked {
            place: place(generation, number),
            mode: Mode::Mutation,
            parents: Vec::new(),
            draw: Draw { parent: 0.5, operator: 1, mate: None },
            dialogue,
            unanswered: None,
            spent: Spent::default(),
        })));
    }

    /// Trains design `number` to that score.
    fn train(&mut self, number: usize, index: u64, score: f64) {
        let key = format!("{number}/{index}");
        self.tell(&Fact::Submitted(Submitted { design: hash(number), index, seed: index, key: key.clone() }));
        let validation = Validation { nats: score, bits_per_byte: score, tokens: 10, bytes: 20 };
        let (start, trained, curve) = (validation, validation, String::new());
        self.tell(&Fact::Finished(Finished { key, start, trained, parameters: 1_000, steps: 3, curve }));
    }

    fn close(&mut self, generation: u64) {
        self.tell(&Fact::Closed(Closed { generation, ranking: Vec::new() }));
    }

    /// All documents that generation `before` can find.
    fn documents(&self, before: u64) -> Vec<Document> {
        documents_of(&self.state(), before)
    }
}

fn documents_of(state: &State, before: u64) -> Vec<Document> {
    let mut units = Units::default();
    units.know(state, before);
    documents("run", state, before, &units).documents
}

/// A run that is over, and as it was when each of its generations began.
fn run() -> (Told, Vec<State>) {
    let mut told = Told::start();
    let mut begun = Vec::new();
    told.propose("gpt", 0, 0, &[], GPT, None);
    told.propose("gla", 0, 1, &[], GLA, None);
    told.train(0, 0, 3.5);
    told.train(1, 0, 3.25);
    told.close(0);
    begun.push(told.state());
    told.talk(1, 2, "It looks back.".to_owned(), &["run/gpt", "alibi", "run/gpt"]);
    told.propose("gpt-1.3", 1, 2, &[0], &doubled(), Some("dialogue: Look back"));
    told.propose("gla-1.4", 1, 3, &[1, 0], &GLA.replace("R = 16", "R = 8"), Some("swap-unit: Mix from gpt"));
    told.train(2, 0, 3.375);
    told.train(3, 0, 3.125);
    told.close(1);
    begun.push(told.state());
    told.talk(2, 4, long(), &[]);
    told.propose("gla-2.5", 2, 4, &[1], &GLA.replace("K = 32", "K = 8"), Some("dialogue: Look back"));
    told.train(4, 0, 3.0);
    told.close(2);
    told.tell(&Fact::Finalists(Finalists { designs: vec![hash(0), hash(3)] }));
    for number in [0, 3] {
        told.train(number, 1, 4.5);
        told.train(number, 2, 1.5);
    }
    let board = board::board(&told.state());
    told.tell(&Fact::Over(Over { board }));
    (told, begun)
}

fn summary_of(documents: &[Document], key: &str) -> String {
    documents.iter().find(|document| document.key == key).unwrap().summary.clone()
}

#[test]
fn a_proposal_says_who_made_it_what_it_brought_and_what_its_dialogue_said() {
    let (told, _) = run();
    let all = told.documents(u64::MAX);
    assert_eq!(summary_of(&all, "run/gpt"), "A design that the run starts from.");
    let dialogue = "Made from gpt by dialogue: Look back. Against gpt, with the same seed: -0.1250 bits per byte. Units added: Extra; \
                    changed: none; removed: none. It refers to alibi, run/gpt. It looks back.";
    assert_eq!(summary_of(&all, "run/gpt-1.3"), dialogue);
    let operator = "Made from gla and gpt by swap-unit: Mix from gpt. Against gla, with the same seed: -0.1250 bits per byte. Against \
                    gpt, with the same seed: -0.3750 bits per byte.";
    assert_eq!(summary_of(&all, "run/gla-1.4"), operator);
}

#[test]
fn a_unit_that_was_checked_is_found_though_no_design_has_it() {
    let mut told = Told::start();
    told.propose("gpt", 0, 0, &[], GPT, None);
    let mix = "/// Looks back.\nunit Mix(x: Seq[D]) -> Seq[D] { linear[D -> D](shift(x, 9)) }";
    let draft = format!(
        "design S {{ stack = [B*] }}\nunit B(x: Seq[D]) -> Seq[D] {{ x + Mix(x) + Last(x) }}\n{mix}\nunit Last(x: Seq[D]) -> Seq[D];"
    );
    let drafts = vec!["rubbish".to_owned(), draft];
    told.end(1, 2, Dialogue { drafts, end: End::Unwritten, ..Dialogue::default() });
    let of_drafts = |before| told.documents(before).into_iter().filter(|one| one.text.contains("shift(x, 9)"));
    let [mix] = &of_drafts(2).collect::<Vec<_>>()[..] else { panic!("one unit of the draft is written to the end") };
    assert_eq!((mix.kind, mix.source.as_str(), &mix.links[..]), (Kind::Unit, "run, a draft", &[][..]));
    assert!(mix.summary.starts_with("Looks back. It is local, with D*D parameters"), "{}", mix.summary);
    assert_eq!(of_drafts(1).count(), 0, "before its generation is closed nobody finds it");
}

#[test]
fn an_effect_that_is_not_there_yet_is_not_known() {
    let mut told = Told::start();
    told.propose("gpt", 0, 0, &[], GPT, None);
    told.talk(1, 2, "It looks back.".to_owned(), &[]);
    told.propose("gpt-1.3", 1, 2, &[0], &doubled(), Some("dialogue: Look back"));
    told.propose("new-1.4", 1, 3, &[], GLA, Some("dialogue: From nothing"));
    let expected = "Made from gpt by dialogue: Look back. Against gpt, with the same seed: not known. Units added: Extra; changed: none; \
                    removed: none. It refers to no document. It looks back.";
    assert_eq!(summary_of(&told.documents(u64::MAX), "run/gpt-1.3"), expected);
    let expected = "Made from no other design by dialogue: From nothing.";
    assert_eq!(summary_of(&told.documents(u64::MAX), "run/new-1.4"), expected);
}

#[test]
fn a_proposal_is_told_in_few_characters_on_one_line() {
    let (told, _) = run();
    let summary = summary_of(&told.documents(u64::MAX), "run/gla-2.5");
    let characters = summary.chars().count();
    assert!((650..=TOLD).contains(&characters) && summary.ends_with(" ..."), "{characters}: {summary}");
    assert!(summary.contains(": -0.2500 bits per byte. Units added: none; changed: "), "{summary}");
    assert!(summary.contains(" It looks [2J back. And so on. ") && !summary.contains(char::is_control), "{summary}");
}

#[test]
fn what_comes_later_changes_nothing_that_a_generation_finds() {
    let (told, begun) = run();
    for (before, state) in (1..).zip(&begun) {
        assert_eq!((state.generation, state.finalists.is_none()), (before, true));
        let found = documents_of(state, before);
        assert_eq!(found, told.documents(before), "generation {before}");
        assert!(found.iter().any(|one| one.kind == Kind::Result && one.summary.contains("one seed")));
    }
    let all = told.documents(u64::MAX);
    assert_eq!(summary_of(&all, "run/gla-1.4#result"), "Rank 1: 3.0417 ±1.5017 bits per byte with 3 seeds.");
    assert_ne!(all, documents_of(&begun[1], 2), "who asks for all is told of the final, too");
}
