//! Runs made up of facts, as a log would tell them.
#![allow(dead_code, unreachable_pub)] // each test file uses a part of it, as a module of its own
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use genesys_agents::dialogue::{Considered, Written};
use genesys_agents::proposal::Proposal;
use genesys_agents::{Dialogue, End, Mode};
use genesys_evolve::fact::{
    Closed, Draw, Finalists, Finished, Over, Place, Proposed, Rejected, Rejection, Started, Talked,
};
use genesys_evolve::{Fact, Failure, Settings, State, Submitted, TextMark, board};
use genesys_llm::Spent;
use genesys_report::{Curves, Run};
use genesys_store::{Event, Hash};
use genesys_train::Validation;

pub const GPT: &str = include_str!("../../../../designs/gpt.gau");
pub const GLA: &str = include_str!("../../../../designs/gla.gau");

/// The digest of every run here.
pub const DIGEST: &str = "log1-5ca1ab1e";

/// A run under way.
pub struct Made {
    pub state: State,
    pub curves: Curves,
    seq: u64,
}

impl Made {
    /// A run of `steps` steps a training that has just started.
    pub fn start(steps: u64) -> Self {
        let mut settings = Settings::new(7);
        settings.scale.steps = steps;
        let text = TextMark {
            key: "key".to_owned(),
            corpus_hash: "c0ffee".to_owned(),
            tokenizer_hash: "decade".to_owned(),
            vocabulary: 1024,
        };
        let started = Started { settings, text, shipped: Vec::new(), program: "0.1.0".to_owned(), trainer: 1 };
        let state = State::first(&event(1, &Fact::Started(Box::new(started)))).unwrap();
        Self { state, curves: BTreeMap::new(), seq: 1 }
    }

    /// One more fact.
    pub fn tell(&mut self, fact: &Fact) {
        self.seq += 1;
        self.state.apply(&event(self.seq, fact)).unwrap();
    }

    /// Proposes a design in a generation, from parents of these numbers (from 0).
    pub fn propose(&mut self, name: &str, generation: u64, parents: &[usize], text: &str) {
        let number = self.state.designs.len();
        let operator = (!parents.is_empty()).then(|| format!("swap-activation: unit {number}, silu to relu"));
        self.propose_as(name, generation, parents, text, operator.as_deref());
    }

    /// The same, with what made it.
    pub fn propose_as(&mut self, name: &str, generation: u64, parents: &[usize], text: &str, operator: Option<&str>) {
        let number = self.state.designs.len() as u64;
        let parents: Vec<String> = parents.iter().map(|at| self.state.designs[*at].proposed.hash.clone()).collect();
        let mate = (parents.len() == 2).then_some(0.25);
        let proposed = Proposed {
            place: Place { generation, slot: number, attempt: 0 },
            hash: format!("g1-{number:032x}"),
            name: name.to_owned(),
            text: text.to_owned(),
            baseline: number == 0,
            parents,
            operator: operator.map(str::to_owned),
            draw: (number > 0).then_some(Draw { parent: 0.5, operator: 1, mate }),
            parameters: 200_000 + number,
            state_bytes: 16_384,
        };
        self.tell(&Fact::Proposed(proposed));
    }

    /// Submits the training of design `at` with the seed of number `index`.
    pub fn submit(&mut self, at: usize, index: u64) {
        let design = self.state.designs[at].proposed.hash.clone();
        self.tell(&Fact::Submitted(Submitted { design, index, seed: u64::MAX - index, key: key(at, index) }));
    }

    /// Trains design `at` to `score` bits per byte.
    pub fn train(&mut self, at: usize, index: u64, score: f64) {
        self.submit(at, index);
        let validation = |bits_per_byte| Validation { nats: bits_per_byte * 1.3, bits_per_byte, tokens: 10, bytes: 20 };
        let steps = self.state.started.settings.scale.steps;
        let curve = format!("curve of {}", key(at, index));
        let noise = |step: u64| ((step * 7919 + at as u64 * 31) % 13) as f64 / 40.0;
        let loss = |step: u64| (score + (5.0 * (-(step as f64) / 30.0).exp()) + noise(step)) as f32;
        self.curves.insert(curve.clone(), (0..steps).map(loss).collect());
        let (start, trained) = (validation(8.0), validation(score));
        self.tell(&Fact::Finished(Finished { key: key(at, index), start, trained, parameters: 200_000, steps, curve }));
    }

