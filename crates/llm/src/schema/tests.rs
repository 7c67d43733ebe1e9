//! Schemas: what they admit, and where a value is not of one.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn told(schema: Value, value: Value) -> Option<String> {
    Schema::read(&schema).unwrap().misfit(&value).map(|misfit| misfit.to_string())
}

fn review() -> Value {
    json!({
        "type": "object",
        "properties": {
            "rating": { "type": "integer", "minimum": 0, "maximum": 5 },
            "kind": { "type": "string", "enum": ["new", "known"] },
            "units": { "type": "array", "minItems": 1, "maxItems": 2, "items": {
                "type": "object", "properties": { "how": { "type": ["string", "null"] } }, "required": ["how"] } },
            "cost": { "anyOf": [{ "type": "number" }, { "type": "object", "properties": { "usd": { "type": "number" } } }] },
        },
        "required": ["rating"],
        "additionalProperties": false,
    })
}

#[test]
fn a_misfit_tells_place_expected_and_found() {
    let cases = [
        (json!([]), "expected an object, found `[]`"),
        (json!({}), "at `rating`: expected an integer from 0 to 5, found nothing"),
        (json!({ "rating": 6 }), "at `rating`: expected an integer from 0 to 5, found `6`"),
        (json!({ "rating": -1 }), "at `rating`: expected an integer from 0 to 5, found `-1`"),
        (json!({ "rating": 2.5 }), "at `rating`: expected an integer from 0 to 5, found `2.5`"),
        (json!({ "rating": 1, "kind": "odd" }), "at `kind`: expected one of \"new\", \"known\", found `\"odd\"`"),
        (
            json!({ "rating": 1, "mark": 1 }),
            "expected no other properties than `cost`, `kind`, `rating`, `units`, found `mark`",
        ),
        (json!({ "rating": 1, "units": [] }), "at `units`: expected from 1 to 2 items, found 0"),
        (json!({ "rating": 1, "units": [1, 2, 3] }), "at `units`: expected from 1 to 2 items, found 3"),
        (
            json!({ "rating": 1, "units": [{ "how": "" }, { "how": 7 }] }),
            "at `units[1].how`: expected a string or null, found `7`",
        ),
        (json!({ "rating": 1, "cost": "a" }), "at `cost`: expected a number or an object, found `\"a\"`"),
        (json!({ "rating": 1, "cost": { "usd": "a" } }), "at `cost.usd`: expected a number, found `\"a\"`"),
    ];
    for (value, expected) in cases {
        assert_eq!(told(review(), value.clone()).as_deref(), Some(expected), "{value}");
    }
    let fine =
        json!({ "rating": 5.0, "kind": "new", "cost": { "usd": 1, "eur": 2 }, "units": [{ "how": null, "why": 1 }] });
    assert_eq!(told(review(), fine), None);
}

#[test]
fn numbers_are_the_same_however_they_are_spelled_and_exact_where_they_are_whole() {
    let mark = || json!({ "type": "integer", "enum": [0, 1, 9_007_199_254_740_993_u64, "a"] });
    assert_eq!(told(mark(), json!(1.0)), None);
    assert_eq!(told(mark(), json!(9_007_199_254_740_993_u64)), None);
    assert!(told(mark(), json!(9_007_199_254_740_992_u64)).is_some());
    assert!(told(mark(), json!("a")).is_some(), "it is not of the type");
    assert_eq!(told(json!({ "const": { "a": [1] } }), json!({ "a": [1.0] })), None);
    assert!(told(json!({ "minimum": 3, "type": "number" }), json!(2.999)).is_some());
}

#[test]
fn what_answers_would_not_be_held_to_is_refused_with_its_place() {
    let told = |schema: Value| Schema::read(&schema).unwrap_err();
    let deep = json!({ "type": "object", "properties": { "a": { "type": "array", "items": { "type": "string", "pattern": "x" } } } });
    assert_eq!(
        told(deep),
        "the schema cannot be read /properties/a/items: expected one of `type`, `enum`, `const`, found `pattern`, which answers are not held to there"
    );
    for schema in [
        json!({ "$ref": "#/a" }),
        json!({ "properties": {} }),
        json!({ "type": "text" }),
        json!({ "type": [] }),
        json!({ "enum": [] }),
        json!({ "enum": [1], "const": 1 }),
        json!({ "type": "string", "enum": [1] }),
        json!({ "anyOf": [] }),
        json!({ "anyOf": [true], "type": "string" }),
        json!({ "type": "array", "minItems": 2, "maxItems": 1 }),
        json!({ "type": "array", "minItems": -1 }),
        json!({ "type": "number", "minimum": "1" }),
        json!({ "type": "object", "properties": [] }),
        json!({ "type": "object", "required": [1] }),
        json!({ "type": "object", "required": ["a"], "additionalProperties": false }),
        json!(false),
    ] {
        assert!(told(schema.clone()).contains(": expected "), "{schema}");
    }
    assert_eq!(Schema::read(&json!({ "title": "any", "description": "x" })), Ok(Schema::Any));
}

