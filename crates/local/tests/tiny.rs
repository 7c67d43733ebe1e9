//! A tiny model that is written here: what it answers keeps to forms, seeds, stops and lengths, and a file that is none is told.
#![allow(clippy::unwrap_used)]

mod common;

use candle_core::quantized::gguf_file::Value;
use common::{Tiny, ask, request};
use genesys_gbnf::{Bounds, GRAMMAR, Grammar, Reader, Root, export};
use genesys_llm::{Form, Held, LlmError, Request, Stop, Tool, Transport};
use genesys_local::Local;
use genesys_span::Sources;
use serde_json::json;

fn tiny() -> Local {
    let dir = tempfile::tempdir().unwrap();
    Local::open(&Tiny::new().write(dir.path())).unwrap()
}

fn grammar(gbnf: &str) -> Form {
    Form::Grammar { gbnf: gbnf.to_owned() }
}

#[test]
fn one_seed_gives_one_answer_in_pieces_and_counts_are_those_of_tokens() {
    let (local, mut heard) = (tiny(), String::new());
    let reply = local.ask(&request("hello"), &mut |piece| heard.push_str(piece)).unwrap();
    assert_eq!(reply.text, heard);
    assert_eq!((reply.stop, reply.usage.output, reply.model.as_str()), (Stop::Length, 60, "tiny.gguf"));
    // Each byte is a token, but `un`, `it` and the like; five marks, and the line ends behind two of them.
    let dialogue = "system\nYou propose.".len() + "user\nhello".len() + "assistant\n".len() + 5 + 2;
    assert_eq!(reply.usage.input, dialogue as u64);
    assert_eq!(ask(&local, &request("hello")).unwrap(), reply, "nothing is left of a dialogue");
    assert_ne!(ask(&local, &Request { seed: Some(8), ..request("hello") }).unwrap().text, reply.text);
    assert_ne!(ask(&local, &request("hellO")).unwrap().text, reply.text, "what is asked is read");
    let greedy = Request { temperature: None, ..request("hello") };
    let own = Request { seed: Some(8), ..greedy.clone() };
    assert_eq!(ask(&local, &greedy).unwrap().text, ask(&local, &own).unwrap().text);
}

#[test]
fn an_answer_ends_in_front_of_a_stop() {
    let local = tiny();
    let whole = ask(&local, &request("hello")).unwrap().text;
    let at = whole.char_indices().nth(9).unwrap().0;
    let stop = whole[at..].chars().take(3).collect::<String>();
    let reply = ask(&local, &Request { stop: vec![stop.clone()], ..request("hello") }).unwrap();
    assert_eq!((reply.stop, reply.text.as_str()), (Stop::End, &whole[..whole.find(&stop).unwrap()]));
}

/// The text of a root as a file, and what the parser says of it first.
fn told(root: Root, text: &str) -> Option<String> {
    let text = match root {
        Root::File | Root::Unit => text.to_owned(),
        Root::Value => format!("unit U(x: Seq[D]) -> Seq[D] {{\n    {text}\n}}\n"),
    };
    let mut sources = Sources::default();
    let file = sources.add("drawn.gau", text.as_str());
    genesys_syntax::parse(&sources, file).diagnostics.first().map(|first| first.message.clone())
}

#[test]
fn what_is_held_to_the_grammar_is_of_it_to_its_end() {
    let local = tiny();
    let mut whole = 0;
    for (root, tokens) in [(Root::Value, 200), (Root::Unit, 300), (Root::File, 40)] {
        let gbnf = export(GRAMMAR, root, Bounds::Decoder).unwrap();
        let (mut reader, start) = Reader::new(Grammar::read(&gbnf).unwrap());
        for seed in 0..4 {
            let asked = Request { form: grammar(&gbnf), max_tokens: tokens, seed: Some(seed), ..request("Write one.") };
            let reply = ask(&local, &asked).unwrap();
            // A character that was cut stands as one that cannot be read.
            let text = reply.text.trim_end_matches(char::REPLACEMENT_CHARACTER);
            let end = reader.read(start, text.as_bytes());
            assert!(end.is_some(), "{text}");
            if reply.stop == Stop::End {
                whole += 1;
                assert!(end.is_some_and(|end| reader.may_end(end)), "{text}");
                assert_eq!(told(root, text), None, "{text}");
            }
        }
    }
    assert!(whole >= 1, "{whole} of 12 came to an end");
}

#[test]
fn forms_hold_whatever_the_model_would_rather_say() {
    let local = Held(tiny());
    for seed in 0..8 {
        let number = json!({ "type": "integer", "minimum": -20, "maximum": 345 });
        let schema = json!({
            "type": "object",
            "properties": { "a": number, "b": { "enum": ["violet", "indigo"] }, "c": { "type": "array", "items": number, "maxItems": 3 } },
            "required": ["a", "b"],
            "additionalProperties": false,
        });
        let form = Form::Schema { name: "numbers".into(), schema };
        let reply = ask(&local, &Request { form, seed: Some(seed), ..request("Give numbers.") }).unwrap();
        assert_eq!(reply.stop, Stop::End, "{}", reply.text);
        let form = grammar("root ::= \"violet\" | \"indigo\"");
        let reply = ask(&local, &Request { form, seed: Some(seed), ..request("Name a number.") }).unwrap();
        assert!(["violet", "indigo"].contains(&reply.text.as_str()), "{}", reply.text);
        assert!(reply.usage.output <= 6, "nothing is computed behind an end");
    }
}

