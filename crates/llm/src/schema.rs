//! JSON schemas, and what of an answer is not as they say.
//!
//! In: a schema, a value. Out: the first place where the value is not of the schema, with what was expected and what was found.
//!
//! It is the part of JSON Schema that servers hold answers to in their strict forms: `type`, `properties`, `required`,
//! `additionalProperties`, `items`, `minItems`, `maxItems`, `minimum`, `maximum`, `enum`, `const` and `anyOf`. Keywords that only tell
//! (`title`, `description`) are passed over; any other is refused with its place, for an answer would not be held to it.
//!
//! | module | holds |
//! | --- | --- |
//! | `held` | a transport whose answers are held to the schema that they were asked for by |
//! | `read` | a schema from its JSON |

mod held;
mod read;

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Number, Value};

pub(crate) use held::wanted;
pub use held::{Held, admitted};

/// A schema.
#[derive(Clone, Debug, PartialEq)]
pub enum Schema {
    /// Any value.
    Any,
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A text.
    String,
    /// A number within bounds.
    Number {
        /// Whether it has no fraction.
        kind: Numeric,
        /// The least, if there is one.
        least: Option<Number>,
        /// The most, if there is one.
        most: Option<Number>,
    },
    /// Items, so many of them.
    Array {
        /// What each is.
        items: Box<Schema>,
        /// The least number of them.
        least: u64,
        /// The most, if there is one.
        most: Option<u64>,
    },
    /// Properties by name.
    Object {
        /// Those that are known.
        properties: Vec<(String, Schema)>,
        /// Those that must be there.
        required: BTreeSet<String>,
        /// What any other is; none where there is no other.
        others: Option<Box<Schema>>,
    },
    /// One of these values.
    Enum(Vec<Value>),
    /// What one of these is.
    AnyOf(Vec<Schema>),
}

/// What numbers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numeric {
    /// Without a fraction.
    Integer,
    /// Any.
    Number,
}

/// Where a value is not of its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The place, as `units[2].how`; empty for the whole.
    pub path: String,
    /// What the schema asks for there.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, expected, found } = self;
        if path.is_empty() {
            return write!(f, "expected {expected}, found {found}");
        }
        write!(f, "at `{path}`: expected {expected}, found {found}")
    }
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    /// The keyword that is not understood, with its place.
    pub fn read(schema: &Value) -> Result<Self, String> {
        read::schema(schema, "")
    }

    /// The first place where a value is not of the schema; none where it is.
    #[must_use]
    pub fn misfit(&self, value: &Value) -> Option<Misfit> {
        self.at(value, "")
    }

    fn at(&self, value: &Value, path: &str) -> Option<Misfit> {
        let unless = |fits: bool| (!fits).then(|| misfit(path, self.words(), value));
        match self {
            Self::Any => None,
            Self::Null => unless(value.is_null()),
            Self::Boolean => unless(value.is_boolean()),
            Self::String => unless(value.is_string()),
            Self::Number { kind, least, most } => unless(value.as_number().is_some_and(|number| {
                let above = least.as_ref().is_none_or(|least| !is_less(number, least));
                let below = most.as_ref().is_none_or(|most| !is_less(most, number));
                (*kind == Numeric::Number || is_whole(number)) && above && below
            })),
            Self::Enum(values) => unless(values.iter().any(|known| is_same(known, value))),
            Self::Array { items, least, most } => match value {
                Value::Array(found) => of_items(items, *least, *most, found, path),
                _ => unless(false),
            },
            Self::Object { properties, required, others } => match value {
                Value::Object(found) => of_properties(properties, required, others.as_deref(), found, path),
                _ => unless(false),
            },
            Self::AnyOf(ways) => of_ways(ways, value, path),
        }
    }

    /// What is expected, in words.
    fn words(&self) -> String {
        match self {
            Self::Any => "a value".to_owned(),
            Self::Null => "null".to_owned(),
            Self::Boolean => "true or false".to_owned(),
            Self::String => "a string".to_owned(),
            Self::Number { kind, least, most } => {
                let name = match kind {
                    Numeric::Integer => "an integer",
                    Numeric::Number => "a number",
                };
                match (least, most) {
                    (None, None) => name.to_owned(),
                    (Some(least), None) => format!("{name} of {least} or more"),
                    (None, Some(most)) => format!("{name} of {most} or less"),
                    (Some(least), Some(most)) => format!("{name} from {least} to {most}"),
                }
            }
            Self::Array { .. } => "an array".to_owned(),
            Self::Object { .. } => "an object".to_owned(),
            Self::Enum(values) => {
                format!("one of {}", values.iter().map(Value::to_string).collect::<Vec<_>>().join(", "))
            }
            Self::AnyOf(ways) => ways.iter().map(Self::words).collect::<Vec<_>>().join(" or "),
        }
    }
}

