//! Canonical JSON: one text for one value, so that equal payloads have equal hashes.
//!
//! In goes a value, out comes its text: object keys in the order of their UTF-8 bytes, no whitespace, strings with
//! the fewest escapes, numbers as serde_json writes them (the shortest decimal that parses back to the same bits).
//! An integer and a float of equal size stay different (`1`, `1.0`), and so do `0.0` and `-0.0`.
//! This is not RFC 8785, which sorts by UTF-16 and has floats only.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::finite;

/// The deepest nesting of arrays and objects that is written. Parsers stop at 128, and what cannot be read back
/// must not be stored.
pub const MAX_DEPTH: usize = 100;

/// The canonical text of `value`.
///
/// # Errors
/// [`Refusal::TooDeep`] beyond [`MAX_DEPTH`].
pub fn canonical(value: &Value) -> Result<String, Refusal> {
    let mut out = String::new();
    write(value, 0, &mut out)?;
    Ok(out)
}

/// The JSON value of anything serializable. Unlike `serde_json::to_value` it does not turn NaN into `null`.
///
/// # Errors
/// [`Refusal::NotFinite`] names the first NaN or infinity, [`Refusal::NotJson`] what JSON cannot hold.
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, Refusal> {
    finite::check(value)?;
    serde_json::to_value(value).map_err(|error| Refusal::NotJson(error.to_string()))
}

/// Why a value has no canonical text.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// A NaN or an infinity.
    NotFinite {
        /// Where it stands, as in `.curve[17]`; empty for the value itself.
        path: String,
        /// The number.
        value: f64,
    },
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// JSON has no form for it, in serde's words.
    NotJson(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite { path, value } => {
                let path = if path.is_empty() { "the value" } else { path.trim_start_matches('.') };
                write!(f, "expected a finite number, found {value} at {path}; record the failure, not a number")
            }
            Self::TooDeep => write!(f, "expected at most {MAX_DEPTH} nested arrays and objects, found more"),
            Self::NotJson(reason) => write!(f, "this cannot be written as JSON: {reason}"),
        }
    }
}

impl std::error::Error for Refusal {}

fn write(value: &Value, depth: usize, out: &mut String) -> Result<(), Refusal> {
    if depth > MAX_DEPTH {
        return Err(Refusal::TooDeep);
    }
    match value {
        // The leaves have one form each already; `Value` cannot hold a NaN.
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => out.push_str(&value.to_string()),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                separate(i, out);
                write(item, depth + 1, out)?;
            }
            out.push(']');
        }
        Value::Object(map) => {
            // The map's own order depends on a feature that any crate of the build may switch on.
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            out.push('{');
            for (i, (key, item)) in entries.into_iter().enumerate() {
                separate(i, out);
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write(item, depth + 1, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn separate(position: usize, out: &mut String) {
    if position > 0 {
        out.push(',');
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn any_float() -> impl Strategy<Value = f64> {
        any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |x| x.is_finite())
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any_float().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn parsing_undoes_writing(value in any_value()) {
            let text = canonical(&value).unwrap();
            let back: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&back, &value);
            prop_assert_eq!(canonical(&back).unwrap(), text);
        }

        #[test]
        fn floats_keep_their_bits(x in any_float(), y in any::<f32>().prop_filter("finite", |y| y.is_finite())) {
            let text = canonical(&to_value(&(x, y)).unwrap()).unwrap();
            let (a, b): (f64, f32) = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(a.to_bits(), x.to_bits());
            prop_assert_eq!(b.to_bits(), y.to_bits());
        }

        #[test]
        fn key_order_does_not_matter(
            map in prop::collection::btree_map(any::<String>(), any::<i32>(), 0..8),
            seed in any::<usize>(),
        ) {
            // Written by hand in a rotated order: the parsed map may keep it, the canonical text may not.
            let mut parts: Vec<_> = map.iter().map(|(k, v)| format!("{} : {v}", Value::from(k.as_str()))).collect();
            let middle = seed % parts.len().max(1);
            parts.rotate_left(middle);
            let rotated: Value = serde_json::from_str(&format!("{{ {} }}", parts.join(" , "))).unwrap();
            prop_assert_eq!(canonical(&rotated).unwrap(), canonical(&json!(map)).unwrap());
        }
    }

    #[test]
    fn the_text_is_the_expected_one() {
        let value = json!({"b": [1, 1.0, -0.0, 1e300], "a": {"ü": null, "z": "q\"\n"}, "": true});
        assert_eq!(canonical(&value).unwrap(), r#"{"":true,"a":{"z":"q\"\n","ü":null},"b":[1,1.0,-0.0,1e+300]}"#);
    }

    #[test]
    fn deep_values_are_refused_where_a_parser_would_stop() {
        let nested = |depth| (0..depth).fold(Value::Null, |inner, _| json!([inner]));
        let text = canonical(&nested(MAX_DEPTH)).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), nested(MAX_DEPTH));
        assert_eq!(canonical(&nested(MAX_DEPTH + 1)), Err(Refusal::TooDeep));
    }

    #[test]
    fn a_nan_is_refused_with_its_place() {
        #[derive(Serialize)]
        struct Result {
            bpb: f32,
            curve: Vec<Option<f64>>,
        }
        let path = |value: &Result| match to_value(value) {
            Err(Refusal::NotFinite { path, .. }) => path,
            other => panic!("{other:?}"),
        };
        assert_eq!(path(&Result { bpb: f32::NAN, curve: vec![] }), ".bpb");
        assert_eq!(path(&Result { bpb: 1.0, curve: vec![None, Some(f64::INFINITY)] }), ".curve[1]");
        let error = to_value(&std::collections::BTreeMap::from([("x", f64::NAN)])).unwrap_err();
        assert_eq!(error.to_string(), "expected a finite number, found NaN at x; record the failure, not a number");
        assert_eq!(to_value(&Result { bpb: 1.5, curve: vec![None] }).unwrap(), json!({"bpb": 1.5, "curve": [null]}));
    }
}
