//! `design`, `propose` and `review`: the test is the model, in a folder; and once more from the recording.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use common::{file, genesys};
use serde_json::Value;

const PROPOSAL: &str = "# One position back\n\n## Problem\nThe past is long.\n\n## Idea\nOne position may do.\n\n## Mathematics\n\
                        $y_t = W x_{t-1}$\n\n## Expected effect\nLess time.\n\n## Change\n`Mixer` is new.\n\n## Claims\n- state: constant\n\
                        - time: O(T)\n\n## References\nnone\n";
const SKETCH: &str = "```gau\ndesign Before {\n    stack = [Block*]\n}\n\n/// A residual.\nunit Block(x: Seq[D]) -> Seq[D] {\n    \
                      x + Mixer(x)\n}\n\n/// One position back.\nunit Mixer(x: Seq[D]) -> Seq[D];\n```\n";
const ANSWERS: [(&str, &str); 7] = [
    ("0001-proposer.answer.json", r#"{"notes": "I know what I want.", "questions": []}"#),
    ("0002-proposer.answer.md", PROPOSAL),
    ("0003-proposer.answer.md", SKETCH),
    (
        "0004-reviewer.answer.json",
        r#"{"novelty": 3, "soundness": 4, "effect": 3, "cost": 4, "rating": 4, "remarks": "Try it."}"#,
    ),
    ("0005-planner.answer.json", r#"{"units": [{"unit": "Mixer", "how": "A matrix and shift(x, 1)."}]}"#),
    ("0006-implementer.answer.md", "unit Mixer(x: Seq[D]) -> Seq[D] {\n    linear[D -> D](shift(x, 1))\n}\n"),
    ("0007-observer.answer.json", r#"{"faithful": 5, "novelty": 2, "quality": 4, "remarks": "As proposed."}"#),
];

/// A folder in which the first answers lie.
fn answered(folder: &Path, answers: &[(&str, &str)]) -> String {
    let asked = folder.join("asked");
    fs::create_dir_all(&asked).unwrap();
    answers.iter().for_each(|(name, text)| fs::write(asked.join(name), text).unwrap());
    format!("file:{}", asked.display())
}

#[test]
fn a_person_makes_a_design_by_files_and_it_comes_again_from_its_recording() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let shared = ["design", "--mode", "scratch", "--cache", &at("cache")];
    let record = at("new.jsonl");
    let llm = answered(folder.path(), &ANSWERS[..4]);
    let recorded = [&shared[..], &["--llm", &llm, "--record", &record]].concat();
    let stopped = genesys([&recorded[..], &["--wait", "3"]].concat());
    let said = stopped.stderr;
    assert_eq!(stopped.status, 2, "{said}");
    assert!(said.contains("--- reviewer: review, answer 1") && said.contains("Try it."), "{said}");

    // What was answered is not asked again.
    answered(folder.path(), &ANSWERS[4..]);
    let out = genesys([&recorded[..], &["--wait", "60"]].concat()).ok();
    assert!(out.contains("linear[D -> D](shift(x, 1))"), "{out}");
    assert!(!folder.path().join("asked/0008-proposer.request.md").exists());

    let replay = format!("replay:{record}");
    assert_eq!(genesys([&shared[..], &["--llm", &replay]].concat()).ok(), out);
    let json = genesys([&shared[..], &["--llm", &replay, "--json"]].concat()).ok();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["mode"], &json["end"]), (&"scratch".into(), &"designed".into()));
    assert_eq!(json["design"]["text"], out);
    assert_eq!(json["proposals"][0]["proposal"]["title"], "One position back");
    assert_eq!(json["observations"][0]["facts"]["power"], 1);
    assert_eq!(json["spent"]["proposer"]["calls"], 3, "a replay counts what the dialogue took");
}

#[test]
fn a_proposal_is_written_and_reviewed() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache").to_str().unwrap().to_owned();
    let llm = answered(folder.path(), &ANSWERS[..2]);
    let shared = ["--wait", "60", "--cache", &cache, "--llm", &llm];
    let text = genesys([&["propose", "--unreviewed"], &shared[..]].concat()).ok();
    assert_eq!(text, PROPOSAL);
    let idea = file(folder.path(), "idea.md", &text);
    let low = ANSWERS[3].1.replace("\"rating\": 4", "\"rating\": 3");
    answered(folder.path(), &[("0003-reviewer.answer.json", &low)]);
    let said = genesys([&["review", &idea], &shared[..]].concat()).refused();
    assert!(said.contains("does not pass"), "{said}");
    let no = file(folder.path(), "no.md", "A thought.");
    let said = genesys([&["review", &no], &shared[..]].concat()).refused();
    assert!(said.contains("no.md: expected a first line `# TITLE`") && said.contains("`## Problem`"), "{said}");
}

#[test]
fn parents_that_do_not_suit_the_mode_are_told() {
    let said = genesys(["design", "--mode", "mutation", "--llm", "file:asked"]).refused();
    assert!(said.contains("expected one --parent FILE to be changed, found 0"), "{said}");
    let said = genesys(["design", "--parent", "none.gau", "--llm", "file:asked"]).refused();
    assert!(said.contains("none.gau"), "{said}");
}
