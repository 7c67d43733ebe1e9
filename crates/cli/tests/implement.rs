//! `implement`: the test is the model, in a folder; and once more from the recording.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{file, genesys};
use serde_json::Value;

const DESIGN: &str = "design Before {\n    stack = [Block*]\n}\n\n/// Each position with the one before it.\n\
                      unit Block(x: Seq[D]) -> Seq[D] {\n    x + linear[D -> D](shift(x, 1))\n}\n";

#[test]
fn a_proposal_becomes_a_design_and_again_from_its_recording() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let proposal = file(folder.path(), "idea.md", "Look one position back.");
    fs::create_dir(at("asked")).unwrap();
    let wrong = DESIGN.replace("shift(x, 1)", "shift(x, -1)");
    for (number, text) in [(1, &wrong), (2, &DESIGN.to_owned())] {
        fs::write(at(&format!("asked/000{number}-implementer.answer.md")), format!("```gau\n{text}```\n")).unwrap();
    }
    let llm = format!("file:{}", at("asked"));
    let (out, record) = (at("mine.gau"), at("idea.jsonl"));
    let shared = ["implement", &proposal, "--way", "whole", "--wait", "60"];
    genesys([&shared[..], &["--llm", &llm, "--out", &out, "--record", &record]].concat()).ok();
    assert_eq!(fs::read_to_string(&out).unwrap(), DESIGN);
    let replay = format!("replay:{record}");
    assert_eq!(genesys([&shared[..], &["--llm", &replay]].concat()).ok(), DESIGN);
    let json: Value =
        serde_json::from_str(&genesys([&shared[..], &["--llm", &replay, "--json"]].concat()).ok()).unwrap();
    assert_eq!(json["text"], DESIGN);
    assert!(json["attempts"][0]["errors"][0].as_str().unwrap().contains("shift") && json["attempts"][1]["number"] == 2);
    let said = genesys(["implement", &proposal, "--way", "direct", "--llm", &replay]).refused();
    assert!(said.contains("design: answer 1 is not taken") && said.contains("no design came of"), "{said}");
}

#[test]
fn what_cannot_be_asked_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let proposal = file(folder.path(), "idea.md", "Look one position back.");
    let said = genesys(["implement", "none.md", "--llm", "file:asked"]).refused();
    assert!(said.contains("none.md"), "{said}");
    let said = genesys(["implement", &proposal, "--llm", "nothing"]).refused();
    assert!(said.contains("--llm: expected `https://HOST/v1#MODEL`"), "{said}");
}
