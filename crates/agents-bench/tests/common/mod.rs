//! The proposals of the project, and who answers in tests: a script, and its recording.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)] // each test file uses a part of it, as a module of its own

pub mod script;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use genesys_agents::Limits;
use genesys_agents_bench::folder::Setup;
use genesys_agents_bench::{Proposal, Setting, Variant};
use genesys_ladder::Scale;
use genesys_llm::throttle::Clock;
use genesys_llm::{LlmError, Prices, Reply, Request, Stop, Transport, Usage};
use serde::{Deserialize, Serialize};

/// Where the proposals lie.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/proposals")
}

fn files(ending: &str) -> BTreeMap<String, String> {
    let paths = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let named = paths.filter(|path| path.extension().is_some_and(|found| found == ending));
    named
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .collect()
}

/// The proposals, and the design that is written beside each.
pub fn proposals() -> Vec<(Proposal, String)> {
    let mut designs = files("gau");
    let each = files("md").into_iter().map(|(name, text)| {
        let design = designs.remove(&name).unwrap();
        (Proposal { name, text }, design)
    });
    each.collect()
}

/// A clock that goes on by a millisecond whenever it is looked at.
#[derive(Default)]
pub struct Ticks(AtomicU64);

impl Clock for Ticks {
    fn now(&self) -> Duration {
        Duration::from_millis(self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn sleep(&self, _: Duration) {}
}

/// What a test measures by.
pub struct Bench {
    pub scales: Vec<Scale>,
    pub prices: Prices,
    pub clock: Ticks,
}

impl Default for Bench {
    fn default() -> Self {
        let scales = vec![Scale::named("nano").unwrap()];
        Self { scales, prices: Prices::shipped(), clock: Ticks::default() }
    }
}

impl Bench {
    pub fn setting<'a>(&'a self, transport: &'a dyn Transport) -> Setting<'a> {
        let (scales, prices, clock) = (self.scales.as_slice(), &self.prices, &self.clock);
        Setting { transport, model: script::MODEL, prices, scales, limits: Limits::default(), seed: 0, clock }
    }
}

pub fn setup(proposals: &[Proposal], variants: &[Variant]) -> Setup {
    Setup {
        model: script::MODEL.to_owned(),
        variants: variants.to_vec(),
        proposals: proposals.iter().map(|proposal| (proposal.name.clone(), proposal.version())).collect(),
        scales: vec!["nano".to_owned()],
        mends: 7,
        tokens: 4_000,
        seed: 0,
        prompts: Vec::new(),
    }
}

/// A line of the small recording: the answer to a request, which itself can be made again.
#[derive(Serialize, Deserialize)]
pub struct Answer {
    pub hash: String,
    pub read: u64,
    pub text: String,
}

impl Answer {
    pub fn reply(&self) -> Reply {
        let usage = Usage {
            input: self.read,
            output: (self.text.len() as u64).div_ceil(4),
            estimated: true,
            ..Usage::default()
        };
        Reply { text: self.text.clone(), calls: Vec::new(), stop: Stop::End, usage, model: script::MODEL.to_owned() }
    }
}

/// The recording of the script.
pub struct Recording(BTreeMap<String, Answer>);

pub fn recording_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recording/script.jsonl")
}

impl Recording {
    pub fn open() -> Self {
        let text = fs::read_to_string(recording_path()).unwrap();
        let answers = text.lines().map(|line| serde_json::from_str::<Answer>(line).unwrap());
        Self(answers.map(|answer| (answer.hash.clone(), answer)).collect())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl Transport for Recording {
    fn ask(&self, request: &Request, _: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        let answer = self.0.get(&request.hash()).ok_or_else(|| {
            LlmError::Unrecorded(
                "what is asked is not in the recording: a prompt, the card or a diagnostic is another one; \
                 UPDATE_GOLDENS=1 cargo nextest run -p genesys-agents-bench --test recording makes it anew"
                    .to_owned(),
            )
        })?;
        Ok(answer.reply())
    }
}
