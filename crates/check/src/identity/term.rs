//! Terms of the normal form.

use std::collections::BTreeMap;

use genesys_axis::{Constant, Domain};
use genesys_scalar::{Function, Law};

use crate::AxisSet;
use crate::core::{AxisId, Graph, LeafId, Node, NodeId, Op, Reduction, ScanId};
use crate::live;

/// The number of a term; children have smaller numbers than parents.
pub(super) type TermId = usize;

/// A node of the normal form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Term {
    /// What it is; holds no name and no number of the text.
    pub(super) label: String,
    /// Operands whose places matter.
    pub(super) ordered: Vec<TermId>,
    /// Operands that may be exchanged, and axes of a set.
    pub(super) unordered: Vec<TermId>,
    /// Set for bound names (weights, axes, states), which are never merged.
    pub(super) unique: Option<usize>,
}

/// The terms of a graph.
pub(super) struct Terms {
    pub(super) all: Vec<Term>,
    /// The weight behind a term.
    pub(super) leaves: BTreeMap<TermId, LeafId>,
    pub(super) root: TermId,
}

/// Rewrites the live part of a graph.
pub(super) fn terms(graph: &Graph) -> Terms {
    let mut builder = Builder {
        graph,
        all: Vec::new(),
        known: BTreeMap::new(),
        axes: BTreeMap::new(),
        nodes: BTreeMap::new(),
        leaves: BTreeMap::new(),
        fresh: 0,
    };
    for id in live::live_nodes(graph) {
        let term = builder.node(graph.node(id));
        builder.nodes.insert(id, term);
    }
    let root = graph.output.and_then(|id| builder.nodes.get(&id).copied()).unwrap_or_default();
    Terms { all: builder.all, leaves: builder.leaves, root }
}

struct Builder<'a> {
    graph: &'a Graph,
    all: Vec<Term>,
    known: BTreeMap<Term, TermId>,
    axes: BTreeMap<AxisId, TermId>,
    nodes: BTreeMap<NodeId, TermId>,
    leaves: BTreeMap<TermId, LeafId>,
    fresh: usize,
}

