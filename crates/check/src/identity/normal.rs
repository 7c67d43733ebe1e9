//! The normal form of a graph, as a graph: what the compiler lowers.
//!
//! Two graphs of one digest give one program: the same operations on the same operands in the
//! same order, with axes, scans and states numbered alike. Only names, weights' paths, the order that
//! weights are listed in and places in the text differ. So a result may be kept by the digest, to the last bit.
//!
//! Sums are taken in canonical order, what is subtracted last. A product begins with the factors
//! of fewest axes, so that no intermediate value is larger than it must be.

use std::collections::BTreeMap;

use genesys_axis::{Constant, Size};
use genesys_scalar::Function;

use super::canonical::{Canonical, canonical};
use super::store::{Bound, TermId};
use super::term::Make;
use crate::AxisSet;
use crate::core::{
    AxisId, Graph, LeafId, Node, NodeId, Op, Output, Port, Reduction, Scan, ScanId, Stage, State, Type, WIDTH,
};
use crate::renumber::Renumber;

/// The normal form of a graph: live nodes only, in canonical order.
pub fn normal_form(graph: &Graph) -> Graph {
    normal_form_traced(graph).0
}

/// As [`normal_form`], and the node of the graph that each of its nodes was made from: of several that became one the
/// first.
pub fn normal_form_traced(graph: &Graph) -> (Graph, Vec<NodeId>) {
    let form = canonical(graph);
    let mut builder = Builder {
        graph,
        form: &form,
        made: Graph { axes: vec![graph.axis(WIDTH).clone()], expansions: graph.expansions.clone(), ..Graph::default() },
        axes: BTreeMap::from([(WIDTH, WIDTH)]),
        leaves: BTreeMap::new(),
        nodes: vec![None; form.terms.all.len()],
        states: BTreeMap::new(),
        scans: BTreeMap::new(),
        origins: Vec::new(),
    };
    builder.number_leaves();
    builder.number_axes();
    builder.number_scans();
    for &id in &form.order {
        builder.term(id);
    }
    let results = graph.outputs.iter().zip(form.terms.outputs.iter().copied());
    let node = |term: TermId| builder.nodes[term].expect("a result is a node");
    let outputs = results.map(|(output, term)| Output { node: node(term), port: builder.port(&output.port) }).collect();
    builder.made.inputs = graph.inputs.iter().map(|port| builder.port(port)).collect();
    builder.made.losses = form.terms.loss.map(node).into_iter().collect();
    builder.made.outputs = outputs;
    (builder.made, builder.origins)
}

struct Builder<'a> {
    graph: &'a Graph,
    form: &'a Canonical,
    made: Graph,
    axes: BTreeMap<AxisId, AxisId>,
    leaves: BTreeMap<LeafId, LeafId>,
    nodes: Vec<Option<NodeId>>,
    /// The scan and number of each state.
    states: BTreeMap<(ScanId, u32), (ScanId, u32)>,
    scans: BTreeMap<ScanId, ScanId>,
    /// The node of the graph that each new node was made from.
    origins: Vec<NodeId>,
}

impl Renumber for Builder<'_> {
    fn axis(&self, axis: AxisId) -> AxisId {
        self.axes[&axis]
    }

    fn leaf(&self, leaf: LeafId) -> LeafId {
        self.leaves[&leaf]
    }

    fn scan(&self, scan: ScanId) -> ScanId {
        self.scans[&scan]
    }

    fn state(&self, scan: ScanId, index: u32) -> (ScanId, u32) {
        self.states[&(scan, index)]
    }
}

