//! Terms of the normal form.

use std::collections::BTreeMap;
use std::fmt::Write;

use genesys_axis::{Constant, Domain};
use genesys_scalar::{Function, Law};
use smallvec::{SmallVec, smallvec};

use super::store::{Bound, Label, Store, TermId};
use crate::AxisSet;
use crate::core::{AxisId, Graph, LeafId, Node, NodeId, Op, Reduction, ScanId};
use crate::live;

/// Operands of a term.
pub(super) type Children = SmallVec<[TermId; 4]>;

/// Most operands of a sum or product that is flattened: sums of a sum with itself would double without end.
const MAX_FLAT: usize = 256;

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
    pub(super) all: Store,
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
    let live = live::live_nodes(graph);
    let mut builder = Builder {
        graph,
        all: Store::with_capacity(2 * live.len()),
        axes: vec![None; graph.axes.len()],
        nodes: vec![None; graph.nodes.len()],
        states: BTreeMap::new(),
        makes: Vec::with_capacity(2 * live.len()),
        at: NodeId(0),
    };
    for id in live {
        builder.at = id;
        builder.nodes[id.0 as usize] = Some(builder.node(graph.node(id)));
    }
    let outputs: Children = graph.outputs.iter().filter_map(|output| builder.nodes[output.node.0 as usize]).collect();
    let results = match outputs.as_slice() {
        [] => 0,
        &[only] => only,
        _ => builder.made(Make::Nothing, Label::Fixed("outputs"), &outputs, &[]),
    };
    let losses: Children = graph.losses.iter().filter_map(|loss| builder.nodes[loss.0 as usize]).collect();
    let loss = (!losses.is_empty()).then(|| builder.flat(Function::Add, &losses));
    let root = match loss {
        None => results,
        Some(loss) => builder.made(Make::Nothing, Label::Fixed("with a loss"), &[results, loss], &[]),
    };
    Terms { all: builder.all, makes: builder.makes, root, outputs, loss }
}

