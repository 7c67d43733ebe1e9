//! A model in a folder: whoever answers what a run asks by files, in words that are a function of the request.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use genesys_store::Reader;
use serde_json::Value;

/// Who answers in a folder, as long as it is wanted.
pub struct Person {
    stop: Arc<AtomicBool>,
    /// How many answers were given.
    pub answered: Arc<AtomicUsize>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Person {
    /// Answers what is asked in `dir`, at most so many times.
    pub fn at(dir: PathBuf, most: usize) -> Self {
        Self::asking(dir, most, |_| vec!["\"the run starts from\"".to_owned(), "\"it is global with\"".to_owned()])
    }

    /// The same, searching for questions that are a function of the number that a request gives.
    pub fn asking(dir: PathBuf, most: usize, questions: fn(u64) -> Vec<String>) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (ended, count) = (Arc::clone(&stop), Arc::clone(&answered));
        let thread = thread::spawn(move || {
            while !ended.load(Ordering::SeqCst) {
                answer_all(&dir, &count, most, questions);
                thread::sleep(Duration::from_millis(20));
            }
        });
        Self { stop, answered, thread: Some(thread) }
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn answer_all(dir: &Path, count: &AtomicUsize, most: usize, questions: fn(u64) -> Vec<String>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    let names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    for stem in names.iter().filter_map(|name| name.strip_suffix(".request.json")) {
        let there = |ending: &str| names.contains(&format!("{stem}.{ending}"));
        if there("answer.md") || there("answer.json") || count.load(Ordering::SeqCst) >= most {
            continue;
        }
        let asked: Value =
            serde_json::from_slice(&fs::read(dir.join(format!("{stem}.request.json"))).unwrap()).unwrap();
        let (ending, text) = said(&asked, questions);
        let (path, aside) = (dir.join(format!("{stem}.{ending}")), dir.join(format!("{stem}.part")));
        fs::write(&aside, text).unwrap();
        fs::rename(&aside, &path).unwrap();
        count.fetch_add(1, Ordering::SeqCst);
    }
}

/// An answer that is a function of the request.
fn said(asked: &Value, questions: fn(u64) -> Vec<String>) -> (&'static str, String) {
    let hash = asked["hash"].as_str().unwrap();
    let by = 1 + u64::from_str_radix(&hash[hash.len() - 8..], 16).unwrap() % 40;
    let request = &asked["request"];
    let last = request["messages"].as_array().unwrap().last().unwrap()["text"].as_str().unwrap().to_owned();
    let design = format!(
        "```gau\ndesign Back {{\n    stack = [Block*]\n}}\n\nunit Block(x: Seq[D]) -> Seq[D] {{\n    \
         x + linear[D -> D](shift(x, {by}))\n}}\n```\n"
    );
    let proposal = format!(
        "# Look back by {by}\n\n## Problem\nIt is blind.\n\n## Idea\nIt looks back.\n\n## Mathematics\n$y_t = x_t + W x_{{t-{by}}}$\n\n\
         ## Expected effect\nLower loss.\n\n## Change\n`Block` looks back.\n\n## Claims\nnone\n\n## References\nnone\n"
    );
    let json = |text: &str| ("answer.json", text.to_owned());
    match request["role"].as_str().unwrap() {
        "proposer" if request["form"]["kind"] == "schema" && last.contains("<document ") => {
            json(r#"{"notes": "", "questions": []}"#)
        }
        "proposer" if request["form"]["kind"] == "schema" => {
            json(&serde_json::json!({ "notes": "", "questions": questions(by) }).to_string())
        }
        "proposer" if last.contains("write the proposal") => ("answer.md", proposal),
        "proposer" | "implementer" => ("answer.md", design),
        "reviewer" => {
            json(r#"{"novelty": 3, "soundness": 4, "effect": 3, "cost": 4, "rating": 4, "remarks": "It is small."}"#)
        }
        "planner" => json(r#"{"units": []}"#),
        "observer" => json(r#"{"faithful": 4, "novelty": 2, "quality": 4, "remarks": "It does."}"#),
        "analyst" => json(r#"{"lessons": ["It is blind."]}"#),
        role => panic!("nobody knows the role {role}"),
    }
}

/// A run of one generation of three in which models have every place, a few steps each.
pub fn small(folder: &Path, run: &str, more: &[&str]) -> Command {
    of_generations(1, 3, folder, run, more)
}

/// The same, of so many generations of so many places.
pub fn of_generations(generations: u64, places: u64, folder: &Path, run: &str, more: &[&str]) -> Command {
    let mut command = super::command(["discover", "--steps", "3", "--share", "100"]);
    command.args(["--generations", &generations.to_string(), "--population", &places.to_string()]);
    command.arg("--run").arg(folder.join(run)).arg("--corpus").arg(super::corpus(folder)).args(more);
    command.env("GENESYS_CACHE", folder.join("cache"));
    command
}

/// What a run's log comes to.
pub fn digest(run: &Path) -> String {
    Reader::open(run).unwrap().digest().unwrap()
}

/// Waits until it is there.
pub fn wait_for(there: &mut dyn FnMut() -> bool) {
    let begin = Instant::now();
    while !there() {
        assert!(begin.elapsed() < Duration::from_secs(120), "nothing came");
        thread::sleep(Duration::from_millis(10));
    }
}
