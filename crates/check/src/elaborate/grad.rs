//! T-grad: the derivative of a value to the start of a state, at each (item, position) by itself.
//!
//! What is differentiated must reach the start through operations within a position: a start is the
//! same at all positions of a chunk, and a derivative through a look at other positions would be a sum
//! over them, which knows the future. For the same reason there is no derivative to a weight.

use std::collections::BTreeSet;

use genesys_diag::{Code, Counterexample, Diagnostic};
use genesys_span::Span;
use genesys_syntax::ast::{Arg, Call, Expr, ExprKind};

use super::{Binding, Elab, Elaborator};
use crate::core::{NodeId, Op, Stage, Type};
use crate::error;

/// The operations that one becomes in a derivative: itself, and for most functions up to this many with those back.
const OPERATIONS_OF_A_DERIVATIVE: usize = 8;

impl<'a> Elaborator<'a, '_> {
    /// `grad(e, start(S))`: the derivative of the sum of `e` to what `S` was at the chunk's start.
    pub(super) fn grad(&mut self, call: &'a Call, span: Span) -> Elab<NodeId> {
        let (value, to) = match (&call.slot, call.args.as_slice()) {
            (None, [Arg::Value(value), Arg::Value(to)]) => (value, to),
            _ => {
                let message = "expected a value and the start of a state: `grad(e, start(S))`";
                return Err(self.fail(error::arguments(span, message)));
            }
        };
        let start = self.started(value, to)?;
        let node = self.expr(value)?;
        self.no_past(node, Code::DERIVATIVE, "a value in `grad`", value.span)?;
        let differentiated = self.within_position(node, start, value.span)?;
        let operations = self.operations(&differentiated);
        self.room_for(operations, span)?;
        self.derived += operations;
        let ty = Type { stage: Stage::Moment, axes: self.ty(start).axes.clone() };
        let grad = self.push(Op::Grad, &[node, start], ty, span)?;
        self.derivatives.insert(grad, operations);
        Ok(grad)
    }

    /// How many operations the derivative of some may become. Derivatives of derivatives grow with their depth like a power.
    fn operations(&self, differentiated: &BTreeSet<NodeId>) -> usize {
        let each = differentiated.iter().map(|node| self.derivatives.get(node).copied().unwrap_or(1));
        each.fold(0, usize::saturating_add).saturating_mul(OPERATIONS_OF_A_DERIVATIVE)
    }

    /// The start of a state, as it is written: nothing else can be differentiated to.
    fn started(&mut self, value: &'a Expr, to: &'a Expr) -> Elab<NodeId> {
        match &to.kind {
            ExprKind::Call(call) if call.head.text == "start" => self.start(call, to.span),
            _ => {
                let message = "expected `start(S)`, the start of a state, to differentiate to";
                let help = "a derivative to a weight is a sum over all positions, which knows the future: \
                            make the weight the initial value of a state";
                let case = self.sum_over_positions(value, to);
                let diagnostic = Diagnostic::error(Code::DERIVATIVE, to.span, message).help(help);
                Err(self.fail(diagnostic.counterexample(case)))
            }
        }
    }

    /// What a derivative to a weight would read: of each position what the value reads there.
    fn sum_over_positions(&mut self, value: &'a Expr, to: &'a Expr) -> Option<Counterexample> {
        let ExprKind::Name(name) = &to.kind else { return None };
        let Some(Binding::Value(weight)) = self.lookup(&name.text) else { return None };
        let known = self.diagnostics.len();
        let node = self.expr(value).ok();
        // What is wrong within the value is told once the derivative is right.
        self.diagnostics.truncate(known);
        let node = node.filter(|&node| self.between(weight, node).contains(&node))?;
        let is_weight = self.ty(weight).stage == Stage::Const;
        is_weight.then(|| self.summed(node, value.span)).flatten()
    }

    /// What leads from a start to a value that depends on it: operations within a position only.
    fn within_position(&mut self, value: NodeId, start: NodeId, span: Span) -> Elab<BTreeSet<NodeId>> {
        let between = self.between(start, value);
        if !between.contains(&value) {
            let message = "expected a value that depends on the start it is differentiated to, found one that does not";
            let help = "its derivative is 0";
            return Err(self.fail(Diagnostic::error(Code::DERIVATIVE, span, message).help(help)));
        }
        let across = between.iter().copied().find(|&node| node != start && !self.is_within_position(node));
        let Some(node) = across else { return Ok(between) };
        let message = "expected `grad` to pass through operations within a position, found a look at other positions";
        let help = "compute what looks back before, from values that do not depend on `start(..)`";
        let diagnostic = Diagnostic::error(Code::DERIVATIVE, span, message);
        let at = self.graph.node(node).span;
        Err(self.fail(diagnostic.label(at, "the derivative would pass through this").help(help)))
    }

    /// The nodes on the ways from one node to another, both included where there is a way.
    fn between(&self, from: NodeId, to: NodeId) -> BTreeSet<NodeId> {
        let mut behind = BTreeSet::from([from]);
        for id in (from.0 + 1..=to.0).map(NodeId) {
            if self.graph.node(id).args.iter().any(|arg| behind.contains(arg)) {
                behind.insert(id);
            }
        }
        let (mut open, mut found) = (vec![to], BTreeSet::new());
        while let Some(id) = open.pop() {
            if behind.contains(&id) && found.insert(id) {
                open.extend(&self.graph.node(id).args);
            }
        }
        found
    }

    /// Whether an operation looks at its own position only, also by its operands.
    fn is_within_position(&self, id: NodeId) -> bool {
        let node = self.graph.node(id);
        let types = node.args.iter().map(|&arg| self.ty(arg)).chain([&node.ty]);
        let past = types.flat_map(|ty| ty.axes.iter()).any(|&axis| self.is_dependent(axis));
        let local = match node.op {
            Op::Map(_)
            | Op::Reduce { .. }
            | Op::Softmax { .. }
            | Op::Dot { .. }
            | Op::Regroup { .. }
            | Op::Concat { .. }
            | Op::Cut { .. }
            | Op::Take { .. }
            | Op::Stack { .. }
            | Op::Broadcast { .. }
            | Op::Grad => true,
            Op::Input(_)
            | Op::Weight(_)
            | Op::Constant(_)
            | Op::Position
            | Op::Layer
            | Op::Index(_)
            | Op::Age(_)
            | Op::Shift { .. }
            | Op::Window(_)
            | Op::Pool { .. }
            | Op::Past(_)
            | Op::Blocks { .. }
            | Op::Cumsum(_)
            | Op::After(_)
            | Op::Top { .. }
            | Op::Picked { .. }
            | Op::State { .. }
            | Op::Start { .. }
            | Op::MeanTokens
            | Op::Scanned(_) => false,
        };
        local && !past
    }
}
