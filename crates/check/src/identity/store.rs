//! Terms of the normal form, each once: an arena of labels and operands.
//!
//! In: what a term is and has. Out: its number, which is that of an equal term where there is one. Numbers are given in the
//! order in which terms are first met, so that operands have smaller numbers than what is made of them.
//!
//! Not here: what a graph's operations are as terms ([`super::term`]), in which order terms are written
//! ([`super::canonical`]).

use std::fmt::{self, Write};
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use genesys_random::{GAMMA, finalize};
use hashbrown::HashTable;

use crate::core::{AxisId, LeafId, ScanId};

/// The number of a term; children have smaller numbers than parents.
pub(super) type TermId = usize;

/// What makes a term one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    Weight(LeafId),
    Axis(AxisId),
    State(ScanId, u32),
}

/// What a term is; holds no name and no number of the text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Label {
    /// The same for every such term.
    Fixed(&'static str),
    /// Written behind all other labels.
    Written {
        /// Where it begins among them.
        from: usize,
    },
}

/// A node of the normal form.
#[derive(Debug)]
struct Term {
    label: Label,
    /// Where a written label ends.
    label_end: usize,
    /// The color of the label.
    color: u64,
    /// Of all that it is.
    hash: u64,
    /// Its operands: those whose places matter up to `split`, then those that may be exchanged, and axes of a set.
    from: u32,
    split: u32,
    to: u32,
    /// Set for bound names, which are never merged.
    bound: Option<Bound>,
}

/// Terms by number.
#[derive(Debug)]
pub(super) struct Store {
    all: Vec<Term>,
    /// The operands of all terms, one after the other.
    operands: Vec<TermId>,
    /// The labels of all terms that have one of their own.
    labels: String,
    /// The numbers by hash.
    table: HashTable<TermId>,
    /// What hashes begin with, so that no text can be written whose terms collide.
    seed: u64,
}

impl Store {
    /// Room for about so many terms.
    pub(super) fn with_capacity(terms: usize) -> Store {
        Store {
            all: Vec::with_capacity(terms),
            operands: Vec::with_capacity(4 * terms),
            labels: String::with_capacity(16 * terms),
            table: HashTable::with_capacity(terms),
            seed: RandomState::default().hash_one(0u8),
        }
    }

    /// How many terms there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// What a term is.
    pub(super) fn label(&self, id: TermId) -> &str {
        let term = &self.all[id];
        self.text(term.label, term.label_end)
    }

    /// Whether a term is what a label that was just written says.
    pub(super) fn is_labeled(&self, id: TermId, label: Label) -> bool {
        self.label(id) == self.text(label, self.labels.len())
    }

    /// The color of what a term is.
    pub(super) fn color(&self, id: TermId) -> u64 {
        self.all[id].color
    }

    /// Operands whose places matter.
    pub(super) fn ordered(&self, id: TermId) -> &[TermId] {
        let term = &self.all[id];
        &self.operands[term.from as usize..term.split as usize]
    }

    /// Operands that may be exchanged, and axes of a set.
    pub(super) fn unordered(&self, id: TermId) -> &[TermId] {
        let term = &self.all[id];
        &self.operands[term.split as usize..term.to as usize]
    }

    /// All operands, those that may be exchanged last.
    pub(super) fn operands(&self, id: TermId) -> &[TermId] {
        let term = &self.all[id];
        &self.operands[term.from as usize..term.to as usize]
    }

    /// The bound name that a term is.
    pub(super) fn bound(&self, id: TermId) -> Option<Bound> {
        self.all[id].bound
    }

    /// Writes a label, for the next term that is added.
    pub(super) fn write(&mut self, label: fmt::Arguments<'_>) -> Label {
        self.write_with(|text| _ = text.write_fmt(label))
    }

    /// The same, by a function that writes it.
    pub(super) fn write_with(&mut self, write: impl FnOnce(&mut String)) -> Label {
        let from = self.labels.len();
        write(&mut self.labels);
        Label::Written { from }
    }

    /// The number of a term, and whether it is new.
    pub(super) fn add(
        &mut self,
        label: Label,
        ordered: &[TermId],
        unordered: &[TermId],
        bound: Option<Bound>,
    ) -> (TermId, bool) {
        let term = self.tentative(label, ordered, unordered, bound);
        let known = self.table.find(term.hash, |&id| self.is_same(&self.all[id], &term)).copied();
        if let Some(id) = known {
            self.operands.truncate(term.from as usize);
            if let Label::Written { from } = label {
                self.labels.truncate(from);
            }
            return (id, false);
        }
        let id = self.all.len();
        self.all.push(term);
        self.table.insert_unique(self.all[id].hash, id, |&id| self.all[id].hash);
        (id, true)
    }

    /// The term, with its operands put behind all others.
    fn tentative(&mut self, label: Label, ordered: &[TermId], unordered: &[TermId], bound: Option<Bound>) -> Term {
        let from = self.operands.len() as u32;
        self.operands.extend_from_slice(ordered);
        let split = self.operands.len() as u32;
        self.operands.extend_from_slice(unordered);
        let to = self.operands.len() as u32;
        if unordered.len() > 1 {
            self.operands[split as usize..].sort_unstable();
        }
        let label_end = self.labels.len();
        let color = color(self.text(label, label_end).as_bytes());
        let operands =
            self.operands[from as usize..].iter().fold(mix(self.seed, color), |hash, &id| mix(hash, id as u64));
        let hash = mix(operands, u64::from(split - from) ^ bound.map_or(0, number));
        Term { label, label_end, color, hash, from, split, to, bound }
    }

    fn text(&self, label: Label, end: usize) -> &str {
        match label {
            Label::Fixed(text) => text,
            Label::Written { from } => &self.labels[from..end],
        }
    }

    fn is_same(&self, a: &Term, b: &Term) -> bool {
        let operands = |term: &Term| &self.operands[term.from as usize..term.to as usize];
        a.hash == b.hash
            && a.bound == b.bound
            && a.split - a.from == b.split - b.from
            && operands(a) == operands(b)
            && self.text(a.label, a.label_end) == self.text(b.label, b.label_end)
    }
}

/// A number for a bound name; not 0, and not of one kind with another.
fn number(bound: Bound) -> u64 {
    match bound {
        Bound::Weight(leaf) => 1 << 60 | u64::from(leaf.0) << 20,
        Bound::Axis(axis) => 1 << 61 | u64::from(axis.0) << 20,
        Bound::State(scan, index) => 1 << 62 | u64::from(scan.0) << 20 ^ u64::from(index) << 40,
    }
}

/// One color of two, whose order matters.
pub(super) fn mix(a: u64, b: u64) -> u64 {
    finalize(a.rotate_left(23) ^ b.wrapping_mul(GAMMA))
}

/// The color of a label.
fn color(label: &[u8]) -> u64 {
    let (words, rest) = label.as_chunks::<8>();
    let color = words.iter().fold(label.len() as u64, |color, word| mix(color, u64::from_le_bytes(*word)));
    if rest.is_empty() {
        return color;
    }
    mix(color, rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)))
}