fn of_items(items: &Schema, least: u64, most: Option<u64>, found: &[Value], path: &str) -> Option<Misfit> {
    let count = found.len() as u64;
    if count < least || most.is_some_and(|most| count > most) {
        let expected = match most {
            None => format!("{least} items or more"),
            Some(most) if most == least => format!("{least} items"),
            Some(most) => format!("from {least} to {most} items"),
        };
        return Some(Misfit { path: path.to_owned(), expected, found: format!("{count}") });
    }
    found.iter().enumerate().find_map(|(index, item)| items.at(item, &format!("{path}[{index}]")))
}

fn of_properties(
    properties: &[(String, Schema)],
    required: &BTreeSet<String>,
    others: Option<&Schema>,
    found: &serde_json::Map<String, Value>,
    path: &str,
) -> Option<Misfit> {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if let Some(missing) = required.iter().find(|name| !found.contains_key(*name)) {
        let schema = properties.iter().find(|(name, _)| name == missing);
        let expected = schema.map_or_else(|| "a value".to_owned(), |(_, schema)| schema.words());
        return Some(Misfit { path: below(missing), expected, found: "nothing".to_owned() });
    }
    found.iter().find_map(|(name, value)| match (properties.iter().find(|(known, _)| known == name), others) {
        (Some((_, schema)), _) | (None, Some(schema)) => schema.at(value, &below(name)),
        (None, None) => {
            let known: Vec<String> = properties.iter().map(|(name, _)| format!("`{name}`")).collect();
            let expected = format!("no other properties than {}", known.join(", "));
            Some(Misfit { path: path.to_owned(), expected, found: format!("`{name}`") })
        }
    })
}

/// The misfit of the way that leads furthest: what was meant is most likely that one.
fn of_ways(ways: &[Schema], value: &Value, path: &str) -> Option<Misfit> {
    let mut nearest: Option<Misfit> = None;
    for way in ways {
        let found = way.at(value, path)?;
        if nearest.as_ref().is_none_or(|known| known.path.len() < found.path.len()) {
            nearest = Some(found);
        }
    }
    let deeper = nearest.filter(|found| found.path.len() > path.len());
    deeper.or_else(|| {
        let words: Vec<String> = ways.iter().map(Schema::words).collect();
        Some(misfit(path, words.join(" or "), value))
    })
}

fn misfit(path: &str, expected: String, found: &Value) -> Misfit {
    Misfit { path: path.to_owned(), expected, found: shown(&found.to_string()) }
}

/// The beginning of a text that was found, in a line.
fn shown(text: &str) -> String {
    let mut letters = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    let begin: String = letters.by_ref().take(80).collect();
    format!("`{begin}{}`", if letters.next().is_some() { ".." } else { "" })
}

/// Whether two values are the same, numbers by what they are and not by how they are spelled.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => !is_less(a, b) && !is_less(b, a),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| is_same(a, b)))
        }
        (a, b) => a == b,
    }
}

fn is_whole(number: &Number) -> bool {
    number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|number| number.fract() == 0.0)
}

/// Whether one number is less than another: exactly where both are integers.
fn is_less(a: &Number, b: &Number) -> bool {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => a < b,
        _ => a.as_f64() < b.as_f64(),
    }
}

#[cfg(test)]
mod tests;