impl Builder<'_> {
    fn add(&mut self, label: impl Into<String>, ordered: Vec<TermId>, mut unordered: Vec<TermId>) -> TermId {
        unordered.sort_unstable();
        self.intern(Term { label: label.into(), ordered, unordered, unique: None })
    }

    fn unique(&mut self, label: String, ordered: Vec<TermId>, mut unordered: Vec<TermId>) -> TermId {
        unordered.sort_unstable();
        self.fresh += 1;
        self.intern(Term { label, ordered, unordered, unique: Some(self.fresh) })
    }

    fn intern(&mut self, term: Term) -> TermId {
        if let Some(&id) = self.known.get(&term) {
            return id;
        }
        let id = self.all.len();
        self.all.push(term.clone());
        self.known.insert(term, id);
        id
    }

    fn axis(&mut self, id: AxisId) -> TermId {
        if let Some(&term) = self.axes.get(&id) {
            return term;
        }
        let label = match &self.graph.axis(id).domain {
            Domain::Static(size) => format!("axis {size}"),
            Domain::Past { window: Some(window), skip } => format!("past {window} {skip}"),
            Domain::Past { window: None, skip } => format!("past all {skip}"),
        };
        // The width is one axis of all functions: it is no bound name.
        let term = if id == crate::core::WIDTH {
            self.add("width", Vec::new(), Vec::new())
        } else {
            self.unique(label, Vec::new(), Vec::new())
        };
        self.axes.insert(id, term);
        term
    }

    fn axis_list<'b>(&mut self, axes: impl IntoIterator<Item = &'b AxisId>) -> Vec<TermId> {
        axes.into_iter().map(|&axis| self.axis(axis)).collect()
    }

    fn args(&self, node: &Node) -> Vec<TermId> {
        node.args.iter().map(|arg| self.nodes[arg]).collect()
    }

    fn node(&mut self, node: &Node) -> TermId {
        let args = self.args(node);
        match &node.op {
            Op::Input => self.add("input", args, Vec::new()),
            Op::Weight(leaf) => self.weight(*leaf),
            Op::Constant(Constant::Real(value)) => self.add(format!("real {:016x}", value.to_bits()), args, Vec::new()),
            Op::Constant(Constant::Size(size)) => match size.as_int() {
                Some(n) => self.add(format!("real {:016x}", (n as f64).to_bits()), args, Vec::new()),
                None => self.add(format!("size {size}"), args, Vec::new()),
            },
            Op::Position => self.add("position", args, Vec::new()),
            Op::Layer => self.add("layer", args, Vec::new()),
            Op::Index(axis) => {
                let axis = self.axis(*axis);
                self.add("index", vec![axis], Vec::new())
            }
            Op::Age(axis) => {
                let axis = self.axis(*axis);
                self.add("age", vec![axis], Vec::new())
            }
            Op::Map(function) => self.map(*function, args),
            Op::Reduce { reduction, axes, otherwise } => {
                let label = format!("reduce {reduction:?} {:?}", otherwise.map(f64::to_bits));
                self.reduce(*reduction, label, axes, args)
            }
            Op::Dot { axes } => {
                let product = self.map(Function::Mul, args);
                self.reduce(Reduction::Sum, sum_label(), axes, vec![product])
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
            | Op::Past(_) => self.layout(&node.op, args),
        }
    }

    fn weight(&mut self, leaf: LeafId) -> TermId {
        let weight = self.graph.leaf(leaf);
        let label = format!("weight {} {}", weight.role.name(), law_text(&weight.law));
        let axes = self.axis_list(&weight.axes);
        let term = self.unique(label, axes, Vec::new());
        self.leaves.insert(term, leaf);
        term
    }

    fn map(&mut self, function: Function, args: Vec<TermId>) -> TermId {
        match (function, args.as_slice()) {
            (Function::Sub, &[a, b]) => {
                let negated = self.map(Function::Neg, vec![b]);
                self.map(Function::Add, vec![a, negated])
            }
            (Function::Neg, &[x]) if self.all[x].label == "neg" => self.all[x].ordered[0],
            (Function::Add | Function::Mul, _) => {
                let label = function.name();
                let flat = args.iter().flat_map(|&arg| match &self.all[arg] {
                    term if term.label == label => term.unordered.clone(),
                    _ => vec![arg],
                });
                let flat = flat.collect();
                self.add(label, Vec::new(), flat)
            }
            _ if function.is_commutative() => self.add(function.name(), Vec::new(), args),
            _ => self.add(function.name(), args, Vec::new()),
        }
    }

    /// A sum of a sum is one sum.
    fn reduce(&mut self, reduction: Reduction, label: String, axes: &AxisSet, args: Vec<TermId>) -> TermId {
        let mut axes = self.axis_list(axes);
        let mut args = args;
        let inner = &self.all[args[0]];
        if reduction == Reduction::Sum && inner.label == label {
            axes.extend(&inner.unordered);
            args = inner.ordered.clone();
        }
        self.add(label, args, axes)
    }

    fn shift(&mut self, by: &genesys_axis::Size, args: Vec<TermId>) -> TermId {
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
        self.add(format!("shift {by}"), args, Vec::new())
    }

    fn state(&mut self, scan: ScanId, index: u32) -> TermId {
        let axes = self.graph.scan(scan).states[index as usize].axes.clone();
        let axes = self.axis_list(&axes);
        self.unique("state".into(), Vec::new(), axes)
    }

    fn scanned(&mut self, scan: ScanId) -> TermId {
        let scan_id = scan;
        let scan = self.graph.scan(scan);
        let states: Vec<(usize, TermId, TermId)> = scan
            .states
            .iter()
            .enumerate()
            .map(|(i, state)| (i, self.nodes[&state.init], self.nodes[&state.next]))
            .collect();
        let mut definitions = Vec::new();
        for (index, init, next) in states {
            let current = self.current(scan_id, index);
            definitions.push(self.add("state of", current.into_iter().chain([init, next]).collect(), Vec::new()));
        }
        let result = self.nodes[&scan.result];
        self.add("scan", vec![result], definitions)
    }

    /// The term of a state's value when a step begins; none where nothing reads it.
    fn current(&self, scan: ScanId, index: usize) -> Option<TermId> {
        let is_current = |node: &Node| node.op == Op::State { scan, index: index as u32 };
        self.nodes.iter().find(|(id, _)| is_current(self.graph.node(**id))).map(|(_, &term)| term)
    }

    fn layout(&mut self, op: &Op, args: Vec<TermId>) -> TermId {
        let (label, ordered, unordered) = match op {
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
            Op::Past(axis) => ("past".into(), vec![*axis], AxisSet::default()),
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

/// A law as text: prefix notation, so that it needs no parentheses.
fn law_text(law: &Law<Constant>) -> String {
    match law {
        Law::Const(Constant::Real(value)) => format!("{:016x}", value.to_bits()),
        Law::Const(Constant::Size(size)) => format!("({size})"),
        Law::Index(dimension) => format!("index {dimension}"),
        Law::Layer => "layer".into(),
        Law::Uniform(a, b) => format!("uniform {} {}", law_text(a), law_text(b)),
        Law::Normal(s) => format!("normal {}", law_text(s)),
        Law::Map(function, args) => {
            let args: Vec<String> = args.iter().map(law_text).collect();
            format!("{} {}", function.name(), args.join(" "))
        }
    }
}
