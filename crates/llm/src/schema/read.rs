//! A schema from its JSON.

use std::collections::BTreeSet;

use serde_json::{Map, Number, Value};

use super::{Numeric, Schema};

/// Keywords that ask nothing of a value.
const TELLING: [&str; 7] = ["title", "description", "default", "examples", "$schema", "$id", "$comment"];

/// The keywords of each type.
const OF_TYPES: [(&str, &[&str]); 7] = [
    ("null", &[]),
    ("boolean", &[]),
    ("string", &[]),
    ("integer", &["minimum", "maximum"]),
    ("number", &["minimum", "maximum"]),
    ("array", &["items", "minItems", "maxItems"]),
    ("object", &["properties", "required", "additionalProperties"]),
];

/// Reads the schema at a place.
pub(super) fn schema(json: &Value, path: &str) -> Result<Schema, String> {
    let map = match json {
        Value::Bool(true) => return Ok(Schema::Any),
        Value::Object(map) => map,
        other => return Err(bad(path, "a schema, which is an object", &other.to_string())),
    };
    let types = types(map, path)?;
    known(map, &types, path)?;
    if let Some(ways) = map.get("anyOf") {
        let ways = ways.as_array().filter(|ways| !ways.is_empty());
        let ways = ways.ok_or_else(|| bad(path, "schemas", "`anyOf` without any"))?;
        let ways = ways.iter().enumerate().map(|(i, way)| schema(way, &format!("{path}/anyOf/{i}")));
        return ways.collect::<Result<_, _>>().map(Schema::AnyOf);
    }
    let mut ways = types.iter().map(|name| of_type(name, map, path)).collect::<Result<Vec<_>, _>>()?;
    let typed = if ways.len() == 1 { ways.remove(0) } else { Schema::AnyOf(ways) };
    match values(map, path)? {
        None if types.is_empty() => Ok(Schema::Any),
        None => Ok(typed),
        Some(values) if types.is_empty() => Ok(Schema::Enum(values)),
        Some(values) => {
            let fit: Vec<Value> = values.into_iter().filter(|value| typed.misfit(value).is_none()).collect();
            if fit.is_empty() {
                return Err(bad(path, "a value of the type among those of `enum`", "none"));
            }
            Ok(Schema::Enum(fit))
        }
    }
}

/// The values that `enum` or `const` admit.
fn values(map: &Map<String, Value>, path: &str) -> Result<Option<Vec<Value>>, String> {
    match (map.get("enum"), map.get("const")) {
        (None, None) => Ok(None),
        (None, Some(one)) => Ok(Some(vec![one.clone()])),
        (Some(Value::Array(values)), None) if !values.is_empty() => Ok(Some(values.clone())),
        (Some(_), None) => Err(bad(path, "values", "`enum` without any")),
        (Some(_), Some(_)) => Err(bad(path, "`enum` or `const`", "both")),
    }
}

fn types<'a>(map: &'a Map<String, Value>, path: &str) -> Result<Vec<&'a str>, String> {
    let names = match map.get("type") {
        None => return Ok(Vec::new()),
        Some(Value::Array(names)) => names.iter().collect(),
        Some(name) => vec![name],
    };
    let known = |name: &Value| OF_TYPES.iter().find(|(known, _)| name.as_str() == Some(known)).is_some();
    match names.iter().find(|name| !known(name)) {
        Some(other) => Err(bad(path, "a type of JSON", &other.to_string())),
        None if names.is_empty() => Err(bad(path, "a type of JSON", "`type` without any")),
        None => Ok(names.iter().filter_map(|name| name.as_str()).collect()),
    }
}

/// Refuses a keyword that is not understood where it stands.
fn known(map: &Map<String, Value>, types: &[&str], path: &str) -> Result<(), String> {
    let of_types = || OF_TYPES.iter().filter(|(name, _)| types.contains(name)).flat_map(|(_, words)| words.iter());
    let general: &[&str] = if map.contains_key("anyOf") { &["anyOf"] } else { &["type", "enum", "const"] };
    let fits = |word: &str| TELLING.contains(&word) || general.contains(&word) || of_types().any(|own| *own == word);
    let Some(other) = map.keys().find(|word| !fits(word)) else { return Ok(()) };
    let words: Vec<String> = general.iter().chain(of_types()).map(|word| format!("`{word}`")).collect();
    Err(bad(path, &format!("one of {}", words.join(", ")), &format!("`{other}`, which answers are not held to there")))
}

fn of_type(name: &str, map: &Map<String, Value>, path: &str) -> Result<Schema, String> {
    Ok(match name {
        "null" => Schema::Null,
        "boolean" => Schema::Boolean,
        "string" => Schema::String,
        "array" => {
            let items = map.get("items").map_or(Ok(Schema::Any), |items| schema(items, &format!("{path}/items")))?;
            let (least, most) = (count(map, "minItems", path)?.unwrap_or(0), count(map, "maxItems", path)?);
            if most.is_some_and(|most| most < least) {
                return Err(bad(path, "`maxItems` of `minItems` or more", "less"));
            }
            Schema::Array { items: Box::new(items), least, most }
        }
        "object" => object(map, path)?,
        name => {
            let kind = if name == "integer" { Numeric::Integer } else { Numeric::Number };
            Schema::Number { kind, least: bound(map, "minimum", path)?, most: bound(map, "maximum", path)? }
        }
    })
}

fn object(map: &Map<String, Value>, path: &str) -> Result<Schema, String> {
    let empty = Map::new();
    let properties = match map.get("properties") {
        None => &empty,
        Some(Value::Object(properties)) => properties,
        Some(other) => return Err(bad(path, "`properties` by their names", &other.to_string())),
    };
    let properties = properties
        .iter()
        .map(|(name, property)| Ok((name.clone(), schema(property, &format!("{path}/properties/{name}"))?)));
    let required = match map.get("required") {
        None => Some(BTreeSet::new()),
        Some(names) => names.as_array().and_then(|names| {
            names.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<BTreeSet<String>>>()
        }),
    };
    let others = match map.get("additionalProperties") {
        Some(Value::Bool(false)) => None,
        Some(other) => Some(Box::new(schema(other, &format!("{path}/additionalProperties"))?)),
        None => Some(Box::new(Schema::Any)),
    };
    let properties: Vec<(String, Schema)> = properties.collect::<Result<_, String>>()?;
    let required = required.ok_or_else(|| bad(path, "names", "something else as `required`"))?;
    let unknown = required.iter().find(|name| properties.iter().all(|(known, _)| known != *name));
    match unknown.filter(|_| others.is_none()) {
        Some(name) => Err(bad(path, "names of properties as `required`", &format!("`{name}`"))),
        None => Ok(Schema::Object { properties, required, others }),
    }
}

fn count(map: &Map<String, Value>, word: &str, path: &str) -> Result<Option<u64>, String> {
    let Some(value) = map.get(word) else { return Ok(None) };
    value.as_u64().map(Some).ok_or_else(|| bad(path, &format!("a number of items as `{word}`"), &value.to_string()))
}

fn bound(map: &Map<String, Value>, word: &str, path: &str) -> Result<Option<Number>, String> {
    let Some(value) = map.get(word) else { return Ok(None) };
    let number = value.as_number().cloned();
    number.map(Some).ok_or_else(|| bad(path, &format!("a number as `{word}`"), &value.to_string()))
}

fn bad(path: &str, expected: &str, found: &str) -> String {
    let place = if path.is_empty() { "at its root" } else { path };
    format!("the schema cannot be read {place}: expected {expected}, found {found}")
}
