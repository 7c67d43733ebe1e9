//! A file in which a unit without a body is filled by the text of an answer.

use std::sync::Arc;

use genesys_syntax::ast::{Block, File, Item, ItemKind, Unit};
use genesys_syntax::print;

/// A file in which a unit without a body is that of another file, with the units and imports that come with it.
pub(crate) fn joined(file: &Arc<File>, answer: &File, unit: &str) -> Result<File, String> {
    let mut all = File::clone(file);
    let units = |file: &File| -> Vec<String> {
        file.items.iter().filter_map(|item| as_unit(item).map(|unit| unit.name.text.clone())).collect()
    };
    let own = units(file);
    let mut found = false;
    for item in &answer.items {
        match &item.kind {
            ItemKind::Design(_) => return Err(format!("expected `unit {unit}` alone, found a design")),
            ItemKind::Use(_) => all.items.insert(0, item.clone()),
            ItemKind::Unit(new) if new.name.text == unit => {
                let old = all.items.iter_mut().find(|item| as_unit(item).is_some_and(|old| old.name.text == unit));
                let old = old.ok_or_else(|| format!("there is no `unit {unit}` to be written"))?;
                let (wanted, given) = (signature(old), signature(item));
                if wanted != given {
                    return Err(format!("expected the signature `{wanted}`, found `{given}`"));
                }
                // What was said of it before it was written stays, where nothing is said now.
                let docs = if item.docs.is_empty() { old.docs.clone() } else { item.docs.clone() };
                *old = Item { docs, ..item.clone() };
                found = true;
            }
            ItemKind::Unit(new) if own.contains(&new.name.text) => {
                return Err(format!("`{}` is there already: give what you add another name", new.name.text));
            }
            ItemKind::Unit(new) if new.is_open() => {
                return Err(format!("`{}` has no body: write those of the units that you add", new.name.text));
            }
            ItemKind::Unit(_) => all.items.push(item.clone()),
        }
    }
    if !found {
        return Err(format!("expected `unit {unit}`, found {}", listed(&units(answer))));
    }
    imports(&mut all);
    genesys_syntax::renumber(&mut all);
    Ok(all)
}

fn as_unit(item: &Item) -> Option<&Unit> {
    match &item.kind {
        ItemKind::Unit(unit) => Some(unit),
        ItemKind::Use(_) | ItemKind::Design(_) => None,
    }
}

/// The names of units, in words.
fn listed(units: &[String]) -> String {
    if units.is_empty() { "no unit".to_owned() } else { format!("`{}`", units.join("`, `")) }
}

/// The first line of a unit without its body.
fn signature(item: &Item) -> String {
    let Some(unit) = as_unit(item) else { return String::new() };
    let body = Block { stmts: Vec::new(), result: None, ..unit.body.clone() };
    let open = Item { docs: Vec::new(), kind: ItemKind::Unit(Unit { body, ..unit.clone() }), ..item.clone() };
    print(&File { items: vec![open], ..File::default() }).trim_end().trim_end_matches(';').to_owned()
}

/// Leaves each import once, in the first line of them.
fn imports(file: &mut File) {
    let mut seen = std::collections::BTreeSet::new();
    for item in &mut file.items {
        if let ItemKind::Use(import) = &mut item.kind {
            import.names.retain(|name| seen.insert(name.text.clone()));
        }
    }
    file.items.retain(|item| !matches!(&item.kind, ItemKind::Use(import) if import.names.is_empty()));
}
