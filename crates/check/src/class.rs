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
//! Lowering takes from here which states run together, and which updates are element by element ([`runs`]): what a scan is
//! said to be and what becomes of it are one decision.
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

/// States that take their steps together, however a scan is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The numbers of the states in their scan, ascending: those that read one another, also where a chunk began.
    pub states: Vec<u32>,
    /// Whether it is one state whose class is element by element ([`Kind::is_elementwise`]) across chunks, too: it does
    /// not begin anew, and does not read its own start.
    pub elementwise: bool,
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

    /// Whether such an update is `a * S + b`, element by element, with `a` and `b` free of the state.
    pub fn is_elementwise(&self) -> bool {
        match self {
            Kind::Identity | Kind::Scalar | Kind::Diagonal(_) => true,
            Kind::Free
            | Kind::Householder
            | Kind::LowRank(_)
            | Kind::Product(_)
            | Kind::Dense
            | Kind::Coupled
            | Kind::MaxPlus
            | Kind::Nonlinear => false,
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
    let reads = reads(graph, scan);
    let starts = reads.iter().any(|reads| !reads.starts.is_empty());
    let edges: Vec<BTreeSet<u32>> = reads.into_iter().map(|reads| reads.states).collect();
    let parts = component::split(&edges);
    let sides = component::sides(graph, scan);
    let components = parts.into_iter().map(|states| component::class(graph, scan, states, &sides)).collect();
    ScanClass { scan, components, across: graph.scan(scan).chunk.clone().filter(|_| starts) }
}

/// What of a scan runs together, by the first of its states.
pub fn runs(graph: &Graph, scan: ScanId) -> Vec<Run> {
    let reads = reads(graph, scan);
    let edges: Vec<BTreeSet<u32>> = reads.iter().map(|reads| &reads.states | &reads.starts).collect();
    let run = |states: Vec<u32>| {
        let elementwise = match states.as_slice() {
            &[index] => {
                let anew =
                    graph.scan(scan).states[index as usize].reset || reads[index as usize].starts.contains(&index);
                !anew && component::kind(graph, scan, index).is_elementwise()
            }
            _ => false,
        };
        Run { states, elementwise }
    };
    let mut runs: Vec<Run> = component::split(&edges).into_iter().map(run).collect();
    runs.sort_by_key(|run| run.states[0]);
    runs
}

/// What the update of a state reads of its scan.
#[derive(Default)]
struct Reads {
    /// States.
    states: BTreeSet<u32>,
    /// States as they were when the chunk began.
    starts: BTreeSet<u32>,
}

/// What the update of each state reads.
fn reads(graph: &Graph, scan: ScanId) -> Vec<Reads> {
    let of = |next: NodeId| {
        let mut found = Reads::default();
        for id in graph.step([next]) {
            match graph.node(id).op {
                Op::State { scan: of, index } if of == scan => _ = found.states.insert(index),
                Op::Start { scan: of, index } if of == scan => _ = found.starts.insert(index),
                _ => {}
            }
        }
        found
    };
    graph.scan(scan).states.iter().map(|state| of(state.next)).collect()
}
