//! T-match: how the arguments of a unit's call bind its axes.
//!
//! In order, and one way: explicit static arguments and the slot; then an axis of the argument
//! with the same name as an unbound axis of the signature; then a single unbound axis and a single
//! axis left over; the row takes the rest. Sizes never take part.

use std::sync::Arc;

use genesys_diag::{Code, Diagnostic};
use genesys_span::Span;
use genesys_syntax::ast::{self, Arg, AxisRef, Call, GenericKind, Ident, SizeKind, Slot, StaticValue, Unit};

use super::unit::{Statics, results_of};
use super::{Binding, Elab, Elaborator, Given, Reported};
use crate::AxisSet;
use crate::core::{AxisId, NodeId, Op, Stage, Type, WIDTH};
use crate::error;

impl<'a> Elaborator<'a, '_> {
    /// A call of a unit: arguments first, then the callee's body with its axes bound.
    pub(crate) fn unit_call(&mut self, index: usize, call: &'a Call, span: Span) -> Elab<Given> {
        let label = self.frame().label.take();
        let args = self.arguments(self.units.all[index].unit, call, span)?;
        let (first, expansion) = (self.graph.leaves.len(), self.graph.expansions.len());
        let given = self.unit_given(index, call, args, span)?;
        self.label_expansion(expansion, label);
        self.close_site(label, &self.units.all[index].unit.name.text, first, span);
        Ok(given)
    }

    /// Gives the expansion of that place the label of its call.
    pub(crate) fn label_expansion(&mut self, expansion: usize, label: Option<&Ident>) {
        if let (Some(expansion), Some(label)) = (self.graph.expansions.get_mut(expansion), label) {
            expansion.label = Some(label.text.clone());
        }
    }

    /// What a unit gives for some values, with the static arguments and axes of a call.
    pub(crate) fn unit_given(&mut self, index: usize, call: &'a Call, args: Vec<NodeId>, span: Span) -> Elab<Given> {
        let unit = self.units.all[index].unit;
        let mut statics = self.statics(unit, &call.statics)?;
        self.slot(unit, call, &mut statics)?;
        self.expanded(index, statics, args, span)
    }

    /// What a unit gives for some values, where some of its static parameters are bound.
    pub(crate) fn expanded(
        &mut self,
        index: usize,
        statics: Statics<'a>,
        args: Vec<NodeId>,
        span: Span,
    ) -> Elab<Given> {
        let name = &self.units.all[index].unit.name.text;
        self.expanding(name, |this| this.expansion(index, statics, args, span))
    }

    fn expansion(&mut self, index: usize, mut statics: Statics<'a>, args: Vec<NodeId>, span: Span) -> Elab<Given> {
        let entry = self.units.all[index];
        if statics.is_empty()
            && let Some(values) = self.copied(index, &args)
        {
            return Ok(Given::of(values));
        }
        for (param, &arg) in entry.unit.params.iter().zip(&args) {
            self.match_argument(entry.unit, param, arg, &mut statics)?;
        }
        if entry.recursive || self.broken.get(index) == Some(&true) {
            return self.opaque(entry.unit, &statics, &args, span);
        }
        self.nested(span, |this| this.instantiate(index, statics, args, Some(span))).map(Given::of)
    }

    /// The values of a call, one for each parameter.
    pub(crate) fn arguments(&mut self, unit: &'a Unit, call: &'a Call, span: Span) -> Elab<Vec<NodeId>> {
        let mut values: Vec<Option<Elab<NodeId>>> = vec![None; unit.params.len()];
        for (position, arg) in call.args.iter().enumerate() {
            let (slot, expr) = match arg {
                Arg::Value(expr) => (position, expr),
                Arg::Named(name, expr) => match unit.params.iter().position(|p| p.name.text == name.text) {
                    Some(slot) => (slot, expr),
                    None => {
                        let known = unit.params.iter().map(|p| p.name.text.as_str());
                        let diagnostic = error::unknown("parameter", name, known);
                        let is_static = unit.generics.iter().any(|generic| generic.name.text == name.text);
                        return Err(self.fail(match is_static {
                            true => diagnostic
                                .help(format!("`{0}` is static: `{1}<{0} = ..>(..)`", name.text, unit.name.text)),
                            false => diagnostic,
                        }));
                    }
                },
            };
            let wanted = unit.params.get(slot).and_then(|param| self.wanted_of(&param.ty));
            let value = self.expr_wanted(expr, wanted);
            match values.get_mut(slot) {
                Some(empty @ None) => *empty = Some(value),
                _ => return Err(self.wrong_count(unit, call, span)),
            }
        }
        if values.iter().any(Option::is_none) {
            return Err(self.wrong_count(unit, call, span));
        }
        values.into_iter().flatten().collect()
    }

    fn wrong_count(&mut self, unit: &Unit, call: &Call, span: Span) -> Reported {
        let params: Vec<&str> = unit.params.iter().map(|p| p.name.text.as_str()).collect();
        let message = format!(
            "expected {} arguments ({}) in `{}`, found {}",
            params.len(),
            params.join(", "),
            unit.name.text,
            call.args.len()
        );
        self.fail(error::arguments(span, message).label(unit.name.span, "declared here"))
    }

    /// Static arguments in angle brackets: by name, or by position.
    pub(crate) fn statics(&mut self, unit: &'a Unit, args: &'a [ast::StaticArg]) -> Elab<Statics<'a>> {
        let mut statics = Statics::default();
        for (position, arg) in args.iter().enumerate() {
            let generic = match &arg.name {
                Some(name) => unit.generics.iter().find(|g| g.name.text == name.text),
                None => unit.generics.get(position),
            };
            let Some(generic) = generic else {
                let known: Vec<&str> = unit.generics.iter().map(|g| g.name.text.as_str()).collect();
                let diagnostic = match &arg.name {
                    Some(name) => error::unknown("static parameter", name, known.into_iter()),
                    None => {
                        error::arguments(arg.value.span(), format!("expected at most {} static arguments", known.len()))
                    }
                };
                return Err(self.fail(diagnostic));
            };
            let binding = self.static_binding(unit, generic, &arg.value)?;
            if statics.insert(&generic.name.text, binding).is_some() {
                let message = format!("the static parameter `{}` is given twice", generic.name.text);
                return Err(self.fail(error::arguments(arg.value.span(), message)));
            }
        }
        Ok(statics)
    }

    fn static_binding(&mut self, unit: &Unit, generic: &'a ast::Generic, value: &'a StaticValue) -> Elab<Binding> {
        let value = match (&generic.kind, value) {
            (GenericKind::Unit { .. }, _) => return self.unit_value(&generic.name.text, value),
            (_, StaticValue::Size(size)) => size,
            (_, StaticValue::Unit(given)) => {
                let message =
                    format!("expected a size as `{}`, found the unit `{}`", generic.name.text, given.name.text);
                return Err(self.fail(error::arguments(given.name.span, message)));
            }
        };
        match generic.kind {
            GenericKind::Unit { .. } => unreachable!("a unit was bound before"),
            GenericKind::Size(_) => Ok(Binding::Size(Arc::new(self.size(value)?))),
            GenericKind::Row => {
                let message = format!(
                    "the row `{0}..` is bound in square brackets: `{1}[..](..)`",
                    generic.name.text, unit.name.text
                );
                Err(self.fail(error::arguments(value.span, message)))
            }
            GenericKind::Axis(_) => {
                if let SizeKind::Name(name) = &value.kind
                    && let Some(Binding::Axis(axis)) = self.lookup(&name.text)
                {
                    if self.is_dependent(axis) {
                        return Err(self.needs_static(name, "a unit's signature names static axes only"));
                    }
                    return Ok(Binding::Axis(axis));
                }
                let size = self.size(value)?;
                Ok(Binding::Axis(self.sized_axis(&generic.name.text, size, value.span)?))
            }
        }
    }

    /// `RmsNorm[H, V](y)`: axes for the static parameters without a default, in order; a row takes
    /// what is left.
    fn slot(&mut self, unit: &'a Unit, call: &'a Call, statics: &mut Statics<'a>) -> Elab<()> {
        let refs = match &call.slot {
            None => return Ok(()),
            Some(Slot::Axes(refs)) => refs,
            Some(Slot::Map { .. } | Slot::Of { .. }) => {
                let message = format!("expected axes by name in `{}[..]`, found a map", unit.name.text);
                return Err(self.fail(error::arguments(call.head.span, message)));
            }
        };
        let mut axes = self.axes(refs)?.into_iter();
        if let Some(past) = axes.clone().find(|&axis| self.is_dependent(axis)) {
            let name = Ident { text: self.graph.axis(past).name.clone(), span: super::rule::span_of(&refs[0]) };
            return Err(self.needs_static(&name, "a unit's signature names static axes only"));
        }
        for generic in &unit.generics {
            let text = &generic.name.text;
            match generic.kind {
                GenericKind::Axis(None) if statics.get(text).is_none() => {
                    let Some(axis) = axes.next() else { break };
                    statics.insert(text, Binding::Axis(axis));
                }
                GenericKind::Row => {
                    statics.insert(text, Binding::Row(axes.by_ref().collect()));
                }
                GenericKind::Axis(_) | GenericKind::Size(_) | GenericKind::Unit { .. } => {}
            }
        }
        match axes.next() {
            None => Ok(()),
            Some(extra) => {
                let name = &self.graph.axis(extra).name;
                let message = format!("expected fewer axes in `{}[..]`, found `{name}` left over", unit.name.text);
                Err(self.fail(error::arguments(call.head.span, message)))
            }
        }
    }

    /// Binds the axes of one parameter's type to those of its argument.
    pub(crate) fn match_argument(
        &mut self,
        unit: &'a Unit,
        param: &'a ast::Param,
        arg: NodeId,
        statics: &mut Statics<'a>,
    ) -> Elab<()> {
        if !param.ty.seq && self.ty(arg).stage != Stage::Const {
            let message = format!("expected a constant as `{}`, found {}", param.name.text, self.show_node(arg));
            let span = self.graph.node(arg).span;
            let case = self.varying(arg, span);
            return Err(self.fail(Diagnostic::error(Code::NOT_CONSTANT, span, message).counterexample(case)));
        }
        self.no_mean(arg, "an argument of a unit", self.graph.node(arg).span)?;
        let mut left = self.seen(arg);
        let mut unbound = Vec::new();
        let mut missing = Vec::new();
        let mut rows = Vec::new();
        for axis in &param.ty.axes {
            match axis {
                AxisRef::Named(name) => match self.signature_axes(unit, statics, name)? {
                    Some(bound) => missing.extend(bound.into_iter().filter(|axis| !left.remove(axis))),
                    None => unbound.push(name),
                },
                AxisRef::Row(name) => match statics.row(&name.text) {
                    Some(bound) => missing.extend(bound.iter().copied().filter(|axis| !left.remove(axis))),
                    None => rows.push(name.text.as_str()),
                },
                AxisRef::Rest(_) => match statics.row("..") {
                    Some(bound) => missing.extend(bound.iter().copied().filter(|axis| !left.remove(axis))),
                    None => rows.push(".."),
                },
            }
        }
        self.match_names(&mut left, &mut unbound, statics);
        if let (&[only], 1) = (unbound.as_slice(), left.len())
            && rows.iter().all(|row| *row == "..")
        {
            let axis = left.pop_first().expect("one axis is left");
            statics.insert(&only.text, Binding::Axis(axis));
            unbound.clear();
        }
        self.match_rows(unit, param, arg, &mut left, &rows, statics)?;
        if missing.is_empty() && unbound.is_empty() && left.is_empty() {
            return self.no_past(arg, Code::DEPENDENT_AXIS, "an argument of a unit", self.graph.node(arg).span);
        }
        Err(self.mismatch(unit, param, arg, &left, &missing, &unbound))
    }

    /// The axes a name of the signature is bound to, if it is bound.
    pub(crate) fn signature_axes(
        &mut self,
        unit: &Unit,
        statics: &Statics<'a>,
        name: &Ident,
    ) -> Elab<Option<Vec<AxisId>>> {
        match statics.get(&name.text) {
            Some(Binding::Axis(axis)) => Ok(Some(vec![*axis])),
            Some(Binding::Row(axes)) => Ok(Some(axes.clone())),
            Some(_) => Ok(Some(Vec::new())),
            None if unit.generics.iter().any(|generic| generic.name.text == name.text) => Ok(None),
            None if name.text == "D" => Ok(Some(vec![WIDTH])),
            // The callee's own check reports the unknown name.
            None => Err(Reported),
        }
    }

    /// Rule 2: equal names of declared axes bind.
    fn match_names(&mut self, left: &mut AxisSet, unbound: &mut Vec<&'a Ident>, statics: &mut Statics<'a>) {
        unbound.retain(|name| {
            let same = left.iter().copied().find(|&axis| self.graph.axis(axis).name == name.text);
            if let Some(axis) = same {
                left.remove(&axis);
                statics.insert(&name.text, Binding::Axis(axis));
            }
            same.is_none()
        });
    }

    /// A row takes the axes left over; a row beside `..` takes one that is alone, else it must be
    /// named in the call, for which of them it normalizes or weighs is not to be guessed.
    fn match_rows(
        &mut self,
        unit: &Unit,
        param: &ast::Param,
        arg: NodeId,
        left: &mut AxisSet,
        rows: &[&'a str],
        statics: &mut Statics<'a>,
    ) -> Elab<()> {
        match rows {
            [] => {}
            [row] => {
                statics.insert(row, Binding::Row(std::mem::take(left).into_iter().collect()));
            }
            [row, rest] if left.len() <= 1 => {
                statics.insert(row, Binding::Row(std::mem::take(left).into_iter().collect()));
                statics.insert(rest, Binding::Row(Vec::new()));
            }
            _ => {
                let names = self.names(left.iter().copied());
                let span = self.graph.node(arg).span;
                let message = format!(
                    "expected the axes of `{0}` to be named, as in `{0}[A](..)`: its `{1}` has {names}",
                    unit.name.text, param.name.text
                );
                return Err(self.fail(Diagnostic::error(Code::AXIS_AMBIGUOUS, span, message)));
            }
        }
        Ok(())
    }

    fn mismatch(
        &mut self,
        unit: &Unit,
        param: &ast::Param,
        arg: NodeId,
        left: &AxisSet,
        missing: &[AxisId],
        unbound: &[&Ident],
    ) -> Reported {
        let span = self.graph.node(arg).span;
        let mut lacks: Vec<String> = missing.iter().map(|&axis| self.graph.axis(axis).name.clone()).collect();
        lacks.extend(unbound.iter().map(|name| name.text.clone()));
        let expected: Vec<String> = param.ty.axes.iter().map(show_ref).collect();
        let kind = if param.ty.seq { "Seq" } else { "" };
        let message = format!(
            "expected {kind}[{}] as `{}` of `{}`, found {}",
            expected.join(", "),
            param.name.text,
            unit.name.text,
            self.show_node(arg)
        );
        let extra = self.names(left.iter().copied());
        let difference = match (lacks.is_empty(), extra.is_empty()) {
            (false, true) => format!("missing {}", lacks.join(", ")),
            (true, false) => format!("extra {extra}"),
            _ => format!("missing {}, extra {extra}", lacks.join(", ")),
        };
        let mut diagnostic = Diagnostic::error(Code::AXIS_MISMATCH, span, message).at(difference);
        let dependent = left.iter().any(|&axis| self.is_dependent(axis));
        if dependent {
            diagnostic =
                diagnostic.help("a unit sees no past of its caller: reduce it first, or call the unit before `past`");
        } else if !lacks.is_empty() && !extra.is_empty() {
            diagnostic = diagnostic.help(format!("`linear[{extra} -> {}](..)` maps between them", lacks.join(", ")));
        }
        self.fail(diagnostic)
    }

    /// Values of a broken unit's result types, so that its callers are still looked at.
    fn opaque(&mut self, unit: &Unit, statics: &Statics<'a>, args: &[NodeId], span: Span) -> Elab<Given> {
        let values = results_of(unit).map(|ty| self.opaque_value(unit, ty, statics, args, span));
        values.collect::<Elab<_>>().map(Given::of)
    }

    fn opaque_value(
        &mut self,
        unit: &Unit,
        ty: &ast::Type,
        statics: &Statics<'a>,
        args: &[NodeId],
        span: Span,
    ) -> Elab<NodeId> {
        let mut axes = AxisSet::default();
        let stage = args.iter().map(|&arg| self.ty(arg).stage).max().unwrap_or(Stage::Const).max(Stage::Seq);
        for axis in &ty.axes {
            match axis {
                AxisRef::Named(name) => match self.signature_axes(unit, statics, name)? {
                    Some(bound) => axes.extend(bound),
                    None => return Err(Reported),
                },
                AxisRef::Row(name) => axes.extend(statics.row(&name.text).unwrap_or_default()),
                AxisRef::Rest(_) => axes.extend(statics.row("..").unwrap_or_default()),
            }
        }
        // The arguments count as read: whether they are is for the broken unit to say.
        self.push(Op::Position, args, Type { stage, axes }, span)
    }
}

fn show_ref(axis: &AxisRef) -> String {
    match axis {
        AxisRef::Named(name) => name.text.clone(),
        AxisRef::Row(name) => format!("{}..", name.text),
        AxisRef::Rest(_) => "..".into(),
    }
}

impl<'a> Statics<'a> {
    /// Binds a name, and gives what it was bound to.
    pub(crate) fn insert(&mut self, name: &'a str, binding: Binding) -> Option<Binding> {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => Some(std::mem::replace(known, binding)),
            None => {
                self.0.push((name, binding));
                None
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Binding> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, binding)| binding)
    }

    pub(crate) fn row(&self, name: &str) -> Option<&[AxisId]> {
        match self.get(name) {
            Some(Binding::Row(axes)) => Some(axes),
            _ => None,
        }
    }

    pub(crate) fn into_bindings(self) -> impl Iterator<Item = (&'a str, Binding)> {
        self.0.into_iter()
    }
}
