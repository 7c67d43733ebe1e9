//! All units, and where they come from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use genesys_check::CheckedDesign;
use genesys_compiler::standard_units;
use genesys_genetic::Context;
use genesys_syntax::ast::File;

use crate::entry::{Entry, UnitKey, units};

/// Where a design comes from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    /// The hashes of the designs that it was made of.
    pub parents: Vec<String>,
}

/// Every unit of some designs and drafts.
#[derive(Clone)]
pub struct Registry {
    pub(crate) entries: BTreeMap<UnitKey, Entry>,
    /// The keys in the order in which the units were met.
    order: Vec<UnitKey>,
    /// The text in which each was met first.
    sources: BTreeMap<UnitKey, Arc<File>>,
    pub(crate) designs: Vec<Known>,
    context: Context,
}

/// A design whose units are here.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) hash: String,
    pub(crate) parents: Vec<String>,
    /// Its units, by what it calls them.
    pub(crate) units: BTreeMap<String, UnitKey>,
}

impl Known {
    /// Its units, each once.
    pub(crate) fn keys(&self) -> BTreeSet<&UnitKey> {
        self.units.values().collect()
    }
}

impl Default for Registry {
    /// A registry without units.
    fn default() -> Self {
        let context = Context::new(standard_units(), &[], &[]);
        Self { entries: BTreeMap::new(), order: Vec::new(), sources: BTreeMap::new(), designs: Vec::new(), context }
    }
}

impl Registry {
    /// Takes in the units of a design; a design that is known already changes nothing. Returns the keys of those that were new.
    pub fn add(&mut self, design: &CheckedDesign, origin: Origin) -> Vec<UnitKey> {
        let hash = design.hash().to_string();
        if self.has(&hash) {
            return Vec::new();
        }
        let (held, new) = self.take(design.file(), &origin);
        for key in held.values().collect::<BTreeSet<_>>() {
            self.entries.entry(key.clone()).and_modify(|entry| entry.designs.push(hash.clone()));
        }
        self.designs.push(Known { hash, parents: origin.parents, units: held });
        new
    }

    /// Takes in the units of a text that the checker passed and that is no design, or none that takes part: those that are written to
    /// the end, with all that they call. None of them is credited with anything until a design has it. Returns the keys of those that
    /// were new.
    pub fn add_draft(&mut self, file: &Arc<File>, origin: &Origin) -> Vec<UnitKey> {
        self.take(file, origin).1
    }

    /// The units of a text by their names, and the keys of those that were new.
    fn take(&mut self, file: &Arc<File>, origin: &Origin) -> (BTreeMap<String, UnitKey>, Vec<UnitKey>) {
        let (mut held, mut new) = (BTreeMap::new(), Vec::new());
        for mut entry in units(file, &self.context) {
            let key = entry.key.clone();
            held.insert(entry.name.clone(), key.clone());
            if !self.entries.contains_key(&key) {
                entry.from = self.predecessor(&entry, &origin.parents);
                self.order.push(key.clone());
                self.sources.insert(key.clone(), Arc::clone(file));
                self.entries.insert(key.clone(), entry);
                new.push(key);
            }
        }
        (held, new)
    }

    /// Whether the design of that hash was taken in.
    #[must_use]
    pub fn has(&self, hash: &str) -> bool {
        self.design(hash).is_some()
    }

    fn design(&self, hash: &str) -> Option<&Known> {
        self.designs.iter().find(|known| known.hash == hash)
    }

    /// The text in which a unit was met first, as a tree.
    pub(crate) fn source(&self, key: &UnitKey) -> Option<&File> {
        self.sources.get(key).map(Arc::as_ref)
    }

    /// The standard units.
    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// The keys of the units of the design of that hash; none where it was not taken in.
    pub fn units_of(&self, hash: &str) -> impl Iterator<Item = &UnitKey> {
        self.design(hash).into_iter().flat_map(|known| known.units.values())
    }

    /// The unit of a parent that has the entry's name.
    fn predecessor(&self, entry: &Entry, parents: &[String]) -> Option<UnitKey> {
        let mut known = parents.iter().filter_map(|hash| self.design(hash));
        known.find_map(|parent| parent.units.get(&entry.name)).cloned()
    }

    /// All units in the order in which they were met.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.order.iter().map(|key| &self.entries[key])
    }

    /// A unit by its key.
    #[must_use]
    pub fn get(&self, key: &UnitKey) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// The units that it comes from, the nearest first.
    #[must_use]
    pub fn lineage(&self, key: &UnitKey) -> Vec<&Entry> {
        std::iter::successors(self.get(key).and_then(|entry| entry.from.as_ref()), |key| {
            self.get(key).and_then(|entry| entry.from.as_ref())
        })
        .filter_map(|key| self.get(key))
        .collect()
    }
}
