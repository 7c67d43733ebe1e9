//! Writes updates as `next = decay * state + write` where the checker found that they are, and states that only hold.
//!
//! An update may be composed of several statements; decay and write are collected along it as new
//! nodes of the graph, free of the state, so that they are computed for all positions at once.
//! Anything else is left as it is, to run one position after the other.
//!
//! Not here: which updates are so (`genesys_check::class`); the other classes of recurrences (a delta rule, a max-plus scan).

use std::collections::{BTreeMap, BTreeSet};

use genesys_axis::{Constant, Size};
use genesys_check::core::{Node, NodeId, Op, Stage, Type};
use genesys_scalar::Function;

use crate::plan::{Component, ComponentId, Plan};

/// `decay * state + write`; `None` for a decay of 1, and for a write of 0.
#[derive(Clone, Copy, Debug)]
struct Linear {
    decay: Option<NodeId>,
    write: Option<NodeId>,
}

/// An operand, seen from a state.
#[derive(Clone, Copy, Debug)]
enum Operand {
    Free(NodeId),
    Linear(Linear),
}

/// Replaces states whose next value reads no state: `S <- x` holds the `x` of the position before,
/// and at the first position the initial value. They need no scan.
pub(crate) fn hold(plan: &mut Plan) {
    for component in plan.components.clone() {
        let Component { scan, states, .. } = component;
        let [index] = states[..] else { continue };
        let (Some(reader), next) = (plan.reader(scan, index), plan.next(scan, index)) else { continue };
        let chunked = plan.starter(scan, index).is_some() || plan.graph.scan(scan).states[index as usize].reset;
        if chunked || !below_moment(plan, next) {
            continue;
        }
        let init = plan.graph.scan(scan).states[index as usize].init;
        let position = append(plan, Op::Position, vec![]);
        let zero = constant(plan, 0.0);
        let first = map(plan, Function::Equal, vec![position, zero]);
        let shifted = append(plan, Op::Shift { by: Size::int(1) }, vec![next]);
        // The reader keeps its place; what it now reads stands behind it, which emission allows.
        let node = &mut plan.graph.nodes[reader.0 as usize];
        node.op = Op::Map(Function::Where);
        node.args = [first, init, shifted].into();
        node.ty.stage = Stage::Seq;
    }
}

/// Appends the nodes of the decay and the write of a component that is element by element.
pub(crate) fn update(plan: &mut Plan, component: ComponentId, feeding: &BTreeSet<NodeId>) {
    let Component { scan, states, .. } = plan.components[component].clone();
    let next = plan.next(scan, states[0]);
    let mut found: BTreeMap<NodeId, Linear> = BTreeMap::new();
    for id in feeding {
        let linear = match plan.graph.node(*id).op {
            Op::State { .. } => Linear { decay: None, write: None },
            _ => {
                let args: Vec<NodeId> = plan.args(*id).collect();
                let operands =
                    args.iter().map(|arg| found.get(arg).map_or(Operand::Free(*arg), |l| Operand::Linear(*l)));
                let operands: Vec<Operand> = operands.collect();
                combine(plan, *id, &operands)
            }
        };
        found.insert(*id, linear);
    }
    let Linear { decay, write } = found[&next];
    let decay = decay.filter(|id| plan.graph.node(*id).op != Op::Constant(Constant::Real(1.0)));
    plan.components[component].update = Some((decay, write));
}

fn below_moment(plan: &Plan, id: NodeId) -> bool {
    plan.graph.node(id).ty.stage < Stage::Moment
}

