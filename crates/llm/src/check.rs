//! What works with a target: small requests, one for each thing that a server may or may not do.
//!
//! In: a transport; a grammar, of which nothing is known here. Out: what became of each probe.

use serde::Serialize;
use serde_json::{Value, json};

use crate::error::LlmError;
use crate::message::{Form, Message, Reply, Request, Tool};
use crate::schema::Held;
use crate::transport::Transport;

/// What became of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It works.
    Works,
    /// It does something else than was asked.
    Ignored,
    /// There is no reply.
    Fails,
}

/// A thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Probe {
    /// What.
    pub name: &'static str,
    /// Whether it works.
    pub verdict: Verdict,
    /// What was seen.
    pub detail: String,
}

/// The grammar that answers will be held to, and who reads them.
#[derive(Clone, Debug)]
pub struct Language {
    /// The grammar, in GBNF.
    pub gbnf: String,
    /// What is asked: what one answers freely is no text of the grammar.
    pub question: &'static str,
    /// Whether an answer is of the grammar: a text of it, or the beginning of one where it was cut off.
    pub reads: fn(&Reply) -> bool,
}

/// Tries a transport, with the model of that name, by four requests.
///
/// # Errors
/// Why the first one has no reply: then no other is made.
pub fn check(transport: &dyn Transport, model: &str, language: &Language) -> Result<Vec<Probe>, LlmError> {
    let mut pieces = 0;
    let reply = Ok(transport.ask(&asked(model, "Say yes."), &mut |_| pieces += 1)?);
    let mut probes = vec![probe("answers", &reply, |reply| (true, format!("by {}", named(&reply.model))))];
    probes.push(probe("streams", &reply, |_| (pieces > 1, format!("{pieces} pieces"))));
    probes.push(probe("counts tokens", &reply, |reply| {
        (!reply.usage.estimated, format!("{} read, {} written", reply.usage.input, reply.usage.output))
    }));
    let tool = Tool { name: "add".to_owned(), about: "Adds two numbers.".to_owned(), schema: numbers() };
    let request = Request { tools: vec![tool], ..asked(model, "Add 2 and 3 with the tool.") };
    probes.push(probe("calls tools", &transport.ask(&request, &mut |_| {}), |reply| {
        (reply.calls.iter().any(|call| call.name == "add" && call.arguments.is_object()), shown(reply))
    }));
    let form = Form::Schema { name: "numbers".to_owned(), schema: numbers() };
    let request = Request { form, ..asked(model, "Give two numbers, a and b.") };
    probes.push(probe("keeps to a schema", &Held(transport).ask(&request, &mut |_| {}), |reply| {
        let value: Value = serde_json::from_str(&reply.text).unwrap_or_default();
        (value["a"].is_number() && value["b"].is_number(), shown(reply))
    }));
    let form = Form::Grammar { gbnf: language.gbnf.clone() };
    let request = Request { form, ..asked(model, language.question) };
    probes.push(probe("keeps to our grammar", &transport.ask(&request, &mut |_| {}), |reply| {
        ((language.reads)(reply), shown(reply))
    }));
    Ok(probes)
}

fn asked(model: &str, text: &str) -> Request {
    Request {
        role: "check".to_owned(),
        model: model.to_owned(),
        system: "You answer in as few words as you can.".to_owned(),
        messages: vec![Message::User { text: text.to_owned() }],
        tools: Vec::new(),
        form: Form::Text,
        // Of some models most is thought, and not said.
        max_tokens: 1000,
        // Some models take no temperature.
        temperature: None,
        seed: Some(0),
        stop: Vec::new(),
    }
}

/// An object of two numbers.
fn numbers() -> Value {
    let number = json!({ "type": "number" });
    json!({
        "type": "object",
        "properties": { "a": number, "b": number },
        "required": ["a", "b"],
        "additionalProperties": false,
    })
}

fn probe(name: &'static str, reply: &Result<Reply, LlmError>, see: impl FnOnce(&Reply) -> (bool, String)) -> Probe {
    let (verdict, detail) = match reply.as_ref().map(see) {
        Ok((true, detail)) => (Verdict::Works, detail),
        Ok((false, detail)) => (Verdict::Ignored, detail),
        Err(LlmError::Misfit { misfit, .. }) => (Verdict::Ignored, misfit.to_string()),
        Err(error) => (Verdict::Fails, error.to_string()),
    };
    Probe { name, verdict, detail }
}

fn named(model: &str) -> &str {
    if model.is_empty() { "a model without a name" } else { model }
}

/// The beginning of a reply.
fn shown(reply: &Reply) -> String {
    let calls = reply.calls.iter().map(|call| format!("{}({})", call.name, call.arguments));
    let text: String = std::iter::once(reply.text.trim().to_owned()).chain(calls).collect::<Vec<_>>().join(" ");
    text.chars().take(80).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
