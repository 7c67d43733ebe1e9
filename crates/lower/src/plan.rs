//! What is known of a graph before a single instruction is emitted.
//!
//! Scans are split into components, as the checker's classes have them: states that read one another,
//! directly or not, run in one scan-region; others run before or after. For each node the plan says on which components'
//! states it depends, from which component it can be read as a sequence, and how often it is used.
//!
//! A node that depends on a state but feeds no `next` is a *readout*: it is no export, so that it
//! is computed behind the scan, over all positions at once.

use std::collections::{BTreeMap, BTreeSet};

use genesys_check::class::{Run, runs};
use genesys_check::core::{AxisId, Graph, Node, NodeId, Op, Reduction, ScanId};
use genesys_ir::module::StateClass;
use genesys_scalar::Function;

use crate::linear;

/// The number of a component.
pub(crate) type ComponentId = usize;

/// States that read one another.
#[derive(Clone, Debug)]
pub(crate) struct Component {
    /// The scan they were written in.
    pub(crate) scan: ScanId,
    /// Which of its states.
    pub(crate) states: Vec<u32>,
    /// How they enter their updates.
    pub(crate) class: StateClass,
    /// `next = decay * state + write` of the one state of a diagonal component; `None` for 1 and 0.
    pub(crate) update: Option<(Option<NodeId>, Option<NodeId>)>,
    /// Nodes that are read as sequences behind the scan.
    pub(crate) exports: Vec<NodeId>,
}

/// A graph and what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The graph, with nodes appended for decays and writes.
    pub(crate) graph: Graph,
    /// All components.
    pub(crate) components: Vec<Component>,
    /// Components whose states a node depends on, within their scan; ascending.
    pub(crate) depends: Vec<Vec<ComponentId>>,
    /// The component a node can leave as a sequence.
    pub(crate) export: Vec<Option<ComponentId>>,
    /// How often a live node is used.
    pub(crate) uses: Vec<u32>,
    /// The dependent axes of a node.
    pub(crate) pasts: Vec<Vec<AxisId>>,
    /// Whether a node is made of constants and maps alone.
    pub(crate) literal: Vec<bool>,
    /// The node that stands for a state: the first that reads it.
    reader: BTreeMap<(ScanId, u32), NodeId>,
    /// The node that stands for a state at the start of its chunk.
    starter: BTreeMap<(ScanId, u32), NodeId>,
    /// For each derivative the nodes from its variable on, up to what is differentiated.
    slices: BTreeMap<NodeId, BTreeSet<NodeId>>,
    /// Nodes that do what an earlier node does.
    same: BTreeMap<NodeId, NodeId>,
}

impl Plan {
    /// Plans a graph.
    pub(crate) fn new(graph: &Graph) -> Plan {
        let mut plan = Plan {
            graph: graph.clone(),
            components: Vec::new(),
            depends: Vec::new(),
            export: Vec::new(),
            uses: Vec::new(),
            pasts: Vec::new(),
            literal: Vec::new(),
            reader: BTreeMap::new(),
            starter: BTreeMap::new(),
            slices: BTreeMap::new(),
            same: BTreeMap::new(),
        };
        plan.find_readers();
        plan.contract();
        plan.join_equals();
        plan.split_scans();
        linear::hold(&mut plan);
        plan.complete();
        plan.slice();
        for component in 0..plan.components.len() {
            let feeding = plan.feeding(component);
            if plan.components[component].class == StateClass::Diagonal {
                linear::update(&mut plan, component, &feeding);
            }
            plan.mark_exports(component, &feeding);
        }
        plan.complete();
        plan.count_uses();
        plan
    }

    /// The node whose value another node's is: a scan's result, the reader of a state.
    pub(crate) fn resolve(&self, mut id: NodeId) -> NodeId {
        loop {
            let next = match self.graph.node(id).op {
                Op::Scanned(_) => self.graph.node(id).args[0],
                Op::State { scan, index } => self.reader[&(scan, index)],
                Op::Start { scan, index } => self.starter[&(scan, index)],
                _ => self.same.get(&id).copied().unwrap_or(id),
            };
            if next == id {
                return id;
            }
            id = next;
        }
    }

    /// The operands of a node, resolved.
    pub(crate) fn args(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.graph.node(id).args.iter().map(|arg| self.resolve(*arg))
    }

    /// The node that reads a state, if any does.
    pub(crate) fn reader(&self, scan: ScanId, index: u32) -> Option<NodeId> {
        self.reader.get(&(scan, index)).copied()
    }

    /// The node that reads a state at the start of its chunk, if any does.
    pub(crate) fn starter(&self, scan: ScanId, index: u32) -> Option<NodeId> {
        self.starter.get(&(scan, index)).copied()
    }

    /// Whether a node depends on the variable of a derivative, within what is differentiated.
    pub(crate) fn varies(&self, id: NodeId, grad: NodeId) -> bool {
        self.slices[&grad].contains(&id)
    }

