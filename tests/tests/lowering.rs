//! Lowering keeps the meaning: the formal core, element by element from its definitions, against
//! the IR that it becomes, in the step evaluator.
//!
//! The core is evaluated lazily and without any order of its own: a value is asked for at a
//! position and at an index of each axis. Regions, scans and fused maps exist on the IR's side only.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashMap};

use genesys_axis::{Domain, Size};
use genesys_check::core::{AxisId, Graph, Node, NodeId, Op, Reduction, ScanId, Stage, WIDTH};
use genesys_compiler::{check_text, compile};
use genesys_interp::Interpreter;
use genesys_ir::module::FunctionId;
use genesys_ladder::Scale;

const POSITIONS: usize = 4;

/// An index of each axis; of a past, the position itself, of blocks, their number.
type At = BTreeMap<AxisId, usize>;

struct Core<'a> {
    graph: &'a Graph,
    width: i64,
    input: &'a [Vec<f64>],
    weight: &'a dyn Fn(&str, usize) -> f64,
    known: HashMap<(NodeId, usize, Vec<usize>), f64>,
}

impl Core<'_> {
    fn size(&self, size: &Size) -> usize {
        usize::try_from(size.eval(&|_| Some(self.width)).unwrap()).unwrap()
    }

    fn extent(&self, axis: AxisId, t: usize) -> Vec<usize> {
        match &self.graph.axis(axis).domain {
            Domain::Static(size) => (0..self.size(size)).collect(),
            Domain::Past { window, skip } => {
                let end = (t + 1).saturating_sub(self.size(skip));
                (end.saturating_sub(window.as_ref().map_or(end, |window| self.size(window)))..end).collect()
            }
            Domain::Blocks { size } => (0..(t + 1) / self.size(size)).collect(),
        }
    }

    /// The elements of an axis from the largest score to the smallest.
    fn ranked(&mut self, score: NodeId, from: AxisId, t: usize, at: &At) -> Vec<usize> {
        let mut elements = self.extent(from, t);
        let with = |element: usize| at.iter().map(|(a, i)| (*a, *i)).chain([(from, element)]).collect::<At>();
        let scores: BTreeMap<usize, f64> =
            elements.iter().map(|element| (*element, self.value(score, t, &with(*element)))).collect();
        elements.sort_by(|a, b| scores[b].total_cmp(&scores[a]));
        elements
    }

    /// Every index of the axes, added to `at`.
    fn all(&self, axes: impl IntoIterator<Item = AxisId>, t: usize, at: &At) -> Vec<At> {
        axes.into_iter().fold(vec![at.clone()], |found, axis| {
            let extent = self.extent(axis, t);
            let with = |at: &At, i: usize| at.iter().map(|(a, i)| (*a, *i)).chain([(axis, i)]).collect();
            found.iter().flat_map(|at| extent.iter().map(move |i| with(at, *i))).collect()
        })
    }

    /// The sum over those positions of a past that stand to the present one as `which` says.
    fn sum_along(&mut self, id: NodeId, axis: AxisId, t: usize, at: &At, which: fn(usize, usize) -> bool) -> f64 {
        let others = self.extent(axis, t).into_iter().filter(|other| which(*other, at[&axis]));
        let all: Vec<At> =
            others.map(|other| at.iter().map(|(a, i)| (*a, *i)).chain([(axis, other)]).collect()).collect();
        all.iter().map(|at| self.value(id, t, at)).sum()
    }

    fn flat(&self, axes: &[AxisId], at: &At) -> usize {
        axes.iter().fold(0, |flat, axis| flat * self.extent(*axis, 0).len() + at[axis])
    }

    fn value(&mut self, id: NodeId, t: usize, at: &At) -> f64 {
        let ty = &self.graph.node(id).ty;
        let at: At = ty.axes.iter().map(|axis| (*axis, at[axis])).collect();
        let key = (id, if ty.stage == Stage::Const { 0 } else { t }, at.values().copied().collect());
        if let Some(value) = self.known.get(&key) {
            return *value;
        }
        let value = self.compute(id, t, at);
        self.known.insert(key, value);
        value
    }

    fn compute(&mut self, id: NodeId, t: usize, mut at: At) -> f64 {
        let graph = self.graph;
        let node = graph.node(id);
        let args = &node.args;
        match &node.op {
            Op::Input(_) => self.input[t][at[&WIDTH]],
            Op::Weight(leaf) => (self.weight)(&graph.leaf(*leaf).path, self.flat(&graph.leaf(*leaf).axes, &at)),
            Op::Constant(constant) => constant.eval(&|_| Some(self.width)).unwrap(),
            Op::Position => t as f64,
            Op::Layer => 0.0,
            Op::Index(axis) => at[axis] as f64,
            Op::Age(axis) => {
                let last = match &graph.axis(*axis).domain {
                    Domain::Blocks { size } => (at[axis] + 1) * self.size(size) - 1,
                    Domain::Static(_) | Domain::Past { .. } => at[axis],
                };
                (t - last) as f64
            }
            Op::Map(function) => {
                let values: Vec<f64> = args.iter().map(|arg| self.value(*arg, t, &at)).collect();
                function.eval(&values)
            }
            Op::Reduce { reduction, axes, otherwise } => {
                let all = self.all(axes.iter().copied(), t, &at);
                let values: Vec<f64> = all.iter().map(|at| self.value(args[0], t, at)).collect();
                reduce(*reduction, &values, *otherwise)
            }
            Op::Softmax { axes, sink } => {
                let all = self.all(axes.iter().copied(), t, &at);
                let own = self.value(args[0], t, &at);
                let ratios = all.iter().map(|at| (self.value(args[0], t, at) - own).exp()).sum::<f64>();
                1.0 / (ratios + sink.map_or(0.0, |sink| (sink - own).exp()))
            }
            Op::Dot { axes } => {
                let all = self.all(axes.iter().copied(), t, &at);
                all.iter().map(|at| self.value(args[0], t, at) * self.value(args[1], t, at)).sum()
            }
            Op::Regroup { from, to } => {
                let mut flat = self.flat(to, &at);
                for axis in from.iter().rev() {
                    let extent = self.extent(*axis, 0).len();
                    at.insert(*axis, flat % extent);
                    flat /= extent;
                }
                self.value(args[0], t, &at)
            }
            Op::Concat { parts, whole } => {
                let mut index = at[whole];
                for (arg, part) in args.iter().zip(parts) {
                    let extent = self.extent(*part, 0).len();
                    if index < extent {
                        at.insert(*part, index);
                        return self.value(*arg, t, &at);
                    }
                    index -= extent;
                }
                unreachable!("the parts make up the whole")
            }
            Op::Cut { whole, part, offset } => {
                at.insert(*whole, at[part] + self.size(offset));
                self.value(args[0], t, &at)
            }
            Op::Take { axis, index } => {
                at.insert(*axis, self.size(index));
                self.value(args[0], t, &at)
            }
            Op::Stack { axis } => self.value(args[at[axis]], t, &at),
            Op::Broadcast { .. } | Op::Scanned(_) => self.value(args[0], t, &at),
            Op::Shift { .. } | Op::Window(_) | Op::Pool { .. } | Op::Past(_) | Op::Blocks { .. } => {
                self.viewed(id, t, at)
            }
            Op::Top { .. } | Op::Picked { .. } | Op::Cumsum(_) | Op::After(_) => self.along(id, t, at),
            Op::State { scan, index } => self.held(*scan, *index, t, &at),
            Op::Start { scan, index } => self.held(*scan, *index, t - t % self.chunk(*scan), &at),
            Op::Grad => self.slope(args[0], args[1], t, &at),
            // Of a row, up to this position.
            Op::MeanTokens => (0..=t).map(|s| self.value(args[0], s, &at)).sum::<f64>() / (t + 1) as f64,
        }
    }

    /// What looks at other positions.
    fn viewed(&mut self, id: NodeId, t: usize, at: At) -> f64 {
        let graph = self.graph;
        let Node { op, args, .. } = graph.node(id);
        match op {
            Op::Shift { by } => t.checked_sub(self.size(by)).map_or(0.0, |s| self.value(args[0], s, &at)),
            Op::Window(axis) => {
                let then = (t + 1 + at[axis]).checked_sub(self.extent(*axis, t).len());
                then.map_or(0.0, |s| self.value(args[0], s, &at))
            }
            Op::Pool { size } => {
                let size = self.size(size);
                let end = (t + 1) / size * size;
                let block = end.saturating_sub(size)..end;
                block.map(|s| self.value(args[0], s, &at)).sum::<f64>() / size as f64
            }
            Op::Past(axis) => self.value(args[0], at[axis], &at),
            Op::Blocks { blocks, within } => {
                let s = at[blocks] * self.extent(*within, t).len() + at[within];
                self.value(args[0], s, &at)
            }
            _ => unreachable!("views look at other positions"),
        }
    }

    /// What goes along an axis in order.
    fn along(&mut self, id: NodeId, t: usize, mut at: At) -> f64 {
        let graph = self.graph;
        let Node { op, args, .. } = graph.node(id);
        match op {
            Op::Top { from, to } => match self.ranked(args[0], *from, t, &at).get(at[to]) {
                Some(element) => {
                    at.insert(*from, *element);
                    self.value(args[1], t, &at)
                }
                None => 0.0,
            },
            Op::Picked { from, to } => f64::from(at[to] < self.extent(*from, t).len()),
            Op::Cumsum(axis) => self.sum_along(args[0], *axis, t, &at, |other, own| other <= own),
            Op::After(axis) => self.sum_along(args[0], *axis, t, &at, |other, own| other > own),
            _ => unreachable!("positions and scores have an order"),
        }
    }

    /// What a state holds when a step begins.
    fn held(&mut self, scan: ScanId, index: u32, t: usize, at: &At) -> f64 {
        let state = &self.graph.scan(scan).states[index as usize];
        let anew = state.reset && t.is_multiple_of(self.chunk(scan));
        if t == 0 || anew { self.value(state.init, 0, at) } else { self.value(state.next, t - 1, at) }
    }

    /// The derivative of the sum of a value at a position to one element of a start there, by differences.
    fn slope(&mut self, value: NodeId, start: NodeId, t: usize, at: &At) -> f64 {
        let (h, middle) = (1e-3, self.value(start, t, at));
        let axes: Vec<AxisId> = self.graph.node(value).ty.axes.iter().copied().collect();
        let elements = self.all(axes, t, &At::new());
        let mut moved = |by: f64| {
            // What earlier positions hold does not depend on it.
            let earlier = self.known.iter().filter(|(key, _)| key.1 < t).map(|(key, value)| (key.clone(), *value));
            let earlier = earlier.chain([((start, t, at.values().copied().collect()), middle + by * h)]).collect();
            let known = std::mem::replace(&mut self.known, earlier);
            let sum: f64 = elements.iter().map(|at| self.value(value, t, at)).sum();
            self.known = known;
            sum
        };
        let (near, far) = (moved(1.0) - moved(-1.0), moved(2.0) - moved(-2.0));
        (8.0 * near - far) / (12.0 * h)
    }

    fn chunk(&self, scan: ScanId) -> usize {
        let chunk = self.graph.scan(scan).chunk.as_ref().unwrap();
        chunk.eval(&|_| Some(self.width)).unwrap() as usize
    }
}

