//! An interval for each value of a unit, by one forward pass, repeated until the states are stable.

use std::collections::BTreeMap;

use genesys_axis::{Constant, Domain, Size};
use genesys_check::AxisSet;
use genesys_check::core::{AxisId, NodeId, Op, Reduction, ScanId};
use genesys_cost::Program;
use genesys_scalar::Function;

use crate::{Interval, pattern};

/// Passes before a bound of a state that still moves is given up.
const PATIENCE: usize = 3;
/// Most passes: each gives up at least one bound of one state, of which there are two.
const MOST: usize = 64;

/// What is known of a unit's values.
#[derive(Clone, Debug)]
pub struct Ranges<'p> {
    pub(crate) program: &'p Program,
    intervals: BTreeMap<NodeId, Interval>,
    /// Axes along which a value has at most the Euclidean length 1.
    lengths: BTreeMap<NodeId, AxisSet>,
    states: BTreeMap<(ScanId, u32), Interval>,
}

impl<'p> Ranges<'p> {
    /// Analyses a unit.
    pub fn new(program: &'p Program) -> Ranges<'p> {
        let mut ranges =
            Ranges { program, intervals: BTreeMap::new(), lengths: BTreeMap::new(), states: BTreeMap::new() };
        for pass in 0..MOST {
            ranges.pass();
            if !ranges.update_states(pass) {
                return ranges;
            }
        }
        // Not stable: the last word is that nothing is known of the states.
        let states: Vec<_> = ranges.states.keys().copied().collect();
        ranges.states.extend(states.into_iter().map(|state| (state, Interval::ALL)));
        ranges.pass();
        ranges
    }

    /// The interval of a value; everything for one that is not live.
    pub fn of(&self, id: NodeId) -> Interval {
        self.intervals.get(&self.program.resolve(id)).copied().unwrap_or(Interval::ALL)
    }

    /// Whether a value has at most the Euclidean length 1 along axes.
    pub fn is_short(&self, id: NodeId, axes: &AxisSet) -> bool {
        self.lengths.get(&self.program.resolve(id)).is_some_and(|known| known == axes)
    }

    /// The axes along which a value is known to have at most the Euclidean length 1.
    pub(crate) fn known_length(&self, id: NodeId) -> Option<&AxisSet> {
        self.lengths.get(&id)
    }

    fn pass(&mut self) {
        for &id in &self.program.live {
            let interval = self.interval(id);
            let interval = pattern::refine(self, id).map_or(interval, |known| interval.meet(known));
            self.intervals.insert(id, interval);
            match pattern::length(self, id) {
                Some(axes) => self.lengths.insert(id, axes),
                None => self.lengths.remove(&id),
            };
        }
    }

    /// Takes in what the states hold when a step ends; whether one changed.
    fn update_states(&mut self, pass: usize) -> bool {
        let mut changed = false;
        for (_, scan, index) in self.program.states() {
            let (init, next) = self.program.state(scan, index);
            let before = self.states.get(&(scan, index)).copied();
            let after = self.of(init).hull(self.of(next));
            let joined = before.map_or(self.of(init), |before| before.hull(after));
            if before == Some(joined) {
                continue;
            }
            changed = true;
            let widened = match before {
                Some(before) if pass >= PATIENCE => Interval::new(
                    if joined.low < before.low { f64::NEG_INFINITY } else { before.low },
                    if joined.high > before.high { f64::INFINITY } else { before.high },
                ),
                _ => joined,
            };
            self.states.insert((scan, index), widened);
        }
        changed
    }

    fn interval(&self, id: NodeId) -> Interval {
        let node = self.program.graph.node(id);
        let args: Vec<Interval> = self.program.args(id).map(|arg| self.of(arg)).collect();
        let joined = || args.iter().copied().reduce(Interval::hull).unwrap_or(Interval::ALL);
        let zero = Interval::point(0.0);
        match &node.op {
            // A weight is drawn from a law, and then goes where training takes it.
            Op::Input(_) | Op::Weight(_) => Interval::ALL,
            // Slopes are not bounded by what they are slopes of.
            Op::Grad => Interval::ALL,
            Op::Constant(constant) => self.constant(constant),
            Op::Position | Op::Layer => Interval::NOT_NEGATIVE,
            Op::Index(axis) => match self.size(*axis).and_then(Size::as_int) {
                Some(n) => Interval::new(0.0, (n - 1) as f64),
                None => Interval::NOT_NEGATIVE,
            },
            Op::Age(axis) => self.age(*axis),
            Op::Map(function) => Interval::image(*function, &args),
            Op::Reduce { reduction, axes, otherwise } => {
                let reduced = self.reduced(*reduction, axes, args[0]);
                otherwise.map_or(reduced, |value| reduced.hull(Interval::point(value)))
            }
            Op::Softmax { .. } => Interval::UNIT,
            Op::Dot { axes } => self.summed(axes, args[0].times(args[1])),
            // Where no token counts, their mean is 0.
            Op::Shift { .. } | Op::Window(_) | Op::Pool { .. } | Op::MeanTokens => joined().hull(zero),
            // Where there are fewer elements than are picked, the value is 0.
            Op::Top { .. } => args[1].hull(zero),
            Op::Picked { .. } => Interval::UNIT,
            Op::Cumsum(_) => args[0].times(Interval::new(1.0, f64::INFINITY)),
            Op::After(_) => args[0].times(Interval::NOT_NEGATIVE),
            Op::Past(_)
            | Op::Blocks { .. }
            | Op::Regroup { .. }
            | Op::Concat { .. }
            | Op::Cut { .. }
            | Op::Take { .. }
            | Op::Stack { .. }
            | Op::Broadcast { .. }
            | Op::Scanned(_) => joined(),
            Op::State { scan, index } | Op::Start { scan, index } => self
                .states
                .get(&(*scan, *index))
                .copied()
                .unwrap_or_else(|| self.of(self.program.state(*scan, *index).0)),
        }
    }

    fn constant(&self, constant: &Constant) -> Interval {
        match constant {
            Constant::Real(value) => Interval::point(*value),
            Constant::Size(size) => match size.as_int() {
                Some(n) => Interval::point(n as f64),
                // The size of an axis is at least 1 wherever the design runs.
                None if self.program.graph.axes.iter().any(|axis| axis.domain.size() == Some(size)) => {
                    Interval::new(1.0, f64::INFINITY)
                }
                None => Interval::ALL,
            },
        }
    }

    fn size(&self, axis: AxisId) -> Option<&Size> {
        self.program.graph.axis(axis).domain.size()
    }

    fn age(&self, axis: AxisId) -> Interval {
        match &self.program.graph.axis(axis).domain {
            Domain::Past { window: Some(window), skip } => {
                let last = window.add(skip).ok().and_then(|n| n.as_int());
                last.map_or(Interval::NOT_NEGATIVE, |n| Interval::new(0.0, (n - 1) as f64))
            }
            Domain::Past { window: None, .. } | Domain::Blocks { .. } | Domain::Static(_) => Interval::NOT_NEGATIVE,
        }
    }

    fn reduced(&self, reduction: Reduction, axes: &AxisSet, x: Interval) -> Interval {
        match reduction {
            Reduction::Sum => self.summed(axes, x),
            // Over an empty past a mean is 0.
            Reduction::Mean if self.may_be_empty(axes) => x.hull(Interval::point(0.0)),
            Reduction::Mean | Reduction::Max | Reduction::Min => x,
            Reduction::LogSumExp => match self.count(axes) {
                Some(n) => Interval::new(x.low, x.high + n.ln()),
                None => Interval::new(x.low, f64::INFINITY),
            },
        }
    }

    /// A sum over axes; over an empty past it is 0.
    fn summed(&self, axes: &AxisSet, x: Interval) -> Interval {
        let sum = x.summed(self.count(axes));
        if self.may_be_empty(axes) { sum.hull(Interval::point(0.0)) } else { sum }
    }

    /// How many elements axes have together, where that is one number.
    pub(crate) fn count(&self, axes: &AxisSet) -> Option<f64> {
        axes.iter().try_fold(1.0, |product, axis| Some(product * self.size(*axis)?.as_int()? as f64))
    }

    fn may_be_empty(&self, axes: &AxisSet) -> bool {
        axes.iter().any(|axis| match &self.program.graph.axis(*axis).domain {
            Domain::Static(_) => false,
            Domain::Past { skip, .. } => *skip != Size::int(0),
            Domain::Blocks { .. } => true,
        })
    }

    /// The operands of a node, where it is a map of that function.
    pub(crate) fn map<const N: usize>(&self, id: NodeId, function: Function) -> Option<[NodeId; N]> {
        match self.program.graph.node(id).op {
            Op::Map(f) if f == function => self.program.args(id).collect::<Vec<_>>().try_into().ok(),
            _ => None,
        }
    }
}
