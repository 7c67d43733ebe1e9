//! Emits the instructions of one function from the plan of its graph.
//!
//! A *context* is an open region: the function's top, a past-region, one step of a scan. A node
//! is emitted in its *home*, the outermost context in which its dependent axes and the states it
//! depends on exist, and once there. So a region holds only what must be computed in it, what
//! several regions need is recomputed in each, and everything else stands before them.
//!
//! Graphs can be deep: the work is a stack of tasks, never recursion over nodes.

use std::collections::BTreeMap;

use genesys_check::core::{self, Expansion, Node, NodeId};
use genesys_ir::module::{
    AxisId, Direction, Dtype, Expr, Function, Op, Reduction, Region, Stage, State, Type, ValueId, Weight, WeightId,
};
use genesys_ir::{Builder, Unit};
use genesys_scalar::{Function as Scalar, Law};

use crate::axes::{Axes, Binding};
use crate::fuse::{self, Fused};
use crate::merge;
use crate::plan::{Component, ComponentId, Plan};

/// The number of a context; never reused.
pub(crate) type ContextId = usize;

const TOP: ContextId = 0;

/// An open region.
#[derive(Debug)]
struct Context {
    parent: ContextId,
    kind: Kind,
    region: Region,
    values: BTreeMap<NodeId, ValueId>,
}

#[derive(Clone, Debug)]
enum Kind {
    Top,
    Past { axis: core::AxisId, bound: AxisId },
    Grad { node: NodeId, variable: ValueId },
    Step { component: ComponentId, currents: Vec<ValueId>, starts: Vec<Option<ValueId>> },
}

#[derive(Clone, Copy, Debug)]
enum Task {
    /// A node's value is wanted in a context.
    Want(NodeId, ContextId),
    /// A node's operands are there in its innermost region: emit it, and close up to its home.
    Close { node: NodeId, home: ContextId, inner: ContextId },
    /// What is differentiated is there: emit the derivative.
    CloseGrad { node: NodeId, home: ContextId, inner: ContextId },
    /// A step's values are there: emit its scan.
    CloseScan(ContextId),
}

/// What a function takes and gives beside its main value: a loss; of other values names, and the module's axes by the names
/// that the unit has for them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signature {
    pub(crate) takes: Vec<Side>,
    pub(crate) gives: Vec<Side>,
    /// Whether it takes the targets behind all else, and gives a loss.
    pub(crate) loss: bool,
}

/// A side value of a function.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub(crate) name: String,
    pub(crate) axes: BTreeMap<String, AxisId>,
}

/// A function with its signature and the node of the plan that each of its values is of.
pub(crate) struct Emitted {
    pub(crate) function: Function,
    pub(crate) signature: Signature,
    pub(crate) nodes: BTreeMap<ValueId, NodeId>,
}

/// Emits the function of a planned graph.
pub(crate) fn function(name: String, plan: &Plan, axes: &mut Axes) -> Emitted {
    let mut emitter = Emitter::new(plan, axes);
    let mut results = Vec::new();
    for output in &plan.graph.outputs {
        let node = plan.resolve(output.node);
        emitter.run(Task::Want(node, TOP));
        results.push(emitter.output(node, output.port.stage));
    }
    results.extend(emitter.loss());
    let signature = emitter.signature();
    let Emitter { builder, mut contexts, parts, .. } = emitter;
    let values = contexts.iter().flat_map(|context| &context.values);
    let nodes: Vec<(ValueId, NodeId)> = values.map(|(node, value)| (*value, *node)).collect();
    let mut body = std::mem::take(&mut contexts[TOP].region);
    body.results = results;
    merge::region(&mut body);
    let mut function = builder.finish(name, body);
    for (value, node) in &nodes {
        for part in parts.get(value).map_or(std::slice::from_ref(node), Vec::as_slice) {
            function.origins.add(*value, &unit_of(&plan.graph, *part), 1);
        }
    }
    let numbers = genesys_ir::renumber(&mut function);
    let kept = nodes.into_iter().filter_map(|(value, node)| Some((*numbers.get(&value)?, node)));
    Emitted { function, signature, nodes: kept.collect() }
}

