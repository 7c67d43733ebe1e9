//! The formal core: what a unit means, with names resolved, units inlined and types known.
//!
//! A [`Graph`] is one unit of the stack as a list of [`Node`]s in an order in which every operand
//! stands before its use. Its operations are the rules of the formal core, one to one, so that
//! the typing of a node can be read off [`Op`]; sizes stay symbolic in the width `D`.
//! A scan is in single-assignment form: [`Op::State`] is what a state holds when a step begins,
//! and [`Scan`] names the node that it holds when the step ends. What does not depend on a state
//! is outside the scan by construction.
//!
//! Not here: layout, fusion, layers and weights' values. Lowering to IR starts from this.

use std::collections::BTreeSet;
use std::sync::Arc;

use genesys_axis::{Constant, Domain, Size};
use genesys_scalar::{Function, Law, Role};
use genesys_span::Span;

use crate::{AxisSet, Operands};

/// A node of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// An axis of a graph: identity is the declaration, never the name or the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AxisId(pub u32);

/// A weight of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafId(pub u32);

/// A scan of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScanId(pub u32);

/// A call of a unit in a graph, or the graph's own unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExpansionId(pub u32);

/// What stands in the text of the graph's own unit.
pub const OWN: ExpansionId = ExpansionId(0);

/// The width axis `D`, which every graph declares first.
pub const WIDTH: AxisId = AxisId(0);

/// How a value may vary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The same at every position of every item.
    Const,
    /// One value per position.
    Seq,
    /// One value per position that depends on a scan's state.
    Moment,
    /// One value for a batch: a mean over its tokens, and what constants make of such. It depends on other items and on
    /// later positions, so nothing but a loss reads it.
    Loss,
}

/// A stage and a set of axes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Type {
    /// How the value may vary.
    pub stage: Stage,
    /// Its axes; unordered.
    pub axes: AxisSet,
}

/// A declared axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// The name it was declared with; not unique in a graph.
    pub name: String,
    /// What it ranges over.
    pub domain: Domain,
}

/// A weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// The path within its block: `attention.q.weight`. Unique in the graph.
    pub path: String,
    /// Its axes, in storage order (row-major); an axis is listed once.
    pub axes: Vec<AxisId>,
    /// How it is drawn before training; copies of the weight share it.
    pub law: Arc<Law<Constant>>,
    /// What it is for.
    pub role: Role,
    /// Its number in the canonical order of the graph's weights, which no name enters: the
    /// random stream it is drawn from, so that designs of one hash train to the same bits.
    pub canonical: u32,
    /// Where it was declared.
    pub span: Span,
}

/// A recurrence over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Scan {
    /// Its states.
    pub states: Vec<State>,
    /// The positions of a chunk, where a state is read at a chunk's start or begins it anew. Chunks
    /// begin at the document's first position; `>= 1`.
    pub chunk: Option<Size>,
    /// Where it was written.
    pub span: Span,
}

/// A state of a scan.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Its name.
    pub name: String,
    /// Its axes, in the order written.
    pub axes: Vec<AxisId>,
    /// Its value before the first position: a constant, with a subset of the state's axes.
    pub init: NodeId,
    /// The node whose value it holds when a step ends; has the state's axes.
    pub next: NodeId,
    /// Whether it begins each chunk at its initial value.
    pub reset: bool,
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it does.
    pub op: Op,
    /// Its operands, all before it in the graph.
    pub args: Operands,
    /// Stage and axes of its value.
    pub ty: Type,
    /// Where it was written.
    pub span: Span,
    /// The call that it was expanded for: provenance, which means nothing.
    pub within: ExpansionId,
}

/// How a reduction combines elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reduction {
    /// Sum; 0 over nothing.
    Sum,
    /// Mean; 0 over nothing.
    Mean,
    /// Largest element.
    Max,
    /// Smallest element.
    Min,
    /// `log(sum(exp(x)))`, computed against the largest element.
    LogSumExp,
}

