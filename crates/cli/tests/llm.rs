//! `llm check`: targets that are none, and a folder in which the test answers.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::fs;

use common::genesys;

#[test]
fn what_is_no_target_or_does_not_answer_is_told() {
    let said = genesys(["llm", "check", "--llm", "gpt-x"]).refused();
    assert!(said.contains("expected `https://HOST/v1#MODEL`") && said.contains("replay:FILE"), "{said}");
    let said = genesys(["llm", "check", "--llm", "https://me:s3cret@host/v1"]).refused();
    assert!(said.contains("keys come from the environment alone") && !said.contains("s3cret@"), "{said}");
    let said = genesys(["llm", "check", "--llm", "local:none.gguf"]).refused();
    assert!(said.contains("none.gguf: No such file"), "{said}");
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.gguf");
    fs::write(&text, "This is a text, and none of a model.").unwrap();
    let said = genesys(["llm", "check", "--llm", &format!("local:{}", text.display())]).refused();
    assert!(said.contains("text.gguf: expected a model in GGUF"), "{said}");
    let path = folder.path().join("none.jsonl");
    let said = genesys(["llm", "check", "--llm", &format!("replay:{}", path.display())]).refused();
    assert!(said.contains("none.jsonl: No such file"), "{said}");
}

/// Where `GENESYS_TEST_GGUF` names a model; docs/llm.md says where a small one comes from.
#[test]
fn a_model_on_this_machine_is_checked() {
    let Ok(path) = std::env::var("GENESYS_TEST_GGUF") else {
        eprintln!("left out, for GENESYS_TEST_GGUF names no model");
        return;
    };
    let words = genesys(["llm", "check", "--llm", &format!("local:{path}")]).ok();
    for line in [
        "answers              works",
        "streams              works",
        "counts tokens        works",
        "calls tools          fails",
        "keeps to a schema    works",
        "keeps to a grammar   works",
    ] {
        assert!(words.contains(line), "{words}");
    }
}

#[test]
fn whoever_answers_in_a_folder_is_checked_and_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let (dir, record) = (folder.path().join("asked"), folder.path().join("run.jsonl"));
    let (target, recorded) = (format!("file:{}", dir.display()), record.display().to_string());
    fs::create_dir(&dir).unwrap();
    // No tools are called in a folder, so that request never comes there.
    for (number, answer) in (1..).zip(["yes", "{\"a\": 1, \"b\": 2}", "violet"]) {
        let ending = if answer.starts_with('{') { "json" } else { "txt" };
        fs::write(dir.join(format!("000{number}-check.answer.{ending}")), answer).unwrap();
    }
    let words = genesys(["llm", "check", "--llm", &target, "--record", &recorded, "--wait", "60"]).ok();
    for line in [
        "answers              works",
        "keeps to a schema    works",
        "keeps to a grammar   works",
        "calls tools          fails",
    ] {
        assert!(words.contains(line), "{words}");
    }
    let again = genesys(["llm", "check", "--llm", &format!("replay:{recorded}")]).ok();
    assert_eq!(again.lines().skip(1).collect::<Vec<_>>(), words.lines().skip(1).collect::<Vec<_>>());
}