/// The calls that a node was expanded for.
fn unit_of(graph: &core::Graph, node: NodeId) -> Unit {
    let mut unit = Unit::new();
    let mut within = graph.node(node).within;
    while let Some(number) = (within.0 as usize).checked_sub(1) {
        let Expansion { unit: name, label, within: around } = &graph.expansions[number];
        unit.push(label.as_ref().map_or_else(|| name.clone(), |label| format!("{label}: {name}")));
        within = *around;
    }
    unit.reverse();
    unit
}

pub(crate) struct Emitter<'a> {
    pub(crate) plan: &'a Plan,
    axes: &'a mut Axes,
    binding: Binding,
    builder: Builder,
    contexts: Vec<Context>,
    /// The maps that the expression of a value was joined from.
    parts: BTreeMap<ValueId, Vec<NodeId>>,
    weights: BTreeMap<core::LeafId, WeightId>,
    /// The targets, which tell the tokens that a loss counts.
    targets: Option<ValueId>,
}

impl<'a> Emitter<'a> {
    fn new(plan: &'a Plan, axes: &'a mut Axes) -> Self {
        let top = Context { parent: TOP, kind: Kind::Top, region: Region::default(), values: BTreeMap::new() };
        let (binding, builder) = (Binding::default(), Builder::default());
        let (contexts, parts, weights) = (vec![top], BTreeMap::new(), BTreeMap::new());
        let mut emitter = Emitter { plan, axes, binding, builder, contexts, parts, weights, targets: None };
        let inputs: Vec<ValueId> = plan.graph.inputs.iter().map(|port| emitter.input(port)).collect();
        if !plan.graph.losses.is_empty() {
            let targets = Type { stage: Stage::Seq, dtype: Dtype::Token, axes: vec![] };
            emitter.targets = Some(emitter.builder.input(targets));
        }
        emitter.add_weights();
        for (i, node) in plan.graph.nodes.iter().enumerate() {
            if let core::Op::Input(number) = node.op {
                emitter.contexts[TOP].values.insert(NodeId(i as u32), inputs[number as usize]);
            }
        }
        emitter
    }

    fn input(&mut self, port: &core::Port) -> ValueId {
        let axes = self.axis_list(port.axes.iter().map(|(_, axis)| *axis), TOP);
        let stage = if port.stage == core::Stage::Const { Stage::Const } else { Stage::Seq };
        self.builder.input(Type { stage, dtype: Dtype::Real, axes })
    }

    fn signature(&mut self) -> Signature {
        let plan = self.plan;
        let mut side = |(name, port): (&str, &core::Port)| {
            let axes = port.axes.iter().map(|(name, axis)| (name.clone(), self.axis(*axis, TOP))).collect();
            Side { name: name.to_owned(), axes }
        };
        let takes = plan.graph.takes().map(&mut side).collect();
        let gives = plan.graph.gives().map(side).collect();
        Signature { takes, gives, loss: !plan.graph.losses.is_empty() }
    }

    /// The weights that are read, in the order of their declaration.
    fn add_weights(&mut self) {
        let nodes = self.plan.graph.nodes.iter().zip(&self.plan.uses).filter(|(_, uses)| **uses > 0);
        let mut read: Vec<core::LeafId> = nodes
            .filter_map(|(node, _)| match node.op {
                core::Op::Weight(leaf) => Some(leaf),
                _ => None,
            })
            .collect();
        read.sort();
        read.dedup();
        for id in read {
            let core::Leaf { path, axes, law, role, canonical, .. } = self.plan.graph.leaf(id).clone();
            let law = Law::clone(&law);
            let axes = axes.into_iter().map(|axis| self.axis(axis, TOP)).collect();
            let weight = self.builder.weight(Weight { path, axes, law, role, stream: canonical });
            self.weights.insert(id, weight);
        }
    }

    fn run(&mut self, first: Task) {
        let mut tasks = vec![first];
        while let Some(task) = tasks.pop() {
            match task {
                Task::Want(node, context) => self.want(self.plan.resolve(node), context, &mut tasks),
                Task::Close { node, home, inner } => self.close(node, home, inner),
                Task::CloseGrad { node, home, inner } => self.close_grad(node, home, inner),
                Task::CloseScan(step) => self.close_scan(step),
            }
        }
    }

