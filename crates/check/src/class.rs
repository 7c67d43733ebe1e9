//! Classes of scans: how the states of a recurrence enter their own updates.
//!
//! One pass over the updates, by their form alone. The states of a scan are split into those that read
//! one another; each such component, seen from the inside, is a function of its states in which all else
//! is free. `form` writes a value as a sum of terms in a state (a coefficient, a contraction, a lift), and
//! the terms tell the class. An update that goes through one value after the other is the product of its
//! parts, in order.
//!
//! What a state held at the start of a chunk counts as free: within a chunk it does not change. A scan whose
//! updates read it runs one chunk after the other.
//!
//! Not here: whether a recurrence is contractive, for which intervals of its coefficients are needed; what
//! kernels there are for a class.

mod component;
mod form;

use std::collections::BTreeSet;
use std::fmt;

use genesys_axis::Size;

pub use self::component::{Readout, Write};
use crate::core::{AxisId, Graph, NodeId, Op, ScanId};

/// How the states of a component enter their updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Not at all: what they hold is written anew at each position.
    Free,
    /// As they are: `S + w`.
    Identity,
    /// Times a number of each head, and the identity along what a head holds of keys and of values: `a S + w`.
    Scalar,
    /// Times a number of each element of these axes: of keys, which a reader sums over, or of values, where there is a number
    /// for each.
    Diagonal(Vec<AxisId>),
    /// `S - b k (k' S)`: one reflection, or a part of one, along an axis.
    Householder,
    /// A diagonal plus a sum of so many products of two vectors.
    LowRank(usize),
    /// So many such steps, one after the other.
    Product(usize),
    /// Times a matrix.
    Dense,
    /// Several states, each linear in all of them.
    Coupled,
    /// `max(S + a, b)`.
    MaxPlus,
    /// Anything else.
    Nonlinear,
}

/// States that read one another, and their class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentClass {
    /// The numbers of the states in their scan.
    pub states: Vec<u32>,
    /// How they enter their updates.
    pub kind: Kind,
    /// The operation that makes it no simpler class, and the state that it reads.
    pub cause: Option<(NodeId, u32)>,
    /// What is added to a state.
    pub write: Write,
    /// How the states are read outside of their updates.
    pub readout: Readout,
}

/// The class of a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanClass {
    /// The scan.
    pub scan: ScanId,
    /// Its components; what one reads stands before it.
    pub components: Vec<ComponentClass>,
    /// The length of a chunk, where updates read what a state held at a chunk's start: the scan is
    /// nonlinear across chunks, and takes a step for each.
    pub across: Option<Size>,
}

/// The names of classes as a scan states them, the simplest first.
pub(crate) const NAMES: &[&str] = &[
    "identity",
    "scalar",
    "diagonal",
    "householder",
    "low_rank",
    "product",
    "dense",
    "coupled",
    "max_plus",
    "nonlinear",
];

impl Kind {
    /// The name, as a scan states it.
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Free => "free",
            Kind::Identity => "identity",
            Kind::Scalar => "scalar",
            Kind::Diagonal(_) => "diagonal",
            Kind::Householder => "householder",
            Kind::LowRank(_) => "low_rank",
            Kind::Product(_) => "product",
            Kind::Dense => "dense",
            Kind::Coupled => "coupled",
            Kind::MaxPlus => "max_plus",
            Kind::Nonlinear => "nonlinear",
        }
    }

    /// Whether a scan that states the class of that name may hold it: it is this one, or a special case.
    pub fn is_within(&self, stated: &str) -> bool {
        let place = |name: &str| NAMES.iter().position(|known| *known == name);
        match (self, stated) {
            (Kind::Free, _) | (_, "nonlinear") => true,
            (Kind::MaxPlus, _) => stated == "max_plus",
            (Kind::Identity | Kind::Scalar | Kind::Diagonal(_), "max_plus") => true,
            // A diagonal is no reflection.
            (Kind::Scalar | Kind::Diagonal(_), "householder") => false,
            _ => stated != "max_plus" && place(self.name()) <= place(stated),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::LowRank(rank) => write!(f, "diagonal plus low rank ({rank})"),
            Kind::Product(steps) => write!(f, "product of {steps}"),
            Kind::MaxPlus => write!(f, "max-plus"),
            Kind::Coupled => write!(f, "coupled linear"),
            kind => f.write_str(kind.name()),
        }
    }
}

/// The classes of all scans of a graph, in their order.
pub fn classify(graph: &Graph) -> Vec<ScanClass> {
    (0..graph.scans.len()).map(|scan| classify_scan(graph, ScanId(scan as u32))).collect()
}

/// The class of one scan.
pub fn classify_scan(graph: &Graph, scan: ScanId) -> ScanClass {
    let states = &graph.scan(scan).states;
    let reads = |next: NodeId, found: &mut BTreeSet<u32>, starts: &mut bool| {
        let mut open = vec![next];
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            match graph.node(id).op {
                Op::State { scan: of, index } if of == scan => _ = found.insert(index),
                Op::Start { scan: of, .. } if of == scan => *starts = true,
                _ => open.extend(&graph.node(id).args),
            }
        }
    };
    let mut starts = false;
    let mut edges = Vec::new();
    for state in states {
        let mut found = BTreeSet::new();
        reads(state.next, &mut found, &mut starts);
        edges.push(found);
    }
    let parts = component::split(&edges);
    let sides = component::sides(graph, scan);
    let components = parts.into_iter().map(|states| component::class(graph, scan, states, &sides)).collect();
    ScanClass { scan, components, across: graph.scan(scan).chunk.clone().filter(|_| starts) }
}
