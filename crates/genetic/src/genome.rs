//! A design with the standard units it uses written out, which is what operators work on.
//!
//! [`Genome::expand`] copies the standard units into the file, so that an operator sees one closed
//! set of units and may change any of them; [`Genome::collapse`](crate::collapse) turns the copies
//! that are still what they were back into imports, and gives a name of their own to those that are
//! not. [`Genome::graft`] brings a unit of another genome with all it needs: it is closed already,
//! since a unit has no free names but those of units, and these are renamed apart.
//!
//! Units are shared: a copy of a genome copies no tree, and a change copies one unit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use genesys_span::Span;
use genesys_syntax::ast::{
    Comments, Design, ExprKind, Field, FieldValue, File, Item, ItemKind, StackItem, StackKind, Unit, UnitRef,
};

use crate::gene::Gene;
use crate::rename::{rename_item, renames};
use crate::tree;

/// A closed file: no imports, every unit it calls is in it.
#[derive(Clone, Debug)]
pub(crate) struct Genome {
    /// The lines at the top of the file.
    pub(crate) docs: Vec<String>,
    /// Comments behind the last item.
    pub(crate) trailing: Vec<String>,
    /// Items without `use`.
    pub(crate) genes: Vec<Arc<Gene>>,
    /// Local name -> the standard unit it is a copy of.
    pub(crate) standard: BTreeMap<String, Copied>,
    /// Names that a fresh unit may not take: those of all standard units.
    pub(crate) reserved: Arc<BTreeSet<String>>,
}

/// A copy of a standard unit.
#[derive(Clone, Debug)]
pub(crate) struct Copied {
    /// Its standard name.
    pub(crate) name: String,
    /// The copy as it was made: while the genome holds this very gene, it is the standard unit.
    pub(crate) gene: Arc<Gene>,
}

/// Units that may be grafted.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    genome: Genome,
}

