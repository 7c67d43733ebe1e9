//! Keeps less for the backward pass, and computes more again.
//!
//! In: a backward pass, and what may be computed again. Out: one that means the same, with the smallest tape that this allows.
//! What each function hands to its backward pass is a cut between its arguments and what the backward pass asks for, through
//! the values that lead there: what is cut is kept, and what lies behind it is computed again. The capacity of a value is its
//! elements at a position; what may not be computed again begins where arguments do. The smallest cut is a largest flow (Ford
//! and Fulkerson, 1956); of several the one that computes least again is taken. Compilers take cuts of one graph in this way
//! (as do `torch.compile`'s partitioner, and before it Checkmate, Jain et al., 2020, with integer programs for costs); here
//! costs are bounds: [`Recompute`] says of which operations any may be run twice.
//!
//! What is computed again is so by the same operations in the same order, so no bit of a result changes. Not here: when less
//! memory is worth the time (`train`).

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{Instruction, Module, Op, Stage, ValueId};
use genesys_ir::reads;
use petgraph::algo::dinics;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use petgraph::{Direction, Graph};
use serde::{Deserialize, Serialize};

use crate::again::{Again, is_light};
use crate::tape::{self, pairs};
use crate::work::elements;

/// What a backward pass may compute again. In order: each allows what the ones before it do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recompute {
    /// What [`remat`](crate::remat) does, no more.
    #[default]
    Little,
    /// What costs no more than to read its operands a few times: expressions, reductions, looks at other positions.
    Elements,
    /// Products as well.
    Products,
    /// All that a function does: its arguments are enough.
    All,
}

impl Recompute {
    /// Each, the least work first.
    pub const ALL: [Recompute; 4] = [Self::Little, Self::Elements, Self::Products, Self::All];

    /// What it is called on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Little => "little",
            Self::Elements => "elements",
            Self::Products => "products",
            Self::All => "all",
        }
    }

    /// Whether it is the least, which needs no word.
    pub fn is_little(&self) -> bool {
        *self == Self::Little
    }
}

/// More than any cut has.
const ENDLESS: u64 = u64::MAX / 4;

/// Computes again in every backward pass, where that makes its tape smaller.
pub fn recompute(module: &mut Module, how: Recompute) {
    if how == Recompute::Little {
        return;
    }
    for pair in pairs(module) {
        let forward = tape::of(module, pair.forward).clone();
        let Module { axes, functions, .. } = &mut *module;
        let again = Again::new(axes, &forward, &mut functions[pair.backward], &pair);
        let mut tape = Tape { again, how };
        if let Some(kept) = tape.smaller() {
            tape.keep(&kept);
        }
        tape.again.done().apply(module, &pair);
    }
}

/// What a function hands to its backward pass.
struct Tape<'a> {
    again: Again<'a>,
    how: Recompute,
}

/// A value as a pair of nodes, with an edge between them that is cut where the value is kept.
type Node = (NodeIndex, NodeIndex);

/// All ways from what cannot be computed again to what is asked for.
struct Ways {
    graph: DiGraph<(), u64>,
    nodes: BTreeMap<ValueId, Node>,
    source: NodeIndex,
    sink: NodeIndex,
}

impl Ways {
    fn new() -> Self {
        let mut graph = Graph::new();
        let (source, sink) = (graph.add_node(()), graph.add_node(()));
        Self { graph, nodes: BTreeMap::new(), source, sink }
    }

    /// The nodes of a value of that size.
    fn node(&mut self, id: ValueId, size: u64) -> Node {
        let Self { graph, nodes, .. } = self;
        *nodes.entry(id).or_insert_with(|| {
            let node = (graph.add_node(()), graph.add_node(()));
            graph.add_edge(node.0, node.1, size);
            node
        })
    }
}

