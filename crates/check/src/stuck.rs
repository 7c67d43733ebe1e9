//! Weights that training cannot move from their first value, because another one is 0 and stays 0.
//!
//! A product of two weights that both start at 0 has no derivative for either, and neither ever starts to move.
//! In goes a unit's graph; out comes an error for each weight that is 0 at first and whose derivative stays 0,
//! as weights that do move are let go, one after the other. Claimed is 0 only where it is certain for all inputs.

use genesys_axis::Constant;
use genesys_diag::{Code, Diagnostic};
use genesys_scalar::{Function, Law};

use crate::core::{Graph, Leaf, NodeId, Op, Reduction};
use crate::live::live_nodes;

/// One error for each weight that is stuck at 0.
pub(crate) fn stuck_weights(graph: &Graph) -> Vec<Diagnostic> {
    let starts_at_zero = |leaf: &Leaf| *leaf.law == Law::Const(Constant::Real(0.0));
    let mut still: Vec<bool> = graph.leaves.iter().map(starts_at_zero).collect();
    if !still.contains(&true) {
        return Vec::new();
    }
    let live = live_nodes(graph);
    // A weight that moves is 0 no longer, which may let others move.
    while still.contains(&true) {
        if !let_go(graph, &live, &mut still) {
            break;
        }
    }
    graph.leaves.iter().zip(still).filter(|(_, still)| *still).map(|(leaf, _)| stuck(leaf)).collect()
}

fn stuck(leaf: &Leaf) -> Diagnostic {
    let message = format!("the weight `{}` is stuck at 0: what it is multiplied with stays 0 as well", leaf.path);
    Diagnostic::error(Code::UNTRAINABLE, leaf.span, message)
        .help("of the factors of a product, at most one may start at 0: draw one of them, as in `normal(0.02)`")
}

/// Lets go of the weights at 0 that have a derivative while those of `still` are 0; whether there was one.
fn let_go(graph: &Graph, live: &[NodeId], still: &mut [bool]) -> bool {
    let zero = zeros(graph, live, still);
    let mut felt = vec![false; graph.nodes.len()];
    graph.roots().for_each(|root| felt[root.0 as usize] = true);
    let mut moved = false;
    // Around a recurrence once more than there are states.
    for _ in 0..=graph.scans.iter().map(|scan| scan.states.len()).sum::<usize>() {
        for &id in live.iter().rev() {
            match graph.node(id).op {
                _ if !felt[id.0 as usize] => {}
                Op::Input(_) => {}
                Op::Weight(leaf) => moved |= std::mem::take(&mut still[leaf.0 as usize]),
                _ => felt_by(graph, id, &zero, &mut felt),
            }
        }
        if !still.contains(&true) {
            break;
        }
    }
    moved
}

/// Marks what a node's derivative reaches in one step.
fn felt_by(graph: &Graph, id: NodeId, zero: &[bool], felt: &mut [bool]) {
    let node = graph.node(id);
    let is_zero = |id: NodeId| zero[id.0 as usize];
    let mut mark = |id: NodeId| felt[id.0 as usize] = true;
    match (&node.op, node.args.as_slice()) {
        (Op::Map(Function::Mul) | Op::Dot { .. }, [a, b]) => {
            if !is_zero(*b) {
                mark(*a);
            }
            if !is_zero(*a) {
                mark(*b);
            }
        }
        (Op::Map(Function::Div), [a, b]) => {
            mark(*a);
            if !is_zero(*a) {
                mark(*b);
            }
        }
        (Op::Map(Function::Relu | Function::Abs), [x]) if is_zero(*x) => {}
        (Op::Map(function), _) if function.is_flat() => {}
        (Op::Map(Function::Where), [_, a, b]) => [*a, *b].into_iter().for_each(mark),
        (Op::Top { .. }, [_, value]) => mark(*value),
        (Op::Picked { .. }, _) => {}
        (Op::State { scan, index } | Op::Start { scan, index }, _) => {
            let state = &graph.scan(*scan).states[*index as usize];
            [state.init, state.next].into_iter().for_each(mark);
        }
        (_, args) => args.iter().copied().for_each(mark),
    }
}

/// Which nodes are 0 for every input while those weights are: all are taken to be 0 until they are not.
fn zeros(graph: &Graph, live: &[NodeId], still: &[bool]) -> Vec<bool> {
    let mut zero = vec![true; graph.nodes.len()];
    loop {
        let mut changed = false;
        for &id in live {
            let now = is_zero(graph, id, &zero, still);
            changed |= zero[id.0 as usize] != now;
            zero[id.0 as usize] = now;
        }
        // Only a state reads what stands behind it.
        if !changed || graph.scans.is_empty() {
            return zero;
        }
    }
}

fn is_zero(graph: &Graph, id: NodeId, zero: &[bool], still: &[bool]) -> bool {
    let node = graph.node(id);
    let of = |id: &NodeId| zero[id.0 as usize];
    let all = || !node.args.is_empty() && node.args.iter().all(of);
    match &node.op {
        Op::Weight(leaf) => still[leaf.0 as usize],
        Op::Constant(constant) => *constant == Constant::Real(0.0),
        Op::Map(function) => match function {
            Function::Mul => node.args.iter().any(of),
            Function::Div | Function::Rem => of(&node.args[0]),
            Function::Where => node.args[1..].iter().all(of),
            Function::Neg
            | Function::Abs
            | Function::Sign
            | Function::Floor
            | Function::Round
            | Function::Stop
            | Function::Expm1
            | Function::Log1p
            | Function::Sqrt
            | Function::Sin
            | Function::Tanh
            | Function::Erf
            | Function::Silu
            | Function::Gelu
            | Function::Relu
            | Function::Add
            | Function::Sub
            | Function::Min
            | Function::Max => all(),
            _ => false,
        },
        Op::Dot { .. } => node.args.iter().any(of),
        Op::Reduce { reduction, otherwise, .. } => match reduction {
            Reduction::Sum | Reduction::Mean => all(),
            Reduction::Max | Reduction::Min => all() && otherwise.is_none_or(|value| value == 0.0),
            Reduction::LogSumExp => false,
        },
        Op::Top { .. } => of(&node.args[1]),
        Op::State { scan, index } | Op::Start { scan, index } => {
            let state = &graph.scan(*scan).states[*index as usize];
            of(&state.init) && of(&state.next)
        }
        Op::Regroup { .. }
        | Op::Concat { .. }
        | Op::Cut { .. }
        | Op::Take { .. }
        | Op::Stack { .. }
        | Op::Broadcast { .. }
        | Op::Shift { .. }
        | Op::Window(_)
        | Op::Pool { .. }
        | Op::Past(_)
        | Op::Blocks { .. }
        | Op::Cumsum(_)
        | Op::After(_)
        | Op::Scanned(_)
        | Op::MeanTokens => all(),
        Op::Input(_) | Op::Position | Op::Layer | Op::Index(_) | Op::Age(_) | Op::Softmax { .. } => false,
        Op::Picked { .. } | Op::Grad => false,
    }
}
