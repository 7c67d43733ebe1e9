//! What tests of whole runs share: a text, designs, and models that answer by a script.
#![allow(clippy::unwrap_used, dead_code, reason = "each test takes what it needs")]

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use genesys_agents::Way;
use genesys_data::{Corpus, Dataset, Document, tokenizer_for};
use genesys_evolve::{Agents, Settings, Shipped};
use genesys_ladder::Scale;
use genesys_llm::{LlmError, Reply, Request, Stop, Transport, Usage};
use genesys_store::Reader;

const GPT: &str = include_str!("../../../../designs/gpt.gau");
const GLA: &str = include_str!("../../../../designs/gla.gau");

/// Three generations of four, each for models alone, at a scale that is trained in no time.
pub(crate) fn settings(seed: u64) -> Settings {
    let nano = Scale::named("nano").unwrap();
    let scale = Scale { blocks: 1, context: 16, rows: 2, steps: 2, vocabulary: 300, ..nano };
    let mut agents = Agents { share: 100, ..Agents::new("m", None) };
    agents.limits.searches = 0;
    agents.limits.mends = 1;
    agents.limits.proposals = 2;
    agents.variant.way = Way::Whole;
    let agents = Some(agents);
    Settings { generations: 3, population: 4, finalists: 1, seeds: 2, scale, agents, ..Settings::new(seed) }
}

pub(crate) fn shipped() -> Vec<Shipped> {
    [("gpt", GPT, true), ("gla", GLA, false)]
        .map(|(name, text, baseline)| Shipped { name: name.into(), text: text.into(), baseline })
        .into()
}

pub(crate) fn dataset(cache: &Path) -> Dataset {
    let text = |i: usize| (1..20).map(|j| format!("The house number {} stands.\n", i * 7 + j)).collect::<String>();
    let documents = (1..30).map(|i| Document { name: i.to_string(), text: text(i) }).collect();
    let corpus = Corpus::from_documents("test", documents, Vec::new()).unwrap();
    let tokenizer = tokenizer_for(&corpus, 300, cache).unwrap();
    Dataset::prepare(&corpus, &tokenizer, cache).unwrap()
}

pub(crate) fn digest(dir: &Path) -> String {
    Reader::open(dir).unwrap().digest().unwrap()
}

/// The kinds of all events of a run.
pub(crate) fn kinds(dir: &Path) -> Vec<String> {
    Reader::open(dir).unwrap().events().map(|event| event.unwrap().kind).collect()
}

/// A design that looks back by so many positions.
pub(crate) fn looking_back(by: u64) -> String {
    format!(
        "design Back {{\n    stack = [Block*]\n}}\n\nunit Block(x: Seq[D]) -> Seq[D] {{\n    \
         x + linear[D -> D](shift(x, {by}))\n}}\n"
    )
}

/// A model that plays all roles by a script: what it says is a function of the request, and now and then of no use.
#[derive(Default)]
pub(crate) struct Actor {
    pub(crate) calls: AtomicUsize,
    /// Longer for earlier places, so that later ones end first.
    pub(crate) slow: bool,
}

/// A number that is drawn from a request.
pub(crate) fn drawn(request: &Request, below: u64) -> u64 {
    let digits = request.hash();
    u64::from_str_radix(&digits[digits.len() - 12..], 16).unwrap() % below
}

impl Transport for Actor {
    fn ask(&self, request: &Request, _: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.slow {
            std::thread::sleep(std::time::Duration::from_millis(drawn(request, 40)));
        }
        let text = said(request);
        let usage = Usage { input: request.about_input(), cached: 0, output: text.len() as u64 / 4, estimated: true };
        Ok(Reply { text, calls: Vec::new(), stop: Stop::End, usage, model: request.model.clone() })
    }
}

pub(crate) fn said(request: &Request) -> String {
    let by = 1 + drawn(request, 30);
    let design = format!("```gau\n{}```\n", looking_back(by));
    match request.role.as_str() {
        "proposer" if drawn(request, 3) == 0 => "I would rather not.".to_owned(),
        "proposer" => proposal(by),
        "implementer" if drawn(request, 4) == 0 => design.replace("shift(x,", "shift(y,"),
        "implementer" => design,
        "reviewer" => {
            let rating = if drawn(request, 5) == 0 { 2 } else { 4 };
            format!(
                "{{\"novelty\": 3, \"soundness\": 4, \"effect\": 3, \"cost\": 4, \"rating\": {rating}, \"remarks\": \"It is small.\"}}"
            )
        }
        "observer" => "{\"faithful\": 4, \"novelty\": 2, \"quality\": 4, \"remarks\": \"It does.\"}".to_owned(),
        "analyst" => format!("{{\"lessons\": [\"Looking back by {by} is not enough.\"]}}"),
        role => panic!("nobody knows the role {role}"),
    }
}

pub(crate) fn proposal(by: u64) -> String {
    format!(
        "# Look back by {by}\n\n## Problem\nA position does not see those before it.\n\n## Idea\nIt sees one of them.\n\n\
         ## Mathematics\n$y_t = x_t + W x_{{t-{by}}}$\n\n## Expected effect\nLower loss.\n\n## Change\n`Block` looks back.\n\n\
         ## Claims\nnone\n\n## References\nnone\n"
    )
}
