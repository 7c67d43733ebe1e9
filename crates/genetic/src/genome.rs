//! A design with the standard units it uses written out, which is what operators work on.
//!
//! [`Genome::expand`] copies the standard units into the file, so that an operator sees one closed
//! set of units and may change any of them; [`Genome::collapse`] turns the copies that are still
//! what they were back into imports, and gives a name of their own to those that are not.
//! [`Genome::graft`] brings a unit of another genome with all it needs: it is closed already, since
//! a unit has no free names but those of units, and these are renamed apart.

use std::collections::{BTreeMap, BTreeSet};

use genesys_span::Span;
use genesys_syntax::ast::{
    Comments, Design, ExprId, ExprKind, File, Item, ItemKind, StackItem, StackKind, Unit, UnitRef, Use,
};
use genesys_syntax::ast::{Field, FieldValue};

use crate::tree;

/// A closed file: no imports, every unit it calls is in it.
#[derive(Clone, Debug)]
pub(crate) struct Genome {
    /// Items without `use`.
    file: File,
    /// Local name -> the standard unit it is a copy of.
    standard: BTreeMap<String, Copied>,
    /// Names that a fresh unit may not take: those of all standard units.
    reserved: BTreeSet<String>,
    /// The next expression number that no expression has.
    next: u32,
}

/// A copy of a standard unit.
#[derive(Clone, Debug)]
struct Copied {
    /// Its standard name.
    name: String,
    /// The copy as it was made: while the unit is equal to it, it is the standard unit.
    item: Item,
}

/// Units that may be grafted.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    genome: Genome,
}

impl Source {
    /// The standard units.
    pub(crate) fn standard(std: &File) -> Source {
        let mut genome = Genome::empty(std);
        for item in &std.items {
            if let ItemKind::Unit(unit) = &item.kind {
                let name = unit.name.text.clone();
                let item = genome.numbered(item.clone());
                genome.standard.insert(name.clone(), Copied { name, item: item.clone() });
                genome.file.items.push(item);
            }
        }
        Source { genome }
    }

    /// The units of a design.
    pub(crate) fn design(file: &File, std: &Source) -> Source {
        Source { genome: Genome::expand(file, std) }
    }

    /// Its units.
    pub(crate) fn genome(&self) -> &Genome {
        &self.genome
    }
}

impl Genome {
    fn empty(std: &File) -> Genome {
        let reserved = std.items.iter().filter_map(as_unit).map(|unit| unit.name.text.clone()).collect();
        Genome { file: File::default(), standard: BTreeMap::new(), reserved, next: 0 }
    }

    /// Writes out the standard units that a file imports.
    pub(crate) fn expand(file: &File, std: &Source) -> Genome {
        let reserved = std.genome.reserved.clone();
        let own = File { docs: file.docs.clone(), items: Vec::new(), trailing: file.trailing.clone() };
        let mut genome = Genome { file: own, standard: BTreeMap::new(), reserved, next: 0 };
        let mut imports = Vec::new();
        for item in &file.items {
            match &item.kind {
                ItemKind::Use(import) => imports.extend(import.names.iter().map(|name| name.text.clone())),
                ItemKind::Design(_) | ItemKind::Unit(_) => {
                    let item = genome.numbered(item.clone());
                    genome.file.items.push(item);
                }
            }
        }
        for name in imports {
            genome.graft(std, &name);
        }
        genome
    }

    /// The file with imports again: copies that are still standard units become `use std`, others
    /// that bear a standard name get a fresh one. Copies that nothing calls are left out.
    pub(crate) fn collapse(mut self) -> File {
        let changed = self.changed_copies();
        for name in &changed {
            self.standard.remove(name);
            if self.reserved.contains(name) {
                let fresh = self.fresh(name);
                self.rename(&BTreeMap::from([(name.clone(), fresh)]));
            }
        }
        let imported: BTreeSet<String> = self
            .standard
            .iter()
            .filter(|(local, copied)| **local == copied.name)
            .map(|(local, _)| local.clone())
            .collect();
        self.file.items.retain(|item| as_unit(item).is_none_or(|unit| !imported.contains(&unit.name.text)));
        let named: BTreeSet<String> = self.file.items.iter().flat_map(references).collect();
        let names: Vec<_> = imported.intersection(&named).map(|name| tree::ident(name)).collect();
        if !names.is_empty() {
            let kind = ItemKind::Use(Use { path: vec![tree::ident("std")], names });
            self.file.items.insert(0, bare_item(kind));
        }
        self.file
    }

