//! `llm check`: targets that are none, a folder in which the test answers, and servers that hold to the grammar, ignore or refuse it.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use common::genesys;
use serde_json::{Value, json};

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
        "keeps to our grammar works",
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
    for (number, answer) in (1..).zip(["yes", "{\"a\": 1, \"b\": 2}", "good * morning"]) {
        let ending = if answer.starts_with('{') { "json" } else { "txt" };
        fs::write(dir.join(format!("000{number}-check.answer.{ending}")), answer).unwrap();
    }
    let words = genesys(["llm", "check", "--llm", &target, "--record", &recorded, "--wait", "60"]).ok();
    for line in [
        "answers              works",
        "keeps to a schema    works",
        "keeps to our grammar works    good * morning",
        "calls tools          fails",
    ] {
        assert!(words.contains(line), "{words}");
    }
    let again = genesys(["llm", "check", "--llm", &format!("replay:{recorded}")]).ok();
    assert_eq!(again.lines().skip(1).collect::<Vec<_>>(), words.lines().skip(1).collect::<Vec<_>>());
}

/// What a server does with a request that has a grammar.
#[derive(Clone, Copy)]
enum Asked {
    /// It answers this, to its end.
    Answers(&'static str),
    /// It is cut off behind this.
    CutOff(&'static str),
    Refuses,
}

/// A server on this machine, by its address, that answers so.
fn server(asked: Asked) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let body = body(&mut stream);
            let grammar = body["grammar"].as_str();
            // It is the grammar that the program prints, and not a small one.
            assert!(grammar.is_none_or(|gbnf| gbnf.contains("scan ::=")), "{grammar:?}");
            let (status, answer) = match (grammar, asked) {
                (None, _) => (200, said("{\"a\": 1, \"b\": 2}", "stop")),
                (Some(_), Asked::Answers(text)) => (200, said(text, "stop")),
                (Some(_), Asked::CutOff(text)) => (200, said(text, "length")),
                (Some(_), Asked::Refuses) => (400, json!({ "error": { "message": "grammar too large" } })),
            };
            let answer = answer.to_string();
            let head = "Content-Type: application/json\r\nConnection: close\r\n";
            let length = answer.len();
            write!(stream, "HTTP/1.1 {status} X\r\n{head}Content-Length: {length}\r\n\r\n{answer}").unwrap();
        }
    });
    url
}

fn said(text: &str, stop: &str) -> Value {
    let message = json!({ "role": "assistant", "content": text });
    json!({ "model": "m", "choices": [{ "index": 0, "message": message, "finish_reason": stop }] })
}

/// The body of a request.
fn body(stream: &mut TcpStream) -> Value {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let n = stream.read(&mut piece).unwrap();
        assert!(n > 0, "a request has a body");
        bytes.extend_from_slice(&piece[..n]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((_, body)) = text.split_once("\r\n\r\n") else { continue };
        if let Ok(value) = serde_json::from_str(body) {
            return value;
        }
    }
}

#[test]
fn a_server_holds_to_the_grammar_of_designs_or_ignores_or_refuses_it() {
    for (asked, verdict, detail) in [
        (Asked::Answers("GoodMorning"), "works", "GoodMorning"),
        (Asked::Answers("good - morning"), "works", "good - morning"),
        (Asked::CutOff("good + (morning * "), "works", "good + (morning *"),
        (Asked::Answers("Good morning!"), "ignored", "Good morning!"),
        (Asked::Answers("good + (morning * "), "ignored", "good + (morning *"),
        (Asked::CutOff("Good morning, what"), "ignored", "Good morning, what"),
        (Asked::Refuses, "fails", "grammar too large"),
    ] {
        let words = genesys(["llm", "check", "--llm", &server(asked), "--json"]).ok();
        let told: Value = serde_json::from_str(&words).unwrap();
        let probes = told["probes"].as_array().unwrap();
        let probe = probes.iter().find(|probe| probe["name"] == "keeps to our grammar").unwrap();
        assert_eq!(probe["verdict"], verdict, "{probe}");
        assert!(probe["detail"].as_str().unwrap().contains(detail), "{probe}");
        // Nothing else hangs on it.
        assert_eq!(probes[0]["verdict"], "works", "{words}");
    }
}