#[test]
fn json_stands_alone_or_in_the_one_block_of_code() {
    let schema = Schema::read(&json!({ "type": "object" })).unwrap();
    for text in ["{\"a\": 1}", " {\"a\": 1}\n", "```json\n{\"a\": 1}\n```", "Here:\n```\n{\"a\": 1}\n```\nSo."] {
        assert_eq!(admitted(&schema, text), Ok("{\"a\": 1}"), "{text}");
    }
    let fence = "{\"a\": \"```\\n{}\\n```\"}";
    assert_eq!(admitted(&schema, fence), Ok(fence));
    for text in ["", "So: {\"a\": 1}", "```\n{}\n```\n```\n{}\n```", "{\"a\": 1} {}"] {
        let misfit = admitted(&schema, text).unwrap_err();
        assert!(misfit.expected.starts_with("JSON ("), "{text}: {misfit}");
    }
}

/// A schema and a value of it.
fn pairs() -> impl Strategy<Value = (Value, Value)> {
    let leaf = prop_oneof![
        Just((json!({ "type": "null" }), Value::Null)),
        any::<bool>().prop_map(|value| (json!({ "type": "boolean" }), json!(value))),
        "[a-z\"\\\\]{0,4}".prop_map(|value| (json!({ "type": "string" }), json!(value))),
        (any::<i64>(), 0..9_i64).prop_map(|(value, below)| {
            (json!({ "type": "integer", "minimum": value.saturating_sub(below), "maximum": value }), json!(value))
        }),
        any::<f32>()
            .prop_filter("JSON has no such numbers", |value| value.is_finite())
            .prop_map(|value| { (json!({ "type": ["number", "null"], "maximum": value }), json!(value)) }),
        "[a-z]{1,3}".prop_map(|value| (json!({ "enum": [1, value] }), json!(value))),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            (inner.clone(), 0..4_usize).prop_map(|((schema, value), count)| {
                let schema = json!({ "type": "array", "items": schema, "minItems": count, "maxItems": count });
                (schema, Value::Array(vec![value; count]))
            }),
            proptest::collection::btree_map("[a-c]", inner.clone(), 0..3).prop_map(|map| {
                let schemas: Value = map.iter().map(|(name, pair)| (name.clone(), pair.0.clone())).collect();
                let names: Vec<&String> = map.keys().collect();
                let schema = json!({ "type": "object", "properties": schemas, "required": names, "additionalProperties": false });
                (schema, map.iter().map(|(name, pair)| (name.clone(), pair.1.clone())).collect())
            }),
            (inner.clone(), inner).prop_map(|(a, b)| (json!({ "anyOf": [a.0, b.0] }), b.1)),
        ]
    })
}

/// Replaces what stands at a place, in the order of reading, by another value.
fn replaced(value: &mut Value, place: &mut usize, other: &Value) {
    if *place == 0 {
        *value = other.clone();
    }
    *place = place.wrapping_sub(1);
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replaced(item, place, other)),
        Value::Object(map) => map.values_mut().for_each(|item| replaced(item, place, other)),
        _ => {}
    }
}

proptest! {
    #[test]
    fn a_value_is_of_the_schema_that_it_was_made_for((schema, value) in pairs()) {
        let read = Schema::read(&schema).unwrap();
        prop_assert_eq!(read.misfit(&value), None);
        let text = value.to_string();
        prop_assert_eq!(admitted(&read, &text), Ok(text.as_str()));
    }

    #[test]
    fn what_no_part_of_the_schema_admits_is_found_wherever_it_stands((schema, mut value) in pairs(), place in 0..6_usize) {
        // A text that no schema here lists in a place for something else: an object with a name that none has.
        let read = Schema::read(&schema).unwrap();
        let mut left = place;
        replaced(&mut value, &mut left, &json!({ "none-has-this": 0 }));
        prop_assume!(left > place);
        prop_assert!(read.misfit(&value).is_some());
    }
}
