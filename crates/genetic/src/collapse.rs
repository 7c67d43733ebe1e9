//! From a genome back to a file: copies that are still standard units become `use std`, others that
//! bear a standard name get a fresh one, which [`Genome::settle`] does before weights are named after
//! what is called. Copies that nothing calls are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use genesys_syntax::ast::{File, ItemKind, Use};

use crate::gene::Gene;
use crate::genome::{Genome, bare_item, design_refs};
use crate::rename::{rename_item, renames};
use crate::tree;

impl Genome {
    /// Gives changed copies of standard units a name of their own.
    pub(crate) fn settle(&mut self) {
        for name in self.changed_copies() {
            self.standard.remove(&name);
            if self.reserved.contains(&name) {
                let fresh = self.fresh(&name);
                self.rename(&BTreeMap::from([(name, fresh)]));
            }
        }
    }

    /// The file with imports again.
    pub(crate) fn collapse(mut self) -> File {
        self.settle();
        let imported = self.imported();
        self.genes.retain(|gene| gene.unit().is_none_or(|unit| !imported.contains(&unit.name.text)));
        let named: BTreeSet<&str> = self.references().collect();
        let names: Vec<_> =
            imported.iter().filter(|name| named.contains(name.as_str())).map(|name| tree::ident(name)).collect();
        let import = (!names.is_empty()).then(|| {
            let kind = ItemKind::Use(Use { path: vec![tree::ident("std")], names });
            bare_item(kind)
        });
        let items = import.into_iter().chain(self.genes.into_iter().map(Gene::into_item)).collect();
        File { docs: self.docs, items, trailing: self.trailing }
    }

    /// The standard units that are what they were, under their own name.
    fn imported(&self) -> BTreeSet<String> {
        let own = self.standard.iter().filter(|(local, copied)| **local == copied.name);
        own.map(|(local, _)| local.clone()).collect()
    }

    /// What the items mention.
    fn references(&self) -> impl Iterator<Item = &str> {
        let units = self.genes.iter().flat_map(|gene| gene.heads()).map(String::as_str);
        let design = self.design().into_iter().flat_map(design_refs).map(|unit| unit.name.text.as_str());
        units.chain(design)
    }

    /// Copies that differ from the standard unit, by their own text or by what they call.
    fn changed_copies(&self) -> BTreeSet<String> {
        let copies = || self.genes.iter().filter_map(|gene| Some((gene, &gene.unit()?.name.text)));
        let differs = |gene: &Arc<Gene>, name: &str| {
            self.standard.get(name).is_some_and(|copied| !Arc::ptr_eq(&copied.gene, gene))
        };
        let mut changed: BTreeSet<String> =
            copies().filter(|(gene, name)| differs(gene, name)).map(|(_, name)| name.clone()).collect();
        loop {
            let more: Vec<String> = copies()
                .filter(|(_, name)| self.standard.contains_key(*name) && !changed.contains(*name))
                .filter(|(gene, _)| gene.heads().iter().any(|head| changed.contains(head)))
                .map(|(_, name)| name.clone())
                .collect();
            if more.is_empty() {
                return changed;
            }
            changed.extend(more);
        }
    }

    fn rename(&mut self, names: &BTreeMap<String, String>) {
        for gene in &mut self.genes {
            if renames(gene, names) || matches!(gene.item().kind, ItemKind::Design(_)) {
                rename_item(Gene::edit(gene), names);
            }
        }
    }
}
