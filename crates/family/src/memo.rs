//! What was found once of each design: who compares designs with the same others again and again asks here.
//!
//! In: a design, or its text. Out: what is found of it anew, and found once. Nothing is forgotten: a run has hundreds of designs, not
//! millions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use genesys_check::CheckedDesign;

use crate::distance::Fingerprint;
use crate::key::FamilyKey;

/// Values under keys, each found once, also where several threads ask for it at the same time.
#[derive(Debug)]
struct Memo<V>(Mutex<BTreeMap<String, Arc<OnceLock<V>>>>);

impl<V> Default for Memo<V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<V: Clone> Memo<V> {
    /// The value of a key: that of `find` when the key was asked for first.
    fn value(&self, key: &str, find: impl FnOnce() -> V) -> V {
        let cell = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match known.get(key) {
                Some(cell) => Arc::clone(cell),
                None => Arc::clone(known.entry(key.to_owned()).or_default()),
            }
        };
        // Not under the lock: a value takes milliseconds, and others are asked for meanwhile.
        cell.get_or_init(find).clone()
    }
}

/// The family keys of designs.
#[derive(Debug, Default)]
pub struct Families(Memo<FamilyKey>);

impl Families {
    /// The family of a design, as [`FamilyKey::of`] finds it.
    pub fn key(&self, design: &CheckedDesign) -> FamilyKey {
        self.0.value(&design.hash().to_string(), || FamilyKey::of(design))
    }
}

/// The fingerprints of designs, by their texts: what was asked for before is not even checked again.
#[derive(Debug, Default)]
pub struct Fingerprints(Memo<Option<Arc<Fingerprint>>>);

impl Fingerprints {
    /// The fingerprint, as [`Fingerprint::of`] finds it, of the design that `check` makes of a text; none where it makes none. One
    /// text has to be one design, whoever asks.
    pub fn print(&self, text: &str, check: impl FnOnce(&str) -> Option<CheckedDesign>) -> Option<Arc<Fingerprint>> {
        self.0.value(text, || check(text).map(|design| Arc::new(Fingerprint::of(&design))))
    }
}