    /// The training of design `at` fails.
    pub fn fail(&mut self, at: usize, why: &str) {
        self.submit(at, 0);
        let failure = Failure::Refused(why.to_owned());
        self.tell(&Fact::Failed(genesys_evolve::fact::Failed { key: key(at, 0), failure }));
    }

    /// Rejects a proposal.
    pub fn reject(&mut self) {
        let place = Place { generation: 1, slot: 99, attempt: 0 };
        let (parents, draw) = (Vec::new(), Draw { parent: 0.1, operator: 2, mate: None });
        let reason = Rejection::Known;
        self.tell(&Fact::Rejected(Rejected { place, parents, operator: None, draw, hash: None, reason }));
    }

    /// Closes a generation.
    pub fn close(&mut self, generation: u64) {
        self.tell(&Fact::Closed(Closed { generation, ranking: Vec::new() }));
    }

    /// Ends the run.
    pub fn finish(&mut self) {
        self.tell(&Fact::Finalists(Finalists { designs: Vec::new() }));
        self.tell(&Fact::Over(Over { board: board::board(&self.state) }));
    }

    /// What the report is made of.
    pub fn run(&self) -> Run<'_> {
        Run { digest: DIGEST, state: &self.state, curves: &self.curves }
    }
}

/// A dialogue at a place of generation 1, with the text of a design or without one.
pub fn dialogue(slot: u64, proposal: Proposal, design: Option<&str>) -> Talked {
    let written = design.map(|text| Written { hash: "g1-0".to_owned(), text: text.to_owned() });
    let dialogue = Dialogue {
        proposals: vec![Considered { proposal, sketch: None, verdict: None }],
        end: if design.is_some() { End::Designed } else { End::Unwritten },
        design: written,
        ..Dialogue::default()
    };
    Talked {
        place: Place { generation: 1, slot, attempt: 0 },
        mode: Mode::Mutation,
        parents: Vec::new(),
        draw: Draw { parent: 0.5, operator: 1, mate: None },
        dialogue,
        unanswered: None,
        spent: Spent::default(),
    }
}

fn key(at: usize, index: u64) -> String {
    format!("{at}/{index}")
}

fn event(seq: u64, fact: &Fact) -> Event {
    let payload = match fact {
        Fact::Started(payload) => serde_json::to_value(payload),
        Fact::Proposed(payload) => serde_json::to_value(payload),
        Fact::Rejected(payload) => serde_json::to_value(payload),
        Fact::Talked(payload) => serde_json::to_value(payload),
        Fact::Learned(payload) => serde_json::to_value(payload),
        Fact::Submitted(payload) => serde_json::to_value(payload),
        Fact::Finished(payload) => serde_json::to_value(payload),
        Fact::Failed(payload) => serde_json::to_value(payload),
        Fact::Closed(payload) => serde_json::to_value(payload),
        Fact::Finalists(payload) => serde_json::to_value(payload),
        Fact::Over(payload) => serde_json::to_value(payload),
    };
    let hash = Hash::from_bytes([0; 32]);
    Event { seq, kind: fact.kind().to_owned(), schema: 1, cause: None, payload: payload.unwrap(), hash }
}

/// A finished run with all there is: several seeds, one seed, two parents, a failure, a rejection.
pub fn finished() -> Made {
    let mut made = Made::start(60);
    made.propose("gpt", 0, &[], GPT);
    made.propose("gla", 0, &[], GLA);
    made.train(0, 0, 3.5);
    made.train(1, 0, 3.4);
    made.close(0);
    made.propose("gpt-1.1", 1, &[0], &GPT.replace("H = 8", "H = 4"));
    made.propose("gla-1.2", 1, &[1, 0], &GLA.replace("R = 16", "R = 8"));
    made.propose("gla-1.3", 1, &[1], &GLA.replace("K = 32", "K = 8"));
    made.reject();
    made.train(2, 0, 3.45);
    made.train(3, 0, 3.2);
    made.fail(4, "the loss is not a finite number at step 3");
    for index in 1..3 {
        made.train(0, index, 3.5 + 0.01 * index as f64);
        made.train(3, index, 3.2 + 0.02 * index as f64);
    }
    made.finish();
    made
}
