//! The program that a graph stands for: what the output depends on, each operation on the same operands once.
//!
//! A scan's result and a state are the nodes that they stand for, and a sum of products over axes that both
//! factors have is a contraction: the same reading as lowering's, made here a second time so that each can be
//! held to the other.

use std::collections::{BTreeMap, BTreeSet};

use genesys_axis::{Size, SizeError};
use genesys_check::AxisSet;
use genesys_check::core::{AxisId, Graph, Node, NodeId, Op, Reduction, ScanId, Stage};
use genesys_scalar::Function;

use crate::Extent;

/// A graph with what is known of its nodes.
#[derive(Clone, Debug)]
pub struct Program {
    /// The graph, sums of products written as contractions.
    pub graph: Graph,
    /// The node that stands for a node.
    stands: Vec<NodeId>,
    /// The first node that reads a state.
    readers: BTreeMap<(ScanId, u32), NodeId>,
    /// Nodes that the output depends on, ascending; each stands for itself.
    pub live: Vec<NodeId>,
}

impl Program {
    /// Reads a graph.
    pub fn new(graph: &Graph) -> Program {
        let stands = (0..graph.nodes.len()).map(|i| NodeId(i as u32)).collect();
        let mut program = Program { graph: graph.clone(), stands, readers: BTreeMap::new(), live: Vec::new() };
        program.contract();
        program.join_equals();
        program.find_live();
        program
    }

    /// The node that stands for a node.
    pub fn resolve(&self, mut id: NodeId) -> NodeId {
        loop {
            let next = match self.graph.node(id).op {
                Op::Scanned(_) => self.graph.node(id).args[0],
                Op::State { scan, index } => self.readers.get(&(scan, index)).copied().unwrap_or(id),
                _ => self.stands[id.0 as usize],
            };
            if next == id {
                return id;
            }
            id = next;
        }
    }

    /// What the unit gives.
    pub fn results(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.graph.outputs.iter().map(|output| self.resolve(output.node))
    }

    /// The operands of a node.
    pub fn args(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.graph.node(id).args.iter().map(|arg| self.resolve(*arg))
    }

    /// Initial value and next value of a state.
    pub fn state(&self, scan: ScanId, index: u32) -> (NodeId, NodeId) {
        let state = &self.graph.scan(scan).states[index as usize];
        (self.resolve(state.init), self.resolve(state.next))
    }

    /// The states that are read, each with the node that stands for it.
    pub fn states(&self) -> impl Iterator<Item = (NodeId, ScanId, u32)> + '_ {
        self.live.iter().filter_map(|&id| match self.graph.node(id).op {
            Op::State { scan, index } => Some((id, scan, index)),
            // A state that is read where a chunk begins only.
            Op::Start { scan, index } if !self.readers.contains_key(&(scan, index)) => Some((id, scan, index)),
            _ => None,
        })
    }

    /// How often a value of these axes is computed in one row.
    pub fn extent(&self, stage: Stage, axes: &AxisSet) -> Extent {
        match stage {
            Stage::Const | Stage::Loss => Extent::Once,
            Stage::Seq | Stage::Moment => Extent::over(axes.iter().map(|axis| self.graph.axis(*axis).domain.clone())),
        }
    }

    /// The number of elements along the static axes of a set.
    pub fn elements<'a>(&self, axes: impl IntoIterator<Item = &'a AxisId>) -> Result<Size, SizeError> {
        axes.into_iter()
            .filter_map(|axis| self.graph.axis(*axis).domain.size())
            .try_fold(Size::int(1), |n, size| n.mul(size))
    }

    /// The live nodes that a weight or the input reaches through derivatives that are not zero everywhere.
    pub fn gradients(&self) -> BTreeSet<NodeId> {
        let mut needs = BTreeSet::new();
        let rounds = self.states().count();
        // Once more than there are states: each round carries a gradient around one more recurrence.
        for _ in 0..=rounds {
            for &id in &self.live {
                if self.gets_gradient(id, &needs) {
                    needs.insert(id);
                }
            }
        }
        needs
    }

    fn gets_gradient(&self, id: NodeId, needs: &BTreeSet<NodeId>) -> bool {
        let mut args = self.args(id);
        match self.graph.node(id).op {
            Op::Weight(_) | Op::Input(_) => true,
            Op::Map(function) if function.is_flat() => false,
            // Through what is picked, not through the choice.
            Op::Top { .. } => args.nth(1).is_some_and(|value| needs.contains(&value)),
            Op::Picked { .. } => false,
            Op::Map(Function::Where) => args.skip(1).any(|arg| needs.contains(&arg)),
            Op::State { scan, index } | Op::Start { scan, index } => {
                let (init, next) = self.state(scan, index);
                needs.contains(&init) || needs.contains(&next)
            }
            _ => args.any(|arg| needs.contains(&arg)),
        }
    }

    /// The nodes that a value depends on, itself included.
    pub fn behind(&self, from: NodeId) -> BTreeSet<NodeId> {
        let mut found = BTreeSet::new();
        let mut open = vec![self.resolve(from)];
        while let Some(id) = open.pop() {
            if found.insert(id) {
                open.extend(self.args(id));
                if let Op::State { scan, index } | Op::Start { scan, index } = self.graph.node(id).op {
                    let (init, next) = self.state(scan, index);
                    open.extend([init, next]);
                }
            }
        }
        found
    }

    fn contract(&mut self) {
        for i in 0..self.graph.nodes.len() {
            let Node { op: Op::Reduce { reduction: Reduction::Sum, axes, otherwise: None }, args, .. } =
                &self.graph.nodes[i]
            else {
                continue;
            };
            let product = self.graph.node(args[0]);
            let (Op::Map(Function::Mul), [a, b]) = (&product.op, &product.args[..]) else { continue };
            let (left, right) = (&self.graph.node(*a).ty.axes, &self.graph.node(*b).ty.axes);
            if axes.is_subset(left) && axes.is_subset(right) && left != right {
                let (axes, args) = (axes.clone(), [*a, *b].into());
                let node = &mut self.graph.nodes[i];
                (node.op, node.args) = (Op::Dot { axes }, args);
            }
        }
    }

    fn join_equals(&mut self) {
        for (i, node) in self.graph.nodes.iter().enumerate() {
            if let Op::State { scan, index } = node.op {
                self.readers.entry((scan, index)).or_insert(NodeId(i as u32));
            }
        }
        let mut known: BTreeMap<(String, Vec<NodeId>), NodeId> = BTreeMap::new();
        for i in 0..self.graph.nodes.len() {
            let id = NodeId(i as u32);
            // Its text is an operation's key: floats are written to their bits.
            let key = (format!("{:?}", self.graph.node(id).op), self.args(id).collect());
            self.stands[i] = *known.entry(key).or_insert(id);
        }
    }

    fn find_live(&mut self) {
        let live: BTreeSet<NodeId> = self.graph.roots().flat_map(|id| self.behind(id)).collect();
        self.live = live.into_iter().collect();
    }
}
