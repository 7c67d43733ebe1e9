//! The canonical numbering of terms, and the digest of what is numbered.

use genesys_random::{GAMMA, finalize};

use super::term::{Bound, Children, Term, TermId, Terms, terms};
use crate::core::{AxisId, Graph, LeafId};

/// The terms of a graph in canonical order.
pub(super) struct Canonical {
    pub(super) terms: Terms,
    /// All terms, operands before uses.
    pub(super) order: Vec<TermId>,
    /// The place of each term in the order.
    pub(super) number: Vec<usize>,
}

/// Most rounds of refinement; each settles what follows from all that is above and below a term.
const ROUNDS: usize = 8;

/// Numbers the terms of a graph.
pub(super) fn canonical(graph: &Graph) -> Canonical {
    let terms = reachable(terms(graph));
    let colors = refine(&terms);
    let order = order(&terms, &colors);
    let mut number = vec![usize::MAX; terms.all.len()];
    order.iter().enumerate().for_each(|(n, &id)| number[id] = n);
    Canonical { terms, order, number }
}

impl Canonical {
    /// The weights in canonical order.
    pub(super) fn leaves(&self) -> impl Iterator<Item = LeafId> + '_ {
        self.order.iter().filter_map(|&id| match self.terms.all[id].bound {
            Some(Bound::Weight(leaf)) => Some(leaf),
            Some(Bound::Axis(_) | Bound::State(..)) | None => None,
        })
    }

    /// The axes in canonical order, but for the width.
    pub(super) fn axes(&self) -> impl Iterator<Item = AxisId> + '_ {
        self.order.iter().filter_map(|&id| match self.terms.all[id].bound {
            Some(Bound::Axis(axis)) => Some(axis),
            Some(Bound::Weight(_) | Bound::State(..)) | None => None,
        })
    }

    /// The hash of what is numbered.
    pub(super) fn digest(&self) -> blake3::Hash {
        let mut text = Vec::new();
        self.order.iter().for_each(|&id| write(&mut text, &self.terms.all[id], &self.number));
        blake3::hash(&text)
    }
}

/// The terms that the root depends on, in the same order: what the normal form left behind on the
/// way must not color what is kept.
fn reachable(terms: Terms) -> Terms {
    let mut keep = vec![false; terms.all.len()];
    let mut open = vec![terms.root];
    while let Some(id) = open.pop() {
        if let Some(false) = keep.get(id) {
            keep[id] = true;
            open.extend(terms.all[id].ordered.iter().chain(&terms.all[id].unordered));
        }
    }
    let mut place = vec![0; terms.all.len()];
    let (mut all, mut makes) = (Vec::new(), Vec::new());
    for (id, mut term) in terms.all.into_iter().enumerate().filter(|(id, _)| keep[*id]) {
        place[id] = all.len();
        makes.push(terms.makes[id]);
        term.ordered.iter_mut().chain(&mut term.unordered).for_each(|child| *child = place[*child]);
        all.push(term);
    }
    let outputs = terms.outputs.iter().map(|&output| place[output]).collect();
    Terms { all, makes, root: place[terms.root], outputs, loss: terms.loss.map(|loss| place[loss]) }
}

fn write(text: &mut Vec<u8>, term: &Term, number: &[usize]) {
    let mut unordered = Children::from_slice(&term.unordered);
    unordered.iter_mut().for_each(|child| *child = number[*child]);
    unordered.sort_unstable();
    text.extend_from_slice(term.label.as_bytes());
    text.extend_from_slice(b"\n,");
    term.ordered.iter().for_each(|&child| put(text, number[child]));
    text.extend_from_slice(b"\n*");
    unordered.into_iter().for_each(|child| put(text, child));
    text.extend_from_slice(b"\n;");
}

fn put(text: &mut Vec<u8>, number: usize) {
    text.extend_from_slice(&(number as u64).to_le_bytes());
}

/// Colors that agree for terms which no label, operand or use tells apart.
fn refine(terms: &Terms) -> Vec<u64> {
    let mut colors: Vec<u64> = terms.all.iter().map(|term| mix_bytes(term.label.as_bytes())).collect();
    let mut classes = 0;
    let (mut sorted, mut uses) = (Vec::with_capacity(colors.len()), Vec::new());
    for _ in 0..ROUNDS {
        upward(terms, &mut colors);
        downward(terms, &mut colors, &mut uses);
        sorted.clone_from(&colors);
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
fn upward(terms: &Terms, colors: &mut [u64]) {
    for (id, term) in terms.all.iter().enumerate() {
        let mut color = colors[id];
        term.ordered.iter().for_each(|&child| color = mix(color, colors[child]));
        let exchangeable = term.unordered.iter().fold(0u64, |sum, &child| sum.wrapping_add(mix(1, colors[child])));
        colors[id] = mix(color, exchangeable);
    }
}

/// Each color takes in those of its uses; they stand behind it.
fn downward(terms: &Terms, colors: &mut [u64], uses: &mut Vec<u64>) {
    uses.clear();
    uses.resize(terms.all.len(), 0);
    for (id, term) in terms.all.iter().enumerate().rev() {
        colors[id] = mix(colors[id], uses[id]);
        for (place, &child) in term.ordered.iter().enumerate() {
            uses[child] = uses[child].wrapping_add(mix(place as u64 + 2, colors[id]));
        }
        for &child in &term.unordered {
            uses[child] = uses[child].wrapping_add(mix(1, colors[id]));
        }
    }
}

/// Operands before uses from the root on, exchangeable operands by color, then as in the text.
fn order(terms: &Terms, colors: &[u64]) -> Vec<TermId> {
    let mut order = Vec::with_capacity(terms.all.len());
    let mut done = vec![false; terms.all.len()];
    let mut stack = vec![(terms.root, false)];
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
        let term = &terms.all[id];
        let mut unordered = Children::from_slice(&term.unordered);
        unordered.sort_unstable_by_key(|&child| (colors[child], child));
        let children = term.ordered.iter().chain(&unordered).rev();
        stack.extend(children.map(|&child| (child, false)));
    }
    order
}

/// One color of two, whose order matters.
fn mix(a: u64, b: u64) -> u64 {
    finalize(a.rotate_left(23) ^ b.wrapping_mul(GAMMA))
}

fn mix_bytes(bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(bytes.len() as u64, |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        mix(hash, u64::from_le_bytes(word))
    })
}
