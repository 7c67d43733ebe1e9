//! `discover --llm`: the test is the model, in a folder. The run is stopped in mid-dialogue and gone on with, and made again from its
//! recording.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::process::Stdio;
use std::sync::atomic::Ordering;

use common::person::{Person, digest, small, wait_for};
use common::{command, corpus, finished, signal};
use genesys_store::Reader;

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

#[test]
fn a_cap_stops_a_run_and_says_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (run, asked) = (folder.path().join("a"), folder.path().join("asked"));
    let llm = format!("file:{}", asked.display());
    let _person = Person::at(asked, usize::MAX);
    let said = finished(small(folder.path(), "a", &["--llm", &llm, "--tokens", "60000"]).output().unwrap()).refused();
    assert!(said.contains("the cap is 60000") && said.contains("--llm TARGET`, and allow more"), "{said}");
    let exchanges = fs::read_to_string(run.join("exchanges.jsonl")).unwrap();
    assert!(!exchanges.contains("the cap is"), "what was never asked is no exchange: {exchanges}");
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
fn several_models_answer_for_each_other_in_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let (run, prices) = (folder.path().join("a"), folder.path().join("prices.tsv"));
    let shipped = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../llm/prices.tsv")).unwrap();
    let price = |name, usd| format!("{name}\t{usd}\t{usd}\t{usd}\t2026-11-28\thttps://prices\n");
    let header = shipped.lines().next().unwrap();
    fs::write(&prices, format!("{header}\n{}{}", price("Ada", 1), price("Bob", 8))).unwrap();
    let asked = ["Ada", "Bob"].map(|name| folder.path().join(name));
    let [ada, bob] =
        asked.clone().map(|dir| format!("file:{}#{}", dir.display(), dir.file_name().unwrap().to_str().unwrap()));
    let persons = asked.map(|dir| Person::at(dir, usize::MAX));
    let more = ["--llm", &ada, "--llm", &format!("2*{bob}"), "--prices", prices.to_str().unwrap()];
    let board = finished(small(folder.path(), "a", &more).output().unwrap()).ok();
    let answered = persons.map(|person| person.answered.load(Ordering::SeqCst));
    assert!(answered.iter().all(|count| *count > 0), "{answered:?}");

    // Each call is counted as that of the model that was asked.
    let ledger = fs::read_to_string(run.join("ledger.jsonl")).unwrap();
    let lines = |name: &str| ledger.matches(&format!("\"model\":\"{name}\"")).count();
    assert_eq!([lines("Ada"), lines("Bob")], answered);
    let sum = |events: &str| -> u64 {
        let money = events.split("\"money\":").skip(1).map(|rest| rest.split([',', '}']).next().unwrap());
        money.map(|number| number.parse::<u64>().unwrap()).sum()
    };
    let settled: String = ledger.lines().filter(|line| line.starts_with("{\"settled\"")).collect();
    let events = Reader::open(&run).unwrap();
    let talked = events.events().map(|event| event.unwrap()).filter(|event| event.kind == "dialogue-finished");
    let told: String = talked.map(|event| event.payload["spent"].to_string()).collect();
    assert!(sum(&settled) > 0);
    assert_eq!(sum(&told), sum(&settled), "the log counts as the ledger does");

    // The recording has the answers of both.
    let again = small(folder.path(), "b", &["--llm", &format!("replay:{}", run.display())]).output().unwrap();
    assert_eq!(finished(again).ok(), board);
    assert_eq!(digest(&folder.path().join("b")), digest(&run));
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
    assert!(told(&["--live", "arxiv"]).contains("expected --llm TARGET"));
    assert!(told(&["--llm", "file:asked", "--share", "101"]).contains("101"));
    assert!(told(&["--llm", "nothing"]).contains("--llm: expected `https://HOST/v1#MODEL`"));
    assert!(told(&["--llm", "replay:none.jsonl"]).contains("none.jsonl"));
    let replayed = ["--llm", "replay:none.jsonl", "--llm", "file:asked#Ada"];
    assert!(told(&replayed).contains("replay:none.jsonl alone"));
    let unknown = ["--llm", "http://localhost:9/v1#unknown", "--budget", "5USD"];
    assert!(told(&unknown).contains("what the model `unknown` costs is not known"), "{}", told(&unknown));
    assert!(told(&["--llm", "http://localhost:9/v1#m", "--tokens", "10"]).contains("one call may take"));
    assert!(told(&["--llm", "http://localhost:9/v1#m", "--budget", "five"]).contains("5USD"));
}
