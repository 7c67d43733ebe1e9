//! Sets of axes: small, sorted, and made and compared often.

use smallvec::SmallVec;

use crate::core::AxisId;

/// A set of axes in ascending order; most have at most four, which need no memory of their own.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AxisSet(SmallVec<[AxisId; 4]>);

impl Clone for AxisSet {
    /// As a slice, not axis by axis.
    fn clone(&self) -> Self {
        AxisSet(SmallVec::from_slice(&self.0))
    }
}

impl AxisSet {
    /// The axes in ascending order.
    pub fn iter(&self) -> std::slice::Iter<'_, AxisId> {
        self.0.iter()
    }

    /// How many axes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The lowest axis.
    pub fn first(&self) -> Option<&AxisId> {
        self.0.first()
    }

    /// Whether an axis is one of them.
    pub fn contains(&self, axis: &AxisId) -> bool {
        self.0.contains(axis)
    }

    /// Adds an axis; whether it was missing.
    pub fn insert(&mut self, axis: AxisId) -> bool {
        // Most come in ascending order.
        if self.0.last().is_none_or(|last| *last < axis) {
            self.0.push(axis);
            return true;
        }
        match self.0.binary_search(&axis) {
            Ok(_) => false,
            Err(place) => {
                self.0.insert(place, axis);
                true
            }
        }
    }

    /// Takes an axis out; whether it was there.
    pub fn remove(&mut self, axis: &AxisId) -> bool {
        match self.0.binary_search(axis) {
            Ok(place) => {
                self.0.remove(place);
                true
            }
            Err(_) => false,
        }
    }

    /// Takes out the lowest axis.
    pub fn pop_first(&mut self) -> Option<AxisId> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }

    /// Keeps the axes that `keep` says.
    pub fn retain(&mut self, mut keep: impl FnMut(&AxisId) -> bool) {
        self.0.retain(|axis| keep(axis));
    }

    /// Whether all of them are axes of `other`.
    pub fn is_subset(&self, other: &AxisSet) -> bool {
        self.iter().all(|axis| other.contains(axis))
    }

    /// The axes that both have.
    pub fn intersection<'a>(&'a self, other: &'a AxisSet) -> impl Iterator<Item = &'a AxisId> {
        self.iter().filter(|axis| other.contains(axis))
    }

    /// The axes that `other` lacks.
    pub fn difference<'a>(&'a self, other: &'a AxisSet) -> impl Iterator<Item = &'a AxisId> {
        self.iter().filter(|axis| !other.contains(axis))
    }
}

impl AxisSet {
    /// What the axes become, of which no two become one.
    pub(crate) fn map(&self, mut into: impl FnMut(AxisId) -> AxisId) -> AxisSet {
        let mut axes: SmallVec<[AxisId; 4]> = SmallVec::from_slice(&self.0);
        axes.iter_mut().for_each(|axis| *axis = into(*axis));
        if !axes.is_sorted() {
            axes.sort_unstable();
        }
        AxisSet(axes)
    }

    /// The axes that either has.
    pub fn union(&self, other: &AxisSet) -> AxisSet {
        if other.is_subset(self) {
            return self.clone();
        }
        let mut axes = other.clone();
        axes.extend(self);
        axes
    }
}

impl FromIterator<AxisId> for AxisSet {
    fn from_iter<I: IntoIterator<Item = AxisId>>(axes: I) -> Self {
        let mut set = AxisSet::default();
        set.extend(axes);
        set
    }
}

impl Extend<AxisId> for AxisSet {
    fn extend<I: IntoIterator<Item = AxisId>>(&mut self, axes: I) {
        axes.into_iter().for_each(|axis| _ = self.insert(axis));
    }
}

impl<'a> Extend<&'a AxisId> for AxisSet {
    fn extend<I: IntoIterator<Item = &'a AxisId>>(&mut self, axes: I) {
        self.extend(axes.into_iter().copied());
    }
}

impl<const N: usize> From<[AxisId; N]> for AxisSet {
    fn from(axes: [AxisId; N]) -> Self {
        axes.into_iter().collect()
    }
}

impl IntoIterator for AxisSet {
    type Item = AxisId;
    type IntoIter = smallvec::IntoIter<[AxisId; 4]>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a AxisSet {
    type Item = &'a AxisId;
    type IntoIter = std::slice::Iter<'a, AxisId>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every subset of six axes, against the set of the standard library.
    #[test]
    fn it_is_a_set() {
        let subset = |bits: u32| (0..6).filter(move |bit| bits >> bit & 1 == 1).map(AxisId);
        let falling = |bits: u32| (0..6).rev().filter(move |bit| bits >> bit & 1 == 1).map(AxisId);
        for (a, b) in (0..64).flat_map(|a| (0..64).map(move |b| (a, b))) {
            let (set, other): (AxisSet, AxisSet) = (subset(a).collect(), falling(b).collect());
            let (model, other_model): (BTreeSet<AxisId>, BTreeSet<AxisId>) = (subset(a).collect(), subset(b).collect());
            assert!(set.iter().eq(&model) && other.iter().eq(&other_model));
            assert_eq!(set.is_subset(&other), model.is_subset(&other_model));
            assert!(set.intersection(&other).eq(model.intersection(&other_model)));
            assert!(set.difference(&other).eq(model.difference(&other_model)));
            let (mut joined, mut joined_model) = (set.clone(), model.clone());
            joined.extend(&other);
            joined_model.extend(&other_model);
            assert!(joined.iter().eq(&joined_model));
            let (mut less, mut less_model) = (set, model);
            for axis in subset(b) {
                assert_eq!(less.remove(&axis), less_model.remove(&axis));
            }
            assert_eq!(less.pop_first(), less_model.pop_first());
            assert!(less.into_iter().eq(less_model));
        }
    }
}