    /// What a state holds when a step ends.
    pub(crate) fn next(&self, scan: ScanId, index: u32) -> NodeId {
        self.resolve(self.graph.scan(scan).states[index as usize].next)
    }

    /// Whether a node depends on a state of a component, in that component's step.
    pub(crate) fn depends_on(&self, id: NodeId, component: ComponentId) -> bool {
        self.depends[id.0 as usize].binary_search(&component).is_ok()
    }

    /// The dependent axes that a reduction takes away.
    pub(crate) fn eliminated(&self, id: NodeId) -> Vec<AxisId> {
        match &self.graph.node(id).op {
            Op::Reduce { axes, .. } | Op::Dot { axes } => {
                axes.iter().copied().filter(|axis| self.graph.axis(*axis).domain.is_dependent()).collect()
            }
            Op::Top { from, .. } | Op::Picked { from, .. } if self.graph.axis(*from).domain.is_dependent() => {
                vec![*from]
            }
            _ => Vec::new(),
        }
    }

    /// Finds the slices of derivatives. Starts stand before what depends on them.
    fn slice(&mut self) {
        let grads = (0..self.graph.nodes.len()).map(|i| NodeId(i as u32));
        for grad in grads.filter(|id| self.graph.node(*id).op == Op::Grad) {
            let args: Vec<NodeId> = self.args(grad).collect();
            let mut slice = BTreeSet::from([args[1]]);
            for id in (args[1].0 + 1..=args[0].0).map(NodeId) {
                if self.args_in_step(id).any(|arg| slice.contains(&arg)) {
                    slice.insert(id);
                }
            }
            self.slices.insert(grad, slice);
        }
    }

    /// What a derivative reads from around it: the start, and what its slice reads that does not vary;
    /// and each use of a node of the slice within it.
    fn around(&self, grad: NodeId) -> (Vec<NodeId>, Vec<NodeId>) {
        let args: Vec<NodeId> = self.args(grad).collect();
        let (mut outside, mut within, mut seen) = (vec![args[1]], vec![args[0]], BTreeSet::new());
        let mut pending = vec![args[0]];
        while let Some(id) = pending.pop() {
            if id == args[1] || !seen.insert(id) {
                continue;
            }
            for arg in self.args(id) {
                if self.varies(arg, grad) {
                    within.push(arg);
                    pending.push(arg);
                } else {
                    outside.push(arg);
                }
            }
        }
        (outside, within)
    }

    fn find_readers(&mut self) {
        for (i, node) in self.graph.nodes.iter().enumerate() {
            if let Op::State { scan, index } = node.op {
                self.reader.entry((scan, index)).or_insert(NodeId(i as u32));
            }
            if let Op::Start { scan, index } = node.op {
                self.starter.entry((scan, index)).or_insert(NodeId(i as u32));
            }
        }
    }

    /// A sum of products over axes that both factors have is a contraction: the product, which is
    /// larger than either factor, never exists.
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

    /// One operation on the same operands is computed once.
    fn join_equals(&mut self) {
        let mut known: BTreeMap<(String, Vec<NodeId>), NodeId> = BTreeMap::new();
        for i in 0..self.graph.nodes.len() {
            let id = NodeId(i as u32);
            // Its text is an operation's key: floats are written to their bits.
            let key = (format!("{:?}", self.graph.node(id).op), self.args(id).collect());
            match known.get(&key) {
                Some(first) => {
                    self.same.insert(id, *first);
                }
                None => {
                    known.insert(key, id);
                }
            }
        }
    }

    /// Components: what the checker says runs together, and whether that is element by element.
    fn split_scans(&mut self) {
        for scan in (0..self.graph.scans.len()).map(|i| ScanId(i as u32)) {
            for Run { states, elementwise } in runs(&self.graph, scan) {
                let class = if elementwise { StateClass::Diagonal } else { StateClass::General };
                self.components.push(Component { scan, states, class, update: None, exports: Vec::new() });
            }
        }
    }

    /// Visits nodes and, where `visit` says so, their operands; each once.
    fn walk(&self, from: impl IntoIterator<Item = NodeId>, mut visit: impl FnMut(NodeId) -> bool) {
        let mut seen = BTreeSet::new();
        let mut pending: Vec<NodeId> = from.into_iter().collect();
        while let Some(id) = pending.pop() {
            if seen.insert(id) && visit(id) {
                pending.extend(self.args_in_step(id));
            }
        }
    }

    /// Operands as written: what a scan gives is a sequence of its own, not a part of a step.
    fn args_in_step(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let steps =
            move |arg: &&NodeId| ![*arg, &id].iter().any(|id| matches!(self.graph.node(**id).op, Op::Scanned(_)));
        self.graph.node(id).args.iter().filter(steps).map(|arg| self.resolve(*arg))
    }