    fn want(&mut self, id: NodeId, context: ContextId, tasks: &mut Vec<Task>) {
        let home = self.home(id, context);
        if self.contexts[home].values.contains_key(&id) {
            return;
        }
        if home == TOP
            && let Some(component) = self.plan.export[id.0 as usize]
        {
            return self.open_scan(component, tasks);
        }
        if self.plan.graph.node(id).op == core::Op::Grad {
            return self.open_grad(id, home, tasks);
        }
        let eliminated = self.plan.eliminated(id);
        if !eliminated.is_empty() {
            let inner = eliminated.into_iter().fold(home, |outer, axis| self.open_past(axis, outer));
            tasks.push(Task::Close { node: id, home, inner });
            tasks.extend(self.plan.args(id).map(|arg| Task::Want(arg, inner)));
            return;
        }
        let fused = fuse::map(self, id, home);
        let operands = fused.as_ref().map_or_else(|| self.plan.args(id).collect(), |fused| fused.operands.clone());
        let missing: Vec<NodeId> = operands.iter().copied().filter(|arg| self.value(*arg, home).is_none()).collect();
        if missing.is_empty() {
            let value = match fused {
                Some(Fused { expr, parts, .. }) => {
                    let value = self.push(home, Op::Map(expr), &operands);
                    self.parts.insert(value, parts);
                    value
                }
                None => self.emit(id, home),
            };
            self.contexts[home].values.insert(id, value);
        } else {
            tasks.push(Task::Want(id, context));
            tasks.extend(missing.into_iter().rev().map(|arg| Task::Want(arg, home)));
        }
    }

    /// The outermost context, seen from one, in which all exists that a node depends on.
    pub(crate) fn home(&self, id: NodeId, mut context: ContextId) -> ContextId {
        loop {
            let Context { parent, kind, .. } = &self.contexts[context];
            let bound = match kind {
                Kind::Top => true,
                Kind::Past { axis, .. } => self.plan.pasts[id.0 as usize].contains(axis),
                Kind::Grad { node, .. } => self.plan.varies(id, *node),
                Kind::Step { component, .. } => self.plan.depends_on(id, *component),
            };
            if bound {
                return context;
            }
            context = *parent;
        }
    }

    /// The value of a resolved node, seen from a context, if it is there.
    fn value(&self, id: NodeId, context: ContextId) -> Option<ValueId> {
        self.contexts[self.home(id, context)].values.get(&id).copied()
    }

    fn expect(&self, id: NodeId, context: ContextId) -> ValueId {
        let id = self.plan.resolve(id);
        self.value(id, context).expect("operands are emitted before their uses")
    }

    /// The module's axis for an axis of the graph, as a context sees it.
    fn axis(&mut self, id: core::AxisId, mut context: ContextId) -> AxisId {
        while context != TOP {
            match self.contexts[context].kind {
                Kind::Past { axis, bound } if axis == id => return bound,
                _ => context = self.contexts[context].parent,
            }
        }
        self.binding.axis(self.axes, &self.plan.graph, id, &[])
    }

    fn axis_list(&mut self, ids: impl IntoIterator<Item = core::AxisId>, context: ContextId) -> Vec<AxisId> {
        ids.into_iter().map(|id| self.axis(id, context)).collect()
    }

    fn push(&mut self, context: ContextId, op: Op, operands: &[NodeId]) -> ValueId {
        let args = operands.iter().map(|arg| self.expect(*arg, context)).collect();
        self.push_values(context, op, args)[0]
    }

    fn push_values(&mut self, context: ContextId, op: Op, args: Vec<ValueId>) -> Vec<ValueId> {
        let region = &mut self.contexts[context].region;
        let pushed = self.builder.push((self.axes.all(), &[]), region, op, args);
        pushed.unwrap_or_else(|why| unreachable!("a checked graph is well typed, yet {why}"))
    }

    fn open(&mut self, parent: ContextId, kind: Kind) -> ContextId {
        self.contexts.push(Context { parent, kind, region: Region::default(), values: BTreeMap::new() });
        self.contexts.len() - 1
    }

    /// Opens a past-region; a past that is open already gets an axis of its own within.
    fn open_past(&mut self, axis: core::AxisId, outer: ContextId) -> ContextId {
        let mut open = Vec::new();
        let mut context = outer;
        while context != TOP {
            if let Kind::Past { bound, .. } = self.contexts[context].kind {
                open.push(bound);
            }
            context = self.contexts[context].parent;
        }
        let bound = self.binding.axis(self.axes, &self.plan.graph, axis, &open);
        self.open(outer, Kind::Past { axis, bound })
    }

