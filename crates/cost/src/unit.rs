//! The costs of one unit, counted on its formal core.
//!
//! In: the graph of a unit. Out: its [`UnitCost`]. What a derivative within the unit costs is not told by the formal core:
//! a unit that has one is counted as it is expanded (see `expanded`).

use std::collections::BTreeSet;

use genesys_axis::{Size, SizeError};
use genesys_check::core::{Graph, LeafId, Node, NodeId, Op, Reduction, Stage};
use genesys_span::Span;

use crate::program::Program;
use crate::{Cost, Extent, expanded, scan};

/// A sum of products, and what it costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Contraction {
    /// Which node of the graph; the derivative, if it is one of those that a derivative is made of.
    pub node: NodeId,
    /// Where it was written.
    pub span: Span,
    /// The weight that it contracts with, where it does.
    pub weight: Option<LeafId>,
    /// Operations of the forward pass: 2 for each product that is summed.
    pub forward: Cost,
    /// Operations of the backward pass: the forward pass's for each operand that needs a gradient.
    pub backward: Cost,
}

/// What one call of a unit costs, for one row of `T` positions.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitCost {
    /// Numbers in its weights.
    pub parameters: Size,
    /// Its contractions, in the order of the program. Exact.
    pub contractions: Vec<Contraction>,
    /// Updates of states: 2 an element of a state where `decay * state + write`. Exact.
    pub scans: Cost,
    /// What is left: one operation for each function and each element that it is applied to or that is
    /// reduced, 4 for one of a softmax.
    pub elementwise: Cost,
    /// Elements of all its values: what a backward pass may ask for.
    pub values: Cost,
}

impl UnitCost {
    /// All contractions of the forward pass.
    ///
    /// # Errors
    /// A coefficient does not fit in 64 bits.
    pub fn contracted(&self) -> Result<Cost, SizeError> {
        self.contractions.iter().try_fold(Cost::default(), |sum, one| sum.plus(&one.forward))
    }

    /// Contractions and scans of the forward pass: what is counted exactly.
    ///
    /// # Errors
    /// A coefficient does not fit in 64 bits.
    pub fn forward(&self) -> Result<Cost, SizeError> {
        self.contracted()?.plus(&self.scans)
    }

    /// The same of the backward pass: contractions once for each operand that needs a gradient, scans twice.
    ///
    /// # Errors
    /// A coefficient does not fit in 64 bits.
    pub fn backward(&self) -> Result<Cost, SizeError> {
        let scans = self.scans.times(2)?;
        self.contractions.iter().try_fold(scans, |sum, one| sum.plus(&one.backward))
    }
}

impl UnitCost {
    /// What nothing but these weights costs.
    pub(crate) fn of_parameters(parameters: Size) -> UnitCost {
        UnitCost {
            parameters,
            contractions: Vec::new(),
            scans: Cost::default(),
            elementwise: Cost::default(),
            values: Cost::default(),
        }
    }
}

/// Counts a unit that was checked without an error.
///
/// # Errors
/// A coefficient does not fit in 64 bits.
pub fn unit_cost(graph: &Graph) -> Result<UnitCost, SizeError> {
    let mut cost = UnitCost::of_parameters(parameters(graph)?);
    let derives = graph.nodes.iter().any(|node| node.op == Op::Grad);
    if derives { expanded::count(graph, &mut cost) } else { count(graph, &mut cost) }?;
    Ok(cost)
}

/// Numbers in the weights.
fn parameters(graph: &Graph) -> Result<Size, SizeError> {
    graph.leaves.iter().try_fold(Size::default(), |sum, leaf| {
        let mut sizes = leaf.axes.iter().filter_map(|axis| graph.axis(*axis).domain.size());
        sum.add(&sizes.try_fold(Size::int(1), |n, size| n.mul(size))?)
    })
}

fn count(graph: &Graph, cost: &mut UnitCost) -> Result<(), SizeError> {
    let program = Program::new(graph);
    let counter = Counter { needs: program.gradients(), program: &program };
    let inside = counter.scans(cost)?;
    program.live.iter().try_for_each(|&id| counter.node(id, inside.contains(&id), cost))
}

struct Counter<'p> {
    program: &'p Program,
    /// The nodes that a weight or the input reaches through derivatives.
    needs: BTreeSet<NodeId>,
}