    /// Fills the tables for nodes that were appended since the last call.
    fn complete(&mut self) {
        for i in self.depends.len()..self.graph.nodes.len() {
            let id = NodeId(i as u32);
            let mut depends = BTreeSet::new();
            if let Op::State { scan, index } | Op::Start { scan, index } = self.graph.node(id).op {
                let own = |c: &Component| c.scan == scan && c.states.contains(&index);
                depends.extend(self.components.iter().position(own));
            }
            // A state that is held reads nodes behind it, which depend on no state.
            let known = |arg: NodeId| self.depends.get(arg.0 as usize).into_iter().flatten().copied();
            depends.extend(self.args_in_step(id).flat_map(known));
            let dependent = |axis: &AxisId| self.graph.axis(*axis).domain.is_dependent();
            let pasts = self.graph.node(id).ty.axes.iter().copied().filter(dependent).collect();
            let literal = match self.graph.node(id).op {
                Op::Constant(_) => true,
                Op::Map(_) => self.args(id).all(|arg| self.literal.get(arg.0 as usize) == Some(&true)),
                _ => false,
            };
            self.literal.push(literal);
            self.depends.push(depends.into_iter().collect());
            self.pasts.push(pasts);
            self.export.push(None);
        }
    }

    /// Nodes that depend on a component's states and that its updates depend on; ascending.
    fn feeding(&self, component: ComponentId) -> BTreeSet<NodeId> {
        let Component { scan, states, .. } = &self.components[component];
        let mut found = BTreeSet::new();
        self.walk(states.iter().map(|state| self.next(*scan, *state)), |id| {
            let inside = self.depends_on(id, component);
            if inside {
                found.insert(id);
            }
            inside
        });
        found
    }

    fn mark_exports(&mut self, component: ComponentId, feeding: &BTreeSet<NodeId>) {
        let Component { scan, states, class, .. } = self.components[component].clone();
        let readers = states.iter().flat_map(|state| [self.reader(scan, *state), self.starter(scan, *state)]);
        let readers = readers.flatten();
        let readers = readers.filter(|id| self.depends_on(*id, component));
        let nexts = states.iter().map(|state| self.next(scan, *state)).filter(|id| feeding.contains(id));
        let all = match class {
            StateClass::Diagonal => readers.chain(nexts).collect::<Vec<_>>(),
            StateClass::General => readers.chain(feeding.iter().copied()).collect(),
        };
        for id in all {
            if self.pasts[id.0 as usize].is_empty() {
                self.export[id.0 as usize] = Some(component);
            }
        }
    }

    /// Marks what is live from the outputs and losses on, and what leaves each component.
    fn count_uses(&mut self) {
        self.uses = vec![0; self.graph.nodes.len()];
        let mut live = Live { plan: self, uses: vec![0; self.graph.nodes.len()], exports: BTreeSet::new() };
        live.run();
        let Live { uses, exports, .. } = live;
        self.uses = uses;
        for (component, id) in exports {
            self.components[component].exports.push(id);
        }
    }
}

struct Live<'a> {
    plan: &'a Plan,
    uses: Vec<u32>,
    exports: BTreeSet<(ComponentId, NodeId)>,
}

impl Live<'_> {
    fn run(&mut self) {
        let mut seen = BTreeSet::new();
        let mut running = BTreeSet::new();
        let mut pending: Vec<(NodeId, Option<ComponentId>)> = Vec::new();
        pending.extend(self.plan.graph.roots().map(|root| (self.plan.resolve(root), None)));
        while let Some((id, inside)) = pending.pop() {
            let inside = inside.filter(|component| self.plan.depends_on(id, *component));
            self.uses[id.0 as usize] += 1;
            if !seen.insert((id, inside)) {
                continue;
            }
            match (inside, self.plan.export[id.0 as usize]) {
                (None, Some(component)) => {
                    self.exports.insert((component, id));
                    self.uses[id.0 as usize] += 2;
                    if self.plan.components[component].update.is_none() {
                        pending.push((id, Some(component)));
                    }
                    if running.insert(component) {
                        pending.extend(self.needed(component));
                    }
                }
                _ if self.plan.graph.node(id).op == Op::Grad => {
                    let (outside, within) = self.plan.around(id);
                    within.into_iter().for_each(|id| self.uses[id.0 as usize] += 1);
                    pending.extend(outside.into_iter().map(|arg| (arg, inside)));
                }
                _ => pending.extend(self.plan.args(id).map(|arg| (arg, inside))),
            }
        }
    }

    /// What a component's scan needs: initial values, and its updates.
    fn needed(&self, component: ComponentId) -> Vec<(NodeId, Option<ComponentId>)> {
        let Component { scan, states, update, .. } = &self.plan.components[component];
        let mut needed = Vec::new();
        for state in states {
            needed.push((self.plan.resolve(self.plan.graph.scan(*scan).states[*state as usize].init), None));
            match update {
                Some((decay, write)) => {
                    needed.extend(decay.iter().chain(write).map(|id| (self.plan.resolve(*id), None)));
                }
                // Twice, so that an update is never fused into another node.
                None => needed.extend([(self.plan.next(*scan, *state), Some(component)); 2]),
            }
        }
        needed
    }
}
