//! What a server is asked for that is held to a grammar or a schema, and whether what it gave is of it.
//!
//! In: a way of asking, a number. Out: a request; of a reply, whether it ended by itself, and what our own parser or schema says of it. No
//! network here: who is asked is a transport.

use std::time::Duration;

use genesys_gbnf::{Bounds, GRAMMAR, Root, export};
use genesys_llm::schema::admitted;
use genesys_llm::{Form, Message, Reply, Request, Schema, Stop};
use genesys_span::Sources;
use serde_json::{Value, json};

/// A way of asking: what for, how long it may be, how often it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// One unit.
    Unit,
    /// A file with a design.
    Design,
    /// One value of the language.
    Value,
    /// JSON of a schema with numbers, choices and a list.
    Json,
}

/// All of them.
pub const WAYS: [Way; 4] = [Way::Unit, Way::Design, Way::Value, Way::Json];

const UNIT: &str =
    "unit Block(x: Seq[D]) -> Seq[D] {\n    let h = x + linear[D -> D](shift(x, 1))\n    h * sigmoid(h)\n}";

impl Way {
    /// Its name in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Design => "design",
            Self::Value => "value",
            Self::Json => "json",
        }
    }

    /// How often it is asked for, unless told otherwise.
    #[must_use]
    pub fn times(self) -> u64 {
        match self {
            Self::Unit => 16,
            Self::Design | Self::Value | Self::Json => 8,
        }
    }

    /// The most tokens of an answer.
    fn tokens(self) -> u64 {
        match self {
            Self::Unit => 240,
            Self::Design => 400,
            Self::Value => 120,
            Self::Json => 200,
        }
    }

    fn told(self) -> String {
        match self {
            Self::Unit => format!(
                "This is a unit of the language `gau`:\n\n{UNIT}\n\nWrite another one, `Mix`, as short. Answer with the unit alone."
            ),
            Self::Design => format!(
                "This is a design of the language `gau`:\n\ndesign Small {{\n    stack = [Block*]\n}}\n\n{UNIT}\n\nWrite another one, as \
                 short. Answer with the design alone."
            ),
            Self::Value => "This is a value of the language `gau`: `x + linear[D -> D](x)`. Write another one, as short. Answer with \
                            the value alone."
                .to_owned(),
            Self::Json => {
                "Rate this idea: each token looks back by one. Answer with JSON: `novelty`, `rating`, `verdict`, `units`.".to_owned()
            }
        }
    }

    /// What the answer is held to.
    #[must_use]
    pub fn form(self, bounds: Bounds) -> Form {
        let grammar = |root| Form::Grammar {
            gbnf: export(GRAMMAR, root, bounds).expect("the grammar that ships can be exported"),
        };
        match self {
            Self::Unit => grammar(Root::Unit),
            Self::Design => grammar(Root::File),
            Self::Value => grammar(Root::Value),
            Self::Json => Form::Schema { name: "review".to_owned(), schema: schema() },
        }
    }

    /// The request of a number: the first without chance, the others warmer in turn.
    #[must_use]
    pub fn request(self, model: &str, bounds: Bounds, number: u64) -> Request {
        let temperature = match number {
            0 => 0.0,
            odd if odd % 2 == 1 => 0.7,
            _ => 1.0,
        };
        Request {
            role: "check".to_owned(),
            model: model.to_owned(),
            system: "You answer in as few words as you can.".to_owned(),
            messages: vec![Message::User { text: self.told() }],
            tools: Vec::new(),
            form: self.form(bounds),
            max_tokens: self.tokens(),
            temperature: Some(temperature),
            seed: Some(number),
            stop: Vec::new(),
        }
    }

    /// What is wrong with a text that should be of the form.
    ///
    /// # Errors
    /// What our own parser, or the schema, says first.
    pub fn read(self, text: &str) -> Result<(), String> {
        match self {
            Self::Unit | Self::Design => parsed(text),
            Self::Value => parsed(&format!("unit U(x: Seq[D]) -> Seq[D] {{\n    {text}\n}}\n")),
            Self::Json => {
                let schema = Schema::read(&schema()).expect("the schema is one that answers are held to");
                admitted(&schema, text).map(drop).map_err(|why| why.to_string())
            }
        }
    }
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "novelty": { "type": "integer", "minimum": 0, "maximum": 5 },
            "rating": { "type": "integer", "minimum": 0, "maximum": 5 },
            "verdict": { "type": "string", "enum": ["passes", "does not pass"] },
            "units": { "type": "array", "items": { "type": "string", "enum": ["Block", "Mix", "Router"] }, "minItems": 1, "maxItems": 3 },
        },
        "required": ["novelty", "rating", "verdict", "units"],
        "additionalProperties": false,
    })
}

fn parsed(text: &str) -> Result<(), String> {
    let mut sources = Sources::default();
    let file = sources.add("answer.gau", text);
    match genesys_syntax::parse(&sources, file).diagnostics.first() {
        None => Ok(()),
        Some(first) => Err(first.message.clone()),
    }
}

/// What came of the requests of a way.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// Replies.
    pub asked: u64,
    /// Those that ended by themselves.
    pub ended: u64,
    /// Of these, those that are not of the form, with why.
    pub wrong: Vec<(String, String)>,
    /// Those that were cut off by their length, and say nothing of the form.
    pub cut: u64,
    /// Tokens written, and the time of the calls.
    pub written: u64,
    /// The same.
    pub time: Duration,
}

impl Tally {
    /// Counts a reply that took so long.
    pub fn count(&mut self, way: Way, reply: &Reply, took: Duration) {
        self.asked += 1;
        self.written += reply.usage.output;
        self.time += took;
        match reply.stop {
            Stop::Length => self.cut += 1,
            Stop::End | Stop::Tools | Stop::Refused => {
                self.ended += 1;
                if let Err(why) = way.read(&reply.text) {
                    self.wrong.push((why, reply.text.clone()));
                }
            }
        }
    }

    /// The sum of two.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        self.asked += other.asked;
        self.ended += other.ended;
        self.wrong.extend(other.wrong.iter().cloned());
        self.cut += other.cut;
        self.written += other.written;
        self.time += other.time;
        self
    }

    /// Its line in a table of Markdown.
    #[must_use]
    pub fn line(&self, name: &str) -> String {
        let Self { asked, ended, wrong, cut, written, time } = self;
        let valid = ended - wrong.len() as u64;
        let seconds = time.as_secs_f64();
        let rate = if seconds > 0.0 { *written as f64 / seconds } else { 0.0 };
        format!("| {name} | {asked} | {ended} | {valid} | {cut} | {written} | {seconds:.0} | {rate:.1} |")
    }
}

/// The head of the table.
pub const HEAD: &str = "| asked for | answers | ended | of these valid | cut by length | tokens | seconds | tokens/s |\n\
                        | --- | --- | --- | --- | --- | --- | --- | --- |";
