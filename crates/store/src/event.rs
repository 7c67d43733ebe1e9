//! Events, and the chain of hashes that binds each one to all before it.
//!
//! ```text
//! fields(x, y, ...) = len(x) x len(y) y ...                  len: 8 bytes, little-endian
//! genesis           = blake3(fields("genesys-run-1", header))
//! hash(n)           = blake3(fields("genesys-event-1", hash(n-1), n, kind, schema, cause, payload))
//! hash(0)           = genesis
//! ```
//!
//! `n` is 8 bytes, `schema` 4, `cause` 8 or none, little-endian; header and payload are canonical JSON.
//! The chain finds accidents and careless edits. Who recomputes every hash is found only by a digest noted elsewhere.
//! No time of day is part of an event.

use blake3::{Hash, Hasher};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::canonical::{Refusal, canonical, to_value};

/// Something that happened, in its place in the chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its number, from 1 without gaps.
    pub seq: u64,
    /// What sort of thing happened; the caller's own list of names.
    pub kind: String,
    /// The version of the payload's form under this kind.
    pub schema: u32,
    /// The earlier event that led to this one.
    pub cause: Option<u64>,
    /// What happened.
    pub payload: Value,
    /// The hash over all of the above and the hash before.
    pub hash: Hash,
}

impl Event {
    /// The event's name, derived from its content: `ev1-` and the hash in hex.
    #[must_use]
    pub fn id(&self) -> String {
        format!("ev1-{}", self.hash)
    }

    /// The payload as the caller's type.
    ///
    /// # Errors
    /// serde's, where the payload has another form: a caller looks at `kind` and `schema` first.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&self.payload)
    }
}

/// An event that is not in the log yet, with a payload that is known to have a canonical text.
#[derive(Clone, Debug)]
pub struct NewEvent {
    pub(crate) kind: String,
    pub(crate) schema: u32,
    pub(crate) cause: Option<u64>,
    pub(crate) payload: Value,
    pub(crate) text: String,
}

impl NewEvent {
    /// An event of `kind`, whose payload has the form of version `schema`.
    ///
    /// # Errors
    /// [`Refusal`] if the payload holds a NaN or an infinity, nests too deep or is not JSON.
    pub fn new<T: Serialize + ?Sized>(kind: impl Into<String>, schema: u32, payload: &T) -> Result<Self, Refusal> {
        let payload = to_value(payload)?;
        let text = canonical(&payload)?;
        Ok(Self { kind: kind.into(), schema, cause: None, payload, text })
    }

    /// The same event with the number of the event that led to it. It must be in the log before this one.
    #[must_use]
    pub fn caused_by(mut self, seq: u64) -> Self {
        self.cause = Some(seq);
        self
    }

    /// The event in its place after `previous`, and the text of its payload.
    pub(crate) fn seal(self, previous: Head) -> (Event, String) {
        let Self { kind, schema, cause, payload, text } = self;
        let seq = previous.seq + 1;
        let hash = chain(&previous.hash, &Fields { seq, kind: &kind, schema, cause, payload: &text });
        (Event { seq, kind, schema, cause, payload, hash }, text)
    }
}

/// The end of a log: the number of its last event and the hash that binds all of them. 0 and the genesis if empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The last event's number.
    pub seq: u64,
    /// The last event's hash.
    pub hash: Hash,
}

impl Head {
    /// One line that stands for the log up to here.
    #[must_use]
    pub fn digest(&self) -> String {
        format!("log1-{}", self.hash)
    }
}

/// What an event's hash is taken over, besides the hash before.
pub(crate) struct Fields<'a> {
    pub(crate) seq: u64,
    pub(crate) kind: &'a str,
    pub(crate) schema: u32,
    pub(crate) cause: Option<u64>,
    pub(crate) payload: &'a str,
}

/// The hash that the first event is chained to.
pub(crate) fn genesis(header: &str) -> Hash {
    hash_fields(&[b"genesys-run-1", header.as_bytes()])
}

/// The hash of an event after one with the hash `previous`.
pub(crate) fn chain(previous: &Hash, event: &Fields<'_>) -> Hash {
    let cause = event.cause.map(u64::to_le_bytes);
    hash_fields(&[
        b"genesys-event-1",
        previous.as_bytes(),
        &event.seq.to_le_bytes(),
        event.kind.as_bytes(),
        &event.schema.to_le_bytes(),
        cause.as_ref().map_or(&[], |cause| cause.as_slice()),
        event.payload.as_bytes(),
    ])
}

/// Each field goes in after its length, so that no two lists of fields are the same bytes.
fn hash_fields(fields: &[&[u8]]) -> Hash {
    let mut hasher = Hasher::new();
    for field in fields {
        hasher.update(&(field.len() as u64).to_le_bytes()).update(field);
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    fn head() -> Head {
        Head { seq: 4, hash: genesis("{}") }
    }

    #[test]
    fn every_field_counts_and_borders_too() {
        let event = |kind: &str, schema, cause, payload: Value| {
            let new = NewEvent::new(kind, schema, &payload).unwrap();
            NewEvent { cause, ..new }.seal(head()).0.hash
        };
        let variants = [
            event("a", 1, None, json!("b")),
            event("b", 1, None, json!("b")),
            event("a", 2, None, json!("b")),
            event("a", 1, Some(1), json!("b")),
            event("a", 1, None, json!("c")),
            event("a\"", 1, None, json!("b")),
            NewEvent::new("a", 1, &json!("b")).unwrap().seal(Head { seq: 5, ..head() }).0.hash,
            NewEvent::new("a", 1, &json!("b")).unwrap().seal(Head { hash: genesis("{} "), ..head() }).0.hash,
        ];
        for (i, a) in variants.iter().enumerate() {
            assert!(variants[i + 1..].iter().all(|b| a != b), "variant {i} has the hash of a later one");
        }
        assert_ne!(hash_fields(&[b"ab", b"c"]), hash_fields(&[b"a", b"bc"]));
    }

    #[test]
    fn the_hash_is_a_fixed_function_of_the_content() {
        let event = NewEvent::new("proposal", 1, &json!({"b": 1.5, "a": [1]})).unwrap().caused_by(2).seal(head()).0;
        assert_eq!(event.id(), "ev1-d552a4ed2ce09fd6a6697d42c68a7a480918c220aea980c255313f67aa445877");
        assert_eq!(event.read::<std::collections::BTreeMap<String, Value>>().unwrap()["b"], json!(1.5));
    }
}
