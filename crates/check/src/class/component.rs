//! States that read one another, and what their updates are.

use std::collections::{BTreeMap, BTreeSet};

use genesys_scalar::Function;

use super::form::{Form, Forms, Term};
use super::{ComponentClass, Kind};
use crate::AxisSet;
use crate::core::{AxisId, Graph, Node, NodeId, Op, Reduction, ScanId, Stage, Type};

/// What is added to a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// Nothing.
    Nothing,
    /// Products of values none of which has all of the state's axes.
    Outer,
    /// Anything else.
    Full,
}

/// How states are read outside of their updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readout {
    /// Not at all.
    Nothing,
    /// Contracted with what is free.
    Contracted,
    /// As a whole.
    Whole,
}

/// Splits states by who reads whom: those that reach one another together, what a component reads before it.
pub(super) fn split(edges: &[BTreeSet<u32>]) -> Vec<Vec<u32>> {
    let reach: Vec<BTreeSet<u32>> = (0..edges.len()).map(|from| reached(edges, from as u32)).collect();
    let mut parts: Vec<Vec<u32>> = Vec::new();
    for i in 0..edges.len() as u32 {
        if parts.iter().any(|part| part.contains(&i)) {
            continue;
        }
        let mutual = |j: &u32| *j == i || (reach[i as usize].contains(j) && reach[*j as usize].contains(&i));
        parts.push((i..edges.len() as u32).filter(mutual).collect());
    }
    // What reaches fewer states stands first: a component reaches all that those which it reads reach.
    parts.sort_by_key(|part| (reach[part[0] as usize].len(), part[0]));
    parts
}

