//! Which known units are offered for a hole: those that were worth something, and those that say what the hole says.
//!
//! In: a sketch, a hole, units with their credits. Out: a few ways to fill it, each checked in that place, best first: by reciprocal
//! rank fusion ([`genesys_literature::fusion`]) of the order by credit, for those that have any, and of the order by the words of the
//! hole's name and comment, for those that have any of them. Equal scores keep the order in which the units were met.

use std::collections::BTreeMap;
use std::fmt::Write;

use genesys_check::Sketch;
use genesys_check::sketch::Hole;
use genesys_literature::fusion::worth;
use genesys_literature::{Batch, Index, Kind, Query};
use genesys_registry::{Credit, Fit, Registry, UnitKey};
use genesys_syntax::ast::{File, ItemKind};

use crate::library::unit_document;
use crate::prompt::{FITTING, cut, enclosed};

/// How many units that fit are offered, and how much of the comment of each.
const OFFERED: usize = 6;
const COMMENT: usize = 160;

/// Units, and what they were worth.
#[derive(Clone, Copy)]
pub(crate) struct Units<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) credits: &'a BTreeMap<UnitKey, Credit>,
}

impl<'a> Units<'a> {
    /// What fits a hole of the sketch whose text is `file`, one entry of the registry each.
    pub(crate) fn fits(self, sketch: &Sketch, file: &File, hole: &Hole) -> Vec<Fit<'a>> {
        let mut fits = self.registry.fitting(sketch, hole, self.credits);
        fits.retain(|fit| fit.entry.is_some());
        let alike = alike(&fits, &said(file, hole));
        // Ranks count from 1.
        let score = |at: usize| worth(at + 1);
        let key = |fit: &Fit<'_>| fit.entry.map(|entry| entry.key.clone()).expect("those without an entry are gone");
        let mut scored: Vec<(f64, Fit<'a>)> = (0..)
            .zip(fits)
            .map(|(at, fit)| {
                let key = key(&fit);
                // Those with more credit stand first.
                let brought = self.credits.get(&key).filter(|credit| credit.gain > 0.0).map_or(0.0, |_| score(at));
                let meaning = alike.iter().position(|other| other == key.as_str()).map_or(0.0, score);
                (brought + meaning, fit)
            })
            .collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        scored.into_iter().take(OFFERED).map(|(_, fit)| fit).collect()
    }
}

/// What is said of the unit that is open: its name, and its comment.
fn said(file: &File, hole: &Hole) -> String {
    let open = file.items.iter().find(|item| match &item.kind {
        ItemKind::Unit(unit) => unit.name.text == hole.unit,
        ItemKind::Use(_) | ItemKind::Design(_) => false,
    });
    let docs = open.map_or_else(String::new, |item| item.docs.join(" "));
    format!("{} {docs}", hole.unit)
}

/// The keys of the units that say the like, likest first; none where nothing can be searched.
fn alike(fits: &[Fit<'_>], said: &str) -> Vec<String> {
    let documents = fits.iter().filter_map(|fit| fit.entry).map(unit_document).collect();
    let find = || {
        let mut index = Index::in_memory()?;
        index.replace("units", &[Batch::of("units", documents)])?;
        index.search(&Query { text: said, limit: fits.len(), kinds: &[Kind::Unit] }, None)
    };
    find().map_or_else(|_| Vec::new(), |found| found.hits.into_iter().map(|hit| hit.document.key).collect())
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