    /// Copies that differ from the standard unit, by their own text or by what they call.
    fn changed_copies(&self) -> BTreeSet<String> {
        let mut changed: BTreeSet<String> = self
            .file
            .items
            .iter()
            .filter_map(|item| as_unit(item).map(|unit| (&unit.name.text, item)))
            .filter(|(name, item)| self.standard.get(*name).is_some_and(|copied| copied.item != **item))
            .map(|(name, _)| name.clone())
            .collect();
        loop {
            let callers: Vec<String> = self
                .units()
                .map(|unit| &unit.name.text)
                .filter(|name| self.standard.contains_key(*name) && !changed.contains(*name))
                .filter(|name| self.callees(name).iter().any(|callee| changed.contains(callee)))
                .cloned()
                .collect();
            if callers.is_empty() {
                return changed;
            }
            changed.extend(callers);
        }
    }

    /// Brings a unit of another genome, with all it needs; returns its name here.
    pub(crate) fn graft(&mut self, source: &Source, name: &str) -> String {
        let mut names = BTreeMap::new();
        self.graft_into(&source.genome, name, &mut names);
        names.remove(name).unwrap_or_else(|| name.into())
    }

    fn graft_into(&mut self, source: &Genome, name: &str, names: &mut BTreeMap<String, String>) {
        let Some(item) = source.item(name) else { return };
        if names.contains_key(name) {
            return;
        }
        for callee in source.callees(name) {
            self.graft_into(source, &callee, names);
        }
        let copied = source.standard.get(name).filter(|copied| copied.item == *item);
        let here = copied.and_then(|copied| self.copy_of(&copied.name));
        let local = here.or_else(|| self.twin(item, names)).unwrap_or_else(|| {
            let wish = copied.map_or(name, |copied| copied.name.as_str());
            let local = if copied.is_some() && !self.is_taken(wish) { wish.into() } else { self.fresh(wish) };
            let mut item = self.numbered(item.clone());
            let mut map = names.clone();
            map.insert(name.into(), local.clone());
            rename_item(&mut item, &map);
            if let Some(copied) = copied {
                self.standard.insert(local.clone(), Copied { name: copied.name.clone(), item: item.clone() });
            }
            self.file.items.push(item);
            local
        });
        names.insert(name.into(), local);
    }

    /// The unchanged copy of a standard unit, if there is one.
    fn copy_of(&self, standard: &str) -> Option<String> {
        let unchanged = |local: &str, copied: &Copied| self.item(local).is_some_and(|item| *item == copied.item);
        self.standard
            .iter()
            .find(|(local, copied)| copied.name == standard && unchanged(local, copied))
            .map(|(local, _)| local.clone())
    }

    /// A unit here of the same name that means the same, so that no second copy is needed.
    fn twin(&self, item: &Item, names: &BTreeMap<String, String>) -> Option<String> {
        let unit = as_unit(item)?;
        let here = self.unit(&unit.name.text)?;
        let mut other = unit.clone();
        rename_unit(&mut other, names);
        (genesys_syntax::print_unit(here) == genesys_syntax::print_unit(&other)).then(|| unit.name.text.clone())
    }

    /// A copy of a unit under a fresh name, which it returns.
    pub(crate) fn duplicate(&mut self, name: &str) -> Option<String> {
        let item = self.item(name)?.clone();
        let fresh = self.fresh(name);
        let mut item = self.numbered(item);
        rename_item(&mut item, &BTreeMap::from([(name.to_string(), fresh.clone())]));
        self.file.items.push(item);
        Some(fresh)
    }

    /// Gives an item's expressions numbers that no expression here has.
    fn numbered(&mut self, mut item: Item) -> Item {
        if let ItemKind::Unit(unit) = &mut item.kind {
            tree::visit_mut(&mut unit.body, &mut |e| {
                e.id = ExprId(self.next);
                self.next += 1;
            });
        }
        item
    }

