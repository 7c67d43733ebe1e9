//! What a design has that its parents have not, unit by unit.

use std::collections::{BTreeMap, BTreeSet};

use genesys_check::CheckedDesign;
use genesys_compiler::standard_units;
use genesys_genetic::Context;
use serde::{Deserialize, Serialize};

use crate::entry::{UnitKey, units};

/// The units in which a design differs from those that it was made of, by the design's own names. Units are told apart by
/// their keys, so that a new name or another comment is no difference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diff {
    /// Units that no parent has, under names that no parent has.
    pub added: BTreeMap<String, UnitKey>,
    /// Units that no parent has, under names that one has: the key that it was, and the key that it is.
    pub changed: BTreeMap<String, (UnitKey, UnitKey)>,
    /// Units of the first parent that are not there any more, by its names.
    pub removed: BTreeMap<String, UnitKey>,
}

impl Diff {
    /// The difference of a design from its parents.
    #[must_use]
    pub fn of(parents: &[&CheckedDesign], child: &CheckedDesign) -> Self {
        let context = Context::new(standard_units(), &[], &[]);
        let named = |design: &CheckedDesign| -> BTreeMap<String, UnitKey> {
            units(design.file(), &context).into_iter().map(|entry| (entry.name, entry.key)).collect()
        };
        let (before, after) = (parents.iter().map(|parent| named(parent)).collect::<Vec<_>>(), named(child));
        let known: BTreeSet<&UnitKey> = before.iter().flat_map(BTreeMap::values).collect();
        let mut diff = Self::default();
        for (name, key) in after.iter().filter(|(_, key)| !known.contains(key)) {
            match before.iter().find_map(|units| units.get(name)) {
                Some(old) => drop(diff.changed.insert(name.clone(), (old.clone(), key.clone()))),
                None => drop(diff.added.insert(name.clone(), key.clone())),
            }
        }
        let kept: BTreeSet<&UnitKey> = after.values().collect();
        let gone = before.first().into_iter().flatten();
        let gone = gone.filter(|(name, key)| !kept.contains(key) && !diff.changed.contains_key(*name));
        diff.removed = gone.map(|(name, key)| (name.clone(), key.clone())).collect();
        diff
    }

    /// Whether there is no difference in any unit; the stack may differ.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}
