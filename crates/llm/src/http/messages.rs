//! `POST BASE/v1/messages`: the form of Anthropic.
//!
//! A schema goes to Anthropic as `output_config`, since its models that always think refuse to be made to call a tool; to others, which may
//! not know that field, as a tool that the model has to call, whose arguments are the answer. It takes no grammar, and no seed.

use serde_json::{Value, json};

use super::{Reading, malformed};
use crate::error::LlmError;
use crate::message::{Form, Message, Reply, Request, Stop, ToolCall, Usage};

/// The version of the protocol.
pub(super) const VERSION: &str = "2023-06-01";

/// Anthropic's own host.
const ANTHROPIC: &str = "api.anthropic.com";

/// The request's body.
pub(super) fn body(request: &Request, host: &str) -> Result<Value, LlmError> {
    let mut tools: Vec<Value> = Vec::new();
    for tool in &request.tools {
        tools.push(json!({ "name": tool.name, "description": tool.about, "input_schema": tool.schema }));
    }
    let mut body = json!({
        "model": request.model,
        "system": request.system,
        "messages": request.messages.iter().map(message).collect::<Value>(),
        "max_tokens": request.max_tokens,
        "stream": true,
    });
    match &request.form {
        Form::Text => {}
        Form::Schema { schema, .. } if host == ANTHROPIC => {
            body["output_config"] = json!({ "format": { "type": "json_schema", "schema": schema } });
        }
        Form::Schema { name, schema } => {
            tools.push(json!({ "name": name, "description": "Gives the answer.", "input_schema": schema }));
            body["tool_choice"] = json!({ "type": "tool", "name": name });
        }
        Form::Grammar { .. } => {
            return Err(LlmError::Unsupported(
                "this protocol takes no grammar: ask a server of llama.cpp or vLLM, or for JSON by a schema".to_owned(),
            ));
        }
    }
    if !tools.is_empty() {
        body["tools"] = tools.into();
    }
    if let Some(temperature) = request.temperature {
        body["temperature"] = temperature.into();
    }
    if !request.stop.is_empty() {
        body["stop_sequences"] = json!(request.stop);
    }
    Ok(body)
}

fn message(message: &Message) -> Value {
    match message {
        Message::User { text } => json!({ "role": "user", "content": [{ "type": "text", "text": text }] }),
        Message::Model { text, calls } => {
            // An empty text is refused.
            let said = (!text.is_empty()).then(|| json!({ "type": "text", "text": text }));
            let calls = calls
                .iter()
                .map(|call| json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments }));
            json!({ "role": "assistant", "content": said.into_iter().chain(calls).collect::<Value>() })
        }
        Message::Tool { call, text } => {
            json!({ "role": "user", "content": [{ "type": "tool_result", "tool_use_id": call, "content": text }] })
        }
    }
}

/// A part of a reply.
enum Part {
    Text(String),
    /// Id, name, and arguments as text.
    Call([String; 3]),
    Other,
}

/// A reply that comes in pieces, or in one.
#[derive(Default)]
pub(super) struct Messages {
    parts: Vec<Part>,
    stop: Option<Stop>,
    usage: Usage,
    model: String,
}

impl Reading for Messages {
    fn take(&mut self, event: &Value, hear: &mut dyn FnMut(&str)) -> Result<bool, LlmError> {
        match event["type"].as_str() {
            Some("message_start") => self.start(&event["message"]),
            Some("content_block_start") => self.parts.push(part(&event["content_block"])),
            Some("content_block_delta") => self.more(&event["delta"], hear),
            Some("message_delta") => {
                self.stop = event["delta"]["stop_reason"].as_str().map(stop).or(self.stop);
                self.usage.output = event["usage"]["output_tokens"].as_u64().unwrap_or(self.usage.output);
            }
            Some("message_stop") => return Ok(true),
            Some("ping" | "content_block_stop") => {}
            Some("error") => {
                let error = &event["error"];
                let says = error["message"].as_str().map_or_else(|| error.to_string(), str::to_owned);
                // What is overloaded in mid-stream may not be so later.
                return Err(LlmError::CutOff(says));
            }
            // All of it in one: the server does not stream.
            Some("message") => {
                self.start(event);
                self.stop = event["stop_reason"].as_str().map(stop);
                for block in event["content"].as_array().into_iter().flatten() {
                    let part = part(block);
                    if let Part::Text(text) = &part {
                        hear(text);
                    }
                    self.parts.push(part);
                }
                return Ok(true);
            }
            // Events of a kind that came later are to be passed over.
            Some(_) => {}
            None => return Err(malformed("expected an event with a `type`", &event.to_string())),
        }
        Ok(false)
    }