    /// A name like `base` that no unit here and no standard unit has.
    fn fresh(&self, base: &str) -> String {
        let taken = |name: &str| self.is_taken(name) || self.reserved.contains(name);
        if !taken(base) {
            return base.into();
        }
        let stem = base.trim_end_matches(|c: char| c.is_ascii_digit());
        let stem = if stem.is_empty() { base } else { stem };
        let mut number = 2u32;
        while taken(&format!("{stem}{number}")) {
            number += 1;
        }
        format!("{stem}{number}")
    }

    fn is_taken(&self, name: &str) -> bool {
        self.unit(name).is_some() || self.design().is_some_and(|design| design.name.text == name)
    }

    fn rename(&mut self, names: &BTreeMap<String, String>) {
        self.file.items.iter_mut().for_each(|item| rename_item(item, names));
    }

    /// All units, in order.
    pub(crate) fn units(&self) -> impl Iterator<Item = &Unit> {
        self.file.items.iter().filter_map(as_unit)
    }

    /// A unit.
    pub(crate) fn unit(&self, name: &str) -> Option<&Unit> {
        self.units().find(|unit| unit.name.text == name)
    }

    /// All units, to be changed.
    pub(crate) fn units_mut(&mut self) -> impl Iterator<Item = &mut Unit> {
        self.file.items.iter_mut().filter_map(|item| match &mut item.kind {
            ItemKind::Unit(unit) => Some(unit),
            ItemKind::Use(_) | ItemKind::Design(_) => None,
        })
    }

    /// A unit, to be changed.
    pub(crate) fn unit_mut(&mut self, name: &str) -> Option<&mut Unit> {
        self.units_mut().find(|unit| unit.name.text == name)
    }

    fn item(&self, name: &str) -> Option<&Item> {
        self.file.items.iter().find(|item| as_unit(item).is_some_and(|unit| unit.name.text == name))
    }

    /// The items, to be changed as a whole.
    pub(crate) fn items_mut(&mut self) -> &mut Vec<Item> {
        &mut self.file.items
    }

    /// The lines at the top of the file, to be changed.
    pub(crate) fn docs_mut(&mut self) -> &mut Vec<String> {
        &mut self.file.docs
    }

    /// Whether a unit is, by now, just a standard one.
    pub(crate) fn is_standard(&self, name: &str) -> bool {
        self.standard.get(name).is_some_and(|copied| self.item(name).is_some_and(|item| *item == copied.item))
    }

    /// The design, which a checked file has exactly once; the standard units have none.
    pub(crate) fn design(&self) -> Option<&Design> {
        self.file.items.iter().find_map(|item| match &item.kind {
            ItemKind::Design(design) => Some(design),
            ItemKind::Use(_) | ItemKind::Unit(_) => None,
        })
    }

    /// The design, to be changed.
    pub(crate) fn design_mut(&mut self) -> Option<&mut Design> {
        self.file.items.iter_mut().find_map(|item| match &mut item.kind {
            ItemKind::Design(design) => Some(design),
            ItemKind::Use(_) | ItemKind::Unit(_) => None,
        })
    }

    /// A field of the design.
    pub(crate) fn field(&self, name: &str) -> Option<&FieldValue> {
        self.design()?.fields.iter().find(|field| field.name.text == name).map(|field| &field.value)
    }

    /// Sets a field of the design, which is added where it is missing.
    pub(crate) fn set_field(&mut self, name: &str, value: FieldValue) {
        let Some(design) = self.design_mut() else { return };
        match design.fields.iter_mut().find(|field| field.name.text == name) {
            Some(field) => field.value = value,
            None => {
                let comments = Comments::default();
                design.fields.push(Field { name: tree::ident(name), value, comments, span: Span::default() });
            }
        }
    }

    /// The stack as written.
    pub(crate) fn stack(&self) -> &[StackItem] {
        match self.field("stack") {
            Some(FieldValue::Stack(items)) => items,
            Some(FieldValue::Unit(_) | FieldValue::Bool(_)) | None => &[],
        }
    }

    /// The units that stand in the stack.
    pub(crate) fn stack_units(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        unit_refs(self.stack(), &mut |unit| {
            names.insert(unit.name.text.clone());
        });
        names
    }