    fn close(&mut self, node: NodeId, home: ContextId, inner: ContextId) {
        let mut value = self.emit(node, inner);
        let mut context = inner;
        while context != home {
            let Kind::Past { bound: axis, .. } = self.contexts[context].kind else {
                unreachable!("a reduction opens past-regions only")
            };
            let parent = self.contexts[context].parent;
            let mut body = std::mem::take(&mut self.contexts[context].region);
            body.results.push(value);
            let past = Op::Past { axis, direction: Direction::Forward, reset: None, body };
            value = self.push_values(parent, past, vec![])[0];
            context = parent;
        }
        self.contexts[home].values.insert(node, value);
    }

    /// Opens the region of a derivative, once the start that it is taken at is there.
    fn open_grad(&mut self, node: NodeId, home: ContextId, tasks: &mut Vec<Task>) {
        let args: Vec<NodeId> = self.plan.args(node).collect();
        let Some(at) = self.value(args[1], home) else {
            tasks.extend([Task::Want(node, home), Task::Want(args[1], home)]);
            return;
        };
        let variable = self.builder.value(self.builder.ty(at).clone());
        let inner = self.open(home, Kind::Grad { node, variable });
        self.contexts[inner].values.insert(args[1], variable);
        tasks.extend([Task::CloseGrad { node, home, inner }, Task::Want(args[0], inner)]);
    }

    fn close_grad(&mut self, node: NodeId, home: ContextId, inner: ContextId) {
        let Kind::Grad { variable, .. } = self.contexts[inner].kind else {
            unreachable!("a derivative closes its region")
        };
        let args: Vec<NodeId> = self.plan.args(node).collect();
        let mut body = std::mem::take(&mut self.contexts[inner].region);
        body.results.push(self.expect(args[0], inner));
        let at = self.expect(args[1], home);
        let value = self.push_values(home, Op::Grad { variable, body }, vec![at])[0];
        self.contexts[home].values.insert(node, value);
    }

    fn open_scan(&mut self, component: ComponentId, tasks: &mut Vec<Task>) {
        let Component { scan, states, update, exports, .. } = &self.plan.components[component];
        let (mut currents, mut starts) = (Vec::new(), Vec::new());
        for state in states {
            let axes = self.plan.graph.scan(*scan).states[*state as usize].axes.clone();
            let axes = self.axis_list(axes, TOP);
            let ty = Type { stage: Stage::Step, dtype: Dtype::Real, axes };
            currents.push(self.builder.value(ty.clone()));
            starts.push(self.plan.starter(*scan, *state).map(|_| self.builder.value(ty)));
        }
        let kind = Kind::Step { component, currents: currents.clone(), starts: starts.clone() };
        let step = self.open(TOP, kind);
        tasks.push(Task::CloseScan(step));
        for ((state, current), start) in states.iter().zip(currents).zip(starts) {
            if let (Some(starter), Some(start)) = (self.plan.starter(*scan, *state), start) {
                self.contexts[step].values.insert(starter, start);
            }
            tasks.push(Task::Want(self.plan.graph.scan(*scan).states[*state as usize].init, TOP));
            match update {
                Some((decay, write)) => tasks.extend(decay.iter().chain(write).map(|id| Task::Want(*id, TOP))),
                None => tasks.push(Task::Want(self.plan.next(*scan, *state), step)),
            }
            if let Some(reader) = self.plan.reader(*scan, *state) {
                self.contexts[step].values.insert(reader, current);
            }
        }
        if update.is_none() {
            tasks.extend(exports.iter().map(|id| Task::Want(*id, step)));
        }
    }

