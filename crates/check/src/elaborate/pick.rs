//! T-top: the values at the elements of largest score.
//!
//! Values come out, never the numbers of elements: with a number in hand one could ask for a position that is not seen.

use genesys_axis::{Compare, Requirement};
use genesys_diag::Code;
use genesys_span::Span;
use genesys_syntax::ast::{Arg, Call, Slot};

use super::{Elab, Elaborator, Given};
use crate::core::{AxisId, NodeId, Op};
use crate::error;

impl<'a> Elaborator<'a, '_> {
    /// `top[K of P](score, v, ..)`: of each value the elements of `P` where the score is largest, the largest first, as
    /// elements of `K`; and behind them a mask, 1 where there is an element.
    pub(crate) fn top(&mut self, call: &'a Call, span: Span) -> Elab<Given> {
        let Some(Slot::Of { made, axis }) = &call.slot else {
            let message = "expected the axis made and the axis picked from, as in `top[K of Past](score, v)`";
            return Err(self.fail(error::arguments(call.head.span, message)));
        };
        let args = self.values(call)?;
        let [score, values @ ..] = args.as_slice() else {
            return Err(self.fail(error::arguments(span, "expected a score and values: `top[K of Past](score, v)`")));
        };
        if values.is_empty() {
            return Err(self.fail(error::arguments(span, "expected a value behind the score, found none")));
        }
        let from = self.axis(axis)?;
        let to = self.axis(made)?;
        if self.is_dependent(to) {
            return Err(self.needs_static(made, "a fixed number of elements is picked: `axis K = 4`"));
        }
        if !self.is_dependent(from) {
            let enough =
                Requirement::Holds { left: self.size_of(from), compare: Compare::AtLeast, right: self.size_of(to) };
            self.require(enough, made.span, "not more can be picked than there are", Code::SIZE_MISMATCH)?;
        }
        for (&value, arg) in args.iter().zip(&call.args) {
            let (Arg::Value(expr) | Arg::Named(_, expr)) = arg;
            let at = expr.span;
            self.has_axis(value, from, at)?;
            self.lacks_axis(value, to, at)?;
        }
        let picked: Elab<Vec<NodeId>> =
            values.iter().map(|&value| self.pick(Op::Top { from, to }, &[*score, value], from, to, span)).collect();
        let mut picked = picked?;
        picked.push(self.pick(Op::Picked { from, to }, &[*score], from, to, span)?);
        Ok(Given::Tuple(picked))
    }

    fn pick(&mut self, op: Op, args: &[NodeId], from: AxisId, to: AxisId, span: Span) -> Elab<NodeId> {
        let mut ty = self.join(args);
        ty.axes.remove(&from);
        ty.axes.insert(to);
        self.push(op, args, ty, span)
    }
}