    fn reply(self, request: &Request) -> Result<Reply, LlmError> {
        let Some(mut stop) = self.stop else {
            return Err(LlmError::CutOff("the stream ended before the answer did".to_owned()));
        };
        let form = match &request.form {
            Form::Schema { name, .. } => Some(name),
            Form::Text | Form::Grammar { .. } => None,
        };
        let (mut text, mut answer, mut calls) = (String::new(), None, Vec::new());
        for part in self.parts {
            match part {
                Part::Text(said) => text.push_str(&said),
                Part::Call([_, name, arguments]) if Some(&name) == form => answer = Some(arguments),
                Part::Call([id, name, arguments]) => {
                    let arguments = if arguments.is_empty() { "{}".to_owned() } else { arguments };
                    let arguments = serde_json::from_str(&arguments).unwrap_or(Value::String(arguments));
                    calls.push(ToolCall { id, name, arguments });
                }
                Part::Other => {}
            }
        }
        if answer.is_some() && stop == Stop::Tools {
            stop = Stop::End;
        }
        let text = answer.unwrap_or(text);
        Ok(Reply { text, calls, stop, usage: self.usage, model: self.model })
    }
}

impl Messages {
    fn start(&mut self, message: &Value) {
        message["model"].as_str().unwrap_or_default().clone_into(&mut self.model);
        let usage = &message["usage"];
        let count = |name: &str| usage[name].as_u64().unwrap_or(0);
        let cached = count("cache_read_input_tokens");
        let input = count("input_tokens") + cached + count("cache_creation_input_tokens");
        self.usage = Usage { input, cached, output: count("output_tokens"), estimated: usage.is_null() };
    }

    /// More of the last part.
    fn more(&mut self, delta: &Value, hear: &mut dyn FnMut(&str)) {
        match (self.parts.last_mut(), delta["text"].as_str(), delta["partial_json"].as_str()) {
            (Some(Part::Text(text)), Some(more), _) => {
                text.push_str(more);
                hear(more);
            }
            (Some(Part::Call([.., arguments])), _, Some(more)) => arguments.push_str(more),
            _ => {}
        }
    }
}

fn part(block: &Value) -> Part {
    let text = |name: &str| block[name].as_str().unwrap_or_default().to_owned();
    match block["type"].as_str() {
        Some("text") => Part::Text(text("text")),
        Some("tool_use") => {
            // In a stream they begin empty.
            let input = block.get("input").filter(|input| input.as_object().is_some_and(|object| !object.is_empty()));
            Part::Call([text("id"), text("name"), input.map(Value::to_string).unwrap_or_default()])
        }
        _ => Part::Other,
    }
}

fn stop(reason: &str) -> Stop {
    match reason {
        "max_tokens" | "model_context_window_exceeded" => Stop::Length,
        "tool_use" => Stop::Tools,
        "refusal" => Stop::Refused,
        _ => Stop::End,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_schema_forces_no_tool_where_models_refuse_that() {
        let schema = json!({ "type": "object" });
        let request = Request {
            role: "reviewer".to_owned(),
            model: "m".to_owned(),
            system: String::new(),
            messages: vec![Message::User { text: "Rate it.".to_owned() }],
            tools: Vec::new(),
            form: Form::Schema { name: "review".to_owned(), schema: schema.clone() },
            max_tokens: 100,
            temperature: None,
            seed: None,
            stop: Vec::new(),
        };
        let own = body(&request, ANTHROPIC).unwrap();
        assert_eq!(own["output_config"], json!({ "format": { "type": "json_schema", "schema": schema } }));
        assert_eq!((&own["tools"], &own["tool_choice"]), (&Value::Null, &Value::Null));
        let mut reading = Messages::default();
        let block = json!({ "type": "text", "text": "{\"rating\": 4}" });
        let thought = json!({ "type": "thinking", "thinking": "so far" });
        let whole = json!({ "type": "message", "content": [thought, block], "stop_reason": "end_turn" });
        assert!(reading.take(&whole, &mut |_| {}).unwrap());
        assert_eq!(reading.reply(&request).unwrap().text, "{\"rating\": 4}");
        assert_eq!(body(&request, "localhost").unwrap()["tool_choice"], json!({ "type": "tool", "name": "review" }));
    }
}
