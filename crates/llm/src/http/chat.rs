//! `POST BASE/chat/completions`: the form of OpenAI, which vLLM, llama.cpp, Ollama and OpenRouter speak as well.
//!
//! A schema goes as `response_format`. A grammar goes as `grammar`, which llama.cpp takes, as `structured_outputs`, which vLLM takes, and as
//! `guided_grammar`, which vLLM took before 0.12; OpenAI itself takes none. The most tokens go as `max_tokens`, to OpenAI as
//! `max_completion_tokens`: its models that think refuse the former.

use serde_json::{Value, json};

use super::{Reading, malformed};
use crate::error::LlmError;
use crate::message::{Form, Message, Reply, Request, Stop, ToolCall, Usage};

/// OpenAI's own host, which takes less than the others, and by other names.
const OPENAI: &str = "api.openai.com";

/// The request's body.
pub(super) fn body(request: &Request, host: &str) -> Result<Value, LlmError> {
    let mut messages = vec![json!({ "role": "system", "content": request.system })];
    messages.extend(request.messages.iter().map(message));
    let mut body = json!({
        "model": request.model,
        "messages": messages,
        "stream": true,
        "stream_options": { "include_usage": true },
    });
    body[if host == OPENAI { "max_completion_tokens" } else { "max_tokens" }] = request.max_tokens.into();
    if !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            let function = json!({ "name": tool.name, "description": tool.about, "parameters": tool.schema });
            json!({ "type": "function", "function": function })
        });
        body["tools"] = tools.collect();
    }
    match &request.form {
        Form::Text => {}
        Form::Schema { name, schema } => {
            let schema = json!({ "name": name, "schema": schema, "strict": true });
            body["response_format"] = json!({ "type": "json_schema", "json_schema": schema });
        }
        Form::Grammar { .. } if host == OPENAI => {
            return Err(LlmError::Unsupported(format!(
                "{host} takes no grammar: ask a server of llama.cpp or vLLM, or for JSON by a schema"
            )));
        }
        Form::Grammar { gbnf } => {
            body["grammar"] = gbnf.as_str().into();
            body["structured_outputs"] = json!({ "grammar": gbnf });
            body["guided_grammar"] = gbnf.as_str().into();
        }
    }
    if let Some(temperature) = request.temperature {
        body["temperature"] = temperature.into();
    }
    if let Some(seed) = request.seed {
        body["seed"] = seed.into();
    }
    if !request.stop.is_empty() {
        body["stop"] = json!(request.stop);
    }
    Ok(body)
}

fn message(message: &Message) -> Value {
    match message {
        Message::User { text } => json!({ "role": "user", "content": text }),
        Message::Model { text, calls } if calls.is_empty() => json!({ "role": "assistant", "content": text }),
        Message::Model { text, calls } => {
            let calls = calls.iter().map(|call| {
                let arguments = call.arguments.as_str().map_or_else(|| call.arguments.to_string(), str::to_owned);
                json!({ "id": call.id, "type": "function", "function": { "name": call.name, "arguments": arguments } })
            });
            json!({ "role": "assistant", "content": text, "tool_calls": calls.collect::<Value>() })
        }
        Message::Tool { call, text } => json!({ "role": "tool", "tool_call_id": call, "content": text }),
    }
}

/// A reply that comes in pieces, or in one.
#[derive(Default)]
pub(super) struct Chat {
    text: String,
    refusal: String,
    /// Id, name and arguments of each call.
    calls: Vec<[String; 3]>,
    stop: Option<Stop>,
    usage: Option<Usage>,
    model: String,
}

