//! The units an operator may bring in: the parent's own, the standard ones, and those of donors.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use genesys_syntax::ast::Unit;

use crate::genome::{Genome, Source};
use crate::interface::{Facts, Interface, facts, has_defaults};
use crate::mutate::Room;
use crate::types::Types;

/// A unit that can be called.
#[derive(Clone, Debug)]
pub(crate) struct Pooled {
    /// Where it comes from; the parent itself where there is none.
    source: Option<Arc<Source>>,
    /// Its name there.
    pub(crate) name: String,
    /// The shape of its signature.
    pub(crate) interface: Interface,
    /// The generic axes that its signature names.
    pub(crate) axes: Vec<String>,
    /// What it does.
    pub(crate) facts: Facts,
    /// Whether its design stacks it: it holds whole layers.
    pub(crate) is_block: bool,
    /// The parent's units that it calls, itself included.
    uses: BTreeSet<String>,
}

impl Pooled {
    /// Makes the unit part of a genome; returns its name there.
    pub(crate) fn bring(&self, genome: &mut Genome) -> String {
        match &self.source {
            None => self.name.clone(),
            Some(source) => genome.graft(source, &self.name),
        }
    }

    /// Whether the unit may be called in the body of a unit of the parent: nothing may call itself.
    pub(crate) fn fits_in(&self, caller: &Unit) -> bool {
        !self.uses.contains(&caller.name.text)
    }

    /// Whether it comes from elsewhere.
    pub(crate) fn is_foreign(&self) -> bool {
        self.source.is_some()
    }

    /// Whether it is that unit of the parent.
    pub(crate) fn is_own(&self, name: &str) -> bool {
        self.source.is_none() && self.name == name
    }

    /// Whether it can be a norm: over a row of axes, with no projection and no other position.
    fn is_norm(&self) -> bool {
        self.interface.is_row() && !self.facts.mixes && !self.facts.projects
    }
}

/// The parent and all units that may be called in it.
pub(crate) struct Pool<'a> {
    /// The parent, standard units written out.
    pub(crate) genome: &'a Genome,
    /// What its units do.
    facts: BTreeMap<String, Facts>,
    /// The parent's units that the design reaches.
    reachable: BTreeSet<String>,
    /// All units, the parent's first.
    pub(crate) units: Vec<Arc<Pooled>>,
    /// What the scales leave room for.
    pub(crate) room: Room,
    /// The types in the parent's units, worked out where an operator asks.
    types: BTreeMap<String, OnceCell<Types>>,
}

impl<'a> Pool<'a> {
    /// Collects the units of the parent and of sources. A unit that was listed before under the
    /// same name with the same text is not listed again.
    pub(crate) fn new(genome: &'a Genome, sources: &[Arc<Source>], room: Room) -> Pool<'a> {
        let (facts, reachable) = (facts(genome), genome.reachable());
        let types = genome.units().map(|unit| (unit.name.text.clone(), OnceCell::new())).collect();
        let mut pool = Pool { genome, facts, reachable, units: Vec::new(), room, types };
        let mut seen = BTreeSet::new();
        pool.add(None, genome, &mut seen);
        for source in sources {
            pool.add(Some(source), source.genome(), &mut seen);
        }
        pool
    }

    fn add(&mut self, source: Option<&Arc<Source>>, from: &Genome, seen: &mut BTreeSet<String>) {
        let facts = facts(from);
        let blocks = from.stack_units();
        for gene in &from.genes {
            let Some(unit) = gene.unit().filter(|unit| has_defaults(unit)) else { continue };
            let name = &unit.name.text;
            let admitted = source.is_some() || self.reachable.contains(name);
            if !(admitted && seen.insert(gene.text().to_string())) {
                continue;
            }
            self.units.push(Arc::new(Pooled {
                source: source.cloned(),
                name: name.clone(),
                interface: Interface::of(unit),
                axes: Interface::axes(unit),
                facts: facts.get(name).copied().unwrap_or_default(),
                is_block: blocks.contains(name),
                uses: self.shared(from, from.closure([name.as_str()])),
            }));
        }
    }

    /// Those of a genome's units that the parent has too, which a graft would not bring again.
    pub(crate) fn shared(&self, from: &Genome, mut names: BTreeSet<String>) -> BTreeSet<String> {
        names.retain(|name| {
            let twins = self.genome.gene(name).zip(from.gene(name));
            twins.is_some_and(|(own, other)| Arc::ptr_eq(own, other) || own.text() == other.text())
        });
        names
    }

    /// Units that can be a norm.
    pub(crate) fn norms(&self) -> impl Iterator<Item = &Arc<Pooled>> {
        self.units.iter().filter(|unit| unit.is_norm())
    }

    /// Whether a name is a norm of the parent's.
    pub(crate) fn is_own_norm(&self, name: &str) -> bool {
        self.norms().any(|norm| norm.is_own(name))
    }

    /// Units `Seq[D] -> Seq[D]` that can be a sublayer: they project, and are not whole blocks.
    pub(crate) fn sublayers(&self) -> impl Iterator<Item = &Arc<Pooled>> {
        self.units.iter().filter(|unit| unit.interface.is_sequence() && unit.facts.projects && !unit.is_block)
    }

    /// The first norm with weights that the parent has, else the first norm there is.
    pub(crate) fn usual_norm(&self) -> Option<&Arc<Pooled>> {
        self.norms().find(|unit| unit.source.is_none() && unit.facts.owns).or_else(|| self.norms().next())
    }

    /// What a unit of the parent does.
    pub(crate) fn facts_of(&self, name: &str) -> Facts {
        self.facts.get(name).copied().unwrap_or_default()
    }

    /// The types in a unit of the parent.
    pub(crate) fn types(&self, unit: &Unit) -> &Types {
        let cell = self.types.get(&unit.name.text).expect("a unit of the parent");
        cell.get_or_init(|| Types::of(unit, self.genome))
    }

    /// The parent's units that the design reaches, in order.
    pub(crate) fn reached(&self) -> impl Iterator<Item = &'a Unit> {
        self.genome.units().filter(|unit| self.reachable.contains(&unit.name.text))
    }
}
