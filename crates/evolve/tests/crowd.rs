//! Thirty-two dialogues of a run at once: none waits for another to end, and the log is that of one after the other.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use common::{Actor, dataset, digest, settings, shipped};
use genesys_data::Dataset;
use genesys_evolve::{Asked, Designers, InProcess, Settings, State, discover_with};
use genesys_llm::{LlmError, Reply, Request, Transport};

const CROWD: usize = 32;

/// Answers nobody before a crowd has asked: fewer dialogues at once would wait for ever, and fail here.
#[derive(Default)]
struct Together {
    asked: Mutex<BTreeSet<u64>>,
    all: Condvar,
}

impl Transport for Together {
    fn ask(&self, request: &Request, hear: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        let mut asked = self.asked.lock().unwrap();
        // Each dialogue draws from a seed of its own.
        asked.insert(request.seed.unwrap());
        self.all.notify_all();
        let late = Duration::from_secs(120);
        let (asked, waited) = self.all.wait_timeout_while(asked, late, |asked| asked.len() < CROWD).unwrap();
        if waited.timed_out() {
            let why = format!("{} of {CROWD} dialogues were begun at once", asked.len());
            return Err(LlmError::Unsupported(why));
        }
        drop(asked);
        Actor::default().ask(request, hear)
    }
}

fn run(dir: &Path, data: &Dataset, transport: impl Transport + 'static, at_once: usize) -> State {
    let settings = Settings { generations: 1, population: CROWD as u64, ..settings(6) };
    let asked = Asked::new(Box::new(transport), "m".into(), None, None);
    let designers = Designers { designer: Arc::new(asked), at_once };
    discover_with(dir, &settings, &shipped(), data, Some(&designers), &mut InProcess::default(), &mut ()).unwrap()
}

#[test]
fn thirty_two_dialogues_go_on_at_once_and_give_the_log_of_one_after_the_other() {
    let root = tempfile::tempdir().unwrap();
    let data = dataset(root.path());
    let (together, alone) = (root.path().join("together"), root.path().join("alone"));
    let state = run(&together, &data, Together::default(), CROWD);
    run(&alone, &data, Actor::default(), 1);
    assert_eq!(digest(&together), digest(&alone));
    let places: BTreeSet<u64> = state.dialogues.iter().map(|talk| talk.talked.place.slot).collect();
    assert_eq!(places.len(), CROWD, "each place had its dialogue");
}
