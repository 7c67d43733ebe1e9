//! Requests and replies, the same for every server.
//!
//! A request has one JSON form, and a hash of it, under which its answer is known in recordings. Neither holds a secret.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Who asks, as `proposer`: names files, and parts of a bill.
    pub role: String,
    /// The model, by the server's name for it; empty for the only one that a server has.
    pub model: String,
    /// What the model is to be.
    pub system: String,
    /// What was said, in order; the last is what is to be answered.
    pub messages: Vec<Message>,
    /// What the model may call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// What form the answer has.
    #[serde(default, skip_serializing_if = "Form::is_text")]
    pub form: Form,
    /// The most tokens of the answer.
    pub max_tokens: u64,
    /// How freely it is drawn; none for what the server takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// What draws are made of, where the server knows seeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Texts at which the answer ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
}

/// A part of a dialogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "from", deny_unknown_fields)]
pub enum Message {
    /// Of the one who asks.
    User {
        /// What is said.
        text: String,
    },
    /// Of the model.
    Model {
        /// What is said.
        text: String,
        /// What it calls.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calls: Vec<ToolCall>,
    },
    /// What a call gave.
    Tool {
        /// The call's id.
        call: String,
        /// What it gave.
        text: String,
    },
}

/// What a model may call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does.
    pub about: String,
    /// The JSON schema of its arguments.
    pub schema: Value,
}

/// A call that a model makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolCall {
    /// By which the answer is known.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its arguments; a string where the model wrote no JSON.
    pub arguments: Value,
}

/// The form of an answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Form {
    /// Any text.
    #[default]
    Text,
    /// JSON that a schema admits.
    Schema {
        /// What it is called.
        name: String,
        /// The schema.
        schema: Value,
    },
    /// Text that a grammar admits, in GBNF.
    Grammar {
        /// The grammar.
        gbnf: String,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// What is said.
    pub text: String,
    /// What is called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<ToolCall>,
    /// Why it ends.
    pub stop: Stop,
    /// How many tokens it took.
    pub usage: Usage,
    /// The model that answered, by its own name.
    pub model: String,
}

/// Why an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// It was said.
    End,
    /// As many tokens were used as it may have.
    Length,
    /// Tools are called, whose answers are waited for.
    Tools,
    /// The model would not answer, or a filter kept it from doing so.
    Refused,
}

/// Tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// What was read, all of it.
    pub input: u64,
    /// Of that, what the server had kept from earlier.
    #[serde(default)]
    pub cached: u64,
    /// What was written.
    pub output: u64,
    /// Whether these are counted by us, since the server does not tell.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

/// A reply, or why there is none, as it is recorded.
pub type Answer = Result<Reply, String>;

/// The most tokens that servers are known to say of their own to a model that has tools, with some room.
const UNSEEN: u64 = 1024;

impl Form {
    fn is_text(&self) -> bool {
        *self == Form::Text
    }

    fn is_schema(&self) -> bool {
        match self {
            Self::Schema { .. } => true,
            Self::Text | Self::Grammar { .. } => false,
        }
    }
}

impl Request {
    /// The JSON form: the same text for equal requests.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("a request has a JSON form")
    }

    /// The name of the request: `q1-` and 32 hexadecimal digits of a BLAKE3 hash of its JSON form.
    #[must_use]
    pub fn hash(&self) -> String {
        let hash = blake3::Hasher::new_derive_key("genesys llm request 1").update(self.json().as_bytes()).finalize();
        format!("q1-{}", &hash.to_hex()[..32])
    }

    /// At most how many tokens the request has: a token holds a byte or more, each message has some for its frame, and a server may
    /// say something of its own to a model that has tools.
    #[must_use]
    pub fn most_input(&self) -> u64 {
        let unseen = if self.tools.is_empty() && !self.form.is_schema() { 0 } else { UNSEEN };
        self.bytes() + unseen
    }

    /// About how many tokens the request has: four bytes a token. Where a server does not tell.
    #[must_use]
    pub fn about_input(&self) -> u64 {
        self.bytes().div_ceil(4)
    }

    /// The bytes that a model reads, with those of the frames around them.
    fn bytes(&self) -> u64 {
        let tools =
            self.tools.iter().map(|tool| tool.name.len() + tool.about.len() + tool.schema.to_string().len() + 64);
        let form = match &self.form {
            Form::Text | Form::Grammar { .. } => 0,
            Form::Schema { schema, .. } => schema.to_string().len() + 64,
        };
        let messages = self.messages.iter().map(|message| message.bytes() + 16);
        (self.system.len() + 64 + form + messages.sum::<usize>() + tools.sum::<usize>()) as u64
    }
}

impl Message {
    fn bytes(&self) -> usize {
        match self {
            Message::User { text } => text.len(),
            Message::Model { text, calls } => {
                let calls = calls.iter().map(|call| call.id.len() + call.name.len() + call.arguments.to_string().len());
                text.len() + calls.sum::<usize>()
            }
            Message::Tool { call, text } => call.len() + text.len(),
        }
    }
}

impl Usage {
    /// Both sums.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            input: self.input + other.input,
            cached: self.cached + other.cached,
            output: self.output + other.output,
            estimated: self.estimated || other.estimated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_of_its_own_is_in_the_worst_case_alone() {
        let plain = Request {
            role: "proposer".to_owned(),
            model: "m".to_owned(),
            system: "Be brief.".to_owned(),
            messages: vec![Message::User { text: "Say yes.".to_owned() }],
            tools: Vec::new(),
            form: Form::Text,
            max_tokens: 1,
            temperature: None,
            seed: None,
            stop: Vec::new(),
        };
        let tool = Tool { name: "add".to_owned(), about: String::new(), schema: Value::Null };
        let tools = Request { tools: vec![tool], ..plain.clone() };
        let form = Form::Schema { name: "sum".to_owned(), schema: Value::Null };
        let schema = Request { form, ..plain.clone() };
        for more in [&tools, &schema] {
            assert!(more.most_input() > plain.most_input() + UNSEEN, "{more:?}");
            assert!(more.about_input() < plain.about_input() + 30, "{more:?}");
        }
        assert_eq!(plain.most_input().div_ceil(4), plain.about_input());
    }
}
