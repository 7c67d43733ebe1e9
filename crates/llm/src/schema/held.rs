//! A transport whose answers are held to the schema that they were asked for by.

use serde_json::Value;

use super::{Misfit, Schema, shown};
use crate::error::LlmError;
use crate::message::{Form, Reply, Request, Stop};
use crate::transport::Transport;

/// Hands on what is of the schema that was asked for, and anything where none was.
///
/// It stands outside of what records and counts, so that a recording has what was said, and a ledger what it took.
pub struct Held<T>(pub T);

/// The schema that an answer is asked for by; none where it is asked for otherwise.
///
/// # Errors
/// [`LlmError::Unsupported`] where it is none that answers can be held to.
pub(crate) fn wanted(request: &Request) -> Result<Option<Schema>, LlmError> {
    match &request.form {
        Form::Text | Form::Grammar { .. } => Ok(None),
        Form::Schema { name, schema } => {
            let read = Schema::read(schema).map(Some);
            read.map_err(|why| LlmError::Unsupported(format!("an answer of `{name}` cannot be asked for: {why}")))
        }
    }
}

/// The JSON of an answer: all of its text, or of the one block of code in it.
fn json(text: &str) -> &str {
    let fenced = text.split_once("```").and_then(|(_, rest)| rest.split_once('\n')).map(|(_, rest)| rest);
    let inner = fenced.and_then(|rest| rest.split_once("```")).filter(|(_, rest)| !rest.contains("```"));
    let block = inner.map(|(inner, _)| inner.trim()).filter(|_| !text.trim_start().starts_with(['{', '[', '"']));
    block.unwrap_or_else(|| text.trim())
}

/// The JSON of a text, where it is of the schema.
///
/// # Errors
/// Where it is not.
pub fn admitted<'a>(schema: &Schema, text: &'a str) -> Result<&'a str, Misfit> {
    let text = json(text);
    let value = serde_json::from_str::<Value>(text).map_err(|why| Misfit {
        path: String::new(),
        expected: format!("JSON ({why})"),
        found: shown(text),
    })?;
    schema.misfit(&value).map_or(Ok(text), Err)
}

impl<T: Transport> Transport for Held<T> {
    fn ask(&self, request: &Request, hear: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        let wanted = wanted(request)?;
        let reply = self.0.ask(request, hear)?;
        // What was cut off, was refused or calls tools is no answer yet, and says so itself.
        let Some(schema) = wanted.filter(|_| reply.stop == Stop::End) else { return Ok(reply) };
        match admitted(&schema, &reply.text) {
            Ok(text) => Ok(Reply { text: text.to_owned(), ..reply }),
            Err(misfit) => Err(LlmError::Misfit { misfit, reply: Box::new(reply) }),
        }
    }
}