#[test]
fn what_cannot_be_answered_is_told() {
    let local = tiny();
    let told = |request: &Request| ask(&local, request).unwrap_err().to_string();
    let tool = Tool { name: "add".into(), about: String::new(), schema: json!({}) };
    assert!(told(&Request { tools: vec![tool], ..request("a") }).contains("calls no tools"));
    assert!(told(&Request { form: grammar("root ::= a"), ..request("a") }).contains("there is no such rule"));
    let schema = Form::Schema { name: "x".into(), schema: json!({ "type": "string", "pattern": "a" }) };
    assert!(told(&Request { form: schema, ..request("a") }).contains("`pattern`"));
    assert!(told(&request(&"long ".repeat(200))).contains("and `tiny.gguf` reads 600"));
    assert!(told(&Request { temperature: Some(f64::NAN), ..request("a") }).contains("the temperature"));
    // Up to the end of the context an answer goes on, and then is cut.
    let most =
        Request { max_tokens: 100_000, form: grammar("root ::= [a-z]+ \"!\"{9999}"), ..request(&"long ".repeat(100)) };
    let reply = ask(&local, &most).unwrap();
    assert_eq!((reply.stop, reply.usage.input + reply.usage.output), (Stop::Length, 600));
}

#[test]
fn an_end_that_no_token_reaches_is_told_and_no_byte_is_lost() {
    // The model has no token for a byte: it is left out of what is read, and nothing that needs it is written.
    let dir = tempfile::tempdir().unwrap();
    let mut file = Tiny::new();
    for (name, value) in &mut file.settings {
        if let (true, Value::Array(tokens)) = (name == "tokenizer.ggml.tokens", value) {
            // The first byte of Latin letters with accents.
            tokens.iter_mut().filter(|token| matches!(token, Value::String(token) if token == "\u{c3}")).for_each(
                |token| {
                    *token = Value::String("spare".to_owned());
                },
            );
        }
    }
    let local = Local::open(&file.write(dir.path())).unwrap();
    let form = || grammar("root ::= \"a\" [\u{e9}]");
    let error = ask(&local, &Request { form: form(), ..request("a") }).unwrap_err();
    assert!(
        matches!(error, LlmError::Declined { before_work: false, .. })
            && error.to_string().contains("one of the bytes `\\xc3` next"),
        "{error}"
    );
    assert_eq!(ask(&tiny(), &Request { form: form(), ..request("a") }).unwrap().text, "a\u{e9}");
    let length = |text: &str| ask(&local, &request(text)).unwrap().usage.input;
    assert_eq!(length("a\u{e9}"), length("aa"), "of two bytes one is left out");
}

#[test]
fn a_file_that_is_no_model_of_ours_is_told_by_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let told = |file: &Tiny| Local::open(&file.write(dir.path())).err().unwrap().to_string();
    let text = |text: &str| Value::String(text.to_owned());
    let cases = [
        ("general.architecture", text("qwen2"), "found `qwen2`"),
        ("tokenizer.ggml.model", text("llama"), "expected a byte-level BPE tokenizer (`gpt2`), found llama"),
        ("tokenizer.ggml.pre", text("llama-bpe"), "found `llama-bpe`"),
        ("tokenizer.chat_template", text("[INST]"), "expected dialogues in ChatML"),
        ("llama.expert_count", Value::U32(8), "a mixture of experts"),
        ("llama.rope.scaling.type", text("linear"), "positions that are scaled"),
        ("llama.embedding_length", Value::U64(1 << 60), "a whole number up to 16777216"),
        ("llama.attention.head_count", Value::U32(0), "expected heads in equal groups"),
        ("llama.attention.head_count_kv", Value::U32(3), "expected heads in equal groups"),
        ("llama.rope.dimension_count", Value::U32(4), "to turn in pairs, found 4"),
        ("llama.block_count", Value::U32(3), "expected a tensor `blk.2.attn_q.weight`, found none"),
        ("llama.feed_forward_length", Value::U32(96), "to have the shape [96, 32], found [64, 32]"),
        (
            "llama.block_count",
            text("two"),
            "expected a whole number up to 16777216 as `llama.block_count`, found String(\"two\")",
        ),
        ("tokenizer.ggml.tokens", Value::U32(1), "expected texts"),
        ("general.alignment", Value::U32(0), "its head cannot be read"),
    ];
    for (name, value, expected) in cases {
        let told = told(&Tiny::new().set(name, value));
        assert!(told.contains(expected) && told.contains("tiny.gguf"), "{name}: {told}");
    }
    let path = Tiny::new().write(dir.path());
    let bytes = std::fs::read(&path).unwrap();
    for cut in [0, 3, 40, bytes.len() / 2, bytes.len() - 100] {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        assert!(matches!(Local::open(&path), Err(LlmError::File { .. })), "{cut} bytes");
    }
    assert!(Local::open(&dir.path().join("none.gguf")).is_err());
}