fn reached(edges: &[BTreeSet<u32>], from: u32) -> BTreeSet<u32> {
    let (mut found, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(state) = open.pop() {
        open.extend(edges[state as usize].iter().filter(|next| found.insert(**next)));
    }
    found
}

/// What the axes of a scan's states are for.
#[derive(Debug, Default)]
pub(super) struct Sides {
    /// Those that all factors of a write that is a product share, and those that a state shares with what it is contracted
    /// with: along them there are as many recurrences beside one another.
    heads: AxisSet,
    /// Those that a state is summed over where it is read: a number that varies along one is a matrix to the reader.
    keys: AxisSet,
}

impl Sides {
    /// The axes along which a transition is a diagonal that varies so: those of keys; and those of values, unless there is
    /// one along which it does not vary, for then the others count heads of that.
    fn diagonal(&self, axes: &AxisSet, varies: impl Fn(&AxisId) -> bool) -> Vec<AxisId> {
        let (keys, others): (Vec<AxisId>, Vec<AxisId>) =
            axes.iter().filter(|axis| !self.heads.contains(axis)).partition(|axis| self.keys.contains(axis));
        let values = if others.iter().all(&varies) { others } else { Vec::new() };
        let mut found: Vec<AxisId> = keys.into_iter().filter(&varies).chain(values).collect();
        found.sort_unstable();
        found
    }
}

/// What the axes of states are for, by how they are written and read.
pub(super) fn sides(graph: &Graph, scan: ScanId) -> Sides {
    let mut sides = read_sides(graph, scan);
    for state in &graph.scan(scan).states {
        let axes: AxisSet = state.axes.iter().copied().collect();
        for factors in writes(graph, scan, state.next) {
            let wide = factors.iter().map(|factor| &graph.node(*factor).ty.axes).filter(|axes| !axes.is_empty());
            let wide: Vec<&AxisSet> = wide.collect();
            if wide.len() < 2 || wide.iter().any(|of| **of == axes) {
                continue;
            }
            // A factor with axes of heads alone scales, and tells nothing.
            let common = axes.iter().copied().filter(|axis| wide.iter().all(|of| of.contains(axis)));
            sides.heads.extend(common);
        }
    }
    sides
}

/// Heads and keys by the contractions that read states, also behind the scan, and through what is done to each element.
fn read_sides(graph: &Graph, scan: ScanId) -> Sides {
    let ends: BTreeSet<NodeId> = graph.scan(scan).states.iter().map(|state| state.next).collect();
    let mut sides = Sides::default();
    let mut carries = BTreeSet::new();
    for (id, node) in (0..).map(NodeId).zip(&graph.nodes) {
        let of = |id: &NodeId| &graph.node(*id).ty;
        match (&node.op, node.args.as_slice()) {
            (Op::State { scan: own, .. }, _) if *own == scan => _ = carries.insert(id),
            (Op::Scanned(own), [value]) if *own == scan && carries.contains(value) => _ = carries.insert(id),
            (Op::Map(_) | Op::Broadcast { .. }, args) if args.iter().any(|arg| carries.contains(arg)) => {
                carries.insert(id);
            }
            (Op::Dot { axes }, &[a, b]) if carries.contains(&a) || carries.contains(&b) => {
                let other = if carries.contains(&a) { b } else { a };
                // Behind the scan a map mixes heads, too.
                if node.ty.stage == Stage::Moment || of(&other).stage != Stage::Const {
                    sides.read(of(&a), of(&b), axes);
                }
            }
            (Op::Reduce { reduction: Reduction::Sum, axes, .. }, [of_all]) if carries.contains(of_all) => {
                match (&graph.node(*of_all).op, graph.node(*of_all).args.as_slice()) {
                    (Op::Map(Function::Mul), [a, b]) => sides.read(of(a), of(b), axes),
                    _ if node.ty.stage == Stage::Moment => sides.keys.extend(axes),
                    _ => {}
                }
            }
            _ => {}
        }
        if ends.contains(&id) {
            carries.insert(id);
        }
    }
    sides
}

impl Sides {
    /// A state contracted with something.
    fn read(&mut self, a: &Type, b: &Type, over: &AxisSet) {
        self.keys.extend(over);
        self.heads.extend(a.axes.intersection(&b.axes).copied().filter(|axis| !over.contains(axis)));
    }
}

/// The free terms that are added to a state, each as its factors.
fn writes(graph: &Graph, scan: ScanId, next: NodeId) -> Vec<Vec<NodeId>> {
    let depends = depends(graph, scan);
    let (mut open, mut found, mut seen) = (vec![next], Vec::new(), BTreeSet::new());
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let node = graph.node(id);
        match node.op {
            Op::Map(Function::Add | Function::Sub | Function::Neg) => open.extend(&node.args),
            Op::State { .. } => {}
            // The part of a product that holds no state, where another part does: `b k (v - k' S)`.
            Op::Map(Function::Mul) => found.push(factors(graph, id)),
            _ if !depends.contains(&id) => found.push(vec![id]),
            _ => open.extend(node.args.iter().filter(|arg| depends.contains(arg))),
        }
    }
    found.retain(|factors| !factors.iter().all(|factor| matches!(graph.node(*factor).op, Op::State { .. })));
    found.retain(|factors| !factors.iter().any(|factor| matches!(graph.node(*factor).op, Op::State { .. })));
    found
}

fn factors(graph: &Graph, id: NodeId) -> Vec<NodeId> {
    let node = graph.node(id);
    match node.op {
        Op::Map(Function::Mul) => node.args.iter().flat_map(|arg| factors(graph, *arg)).collect(),
        Op::Broadcast { .. } => factors(graph, node.args[0]),
        _ => vec![id],
    }
}

/// The nodes that depend on a state of the scan.
fn depends(graph: &Graph, scan: ScanId) -> BTreeSet<NodeId> {
    let mut found = BTreeSet::new();
    for (id, node) in (0..).map(NodeId).zip(&graph.nodes) {
        let own = matches!(node.op, Op::State { scan: of, .. } if of == scan);
        if own || node.ty.stage == Stage::Moment && node.args.iter().any(|arg| found.contains(arg)) {
            found.insert(id);
        }
    }
    found
}

