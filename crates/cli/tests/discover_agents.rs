//! `discover --llm`: the test is the model, in a folder. The run is stopped in mid-dialogue and gone on with, and made again from its
//! recording.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{command, corpus, finished, signal};
use genesys_store::Reader;
use serde_json::Value;

/// Who answers in a folder, as long as it is wanted.
struct Person {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Person {
    /// Answers what is asked in `dir`, at most so many times.
    fn at(dir: PathBuf, most: usize) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (ended, count) = (Arc::clone(&stop), Arc::clone(&answered));
        let thread = thread::spawn(move || {
            while !ended.load(Ordering::SeqCst) {
                answer_all(&dir, &count, most);
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

fn answer_all(dir: &Path, count: &AtomicUsize, most: usize) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    let names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    for stem in names.iter().filter_map(|name| name.strip_suffix(".request.json")) {
        let there = |ending: &str| names.contains(&format!("{stem}.{ending}"));
        if there("answer.md") || there("answer.json") || count.load(Ordering::SeqCst) >= most {
            continue;
        }
        let asked: Value =
            serde_json::from_slice(&fs::read(dir.join(format!("{stem}.request.json"))).unwrap()).unwrap();
        let (ending, text) = said(&asked);
        let (path, aside) = (dir.join(format!("{stem}.{ending}")), dir.join(format!("{stem}.part")));
        fs::write(&aside, text).unwrap();
        fs::rename(&aside, &path).unwrap();
        count.fetch_add(1, Ordering::SeqCst);
    }
}

/// An answer that is a function of the request.
fn said(asked: &Value) -> (&'static str, String) {
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
            json(r#"{"notes": "", "questions": ["\"the run starts from\"", "\"it is global with\""]}"#)
        }
        "proposer" if last.contains("write the proposal") => ("answer.md", proposal),
        "proposer" | "implementer" => ("answer.md", design),
        "reviewer" => {
            json(r#"{"novelty": 3, "soundness": 4, "effect": 3, "cost": 4, "rating": 4, "remarks": "It is small."}"#)
        }
        "planner" => json(r#"{"units": []}"#),
        "observer" => json(r#"{"faithful": 4, "novelty": 2, "quality": 4, "remarks": "It does."}"#),
        role => panic!("nobody knows the role {role}"),
    }
}

/// A run of one generation of three in which models have every place, a few steps each.
fn small(folder: &Path, run: &str, more: &[&str]) -> Command {
    let mut command =
        command(["discover", "--generations", "1", "--population", "3", "--steps", "3", "--share", "100"]);
    command.arg("--run").arg(folder.join(run)).arg("--corpus").arg(corpus(folder)).args(more);
    command.env("GENESYS_CACHE", folder.join("cache"));
    command
}

fn digest(run: &Path) -> String {
    Reader::open(run).unwrap().digest().unwrap()
}

#[test]
fn a_run_with_models_is_stopped_in_mid_dialogue_gone_on_with_and_made_again_from_its_recording() {
    let folder = tempfile::tempdir().unwrap();
    let (run, asked) = (folder.path().join("a"), folder.path().join("asked"));
    let llm = format!("file:{}", asked.display());
    let person = Person::at(asked.clone(), 4);
    let mut child = small(folder.path(), "a", &["--llm", &llm, "--dialogues", "2"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for(&mut || fs::read_to_string(run.join("exchanges.jsonl")).is_ok_and(|text| text.lines().count() >= 4));
    signal(child.id(), "KILL");
    child.wait().unwrap();
    assert_eq!(person.answered.load(Ordering::SeqCst), 4);
    drop(person);

    let resume = |more: &[&str]| {
        let mut command = command(["resume".as_ref(), run.as_os_str()]);
        finished(command.args(more).env("GENESYS_CACHE", folder.path().join("cache")).output().unwrap())
    };
    let said = resume(&[]).refused();
    assert!(said.contains("asks the language model `file`") && said.contains("--llm"), "{said}");
    let said = resume(&["--llm", "http://localhost:9/v1#other"]).refused();
    assert!(said.contains("began with the model `file`"), "{said}");
    let person = Person::at(asked.clone(), usize::MAX);
    let resumed = resume(&["--llm", &llm]);
    drop(person);
    assert!(resumed.stderr.contains("models: ") && resumed.stderr.contains("dialogue   1.1"), "{resumed:?}");
    let board = resumed.ok();
    assert!(board.contains("-1.1"), "{board}");

    // The recording alone gives the same run; asked of nobody, it has no ledger.
    let again = small(folder.path(), "b", &["--llm", &format!("replay:{}", run.display())]).output().unwrap();
    assert_eq!(finished(again).ok(), board);
    assert_eq!(digest(&folder.path().join("b")), digest(&run));
    assert!(!folder.path().join("b/ledger.jsonl").exists());
    let kinds: Vec<String> = Reader::open(&run).unwrap().events().map(|event| event.unwrap().kind).collect();
    assert!(kinds.iter().filter(|kind| *kind == "dialogue-finished").count() >= 3, "{kinds:?}");

    // Models found what the run had made before.
    let exchanges = fs::read_to_string(run.join("exchanges.jsonl")).unwrap();
    assert!(exchanges.contains(r#"<document key=\"run/"#), "{exchanges}");
    assert!(exchanges.contains(r#"<document key=\"run#u1-"#), "nor its units: {exchanges}");

    // Each request was asked once, and the ledger has every call, those that the kill cut off included.
    let lines = |name: &str| fs::read_to_string(run.join(name)).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
    let calls = lines("ledger.jsonl").iter().filter(|line| line.starts_with("{\"reserved\"")).count();
    assert!(calls >= lines("exchanges.jsonl").len(), "{calls} calls");

    let other = small(folder.path(), "c", &["--seed", "9", "--llm", &format!("replay:{}", run.display())]).output();
    let said = finished(other.unwrap()).refused();
    assert!(said.contains("the recording has no answer") && said.contains("most alike request"), "{said}");
}

fn wait_for(there: &mut dyn FnMut() -> bool) {
    let begin = Instant::now();
    while !there() {
        assert!(begin.elapsed() < Duration::from_secs(120), "nothing came");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_cap_stops_a_run_and_says_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (run, asked) = (folder.path().join("a"), folder.path().join("asked"));
    let llm = format!("file:{}", asked.display());
    let _person = Person::at(asked, usize::MAX);
    let said = finished(small(folder.path(), "a", &["--llm", &llm, "--tokens", "60000"]).output().unwrap()).refused();
    assert!(said.contains("the cap is 60000") && said.contains("--llm TARGET`, and allow more"), "{said}");
    let mut command = command(["resume".as_ref(), run.as_os_str()]);
    command.args(["--llm", &llm, "--tokens", "9000000"]).env("GENESYS_CACHE", folder.path().join("cache"));
    let board = finished(command.output().unwrap()).ok();
    let again = small(folder.path(), "b", &["--llm", &format!("replay:{}", run.display())]).output().unwrap();
    assert_eq!(finished(again).ok(), board);
    assert_eq!(digest(&folder.path().join("b")), digest(&run));
}

#[test]
fn a_run_counts_by_the_price_that_it_began_with() {
    let folder = tempfile::tempdir().unwrap();
    let (run, asked) = (folder.path().join("a"), folder.path().join("asked"));
    let prices = folder.path().join("prices.tsv");
    let shipped = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../llm/prices.tsv")).unwrap();
    let header = shipped.lines().next().unwrap();
    fs::write(&prices, format!("{header}\nAda\t1\t1\t2\t2026-11-28\tAda says so\n")).unwrap();
    let llm = format!("file:{}#Ada", asked.display());
    let _person = Person::at(asked, usize::MAX);
    let first = ["--llm", &llm, "--tokens", "60000", "--prices", prices.to_str().unwrap()];
    finished(small(folder.path(), "a", &first).output().unwrap()).refused();
    let mut command = command(["resume".as_ref(), run.as_os_str()]);
    command.args(["--llm", &llm, "--budget", "9USD"]).env("GENESYS_CACHE", folder.path().join("cache"));
    let resumed = finished(command.output().unwrap());
    assert!(resumed.stderr.contains(" USD") && !resumed.stderr.contains("not known"), "{}", resumed.stderr);
    let board = resumed.ok();
    let ledger = fs::read_to_string(run.join("ledger.jsonl")).unwrap();
    let free = ledger.lines().filter(|line| line.contains("settled") && line.contains("\"money\":0,")).count();
    assert!(ledger.contains("\"money\":") && free == 0, "{free} of\n{ledger}");
    let again = small(folder.path(), "b", &["--llm", &format!("replay:{}", run.display())]).output().unwrap();
    assert_eq!(finished(again).ok(), board);
    assert_eq!(digest(&folder.path().join("b")), digest(&run), "the prices are those of the run");
}

#[test]
fn mistakes_are_told_before_a_run_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let told = |more: &[&str]| {
        let mut command = command(["discover", "--run"]);
        command.arg(folder.path().join("run")).arg("--corpus").arg(corpus(folder.path())).args(more);
        let said = finished(command.env("GENESYS_CACHE", folder.path().join("cache")).output().unwrap()).refused();
        assert!(!folder.path().join("run/events.db").exists(), "a run was made: {said}");
        said
    };
    assert!(told(&["--share", "50"]).contains("--llm"));
    assert!(told(&["--llm", "file:asked", "--share", "101"]).contains("101"));
    assert!(told(&["--llm", "nothing"]).contains("--llm: expected `https://HOST/v1#MODEL`"));
    assert!(told(&["--llm", "replay:none.jsonl"]).contains("none.jsonl"));
    let unknown = ["--llm", "http://localhost:9/v1#unknown", "--budget", "5USD"];
    assert!(told(&unknown).contains("what the model `unknown` costs is not known"), "{}", told(&unknown));
    assert!(told(&["--llm", "http://localhost:9/v1#m", "--tokens", "10"]).contains("one call may take"));
    assert!(told(&["--llm", "http://localhost:9/v1#m", "--budget", "five"]).contains("5USD"));
}
