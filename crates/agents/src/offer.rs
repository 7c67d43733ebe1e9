//! Which known units are offered for a hole: those that were worth something, and those that say what the hole says.
//!
//! In: a sketch, a hole, units with their credits. Out: a few ways to fill it, each checked in that place, best first: by reciprocal
//! rank fusion ([`genesys_literature::fusion`]) of the order by credit, for those that have any, and of the order by the words of the
//! hole's name and comment, for those that have any of them, over all units that have the signature of the hole. Of equal scores those of
//! parents come first, then those of the others of the commission, then the order in which the units were met. A run has hundreds of
//! units and a check takes milliseconds, so they are checked in this order, until there are enough.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use genesys_check::Sketch;
use genesys_check::sketch::Hole;
use genesys_literature::fusion::worth;
use genesys_literature::{Batch, Document, Index, Kind, LiteratureError, Query};
use genesys_registry::{Credit, Entry, Fit, Registry, UnitKey};
use genesys_syntax::ast::{File, ItemKind};

use crate::commission::Commission;
use crate::library::unit_document;
use crate::prompt::{FITTING, cut, enclosed};

/// How many units that fit are offered, and how much of the comment of each.
const OFFERED: usize = 6;
const COMMENT: usize = 160;

/// How many of those that say the like have a rank for it: each is looked at for what it says where.
const ALIKE: usize = 48;

/// Units, what they were worth, and for whom they are.
#[derive(Clone, Copy)]
pub(crate) struct Units<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) credits: &'a BTreeMap<UnitKey, Credit>,
    pub(crate) words: &'a UnitWords,
    pub(crate) commission: &'a Commission,
}

impl<'a> Units<'a> {
    /// What fits a hole of the sketch whose text is `file`, one entry of the registry each.
    pub(crate) fn fits(self, sketch: &Sketch, file: &File, hole: &Hole) -> Vec<Fit<'a>> {
        let Some(opening) = self.registry.opening(sketch, hole) else { return Vec::new() };
        let ranked = self.ranked(self.registry.of_shape(&opening).collect(), &said(file, hole));
        ranked.into_iter().filter_map(|entry| self.registry.filled(&opening, entry)).take(OFFERED).collect()
    }

    /// The units that have the signature of a hole, the best first.
    fn ranked(self, mut units: Vec<&'a Entry>, said: &str) -> Vec<&'a Entry> {
        let near = self.near();
        units.sort_by_key(|entry| near.get(&entry.key).copied().unwrap_or(usize::MAX));
        ranked(units, self.credits, self.words, said)
    }

    /// The units of the commission's designs, each with the place of the first design that has it.
    fn near(self) -> BTreeMap<&'a UnitKey, usize> {
        let mut near = BTreeMap::new();
        for (place, known) in self.commission.known().enumerate() {
            self.registry.units_of(&known.hash).for_each(|key| _ = near.entry(key).or_insert(place));
        }
        near
    }
}

/// Units of one interface in the order in which they are offered for a hole of which that is said. Of equal scores they stay in their
/// order.
#[must_use]
pub fn ranked<'a>(
    mut units: Vec<&'a Entry>,
    credits: &BTreeMap<UnitKey, Credit>,
    words: &UnitWords,
    said: &str,
) -> Vec<&'a Entry> {
    let gain = |entry: &Entry| credits.get(&entry.key).map_or(0.0, |credit| credit.gain);
    units.sort_by(|a, b| gain(b).total_cmp(&gain(a)));
    let alike: BTreeMap<String, usize> = words.alike(&units, said).into_iter().zip(0..).collect();
    // Ranks count from 1.
    let score = |at: usize| worth(at + 1);
    let scored = units.iter().enumerate().map(|(at, entry)| {
        let brought = if gain(entry) > 0.0 { score(at) } else { 0.0 };
        let meaning = alike.get(entry.key.as_str()).map_or(0.0, |at| score(*at));
        (brought + meaning, *entry)
    });
    let mut scored: Vec<(f64, &Entry)> = scored.collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().map(|(_, entry)| entry).collect()
}

/// What is said of the unit that is open: its name, and its comment.
#[must_use]
pub fn said(file: &File, hole: &Hole) -> String {
    let open = file.items.iter().find(|item| match &item.kind {
        ItemKind::Unit(unit) => unit.name.text == hole.unit,
        ItemKind::Use(_) | ItemKind::Design(_) => false,
    });
    let docs = open.map_or_else(String::new, |item| item.docs.join(" "));
    format!("{} {docs}", hole.unit)
}

/// The words of units, by the interface that they have: what was searched once is not indexed again while its units stay the same.
#[derive(Debug, Default)]
pub struct UnitWords(Mutex<BTreeMap<String, Arc<Mutex<Indexed>>>>);

/// Units, in the order of their keys, and the index of their words; none where there is no index.
#[derive(Debug, Default)]
struct Indexed {
    keys: Vec<UnitKey>,
    index: Option<Index>,
}

impl UnitWords {
    /// The keys of the units, all of one interface, that say the like, likest first; none where nothing can be searched.
    fn alike(&self, units: &[&Entry], said: &str) -> Vec<String> {
        let Some(first) = units.first() else { return Vec::new() };
        // Dialogues that look for units of one interface wait for each other, as all need its index.
        let indexed = Arc::clone(locked(&self.0).entry(first.interface.clone()).or_default());
        let indexed = &mut *locked(&indexed);
        indexed.hold(units);
        let query = Query { text: said, limit: units.len().min(ALIKE), kinds: &[Kind::Unit] };
        let found = indexed.index.as_ref().and_then(|index| index.search(&query, None).ok());
        found.map_or_else(Vec::new, |found| found.hits.into_iter().map(|hit| hit.document.key).collect())
    }
}

impl Indexed {
    /// Makes it the index of these units.
    fn hold(&mut self, units: &[&Entry]) {
        let mut units = units.to_vec();
        units.sort_by_key(|entry| &entry.key);
        if self.index.is_none() || !self.keys.iter().eq(units.iter().map(|entry| &entry.key)) {
            self.keys = units.iter().map(|entry| entry.key.clone()).collect();
            self.index = indexed(units.into_iter().map(unit_document).collect()).ok();
        }
    }
}

fn indexed(documents: Vec<Document>) -> Result<Index, LiteratureError> {
    let mut index = Index::in_memory()?;
    index.replace("units", &[Batch::of("units", documents)])?;
    Ok(index)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The units that fit, as they are offered.
pub(crate) fn offered(fits: &[Fit<'_>]) -> String {
    let mut list = String::new();
    for entry in fits.iter().filter_map(|fit| fit.entry) {
        let docs = enclosed(&cut(&entry.docs.replace('\n', " "), COMMENT));
        writeln!(list, "{} `{}`: {docs}", entry.key, entry.signature).expect("a string takes any text");
    }
    if list.is_empty() { String::new() } else { format!("\n\n{}", FITTING.filled(&[("units", list.trim_end())])) }
}