impl Counter<'_> {
    /// Counts the updates of states, and gives the nodes that are counted with them.
    fn scans(&self, cost: &mut UnitCost) -> Result<BTreeSet<NodeId>, SizeError> {
        let mut inside = BTreeSet::new();
        let mut counted = BTreeSet::new();
        for update in scan::updates(self.program) {
            inside.extend(update.feeding.iter().copied());
            match update.linear {
                Some(each) => {
                    let state = self.elements_at(update.reader)?.times(i64::from(each))?;
                    cost.scans = cost.scans.plus(&state)?;
                }
                None => {
                    for &id in update.feeding.iter().filter(|id| counted.insert(**id)) {
                        cost.scans = cost.scans.plus(&self.operations(id)?)?;
                    }
                }
            }
        }
        Ok(inside)
    }

    fn node(&self, id: NodeId, in_scan: bool, cost: &mut UnitCost) -> Result<(), SizeError> {
        let node = self.program.graph.node(id);
        match &node.op {
            Op::Dot { .. } => cost.contractions.push(self.contraction(id, node)?),
            _ if !in_scan => cost.elementwise = cost.elementwise.plus(&self.operations(id)?)?,
            _ => {}
        }
        match node.op {
            Op::Weight(_) | Op::Constant(_) | Op::Input(_) => {}
            _ => cost.values = cost.values.plus(&self.elements_at(id)?)?,
        }
        Ok(())
    }

    fn contraction(&self, id: NodeId, node: &Node) -> Result<Contraction, SizeError> {
        let args: Vec<NodeId> = self.program.args(id).collect();
        let weight = args.iter().find_map(|arg| match self.program.graph.node(*arg).op {
            Op::Weight(leaf) => Some(leaf),
            _ => None,
        });
        let forward = self.joined(&args)?.times(2)?;
        let gradients = args.iter().filter(|arg| self.needs.contains(arg)).count();
        let backward = forward.times(gradients as i64)?;
        Ok(Contraction { node: id, span: node.span, weight, forward, backward })
    }

    /// Elements of all axes of the operands together.
    fn joined(&self, args: &[NodeId]) -> Result<Cost, SizeError> {
        let types = || args.iter().map(|arg| &self.program.graph.node(*arg).ty);
        let stage = types().map(|ty| ty.stage).max().unwrap_or(Stage::Const);
        let axes = types().flat_map(|ty| ty.axes.iter().copied()).collect();
        Ok(Cost::of(self.program.extent(stage, &axes), self.program.elements(&axes)?))
    }

    fn elements_at(&self, id: NodeId) -> Result<Cost, SizeError> {
        self.joined(&[id])
    }

    /// Elementwise operations of a node.
    fn operations(&self, id: NodeId) -> Result<Cost, SizeError> {
        let operand = || self.joined(&self.program.args(id).collect::<Vec<_>>());
        match &self.program.graph.node(id).op {
            Op::Map(_) | Op::Cumsum(_) | Op::After(_) => self.elements_at(id),
            Op::Reduce { reduction, .. } => match reduction {
                Reduction::Sum | Reduction::Mean | Reduction::Max | Reduction::Min => operand(),
                Reduction::LogSumExp => operand()?.times(3),
            },
            Op::Softmax { .. } => operand()?.times(4),
            Op::Pool { .. } | Op::MeanTokens => operand(),
            Op::Grad => unreachable!("a unit with a derivative is counted as it is expanded"),
            // One comparison a score, whatever is picked.
            Op::Top { .. } => self.joined(&[self.program.resolve(self.program.graph.node(id).args[0])]),
            Op::Input(_)
            | Op::Weight(_)
            | Op::Constant(_)
            | Op::Position
            | Op::Layer
            | Op::Index(_)
            | Op::Age(_)
            | Op::Dot { .. }
            | Op::Regroup { .. }
            | Op::Concat { .. }
            | Op::Cut { .. }
            | Op::Take { .. }
            | Op::Stack { .. }
            | Op::Broadcast { .. }
            | Op::Shift { .. }
            | Op::Window(_)
            | Op::Past(_)
            | Op::Blocks { .. }
            | Op::Picked { .. }
            | Op::State { .. }
            | Op::Start { .. }
            | Op::Scanned(_) => Ok(Cost::of(Extent::Once, Size::default())),
        }
    }
}
