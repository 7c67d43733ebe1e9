//! The canonical numbering of terms, and the digest of what is numbered.

use super::store::{Bound, Store, TermId, mix};
use super::term::{Children, Terms, terms};
use crate::core::{AxisId, Graph, LeafId};

/// The terms of a graph in canonical order.
pub(super) struct Canonical {
    pub(super) terms: Terms,
    /// The terms that the root depends on, operands before uses.
    pub(super) order: Vec<TermId>,
    /// The place of each term in the order.
    pub(super) number: Vec<usize>,
}

/// Most rounds of refinement; each settles what follows from all that is above and below a term.
const ROUNDS: usize = 8;

/// Numbers the terms of a graph.
pub(super) fn canonical(graph: &Graph) -> Canonical {
    let terms = terms(graph);
    let kept = reachable(&terms);
    let colors = refine(&terms.all, &kept);
    let order = order(&terms, &colors, kept.len());
    let mut number = vec![usize::MAX; terms.all.len()];
    order.iter().enumerate().for_each(|(n, &id)| number[id] = n);
    Canonical { terms, order, number }
}

impl Canonical {
    /// The weights in canonical order.
    pub(super) fn leaves(&self) -> impl Iterator<Item = LeafId> + '_ {
        self.order.iter().filter_map(|&id| match self.terms.all.bound(id) {
            Some(Bound::Weight(leaf)) => Some(leaf),
            Some(Bound::Axis(_) | Bound::State(..)) | None => None,
        })
    }

    /// The axes in canonical order, but for the width.
    pub(super) fn axes(&self) -> impl Iterator<Item = AxisId> + '_ {
        self.order.iter().filter_map(|&id| match self.terms.all.bound(id) {
            Some(Bound::Axis(axis)) => Some(axis),
            Some(Bound::Weight(_) | Bound::State(..)) | None => None,
        })
    }

    /// The hash of what is numbered.
    pub(super) fn digest(&self) -> blake3::Hash {
        let mut text = Vec::with_capacity(64 * self.order.len());
        self.order.iter().for_each(|&id| write(&mut text, &self.terms.all, id, &self.number));
        blake3::hash(&text)
    }
}

/// The terms that the root depends on, in the same order: what the normal form left behind on the
/// way must not color what is kept.
fn reachable(terms: &Terms) -> Vec<TermId> {
    let mut keep = vec![false; terms.all.len()];
    let mut open = vec![terms.root];
    while let Some(id) = open.pop() {
        if let Some(false) = keep.get(id) {
            keep[id] = true;
            open.extend_from_slice(terms.all.operands(id));
        }
    }
    (0..keep.len()).filter(|&id| keep[id]).collect()
}

fn write(text: &mut Vec<u8>, terms: &Store, id: TermId, number: &[usize]) {
    text.extend_from_slice(terms.label(id).as_bytes());
    text.extend_from_slice(b"\n,");
    terms.ordered(id).iter().for_each(|&child| put(text, number[child]));
    text.extend_from_slice(b"\n*");
    match terms.unordered(id) {
        [] => {}
        &[only] => put(text, number[only]),
        unordered => {
            let mut unordered = Children::from_slice(unordered);
            unordered.iter_mut().for_each(|child| *child = number[*child]);
            unordered.sort_unstable();
            unordered.iter().for_each(|&child| put(text, child));
        }
    }
    text.extend_from_slice(b"\n;");
}

fn put(text: &mut Vec<u8>, number: usize) {
    text.extend_from_slice(&(number as u64).to_le_bytes());
}

/// Colors that agree for terms which no label, operand or use tells apart.
fn refine(terms: &Store, kept: &[TermId]) -> Vec<u64> {
    let mut colors: Vec<u64> = (0..terms.len()).map(|id| terms.color(id)).collect();
    let mut classes = 0;
    let (mut sorted, mut uses) = (Vec::with_capacity(kept.len()), Vec::new());
    for _ in 0..ROUNDS {
        upward(terms, kept, &mut colors);
        downward(terms, kept, &mut colors, &mut uses);
        // What is told apart stays so.
        if classes == kept.len() {
            break;
        }
        sorted.clear();
        sorted.extend(kept.iter().map(|&id| colors[id]));
        sorted.sort_unstable();
        sorted.dedup();
        let distinct = sorted.len();
        if distinct == classes {
            break;
        }
        classes = distinct;
    }
    colors
}

/// Each color takes in those of the operands; they stand before it.
fn upward(terms: &Store, kept: &[TermId], colors: &mut [u64]) {
    for &id in kept {
        let color = terms.ordered(id).iter().fold(colors[id], |color, &child| mix(color, colors[child]));
        let exchangeable = terms.unordered(id).iter().fold(0u64, |sum, &child| sum.wrapping_add(mix(1, colors[child])));
        colors[id] = mix(color, exchangeable);
    }
}

/// Each color takes in those of its uses; they stand behind it.
fn downward(terms: &Store, kept: &[TermId], colors: &mut [u64], uses: &mut Vec<u64>) {
    uses.clear();
    uses.resize(terms.len(), 0);
    for &id in kept.iter().rev() {
        let color = mix(colors[id], uses[id]);
        colors[id] = color;
        for (place, &child) in terms.ordered(id).iter().enumerate() {
            uses[child] = uses[child].wrapping_add(mix(place as u64 + 2, color));
        }
        for &child in terms.unordered(id) {
            uses[child] = uses[child].wrapping_add(mix(1, color));
        }
    }
}

/// Operands before uses from the root on, exchangeable operands by color, then as in the text.
fn order(terms: &Terms, colors: &[u64], count: usize) -> Vec<TermId> {
    let mut order = Vec::with_capacity(count);
    let mut done = vec![false; terms.all.len()];
    let mut stack = Vec::with_capacity(count);
    stack.push((terms.root, false));
    while let Some((id, expanded)) = stack.pop() {
        if done[id] {
            continue;
        }
        if expanded {
            done[id] = true;
            order.push(id);
            continue;
        }
        stack.push((id, true));
        // The last operand comes out last.
        match terms.all.unordered(id) {
            [] => {}
            &[only] => stack.push((only, false)),
            unordered => {
                let mut unordered = Children::from_slice(unordered);
                unordered.sort_unstable_by_key(|&child| (colors[child], child));
                unordered.iter().rev().for_each(|&child| stack.push((child, false)));
            }
        }
        terms.all.ordered(id).iter().rev().for_each(|&child| stack.push((child, false)));
    }
    order
}
