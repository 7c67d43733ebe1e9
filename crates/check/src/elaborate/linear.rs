//! `linear` and `each`: weights over named axes.

use std::sync::Arc;

use genesys_axis::{Constant, Size};
use genesys_diag::{Code, Diagnostic};
use genesys_scalar::{Function, Law, Role};
use genesys_span::Span;
use genesys_syntax::ast::{Call, Expr, ExprKind, Ident, Slot};

use super::primitive::Options;
use super::{Elab, Elaborator, Given};
use crate::AxisSet;
use crate::core::{AxisId, NodeId, Op};
use crate::error;

/// The options of `linear`.
pub(crate) const LINEAR_OPTIONS: &[&str] = &["bias", "init"];

/// The axes of `linear[from -> to; per over]`, and the axes of the weight that are new: an axis on
/// both sides is contracted and made again, so its new self needs an identity of its own.
struct Axes {
    from: Vec<AxisId>,
    to: Vec<AxisId>,
    made: Vec<AxisId>,
    per: Vec<AxisId>,
}

impl<'a> Elaborator<'a, '_> {
    /// `linear[X -> Y; per G](x, bias = true, init = ..)`: `sum over X of weight[G, Y, X] * x`,
    /// plus `bias[G, Y]`. Axes of `x` that are not named share the weight.
    pub(crate) fn linear(&mut self, call: &'a Call, span: Span) -> Elab<NodeId> {
        let label = self.frame().label.take();
        let (x, options) = self.one_value(call, LINEAR_OPTIONS, span)?;
        let first = self.graph.leaves.len();
        let y = self.linear_of(x, call, &options, span)?;
        self.close_site(label, "linear", first, span);
        Ok(y)
    }

    /// The value of `linear` at `x`, with the axes and options of a call.
    pub(crate) fn linear_of(&mut self, x: NodeId, call: &'a Call, options: &Options<'a>, span: Span) -> Elab<NodeId> {
        let Some(Slot::Map { from, to, per }) = &call.slot else {
            let message = "expected the axes of `linear`, as in `linear[D -> H, E](x)`";
            return Err(self.fail(error::arguments(call.head.span, message)));
        };
        let axes = self.linear_axes(x, from, to, per, span)?;
        let law = match options.get("init") {
            Some(init) => Arc::new(self.law(init, &axes.weight())?),
            None => self.fan_in_law(&axes.from, span)?,
        };
        let weight = self.leaf("weight", axes.weight(), law, Role::Matrix, call.head.span)?;
        let mut y = self.contract_made(x, weight, &axes, span)?;
        if let Some(bias) = options.get("bias")
            && self.flag(bias)?
        {
            y = self.add_bias(y, &axes, span)?;
        }
        Ok(y)
    }

    fn linear_axes(&mut self, x: NodeId, from: &[Ident], to: &[Ident], per: &[Ident], span: Span) -> Elab<Axes> {
        let from_ids = self.static_axes_of(from, Some((x, span)))?;
        let to_ids = self.static_axis_list(to)?;
        let per_ids = self.static_axes_of(per, Some((x, span)))?;
        for (&axis, name) in from_ids.iter().zip(from).chain(per_ids.iter().zip(per)) {
            self.has_axis(x, axis, name.span)?;
        }
        let mut made = Vec::with_capacity(to_ids.len());
        for (&axis, name) in to_ids.iter().zip(to) {
            if from_ids.contains(&axis) {
                let domain = self.graph.axis(axis).domain.clone();
                made.push(self.declare_axis(&name.text, domain));
            } else {
                self.lacks_axis(x, axis, name.span)?;
                made.push(axis);
            }
        }
        Ok(Axes { from: from_ids, to: to_ids, made, per: per_ids })
    }

    fn contract_made(&mut self, x: NodeId, weight: NodeId, axes: &Axes, span: Span) -> Elab<NodeId> {
        let mut ty = self.join(&[x, weight]);
        ty.axes.retain(|axis| !axes.from.contains(axis));
        let op = Op::Dot { axes: axes.from.iter().copied().collect() };
        let y = self.push(op, &[x, weight], ty.clone(), span)?;
        let again: Vec<(AxisId, AxisId)> =
            axes.made.iter().copied().zip(axes.to.iter().copied()).filter(|(made, to)| made != to).collect();
        if again.is_empty() {
            return Ok(y);
        }
        // `linear[D -> D]`: the axis just made takes the name of the one contracted.
        let (from, to): (Vec<AxisId>, Vec<AxisId>) = again.into_iter().unzip();
        ty.axes.retain(|axis| !from.contains(axis));
        ty.axes.extend(&to);
        self.push(Op::Regroup { from, to }, &[y], ty, span)
    }

    fn add_bias(&mut self, y: NodeId, axes: &Axes, span: Span) -> Elab<NodeId> {
        let ids: Vec<AxisId> = axes.per.iter().chain(&axes.to).copied().collect();
        let law = Arc::new(Law::Const(Constant::Real(0.0)));
        let bias = self.leaf("bias", ids, law, Role::Bias, span)?;
        self.map(Function::Add, &[y, bias], span)
    }

    /// Uniform within `1 / sqrt(fan-in)` of 0, as PyTorch draws the weights of a linear layer.
    fn fan_in_law(&mut self, from: &[AxisId], span: Span) -> Elab<Arc<Law<Constant>>> {
        let mut fan_in = Size::int(1);
        for &axis in from {
            fan_in = fan_in.mul(&self.size_of(axis)).map_err(|e| {
                self.fail(Diagnostic::error(Code::SIZE_INVALID, span, format!("the fan-in has no value: {e}")))
            })?;
        }
        // Most linear maps of a unit contract the same axis.
        if let Some((_, law)) = self.fan_in.as_ref().filter(|(size, _)| *size == fan_in) {
            return Ok(Arc::clone(law));
        }
        let size = fan_in.clone();
        let root = Law::Map(Function::Sqrt, vec![Law::Const(Constant::Size(fan_in))]);
        let bound = Law::Map(Function::Div, vec![Law::Const(Constant::Real(1.0)), root]);
        let law = Law::Uniform(Box::new(Law::Map(Function::Neg, vec![bound.clone()])), Box::new(bound));
        Ok(Arc::clone(&self.fan_in.insert((size, Arc::new(law))).1))
    }

    /// The truth value of an option.
    pub(crate) fn flag(&mut self, expr: &Expr) -> Elab<bool> {
        match expr.kind {
            ExprKind::Bool(value) => Ok(value),
            _ => Err(self.fail(error::arguments(expr.span, "expected `true` or `false`"))),
        }
    }

    /// `each[A] F(x)`: within the call, `A` is out of sight and every weight gets it.
    pub(crate) fn each(&mut self, names: &[Ident], call: &'a Expr, span: Span) -> Elab<Given> {
        let axes = self.static_axis_list(names)?;
        if let Some(i) = axes.iter().position(|axis| self.lifted.contains(axis)) {
            let message = format!("`{}` is the axis of an enclosing `each` already", names[i].text);
            return Err(self.fail(Diagnostic::error(Code::AXIS_REPEATED, names[i].span, message)));
        }
        let outer = self.lifted.len();
        self.lifted.extend(&axes);
        let given = self.given(call);
        self.lifted.truncate(outer);
        let values = given?.values().into_iter().map(|value| self.broadcast_to(value, &axes, span));
        values.collect::<Elab<_>>().map(Given::of)
    }

    /// The value with those axes too, repeated where nothing in it varies along one.
    pub(crate) fn broadcast_to(&mut self, value: NodeId, axes: &[AxisId], span: Span) -> Elab<NodeId> {
        let ty = self.ty(value).clone();
        let missing: AxisSet = axes.iter().copied().filter(|axis| !ty.axes.contains(axis)).collect();
        if missing.is_empty() {
            return Ok(value);
        }
        let mut ty = ty;
        ty.axes.extend(&missing);
        self.push(Op::Broadcast { axes: missing }, &[value], ty, span)
    }
}

impl Axes {
    /// The weight's axes in storage order: `[G, Y, X]`, as PyTorch keeps `[out, in]`.
    fn weight(&self) -> Vec<AxisId> {
        self.per.iter().chain(&self.made).chain(&self.from).copied().collect()
    }
}
