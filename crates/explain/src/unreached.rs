//! Units of a file that its design never reaches.

use std::collections::BTreeSet;

use genesys_span::{Sources, Span};
use genesys_syntax::ast::{File, Item, ItemKind};

/// Their names, in the order of the text.
///
/// A unit is reached where its name stands, comments aside, in the design or in a unit that is reached.
pub(crate) fn unreached(sources: &Sources, file: &File) -> Vec<String> {
    let unit = |item: &Item| match &item.kind {
        ItemKind::Unit(unit) => Some((unit.name.text.clone(), words(sources, item.span))),
        ItemKind::Use(_) | ItemKind::Design(_) => None,
    };
    let units: Vec<(String, BTreeSet<&str>)> = file.items.iter().filter_map(unit).collect();
    let designs = file.items.iter().filter(|item| matches!(item.kind, ItemKind::Design(_)));
    let mut open: Vec<&str> = designs.flat_map(|item| words(sources, item.span)).collect();
    let mut reached = BTreeSet::new();
    while let Some(name) = open.pop() {
        if reached.insert(name)
            && let Some((_, inside)) = units.iter().find(|(unit, _)| unit == name)
        {
            open.extend(inside);
        }
    }
    units.iter().filter(|(name, _)| !reached.contains(name.as_str())).map(|(name, _)| name.clone()).collect()
}

/// The names in a text, without its comments.
fn words(sources: &Sources, span: Span) -> BTreeSet<&str> {
    let code = sources.text(span).lines().map(|line| line.split("//").next().unwrap_or(""));
    code.flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')).collect()
}
