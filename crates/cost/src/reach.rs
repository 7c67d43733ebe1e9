//! How far back a unit looks, and through what.

use std::collections::BTreeMap;

use genesys_axis::{Domain, Size};
use genesys_check::core::{Graph, NodeId, Op, Stage};

use crate::program::Program;

/// How many positions back a value may depend on its unit's input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Horizon {
    /// At most this many; 0 is the position itself.
    Within(Size),
    /// As far as there are positions.
    Unbounded,
}

/// A unit's reach in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    /// Each position by itself.
    Pointwise,
    /// A bounded number of positions back.
    Local,
    /// All positions, through states of a fixed size.
    Recurrent,
    /// All positions, each by itself.
    Global,
}

impl Label {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Label::Pointwise => "pointwise",
            Label::Local => "local",
            Label::Recurrent => "recurrent",
            Label::Global => "global",
        }
    }
}

/// How far back a unit looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// How far.
    pub horizon: Horizon,
    /// Through what.
    pub label: Label,
}

/// The reach of what a unit gives.
pub fn reach(graph: &Graph) -> Reach {
    let program = Program::new(graph);
    let mut horizons: BTreeMap<NodeId, Horizon> = BTreeMap::new();
    let mut label = Label::Pointwise;
    for &id in &program.live {
        let step = step(&program, id);
        let operands = program.args(id).filter_map(|arg| horizons.get(&arg));
        let before = operands.fold(Horizon::Within(Size::default()), |far, near| far.max(near));
        let own = match &step {
            Step::Back(by) => before.plus(by),
            Step::Recurrent | Step::Global => Horizon::Unbounded,
        };
        label = label.max(match step {
            Step::Recurrent => Label::Recurrent,
            Step::Global => Label::Global,
            Step::Back(_) if own == Horizon::Within(Size::default()) => Label::Pointwise,
            Step::Back(_) => Label::Local,
        });
        horizons.insert(id, own);
    }
    let results = program.results().filter_map(|id| horizons.get(&id));
    let horizon = results.fold(Horizon::Within(Size::default()), |far, near| far.max(near));
    Reach { horizon, label }
}

/// How far an operation looks.
enum Step {
    Back(Size),
    Recurrent,
    Global,
}

fn step(program: &Program, id: NodeId) -> Step {
    match &program.graph.node(id).op {
        Op::Shift { by } => Step::Back(by.clone()),
        Op::Window(axis) => match program.graph.axis(*axis).domain.size().map(|size| size.sub(&Size::int(1))) {
            Some(Ok(by)) => Step::Back(by),
            Some(Err(_)) | None => Step::Global,
        },
        Op::Past(axis) => match &program.graph.axis(*axis).domain {
            Domain::Past { window: Some(window), skip } => {
                let by = window.add(skip).and_then(|n| n.sub(&Size::int(1)));
                by.map_or(Step::Global, Step::Back)
            }
            Domain::Past { window: None, .. } | Domain::Blocks { .. } | Domain::Static(_) => Step::Global,
        },
        // The oldest position of the last block when the next one is almost complete.
        Op::Pool { size } => {
            let by = size.mul(&Size::int(2)).and_then(|n| n.sub(&Size::int(2)));
            by.map_or(Step::Global, Step::Back)
        }
        Op::Blocks { .. } => Step::Global,
        Op::State { scan, index } => {
            let (_, next) = program.state(*scan, *index);
            if program.graph.node(next).ty.stage == Stage::Moment { Step::Recurrent } else { Step::Back(Size::int(1)) }
        }
        // What a chunk ago was written into the state, and so all before.
        Op::Start { .. } => Step::Recurrent,
        Op::Grad
        | Op::MeanTokens
        | Op::Input(_)
        | Op::Weight(_)
        | Op::Constant(_)
        | Op::Position
        | Op::Layer
        | Op::Index(_)
        | Op::Age(_)
        | Op::Map(_)
        | Op::Reduce { .. }
        | Op::Softmax { .. }
        | Op::Dot { .. }
        | Op::Regroup { .. }
        | Op::Concat { .. }
        | Op::Cut { .. }
        | Op::Take { .. }
        | Op::Stack { .. }
        | Op::Broadcast { .. }
        | Op::Cumsum(_)
        | Op::After(_)
        | Op::Top { .. }
        | Op::Picked { .. }
        | Op::Scanned(_) => Step::Back(Size::default()),
    }
}

impl Horizon {
    fn plus(&self, by: &Size) -> Horizon {
        match self {
            Horizon::Within(size) => size.add(by).map_or(Horizon::Unbounded, Horizon::Within),
            Horizon::Unbounded => Horizon::Unbounded,
        }
    }

    /// The farther of two; sizes that cannot be compared become their larger one at each scale.
    fn max(self, other: &Horizon) -> Horizon {
        match (self, other) {
            (Horizon::Within(a), Horizon::Within(b)) => a.larger(b).map_or(Horizon::Unbounded, Horizon::Within),
            (Horizon::Unbounded, _) | (_, Horizon::Unbounded) => Horizon::Unbounded,
        }
    }
}

impl std::fmt::Display for Horizon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Horizon::Within(size) => write!(f, "{}", size.formula()),
            Horizon::Unbounded => f.write_str("unbounded"),
        }
    }
}
