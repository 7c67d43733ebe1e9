//! Renames units in an item, where they are declared and where they are called.

use std::collections::BTreeMap;

use genesys_syntax::ast::{ExprKind, Item, ItemKind};

use crate::gene::Gene;
use crate::genome::design_refs_mut;
use crate::tree;

/// Whether renaming would change a unit.
pub(crate) fn renames(gene: &Gene, names: &BTreeMap<String, String>) -> bool {
    let own = gene.unit().map(|unit| &unit.name.text);
    gene.heads().iter().chain(own).any(|name| names.get(name).is_some_and(|new| new != name))
}

/// Renames the units that an item declares or calls.
pub(crate) fn rename_item(item: &mut Item, names: &BTreeMap<String, String>) {
    match &mut item.kind {
        ItemKind::Use(_) => {}
        ItemKind::Unit(unit) => {
            rename_text(&mut unit.name.text, names);
            tree::static_units_mut(unit, &mut |name| rename_text(&mut name.text, names));
            tree::visit_mut(&mut unit.body, &mut |e| {
                if let ExprKind::Call(call) = &mut e.kind {
                    rename_text(&mut call.head.text, names);
                }
            });
        }
        ItemKind::Design(design) => design_refs_mut(design, &mut |unit| {
            rename_text(&mut unit.name.text, names);
            tree::names_of_statics_mut(&mut unit.statics, &mut |name| rename_text(&mut name.text, names));
        }),
    }
}

fn rename_text(text: &mut String, names: &BTreeMap<String, String>) {
    if let Some(new) = names.get(text) {
        text.clone_from(new);
    }
}
