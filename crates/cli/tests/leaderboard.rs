//! `leaderboard`: the table and the JSON of a run, finished or not, and why a design of it is as it is.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::person::{Person, digest, of_generations};
use common::{command, corpus, cut, finished, genesys};
use serde_json::Value;

/// A run of one generation of two, a few steps each, on a small text; and what `discover` printed.
fn discover(folder: &Path) -> (PathBuf, String) {
    let run = folder.join("run");
    let mut command = command(["discover", "--generations", "1", "--population", "2", "--steps", "3"]);
    command.arg("--run").arg(&run).arg("--corpus").arg(corpus(folder)).env("GENESYS_CACHE", folder.join("cache"));
    let printed = finished(command.output().unwrap()).ok();
    (run, printed)
}

fn leaderboard(run: &Path, more: &[&str]) -> common::Run {
    genesys(["leaderboard", run.to_str().unwrap()].iter().chain(more))
}

fn value(run: &Path, more: &[&str]) -> Value {
    serde_json::from_str(&leaderboard(run, more).ok()).unwrap()
}

#[test]
fn a_run_tells_its_leaderboard_and_why_each_design_is_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (run, printed) = discover(folder.path());
    let table = leaderboard(&run, &[]);
    assert_eq!((table.stdout.as_str(), table.stderr.as_str()), (printed.as_str(), ""), "`discover` ends with it");

    let rows = value(&run, &["--json"]);
    let rows = rows.as_array().unwrap();
    let mut made = Vec::new();
    for row in rows {
        let name = row["name"].as_str().unwrap();
        let why = value(&run, &["--why", name, "--json"]);
        for (there, here) in [("hash", "hash"), ("rank", "rank"), ("bpb", "bits_per_byte"), ("bpb_sd", "deviation")] {
            assert_eq!(why[there], row[here], "{name}");
        }
        let by_hash = leaderboard(&run, &["--why", row["hash"].as_str().unwrap()]).ok();
        assert_eq!(by_hash, leaderboard(&run, &["--why", name]).ok());
        assert!(by_hash.starts_with(&format!("{name}  [generation {}, rank {}]\n", row["generation"], row["rank"])));
        let operator = row["lineage"].as_array().unwrap().last().unwrap()["operator"].clone();
        assert_eq!(why["made"]["operator"], operator, "{why}");
        made.push(why["made"]["by"].as_str().unwrap().to_owned());
    }
    assert_eq!((made.len(), made.iter().filter(|by| *by == "operator").count()), (7, 2));

    // The table shows beginnings of hashes.
    let short: String = rows[0]["hash"].as_str().unwrap().chars().take(11).collect();
    assert!(printed.contains(&short));
    assert_eq!(value(&run, &["--why", &short, "--json"])["name"], rows[0]["name"]);
}

#[test]
fn what_a_dialogue_said_and_brought_is_told_and_the_next_generation_and_a_replay_find_it() {
    let folder = tempfile::tempdir().unwrap();
    let (run, asked) = (folder.path().join("a"), folder.path().join("asked"));
    let person = Person::asking(asked.clone(), usize::MAX, |_| vec!["\"by dialogue\"".to_owned()]);
    let llm = format!("file:{}", asked.display());
    finished(of_generations(2, 2, folder.path(), "a", &["--llm", &llm]).output().unwrap()).ok();
    drop(person);

    let rows = value(&run, &["--json"]);
    let mut of_second = rows.as_array().unwrap().iter().filter(|row| row["generation"] == 2);
    let name = of_second.next().unwrap()["name"].as_str().unwrap();
    let text = leaderboard(&run, &["--why", name]).ok();
    let idea = "\nidea:\nIt looks back.\n\nexpected effect:\nLower loss.\n\nrests on:\n  no document\n";
    let made = "\nmade by: a dialogue with language models (mutation); a reviewer gave it 4 of 5\nfrom:    ";
    assert!(["\nLook back by ", made, idea].iter().all(|part| text.contains(part)), "{text}");
    let why = value(&run, &["--why", name, "--json"]);
    assert_eq!((&why["made"]["by"], &why["made"]["rating"]), (&"dialogue".into(), &4.into()));
    assert!(why["parents"][0]["effect"]["same_seed"].is_f64(), "{why}");

    // What the first generation brought was told in the second, and is told again though the run is over now.
    let exchanges = fs::read_to_string(run.join("exchanges.jsonl")).unwrap();
    assert!(exchanges.contains(" by dialogue: Look back by ") && exchanges.contains(", with the same seed: "));
    let replay = format!("replay:{}", run.display());
    finished(of_generations(2, 2, folder.path(), "b", &["--llm", &replay]).output().unwrap()).ok();
    assert_eq!(digest(&folder.path().join("b")), digest(&run));
}

#[test]
fn what_is_wrong_is_told_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let (run, _) = discover(folder.path());
    let said = leaderboard(&run, &["--why", "gtp"]).refused();
    assert!(said.contains("found `gtp`, which none has; do you mean `gpt`"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let said = leaderboard(&run, &["--why", "0123456789"]).refused();
    assert!(said.contains("`genesys leaderboard ") && said.contains(" lists them"), "{said}");

    let unfinished = folder.path().join("unfinished");
    cut(&run, 5, &unfinished);
    let told = leaderboard(&unfinished, &[]);
    assert!(told.stderr.contains("the run is not finished: `genesys resume "), "{told:?}");
    assert!(told.stdout.contains("untrained") && !told.stdout.contains("failed"), "{told:?}");
    let why = leaderboard(&unfinished, &["--why", "gpt"]).ok();
    assert!(why.contains("\nmade by: nobody: the run started from it\ntrained: not yet\n"), "{why}");

    let empty = folder.path().join("empty");
    cut(&run, 0, &empty);
    let told = leaderboard(&empty, &[]);
    assert!(told.status == 2 && told.stderr.contains("holds no event"), "{told:?}");
    let nowhere = folder.path().join("nowhere");
    assert!(leaderboard(&nowhere, &[]).refused().contains("nowhere") && !nowhere.exists());

    let log = run.join("events.db");
    let bytes = fs::read(&log).unwrap();
    fs::write(&log, &bytes[..bytes.len() / 2]).unwrap();
    let told = leaderboard(&run, &[]);
    assert!(told.status == 2 && told.stderr.contains("damaged"), "{told:?}");
}
