//! Keys that were found once: who compares designs with the same others again and again asks here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use genesys_check::CheckedDesign;

use crate::key::FamilyKey;

/// The family keys of designs, each found once, also where several threads ask for it at the same time.
#[derive(Debug, Default)]
pub struct Families(Mutex<BTreeMap<String, Arc<OnceLock<FamilyKey>>>>);

impl Families {
    /// The family of a design, as [`FamilyKey::of`] finds it.
    pub fn key(&self, design: &CheckedDesign) -> FamilyKey {
        let cell = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(design.hash().to_string()).or_default())
        };
        // Not under the lock: one key takes milliseconds, and others are asked for meanwhile.
        cell.get_or_init(|| FamilyKey::of(design)).clone()
    }
}