fn reduce(reduction: Reduction, values: &[f64], otherwise: Option<f64>) -> f64 {
    let sum = values.iter().sum::<f64>();
    match reduction {
        Reduction::Sum => sum,
        Reduction::Mean => {
            if values.is_empty() {
                0.0
            } else {
                sum / values.len() as f64
            }
        }
        _ if values.is_empty() => otherwise.unwrap(),
        Reduction::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Reduction::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
        Reduction::LogSumExp => values.iter().map(|x| x.exp()).sum::<f64>().ln(),
    }
}

/// A number in -0.5..0.5 from a place and a number.
fn draw(place: &str, index: usize) -> f64 {
    let seed = place.bytes().fold(index as u64 ^ 0x9e37_79b9, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (seed ^ (seed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed ^ (mixed >> 32)) >> 11) as f64 / (1u64 << 53) as f64 - 0.5
}

/// Compares every function of a design at a width.
fn compare(text: &str, width: u64) {
    let checked = check_text("test.gau", text);
    let design = checked.design.unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
    let scale = Scale { width, ..Scale::named("nano").unwrap() };
    let module = compile(&design, &scale, 300).unwrap();
    for (index, function) in module.functions.iter().enumerate().take(module.functions.len() - 1) {
        let graph = &design.functions().iter().find(|f| f.name == function.name).unwrap().graph;
        let input: Vec<Vec<f64>> =
            (0..POSITIONS).map(|t| (0..width as usize).map(|i| 3.0 * draw("x", t * 10_000 + i)).collect()).collect();
        let (width, known) = (width as i64, HashMap::new());
        let mut core = Core { graph, width, input: &input, weight: &draw, known };
        let sizes: BTreeMap<String, usize> = graph
            .leaves
            .iter()
            .map(|leaf| (leaf.path.clone(), leaf.axes.iter().map(|axis| core.extent(*axis, 0).len()).product()))
            .collect();
        let weights = |path: &str| sizes.get(path).map(|size| (0..*size).map(|i| draw(path, i)).collect::<Vec<f64>>());
        let mut interpreter = Interpreter::function(&module, FunctionId(index as u32), 0, &weights);
        for (t, at) in input.iter().enumerate() {
            let targets = (!graph.losses.is_empty()).then(|| vec![0.0]);
            let inputs: Vec<Vec<f64>> = [at.clone()].into_iter().chain(targets).collect();
            let results = interpreter.step_vectors(&inputs).unwrap();
            if let [_, loss] = results.as_slice() {
                let expected: f64 = graph.losses.iter().map(|loss| core.value(*loss, t, &At::new())).sum();
                let close = (loss[0] - expected).abs() <= 1e-9 * expected.abs().max(1.0);
                assert!(
                    close && expected != 0.0,
                    "the loss of {} at {t}: {} is not {expected}",
                    function.name,
                    loss[0]
                );
            }
            assert_eq!(results.len(), 1 + usize::from(!graph.losses.is_empty()));
            for (i, found) in results[0].iter().enumerate() {
                let expected = core.value(graph.output().unwrap(), t, &At::from([(WIDTH, i)]));
                let close = (found - expected).abs() <= 1e-9 * expected.abs().max(1.0);
                assert!(close, "{} at {t}, {i}: {found} is not {expected}", function.name);
            }
        }
    }
}

/// The core's evaluator recurses over positions and nodes.
fn with_stack(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(1 << 28).spawn(run).unwrap().join().unwrap();
}

#[test]
fn shipped_designs() {
    with_stack(|| compare(include_str!("../../designs/gpt.gau"), 64));
    with_stack(|| compare(include_str!("../../designs/gla.gau"), 64));
    with_stack(|| compare(include_str!("../../designs/retnet.gau"), 64));
    with_stack(|| compare(include_str!("../../designs/mamba2.gau"), 64));
    with_stack(|| compare(include_str!("../../designs/octave.gau"), 64));
}

#[test]
fn every_class_of_recurrence() {
    with_stack(|| compare(include_str!("../../crates/lower/tests/designs/recurrences.gau"), 64));
}

#[test]
fn pasts_that_share_work_nest_and_have_windows() {
    with_stack(|| compare(include_str!("../../crates/lower/tests/designs/pasts.gau"), 64));
}

#[test]
fn losses() {
    with_stack(|| compare(include_str!("../../crates/lower/tests/designs/losses.gau"), 64));
    with_stack(|| compare(include_str!("../../designs/mechanisms/moe_balance.gau"), 64));
}
