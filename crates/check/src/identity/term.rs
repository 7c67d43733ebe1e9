//! Terms of the normal form.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

use foldhash::fast::RandomState;
use genesys_axis::{Constant, Domain};
use genesys_scalar::{Function, Law};
use indexmap::IndexSet;
use smallvec::{SmallVec, smallvec};

use crate::AxisSet;
use crate::core::{AxisId, Graph, LeafId, Node, NodeId, Op, Reduction, ScanId};
use crate::live;

/// The number of a term; children have smaller numbers than parents.
pub(super) type TermId = usize;

/// Operands of a term.
pub(super) type Children = SmallVec<[TermId; 4]>;

/// Most operands of a sum or product that is flattened: sums of a sum with itself would double without end.
const MAX_FLAT: usize = 256;

/// What a term is; holds no name and no number of the text.
type Label = Cow<'static, str>;

/// A node of the normal form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Term {
    /// What it is.
    pub(super) label: Label,
    /// Operands whose places matter.
    pub(super) ordered: Children,
    /// Operands that may be exchanged, and axes of a set.
    pub(super) unordered: Children,
    /// Set for bound names, which are never merged.
    pub(super) bound: Option<Bound>,
}

/// What makes a term one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Bound {
    Weight(LeafId),
    Axis(AxisId),
    State(ScanId, u32),
}

/// How a term becomes a node again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Make {
    /// It is an axis: no node.
    Nothing,
    /// It is a state of a scan: no node.
    StateOf(ScanId, u32),
    /// By the operation of this node, on the ordered operands that are nodes.
    Like(NodeId),
    /// A number.
    Real(f64),
    /// A function of the ordered operands, then of the exchangeable ones, two by two.
    Map(Function),
    /// A sum of the ordered operand over the exchangeable axes.
    Sum,
    /// The ordered operand at an earlier position.
    Shift(i64),
}

/// The terms of a graph.
pub(super) struct Terms {
    pub(super) all: Vec<Term>,
    /// How each becomes a node again, and the node that it was first met as.
    pub(super) makes: Vec<(Make, NodeId)>,
    /// What depends on all that is asked of the graph.
    pub(super) root: TermId,
    /// The results.
    pub(super) outputs: Children,
    /// The sum of the losses.
    pub(super) loss: Option<TermId>,
}

/// Rewrites the live part of a graph.
pub(super) fn terms(graph: &Graph) -> Terms {
    let mut builder = Builder {
        graph,
        all: IndexSet::with_capacity_and_hasher(2 * graph.nodes.len(), RandomState::default()),
        axes: vec![None; graph.axes.len()],
        nodes: vec![None; graph.nodes.len()],
        states: BTreeMap::new(),
        makes: Vec::with_capacity(2 * graph.nodes.len()),
        at: NodeId(0),
    };
    for id in live::live_nodes(graph) {
        builder.at = id;
        builder.nodes[id.0 as usize] = Some(builder.node(graph.node(id)));
    }
    let outputs: Children = graph.outputs.iter().filter_map(|output| builder.nodes[output.node.0 as usize]).collect();
    let results = match outputs.as_slice() {
        [] => 0,
        &[only] => only,
        _ => builder.made(Make::Nothing, "outputs", outputs.clone(), smallvec![]),
    };
    let losses: Children = graph.losses.iter().filter_map(|loss| builder.nodes[loss.0 as usize]).collect();
    let loss = (!losses.is_empty()).then(|| builder.flat(Function::Add, &losses));
    let root = match loss {
        None => results,
        Some(loss) => builder.made(Make::Nothing, "with a loss", smallvec![results, loss], smallvec![]),
    };
    Terms { all: builder.all.into_iter().collect(), makes: builder.makes, root, outputs, loss }
}

struct Builder<'a> {
    graph: &'a Graph,
    /// Equal terms are one.
    all: IndexSet<Term, RandomState>,
    axes: Vec<Option<TermId>>,
    nodes: Vec<Option<TermId>>,
    /// What a state holds when a step begins, where anything reads it.
    states: BTreeMap<(ScanId, u32), TermId>,
    /// How each term becomes a node again.
    makes: Vec<(Make, NodeId)>,
    /// The node that is being rewritten.
    at: NodeId,
}

