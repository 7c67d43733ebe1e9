//! Losses: what a unit adds to the training loss, and means over tokens, which nothing else reads.
//!
//! A mean over the tokens of a batch depends on other items and on later positions. So it has a stage of its own, above
//! all others and with no way down: it meets constants and its like, and ends in a `loss`. A loss changes no result.

use genesys_diag::{Code, Diagnostic};
use genesys_span::Span;
use genesys_syntax::ast::{Call, Expr};

use super::{Elab, Elaborator, Reported};
use crate::core::{NodeId, Op, Reduction, Stage, Type};

/// The way out wherever a mean is read.
const ONLY_LOSSES: &str = "it holds what later positions and other items have, so that only `loss` may read it; `mean[A](..)` is one position's";

impl<'a> Elaborator<'a, '_> {
    /// `loss e`: of a sequence its mean over tokens. Within `each` every element has a loss, and they are summed.
    pub(crate) fn loss_stmt(&mut self, value: &'a Expr) -> Elab<()> {
        let outer = self.begin_statement();
        let wanted = Type { stage: Stage::Seq, axes: Default::default() };
        let node = self.expr_wanted(value, Some(wanted));
        self.end_statement(outer, None);
        let node = node?;
        let axes = self.seen(node);
        if !axes.is_empty() {
            let message = format!("expected a value without axes as a loss, found {}", self.show_node(node));
            let help = format!("sum it, or take its mean: `sum[{}](..)`", self.names(axes));
            return Err(self.fail(Diagnostic::error(Code::LOSS, value.span, message).help(help)));
        }
        let mut node = match self.ty(node).stage {
            Stage::Const | Stage::Loss => node,
            Stage::Seq | Stage::Moment => self.mean_of(node, value.span)?,
        };
        if !self.lifted.is_empty() {
            let lifted = self.lifted.clone();
            node = self.broadcast_to(node, &lifted, value.span)?;
            let ty = Type { stage: self.ty(node).stage, axes: Default::default() };
            let sum = Op::Reduce { reduction: Reduction::Sum, axes: lifted.into_iter().collect(), otherwise: None };
            node = self.push(sum, &[node], ty, value.span)?;
        }
        self.graph.losses.push(node);
        Ok(())
    }

    /// A loss in the body of a scan or a loop.
    pub(crate) fn loss_within(&mut self, what: &str, span: Span) -> Reported {
        let message = format!("expected `let`, `<-` or `yield` in a {what}, found a loss");
        let help = format!("a loss is a statement of a unit: yield the value, and add its loss behind the {what}");
        self.fail(Diagnostic::error(Code::MISPLACED, span, message).help(help))
    }

    /// `mean_tokens(e)`
    pub(crate) fn mean_tokens(&mut self, call: &'a Call, span: Span) -> Elab<NodeId> {
        if call.slot.is_some() {
            let message = "expected no axes in `mean_tokens`, which keeps those of its value";
            let help = "a mean over axes is `mean[A](..)`";
            return Err(self.fail(crate::error::arguments(span, message).help(help)));
        }
        let (x, _) = self.one_value(call, &[], span)?;
        self.mean_of(x, span)
    }

    /// T-loss: of a value at most a sequence, with static axes.
    fn mean_of(&mut self, x: NodeId, span: Span) -> Elab<NodeId> {
        match self.ty(x).stage {
            Stage::Const | Stage::Seq => {}
            Stage::Moment => {
                let message = "expected a value free of the scan's state in a loss, found one that depends on it";
                let help = "yield the value, and add its loss behind the scan";
                return Err(self.fail(Diagnostic::error(Code::LOSS, span, message).help(help)));
            }
            Stage::Loss => {
                let message = "expected a value of positions in `mean_tokens`, found a mean over tokens";
                return Err(self.fail(Diagnostic::error(Code::LOSS, span, message).help("its mean is itself")));
            }
        }
        self.no_past(x, Code::DEPENDENT_AXIS, "a value to take the mean of", span)?;
        let ty = Type { stage: Stage::Loss, ..self.ty(x).clone() };
        self.push(Op::MeanTokens, &[x], ty, span)
    }

    /// Refuses a mean over tokens where a value of positions is asked for.
    pub(crate) fn no_mean(&mut self, value: NodeId, what: &str, span: Span) -> Elab<()> {
        if self.ty(value).stage != Stage::Loss {
            return Ok(());
        }
        let message = format!("expected {what}, found a mean over tokens, {}", self.show_node(value));
        Err(self.fail(Diagnostic::error(Code::LOSS, span, message).help(ONLY_LOSSES)))
    }

    /// What reads a mean over tokens works element by element, or along static axes, and reads nothing of positions.
    pub(super) fn mean_stays_within(&mut self, op: &Op, args: &[NodeId], span: Span) -> Elab<()> {
        let Some(&mean) = args.iter().find(|&&arg| self.ty(arg).stage == Stage::Loss) else { return Ok(()) };
        let may_read = match op {
            Op::Map(_) | Op::Reduce { .. } | Op::Softmax { .. } | Op::Dot { .. } | Op::Regroup { .. } => true,
            Op::Concat { .. } | Op::Cut { .. } | Op::Take { .. } | Op::Stack { .. } | Op::Broadcast { .. } => true,
            Op::Input(_) | Op::Weight(_) | Op::Constant(_) | Op::Position | Op::Layer | Op::Index(_) => false,
            Op::Age(_) | Op::Shift { .. } | Op::Window(_) | Op::Pool { .. } | Op::Past(_) | Op::Blocks { .. } => false,
            Op::Top { .. } | Op::Picked { .. } | Op::Cumsum(_) | Op::After(_) | Op::State { .. } => false,
            Op::Start { .. } | Op::Grad | Op::Scanned(_) | Op::MeanTokens => false,
        };
        let of_positions = |arg: &&NodeId| matches!(self.ty(**arg).stage, Stage::Seq | Stage::Moment);
        match args.iter().find(of_positions) {
            None if may_read => Ok(()),
            None => self.no_mean(mean, "a value of positions", span),
            Some(&other) => {
                let (mean, found) = (self.show_node(mean), self.show_node(other));
                let message = format!(
                    "expected constants and means over tokens beside {mean}, a mean over tokens, found {found}"
                );
                let label = format!("this is {found}");
                let at = self.graph.node(other).span;
                Err(self.fail(Diagnostic::error(Code::LOSS, span, message).label(at, label).help(ONLY_LOSSES)))
            }
        }
    }
}
