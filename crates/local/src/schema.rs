//! A JSON schema as a grammar.
//!
//! In: a schema, as `genesys_llm` reads it. Out: GBNF of JSON texts of the schema. It admits less than the schema does where that makes no
//! answer impossible, and keeps a small model from losing itself: no blank but one behind `,` and `:`, properties in the order in which they
//! are read, none beyond those that are named where any is, numbers of at most 15 digits. It admits more in one place: a bound with a fraction
//! is taken as the next whole number outside of it.

mod integer;

use std::collections::BTreeSet;
use std::fmt::Write;

use genesys_llm::Schema;
use genesys_llm::schema::Numeric;
use serde_json::{Number, Value};

/// Rules that any schema may name.
const COMMON: &str = r#"string ::= "\"" letter* "\""
letter ::= [^"\\\x00-\x1f\x7f] | "\\" (["\\/bfnrt] | "u" ([0-9a-cA-CefEF] hex hex hex | [dD] [0-7] hex hex))
hex ::= [0-9a-fA-F]
gap ::= " "?
value ::= "null" | "true" | "false" | string | number | "[" (value ("," gap value)*)? "]" | map
map ::= "{" (string ":" gap value ("," gap string ":" gap value)*)? "}"
number ::= "-"? ("0" | [1-9] [0-9]{0,14}) fraction? ([eE] [-+]? [0-9]{1,2})?
fraction ::= "." [0-9]{1,15}
"#;

/// The most that a whole number without a bound has.
const MOST: i128 = 999_999_999_999_999;

/// The GBNF of a schema.
#[must_use]
pub fn gbnf(schema: &Schema) -> String {
    let mut rules = Rules { text: String::new(), count: 0 };
    let root = rules.of(schema);
    format!("root ::= {root}\n{}{COMMON}", rules.text)
}

/// Rules under way.
struct Rules {
    text: String,
    count: usize,
}

impl Rules {
    /// A rule of its own, by its name.
    fn rule(&mut self, body: &str) -> String {
        self.count += 1;
        let name = format!("part-{}", self.count);
        let _ = writeln!(self.text, "{name} ::= {body}");
        name
    }

    /// A part of a rule that matches what a schema admits.
    fn of(&mut self, schema: &Schema) -> String {
        match schema {
            Schema::Any => "value".to_owned(),
            Schema::Null => "\"null\"".to_owned(),
            Schema::Boolean => "(\"true\" | \"false\")".to_owned(),
            Schema::String => "string".to_owned(),
            Schema::Number { kind: Numeric::Number, least: None, most: None } => "number".to_owned(),
            Schema::Number { kind, least, most } => {
                let body = number(*kind, least.as_ref(), most.as_ref());
                self.rule(&body)
            }
            Schema::Enum(values) => {
                let values: Vec<String> = values.iter().map(|value| literal(&value.to_string())).collect();
                format!("({})", values.join(" | "))
            }
            Schema::AnyOf(ways) => {
                let ways: Vec<String> = ways.iter().map(|way| self.of(way)).collect();
                self.rule(&ways.join(" | "))
            }
            Schema::Array { items, least, most } => {
                let item = self.of(items);
                self.rule(&array(&item, *least, *most))
            }
            Schema::Object { properties, required, others } => match (properties.is_empty(), others) {
                (true, Some(other)) if required.is_empty() => {
                    let other = self.of(other);
                    let pair = format!("string \":\" gap {other}");
                    self.rule(&format!("\"{{\" ({pair} (\",\" gap {pair})*)? \"}}\""))
                }
                _ => {
                    let pairs = self.pairs(properties, required, others.as_deref());
                    self.object(&pairs)
                }
            },
        }
    }

    /// The pairs that an object may have, and whether it must: those that are named, then what is required beside them.
    fn pairs(
        &mut self,
        properties: &[(String, Schema)],
        required: &BTreeSet<String>,
        others: Option<&Schema>,
    ) -> Vec<(String, bool)> {
        let is_named = |name: &String| properties.iter().any(|(known, _)| known == name);
        let beside = required.iter().filter(|name| !is_named(name));
        let beside = beside.filter_map(|name| others.map(|other| (name, other)));
        let named = properties.iter().map(|(name, property)| (name, property));
        let pairs = named.chain(beside).map(|(name, property)| {
            let key = literal(&format!("{}:", Value::from(name.as_str())));
            (format!("{key} gap {}", self.of(property)), required.contains(name))
        });
        pairs.collect()
    }

    /// Pairs in their order, of which those that need not be there may be left out.
    fn object(&mut self, pairs: &[(String, bool)]) -> String {
        // Behind the last pair, where one was written and where none was.
        let (mut behind, mut first) = ("\"}\"".to_owned(), "\"}\"".to_owned());
        for (pair, needed) in pairs.iter().rev() {
            let written = format!("\",\" gap {pair} {behind}");
            let begun = format!("{pair} {behind}");
            (behind, first) = match needed {
                true => (self.rule(&written), self.rule(&begun)),
                false => (self.rule(&format!("{written} | {behind}")), self.rule(&format!("{begun} | {first}"))),
            };
        }
        self.rule(&format!("\"{{\" {first}"))
    }
}

fn array(item: &str, least: u64, most: Option<u64>) -> String {
    let more = |least: u64, most: Option<u64>| match most {
        None => format!("(\",\" gap {item}){{{least},}}"),
        Some(most) => format!("(\",\" gap {item}){{{least},{most}}}"),
    };
    match (least, most) {
        (_, Some(0)) => "\"[]\"".to_owned(),
        (0, most) => format!("\"[\" ({item} {})? \"]\"", more(0, most.map(|most| most - 1))),
        (least, most) => format!("\"[\" {item} {} \"]\"", more(least - 1, most.map(|most| most - 1))),
    }
}

/// Numbers within bounds: whole ones, and such with a fraction that lie between two whole ones of them.
fn number(kind: Numeric, least: Option<&Number>, most: Option<&Number>) -> String {
    let whole = |bound: &Number, round: fn(f64) -> f64| {
        let real = bound.as_f64().map_or(0.0, round);
        bound.as_i128().unwrap_or(real as i128).clamp(-MOST, MOST)
    };
    let outward = |kind| match kind {
        Numeric::Integer => (f64::ceil as fn(f64) -> f64, f64::floor as fn(f64) -> f64),
        Numeric::Number => (f64::floor as fn(f64) -> f64, f64::ceil as fn(f64) -> f64),
    };
    let (down, up) = outward(kind);
    let least = least.map_or(-MOST, |least| whole(least, down));
    let most = most.map_or(MOST, |most| whole(most, up));
    match kind {
        Numeric::Integer => integer::between(least, most),
        Numeric::Number => integer::with_fractions(least, most),
    }
}

/// A text as GBNF has it.
fn literal(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            letter if letter.is_control() => {
                let _ = write!(out, "\\U{:08x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}
