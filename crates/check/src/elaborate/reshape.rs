//! Regrouping, joining, cutting and stacking static axes.

use genesys_axis::{Compare, Requirement, Size};
use genesys_diag::{Code, Counterexample, Diagnostic};
use genesys_span::Span;
use genesys_syntax::ast::{Arg, AxisRef, Call, Expr, Ident, Slot};

use super::{Elab, Elaborator};
use crate::AxisSet;
use crate::core::{AxisId, NodeId, Op, Type};
use crate::error;

impl<'a> Elaborator<'a, '_> {
    /// T-regroup and T-rename: `[D -> H, E](x)`, `x as [K -> V]`.
    pub(crate) fn regroup(&mut self, from: &[Ident], to: &[Ident], value: &'a Expr, span: Span) -> Elab<NodeId> {
        let x = self.expr(value)?;
        let from_ids = self.static_axes_of(from, Some((x, span)))?;
        let to_ids = self.static_axis_list(to)?;
        for (&axis, name) in from_ids.iter().zip(from) {
            self.has_axis(x, axis, name.span)?;
        }
        for (&axis, name) in to_ids.iter().zip(to) {
            if !from_ids.contains(&axis) {
                self.lacks_axis(x, axis, name.span)?;
            }
        }
        let (before, after) = (self.product(&from_ids, span)?, self.product(&to_ids, span)?);
        if before != after {
            let message = format!(
                "expected sizes that multiply out, found [{}] = {before} and [{}] = {after}, not provably equal",
                self.names(from_ids),
                self.names(to_ids)
            );
            return Err(self.fail(Diagnostic::error(Code::SIZE_MISMATCH, span, message)));
        }
        let mut ty = self.ty(x).clone();
        ty.axes.retain(|axis| !from_ids.contains(axis));
        ty.axes.extend(&to_ids);
        self.push(Op::Regroup { from: from_ids, to: to_ids }, &[x], ty, span)
    }

    fn product(&mut self, axes: &[AxisId], span: Span) -> Elab<Size> {
        let mut product = Size::int(1);
        for &axis in axes {
            product = product.mul(&self.size_of(axis)).map_err(|e| {
                self.fail(Diagnostic::error(Code::SIZE_INVALID, span, format!("the product has no value: {e}")))
            })?;
        }
        Ok(product)
    }

    /// `concat[A, B -> C](a, b)`: a new axis of the summed size.
    pub(crate) fn concat(&mut self, call: &'a Call, span: Span) -> Elab<NodeId> {
        let values = self.values(call)?;
        let Some(Slot::Map { from, to, .. }) = &call.slot else {
            return Err(self.fail(error::arguments(call.head.span, "expected axes, as in `concat[A, B -> C](a, b)`")));
        };
        let (parts, whole) = (self.axis_each(from)?, self.static_axis_list(to)?);
        if parts.len() != values.len() || whole.len() != 1 {
            let message = format!("expected {} values and one new axis, found {} values", parts.len(), values.len());
            return Err(self.fail(error::arguments(span, message)));
        }
        let mut total = Size::int(0);
        for &part in &parts {
            total = total.add(&self.size_of(part)).unwrap_or_default();
        }
        self.equal_sizes(&total, &self.size_of(whole[0]), "the parts", &to[0].text, span)?;
        let values = self.spread(values)?;
        let mut rest: Option<AxisSet> = None;
        for (&value, (&part, name)) in values.iter().zip(parts.iter().zip(from)) {
            self.has_axis(value, part, name.span)?;
            let mut axes = self.ty(value).axes.clone();
            axes.remove(&part);
            let value_span = self.graph.node(value).span;
            self.same_axes(rest.get_or_insert_with(|| axes.clone()).clone(), &axes, value_span)?;
        }
        let mut ty = self.join(&values);
        ty.axes = rest.unwrap_or_default();
        ty.axes.insert(whole[0]);
        self.push(Op::Concat { parts, whole: whole[0] }, &values, ty, span)
    }

    /// `cut[P -> Z](p, from = n)`: the elements of `P` from `n` on, as many as `Z` has.
    pub(crate) fn cut(&mut self, call: &'a Call, span: Span) -> Elab<NodeId> {
        let (x, options) = self.one_value(call, &["from"], span)?;
        let (whole, part) = match &call.slot {
            Some(Slot::Map { from, to, .. }) if from.len() == 1 && to.len() == 1 => (&from[0], &to[0]),
            _ => return Err(self.fail(error::arguments(call.head.span, "expected axes, as in `cut[P -> Z](p)`"))),
        };
        let ids = self.static_axes_of(&[whole.clone(), part.clone()], Some((x, span)))?;
        self.has_axis(x, ids[0], whole.span)?;
        self.lacks_axis(x, ids[1], part.span)?;
        let offset = match options.get("from") {
            Some(expr) => self.size_of_expr(expr)?,
            None => Size::int(0),
        };
        self.at_least(&offset, 0, span, "a cut starts within its axis")?;
        let end = offset.add(&self.size_of(ids[1])).unwrap_or_default();
        let fits = Requirement::Holds { left: self.size_of(ids[0]), compare: Compare::AtLeast, right: end };
        self.require(fits, span, "a cut lies within its axis", Code::SIZE_MISMATCH)?;
        let mut ty = self.ty(x).clone();
        ty.axes.remove(&ids[0]);
        ty.axes.insert(ids[1]);
        self.push(Op::Cut { whole: ids[0], part: ids[1], offset }, &[x], ty, span)
    }

    /// `take[A](x, i)`: element `i` of a static axis.
    pub(crate) fn take(&mut self, call: &'a Call, span: Span) -> Elab<NodeId> {
        let axis = self.slot_axis(call)?;
        let (value, index) = match call.args.as_slice() {
            [Arg::Value(value), Arg::Value(index)] => (value, index),
            _ => return Err(self.fail(error::arguments(span, "expected a value and an index: `take[A](x, 0)`"))),
        };
        let x = self.expr(value)?;
        let index = self.size_of_expr(index)?;
        self.has_axis(x, axis, span)?;
        self.at_least(&index, 0, span, "an index lies within its axis")?;
        let fits = Requirement::Holds { left: self.size_of(axis), compare: Compare::Greater, right: index.clone() };
        self.require(fits, span, "an index lies within its axis", Code::SIZE_MISMATCH)?;
        let mut ty = self.ty(x).clone();
        ty.axes.remove(&axis);
        self.push(Op::Take { axis, index }, &[x], ty, span)
    }

    /// `stack[A](x, y, ..)`: values of equal axes as the elements of `A`.
    pub(crate) fn stack(&mut self, call: &'a Call, span: Span) -> Elab<NodeId> {
        let values = self.values(call)?;
        let axis = self.slot_axis(call)?;
        let count = Size::int(values.len() as i64);
        self.equal_sizes(&count, &self.size_of(axis), "the values", &self.graph.axis(axis).name.clone(), span)?;
        let values = self.spread(values)?;
        let Some(&first) = values.first() else {
            return Err(self.fail(error::arguments(span, "expected at least one value to stack")));
        };
        for &value in &values {
            self.lacks_axis(value, axis, span)?;
            let (expected, found) = (self.ty(first).axes.clone(), self.ty(value).axes.clone());
            let value_span = self.graph.node(value).span;
            self.same_axes(expected, &found, value_span)?;
        }
        let mut ty: Type = self.join(&values);
        ty.axes.insert(axis);
        self.push(Op::Stack { axis }, &values, ty, span)
    }

    /// The one static axis of a slot.
    fn slot_axis(&mut self, call: &Call) -> Elab<AxisId> {
        match &call.slot {
            Some(Slot::Axes(axes)) => match axes.as_slice() {
                [AxisRef::Named(name)] => Ok(self.static_axis_list(std::slice::from_ref(name))?[0]),
                _ => Err(self.one_axis_expected(call)),
            },
            _ => Err(self.one_axis_expected(call)),
        }
    }

    fn one_axis_expected(&mut self, call: &Call) -> super::Reported {
        let message = format!("expected one axis, as in `{}[A](..)`", call.head.text);
        self.fail(error::arguments(call.head.span, message))
    }

    /// Static axes, of which one may be named for several values.
    fn axis_each(&mut self, names: &[Ident]) -> Elab<Vec<AxisId>> {
        let mut axes = Vec::new();
        for name in names {
            axes.extend(self.static_axis_list(std::slice::from_ref(name))?);
        }
        Ok(axes)
    }

    /// The values with the axes of an enclosing `each` that one of them varies along: those that do not
    /// are the same for each, and repeated.
    fn spread(&mut self, values: Vec<NodeId>) -> Elab<Vec<NodeId>> {
        let varies = |axis: &AxisId| values.iter().any(|&value| self.ty(value).axes.contains(axis));
        let axes: Vec<AxisId> = self.lifted.iter().copied().filter(varies).collect();
        let spread = values.into_iter().map(|value| {
            let span = self.graph.node(value).span;
            self.broadcast_to(value, &axes, span)
        });
        spread.collect()
    }

    fn same_axes(&mut self, expected: AxisSet, found: &AxisSet, span: Span) -> Elab<()> {
        if expected == *found {
            return Ok(());
        }
        let difference = self.difference(&expected, found);
        let message = format!("expected values of the same axes, found {difference}");
        Err(self.fail(Diagnostic::error(Code::AXIS_MISMATCH, span, message)))
    }

    fn equal_sizes(&mut self, found: &Size, axis: &Size, what: &str, name: &str, span: Span) -> Elab<()> {
        if found == axis {
            return Ok(());
        }
        let message = format!("expected {what} to make the size of `{name}`, {axis}, found {found}");
        Err(self.fail(Diagnostic::error(Code::SIZE_MISMATCH, span, message)))
    }

    /// Requires a size not to be below a bound.
    pub(crate) fn at_least(&mut self, size: &Size, bound: i64, span: Span, reason: &str) -> Elab<()> {
        self.offset(size, bound, span, reason, None)
    }

    /// Requires an offset in time not to be below a bound; `case` is what would happen.
    pub(crate) fn offset(
        &mut self,
        size: &Size,
        bound: i64,
        span: Span,
        reason: &str,
        case: Option<Counterexample>,
    ) -> Elab<()> {
        let holds = Requirement::Holds { left: size.clone(), compare: Compare::AtLeast, right: Size::int(bound) };
        match self.unmet(holds, span, reason, Code::NEGATIVE_OFFSET) {
            None => Ok(()),
            Some(diagnostic) => Err(self.fail(diagnostic.counterexample(case))),
        }
    }
}