impl Builder<'_> {
    /// A term that is made like the node it stands for.
    fn add(&mut self, label: impl Into<Label>, ordered: Children, unordered: Children) -> TermId {
        self.made(Make::Like(self.at), label, ordered, unordered)
    }

    fn made(&mut self, make: Make, label: impl Into<Label>, ordered: Children, unordered: Children) -> TermId {
        self.insert(make, Term { label: label.into(), ordered, unordered, bound: None })
    }

    fn bind(&mut self, label: impl Into<Label>, ordered: Children, unordered: Children, bound: Bound) -> TermId {
        self.insert(Make::Like(self.at), Term { label: label.into(), ordered, unordered, bound: Some(bound) })
    }

    fn insert(&mut self, make: Make, mut term: Term) -> TermId {
        term.unordered.sort_unstable();
        let (id, new) = self.all.insert_full(term);
        if new {
            self.makes.push((make, self.at));
        }
        id
    }

    fn axis(&mut self, id: AxisId) -> TermId {
        if let Some(term) = self.axes[id.0 as usize] {
            return term;
        }
        let term = if id == crate::core::WIDTH {
            // The width is one axis of all functions: it is no bound name.
            self.made(Make::Nothing, "width", smallvec![], smallvec![])
        } else {
            let label = match &self.graph.axis(id).domain {
                Domain::Static(size) => format!("axis {size}"),
                Domain::Past { window: Some(window), skip } => format!("past {window} {skip}"),
                Domain::Past { window: None, skip } => format!("past all {skip}"),
                Domain::Blocks { size } => format!("blocks {size}"),
            };
            let term = Term {
                label: label.into(),
                ordered: smallvec![],
                unordered: smallvec![],
                bound: Some(Bound::Axis(id)),
            };
            self.insert(Make::Nothing, term)
        };
        self.axes[id.0 as usize] = Some(term);
        term
    }

    fn axis_list<'b>(&mut self, axes: impl IntoIterator<Item = &'b AxisId>) -> Children {
        axes.into_iter().map(|&axis| self.axis(axis)).collect()
    }

    fn known(&self, id: NodeId) -> TermId {
        self.nodes[id.0 as usize].expect("operands stand before their uses")
    }

    fn node(&mut self, node: &Node) -> TermId {
        let args: Children = node.args.iter().map(|&arg| self.known(arg)).collect();
        match &node.op {
            Op::Input(0) => self.add("input", args, smallvec![]),
            Op::Input(number) => {
                let graph = self.graph;
                let axes = graph.inputs.get(*number as usize).map(|port| &port.axes);
                let axes = self.axis_list(axes.into_iter().flatten().map(|(_, axis)| axis));
                self.add(format!("input {number}"), axes, smallvec![])
            }
            Op::Weight(leaf) => self.weight(*leaf),
            Op::Constant(Constant::Real(value)) => self.real(*value),
            Op::Constant(Constant::Size(size)) => match size.as_int() {
                Some(n) => self.real(n as f64),
                None => self.add(format!("size {size}"), args, smallvec![]),
            },
            Op::Position => self.add("position", args, smallvec![]),
            Op::Layer => self.add("layer", args, smallvec![]),
            Op::Index(axis) => {
                let axis = self.axis(*axis);
                self.add("index", smallvec![axis], smallvec![])
            }
            Op::Age(axis) => {
                let axis = self.axis(*axis);
                self.add("age", smallvec![axis], smallvec![])
            }
            Op::Map(function) => self.map(*function, args),
            Op::Reduce { reduction, axes, otherwise } => {
                self.reduce(*reduction, reduction_label(*reduction, *otherwise), axes, args)
            }
            Op::Dot { axes } => {
                let product = self.map(Function::Mul, args);
                self.reduce(Reduction::Sum, PLAIN_SUM.into(), axes, smallvec![product])
            }
            Op::Softmax { axes, sink } => {
                let axes = self.axis_list(axes);
                self.add(format!("softmax {:?}", sink.map(f64::to_bits)), args, axes)
            }
            Op::Shift { by } => self.shift(by, args),
            // The last block of one position is the position.
            Op::Pool { size } if size.as_int() == Some(1) => args[0],
            Op::Pool { size } => self.add(format!("pool {size}"), args, smallvec![]),
            Op::State { scan, index } => self.state(*scan, *index),
            Op::Grad => self.add("grad", args, smallvec![]),
            Op::MeanTokens => self.add("mean tokens", args, smallvec![]),
            Op::Start { scan, index } => {
                let state = self.state(*scan, *index);
                self.add("start", smallvec![state], smallvec![])
            }
            Op::Scanned(scan) => self.scanned(*scan),
            Op::Regroup { .. }
            | Op::Concat { .. }
            | Op::Cut { .. }
            | Op::Take { .. }
            | Op::Stack { .. }
            | Op::Broadcast { .. }
            | Op::Window(_)
            | Op::Past(_)
            | Op::Blocks { .. }
            | Op::Top { .. }
            | Op::Picked { .. }
            | Op::Cumsum(_)
            | Op::After(_) => self.layout(&node.op, args),
        }
    }

    fn real(&mut self, value: f64) -> TermId {
        let mut label = String::from("real ");
        write_bits(value, &mut label);
        self.made(Make::Real(value), label, smallvec![], smallvec![])
    }

    /// The number that a term is, if it is one.
    fn as_real(&self, id: TermId) -> Option<f64> {
        match self.makes[id].0 {
            Make::Real(value) => Some(value),
            Make::Nothing | Make::StateOf(..) | Make::Like(_) | Make::Map(_) | Make::Sum | Make::Shift(_) => None,
        }
    }

    fn weight(&mut self, leaf: LeafId) -> TermId {
        let weight = self.graph.leaf(leaf);
        let mut label = format!("weight {} ", weight.role.name());
        write_law(&weight.law, &mut label);
        let axes = self.axis_list(&weight.axes);
        self.bind(label, axes, smallvec![], Bound::Weight(leaf))
    }

    fn map(&mut self, function: Function, args: Children) -> TermId {
        match (function, args.as_slice()) {
            (Function::Sub, &[a, b]) => {
                let negated = self.map(Function::Neg, smallvec![b]);
                self.map(Function::Add, smallvec![a, negated])
            }
            (Function::Neg, &[x]) if self.makes[x].0 == Make::Map(Function::Neg) => self.all[x].ordered[0],
            (Function::Neg, &[x]) if self.as_real(x).is_some_and(|value| value != 0.0) => {
                self.real(-self.as_real(x).expect("it was one just now"))
            }
            (Function::Div, &[x, one]) if self.as_real(one) == Some(1.0) => x,
            (Function::Add | Function::Mul, _) => self.flat(function, &args),
            _ if function.is_commutative() => self.made(Make::Map(function), function.name(), smallvec![], args),
            _ => self.made(Make::Map(function), function.name(), args, smallvec![]),
        }
    }

    /// A sum of sums is one sum, a product of products one product. Numbers are joined where that
    /// rounds nothing, and the number that changes nothing is left out.
    fn flat(&mut self, function: Function, args: &[TermId]) -> TermId {
        let make = Make::Map(function);
        let mut flat = Children::new();
        for &arg in args {
            let operands = &self.all[arg].unordered;
            if self.makes[arg].0 == make && flat.len() + operands.len() <= MAX_FLAT {
                flat.extend_from_slice(operands);
            } else {
                flat.push(arg);
            }
        }
        let mut number = if function == Function::Add { 0.0 } else { 1.0 };
        let neutral = number;
        flat.retain(|term| match self.as_real(*term).and_then(|value| exactly(function, number, value)) {
            Some(joined) => {
                number = joined;
                false
            }
            None => true,
        });
        if number != neutral || flat.is_empty() {
            flat.push(self.real(number));
        }
        match flat.as_slice() {
            &[only] => only,
            _ => self.made(make, function.name(), smallvec![], flat),
        }
    }

    /// A sum of a sum is one sum.
    fn reduce(&mut self, reduction: Reduction, label: Label, axes: &AxisSet, args: Children) -> TermId {
        let mut axes = self.axis_list(axes);
        let mut args = args;
        let inner = &self.all[args[0]];
        if reduction == Reduction::Sum && inner.label == label {
            axes.extend_from_slice(&inner.unordered);
            args = inner.ordered.clone();
        }
        let plain = label == PLAIN_SUM;
        let make = if plain { Make::Sum } else { Make::Like(self.at) };
        self.made(make, label, args, axes)
    }

    fn shift(&mut self, by: &genesys_axis::Size, args: Children) -> TermId {
        // A shift by nothing is no shift; that of a shift is one, by the sum of both.
        if by.as_int() == Some(0) {
            return args[0];
        }
        let inner = &self.all[args[0]];
        let merged = match (self.makes[args[0]].0, by.as_int()) {
            (Make::Shift(first), Some(second)) => first.checked_add(second).map(|sum| (sum, inner.ordered.clone())),
            _ => None,
        };
        match merged.or_else(|| by.as_int().map(|by| (by, args.clone()))) {
            Some((by, args)) => self.made(Make::Shift(by), format!("shift {by}"), args, smallvec![]),
            None => self.add(format!("shift {by}"), args, smallvec![]),
        }
    }

    fn state(&mut self, scan: ScanId, index: u32) -> TermId {
        let graph = self.graph;
        let axes = self.axis_list(&graph.scan(scan).states[index as usize].axes);
        let term = self.bind("state", smallvec![], axes, Bound::State(scan, index));
        self.states.insert((scan, index), term);
        term
    }

    fn scanned(&mut self, id: ScanId) -> TermId {
        let scan = self.graph.scan(id);
        let mut definitions = Children::new();
        for (index, state) in (0..).zip(&scan.states) {
            let current = self.states.get(&(id, index)).copied();
            let values = [self.known(state.init), self.known(state.next)];
            let parts = current.into_iter().chain(values).collect();
            let label = if state.reset { "state reset of" } else { "state of" };
            definitions.push(self.made(Make::StateOf(id, index), label, parts, smallvec![]));
        }
        let result = self.known(scan.result);
        let label: Label = match &scan.chunk {
            Some(chunk) => format!("scan every {chunk}").into(),
            None => "scan".into(),
        };
        self.add(label, smallvec![result], definitions)
    }

    fn layout(&mut self, op: &Op, args: Children) -> TermId {
        let (label, ordered, unordered): (String, Vec<AxisId>, AxisSet) = match op {
            Op::Regroup { from, to } => {
                let axes = from.iter().chain(to).copied().collect();
                (format!("regroup {}", from.len()), axes, AxisSet::default())
            }
            Op::Concat { parts, whole } => {
                let axes = parts.iter().copied().chain([*whole]).collect();
                ("concat".into(), axes, AxisSet::default())
            }
            Op::Cut { whole, part, offset } => (format!("cut {offset}"), vec![*whole, *part], AxisSet::default()),
            Op::Take { axis, index } => (format!("take {index}"), vec![*axis], AxisSet::default()),
            Op::Stack { axis } => ("stack".into(), vec![*axis], AxisSet::default()),
            Op::Broadcast { axes } => ("broadcast".into(), Vec::new(), axes.clone()),
            Op::Window(axis) => ("window".into(), vec![*axis], AxisSet::default()),
            Op::Past(axis) => ("past".into(), vec![*axis], AxisSet::default()),
            Op::Blocks { blocks, within } => ("blocks".into(), vec![*blocks, *within], AxisSet::default()),
            Op::Top { from, to } => ("top".into(), vec![*from, *to], AxisSet::default()),
            Op::Picked { from, to } => ("picked".into(), vec![*from, *to], AxisSet::default()),
            Op::Cumsum(axis) => ("cumsum".into(), vec![*axis], AxisSet::default()),
            Op::After(axis) => ("after".into(), vec![*axis], AxisSet::default()),
            _ => unreachable!("only operations on axes come here"),
        };
        let ordered_axes = self.axis_list(&ordered);
        let unordered = self.axis_list(&unordered);
        self.add(label, args.into_iter().chain(ordered_axes).collect(), unordered)
    }
}