struct Builder<'a> {
    graph: &'a Graph,
    /// Equal terms are one.
    all: Store,
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
    fn add(&mut self, label: Label, ordered: &[TermId], unordered: &[TermId]) -> TermId {
        self.made(Make::Like(self.at), label, ordered, unordered)
    }

    fn made(&mut self, make: Make, label: Label, ordered: &[TermId], unordered: &[TermId]) -> TermId {
        self.insert(make, label, ordered, unordered, None)
    }

    fn insert(
        &mut self,
        make: Make,
        label: Label,
        ordered: &[TermId],
        unordered: &[TermId],
        bound: Option<Bound>,
    ) -> TermId {
        let (id, new) = self.all.add(label, ordered, unordered, bound);
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
            self.made(Make::Nothing, Label::Fixed("width"), &[], &[])
        } else {
            let label = match &self.graph.axis(id).domain {
                Domain::Static(size) => self.all.write(format_args!("axis {size}")),
                Domain::Past { window: Some(window), skip } => self.all.write(format_args!("past {window} {skip}")),
                Domain::Past { window: None, skip } => self.all.write(format_args!("past all {skip}")),
                Domain::Blocks { size } => self.all.write(format_args!("blocks {size}")),
            };
            self.insert(Make::Nothing, label, &[], &[], Some(Bound::Axis(id)))
        };
        self.axes[id.0 as usize] = Some(term);
        term
    }

    fn axis_list<'b>(&mut self, axes: impl IntoIterator<Item = &'b AxisId>) -> Children {
        let mut terms = Children::new();
        axes.into_iter().for_each(|&axis| terms.push(self.axis(axis)));
        terms
    }

    fn known(&self, id: NodeId) -> TermId {
        self.nodes[id.0 as usize].expect("operands stand before their uses")
    }

    fn node(&mut self, node: &Node) -> TermId {
        let mut args = Children::new();
        node.args.iter().for_each(|&arg| args.push(self.known(arg)));
        match &node.op {
            Op::Input(0) => self.add(Label::Fixed("input"), &args, &[]),
            Op::Input(number) => self.input(*number),
            Op::Weight(leaf) => self.weight(*leaf),
            Op::Constant(Constant::Real(value)) => self.real(*value),
            Op::Constant(Constant::Size(size)) => match size.as_int() {
                Some(n) => self.real(n as f64),
                None => {
                    let label = self.all.write(format_args!("size {size}"));
                    self.add(label, &args, &[])
                }
            },
            Op::Position => self.add(Label::Fixed("position"), &args, &[]),
            Op::Layer => self.add(Label::Fixed("layer"), &args, &[]),
            Op::Index(axis) => self.on_axis("index", *axis),
            Op::Age(axis) => self.on_axis("age", *axis),
            Op::Map(function) => self.map(*function, &args),
            Op::Reduce { reduction, axes, otherwise } => self.reduce(*reduction, *otherwise, axes, args),
            Op::Dot { axes } => {
                let product = self.map(Function::Mul, &args);
                self.reduce(Reduction::Sum, None, axes, smallvec![product])
            }
            Op::Softmax { axes, sink } => {
                let axes = self.axis_list(axes);
                let label = match sink {
                    None => Label::Fixed("softmax None"),
                    Some(sink) => self.all.write(format_args!("softmax {:?}", Some(sink.to_bits()))),
                };
                self.add(label, &args, &axes)
            }
            Op::Shift { by } => self.shift(by, args),
            // The last block of one position is the position.
            Op::Pool { size } if size.as_int() == Some(1) => args[0],
            Op::Pool { size } => {
                let label = self.all.write(format_args!("pool {size}"));
                self.add(label, &args, &[])
            }
            Op::State { scan, index } => self.state(*scan, *index),
            Op::Grad => self.add(Label::Fixed("grad"), &args, &[]),
            Op::MeanTokens => self.add(Label::Fixed("mean tokens"), &args, &[]),
            Op::Start { scan, index } => {
                let state = self.state(*scan, *index);
                self.add(Label::Fixed("start"), &[state], &[])
            }
            Op::Scanned(scan) => self.scanned(*scan, args),
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

    /// A parameter behind the first.
    fn input(&mut self, number: u32) -> TermId {
        let graph = self.graph;
        let axes = graph.inputs.get(number as usize).map(|port| &port.axes);
        let axes = self.axis_list(axes.into_iter().flatten().map(|(_, axis)| axis));
        let label = self.all.write(format_args!("input {number}"));
        self.add(label, &axes, &[])
    }

    /// What has an axis and no operand.
    fn on_axis(&mut self, what: &'static str, axis: AxisId) -> TermId {
        let axis = self.axis(axis);
        self.add(Label::Fixed(what), &[axis], &[])
    }

    fn real(&mut self, value: f64) -> TermId {
        let label = self.all.write_with(|label| {
            label.push_str("real ");
            write_bits(value, label);
        });
        self.made(Make::Real(value), label, &[], &[])
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
        let axes = self.axis_list(&weight.axes);
        let label = self.all.write_with(|label| {
            ["weight ", weight.role.name(), " "].into_iter().for_each(|part| label.push_str(part));
            write_law(&weight.law, label);
        });
        self.insert(Make::Like(self.at), label, &axes, &[], Some(Bound::Weight(leaf)))
    }

    fn map(&mut self, function: Function, args: &[TermId]) -> TermId {
        let label = Label::Fixed(function.name());
        match (function, args) {
            (Function::Sub, &[a, b]) => {
                let negated = self.map(Function::Neg, &[b]);
                self.map(Function::Add, &[a, negated])
            }
            (Function::Neg, &[x]) if self.makes[x].0 == Make::Map(Function::Neg) => self.all.ordered(x)[0],
            (Function::Neg, &[x]) if self.as_real(x).is_some_and(|value| value != 0.0) => {
                self.real(-self.as_real(x).expect("it was one just now"))
            }
            (Function::Div, &[x, one]) if self.as_real(one) == Some(1.0) => x,
            (Function::Add | Function::Mul, _) => self.flat(function, args),
            _ if function.is_commutative() => self.made(Make::Map(function), label, &[], args),
            _ => self.made(Make::Map(function), label, args, &[]),
        }
    }

    /// A sum of sums is one sum, a product of products one product. Numbers are joined where that
    /// rounds nothing, and the number that changes nothing is left out.
    fn flat(&mut self, function: Function, args: &[TermId]) -> TermId {
        let make = Make::Map(function);
        let mut flat = Children::new();
        for &arg in args {
            let operands = self.all.unordered(arg);
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
            _ => self.made(make, Label::Fixed(function.name()), &[], &flat),
        }
    }

    /// A sum of a sum is one sum.
    fn reduce(&mut self, reduction: Reduction, otherwise: Option<f64>, axes: &AxisSet, args: Children) -> TermId {
        let mut axes = self.axis_list(axes);
        if (reduction, otherwise) == (Reduction::Sum, None) {
            let inner = args[0];
            let is_sum = self.makes[inner].0 == Make::Sum;
            let summed = if is_sum { self.all.ordered(inner)[0] } else { inner };
            if is_sum {
                axes.extend_from_slice(self.all.unordered(inner));
            }
            return self.made(Make::Sum, Label::Fixed(PLAIN_SUM), &[summed], &axes);
        }
        let label = self.all.write(format_args!("reduce {reduction:?} {:?}", otherwise.map(f64::to_bits)));
        let mut args = args;
        if reduction == Reduction::Sum && self.all.is_labeled(args[0], label) {
            axes.extend_from_slice(self.all.unordered(args[0]));
            args = Children::from_slice(self.all.ordered(args[0]));
        }
        self.add(label, &args, &axes)
    }

    fn shift(&mut self, by: &genesys_axis::Size, args: Children) -> TermId {
        // A shift by nothing is no shift; that of a shift is one, by the sum of both.
        if by.as_int() == Some(0) {
            return args[0];
        }
        let merged = match (self.makes[args[0]].0, by.as_int()) {
            (Make::Shift(first), Some(second)) => {
                first.checked_add(second).map(|sum| (sum, Children::from_slice(self.all.ordered(args[0]))))
            }
            _ => None,
        };
        match merged.or_else(|| by.as_int().map(|by| (by, args.clone()))) {
            Some((by, args)) => {
                let label = self.all.write(format_args!("shift {by}"));
                self.made(Make::Shift(by), label, &args, &[])
            }
            None => {
                let label = self.all.write(format_args!("shift {by}"));
                self.add(label, &args, &[])
            }
        }
    }

    fn state(&mut self, scan: ScanId, index: u32) -> TermId {
        let graph = self.graph;
        let axes = self.axis_list(&graph.scan(scan).states[index as usize].axes);
        let bound = Some(Bound::State(scan, index));
        let term = self.insert(Make::Like(self.at), Label::Fixed("state"), &[], &axes, bound);
        self.states.insert((scan, index), term);
        term
    }

    /// One value of a scan; those of one scan have the same definitions.
    fn scanned(&mut self, id: ScanId, value: Children) -> TermId {
        let scan = self.graph.scan(id);
        let mut definitions = Children::new();
        for (index, state) in (0..).zip(&scan.states) {
            let current = self.states.get(&(id, index)).copied();
            let values = [self.known(state.init), self.known(state.next)];
            let parts: Children = current.into_iter().chain(values).collect();
            let label = Label::Fixed(if state.reset { "state reset of" } else { "state of" });
            definitions.push(self.made(Make::StateOf(id, index), label, &parts, &[]));
        }
        let label = match &scan.chunk {
            Some(chunk) => self.all.write(format_args!("scan every {chunk}")),
            None => Label::Fixed("scan"),
        };
        self.add(label, &value, &definitions)
    }

    fn layout(&mut self, op: &Op, args: Children) -> TermId {
        let mut ordered = args;
        let mut unordered = Children::new();
        match op {
            Op::Regroup { from, to } => ordered.extend(self.axis_list(from.iter().chain(to))),
            Op::Concat { parts, whole } => ordered.extend(self.axis_list(parts.iter().chain([whole]))),
            Op::Cut { whole, part, .. } => ordered.extend(self.axis_list([whole, part])),
            Op::Broadcast { axes } => unordered = self.axis_list(axes),
            Op::Blocks { blocks, within } => ordered.extend(self.axis_list([blocks, within])),
            Op::Top { from, to } | Op::Picked { from, to } => ordered.extend(self.axis_list([from, to])),
            Op::Take { axis, .. } | Op::Stack { axis } => ordered.push(self.axis(*axis)),
            Op::Window(axis) | Op::Past(axis) | Op::Cumsum(axis) | Op::After(axis) => ordered.push(self.axis(*axis)),
            _ => unreachable!("only operations on axes come here"),
        }
        let label = match op {
            Op::Regroup { from, .. } => self.all.write(format_args!("regroup {}", from.len())),
            Op::Cut { offset, .. } => self.all.write(format_args!("cut {offset}")),
            Op::Take { index, .. } => self.all.write(format_args!("take {index}")),
            Op::Concat { .. } => Label::Fixed("concat"),
            Op::Broadcast { .. } => Label::Fixed("broadcast"),
            Op::Blocks { .. } => Label::Fixed("blocks"),
            Op::Top { .. } => Label::Fixed("top"),
            Op::Picked { .. } => Label::Fixed("picked"),
            Op::Stack { .. } => Label::Fixed("stack"),
            Op::Window(_) => Label::Fixed("window"),
            Op::Past(_) => Label::Fixed("past"),
            Op::Cumsum(_) => Label::Fixed("cumsum"),
            Op::After(_) => Label::Fixed("after"),
            _ => unreachable!("only operations on axes come here"),
        };
        self.add(label, &ordered, &unordered)
    }
}

/// The label of a sum that says nothing of an empty past.
const PLAIN_SUM: &str = "reduce Sum None";

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
            None => {
                out.push('(');
                _ = write!(out, "{size}");
                out.push(')');
            }
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