    /// The units that a unit's body calls.
    pub(crate) fn callees(&self, name: &str) -> BTreeSet<String> {
        let Some(unit) = self.unit(name) else { return BTreeSet::new() };
        heads(unit).into_iter().filter(|head| self.unit(head).is_some()).collect()
    }

    /// The units that a unit calls, directly or through others, and itself.
    pub(crate) fn closure(&self, roots: impl IntoIterator<Item = String>) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<String> = roots.into_iter().collect();
        while let Some(name) = open.pop() {
            if self.unit(&name).is_some() && seen.insert(name.clone()) {
                open.extend(self.callees(&name));
            }
        }
        seen
    }

    /// The units that the design reaches.
    pub(crate) fn reachable(&self) -> BTreeSet<String> {
        let design = self.file.items.iter().filter(|item| as_unit(item).is_none());
        self.closure(design.flat_map(references))
    }
}

/// The unit an item is.
fn as_unit(item: &Item) -> Option<&Unit> {
    match &item.kind {
        ItemKind::Unit(unit) => Some(unit),
        ItemKind::Use(_) | ItemKind::Design(_) => None,
    }
}

fn bare_item(kind: ItemKind) -> Item {
    Item { docs: Vec::new(), comments: Comments::default(), span: Span::default(), kind }
}

/// What a unit's body calls, primitives included.
pub(crate) fn heads(unit: &Unit) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    tree::visit(&unit.body, &mut |e| {
        if let ExprKind::Call(call) = &e.kind {
            names.insert(call.head.text.clone());
        }
    });
    names
}

/// The names of units, and of primitives, that an item mentions.
fn references(item: &Item) -> BTreeSet<String> {
    match &item.kind {
        ItemKind::Use(_) => BTreeSet::new(),
        ItemKind::Unit(unit) => heads(unit),
        ItemKind::Design(design) => {
            let mut names = BTreeSet::new();
            for field in &design.fields {
                match &field.value {
                    FieldValue::Stack(items) => unit_refs(items, &mut |unit| {
                        names.insert(unit.name.text.clone());
                    }),
                    FieldValue::Unit(unit) => {
                        names.insert(unit.name.text.clone());
                    }
                    FieldValue::Bool(_) => {}
                }
            }
            names
        }
    }
}

/// Every unit of a stack, in order.
pub(crate) fn unit_refs<'a>(items: &'a [StackItem], see: &mut dyn FnMut(&'a UnitRef)) {
    for item in items {
        match &item.kind {
            StackKind::Unit(unit) => see(unit),
            StackKind::Group(inner) => unit_refs(inner, see),
        }
    }
}

/// Every unit of a stack, in order, to be changed.
pub(crate) fn unit_refs_mut(items: &mut [StackItem], see: &mut dyn FnMut(&mut UnitRef)) {
    for item in items {
        match &mut item.kind {
            StackKind::Unit(unit) => see(unit),
            StackKind::Group(inner) => unit_refs_mut(inner, see),
        }
    }
}

fn rename_item(item: &mut Item, names: &BTreeMap<String, String>) {
    let rename = |unit: &mut UnitRef| rename_text(&mut unit.name.text, names);
    match &mut item.kind {
        ItemKind::Use(_) => {}
        ItemKind::Unit(unit) => rename_unit(unit, names),
        ItemKind::Design(design) => {
            for field in &mut design.fields {
                match &mut field.value {
                    FieldValue::Stack(items) => unit_refs_mut(items, &mut { rename }),
                    FieldValue::Unit(unit) => rename(unit),
                    FieldValue::Bool(_) => {}
                }
            }
        }
    }
}

fn rename_unit(unit: &mut Unit, names: &BTreeMap<String, String>) {
    rename_text(&mut unit.name.text, names);
    tree::visit_mut(&mut unit.body, &mut |e| {
        if let ExprKind::Call(call) = &mut e.kind {
            rename_text(&mut call.head.text, names);
        }
    });
}

fn rename_text(text: &mut String, names: &BTreeMap<String, String>) {
    if let Some(new) = names.get(text) {
        text.clone_from(new);
    }
}