impl Reading for Chat {
    fn take(&mut self, event: &Value, hear: &mut dyn FnMut(&str)) -> Result<bool, LlmError> {
        if let Some(error) = event.get("error").filter(|error| !error.is_null()) {
            return Err(LlmError::CutOff(error["message"].as_str().map_or_else(|| error.to_string(), str::to_owned)));
        }
        if let Some(model) = event["model"].as_str() {
            model.clone_into(&mut self.model);
        }
        if let Some(usage) = event.get("usage").and_then(usage) {
            self.usage = Some(usage);
        }
        let Some(choices) = event["choices"].as_array() else {
            return Err(malformed("expected `choices`", &event.to_string()));
        };
        // The last event of a stream has tokens and no choice.
        for choice in choices {
            let delta = choice.get("delta").or_else(|| choice.get("message")).unwrap_or(&Value::Null);
            if let Some(text) = delta["content"].as_str() {
                self.text.push_str(text);
                hear(text);
            }
            self.refusal.push_str(delta["refusal"].as_str().unwrap_or_default());
            for (i, call) in delta["tool_calls"].as_array().into_iter().flatten().enumerate() {
                self.call(call, i);
            }
            if let Some(reason) = choice["finish_reason"].as_str() {
                self.stop = Some(stop(reason));
            }
        }
        Ok(false)
    }

    fn reply(self, request: &Request) -> Result<Reply, LlmError> {
        let Some(mut stop) = self.stop else {
            return Err(LlmError::CutOff("the stream ended before the answer did".to_owned()));
        };
        if !self.refusal.is_empty() {
            stop = Stop::Refused;
        }
        let text = if self.text.is_empty() { self.refusal } else { self.text };
        let calls = self.calls.into_iter().map(|[id, name, arguments]| {
            let arguments = serde_json::from_str(&arguments).unwrap_or(Value::String(arguments));
            ToolCall { id, name, arguments }
        });
        let estimate = || {
            let output = (text.len() as u64).div_ceil(4);
            Usage { input: request.about_input(), cached: 0, output, estimated: true }
        };
        let usage = self.usage.unwrap_or_else(estimate);
        Ok(Reply { calls: calls.collect(), stop, usage, model: self.model, text })
    }
}

impl Chat {
    /// A piece of a call: the first has its id and name, all of them parts of its arguments.
    fn call(&mut self, piece: &Value, place: usize) {
        let index = piece["index"].as_u64().map_or(place, |index| index as usize).min(self.calls.len());
        if index == self.calls.len() {
            self.calls.push(Default::default());
        }
        let function = &piece["function"];
        let parts = [&piece["id"], &function["name"], &function["arguments"]];
        for (whole, part) in self.calls[index].iter_mut().zip(parts) {
            whole.push_str(part.as_str().unwrap_or_default());
        }
    }
}

fn stop(reason: &str) -> Stop {
    match reason {
        "length" => Stop::Length,
        "tool_calls" | "function_call" => Stop::Tools,
        "content_filter" => Stop::Refused,
        _ => Stop::End,
    }
}

fn usage(usage: &Value) -> Option<Usage> {
    Some(Usage {
        input: usage["prompt_tokens"].as_u64()?,
        cached: usage["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap_or(0),
        output: usage["completion_tokens"].as_u64()?,
        estimated: false,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn request(form: Form) -> Request {
        Request {
            role: "proposer".to_owned(),
            model: "m".to_owned(),
            system: String::new(),
            messages: Vec::new(),
            tools: Vec::new(),
            form,
            max_tokens: 100,
            temperature: None,
            seed: None,
            stop: Vec::new(),
        }
    }

    #[test]
    fn openai_has_its_own_name_for_the_most_tokens_and_takes_no_grammar() {
        let (own, other) = (body(&request(Form::Text), OPENAI).unwrap(), body(&request(Form::Text), "host").unwrap());
        assert_eq!((&own["max_completion_tokens"], &own["max_tokens"]), (&json!(100), &Value::Null));
        assert_eq!((&other["max_completion_tokens"], &other["max_tokens"]), (&Value::Null, &json!(100)));
        let grammar = || Form::Grammar { gbnf: "root ::= \"a\"".to_owned() };
        assert!(matches!(body(&request(grammar()), OPENAI), Err(LlmError::Unsupported(_))));
        assert!(body(&request(grammar()), "host").is_ok());
    }
}