impl Tape<'_> {
    /// The values of the smallest tape, if it is smaller than what there is.
    fn smaller(&self) -> Option<BTreeSet<ValueId>> {
        let asked: BTreeSet<ValueId> = self.again.there.keys().copied().filter(|id| self.size(*id).is_some()).collect();
        let Ways { graph, nodes, source, sink } = self.ways(&asked)?;
        let (flow, flows) = dinics(&graph, source, sink);
        let now: u64 = asked.iter().filter_map(|id| self.size(*id)).sum();
        if flow >= now {
            return None;
        }
        let behind = reaching(&graph, &flows, sink);
        let cut = |(_, (before, after)): &(&ValueId, &Node)| !behind.contains(before) && behind.contains(after);
        Some(nodes.iter().filter(cut).map(|(id, _)| *id).collect())
    }

    /// The graph; nothing where a size is not known.
    fn ways(&self, asked: &BTreeSet<ValueId>) -> Option<Ways> {
        let mut ways = Ways::new();
        for id in asked {
            let (_, after) = ways.node(*id, self.size(*id)?);
            ways.graph.add_edge(after, ways.sink, ENDLESS);
        }
        let (mut seen, mut open) = (asked.clone(), Vec::from_iter(asked.iter().copied()));
        while let Some(id) = open.pop() {
            let (before, _) = ways.node(id, self.size(id)?);
            let Some(instruction) = self.repeatable(id) else {
                ways.graph.add_edge(ways.source, before, ENDLESS);
                continue;
            };
            for operand in reads(instruction).into_iter().filter(|id| !self.is_free(*id)) {
                let (_, after) = ways.node(operand, self.size(operand)?);
                ways.graph.add_edge(after, before, ENDLESS);
                if seen.insert(operand) {
                    open.push(operand);
                }
            }
        }
        Some(ways)
    }

    /// How many elements a value has at a position; nothing where it is no value of positions, or its size is not known.
    fn size(&self, id: ValueId) -> Option<u64> {
        let ty = self.again.forward.ty(id);
        if ty.stage == Stage::Seq { elements(self.again.axes, ty) } else { None }
    }

    /// Whether a value is computed wherever it is needed: it is the same at every position.
    fn is_free(&self, id: ValueId) -> bool {
        self.again.forward.ty(id).stage == Stage::Const && self.again.made.contains_key(&id)
    }

    /// What makes a value, if it may do so twice.
    fn repeatable(&self, id: ValueId) -> Option<&Instruction> {
        let instruction = *self.again.made.get(&id)?;
        let light = is_light(self.again.forward, instruction);
        let least = if light { Recompute::Elements } else { least(&instruction.op)? };
        (least <= self.how).then_some(instruction)
    }

    /// Hands those values on, and computes again what else was.
    fn keep(&mut self, kept: &BTreeSet<ValueId>) {
        let dropped: Vec<ValueId> = {
            let is_dropped = |id: &ValueId| self.size(*id).is_some() && !kept.contains(id);
            self.again.there.keys().copied().filter(is_dropped).collect()
        };
        let before: Vec<(ValueId, ValueId)> =
            dropped.iter().filter_map(|id| Some((*id, self.again.there.remove(id)?))).collect();
        let (mut path, mut open) = (BTreeSet::new(), dropped);
        while let Some(id) = open.pop() {
            if self.again.there.contains_key(&id) || path.contains(&id) {
                continue;
            }
            match self.again.made.get(&id).copied().filter(|_| !kept.contains(&id)) {
                None => self.again.hand_on(id),
                Some(instruction) => {
                    path.insert(id);
                    open.extend(reads(instruction));
                }
            }
        }
        let forward = self.again.forward;
        for instruction in &forward.body.instructions {
            if instruction.results.iter().any(|id| path.contains(id)) {
                self.again.repeat(instruction);
            }
        }
        for (id, before) in before {
            self.again.replaced.insert(before, self.again.there[&id]);
        }
    }
}

/// The nodes from which more could flow to the sink: behind the last smallest cut.
fn reaching(graph: &DiGraph<(), u64>, flows: &[u64], sink: NodeIndex) -> BTreeSet<NodeIndex> {
    let (mut found, mut open) = (BTreeSet::from([sink]), vec![sink]);
    while let Some(node) = open.pop() {
        let into = graph.edges_directed(node, Direction::Incoming);
        let room = into.filter(|edge| flows[edge.id().index()] < *edge.weight()).map(|edge| edge.source());
        let out = graph.edges_directed(node, Direction::Outgoing);
        let back = out.filter(|edge| flows[edge.id().index()] > 0).map(|edge| edge.target());
        open.extend(room.chain(back).filter(|other| found.insert(*other)));
    }
    found
}

/// The least that allows an operation which is not light to run twice; nothing where it never does.
fn least(op: &Op) -> Option<Recompute> {
    match op {
        Op::Weight(_) | Op::Constant(_) | Op::Position | Op::Layer | Op::Index(_) | Op::Map(_) => {
            Some(Recompute::Elements)
        }
        Op::Regroup { .. } | Op::Slice { .. } | Op::Select { .. } | Op::Broadcast { .. } => Some(Recompute::Elements),
        Op::Concat { .. } | Op::Stack { .. } | Op::Pad { .. } => Some(Recompute::Elements),
        Op::Reduce { .. } | Op::Softmax { .. } | Op::Shift { .. } | Op::Window { .. } => Some(Recompute::Elements),
        Op::Pool { .. } | Op::Top { .. } | Op::Picked { .. } => Some(Recompute::Elements),
        Op::Cumsum(_) | Op::After(_) => Some(Recompute::Elements),
        Op::Contract { .. } => Some(Recompute::Products),
        Op::Past { .. } | Op::Scan { .. } => Some(Recompute::All),
        Op::Age(_) | Op::View(_) | Op::Blocks { .. } | Op::Grad { .. } | Op::Gather { .. } => None,
        Op::CrossEntropy { .. } | Op::MeanTokens | Op::Call { .. } | Op::Adjoint(_) => None,
    }
}