/// The class of a component.
pub(super) fn class(graph: &Graph, scan: ScanId, states: Vec<u32>, sides: &Sides) -> ComponentClass {
    let updates = Updates::new(graph, scan, &states);
    let (kind, cause) = match states.as_slice() {
        [index] => updates.single(*index, sides),
        _ => updates.coupled(&states),
    };
    let cause = cause.map(|at| (at, updates.read_by(at).unwrap_or(states[0])));
    let write = updates.write(&states);
    let readout = updates.readout(&states);
    ComponentClass { states, kind, cause, write, readout }
}

/// The class of one state that no other one reads and is read by, but for whether a number counts heads: it may be called
/// scalar where it is diagonal, or the other way.
pub(super) fn kind(graph: &Graph, scan: ScanId, index: u32) -> Kind {
    Updates::new(graph, scan, &[index]).single(index, &Sides::default()).0
}

struct Updates<'g> {
    graph: &'g Graph,
    scan: ScanId,
    /// The nodes that stand for a state when a step begins, and which.
    readers: BTreeMap<NodeId, u32>,
    /// The nodes between the component's states and their next values.
    feeding: BTreeSet<NodeId>,
}

impl<'g> Updates<'g> {
    fn new(graph: &'g Graph, scan: ScanId, states: &[u32]) -> Self {
        let (mut readers, mut feeding) = (BTreeMap::new(), BTreeSet::new());
        for id in graph.step(states.iter().map(|index| graph.scan(scan).states[*index as usize].next)) {
            match graph.node(id).op {
                Op::State { scan: of, index } if of == scan && states.contains(&index) => {
                    readers.insert(id, index);
                    feeding.insert(id);
                }
                _ if graph.node(id).args.iter().any(|arg| feeding.contains(arg)) => _ = feeding.insert(id),
                _ => {}
            }
        }
        Updates { graph, scan, readers, feeding }
    }

    fn next(&self, index: u32) -> NodeId {
        self.graph.scan(self.scan).states[index as usize].next
    }

    /// One state: the product of the parts that its update passes through one after the other.
    fn single(&self, index: u32, sides: &Sides) -> (Kind, Option<NodeId>) {
        let next = self.next(index);
        if !self.feeding.contains(&next) {
            return (Kind::Free, None);
        }
        let axes: AxisSet = self.graph.scan(self.scan).states[index as usize].axes.iter().copied().collect();
        let mut parts = Vec::new();
        let mut from: BTreeSet<NodeId> = self.readers.keys().copied().filter(|id| self.feeding.contains(id)).collect();
        for cut in self.cuts(&axes) {
            let form = self.form(&from, cut);
            parts.push(self.part(&form, &axes, sides));
            from = BTreeSet::from([cut]);
        }
        joined(parts)
    }

    /// Several states: linear in all of them, or not.
    fn coupled(&self, states: &[u32]) -> (Kind, Option<NodeId>) {
        let from = self.readers.keys().copied().collect();
        let forms = states.iter().map(|index| self.form(&from, self.next(*index)));
        let broken = forms.filter_map(|form| match form {
            Form::Nonlinear(at) | Form::MaxPlus(at) => Some(at),
            Form::Linear(_) | Form::Free => None,
        });
        match broken.min() {
            Some(at) => (Kind::Nonlinear, Some(at)),
            None => (Kind::Coupled, states.first().map(|index| self.next(*index))),
        }
    }

    /// The form of a value, where some others are states.
    fn form(&self, from: &BTreeSet<NodeId>, to: NodeId) -> Form {
        let unit = Form::Linear(vec![Term::default()]);
        let mut forms = Forms { graph: self.graph, known: from.iter().map(|id| (*id, unit.clone())).collect() };
        let first = from.first().copied().unwrap_or(to);
        for id in self.feeding.range(first..=to) {
            if !forms.known.contains_key(id) {
                let form = forms.node(*id);
                forms.known.insert(*id, form);
            }
        }
        forms.of(to)
    }

