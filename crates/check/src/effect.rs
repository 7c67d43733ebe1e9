//! Weights that nothing in the result depends on, though they stand in it.
//!
//! In goes a unit's graph; out comes an error for each weight whose every path to the result ends in a value that
//! cancels out, or that crosses only operations whose derivative is zero. Values are equal here in exact
//! arithmetic, whatever the sizes: `x - x`, `0 * x`, what a softmax does not feel because it is the same for all
//! of its elements, weights that sum to one under equal values.
//!
//! Not here: what depends on ranges of values or on numbers ([`crate::stuck`] looks at first values alone).

use genesys_axis::{Constant, Size};
use genesys_diag::{Code, Diagnostic};
use genesys_scalar::Function;
use genesys_span::Span;

use crate::AxisSet;
use crate::core::{AxisId, Graph, Leaf, NodeId, Op, Reduction};
use crate::live;

/// Most nodes compared to find two values equal.
const MOST_COMPARED: usize = 256;

/// An operand that an operation does not feel.
struct Cut {
    span: Span,
    operand: NodeId,
    why: &'static str,
}

/// One error for each weight that nothing reads, that is read and has no effect, or that no derivative reaches.
pub(crate) fn without_effect(graph: &Graph) -> Vec<Diagnostic> {
    let walk = Walk { graph };
    let results: Vec<NodeId> = graph.roots().collect();
    let trained = walk.leaves(&walk.reached(&results, |id, reach| walk.differentiated(id, reach)).seen);
    let idle = graph.losses.iter().filter(|loss| walk.trains_nothing(**loss)).map(|loss| idle(graph.node(*loss).span));
    let mut found: Vec<Diagnostic> = idle.collect();
    // What a derivative reaches has an effect, and most often that is every weight.
    if trained.iter().all(|trained| *trained) {
        return found;
    }
    found.extend(live::dead_weights(graph));
    let Reach { seen, cuts, .. } = walk.reached(&results, |id, reach| walk.needed(id, reach));
    let felt = walk.leaves(&seen);
    let read = walk.leaves(&walk.reached(&results, |id, reach| walk.read(id, reach)).seen);
    for (n, leaf) in graph.leaves.iter().enumerate() {
        if read[n] && !felt[n] {
            found.push(inert(leaf, cuts.iter().find(|cut| walk.reads(cut.operand, n))));
        } else if felt[n] && !trained[n] {
            found.push(untrainable(leaf));
        }
    }
    found
}

fn idle(loss: Span) -> Diagnostic {
    let message = "expected a loss that trains something, found one whose derivative is 0";
    Diagnostic::error(Code::LOSS, loss, message)
        .help("a choice, a comparison and a number learn nothing: let a weight enter it, or what the unit is given")
}

fn inert(leaf: &Leaf, cut: Option<&Cut>) -> Diagnostic {
    let why = cut.map_or("every path from it cancels out", |cut| cut.why);
    let message = format!("the weight `{}` has no effect: {why}", leaf.path);
    let diagnostic = Diagnostic::error(Code::INERT_WEIGHT, leaf.span, message);
    let diagnostic = match cut {
        Some(cut) => diagnostic.label(cut.span, "here"),
        None => diagnostic,
    };
    diagnostic.help("take it out, or use it where the result can feel it")
}

fn untrainable(leaf: &Leaf) -> Diagnostic {
    let message = format!("the weight `{}` cannot be trained: every path from it has the derivative 0", leaf.path);
    Diagnostic::error(Code::UNTRAINABLE, leaf.span, message)
        .help("a comparison, a condition and what only they read learn nothing: give it a path beside them")
}

struct Walk<'g> {
    graph: &'g Graph,
}

/// How far a walk has come.
struct Reach {
    /// Of each node, whether it was reached.
    seen: Vec<bool>,
    /// What is still to be looked at.
    open: Vec<NodeId>,
    /// What was cut off.
    cuts: Vec<Cut>,
}

impl Reach {
    /// Goes on to `kept`, and leaves `cut` out.
    fn only(&mut self, span: Span, kept: &[NodeId], cut: &[NodeId], why: &'static str) {
        self.open.extend(kept);
        self.cuts.extend(cut.iter().map(|operand| Cut { span, operand: *operand, why }));
    }
}