    fn close_scan(&mut self, step: ContextId) {
        let Kind::Step { component, currents, starts } = self.contexts[step].kind.clone() else {
            unreachable!("a scan closes a step")
        };
        let Component { scan, states, class, update, exports } = &self.plan.components[component];
        let mut ends = Vec::new();
        for ((state, current), start) in states.iter().zip(currents).zip(starts) {
            let next = self.plan.next(*scan, *state);
            let end = match update {
                Some((decay, write)) => self.diagonal(step, current, *decay, *write),
                None => self.end(step, next),
            };
            if self.plan.depends_on(next, component) {
                self.contexts[step].values.entry(next).or_insert(end);
            }
            let core::State { name, init, reset, .. } = &self.plan.graph.scan(*scan).states[*state as usize];
            let init = self.expect(*init, TOP);
            ends.push(State { name: name.clone(), init, current, next: end, start, anew: *reset });
        }
        let mut body = std::mem::take(&mut self.contexts[step].region);
        body.results = exports.iter().map(|id| self.expect(*id, step)).collect();
        let chunked = ends.iter().any(|state| state.anew || state.start.is_some());
        let chunk = self.plan.graph.scan(*scan).chunk.clone().filter(|_| chunked);
        let op = Op::Scan { states: ends, class: *class, chunk, direction: Direction::Forward, reset: None, body };
        let results = self.push_values(TOP, op, vec![]);
        self.contexts[TOP].values.extend(exports.iter().copied().zip(results));
    }

    /// `decay * current + write`, the one form of a diagonal update.
    fn diagonal(&mut self, step: ContextId, state: ValueId, decay: Option<NodeId>, write: Option<NodeId>) -> ValueId {
        let mut args = vec![state];
        let mut operand = |id: NodeId| {
            args.push(self.expect(id, TOP));
            Expr::Arg(args.len() - 1)
        };
        let mut expr = Expr::Arg(0);
        if let Some(decay) = decay {
            expr = Expr::Apply(Scalar::Mul, vec![operand(decay), expr]);
        }
        if let Some(write) = write {
            expr = Expr::Apply(Scalar::Add, vec![expr, operand(write)]);
        }
        self.push_values(step, Op::Map(expr), args)[0]
    }

    /// What a state holds when a step ends, as a value that the step itself defines.
    fn end(&mut self, step: ContextId, next: NodeId) -> ValueId {
        let value = self.expect(next, step);
        let defined = self.contexts[step].region.instructions.iter().any(|i| i.results.contains(&value));
        if defined { value } else { self.push_values(step, Op::Map(Expr::Arg(0)), vec![value])[0] }
    }

    /// A result of the function: a sequence where one is promised, also where it is the same
    /// everywhere.
    fn output(&mut self, output: NodeId, promised: core::Stage) -> ValueId {
        let value = self.expect(output, TOP);
        if promised == core::Stage::Const || self.builder.ty(value).stage == Stage::Seq {
            return value;
        }
        let position = self.push_values(TOP, Op::Position, vec![])[0];
        let always = Expr::Const(genesys_axis::Constant::Real(1.0));
        let expr = Expr::Apply(Scalar::Where, vec![always, Expr::Arg(0), Expr::Arg(1)]);
        self.push_values(TOP, Op::Map(expr), vec![value, position])[0]
    }

    /// The sum of the losses; one that is a constant is the mean of itself.
    fn loss(&mut self) -> Option<ValueId> {
        let mut sum = None;
        for &loss in &self.plan.graph.losses {
            let node = self.plan.resolve(loss);
            self.run(Task::Want(node, TOP));
            let mut value = self.expect(node, TOP);
            if self.builder.ty(value).stage != Stage::Loss {
                value = self.mean_tokens(value);
            }
            let add = Op::Map(Expr::Apply(Scalar::Add, vec![Expr::Arg(0), Expr::Arg(1)]));
            sum = Some(sum.map_or(value, |sum| self.push_values(TOP, add, vec![sum, value])[0]));
        }
        sum
    }

    fn mean_tokens(&mut self, value: ValueId) -> ValueId {
        let targets = self.targets.expect("a function with a loss takes the targets");
        self.push_values(TOP, Op::MeanTokens, vec![value, targets])[0]
    }

