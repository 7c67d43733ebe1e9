//! The primitives: what a call means whose head is no unit.

use std::collections::BTreeMap;

use genesys_axis::Domain;
use genesys_diag::{Code, Diagnostic};
use genesys_scalar::Function;
use genesys_span::Span;
use genesys_syntax::ast::{Arg, Call, Expr, ExprKind, Ident, Slot};

use super::{Binding, Elab, Elaborator, Given};
use crate::AxisSet;
use crate::core::{AxisId, NodeId, Op, Reduction, Stage};
use crate::error;

/// The names of all primitives, for suggestions.
pub(crate) const PRIMITIVES: &[&str] = &[
    "abs",
    "after",
    "blocks",
    "clamp",
    "concat",
    "cos",
    "cumsum",
    "cut",
    "dot",
    "each",
    "erf",
    "exp",
    "expm1",
    "floor",
    "gelu",
    "grad",
    "inv_softplus",
    "linear",
    "log",
    "log1p",
    "log_sigmoid",
    "logsumexp",
    "max",
    "mean",
    "mean_tokens",
    "min",
    "outer",
    "past",
    "pool",
    "relu",
    "repeat",
    "round",
    "scan",
    "shift",
    "sigmoid",
    "sign",
    "silu",
    "sin",
    "softmax",
    "softplus",
    "sqrt",
    "stack",
    "start",
    "stop",
    "sum",
    "take",
    "tanh",
    "top",
    "where",
    "window",
];

/// Which options there are.
fn options_help(known: &[&str]) -> String {
    match known {
        [] => "it takes one value and no options".to_owned(),
        _ => format!(
            "options are given by name: {}",
            known.iter().map(|name| format!("`{name} = ..`")).collect::<Vec<_>>().join(", ")
        ),
    }
}

/// Named arguments of a call that are no values.
pub(crate) type Options<'a> = BTreeMap<&'a str, &'a Expr>;

