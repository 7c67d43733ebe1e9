//! Weights that nothing in the result depends on, though they stand in it.
//!
//! In goes a unit's graph; out comes an error for each weight whose every path to the result ends in a value that
//! cancels out, or that crosses only operations whose derivative is zero. Values are equal here in exact
//! arithmetic, whatever the sizes: `x - x`, `0 * x`, what a softmax does not feel because it is the same for all
//! of its elements, weights that sum to one under equal values.
//!
//! Not here: what depends on ranges of values or on numbers ([`crate::stuck`] looks at first values alone).

use std::collections::BTreeSet;

use genesys_axis::{Constant, Size};
use genesys_diag::{Code, Diagnostic};
use genesys_scalar::Function;
use genesys_span::Span;

use crate::AxisSet;
use crate::core::{AxisId, Graph, Leaf, LeafId, NodeId, Op, Reduction};

/// Most nodes compared to find two values equal.
const MOST_COMPARED: usize = 256;

/// An operand that an operation does not feel.
struct Cut {
    span: Span,
    operand: NodeId,
    why: &'static str,
}

/// One error for each weight that is read and has no effect, or that no derivative reaches.
pub(crate) fn without_effect(graph: &Graph) -> Vec<Diagnostic> {
    let walk = Walk { graph };
    let results: Vec<NodeId> = graph.outputs.iter().map(|output| output.node).collect();
    let (felt, cuts) = walk.reached(&results, |id| walk.needed(id));
    let (trained, _) = walk.reached(&results, |id| walk.differentiated(id));
    let (read, _) = walk.reached(&results, |id| walk.read(id));
    let [felt, trained, read] = [&felt, &trained, &read].map(|nodes| walk.leaves(nodes));
    let mut found = Vec::new();
    for (id, leaf) in (0..).map(LeafId).zip(&graph.leaves) {
        if read.contains(&id) && !felt.contains(&id) {
            found.push(inert(leaf, cuts.iter().find(|cut| walk.reads(cut.operand, id))));
        } else if felt.contains(&id) && !trained.contains(&id) {
            found.push(untrainable(leaf));
        }
    }
    found
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

impl Walk<'_> {
    /// The nodes that values reach through the operands that `step` gives, and what it cut off.
    fn reached(
        &self,
        from: &[NodeId],
        step: impl Fn(NodeId) -> (Vec<NodeId>, Vec<Cut>),
    ) -> (BTreeSet<NodeId>, Vec<Cut>) {
        let (mut seen, mut cuts) = (BTreeSet::new(), Vec::new());
        let mut open = from.to_vec();
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            let (args, cut) = step(id);
            open.extend(args);
            cuts.extend(cut);
            match self.graph.node(id).op {
                Op::Scanned(scan) => open.push(self.graph.scan(scan).result),
                Op::State { scan, index } => {
                    let state = &self.graph.scan(scan).states[index as usize];
                    open.extend([state.init, state.next]);
                }
                _ => {}
            }
        }
        (seen, cuts)
    }

    fn leaves(&self, nodes: &BTreeSet<NodeId>) -> BTreeSet<LeafId> {
        let leaf = |id: &NodeId| match self.graph.node(*id).op {
            Op::Weight(leaf) => Some(leaf),
            _ => None,
        };
        nodes.iter().filter_map(leaf).collect()
    }

    /// Whether a value reads a weight.
    fn reads(&self, from: NodeId, leaf: LeafId) -> bool {
        let (read, _) = self.reached(&[from], |id| self.read(id));
        self.leaves(&read).contains(&leaf)
    }

    /// The operands of a node.
    fn read(&self, id: NodeId) -> (Vec<NodeId>, Vec<Cut>) {
        (self.graph.node(id).args.clone(), vec![])
    }

    /// The operands that have a part in a node's derivative.
    fn differentiated(&self, id: NodeId) -> (Vec<NodeId>, Vec<Cut>) {
        let (needed, _) = self.needed(id);
        let kept = match self.graph.node(id).op {
            Op::Map(function) if is_flat(function) => Vec::new(),
            Op::Map(Function::Where) => {
                let condition = self.graph.node(id).args[0];
                let sides = &self.graph.node(id).args[1..];
                needed.into_iter().filter(|arg| *arg != condition || sides.contains(arg)).collect()
            }
            _ => needed,
        };
        (kept, vec![])
    }

    /// The values that a node depends on, in exact arithmetic, and the operands that it does not feel.
    fn needed(&self, id: NodeId) -> (Vec<NodeId>, Vec<Cut>) {
        let node = self.graph.node(id);
        let args = node.args.as_slice();
        let all = || (args.to_vec(), vec![]);
        let only = |kept: Vec<NodeId>, cut: &[NodeId], why: &'static str| {
            let cuts = cut.iter().map(|operand| Cut { span: node.span, operand: *operand, why });
            (kept, cuts.collect())
        };
        match (&node.op, args) {
            (Op::Map(Function::Sub), [a, b]) if self.same(*a, *b) => only(vec![], args, "a value less itself is 0"),
            (Op::Map(Function::Mul), [a, b]) if self.is_zero(*a) || self.is_zero(*b) => {
                only(vec![], args, "a product with 0 is 0")
            }
            (Op::Map(Function::Div), [a, _]) if self.is_zero(*a) => only(vec![], args, "0 divided is 0"),
            (Op::Map(Function::Where), [c, a, b]) => match self.number(*c) {
                Some(0.0) => only(vec![*b], &[*a], "the condition is always false"),
                Some(_) => only(vec![*a], &[*b], "the condition is always true"),
                None if self.same(*a, *b) => only(vec![*a], &[*c], "both sides are the same"),
                None => all(),
            },
            (Op::Map(Function::Add), [a, b]) => match self.convex_of_equals(*a, *b) {
                Some((x, f)) => only(vec![x], &[f], "parts that sum to one, of equal values, are that value"),
                None => all(),
            },
            (Op::Softmax { axes, sink: None }, [x]) => self.softmax(axes, *x, node.span),
            (Op::Reduce { reduction: Reduction::Sum, axes, .. }, [x]) => match self.normalized(*x, axes) {
                Some((kept, weights)) => {
                    only(kept, &[weights], "weights that sum to one, of equal values, give that value")
                }
                None => all(),
            },
            (Op::Dot { axes }, [a, b]) => {
                let pair = |w: NodeId, v: NodeId| self.is_softmax(w, axes) && self.is_uniform(v, axes);
                if pair(*a, *b) {
                    only(vec![*b], &[*a], "weights that sum to one, of equal values, give that value")
                } else if pair(*b, *a) {
                    only(vec![*a], &[*b], "weights that sum to one, of equal values, give that value")
                } else {
                    all()
                }
            }
            _ => all(),
        }
    }

    /// A softmax does not feel a summand that is the same for all of its elements; of one element it is 1.
    fn softmax(&self, axes: &AxisSet, x: NodeId, span: Span) -> (Vec<NodeId>, Vec<Cut>) {
        let single = axes.iter().all(|axis| self.graph.axis(*axis).domain.size() == Some(&Size::int(1)));
        if single {
            return (vec![], vec![Cut { span, operand: x, why: "a softmax over one element is 1" }]);
        }
        let (mut kept, mut cuts, mut open) = (Vec::new(), Vec::new(), vec![x]);
        while let Some(id) = open.pop() {
            let why = "a softmax does not feel what is the same for all of its elements";
            match self.graph.node(id).op {
                _ if self.is_uniform(id, axes) => cuts.push(Cut { span, operand: id, why }),
                Op::Map(Function::Add | Function::Sub) => open.extend(&self.graph.node(id).args),
                _ => kept.push(id),
            }
        }
        (kept, cuts)
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
        (node.op == Op::Map(function)).then(|| node.args.clone().try_into().ok()).flatten()
    }

    /// Whether two values are one operation of the same operands.
    fn same(&self, a: NodeId, b: NodeId) -> bool {
        let (mut open, mut compared) = (vec![(a, b)], 0);
        while let Some((a, b)) = open.pop() {
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
