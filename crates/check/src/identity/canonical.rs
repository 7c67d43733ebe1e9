//! The canonical numbering of terms, and the digest of what is numbered.

use std::collections::BTreeSet;

use genesys_random::{GAMMA, finalize};

use super::term::{Term, TermId, Terms, terms};
use crate::core::{Graph, LeafId};

/// The canonical form of a graph.
pub(super) struct Canonical {
    pub(super) digest: blake3::Hash,
    /// The weights in canonical order.
    pub(super) leaves: Vec<LeafId>,
}

/// Most rounds of refinement; each settles what follows from all that is above and below a term.
const ROUNDS: usize = 8;

/// Numbers the terms of a graph and hashes them.
pub(super) fn canonical(graph: &Graph) -> Canonical {
    let terms = reachable(terms(graph));
    let colors = refine(&terms);
    let order = order(&terms, &colors);
    let mut number = vec![usize::MAX; terms.all.len()];
    let mut hasher = blake3::Hasher::new();
    let mut leaves = Vec::new();
    for (n, &id) in order.iter().enumerate() {
        number[id] = n;
        leaves.extend(terms.leaves.get(&id));
        write(&mut hasher, &terms.all[id], &number);
    }
    Canonical { digest: hasher.finalize(), leaves }
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
    let mut all = Vec::new();
    for (id, term) in terms.all.into_iter().enumerate().filter(|(id, _)| keep[*id]) {
        place[id] = all.len();
        let moved = |children: &[TermId]| children.iter().map(|&child| place[child]).collect();
        all.push(Term { ordered: moved(&term.ordered), unordered: moved(&term.unordered), ..term });
    }
    let leaves = terms.leaves.into_iter().filter(|(id, _)| keep[*id]).map(|(id, leaf)| (place[id], leaf)).collect();
    Terms { all, leaves, root: place[terms.root] }
}

fn write(hasher: &mut blake3::Hasher, term: &Term, number: &[usize]) {
    let mut unordered: Vec<usize> = term.unordered.iter().map(|&child| number[child]).collect();
    unordered.sort_unstable();
    hasher.update(term.label.as_bytes());
    for (mark, children) in [(b"\n,", term.ordered.iter().map(|&child| number[child]).collect()), (b"\n*", unordered)] {
        hasher.update(mark);
        children.iter().for_each(|child| _ = hasher.update(&(*child as u64).to_le_bytes()));
    }
    hasher.update(b"\n;");
}

/// Colors that agree for terms which no label, operand or use tells apart.
fn refine(terms: &Terms) -> Vec<u64> {
    let mut colors: Vec<u64> = terms.all.iter().map(|term| mix_bytes(term.label.as_bytes())).collect();
    let mut classes = 0;
    for _ in 0..ROUNDS {
        upward(terms, &mut colors);
        downward(terms, &mut colors);
        let distinct = colors.iter().collect::<BTreeSet<_>>().len();
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
fn downward(terms: &Terms, colors: &mut [u64]) {
    let mut uses = vec![0u64; terms.all.len()];
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
        let mut unordered = term.unordered.clone();
        unordered.sort_by_key(|&child| (colors[child], child));
        let children: Vec<TermId> = term.ordered.iter().copied().chain(unordered).collect();
        stack.extend(children.into_iter().rev().map(|child| (child, false)));
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
