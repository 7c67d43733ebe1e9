//! What a unit was worth: how much better a design became in the steps of evolution in which the unit came, and how much
//! worse in those in which it went.
//!
//! A step is a design and its best parent, both with a score, of which less is better. What differs between them is credited with the
//! difference, in equal shares. So a unit is not credited with what its design had before it. Nothing is known of units that every design has.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::entry::UnitKey;
use crate::registry::Registry;

/// What a unit was worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Credit {
    /// By how much the score fell where it came, or rose where it went, on the mean: more is better.
    pub gain: f64,
    /// In how many steps it came or went.
    pub steps: u64,
}

impl Registry {
    /// The credit of every unit that came or went in a step between designs of which `scores` has finite numbers, by hash.
    #[must_use]
    pub fn credits(&self, scores: &BTreeMap<String, f64>) -> BTreeMap<UnitKey, Credit> {
        let score = |hash: &String| scores.get(hash).copied().filter(|score| score.is_finite());
        let mut sums: BTreeMap<UnitKey, Credit> = BTreeMap::new();
        for child in &self.designs {
            let parents = self.designs.iter().filter(|known| child.parents.contains(&known.hash));
            let scored = parents.filter_map(|parent| Some((score(&parent.hash)?, parent)));
            let best = scored.min_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.hash.cmp(&b.1.hash)));
            let (Some(after), Some((before, parent))) = (score(&child.hash), best) else { continue };
            let (own, others) = (child.keys(), parent.keys());
            let came = own.difference(&others).map(|key| (*key, 1.0));
            let changed: Vec<_> = came.chain(others.difference(&own).map(|key| (*key, -1.0))).collect();
            for (key, sign) in &changed {
                let credit = sums.entry(UnitKey::clone(key)).or_default();
                credit.gain += sign * (before - after) / changed.len() as f64;
                credit.steps += 1;
            }
        }
        sums.values_mut().for_each(|credit| credit.gain /= credit.steps as f64);
        sums
    }
}