/// The linear form of a map of linear operands.
fn combine(plan: &mut Plan, id: NodeId, operands: &[Operand]) -> Linear {
    use Operand::{Free, Linear as Lin};
    let Op::Map(function) = plan.graph.node(id).op else { unreachable!("only maps are element by element") };
    match (function, operands) {
        (Function::Neg, [Lin(l)]) => scaled(plan, *l, |plan, x| map(plan, Function::Neg, vec![x])),
        (Function::Mul, [Lin(l), Free(c)] | [Free(c), Lin(l)]) => {
            scaled(plan, *l, |plan, x| map(plan, Function::Mul, vec![*c, x]))
        }
        (Function::Div, [Lin(l), Free(c)]) => scaled(plan, *l, |plan, x| map(plan, Function::Div, vec![x, *c])),
        (Function::Add | Function::Sub, [a, b]) => {
            let (a, b) = (parts(plan, *a), parts(plan, *b));
            Linear { decay: sum(plan, function, a.0, b.0), write: sum(plan, function, a.1, b.1) }
        }
        (Function::Where, [Free(c), a, b]) => {
            let (a, b) = (parts(plan, *a), parts(plan, *b));
            Linear { decay: choose(plan, *c, a.0, b.0), write: choose(plan, *c, a.1, b.1) }
        }
        _ => unreachable!("the update was found linear in its state"),
    }
}

/// Decay and write of an operand as nodes; `None` is 0 for both.
fn parts(plan: &mut Plan, operand: Operand) -> (Option<NodeId>, Option<NodeId>) {
    match operand {
        Operand::Free(id) => (None, Some(id)),
        Operand::Linear(Linear { decay: Some(decay), write }) => (Some(decay), write),
        Operand::Linear(Linear { decay: None, write }) => (Some(constant(plan, 1.0)), write),
    }
}

fn scaled(plan: &mut Plan, linear: Linear, mut scale: impl FnMut(&mut Plan, NodeId) -> NodeId) -> Linear {
    let decay = match linear.decay {
        Some(decay) => decay,
        None => constant(plan, 1.0),
    };
    Linear { decay: Some(scale(plan, decay)), write: linear.write.map(|write| scale(plan, write)) }
}

fn sum(plan: &mut Plan, function: Function, a: Option<NodeId>, b: Option<NodeId>) -> Option<NodeId> {
    match (a, b) {
        (None, None) => None,
        (Some(a), None) => Some(a),
        (None, Some(b)) if function == Function::Add => Some(b),
        (None, Some(b)) => Some(map(plan, Function::Neg, vec![b])),
        (Some(a), Some(b)) => Some(map(plan, function, vec![a, b])),
    }
}

fn choose(plan: &mut Plan, condition: NodeId, a: Option<NodeId>, b: Option<NodeId>) -> Option<NodeId> {
    if a.is_none() && b.is_none() {
        return None;
    }
    let zero = constant(plan, 0.0);
    Some(map(plan, Function::Where, vec![condition, a.unwrap_or(zero), b.unwrap_or(zero)]))
}

fn constant(plan: &mut Plan, value: f64) -> NodeId {
    append(plan, Op::Constant(Constant::Real(value)), vec![])
}

/// Appends a map; a factor of 1 is left out.
fn map(plan: &mut Plan, function: Function, args: Vec<NodeId>) -> NodeId {
    let one = |id: &NodeId| plan.graph.node(*id).op == Op::Constant(Constant::Real(1.0));
    match (function, &args[..]) {
        (Function::Mul, [a, b]) if one(b) => *a,
        (Function::Mul, [a, b]) if one(a) => *b,
        _ => append(plan, Op::Map(function), args),
    }
}

fn append(plan: &mut Plan, op: Op, args: Vec<NodeId>) -> NodeId {
    let types = || args.iter().map(|arg| &plan.graph.node(*arg).ty);
    let axes = types().flat_map(|ty| ty.axes.iter().copied()).collect();
    let least = match op {
        Op::Position | Op::Shift { .. } => Stage::Seq,
        _ => Stage::Const,
    };
    let stage = types().map(|ty| ty.stage).max().unwrap_or(least).max(least);
    let Node { span, within, .. } = *plan.graph.node(args.first().copied().unwrap_or(NodeId(0)));
    plan.graph.nodes.push(Node { op, args: args.as_slice().into(), ty: Type { stage, axes }, span, within });
    NodeId((plan.graph.nodes.len() - 1) as u32)
}
