//! How fast a model answers, and what it says: `speed FILE.gguf TOKENS QUESTION..`, a line of JSON for each question.
//!
//! Answers are greedy, so that other programs can be held to them.
#![allow(clippy::print_stdout)] // it is a program

use std::time::Instant;

use genesys_llm::{Form, Message, Request, Transport};
use genesys_local::Local;
use serde_json::json;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(path), Some(tokens)) = (args.next(), args.next()) else {
        return Err("expected a file in GGUF, a number of tokens and questions".into());
    };
    let local = Local::open(path.as_ref())?;
    for question in args {
        println!("{}", answer(&local, tokens.parse()?, question)?);
    }
    Ok(())
}

/// Asks, and times what comes up to the first piece, and behind it.
fn answer(local: &Local, tokens: u64, question: String) -> Result<serde_json::Value, Box<dyn std::error::Error>> {
    let request = Request {
        role: "speed".to_owned(),
        model: local.name().to_owned(),
        system: "You answer.".to_owned(),
        messages: vec![Message::User { text: question }],
        tools: Vec::new(),
        form: Form::Text,
        max_tokens: tokens,
        temperature: None,
        seed: None,
        stop: Vec::new(),
    };
    let (start, mut first) = (Instant::now(), None);
    let reply = local.ask(&request, &mut |_| first = first.or_else(|| Some(Instant::now())))?;
    let (end, first) = (Instant::now(), first.unwrap_or(start));
    let (reading, writing) = ((first - start).as_secs_f64(), (end - first).as_secs_f64());
    let (read, written) = (reply.usage.input as f64, reply.usage.output.saturating_sub(1) as f64);
    Ok(json!({
        "read": reply.usage.input,
        "written": reply.usage.output,
        "read_per_second": read / reading,
        "written_per_second": written / writing,
        "text": reply.text,
    }))
}
