//! Grammars of schemas: what they read is of the schema.

#![allow(clippy::unwrap_used)]

use genesys_gbnf::{Grammar, Reader};
use genesys_llm::Schema;
use genesys_local::schema::gbnf;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Whether the grammar of a schema reads a text to an end.
fn reads(gbnf: &str, text: &str) -> bool {
    let (mut reader, start) = Reader::new(Grammar::read(gbnf).unwrap_or_else(|why| panic!("{why}: {gbnf}")));
    reader.read(start, text.as_bytes()).is_some_and(|end| reader.may_end(end))
}

fn of(schema: &Value) -> String {
    gbnf(&Schema::read(schema).unwrap())
}

/// Schemas of all kinds.
fn schemas() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({ "type": "null" })),
        Just(json!({ "type": "boolean" })),
        Just(json!({ "type": "string" })),
        Just(json!({ "type": "number" })),
        Just(json!({ "type": "integer" })),
        (-200..200_i64, 0..300_i64).prop_map(|(a, n)| json!({ "type": "integer", "minimum": a, "maximum": a + n })),
        (-20..20_i64, 0..30_i64).prop_map(|(a, n)| json!({ "type": "number", "minimum": a, "maximum": a + n })),
        (-20..20_i64).prop_map(|a| json!({ "type": "integer", "minimum": a })),
        "[a-z\"\\\\\n\u{e9}]{0,3}".prop_map(|value| json!({ "enum": [1, value, null, { "a": [] }] })),
        Just(json!({})),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            (inner.clone(), 0..3_u64, proptest::option::of(0..3_u64)).prop_map(|(items, least, more)| {
                let mut schema = json!({ "type": "array", "items": items, "minItems": least });
                if let Some(more) = more {
                    schema["maxItems"] = (least + more).into();
                }
                schema
            }),
            proptest::collection::btree_map("[a-c\"]", (inner.clone(), any::<bool>()), 0..4).prop_map(|map| {
                let required: Vec<&String> = map.iter().filter(|(_, pair)| pair.1).map(|(name, _)| name).collect();
                let properties: Value = map.iter().map(|(name, pair)| (name.clone(), pair.0.clone())).collect();
                let properties = if properties.is_null() { json!({}) } else { properties };
                json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
            }),
            inner.clone().prop_map(|other| json!({ "type": "object", "additionalProperties": other })),
            (inner.clone(), inner.clone()).prop_map(|(a, other)| {
                json!({ "type": "object", "properties": { "a": a }, "required": ["a", "z"], "additionalProperties": other })
            }),
            (inner.clone(), inner).prop_map(|(a, b)| json!({ "anyOf": [a, b] })),
        ]
    })
}

/// A text of a grammar, drawn byte by byte; from some length on what closes comes first. None where it does not end soon.
fn drawn(gbnf: &str, seed: u64) -> Option<String> {
    let (mut reader, mut state) = Reader::new(Grammar::read(gbnf).unwrap_or_else(|why| panic!("{why}: {gbnf}")));
    let mut text = Vec::new();
    let state_of = genesys_random::mix(seed);
    for n in 0..4000_u64 {
        let next: Vec<u8> = reader.next(state).bytes().collect();
        if reader.may_end(state) && (next.is_empty() || n > 60 || genesys_random::at(state_of, 2 * n).is_multiple_of(4))
        {
            return Some(String::from_utf8(text).unwrap());
        }
        let closing = b"\"}],:n0123456789".iter().copied().find(|byte| n > 60 && next.contains(byte));
        let at = usize::try_from(genesys_random::at(state_of, 2 * n + 1) % next.len() as u64).unwrap();
        let byte = closing.unwrap_or(next[at]);
        text.push(byte);
        state = reader.step(state, byte).unwrap();
    }
    None
}

#[test]
fn forms_are_read_as_the_schema_says() {
    let review = of(&json!({
        "type": "object",
        "properties": { "a": { "type": "integer", "minimum": 0, "maximum": 5 }, "b": { "type": "string" }, "c": { "type": "null" } },
        "required": ["b"],
    }));
    for good in
        [r#"{"b":"x"}"#, r#"{"a": 5, "b": "\u00e9\n\""}"#, r#"{"a":0,"b":"","c":null}"#, r#"{"b":"", "c":null}"#]
    {
        assert!(reads(&review, good), "{good}");
    }
    for bad in
        ["{}", r#"{"a":6,"b":""}"#, r#"{"b":"","a":1}"#, r#"{"b":"",}"#, r#"{"a":1 ,"b":""}"#, r#"{"b":"\ud800"}"#]
    {
        assert!(!reads(&review, bad), "{bad}");
    }
    let open = of(&json!({ "type": "object", "required": ["a"], "additionalProperties": { "type": "null" } }));
    assert!(reads(&open, r#"{"a":null}"#) && !reads(&open, "{}") && !reads(&open, r#"{"a":1}"#));
    let bounded = of(&json!({ "type": "number", "minimum": -1, "maximum": 2 }));
    for good in ["-1", "-0.5", "0", "0.25", "1.999", "2"] {
        assert!(reads(&bounded, good), "{good}");
    }
    for bad in ["-1.5", "-2", "2.1", "3", "00", "1."] {
        assert!(!reads(&bounded, bad), "{bad}");
    }
}

proptest! {
    #[test]
    fn whole_numbers_are_read_that_lie_between_the_bounds(a in -3000..3000_i64, n in 0..4000_i64, x in -8000..8000_i64) {
        let gbnf = of(&json!({ "type": "integer", "minimum": a, "maximum": a + n }));
        for x in [x, a - 1, a, a + n / 2, a + n, a + n + 1] {
            prop_assert_eq!(reads(&gbnf, &x.to_string()), a <= x && x <= a + n, "{}", x);
        }
        let padded = format!("0{}", a.max(0));
        prop_assert!(!reads(&gbnf, &padded), "{padded} has a digit in front");
    }

    #[test]
    fn what_the_grammar_of_a_schema_generates_is_of_it(schema in schemas(), seed: u64) {
        let text = drawn(&of(&schema), seed);
        prop_assume!(text.is_some());
        let text = text.unwrap();
        let value: Value = serde_json::from_str(&text).map_err(|why| TestCaseError::fail(format!("{why}: {text}")))?;
        prop_assert_eq!(Schema::read(&schema).unwrap().misfit(&value), None, "{}", text);
    }
}