impl Walk<'_> {
    /// The nodes that values reach through the operands that `step` opens, and what it cut off.
    fn reached(&self, from: &[NodeId], step: impl Fn(NodeId, &mut Reach)) -> Reach {
        let mut reach = Reach { seen: vec![false; self.graph.nodes.len()], open: from.to_vec(), cuts: Vec::new() };
        while let Some(id) = reach.open.pop() {
            if std::mem::replace(&mut reach.seen[id.0 as usize], true) {
                continue;
            }
            step(id, &mut reach);
            if let Op::State { scan, index } | Op::Start { scan, index } = self.graph.node(id).op {
                let state = &self.graph.scan(scan).states[index as usize];
                reach.open.extend([state.init, state.next]);
            }
        }
        reach
    }

    /// Of each weight, whether it is among the nodes.
    fn leaves(&self, nodes: &[bool]) -> Vec<bool> {
        let mut leaves = vec![false; self.graph.leaves.len()];
        for (node, _) in self.graph.nodes.iter().zip(nodes).filter(|(_, reached)| **reached) {
            if let Op::Weight(leaf) = node.op {
                leaves[leaf.0 as usize] = true;
            }
        }
        leaves
    }

    /// Whether a loss has no derivative to a weight or to what the unit is given.
    fn trains_nothing(&self, loss: NodeId) -> bool {
        let reached = self.reached(&[loss], |id, reach| self.differentiated(id, reach)).seen;
        let mut nodes = self.graph.nodes.iter().zip(reached);
        !nodes.any(|(node, reached)| reached && matches!(node.op, Op::Weight(_) | Op::Input(_)))
    }

    /// Whether a value reads a weight.
    fn reads(&self, from: NodeId, leaf: usize) -> bool {
        self.leaves(&self.reached(&[from], |id, reach| self.read(id, reach)).seen)[leaf]
    }

    /// The operands of a node.
    fn read(&self, id: NodeId, reach: &mut Reach) {
        reach.open.extend(&self.graph.node(id).args);
    }

    /// The operands that have a part in a node's derivative.
    fn differentiated(&self, id: NodeId, reach: &mut Reach) {
        let node = self.graph.node(id);
        let from = reach.open.len();
        self.needed(id, reach);
        match node.op {
            Op::Map(function) if is_flat(function) => reach.open.truncate(from),
            Op::Map(Function::Where) => {
                let (condition, sides) = (node.args[0], &node.args[1..]);
                let kept = reach.open.split_off(from).into_iter();
                reach.open.extend(kept.filter(|arg| *arg != condition || sides.contains(arg)));
            }
            _ => {}
        }
    }

    /// The values that a node depends on, in exact arithmetic, and the operands that it does not feel.
    fn needed(&self, id: NodeId, reach: &mut Reach) {
        let node = self.graph.node(id);
        let (span, args) = (node.span, node.args.as_slice());
        let even = "weights that sum to one, of equal values, give that value";
        match (&node.op, args) {
            (Op::Map(Function::Sub), [a, b]) if self.same(*a, *b) => {
                reach.only(span, &[], args, "a value less itself is 0");
            }
            (Op::Map(Function::Mul), [a, b]) if self.is_zero(*a) || self.is_zero(*b) => {
                reach.only(span, &[], args, "a product with 0 is 0");
            }
            (Op::Map(Function::Div), [a, _]) if self.is_zero(*a) => reach.only(span, &[], args, "0 divided is 0"),
            (Op::Map(Function::Where), [c, a, b]) => match self.number(*c) {
                Some(0.0) => reach.only(span, &[*b], &[*a], "the condition is always false"),
                Some(_) => reach.only(span, &[*a], &[*b], "the condition is always true"),
                None if self.same(*a, *b) => reach.only(span, &[*a], &[*c], "both sides are the same"),
                None => reach.open.extend(args),
            },
            (Op::Map(Function::Add), [a, b]) => match self.convex_of_equals(*a, *b) {
                Some((x, f)) => {
                    reach.only(span, &[x], &[f], "parts that sum to one, of equal values, are that value");
                }
                None => reach.open.extend(args),
            },
            (Op::Softmax { axes, sink: None }, [x]) => self.softmax(axes, *x, span, reach),
            (Op::Reduce { reduction: Reduction::Sum, axes, .. }, [x]) => match self.normalized(*x, axes) {
                Some((kept, weights)) => reach.only(span, &kept, &[weights], even),
                None => reach.open.extend(args),
            },
            (Op::Dot { axes }, [a, b]) => {
                let pair = |w: NodeId, v: NodeId| self.is_softmax(w, axes) && self.is_uniform(v, axes);
                if pair(*a, *b) {
                    reach.only(span, &[*b], &[*a], even);
                } else if pair(*b, *a) {
                    reach.only(span, &[*a], &[*b], even);
                } else {
                    reach.open.extend(args);
                }
            }
            _ => reach.open.extend(args),
        }
    }

    /// A softmax does not feel a summand that is the same for all of its elements; of one element it is 1.
    fn softmax(&self, axes: &AxisSet, x: NodeId, span: Span, reach: &mut Reach) {
        let single = axes.iter().all(|axis| self.graph.axis(*axis).domain.size() == Some(&Size::int(1)));
        if single {
            return reach.only(span, &[], &[x], "a softmax over one element is 1");
        }
        let mut open = vec![x];
        while let Some(id) = open.pop() {
            let why = "a softmax does not feel what is the same for all of its elements";
            match self.graph.node(id).op {
                _ if self.is_uniform(id, axes) => reach.only(span, &[], &[id], why),
                Op::Map(Function::Add | Function::Sub) => open.extend(&self.graph.node(id).args),
                _ => reach.open.push(id),
            }
        }
    }

    /// For `f x + (1 - f) x`, or the same in another order, `x` and `f`.
    fn convex_of_equals(&self, a: NodeId, b: NodeId) -> Option<(NodeId, NodeId)> {
        let [a0, a1] = self.map(a, Function::Mul)?;
        let [b0, b1] = self.map(b, Function::Mul)?;
        for (f, x) in [(a0, a1), (a1, a0)] {
            for (g, y) in [(b0, b1), (b1, b0)] {
                if self.same(x, y) && (self.is_complement(f, g) || self.is_complement(g, f)) {
                    return Some((x, f));
                }
            }
        }
        None
    }

    fn is_complement(&self, f: NodeId, g: NodeId) -> bool {
        self.map(g, Function::Sub).is_some_and(|[one, of]| self.number(one) == Some(1.0) && self.same(of, f))
    }

    /// Where a sum over axes is one of weights that sum to one, times equal values: the values, and the weights.
    fn normalized(&self, x: NodeId, axes: &AxisSet) -> Option<(Vec<NodeId>, NodeId)> {
        let (mut factors, mut open) = (Vec::new(), vec![x]);
        while let Some(id) = open.pop() {
            match self.map::<2>(id, Function::Mul) {
                Some(args) => open.extend(args),
                None => factors.push(id),
            }
        }
        let place = factors.iter().position(|id| self.is_softmax(*id, axes))?;
        let weights = factors.remove(place);
        factors.iter().all(|id| self.is_uniform(*id, axes)).then_some((factors, weights))
    }

    /// Whether a value is a softmax over these axes that gives all of its mass.
    fn is_softmax(&self, id: NodeId, axes: &AxisSet) -> bool {
        matches!(&self.graph.node(id).op, Op::Softmax { axes: own, sink: None } if own == axes)
    }

    /// Whether a value is the same along axes.
    fn is_uniform(&self, id: NodeId, axes: &AxisSet) -> bool {
        let node = self.graph.node(id);
        let varies = |axis: &&AxisId| node.ty.axes.contains(axis);
        match &node.op {
            Op::Broadcast { axes: added } => {
                axes.iter().filter(varies).all(|axis| added.contains(axis)) || self.is_uniform(node.args[0], axes)
            }
            _ => !axes.iter().any(|axis| node.ty.axes.contains(axis)),
        }
    }

    /// Whether a value is 0 whatever its operands are.
    fn is_zero(&self, id: NodeId) -> bool {
        let node = self.graph.node(id);
        match (&node.op, node.args.as_slice()) {
            (Op::Constant(_), _) => self.number(id) == Some(0.0),
            (Op::Map(Function::Sub), [a, b]) => self.same(*a, *b),
            (Op::Map(Function::Neg) | Op::Broadcast { .. } | Op::Past(_) | Op::Shift { .. }, [x]) => self.is_zero(*x),
            _ => false,
        }
    }

    fn number(&self, id: NodeId) -> Option<f64> {
        match &self.graph.node(id).op {
            Op::Constant(Constant::Real(value)) => Some(*value),
            Op::Constant(Constant::Size(size)) => size.as_int().map(|n| n as f64),
            _ => None,
        }
    }

    fn map<const N: usize>(&self, id: NodeId, function: Function) -> Option<[NodeId; N]> {
        let node = self.graph.node(id);
        (node.op == Op::Map(function)).then(|| node.args.as_slice().try_into().ok()).flatten()
    }

    /// Whether two values are one operation of the same operands.
    fn same(&self, a: NodeId, b: NodeId) -> bool {
        let (mut next, mut open, mut compared) = (Some((a, b)), Vec::new(), 0);
        while let Some((a, b)) = next.take().or_else(|| open.pop()) {
            if a == b {
                continue;
            }
            compared += 1;
            let (left, right) = (self.graph.node(a), self.graph.node(b));
            if compared > MOST_COMPARED || left.op != right.op || left.args.len() != right.args.len() {
                return false;
            }
            open.extend(left.args.iter().copied().zip(right.args.iter().copied()));
        }
        true
    }
}

/// Whether a function's derivative is 0 wherever it has one.
fn is_flat(function: Function) -> bool {
    matches!(function, Function::Less | Function::AtMost | Function::Equal)
}