    /// The values with the state's axes that everything passes through, the next value last.
    fn cuts(&self, axes: &AxisSet) -> Vec<NodeId> {
        let nodes: Vec<NodeId> = self.feeding.iter().copied().collect();
        let place: BTreeMap<NodeId, usize> = nodes.iter().enumerate().map(|(i, id)| (*id, i)).collect();
        // How far a use of what stands before reaches.
        let mut far = 0;
        let mut reach = vec![0; nodes.len()];
        for (i, id) in nodes.iter().enumerate() {
            for arg in self.graph.node(*id).args.iter().filter_map(|arg| place.get(arg)) {
                reach[*arg] = reach[*arg].max(i);
            }
        }
        let mut cuts = Vec::new();
        for (i, id) in nodes.iter().enumerate() {
            let is_cut = far <= i && self.graph.node(*id).ty.axes == *axes && !self.readers.contains_key(id);
            if is_cut {
                cuts.push(*id);
            }
            far = far.max(reach[i]);
        }
        cuts
    }

    fn part(&self, form: &Form, axes: &AxisSet, sides: &Sides) -> (Kind, Option<NodeId>) {
        let terms = match form {
            Form::Nonlinear(at) => return (Kind::Nonlinear, Some(*at)),
            Form::MaxPlus(at) => return (Kind::MaxPlus, Some(*at)),
            Form::Free => return (Kind::Free, None),
            Form::Linear(terms) => terms,
        };
        let regained = |term: &Term, contracted: &AxisSet| {
            contracted.iter().all(|axis| term.lifts.iter().any(|lift| self.axes(*lift).contains(axis)))
        };
        let is_dense = |term: &&Term| {
            term.dense || term.contracted.as_ref().is_some_and(|(contracted, _)| !regained(term, contracted))
        };
        if let Some(term) = terms.iter().find(is_dense) {
            return (Kind::Dense, term.at);
        }
        let (plain, low): (Vec<&Term>, Vec<&Term>) = terms.iter().partition(|term| term.contracted.is_none());
        let factors: Vec<NodeId> = plain.iter().flat_map(|term| term.factors.iter().copied()).collect();
        let kept = plain.len() == 1 && factors.is_empty();
        match low.as_slice() {
            [] if kept => (Kind::Identity, None),
            [] => (self.diagonal(&factors, axes, sides), terms.iter().find_map(|term| term.at)),
            [only] if kept && self.reflects(only) => (Kind::Householder, only.at),
            _ => (Kind::LowRank(low.len()), low[0].at),
        }
    }

    fn axes(&self, id: NodeId) -> &AxisSet {
        &self.graph.node(id).ty.axes
    }

    fn diagonal(&self, factors: &[NodeId], axes: &AxisSet, sides: &Sides) -> Kind {
        let varies = |axis: &AxisId| factors.iter().any(|factor| self.axes(*factor).contains(axis));
        let matrix = sides.diagonal(axes, varies);
        if matrix.is_empty() { Kind::Scalar } else { Kind::Diagonal(matrix) }
    }

    /// Whether a term is contracted with the vector that lifts it again.
    fn reflects(&self, term: &Term) -> bool {
        let Some((contracted, weights)) = &term.contracted else { return false };
        let along = |nodes: &[NodeId]| -> BTreeSet<NodeId> {
            let leaves = nodes.iter().flat_map(|node| factors(self.graph, *node));
            leaves.filter(|node| self.axes(*node).iter().any(|axis| contracted.contains(axis))).collect()
        };
        along(weights) == along(&term.lifts)
    }

