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

/// The terms of a graph.
pub(super) struct Terms {
    pub(super) all: Vec<Term>,
    pub(super) root: TermId,
}

/// Rewrites the live part of a graph.
pub(super) fn terms(graph: &Graph) -> Terms {
    let mut builder = Builder {
        graph,
        all: IndexSet::with_capacity_and_hasher(2 * graph.nodes.len(), RandomState::default()),
        axes: vec![None; graph.axes.len()],
        nodes: vec![None; graph.nodes.len()],
        states: BTreeMap::new(),
    };
    for id in live::live_nodes(graph) {
        builder.nodes[id.0 as usize] = Some(builder.node(graph.node(id)));
    }
    let outputs: Children = graph.outputs.iter().filter_map(|output| builder.nodes[output.node.0 as usize]).collect();
    let root = match outputs.as_slice() {
        [] => 0,
        &[only] => only,
        _ => builder.add("outputs", outputs, smallvec![]),
    };
    Terms { all: builder.all.into_iter().collect(), root }
}

struct Builder<'a> {
    graph: &'a Graph,
    /// Equal terms are one.
    all: IndexSet<Term, RandomState>,
    axes: Vec<Option<TermId>>,
    nodes: Vec<Option<TermId>>,
    /// What a state holds when a step begins, where anything reads it.
    states: BTreeMap<(ScanId, u32), TermId>,
}

impl Builder<'_> {
    fn add(&mut self, label: impl Into<Label>, ordered: Children, mut unordered: Children) -> TermId {
        unordered.sort_unstable();
        self.all.insert_full(Term { label: label.into(), ordered, unordered, bound: None }).0
    }

    fn bind(&mut self, label: impl Into<Label>, ordered: Children, mut unordered: Children, bound: Bound) -> TermId {
        unordered.sort_unstable();
        self.all.insert_full(Term { label: label.into(), ordered, unordered, bound: Some(bound) }).0
    }

    fn axis(&mut self, id: AxisId) -> TermId {
        if let Some(term) = self.axes[id.0 as usize] {
            return term;
        }
        let term = if id == crate::core::WIDTH {
            // The width is one axis of all functions: it is no bound name.
            self.add("width", smallvec![], smallvec![])
        } else {
            let label = match &self.graph.axis(id).domain {
                Domain::Static(size) => format!("axis {size}"),
                Domain::Past { window: Some(window), skip } => format!("past {window} {skip}"),
                Domain::Past { window: None, skip } => format!("past all {skip}"),
            };
            self.bind(label, smallvec![], smallvec![], Bound::Axis(id))
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
            Op::Input(number) => self.add(format!("input {number}"), args, smallvec![]),
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
                let label = format!("reduce {reduction:?} {:?}", otherwise.map(f64::to_bits));
                self.reduce(*reduction, label, axes, args)
            }
            Op::Dot { axes } => {
                let product = self.map(Function::Mul, args);
                self.reduce(Reduction::Sum, sum_label(), axes, smallvec![product])
            }
            Op::Softmax { axes, sink } => {
                let axes = self.axis_list(axes);
                self.add(format!("softmax {:?}", sink.map(f64::to_bits)), args, axes)
            }
            Op::Shift { by } => self.shift(by, args),
            Op::State { scan, index } => self.state(*scan, *index),
            Op::Scanned(scan) => self.scanned(*scan),
            Op::Regroup { .. }
            | Op::Concat { .. }
            | Op::Cut { .. }
            | Op::Take { .. }
            | Op::Stack { .. }
            | Op::Broadcast { .. }
            | Op::Window(_)
            | Op::Past(_)
            | Op::Cumsum(_)
            | Op::After(_) => self.layout(&node.op, args),
        }
    }

    fn real(&mut self, value: f64) -> TermId {
        let mut label = String::from("real ");
        write_bits(value, &mut label);
        self.add(label, smallvec![], smallvec![])
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
            (Function::Neg, &[x]) if self.all[x].label == "neg" => self.all[x].ordered[0],
            (Function::Add | Function::Mul, _) => {
                let label = function.name();
                let mut flat = Children::new();
                for arg in args {
                    let term = &self.all[arg];
                    if term.label == label && flat.len() + term.unordered.len() <= MAX_FLAT {
                        flat.extend_from_slice(&term.unordered);
                    } else {
                        flat.push(arg);
                    }
                }
                self.add(label, smallvec![], flat)
            }
            _ if function.is_commutative() => self.add(function.name(), smallvec![], args),
            _ => self.add(function.name(), args, smallvec![]),
        }
    }

    /// A sum of a sum is one sum.
    fn reduce(&mut self, reduction: Reduction, label: String, axes: &AxisSet, args: Children) -> TermId {
        let mut axes = self.axis_list(axes);
        let mut args = args;
        let inner = &self.all[args[0]];
        if reduction == Reduction::Sum && inner.label == label {
            axes.extend_from_slice(&inner.unordered);
            args = inner.ordered.clone();
        }
        self.add(label, args, axes)
    }

    fn shift(&mut self, by: &genesys_axis::Size, args: Children) -> TermId {
        // A shift by nothing is no shift; that of a shift is one, by the sum of both.
        if by.as_int() == Some(0) {
            return args[0];
        }
        let inner = &self.all[args[0]];
        let merged = inner.label.strip_prefix("shift ").and_then(|text| {
            let sum = text.parse::<i64>().ok()?.checked_add(by.as_int()?)?;
            Some((sum.to_string(), inner.ordered.clone()))
        });
        let (by, args) = merged.unwrap_or_else(|| (by.to_string(), args));
        self.add(format!("shift {by}"), args, smallvec![])
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
            definitions.push(self.add("state of", current.into_iter().chain(values).collect(), smallvec![]));
        }
        let result = self.known(scan.result);
        self.add("scan", smallvec![result], definitions)
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
            Op::Cumsum(axis) => ("cumsum".into(), vec![*axis], AxisSet::default()),
            Op::After(axis) => ("after".into(), vec![*axis], AxisSet::default()),
            _ => unreachable!("only operations on axes come here"),
        };
        let ordered_axes = self.axis_list(&ordered);
        let unordered = self.axis_list(&unordered);
        self.add(label, args.into_iter().chain(ordered_axes).collect(), unordered)
    }
}

fn sum_label() -> String {
    format!("reduce {:?} {:?}", Reduction::Sum, None::<u64>)
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
        Law::Const(Constant::Size(size)) => _ = write!(out, "({size})"),
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
    let digits = (0..16).rev().map(|place| (bits >> (4 * place)) as u32 & 15);
    out.extend(digits.filter_map(|digit| char::from_digit(digit, 16)));
}