impl<'a> Elaborator<'a, '_> {
    /// A call of a unit or a primitive. A primitive that gives a tuple stands beside the units here.
    pub(crate) fn call(&mut self, call: &'a Call, span: Span) -> Elab<Given> {
        if self.frame().shared.contains_key(call.head.text.as_str()) {
            return self.shared_call(call, span);
        }
        if let Some(Binding::Unit(value)) = self.lookup(&call.head.text) {
            return self.bound_call(&value, call, span);
        }
        let is_std = self.frame().is_std;
        if let Some(unit) = self.units.find(&call.head.text, is_std) {
            return self.unit_call(unit, call, span);
        }
        if let Some(argument) = call.statics.first() {
            let message = format!("expected no static arguments: `{}` is not a unit in sight", call.head.text);
            let diagnostic = error::arguments(argument.value.span(), message);
            return Err(if PRIMITIVES.contains(&call.head.text.as_str()) {
                self.fail(diagnostic)
            } else {
                self.unknown_head(call)
            });
        }
        if call.head.text == "top" {
            return self.top(call, span);
        }
        self.primitive(call, span).map(Given::One)
    }

    /// A call of a primitive that gives one value.
    fn primitive(&mut self, call: &'a Call, span: Span) -> Elab<NodeId> {
        match call.head.text.as_str() {
            "linear" => self.linear(call, span),
            "start" => self.start(call, span),
            "grad" => self.grad(call, span),
            "shift" => self.shift(call, span),
            "window" => self.window(call, span),
            "past" => self.past(call, span),
            "pool" => self.pool(call, span),
            "blocks" => self.blocks(call, span),
            "cumsum" => self.ordered(Op::Cumsum, call, span),
            "after" => self.ordered(Op::After, call, span),
            "concat" => self.concat(call, span),
            "cut" => self.cut(call, span),
            "take" => self.take(call, span),
            "stack" => self.stack(call, span),
            "outer" => self.outer(call, span),
            "clamp" => self.clamp(call, span),
            "dot" => self.dot(call, span),
            "softmax" => self.softmax(call, span),
            "sum" => self.reduce(Reduction::Sum, call, span),
            "mean" => self.reduce(Reduction::Mean, call, span),
            "mean_tokens" => self.mean_tokens(call, span),
            "logsumexp" => self.reduce(Reduction::LogSumExp, call, span),
            "max" if call.args.len() < 2 || call.slot.is_some() => self.reduce(Reduction::Max, call, span),
            "min" if call.args.len() < 2 || call.slot.is_some() => self.reduce(Reduction::Min, call, span),
            name => match Function::from_name(name).filter(|function| function.is_call()) {
                Some(function) => self.function(function, call, span),
                None => Err(self.unknown_head(call)),
            },
        }
    }

    fn unknown_head(&mut self, call: &Call) -> super::Reported {
        if let Some(Binding::Poisoned) = self.lookup(&call.head.text) {
            return super::Reported;
        }
        if let Some(Binding::Axis(_) | Binding::Size(_)) = self.lookup(&call.head.text) {
            let message =
                format!("expected a unit or a primitive, found `{}`, which is an axis or a size", call.head.text);
            let help =
                format!("a unit that is given as a static parameter is declared as one: `<{}: unit>`", call.head.text);
            return self.fail(Diagnostic::error(Code::UNKNOWN_NAME, call.head.span, message).help(help));
        }
        let is_std = self.frame().is_std;
        let diagnostic = crate::resolve::unit_hint(self.units, &call.head, is_std);
        self.fail(diagnostic)
    }

    /// The values of a call that takes values only.
    pub(crate) fn values(&mut self, call: &'a Call) -> Elab<Vec<NodeId>> {
        let mut values = Vec::new();
        for arg in &call.args {
            values.push(match arg {
                Arg::Value(value) => self.expr(value),
                Arg::Named(name, _) => {
                    let message = format!("`{}` takes no option `{}`", call.head.text, name.text);
                    Err(self.fail(error::arguments(name.span, message)))
                }
            });
        }
        values.into_iter().collect()
    }

    /// The one value of a call, and its options by name.
    pub(crate) fn one_value(&mut self, call: &'a Call, known: &[&str], span: Span) -> Elab<(NodeId, Options<'a>)> {
        let mut value = None;
        let mut options = Options::new();
        for arg in &call.args {
            match arg {
                Arg::Value(expr) if value.is_none() => value = Some(self.expr(expr)?),
                Arg::Value(expr) => {
                    let message = format!("expected one value in `{}`, found another", call.head.text);
                    return Err(self.fail(error::arguments(expr.span, message).help(options_help(known))));
                }
                Arg::Named(name, expr) => self.option(name, expr, known, &mut options)?,
            }
        }
        match value {
            Some(value) => Ok((value, options)),
            None => Err(self.fail(error::arguments(span, format!("expected a value in `{}(..)`", call.head.text)))),
        }
    }

    /// One option of a call.
    pub(crate) fn option(
        &mut self,
        name: &'a Ident,
        expr: &'a Expr,
        known: &[&str],
        options: &mut Options<'a>,
    ) -> Elab<()> {
        if !known.contains(&name.text.as_str()) {
            let diagnostic = error::unknown("option", name, known.iter().copied());
            return Err(self.fail(match (&diagnostic.help, name.text.as_str()) {
                (Some(_), _) => diagnostic,
                (None, "dim" | "axis" | "axes") => {
                    diagnostic.help("axes stand in `[..]` behind the name, as in `softmax[A](x)`")
                }
                (None, _) => diagnostic.help(options_help(known)),
            }));
        }
        if options.insert(name.text.as_str(), expr).is_some() {
            let message = format!("the option `{}` is given twice", name.text);
            return Err(self.fail(error::arguments(name.span, message)));
        }
        Ok(())
    }

    fn function(&mut self, function: Function, call: &'a Call, span: Span) -> Elab<NodeId> {
        if let Some(slot) = &call.slot {
            return Err(self.fail(no_slot(call, slot, span)));
        }
        let args = self.values(call)?;
        if args.len() != function.arity() {
            let message =
                format!("expected {} values in `{}`, found {}", function.arity(), function.name(), args.len());
            return Err(self.fail(error::arguments(span, message)));
        }
        self.map(function, &args, span)
    }

    /// `outer(a, b)`: all products, over the axes of both.
    fn outer(&mut self, call: &'a Call, span: Span) -> Elab<NodeId> {
        if let Some(slot) = &call.slot {
            return Err(self.fail(no_slot(call, slot, span)));
        }
        let args = self.values(call)?;
        if args.len() < 2 {
            return Err(self.fail(error::arguments(span, "expected at least two values: `outer(k, v)`")));
        }
        let mut product = args[0];
        for &arg in &args[1..] {
            product = self.map_any(Function::Mul, &[product, arg], span)?;
        }
        Ok(product)
    }

    /// `clamp(x, low, high)`: `min(max(x, low), high)`, and that is its identity, too.
    fn clamp(&mut self, call: &'a Call, span: Span) -> Elab<NodeId> {
        if let Some(slot) = &call.slot {
            return Err(self.fail(no_slot(call, slot, span)));
        }
        let args = self.values(call)?;
        let &[x, low, high] = args.as_slice() else {
            let message = format!("expected a value and two bounds: `clamp(x, 0, 1)`, found {} values", args.len());
            return Err(self.fail(error::arguments(span, message)));
        };
        let raised = self.map(Function::Max, &[x, low], span)?;
        self.map(Function::Min, &[raised, high], span)
    }

    /// T-dot: the sum of products over axes that both operands have.
    fn dot(&mut self, call: &'a Call, span: Span) -> Elab<NodeId> {
        let args = self.values(call)?;
        let &[a, b] = args.as_slice() else {
            let message = format!("expected two values: `dot[E](q, k)`, found {}", args.len());
            return Err(self.fail(error::arguments(span, message)));
        };
        let shared: AxisSet = self.seen(a).intersection(&self.seen(b)).copied().collect();
        let axes = self.slot_axes(call, &shared, span)?;
        for &axis in &axes {
            self.has_axis(a, axis, self.graph.node(a).span)?;
            self.has_axis(b, axis, self.graph.node(b).span)?;
        }
        let mut ty = self.join(&[a, b]);
        ty.axes.retain(|axis| !axes.contains(axis));
        self.push(Op::Dot { axes }, &[a, b], ty, span)
    }

    /// T-norm: softmax over axes together.
    fn softmax(&mut self, call: &'a Call, span: Span) -> Elab<NodeId> {
        let (x, options) = self.one_value(call, &["sink"], span)?;
        let axes = self.slot_axes(call, &self.seen(x), span)?;
        let sink = self.number(options.get("sink").copied())?;
        let ty = self.ty(x).clone();
        self.push(Op::Softmax { axes, sink }, &[x], ty, span)
    }

    /// T-red and T-empty.
    fn reduce(&mut self, reduction: Reduction, call: &'a Call, span: Span) -> Elab<NodeId> {
        let (x, options) = self.one_value(call, &["else"], span)?;
        let axes = self.slot_axes(call, &self.seen(x), span)?;
        let otherwise = self.number(options.get("else").copied())?;
        let needs = matches!(reduction, Reduction::Max | Reduction::Min | Reduction::LogSumExp);
        let empty = axes.iter().copied().find(|&axis| self.may_be_empty(axis));
        if let Some(axis) = empty.filter(|_| needs && otherwise.is_none()) {
            let message = format!("expected `else = ..` in `{}`: at the start this past is empty", call.head.text);
            let end = Span { start: span.end.saturating_sub(1), end: span.end.saturating_sub(1), ..span };
            let case = self.empty(axis, span);
            let diagnostic = Diagnostic::error(Code::EMPTY_PAST, span, message).edit(end, ", else = 0");
            return Err(self.fail(diagnostic.counterexample(case)));
        }
        let mut ty = self.ty(x).clone();
        ty.axes.retain(|axis| !axes.contains(axis));
        self.push(Op::Reduce { reduction, axes, otherwise }, &[x], ty, span)
    }

    fn may_be_empty(&self, axis: AxisId) -> bool {
        match &self.graph.axis(axis).domain {
            Domain::Static(_) => false,
            Domain::Past { skip, .. } => skip.as_int() != Some(0),
            Domain::Blocks { size } => size.as_int() != Some(1),
        }
    }

    /// The axes of a slot, which may be left out where the value has just one.
    fn slot_axes(&mut self, call: &Call, of: &AxisSet, span: Span) -> Elab<AxisSet> {
        let axes: AxisSet = match &call.slot {
            Some(Slot::Axes(refs)) => self.axes(refs)?.into_iter().collect(),
            Some(slot @ (Slot::Map { .. } | Slot::Of { .. })) => return Err(self.fail(no_slot(call, slot, span))),
            None if of.len() == 1 => of.clone(),
            None => {
                let names = self.names(of.iter().copied());
                let message = format!("expected the axes of `{0}`, as in `{0}[A](..)`, found none", call.head.text);
                let help = format!("the value has: {names}");
                return Err(self.fail(Diagnostic::error(Code::AXIS_AMBIGUOUS, call.head.span, message).help(help)));
            }
        };
        if let Some(&missing) = axes.iter().find(|axis| !of.contains(axis)) {
            let (missing, names) = (self.graph.axis(missing).name.clone(), self.names(of.iter().copied()));
            let message =
                format!("expected a value with the axis `{missing}` in `{}`, found [{names}]", call.head.text);
            return Err(self.fail(Diagnostic::error(Code::AXIS_MISSING, span, message)));
        }
        Ok(axes)
    }

    /// A number stated as an option.
    fn number(&mut self, expr: Option<&Expr>) -> Elab<Option<f64>> {
        let Some(expr) = expr else { return Ok(None) };
        match &expr.kind {
            ExprKind::Number { value, .. } => Ok(Some(*value)),
            ExprKind::Neg(inner) => match &inner.kind {
                ExprKind::Number { value, .. } => Ok(Some(-value)),
                _ => Err(self.fail(error::arguments(expr.span, "expected a number"))),
            },
            _ => Err(self.fail(error::arguments(expr.span, "expected a number"))),
        }
    }
}

fn no_slot(call: &Call, _slot: &Slot, span: Span) -> Diagnostic {
    let message = format!("`{}` does not take axes of this form in square brackets", call.head.text);
    error::arguments(span, message)
}

/// The stage as it leaves a scan.
pub(crate) fn leave(stage: Stage) -> Stage {
    match stage {
        Stage::Const | Stage::Seq | Stage::Loss => stage,
        Stage::Moment => Stage::Seq,
    }
}
