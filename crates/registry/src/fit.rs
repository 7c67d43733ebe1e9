//! Which units fill a hole.

use std::collections::{BTreeMap, BTreeSet};

use genesys_check::sketch::Hole;
use genesys_check::{CheckedDesign, Sketch};
use genesys_compiler::standard_units;
use genesys_genetic::{Context, Filled, fillings};

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
        let donors: Vec<CheckedDesign> = self.designs.iter().map(|known| CheckedDesign::clone(&known.design)).collect();
        let context = Context::new(standard_units(), &donors, &[]);
        let mut taken = BTreeSet::new();
        let mut fits: Vec<Fit<'_>> = fillings(sketch, hole, &context)
            .into_iter()
            .filter_map(|filled| {
                let entry = filled.donor.and_then(|donor| self.of_design(donor, &filled.unit));
                // Units that differ in their names only are one.
                let new = entry.is_none_or(|entry| taken.insert(entry.key.clone()));
                new.then_some(Fit { entry, filled })
            })
            .collect();
        let gain =
            |fit: &Fit<'_>| fit.entry.and_then(|entry| credits.get(&entry.key)).map_or(0.0, |credit| credit.gain);
        fits.sort_by(|a, b| gain(b).total_cmp(&gain(a)));
        fits
    }

    /// The unit that a design calls so.
    fn of_design(&self, design: usize, name: &str) -> Option<&Entry> {
        self.get(self.designs.get(design)?.units.get(name)?)
    }
}
