//! The standard units, checked once for all the designs that use them.
//!
//! In: their syntax tree. Out: a [`Library`], which [`check`](crate::check) takes beside a design. Nothing about a
//! standard unit depends on the design that calls it, so that what was found of it holds for all.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use genesys_diag::Diagnostic;
use genesys_syntax::ast::{self, Item, ItemKind, Unit};

use crate::elaborate::Elaborated;
use crate::{elaborate, finish, identity, resolve};

/// Units that designs import.
#[derive(Clone, Debug, Default)]
pub struct Library {
    file: ast::File,
    /// Places of the units among the file's items, callees before callers.
    order: Vec<usize>,
    /// What is known of each, in that order.
    known: Vec<Known>,
    /// What each means where it is given the width's values and nothing is bound, if that has a meaning, in that order.
    closed: Vec<Option<Elaborated>>,
    /// The same as functions of a stack, worked out where a design stacks one, in that order.
    stacked: Vec<OnceLock<Option<Stacked>>>,
    /// The place in that order by name.
    by_name: BTreeMap<String, usize>,
    diagnostics: Vec<Diagnostic>,
}

/// A unit as a function of a stack.
#[derive(Clone, Debug)]
pub(crate) struct Stacked {
    /// What it means; its weights are numbered.
    pub(crate) elaborated: Elaborated,
    /// The digest of its graph, which is part of the hash of a design that stacks it.
    pub(crate) digest: blake3::Hash,
}

/// What checking a unit of a library found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// Whether it calls itself, directly or through others.
    pub(crate) recursive: bool,
    /// Whether an error was found in it.
    pub(crate) broken: bool,
}

impl Library {
    /// Checks units that stand alone.
    pub fn new(file: ast::File) -> Library {
        let mut diagnostics = Vec::new();
        let empty = Library::default();
        let units = resolve::resolve(&file, &empty, &mut diagnostics);
        let checks = elaborate::check_units(&units, &mut diagnostics);
        finish(&mut diagnostics);
        let closed = (0..units.all.len()).map(|index| {
            let sound = !checks.broken[index] && !units.all[index].recursive;
            // What has no meaning at the width is no error: a call may give it one.
            sound.then(|| elaborate::instantiate_root(&units, &checks, index, &[], &mut Vec::new())).flatten()
        });
        let closed = closed.collect();
        let place = |unit: &Unit| {
            file.items.iter().position(|item| unit_of(item).is_some_and(|other| std::ptr::eq(other, unit)))
        };
        let order = units.all.iter().map(|entry| place(entry.unit).expect("a unit of this file")).collect();
        let known = units.all.iter().zip(&checks.broken);
        let known = known.map(|(entry, &broken)| Known { recursive: entry.recursive, broken }).collect();
        let by_name = units.all.iter().enumerate().map(|(n, entry)| (entry.unit.name.text.clone(), n)).collect();
        let stacked = vec![OnceLock::new(); units.all.len()];
        Library { order, known, closed, stacked, by_name, diagnostics, file }
    }

    /// Their syntax tree.
    pub fn file(&self) -> &ast::File {
        &self.file
    }

    /// What is wrong with them, in the order of the text; a sound library has nothing here.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Its units, callees before callers.
    pub(crate) fn units(&self) -> impl Iterator<Item = (&Unit, Known)> {
        let units = self.order.iter().filter_map(|&item| unit_of(&self.file.items[item]));
        units.zip(self.known.iter().copied())
    }

    /// What the unit at a place in that order means at the width.
    pub(crate) fn closed(&self, place: usize) -> Option<&Elaborated> {
        self.closed.get(place)?.as_ref()
    }

    /// The unit at a place in that order as a function of a stack, if it is one where nothing is bound.
    pub(crate) fn stacked(&self, place: usize) -> Option<&Stacked> {
        let stacked = || {
            let mut elaborated = self.closed(place)?.clone();
            let digest = identity::identify_graph(&mut elaborated.graph);
            Some(Stacked { elaborated, digest })
        };
        self.stacked.get(place)?.get_or_init(stacked).as_ref()
    }

    /// The same units, of which none is copied.
    #[cfg(test)]
    pub(crate) fn expanding(self) -> Library {
        Library { closed: Vec::new(), stacked: Vec::new(), ..self }
    }

    /// The place of a unit in that order.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The names of its units.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}

fn unit_of(item: &Item) -> Option<&Unit> {
    match &item.kind {
        ItemKind::Unit(unit) => Some(unit),
        ItemKind::Use(_) | ItemKind::Design(_) => None,
    }
}
