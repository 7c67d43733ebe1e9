//! T-unit-arg: units as static parameters, `<F: unit(Seq[H, E]) -> Seq[H, E]>`.
//!
//! Where a unit is checked on its own, its parameter is opaque: a call of it gives a value of the
//! result type, at the stage of its arguments. Where it is bound, the bound unit is held to the
//! signature once the axes are known, and to the effect that is stated: what is `pointwise` looks at
//! no other position, so that it may be given what depends on a state.

use std::collections::BTreeSet;
use std::sync::Arc;

use genesys_diag::{Code, Diagnostic};
use genesys_span::Span;
use genesys_syntax::ast::{self, Call, GenericKind, Ident, StaticValue, Unit, UnitRef};

use super::unit::Statics;
use super::{Binding, Elab, Elaborator, Given, Reported};
use crate::AxisSet;
use crate::core::{NodeId, Op, Stage, Type, WIDTH};
use crate::error;

/// What a unit parameter stands for.
#[derive(Clone, Debug)]
pub(crate) enum UnitValue {
    /// Nothing yet: the unit that declares it is checked on its own.
    Opaque(Shape),
    /// A unit, with those of its static parameters that were bound with it.
    Bound {
        /// Its number.
        index: usize,
        /// Its static parameters by name.
        statics: Vec<(String, Binding)>,
        /// How many axes there were before: those behind are made anew at each call.
        known: usize,
        /// Where it was bound.
        span: Span,
    },
}

/// What a unit parameter promises.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shape {
    params: Vec<Type>,
    result: Type,
    pointwise: bool,
}