/// The label of a sum that says nothing of an empty past.
const PLAIN_SUM: &str = "reduce Sum None";

fn reduction_label(reduction: Reduction, otherwise: Option<f64>) -> Label {
    match (reduction, otherwise) {
        (Reduction::Sum, None) => PLAIN_SUM.into(),
        _ => format!("reduce {reduction:?} {:?}", otherwise.map(f64::to_bits)).into(),
    }
}

/// The sum or product of two numbers, where it is one without rounding.
fn exactly(function: Function, a: f64, b: f64) -> Option<f64> {
    let value = function.eval(&[a, b]);
    let exact = match function {
        Function::Add => value - a == b && value - b == a,
        Function::Mul => value != 0.0 && a.mul_add(b, -value) == 0.0,
        _ => false,
    };
    (exact && value.is_finite()).then_some(value)
}

/// Writes a law in prefix notation, so that it needs no parentheses.
fn write_law(law: &Law<Constant>, out: &mut String) {
    let mut put = |name: &str, parts: &mut dyn Iterator<Item = &Law<Constant>>| {
        out.push_str(name);
        for part in parts {
            out.push(' ');
            write_law(part, out);
        }
    };
    match law {
        Law::Const(Constant::Real(value)) => write_bits(*value, out),
        Law::Const(Constant::Size(size)) => match size.as_int() {
            Some(n) => write_bits(n as f64, out),
            None => _ = write!(out, "({size})"),
        },
        Law::Index(dimension) => _ = write!(out, "index {dimension}"),
        Law::Layer => out.push_str("layer"),
        Law::Uniform(low, high) => put("uniform", &mut [&**low, &**high].into_iter()),
        Law::Normal(deviation) => put("normal", &mut [&**deviation].into_iter()),
        Law::Map(function, args) => put(function.name(), &mut args.iter()),
    }
}

/// Writes a number as the 16 hexadecimal digits of its bits.
fn write_bits(value: f64, out: &mut String) {
    let bits = value.to_bits();
    let digits: [u8; 16] = std::array::from_fn(|place| b"0123456789abcdef"[(bits >> (60 - 4 * place)) as usize & 15]);
    out.push_str(std::str::from_utf8(&digits).expect("digits are ASCII"));
}