    /// Emits a node whose operands are there.
    fn emit(&mut self, id: NodeId, context: ContextId) -> ValueId {
        let Node { op, args, .. } = self.plan.graph.node(id).clone();
        let op = match op {
            core::Op::MeanTokens => {
                let value = self.expect(args[0], context);
                return self.mean_tokens(value);
            }
            core::Op::Broadcast { axes } => return self.broadcast(axes.into_iter().collect(), args[0], context),
            core::Op::Reduce { reduction, axes, otherwise } => {
                let reduction = reduction_of(reduction);
                Op::Reduce { reduction, axes: self.axis_list(axes, context), otherwise }
            }
            core::Op::Weight(leaf) => Op::Weight(self.weights[&leaf]),
            core::Op::Constant(constant) => Op::Constant(constant),
            core::Op::Position => Op::Position,
            core::Op::Layer => Op::Layer,
            core::Op::Index(axis) => Op::Index(self.axis(axis, context)),
            core::Op::Age(axis) => Op::Age(self.axis(axis, context)),
            core::Op::Map(function) => Op::Map(Expr::Apply(function, (0..args.len()).map(Expr::Arg).collect())),
            core::Op::Softmax { axes, sink } => Op::Softmax { axes: self.axis_list(axes, context), sink },
            core::Op::Dot { axes } => Op::Contract { axes: self.axis_list(axes, context) },
            core::Op::Regroup { from, to } => {
                Op::Regroup { from: self.axis_list(from, context), to: self.axis_list(to, context) }
            }
            core::Op::Concat { parts, whole } => {
                Op::Concat { parts: self.axis_list(parts, context), whole: self.axis(whole, context) }
            }
            core::Op::Cut { whole, part, offset } => {
                Op::Slice { whole: self.axis(whole, context), part: self.axis(part, context), offset }
            }
            core::Op::Take { axis, index } => Op::Select { axis: self.axis(axis, context), index },
            core::Op::Stack { axis } => Op::Stack { axis: self.axis(axis, context) },
            core::Op::Shift { by } => Op::Shift { by, direction: Direction::Forward, reset: None },
            core::Op::Window(axis) => {
                Op::Window { axis: self.axis(axis, context), direction: Direction::Forward, reset: None }
            }
            core::Op::Pool { size } => Op::Pool { size, direction: Direction::Forward, reset: None },
            core::Op::Past(axis) => Op::View(self.axis(axis, context)),
            core::Op::Blocks { blocks, within } => {
                Op::Blocks { axis: self.axis(blocks, context), within: self.axis(within, context) }
            }
            core::Op::Top { from, to } => Op::Top { from: self.axis(from, context), to: self.axis(to, context) },
            core::Op::Picked { from, to } => Op::Picked { from: self.axis(from, context), to: self.axis(to, context) },
            core::Op::Cumsum(axis) => Op::Cumsum(self.axis(axis, context)),
            core::Op::After(axis) => Op::After(self.axis(axis, context)),
            core::Op::Grad
            | core::Op::Input(_)
            | core::Op::State { .. }
            | core::Op::Start { .. }
            | core::Op::Scanned(_) => {
                unreachable!("the input, states and scans are values of their contexts from the start")
            }
        };
        self.push(context, op, &args)
    }

    /// Repeats along static axes at once; along a past by a selection that never takes its other
    /// side, for only a past's own values have its extent.
    fn broadcast(&mut self, axes: Vec<core::AxisId>, operand: NodeId, context: ContextId) -> ValueId {
        let dependent = |axis: &core::AxisId| self.plan.graph.axis(*axis).domain.is_dependent();
        let (pasts, fixed): (Vec<_>, Vec<_>) = axes.into_iter().partition(dependent);
        let mut value = self.expect(operand, context);
        if !fixed.is_empty() {
            let axes = self.axis_list(fixed, context);
            value = self.push_values(context, Op::Broadcast { axes }, vec![value])[0];
        }
        for axis in pasts {
            let axis = self.axis(axis, context);
            let age = self.push_values(context, Op::Age(axis), vec![])[0];
            let always = Expr::Const(genesys_axis::Constant::Real(1.0));
            let expr = Expr::Apply(Scalar::Where, vec![always, Expr::Arg(0), Expr::Arg(1)]);
            value = self.push_values(context, Op::Map(expr), vec![value, age])[0];
        }
        value
    }
}

fn reduction_of(reduction: core::Reduction) -> Reduction {
    match reduction {
        core::Reduction::Sum => Reduction::Sum,
        core::Reduction::Mean => Reduction::Mean,
        core::Reduction::Max => Reduction::Max,
        core::Reduction::Min => Reduction::Min,
        core::Reduction::LogSumExp => Reduction::LogSumExp,
    }
}