/// The operations of the formal core. `A(i)` are the axes of operand `i`.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// The value of a parameter of the unit, by number; of a unit of the stack, 0 is `Seq[D]`.
    Input(u32),
    /// A weight: `[leaf.axes]`.
    Weight(LeafId),
    /// A number: `[]`.
    Constant(Constant),
    /// The position within the document, from 0: `Seq[]`.
    Position,
    /// The number of the block, from 0: `[]`.
    Layer,
    /// 0, 1, .. along a static axis: `[axis]`.
    Index(AxisId),
    /// `t - s` along a past: `Seq[axis]`. Along blocks `s` is the last position of each.
    Age(AxisId),
    /// An elementwise function; operands broadcast by name to the union of their axes.
    /// An outer product is this with multiplication.
    Map(Function),
    /// A reduction over axes of the operand; the result lacks them.
    Reduce {
        /// How.
        reduction: Reduction,
        /// Over which axes.
        axes: AxisSet,
        /// The value over an empty past, where the reduction has none of its own.
        otherwise: Option<f64>,
    },
    /// `exp(x) / sum(exp(x))` over axes of the operand, together; same axes. Over an empty past
    /// there is no element, so a sum of it is 0.
    Softmax {
        /// Over which axes.
        axes: AxisSet,
        /// Adds `exp(sink)` to the denominator: `Some(c)` is an extra element of score `c`.
        sink: Option<f64>,
    },
    /// `sum over axes of a * b`; axes in `A(0) & A(1)`, static or dependent.
    Dot {
        /// The axes contracted.
        axes: AxisSet,
    },
    /// Static axes `from` become `to`, major to minor; the products of sizes are equal.
    /// One to one it is a renaming.
    Regroup {
        /// Taken, in this order.
        from: Vec<AxisId>,
        /// Made, in this order.
        to: Vec<AxisId>,
    },
    /// Operands joined along an axis each: operand `i` has `parts[i]`, the result has `whole`.
    Concat {
        /// The axis of each operand.
        parts: Vec<AxisId>,
        /// The axis made, of their summed size.
        whole: AxisId,
    },
    /// Elements `offset .. offset + size(part)` of `whole`, as `part`.
    Cut {
        /// The axis of the operand.
        whole: AxisId,
        /// The axis of the result.
        part: AxisId,
        /// The first element taken.
        offset: Size,
    },
    /// Element `index` of a static axis, which the result lacks.
    Take {
        /// The axis.
        axis: AxisId,
        /// Which element.
        index: Size,
    },
    /// Operands of equal axes as the elements of a new axis.
    Stack {
        /// The axis made; its size is the number of operands.
        axis: AxisId,
    },
    /// The operand repeated along axes it lacks.
    Broadcast {
        /// The axes added.
        axes: AxisSet,
    },
    /// The operand at `t - by`, zero before the start; `by >= 0`.
    Shift {
        /// By how many positions.
        by: Size,
    },
    /// The last values of the operand, as many as the static axis has elements, the oldest first
    /// and zero before the start: adds the axis.
    Window(AxisId),
    /// The mean of the operand over the last completed block of so many positions, held until the next is complete; 0
    /// before the first. `size >= 1`.
    Pool {
        /// How many positions a block holds.
        size: Size,
    },
    /// The operand at every position of the past: adds the dependent axis.
    Past(AxisId),
    /// The operand at the positions of every completed block: adds both axes.
    Blocks {
        /// The dependent axis: which block.
        blocks: AxisId,
        /// The static axis: which of its positions, the oldest first.
        within: AxisId,
    },
    /// `score, value`: the value at those elements of `from` where the score is largest, the largest first, as elements of
    /// the static axis `to` in its place; of equal scores the lowest element. 0 where there are fewer elements. Has the
    /// axes of both, and passes no derivative to the score.
    Top {
        /// The axis picked from, which both have.
        from: AxisId,
        /// The axis made.
        to: AxisId,
    },
    /// `score`: 1 where [`Op::Top`] of that score has picked an element, 0 where there are fewer.
    Picked {
        /// The axis picked from.
        from: AxisId,
        /// The axis made.
        to: AxisId,
    },
    /// At each position `s` of a past the sum over its positions up to `s`; same axes.
    Cumsum(AxisId),
    /// At each position `s` of a past the sum over its positions behind `s`; same axes.
    After(AxisId),
    /// What a state holds when a step begins: `Moment[state.axes]`.
    State {
        /// The scan.
        scan: ScanId,
        /// Which of its states.
        index: u32,
    },
    /// What a state held when the step at the start of the present chunk began: `Moment[state.axes]`.
    Start {
        /// The scan.
        scan: ScanId,
        /// Which of its states.
        index: u32,
    },
    /// The derivative of the sum of operand 0 to operand 1, the start of a state: at each (item,
    /// position) by itself, all else held fixed. Same axes as operand 1.
    Grad,
    /// The mean of the operand, at most a sequence without dependent axes, over the tokens of the batch: `Loss[A(0)]`. 0
    /// where no token counts.
    MeanTokens,
    /// What a scan gives, once it has run: at each position what the operand is in the step there, of stage moment, or
    /// below where it reads no state. `Seq[A(0)]`; a scan has one such node for each value that it gives.
    Scanned(ScanId),
}

