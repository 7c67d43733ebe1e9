//! `bench agents`: the test is the model, in a folder; a bench that stops and goes on; and a whole one from the recording of a script.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use common::{file, genesys};
use serde_json::Value;

const DESIGN: &str = "design Before {\n    stack = [Block*]\n}\n\n/// Each position with the one before it.\n\
                      unit Block(x: Seq[D]) -> Seq[D] {\n    x + linear[D -> D](shift(x, 1))\n}\n";

fn answer(folder: &Path, number: usize, text: &str) {
    fs::write(folder.join(format!("000{number}-implementer.answer.md")), format!("```gau\n{text}```\n")).unwrap();
}

/// A report's rows without what a clock says.
fn timeless(json: &str) -> Value {
    let mut value: Value = serde_json::from_str(json).unwrap();
    for row in value["rows"].as_array_mut().unwrap() {
        row["model_seconds"] = Value::Null;
        row["own_seconds"] = Value::Null;
    }
    value["rows"].take()
}

#[test]
fn a_bench_that_stopped_goes_on_and_replays() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    ["asked", "ideas"].iter().for_each(|name| fs::create_dir(at(name)).unwrap());
    file(folder.path(), "ideas/back.md", "Look one position back.");
    file(folder.path(), "ideas/notes.txt", "This is no proposal.");
    let asked = folder.path().join("asked");
    answer(&asked, 1, &DESIGN.replace("shift(x, 1)", "shift(x, -1)"));
    let (llm, out) = (format!("file:{}", at("asked")), at("out"));
    let shared = ["bench", "agents", "--proposals", &at("ideas"), "--variants", "whole,direct,whole", "--wait", "2"];
    let stopped = genesys([&shared[..], &["--llm", &llm, "--out", &out]].concat());
    assert!(stopped.status == 2 && stopped.stderr.contains("2 s"), "{stopped:?}");

    answer(&asked, 2, DESIGN);
    answer(&asked, 3, "no");
    let table = genesys([&shared[..], &["--llm", &llm, "--out", &out]].concat()).ok();
    assert!(table.starts_with("1 proposals, model `file`, each piece mended at most 7 times"), "{table}");
    assert!(table.contains("whole - direct") && table.contains("1 of 1") && table.contains("0 of 1"), "{table}");
    assert!(table.contains("unknown"), "no one's answers have a price: {table}");
    assert_eq!(fs::read_to_string(at("out/table.txt")).unwrap(), table);
    assert_eq!(fs::read_to_string(at("out/back.whole.gau")).unwrap(), DESIGN);
    let json = fs::read_to_string(at("out/report.json")).unwrap();
    let rows = timeless(&json);
    assert_eq!(rows[0]["repairs"], 1);
    assert!(rows[0]["design"].as_str().unwrap().starts_with("g2-") && rows[1]["design"].is_null());

    let replay = format!("replay:{out}/recording.jsonl");
    let again = genesys([&shared[..], &["--llm", &replay, "--json"]].concat()).ok();
    assert_eq!(timeless(&again), rows);
    assert!(genesys([&shared[..], &["--llm", &replay]].concat()).ok().contains("not measured"), "no time is recorded");
    let said = genesys([&shared[..], &["--llm", &llm, "--out", &out, "--mends", "3"]].concat()).refused();
    assert!(said.contains("is of another bench: its mends are 7, and here 3"), "{said}");
}

#[test]
fn what_cannot_be_measured_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let said = genesys(["bench", "agents", "--proposals", dir, "--llm", "replay:none"]).refused();
    assert!(said.contains("none"), "{said}");
    file(folder.path(), "empty.jsonl", "");
    let replay = format!("replay:{dir}/empty.jsonl");
    let said = genesys(["bench", "agents", "--proposals", dir, "--llm", &replay]).refused();
    assert!(said.contains("expected proposals, files *.md"), "{said}");
    let said = genesys(["bench", "agents", "--proposals", dir, "--llm", &replay, "--variants", "best"]).refused();
    assert!(said.contains("expected `by-units`, `whole`, `direct`, `no-feedback`, found `best`"), "{said}");
}
