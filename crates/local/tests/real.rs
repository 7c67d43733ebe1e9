//! A model that people use, where `GENESYS_TEST_GGUF` names its file; docs/llm.md says where a small one comes from.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::sync::OnceLock;

use common::{ask, request};
use genesys_gbnf::{Bounds, GRAMMAR, Grammar, Reader, Root, export};
use genesys_llm::{Form, Held, Request, Stop};
use genesys_local::Local;
use genesys_span::Sources;
use serde_json::json;

/// The model, loaded once; none where none is named.
fn real() -> Option<&'static Local> {
    static REAL: OnceLock<Option<Local>> = OnceLock::new();
    let open = || match std::env::var_os("GENESYS_TEST_GGUF") {
        Some(path) => Some(Local::open(path.as_ref()).unwrap()),
        None => {
            eprintln!("left out, for GENESYS_TEST_GGUF names no model");
            None
        }
    };
    REAL.get_or_init(open).as_ref()
}

#[test]
fn it_says_what_a_model_that_is_computed_rightly_says() {
    let Some(local) = real() else { return };
    let asked = Request { temperature: None, ..request("What is the capital of France? Answer in one word.") };
    let reply = ask(local, &asked).unwrap();
    assert!(reply.text.contains("Paris") && reply.stop == Stop::End, "{reply:?}");
    assert_eq!(ask(local, &asked).unwrap(), reply);
}

#[test]
fn a_unit_is_of_the_grammar_as_far_as_it_goes() {
    let Some(local) = real() else { return };
    let gbnf = export(GRAMMAR, Root::Unit, Bounds::Decoder).unwrap();
    let (mut reader, start) = Reader::new(Grammar::read(&gbnf).unwrap());
    for seed in 0..2 {
        let form = Form::Grammar { gbnf: gbnf.clone() };
        let asked = Request { form, max_tokens: 60, seed: Some(seed), ..request("Write a unit that adds two values.") };
        let reply = ask(local, &asked).unwrap();
        let text = reply.text.trim_end_matches(char::REPLACEMENT_CHARACTER);
        let end = reader.read(start, text.as_bytes());
        assert!(end.is_some(), "{text}");
        if reply.stop == Stop::End {
            assert!(end.is_some_and(|end| reader.may_end(end)), "{text}");
            let mut sources = Sources::default();
            let file = sources.add("drawn.gau", text);
            let told = genesys_syntax::parse(&sources, file).diagnostics;
            assert!(told.is_empty(), "{told:?}: {text}");
        }
    }
}

#[test]
fn json_is_of_its_schema() {
    let Some(local) = real() else { return };
    let schema = json!({
        "type": "object",
        "properties": { "year": { "type": "integer", "minimum": 1900, "maximum": 2100 }, "who": { "enum": ["a", "b"] } },
        "required": ["year", "who"],
        "additionalProperties": false,
    });
    for seed in 0..2 {
        let form = Form::Schema { name: "when".into(), schema: schema.clone() };
        let reply = ask(&Held(local), &Request { form, seed: Some(seed), ..request("When, and who?") }).unwrap();
        assert_eq!(reply.stop, Stop::End, "{reply:?}");
    }
}