/// One unit of the stack, elaborated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// All axes; [`WIDTH`] is the first.
    pub axes: Vec<Axis>,
    /// All nodes, operands before uses.
    pub nodes: Vec<Node>,
    /// All weights, in the order of their declaration in the text as it runs.
    pub leaves: Vec<Leaf>,
    /// All scans; an inner scan, which cannot read the outer one's states, is a scan beside it.
    pub scans: Vec<Scan>,
    /// The unit's parameters, of which [`Op::Input`] gives the values; the first is the main one.
    pub inputs: Vec<Port>,
    /// What the unit gives: first its value (of a unit of the stack `Seq[D]`), then what it gives
    /// beside it.
    pub outputs: Vec<Output>,
    /// What it adds to the training loss: constants or of stage loss, without axes, in no order.
    pub losses: Vec<NodeId>,
    /// The values that the text names by `let`, each time it is expanded; what they are called means nothing.
    pub named: Vec<Named>,
    /// What the calls of units in the unit's own text give; of a loop's rounds each.
    pub calls: Vec<Called>,
    /// The calls of units that were expanded, at any depth; the first has the number 1, behind [`OWN`].
    pub expansions: Vec<Expansion>,
}

/// A call of a unit, expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expansion {
    /// The name of the unit.
    pub unit: String,
    /// The label of the call, where it has one.
    pub label: Option<String>,
    /// The expansion whose text has the call.
    pub within: ExpansionId,
}

/// A value and the name that the text gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// Where the name stands.
    pub span: Span,
    /// The value.
    pub value: NodeId,
}

/// What a call of a unit gives, whose operations lie in the text of that unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// Where the call stands.
    pub span: Span,
    /// One value, or those of a tuple.
    pub values: Vec<NodeId>,
}

/// A parameter or result as the unit declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// The name of a parameter, or of a result behind the first. Behind the first ones, it is by
    /// their names that a unit of the stack receives what an earlier one gives.
    pub name: Option<String>,
    /// The stage declared: a constant may be given where a sequence is promised.
    pub stage: Stage,
    /// Its axes by the names that the signature has for them.
    pub axes: Vec<(String, AxisId)>,
    /// Where it was declared.
    pub span: Span,
}

/// A result of a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// How it is declared.
    pub port: Port,
    /// The node that has its value.
    pub node: NodeId,
}

impl Graph {
    /// The parameters behind the first, by name.
    pub fn takes(&self) -> impl Iterator<Item = (&str, &Port)> {
        self.inputs.iter().skip(1).filter_map(|port| Some((port.name.as_deref()?, port)))
    }

    /// The results behind the first, by name.
    pub fn gives(&self) -> impl Iterator<Item = (&str, &Port)> {
        self.outputs.iter().skip(1).filter_map(|output| Some((output.port.name.as_deref()?, &output.port)))
    }

    /// The node of the unit's main value; `None` before the unit is complete.
    pub fn output(&self) -> Option<NodeId> {
        self.outputs.first().map(|output| output.node)
    }

    /// What is asked of the unit: its results, then its losses.
    pub fn roots(&self) -> impl Iterator<Item = NodeId> {
        self.outputs.iter().map(|output| output.node).chain(self.losses.iter().copied())
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// An axis.
    pub fn axis(&self, id: AxisId) -> &Axis {
        &self.axes[id.0 as usize]
    }

    /// A weight.
    pub fn leaf(&self, id: LeafId) -> &Leaf {
        &self.leaves[id.0 as usize]
    }

    /// The number of weights at a width; `None` where a size has no value or the number does not
    /// fit in 64 bits.
    pub fn parameters(&self, width: i64) -> Option<u64> {
        let at = |name: &str| (name == "D").then_some(width);
        let size = |axis: &Axis| u64::try_from(axis.domain.size()?.eval(&at).ok()?).ok();
        let sizes: Vec<Option<u64>> = self.axes.iter().map(size).collect();
        self.leaves.iter().try_fold(0u64, |sum, leaf| {
            let elements =
                leaf.axes.iter().try_fold(1u64, |product, axis| product.checked_mul(sizes[axis.0 as usize]?))?;
            sum.checked_add(elements)
        })
    }

    /// The nodes that depend on a state and that values of a step depend on, within the step; ascending.
    pub fn step(&self, values: impl IntoIterator<Item = NodeId>) -> BTreeSet<NodeId> {
        let (mut open, mut found) = (values.into_iter().collect::<Vec<_>>(), BTreeSet::new());
        while let Some(id) = open.pop() {
            if self.node(id).ty.stage == Stage::Moment && found.insert(id) {
                open.extend(&self.node(id).args);
            }
        }
        found
    }

    /// A scan.
    pub fn scan(&self, id: ScanId) -> &Scan {
        &self.scans[id.0 as usize]
    }
}
