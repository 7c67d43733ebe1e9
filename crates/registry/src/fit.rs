//! Which units fill a hole.
//!
//! A hole becomes an [`Opening`] once, and is filled by one unit after another. What its signature rules out costs a comparison; what is
//! left is checked in its place, which takes a millisecond or more each: who wants a few of many ranks before filling.

use std::collections::{BTreeMap, BTreeSet};

use genesys_check::Sketch;
use genesys_check::sketch::Hole;
use genesys_genetic::{Filled, Opening};
use genesys_syntax::print;

use crate::credit::Credit;
use crate::entry::{Entry, UnitKey};
use crate::registry::Registry;

/// A way to fill a hole.
#[derive(Clone, Debug)]
pub struct Fit<'a> {
    /// The unit that is called; none where it is a standard one, or one of the sketch's own.
    pub entry: Option<&'a Entry>,
    /// The text in which the hole is filled, and what the checker says of it.
    pub filled: Filled,
}

impl Registry {
    /// The ways to fill a unit without a body by a call of one that is known: each was checked with the sketch. Those with
    /// more credit come first, then the sketch's own and the standard ones, then what has no credit, in the order in which it was met.
    #[must_use]
    pub fn fitting(&self, sketch: &Sketch, hole: &Hole, credits: &BTreeMap<UnitKey, Credit>) -> Vec<Fit<'_>> {
        let Some(opening) = self.opening(sketch, hole) else { return Vec::new() };
        let own = opening.filled().into_iter().map(|filled| Fit { entry: None, filled });
        let known = self.of_shape(&opening).filter_map(|entry| self.filled(&opening, entry));
        let mut texts = BTreeSet::new();
        let mut fits: Vec<Fit<'_>> = own.chain(known).filter(|fit| texts.insert(print(&fit.filled.file))).collect();
        let gain =
            |fit: &Fit<'_>| fit.entry.and_then(|entry| credits.get(&entry.key)).map_or(0.0, |credit| credit.gain);
        fits.sort_by(|a, b| gain(b).total_cmp(&gain(a)));
        fits
    }

    /// A hole, made ready to be filled; none where it is an expression.
    #[must_use]
    pub fn opening(&self, sketch: &Sketch, hole: &Hole) -> Option<Opening> {
        Opening::of(sketch, hole, self.context())
    }

    /// The units that have the shape of the opening's signature, in the order in which they were met; none of them was checked there.
    pub fn of_shape(&self, opening: &Opening) -> impl Iterator<Item = &Entry> {
        let interface = opening.interface();
        self.entries().filter(move |entry| entry.interface == interface)
    }

    /// The opening filled by a call of a unit of this registry, as it was first met; none where that does not check.
    #[must_use]
    pub fn filled<'a>(&'a self, opening: &Opening, entry: &'a Entry) -> Option<Fit<'a>> {
        let filled = opening.filled_by(self.source(&entry.key)?, &entry.name)?;
        Some(Fit { entry: Some(entry), filled })
    }
}