impl<'a> Elaborator<'a, '_> {
    /// What a unit parameter promises, in the frame of the unit that declares it.
    pub(crate) fn shape(&mut self, kind: &'a GenericKind) -> Elab<Shape> {
        let GenericKind::Unit { pointwise, signature, .. } = kind else {
            unreachable!("only a unit parameter has a shape")
        };
        let width = Type { stage: Stage::Seq, axes: [WIDTH].into() };
        let (params, result) = match signature {
            None => (vec![width.clone()], width),
            Some(signature) => {
                let params = signature.params.iter().map(|ty| self.declared(ty)).collect::<Elab<_>>()?;
                (params, self.declared(&signature.result)?)
            }
        };
        Ok(Shape { params, result, pointwise: *pointwise })
    }

    fn declared(&mut self, ty: &ast::Type) -> Elab<Type> {
        let axes = self.axes(&ty.axes)?.into_iter().collect();
        Ok(Type { stage: if ty.seq { Stage::Seq } else { Stage::Const }, axes })
    }

    /// What a static argument binds a unit parameter to.
    pub(crate) fn unit_value(&mut self, parameter: &str, value: &'a StaticValue) -> Elab<Binding> {
        match value {
            StaticValue::Unit(unit) => self.unit_named(&unit.name, &unit.statics),
            StaticValue::Size(_) => match value.name() {
                Some(name) => self.unit_named(name, &[]),
                None => {
                    let message = format!("expected a unit as `{parameter}`, found a size");
                    Err(self.fail(error::arguments(value.span(), message)))
                }
            },
        }
    }

    /// The unit that is the default of a parameter.
    pub(crate) fn unit_default(&mut self, unit: &'a UnitRef) -> Elab<Binding> {
        self.unit_named(&unit.name, &unit.statics)
    }

    fn unit_named(&mut self, name: &'a Ident, args: &'a [ast::StaticArg]) -> Elab<Binding> {
        if let Some(Binding::Unit(value)) = self.lookup(&name.text)
            && args.is_empty()
        {
            return Ok(Binding::Unit(value));
        }
        let is_std = self.frame().is_std;
        let Some(index) = self.units.find(&name.text, is_std) else {
            let diagnostic = crate::resolve::unit_hint(self.units, name, is_std);
            return Err(self.fail(diagnostic));
        };
        let entry = self.units.all[index];
        if entry.recursive || self.broken.get(index) == Some(&true) {
            return Err(Reported);
        }
        let known = self.graph.axes.len();
        let statics = self.statics(entry.unit, args)?;
        let statics = statics.into_bindings().map(|(name, binding)| (name.to_owned(), binding)).collect();
        Ok(Binding::Unit(Arc::new(UnitValue::Bound { index, statics, known, span: name.span })))
    }

    /// `F(x)`, where `F` is a unit parameter.
    pub(crate) fn bound_call(&mut self, value: &UnitValue, call: &'a Call, span: Span) -> Elab<Given> {
        let label = self.frame().label.take();
        let name = &call.head.text;
        if !call.statics.is_empty() || call.slot.is_some() {
            let message = format!("expected values alone in the call of `{name}`, a static parameter");
            let help = "its static arguments and axes stand where it is bound";
            return Err(self.fail(error::arguments(call.head.span, message).help(help)));
        }
        match value {
            UnitValue::Opaque(shape) => self.opaque_call(shape, call, span).map(Given::One),
            UnitValue::Bound { index, .. } => {
                let unit = self.units.all[*index].unit;
                let args = self.arguments(unit, call, span)?;
                let first = self.graph.leaves.len();
                let statics = self.bound_statics(value);
                let expansion = self.graph.expansions.len();
                let given = self.expanded(*index, statics, args, span)?;
                self.label_expansion(expansion, label);
                self.close_site(label, &unit.name.text, first, span);
                Ok(given)
            }
        }
    }

    /// The static parameters that were bound with a unit, for one call: an axis that a size made is an
    /// axis of the call's own, as if the text stood there.
    fn bound_statics(&mut self, value: &UnitValue) -> Statics<'a> {
        let mut bound = Statics::default();
        if let UnitValue::Bound { index, statics, known, .. } = value {
            for generic in &self.units.all[*index].unit.generics {
                if let Some((_, binding)) = statics.iter().find(|(name, _)| *name == generic.name.text) {
                    let binding = match binding {
                        Binding::Axis(axis) if axis.0 as usize >= *known => {
                            let made = self.graph.axis(*axis).clone();
                            Binding::Axis(self.declare_axis(&made.name, made.domain))
                        }
                        binding => binding.clone(),
                    };
                    bound.insert(&generic.name.text, binding);
                }
            }
        }
        bound
    }

    fn opaque_call(&mut self, shape: &Shape, call: &'a Call, span: Span) -> Elab<NodeId> {
        let args = self.values(call)?;
        let name = &call.head.text;
        if args.len() != shape.params.len() {
            let message = format!("expected {} values in `{name}`, found {}", shape.params.len(), args.len());
            return Err(self.fail(error::arguments(span, message)));
        }
        for (&arg, expected) in args.iter().zip(&shape.params) {
            let at = self.graph.node(arg).span;
            self.no_mean(arg, "an argument of a unit", at)?;
            let (found, stage) = (self.seen(arg), self.ty(arg).stage);
            if found != expected.axes || (expected.stage == Stage::Const && stage != Stage::Const) {
                let shown = self.show(expected.stage, &expected.axes);
                let message = format!("expected {shown} in `{name}`, found {}", self.show_node(arg));
                return Err(self.fail(Diagnostic::error(Code::AXIS_MISMATCH, at, message)));
            }
            if stage == Stage::Moment && !shape.pointwise {
                let message =
                    format!("expected a value free of the scan's state in `{name}`, which may look at the past");
                let help = format!("declare it `{name}: pointwise unit`: then it looks at no other position");
                return Err(self.fail(Diagnostic::error(Code::VIEW_OF_STATE, at, message).help(help)));
            }
        }
        let stage = args.iter().map(|&arg| self.ty(arg).stage).max().unwrap_or(Stage::Const).max(shape.result.stage);
        let mut axes = shape.result.axes.clone();
        axes.extend(
            self.lifted.iter().copied().filter(|axis| args.iter().any(|&arg| self.ty(arg).axes.contains(axis))),
        );
        self.push(Op::Position, &args, Type { stage, axes }, span)
    }

    /// Holds the units that a unit's parameters are bound to, to what those promise.
    pub(crate) fn check_unit_params(&mut self, unit: &'a Unit) -> Elab<()> {
        for generic in &unit.generics {
            if let (GenericKind::Unit { .. }, Some(Binding::Unit(value))) =
                (&generic.kind, self.lookup(&generic.name.text))
            {
                let shape = self.shape(&generic.kind)?;
                self.fits(unit, &generic.name, &shape, &value)?;
            }
        }
        Ok(())
    }

    fn fits(&mut self, of: &Unit, name: &Ident, shape: &Shape, value: &UnitValue) -> Elab<()> {
        let (found, span) = match value {
            UnitValue::Opaque(found) => {
                let fits = found.params == shape.params
                    && found.result == shape.result
                    && (found.pointwise || !shape.pointwise);
                let span = self.frame().call.unwrap_or(name.span);
                if fits {
                    return Ok(());
                }
                ("a unit parameter that promises something else".to_owned(), span)
            }
            UnitValue::Bound { index, span, .. } => match self.misfit(*index, shape, value, *span)? {
                None => return Ok(()),
                Some(what) => (format!("`{}`, {what}", self.units.all[*index].unit.name.text), *span),
            },
        };
        let params: Vec<String> = shape.params.iter().map(|ty| self.show(ty.stage, &ty.axes)).collect();
        let message = format!(
            "expected a {}unit({}) -> {} as `{}` of `{}`, found {found}",
            if shape.pointwise { "pointwise " } else { "" },
            params.join(", "),
            self.show(shape.result.stage, &shape.result.axes),
            name.text,
            of.name.text
        );
        self.diagnostics.push(Diagnostic::error(Code::UNIT_PARAMETER, span, message).label(name.span, "declared here"));
        Err(Reported)
    }

    /// Why a unit is not what a parameter promises.
    fn misfit(&mut self, index: usize, shape: &Shape, value: &UnitValue, span: Span) -> Elab<Option<String>> {
        let unit = self.units.all[index].unit;
        if unit.params.len() != shape.params.len() {
            return Ok(Some(format!("which takes {} values", unit.params.len())));
        }
        if !unit.further.is_empty() {
            return Ok(Some("which gives a tuple".into()));
        }
        let mut statics = self.bound_statics(value);
        for (param, ty) in unit.params.iter().zip(&shape.params) {
            // Nothing reads these: they stand for the arguments that calls will give.
            let arg = self.push(Op::Position, &[], ty.clone(), span)?;
            self.match_argument(unit, param, arg, &mut statics)?;
        }
        let Some(axes) = self.result_axes(unit, &statics)? else {
            return Ok(Some("which gives an axis of its own".into()));
        };
        if axes != shape.result.axes || (shape.result.stage == Stage::Const && unit.result.seq) {
            let stage = if unit.result.seq { Stage::Seq } else { Stage::Const };
            return Ok(Some(format!("which gives {}", self.show(stage, &axes))));
        }
        Ok((shape.pointwise && self.looks_back(value)).then(|| "which looks at other positions, or adds a loss".into()))
    }

    /// The axes of a unit's value; nothing where one is the unit's own.
    fn result_axes(&mut self, unit: &'a Unit, statics: &Statics<'a>) -> Elab<Option<AxisSet>> {
        let mut axes = AxisSet::default();
        for axis in &unit.result.axes {
            match axis {
                ast::AxisRef::Named(name) => match self.signature_axes(unit, statics, name)? {
                    Some(bound) => axes.extend(bound),
                    None => return Ok(None),
                },
                ast::AxisRef::Row(name) => axes.extend(statics.row(&name.text).unwrap_or_default()),
                ast::AxisRef::Rest(_) => axes.extend(statics.row("..").unwrap_or_default()),
            }
        }
        Ok(Some(axes))
    }

    /// Whether a unit, or one it calls or is given, holds a view or a scan, or adds a loss.
    fn looks_back(&self, value: &UnitValue) -> bool {
        match value {
            UnitValue::Opaque(shape) => !shape.pointwise,
            UnitValue::Bound { index, statics, .. } => {
                let given = statics.iter().filter_map(|(_, binding)| match binding {
                    Binding::Unit(value) => Some(value),
                    _ => None,
                });
                given.into_iter().any(|value| self.looks_back(value))
                    || crate::resolve::looks_back(self.units, *index, &mut BTreeSet::new())
            }
        }
    }
}