    /// A state that an operation reads, directly or through others.
    fn read_by(&self, at: NodeId) -> Option<u32> {
        let mut open = vec![at];
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if let Some(index) = self.readers.get(&id) {
                return Some(*index);
            }
            if self.feeding.contains(&id) && seen.insert(id) {
                open.extend(&self.graph.node(id).args);
            }
        }
        None
    }

    fn write(&self, states: &[u32]) -> Write {
        let mut found = Write::Nothing;
        for index in states {
            let state = &self.graph.scan(self.scan).states[*index as usize];
            let axes: AxisSet = state.axes.iter().copied().collect();
            for factors in writes(self.graph, self.scan, state.next) {
                let is_outer = factors.len() > 1 && factors.iter().all(|factor| *self.axes(*factor) != axes);
                match (is_outer, found) {
                    (true, Write::Nothing | Write::Outer) => found = Write::Outer,
                    _ => found = Write::Full,
                }
            }
        }
        found
    }

    fn readout(&self, states: &[u32]) -> Readout {
        let ends: BTreeSet<NodeId> = states.iter().map(|index| self.next(*index)).collect();
        let is_read = |id: &NodeId| match self.graph.node(*id).op {
            Op::State { scan, index } if scan == self.scan && states.contains(&index) => true,
            _ => ends.contains(id),
        };
        let mut found = Readout::Nothing;
        for (id, node) in (0..).map(NodeId).zip(&self.graph.nodes) {
            if self.feeding.contains(&id) || !node.args.iter().any(is_read) {
                continue;
            }
            let contracts = match node.op {
                Op::Dot { .. } => true,
                Op::Map(Function::Mul) => self.is_summed(id),
                _ => false,
            };
            match (contracts, found) {
                (true, Readout::Nothing | Readout::Contracted) => found = Readout::Contracted,
                _ => found = Readout::Whole,
            }
        }
        found
    }

    /// Whether a product is read by sums only, also behind the scan.
    fn is_summed(&self, product: NodeId) -> bool {
        let mut uses = (0..).map(NodeId).zip(&self.graph.nodes).filter(|(_, node)| node.args.contains(&product));
        let summed = |(id, node): (NodeId, &Node)| match node.op {
            Op::Scanned(_) => self.is_summed(id),
            _ => matches!(node.op, Op::Reduce { reduction: Reduction::Sum, .. }),
        };
        uses.all(summed) && !self.graph.roots().any(|root| root == product)
    }
}

/// The class of parts that an update passes through one after the other.
fn joined(parts: Vec<(Kind, Option<NodeId>)>) -> (Kind, Option<NodeId>) {
    let mut diagonal: Option<(Kind, Option<NodeId>)> = None;
    let mut steps: Vec<(Kind, Option<NodeId>)> = Vec::new();
    for (kind, at) in parts {
        match kind {
            Kind::Free | Kind::Identity => {}
            Kind::Nonlinear => return (Kind::Nonlinear, at),
            Kind::Scalar | Kind::Diagonal(_) => {
                let kind = match (diagonal.take(), kind) {
                    (Some((Kind::Diagonal(mut all), _)), Kind::Diagonal(more)) => {
                        all.extend(more);
                        all.sort_unstable();
                        all.dedup();
                        Kind::Diagonal(all)
                    }
                    (Some((Kind::Diagonal(all), _)), _) => Kind::Diagonal(all),
                    (_, kind) => kind,
                };
                diagonal = Some((kind, at));
            }
            kind => steps.push((kind, at)),
        }
    }
    let has = |wanted: fn(&Kind) -> bool| steps.iter().find(|(kind, _)| wanted(kind)).cloned();
    if let Some((kind, at)) = has(|kind| *kind == Kind::MaxPlus) {
        let only = steps.iter().all(|(kind, _)| *kind == Kind::MaxPlus) && diagonal.is_none();
        return (if only { kind } else { Kind::Nonlinear }, at);
    }
    if let Some(dense) = has(|kind| *kind == Kind::Dense) {
        return dense;
    }
    match (steps.as_slice(), diagonal) {
        ([], None) => (Kind::Identity, None),
        ([], Some(diagonal)) => diagonal,
        ([(Kind::Householder, at)], Some(_)) => (Kind::LowRank(1), *at),
        ([one], _) => one.clone(),
        (several, _) => (Kind::Product(several.len()), several[0].1),
    }
}