impl Source {
    /// The standard units.
    pub(crate) fn standard(std: &File) -> Source {
        let genes = std.items.iter().filter(|item| matches!(item.kind, ItemKind::Unit(_)));
        let genes: Vec<Arc<Gene>> = genes.map(|item| Arc::new(Gene::numbered(item.clone()))).collect();
        let names = genes.iter().filter_map(|gene| gene.unit().map(|unit| (unit.name.text.clone(), gene)));
        let standard: BTreeMap<String, Copied> =
            names.map(|(name, gene)| (name.clone(), Copied { name, gene: Arc::clone(gene) })).collect();
        let reserved = Arc::new(standard.keys().cloned().collect());
        Source { genome: Genome { docs: Vec::new(), trailing: Vec::new(), genes, standard, reserved } }
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

/// An item whose scans state no class: operators change updates, and a class is a claim about them.
fn unstated(mut item: Item) -> Item {
    if let ItemKind::Unit(unit) = &mut item.kind {
        crate::tree::visit_mut(&mut unit.body, &mut |e| {
            if let ExprKind::Scan(scan) = &mut e.kind {
                scan.class = None;
            }
        });
    }
    item
}

impl Genome {
    /// Writes out the standard units that a file imports.
    pub(crate) fn expand(file: &File, std: &Source) -> Genome {
        let mut genome = Genome {
            docs: file.docs.clone(),
            trailing: file.trailing.clone(),
            genes: Vec::new(),
            standard: BTreeMap::new(),
            reserved: Arc::clone(&std.genome.reserved),
        };
        let mut imports = Vec::new();
        for item in &file.items {
            match &item.kind {
                ItemKind::Use(import) => imports.extend(import.names.iter().map(|name| name.text.clone())),
                ItemKind::Design(_) | ItemKind::Unit(_) => {
                    genome.genes.push(Arc::new(Gene::numbered(unstated(item.clone()))));
                }
            }
        }
        for name in imports {
            genome.graft(std, &name);
        }
        genome
    }

    /// Brings a unit of another genome, with all it needs; returns its name here.
    pub(crate) fn graft(&mut self, source: &Source, name: &str) -> String {
        let mut names = BTreeMap::new();
        self.graft_into(&source.genome, name, &mut names);
        names.remove(name).unwrap_or_else(|| name.into())
    }

    fn graft_into(&mut self, source: &Genome, name: &str, names: &mut BTreeMap<String, String>) {
        let Some(gene) = source.gene(name) else { return };
        if names.contains_key(name) {
            return;
        }
        for callee in source.callees(name) {
            self.graft_into(source, callee, names);
        }
        let copied = source.standard.get(name).filter(|copied| Arc::ptr_eq(&copied.gene, gene));
        let here = copied.and_then(|copied| self.copy_of(&copied.name));
        let local = here.or_else(|| self.twin(gene, name, names)).unwrap_or_else(|| {
            let wish = copied.map_or(name, |copied| copied.name.as_str());
            let local = if copied.is_some() && !self.is_taken(wish) { wish.into() } else { self.fresh(wish) };
            let mut map = names.clone();
            map.insert(name.into(), local.clone());
            let gene = if renames(gene, &map) { renamed(gene, &map) } else { Arc::clone(gene) };
            if let Some(copied) = copied {
                self.standard.insert(local.clone(), Copied { name: copied.name.clone(), gene: Arc::clone(&gene) });
            }
            self.genes.push(gene);
            local
        });
        names.insert(name.into(), local);
    }

    /// The unchanged copy of a standard unit, if there is one.
    fn copy_of(&self, standard: &str) -> Option<String> {
        let mut copies = self.standard.iter().filter(|(_, copied)| copied.name == standard);
        copies.find(|(local, _)| self.is_standard(local)).map(|(local, _)| local.clone())
    }

    /// A unit here of the same name that means the same, so that no second copy is needed.
    fn twin(&self, gene: &Arc<Gene>, name: &str, names: &BTreeMap<String, String>) -> Option<String> {
        let here = self.gene(name)?;
        let same = if renames(gene, names) {
            here.text() == renamed(gene, names).text()
        } else {
            Arc::ptr_eq(here, gene) || here.text() == gene.text()
        };
        same.then(|| name.to_string())
    }

    /// A copy of a unit under a fresh name, which it returns.
    pub(crate) fn duplicate(&mut self, name: &str) -> Option<String> {
        let gene = self.gene(name)?;
        let fresh = self.fresh(name);
        let copy = renamed(gene, &BTreeMap::from([(name.to_string(), fresh.clone())]));
        self.genes.push(copy);
        Some(fresh)
    }

    /// Adds a unit, whose name is free.
    pub(crate) fn add(&mut self, unit: Unit, docs: Vec<String>) {
        let mut gene = Arc::new(Gene::numbered(Item { docs, ..bare_item(ItemKind::Unit(unit)) }));
        Gene::edit(&mut gene);
        self.genes.push(gene);
    }

    /// A name like `base` that no unit here and no standard unit has.
    pub(crate) fn fresh(&self, base: &str) -> String {
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
        self.gene(name).is_some() || self.design().is_some_and(|design| design.name.text == name)
    }

    /// All units, in order.
    pub(crate) fn units(&self) -> impl Iterator<Item = &Unit> {
        self.genes.iter().filter_map(|gene| gene.unit())
    }

    /// A unit.
    pub(crate) fn unit(&self, name: &str) -> Option<&Unit> {
        self.gene(name).and_then(|gene| gene.unit())
    }

    /// A unit, with what is known of it.
    pub(crate) fn gene(&self, name: &str) -> Option<&Arc<Gene>> {
        self.genes.iter().find(|gene| gene.unit().is_some_and(|unit| unit.name.text == name))
    }

    /// The units that call one of these names, to be changed.
    pub(crate) fn callers_mut(&mut self, name: &str) -> impl Iterator<Item = &mut Unit> {
        self.genes.iter_mut().filter(|gene| gene.heads().contains(name)).filter_map(Gene::edit_unit)
    }

    /// A unit, to be changed.
    pub(crate) fn unit_mut(&mut self, name: &str) -> Option<&mut Unit> {
        let at = self.genes.iter().position(|gene| gene.unit().is_some_and(|unit| unit.name.text == name))?;
        Gene::edit_unit(&mut self.genes[at])
    }

    /// Whether a unit is, by now, just a standard one.
    pub(crate) fn is_standard(&self, name: &str) -> bool {
        self.standard
            .get(name)
            .is_some_and(|copied| self.gene(name).is_some_and(|gene| Arc::ptr_eq(gene, &copied.gene)))
    }

    /// The design, which a checked file has exactly once; the standard units have none.
    pub(crate) fn design(&self) -> Option<&Design> {
        self.genes.iter().find_map(|gene| match &gene.item().kind {
            ItemKind::Design(design) => Some(design),
            ItemKind::Use(_) | ItemKind::Unit(_) => None,
        })
    }

    /// The design, to be changed.
    pub(crate) fn design_mut(&mut self) -> Option<&mut Design> {
        let at = self.genes.iter().position(|gene| matches!(gene.item().kind, ItemKind::Design(_)))?;
        match &mut Gene::edit(&mut self.genes[at]).kind {
            ItemKind::Design(design) => Some(design),
            ItemKind::Use(_) | ItemKind::Unit(_) => None,
        }
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

    /// Whether units of the stack hand values to one another beside the main one: then none of them
    /// may be moved, left out or replaced without a look at the others.
    pub(crate) fn has_side_values(&self) -> bool {
        let refs = self.design().into_iter().flat_map(design_refs);
        let mut units = refs.filter_map(|unit| self.unit(&unit.name.text));
        units.any(|unit| unit.params.len() > 1 || !unit.further.is_empty())
    }

    /// The units that a unit's body calls.
    pub(crate) fn callees(&self, name: &str) -> Vec<&str> {
        let heads = self.gene(name).into_iter().flat_map(|gene| gene.heads());
        heads.map(String::as_str).filter(|head| self.gene(head).is_some()).collect()
    }

    /// The units that a unit calls, directly or through others, and itself.
    pub(crate) fn closure<'a>(&'a self, roots: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> = roots.into_iter().collect();
        while let Some(name) = open.pop() {
            if !seen.contains(name) && self.gene(name).is_some() {
                seen.insert(name.to_string());
                open.extend(self.callees(name));
            }
        }
        seen
    }

    /// The units that the design reaches.
    pub(crate) fn reachable(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for unit in self.design().into_iter().flat_map(design_refs) {
            names.insert(unit.name.text.as_str());
            unit.statics.iter().for_each(|arg| tree::static_names(&arg.value, &mut names));
        }
        self.closure(names)
    }
}

/// A shared unit, renamed, as if it had always been called so.
fn renamed(gene: &Gene, names: &BTreeMap<String, String>) -> Arc<Gene> {
    let mut item = gene.item().clone();
    rename_item(&mut item, names);
    Arc::new(Gene::new(item))
}

/// An item without comments or place.
pub(crate) fn bare_item(kind: ItemKind) -> Item {
    Item { docs: Vec::new(), comments: Comments::default(), span: Span::default(), kind }
}

/// The units that a design names.
pub(crate) fn design_refs(design: &Design) -> Vec<&UnitRef> {
    let mut all = Vec::new();
    for field in &design.fields {
        match &field.value {
            FieldValue::Stack(items) => unit_refs(items, &mut |unit| all.push(unit)),
            FieldValue::Unit(unit) => all.push(unit),
            FieldValue::Bool(_) => {}
        }
    }
    all
}

/// Every unit that a design names, to be changed.
pub(crate) fn design_refs_mut(design: &mut Design, see: &mut dyn FnMut(&mut UnitRef)) {
    for field in &mut design.fields {
        match &mut field.value {
            FieldValue::Stack(items) => unit_refs_mut(items, see),
            FieldValue::Unit(unit) => see(unit),
            FieldValue::Bool(_) => {}
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