impl Builder<'_> {
    /// Weights are listed as they were written: the order is for people, and decides no number.
    fn number_leaves(&mut self) {
        let mut live: Vec<LeafId> = self.form.leaves().collect();
        live.sort_unstable();
        self.leaves = live.iter().copied().zip((0..).map(LeafId)).collect();
        self.made.leaves = live.iter().map(|&leaf| self.graph.leaf(leaf).clone()).collect();
        for (canonical, leaf) in (0..).zip(self.form.leaves()) {
            self.made.leaves[self.leaves[&leaf].0 as usize].canonical = canonical;
        }
    }

    /// Axes that weights are stored by first come first, for values are laid out in this order:
    /// heads, which stand outermost in weights, are to stand outermost in states.
    fn number_axes(&mut self) {
        let mut places: BTreeMap<AxisId, (usize, usize)> = BTreeMap::new();
        for leaf in self.form.leaves() {
            for (place, &axis) in self.graph.leaf(leaf).axes.iter().enumerate() {
                let (sum, count) = places.entry(axis).or_default();
                (*sum, *count) = (*sum + place, *count + 1);
            }
        }
        let mut axes: Vec<AxisId> = self.form.axes().collect();
        // A stable sort: axes of one mean place keep their canonical order. Without weights an axis comes last.
        axes.sort_by(|a, b| {
            let mean = |axis| places.get(axis).copied().unwrap_or((usize::MAX, 1));
            let ((sum, count), (other_sum, other_count)) = (mean(a), mean(b));
            (sum as u128 * other_count as u128).cmp(&(other_sum as u128 * count as u128))
        });
        // What a unit takes may have axes that nothing in it names.
        let ports = self.graph.inputs.iter().chain(self.graph.outputs.iter().map(|output| &output.port));
        for (_, axis) in ports.flat_map(|port| &port.axes) {
            if *axis != WIDTH && !axes.contains(axis) {
                axes.push(*axis);
            }
        }
        for axis in axes {
            let number = AxisId(self.made.axes.len() as u32);
            self.made.axes.push(self.graph.axis(axis).clone());
            self.axes.insert(axis, number);
        }
    }

    /// States are read before their scan is made, so scans and states are numbered first.
    fn number_scans(&mut self) {
        for &id in &self.form.order {
            // A scan has a term for each value that it gives.
            let Some(scan) = self.scan_of(id).filter(|scan| !self.scans.contains_key(scan)) else { continue };
            let number = ScanId(self.scans.len() as u32);
            self.scans.insert(scan, number);
            for (index, definition) in (0..).zip(self.sorted(id)) {
                let Make::StateOf(scan, state) = self.form.terms.makes[definition].0 else {
                    unreachable!("a scan is defined by its states")
                };
                self.states.insert((scan, state), (number, index));
            }
        }
    }

    /// The scan that a term is a value of.
    fn scan_of(&self, id: TermId) -> Option<ScanId> {
        match self.form.terms.makes[id].0 {
            Make::Like(node) => match self.graph.node(node).op {
                Op::Scanned(scan) => Some(scan),
                _ => None,
            },
            _ => None,
        }
    }

    /// The exchangeable operands of a term, in canonical order.
    fn sorted(&self, id: TermId) -> Vec<TermId> {
        let mut operands = self.form.terms.all.unordered(id).to_vec();
        operands.sort_unstable_by_key(|&operand| self.form.number[operand]);
        operands
    }

    fn term(&mut self, id: TermId) {
        let terms = &self.form.terms.all;
        let (make, first) = self.form.terms.makes[id];
        match terms.bound(id) {
            Some(Bound::Axis(_)) => return,
            Some(Bound::Weight(leaf)) => return self.weight(id, leaf),
            Some(Bound::State(..)) | None => {}
        }
        let args: Vec<NodeId> = terms.ordered(id).iter().filter_map(|&operand| self.nodes[operand]).collect();
        let node = match make {
            Make::Nothing | Make::StateOf(..) => return,
            Make::Real(value) => {
                let ty = Type { stage: Stage::Const, axes: AxisSet::default() };
                self.push(Op::Constant(Constant::Real(value)), &[], ty, first)
            }
            Make::Map(function) => self.map(id, function, args, first),
            Make::Sum => {
                let axes: AxisSet = terms.unordered(id).iter().map(|&axis| self.bound_axis(axis)).collect();
                let mut ty = self.made.node(args[0]).ty.clone();
                axes.iter().for_each(|axis| _ = ty.axes.remove(axis));
                self.push(Op::Reduce { reduction: Reduction::Sum, axes, otherwise: None }, &args, ty, first)
            }
            Make::Shift(by) => {
                let ty = Type { stage: Stage::Seq, ..self.made.node(args[0]).ty.clone() };
                self.push(Op::Shift { by: Size::int(by) }, &args, ty, first)
            }
            Make::Like(node) => self.like(id, node, args),
        };
        self.nodes[id] = Some(node);
    }

    fn bound_axis(&self, term: TermId) -> AxisId {
        match self.form.terms.all.bound(term) {
            Some(Bound::Axis(axis)) => self.axes[&axis],
            Some(Bound::Weight(_) | Bound::State(..)) | None => WIDTH,
        }
    }

    fn weight(&mut self, id: TermId, leaf: LeafId) {
        let axes = self.list(&self.graph.leaf(leaf).axes);
        let ty = Type { stage: Stage::Const, axes: axes.iter().copied().collect() };
        let leaf = self.leaves[&leaf];
        self.made.leaves[leaf.0 as usize].axes = axes;
        let (_, first) = self.form.terms.makes[id];
        self.nodes[id] = Some(self.push(Op::Weight(leaf), &[], ty, first));
    }

    fn map(&mut self, id: TermId, function: Function, mut args: Vec<NodeId>, first: NodeId) -> NodeId {
        let operands: Vec<NodeId> = self.sorted(id).into_iter().filter_map(|operand| self.nodes[operand]).collect();
        match function {
            Function::Add => self.sum(&operands, first),
            Function::Mul => {
                args.extend(operands);
                args.sort_by_key(|&arg| self.made.node(arg).ty.axes.len());
                let joined = args.into_iter().reduce(|a, b| self.apply(Function::Mul, &[a, b], first));
                joined.expect("a product has factors")
            }
            _ => {
                args.extend(operands);
                self.apply(function, &args, first)
            }
        }
    }

    /// What is added, then what is subtracted.
    fn sum(&mut self, operands: &[NodeId], first: NodeId) -> NodeId {
        let is_negated = |node: &NodeId| self.made.node(*node).op == Op::Map(Function::Neg);
        let (mut negated, mut added): (Vec<NodeId>, Vec<NodeId>) = operands.iter().copied().partition(is_negated);
        if added.is_empty() {
            added.push(negated.remove(0));
        }
        let sum = added.into_iter().reduce(|a, b| self.apply(Function::Add, &[a, b], first));
        let sum = sum.expect("a sum has terms");
        negated.into_iter().fold(sum, |a, b| {
            let subtracted = self.made.node(b).args[0];
            self.apply(Function::Sub, &[a, subtracted], first)
        })
    }

    fn apply(&mut self, function: Function, args: &[NodeId], first: NodeId) -> NodeId {
        let types = args.iter().map(|&arg| &self.made.node(arg).ty);
        let stage = types.clone().map(|ty| ty.stage).max().unwrap_or(Stage::Const);
        let axes = types.flat_map(|ty| ty.axes.iter().copied()).collect();
        self.push(Op::Map(function), args, Type { stage, axes }, first)
    }

    fn like(&mut self, id: TermId, node: NodeId, args: Vec<NodeId>) -> NodeId {
        let old = self.graph.node(node);
        let op = match &old.op {
            Op::Scanned(scan) => {
                self.make_scan(id, *scan);
                Op::Scanned(self.scans[scan])
            }
            Op::Start { scan, index } => {
                let (scan, index) = self.states[&(*scan, *index)];
                // A state that is read by its start only is a term of its own all the same.
                let bound = self.form.terms.all.bound(id).is_some();
                let op = if bound { Op::State { scan, index } } else { Op::Start { scan, index } };
                return self.push(op, &[], self.ty(&old.ty), node);
            }
            op => self.op(op),
        };
        self.push(op, &args, self.ty(&old.ty), node)
    }

    fn make_scan(&mut self, id: TermId, scan: ScanId) {
        let old = self.graph.scan(scan);
        let states = self.sorted(id).into_iter().map(|definition| {
            let Make::StateOf(owner, index) = self.form.terms.makes[definition].0 else {
                unreachable!("a scan is defined by its states")
            };
            let state = &self.graph.scan(owner).states[index as usize];
            let ends = self.form.terms.all.ordered(definition).iter().rev();
            let mut ends = ends.map(|&end| self.nodes[end].expect("initial and next values are nodes"));
            let mut axes: Vec<AxisId> = state.axes.iter().map(|axis| self.axes[axis]).collect();
            axes.sort_unstable();
            let next = ends.next().expect("a state has a next value");
            let init = ends.next().expect("a state has an initial value");
            State { name: state.name.clone(), axes, init, next, reset: state.reset }
        });
        let states = states.collect();
        let number = self.scans[&scan].0 as usize;
        if self.made.scans.len() <= number {
            let empty = Scan { states: Vec::new(), chunk: None, span: old.span };
            self.made.scans.resize(number + 1, empty);
        }
        self.made.scans[number] = Scan { states, chunk: old.chunk.clone(), span: old.span };
    }

    fn port(&self, port: &Port) -> Port {
        let axes = port.axes.iter().map(|(name, axis)| (name.clone(), self.axes[axis])).collect();
        Port { axes, ..port.clone() }
    }

    fn push(&mut self, op: Op, args: &[NodeId], ty: Type, like: NodeId) -> NodeId {
        let id = NodeId(self.made.nodes.len() as u32);
        let Node { span, within, .. } = *self.graph.node(like);
        self.made.nodes.push(Node { op, args: args.into(), ty, span, within });
        self.origins.push(like);
        id
    }
}
