//! Units: each checked once on its own, and expanded wherever it is called.

use std::collections::BTreeMap;
use std::sync::Arc;

use genesys_axis::{Domain, Size};
use genesys_diag::{Code, Diagnostic};
use genesys_span::Span;
use genesys_syntax::ast::{self, AxisRef, Generic, GenericKind, Unit};

use super::tuple::part_spans;
use super::unit_param::UnitValue;
use super::{Binding, Elab, Elaborator, Frame, Reported};
use crate::AxisSet;
use crate::core::{AxisId, Graph, NodeId, Op, Output, Port, Stage, Type, WIDTH};
use crate::design::Required;
use crate::resolve::Units;
use crate::sketch::Hole;
use crate::{Inspected, effect, error, stuck};

/// What the static parameters of a call are bound to; `..` is the row of the same sign.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statics<'a>(pub(super) Vec<(&'a str, Binding)>);

/// What checking units on their own found of each.
#[derive(Debug, Default)]
pub(crate) struct UnitChecks {
    /// Whether it has errors, or holes.
    pub(crate) broken: Vec<bool>,
    /// What is not written yet.
    pub(crate) holes: Vec<Hole>,
    /// What it means, where it is sound and its static parameters, if any, are axes with defaults: as a unit of the stack,
    /// and where a call binds nothing, it means the same.
    pub(crate) closed: BTreeMap<usize, Elaborated>,
}

/// A unit expanded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Elaborated {
    pub(crate) graph: Graph,
    pub(crate) requirements: Vec<Required>,
    /// How deep expressions and calls nest in it.
    pub(crate) depth: usize,
    /// Whether it takes a derivative.
    pub(crate) derives: bool,
}

/// Checks every unit of the file on its own, callees first.
pub(crate) fn check_units(units: &Units<'_>, diagnostics: &mut Vec<Diagnostic>) -> UnitChecks {
    let broken = units.library.units().map(|(_, known)| known.broken).collect();
    let mut checks = UnitChecks { broken, ..UnitChecks::default() };
    for index in checks.broken.len()..units.all.len() {
        let unit = check_unit(units, &checks, index);
        let broken = unit.is_broken();
        let Found { elaborated, diagnostics: found, holes, .. } = unit;
        checks.holes.extend(holes);
        if !broken && is_closed(units.all[index].unit) {
            checks.closed.insert(index, elaborated);
        }
        checks.broken.push(broken);
        diagnostics.extend(found);
    }
    checks
}

/// Checks every unit of the file on its own as [`check_units`] does, and keeps what each was expanded to, as far as that
/// went.
pub(crate) fn expand_units(units: &Units<'_>) -> Vec<Inspected> {
    let broken = units.library.units().map(|(_, known)| known.broken).collect();
    let mut checks = UnitChecks { broken, ..UnitChecks::default() };
    let mut expanded = Vec::new();
    for index in checks.broken.len()..units.all.len() {
        let found = check_unit(units, &checks, index);
        let (unit, sound) = (units.all[index].unit, !found.is_broken());
        checks.broken.push(!sound);
        let Found { elaborated: Elaborated { graph, .. }, complete, .. } = found;
        expanded.push(Inspected { name: unit.name.span, body: unit.body.span, graph, complete, sound });
    }
    expanded
}

/// The types of a unit's results, the main one first.
pub(crate) fn results_of(unit: &Unit) -> impl Iterator<Item = &ast::Type> {
    [&unit.result].into_iter().chain(unit.further.iter().map(|result| &result.ty))
}

/// Whether a type of its signature takes whatever other axes an argument has: `..`
fn has_rest(unit: &Unit) -> bool {
    let types = unit.params.iter().map(|param| &param.ty).chain(results_of(unit));
    types.flat_map(|ty| &ty.axes).any(|axis| matches!(axis, AxisRef::Rest(_)))
}

/// Whether nothing but the unit says what its axes are, where no call binds them.
fn is_closed(unit: &Unit) -> bool {
    !has_rest(unit) && unit.generics.iter().all(|generic| matches!(generic.kind, GenericKind::Axis(Some(_))))
}

/// What checking one unit found.
pub(super) struct Found {
    pub(super) elaborated: Elaborated,
    pub(super) diagnostics: Vec<Diagnostic>,
    holes: Vec<Hole>,
    /// Whether it was expanded as a whole, and has no hole.
    complete: bool,
}

impl Found {
    /// Whether it has errors, or holes.
    fn is_broken(&self) -> bool {
        !self.complete || self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Checks one unit with its static parameters as rigid symbols.
pub(super) fn check_unit(units: &Units<'_>, checks: &UnitChecks, index: usize) -> Found {
    let entry = units.all[index];
    let mut elaborator = Elaborator::new(units, &checks.broken, &checks.closed);
    elaborator.unit = &entry.unit.name.text;
    elaborator.frames.push(Frame::new(entry.is_std, None));
    let statics = elaborator.rigid(entry.unit);
    let mut args = elaborator.rigid_arguments(entry.unit);
    if let (true, Ok(values)) = (entry.unit.is_open(), &args) {
        args = elaborator.open_unit(entry.unit, values).and(Err(Reported));
    }
    elaborator.frames.pop();
    // What went wrong was reported.
    let values = args.and_then(|args| elaborator.instantiate(index, statics, args, None));
    let complete = values.is_ok() && elaborator.holes.is_empty();
    if complete && !elaborator.diagnostics.iter().any(Diagnostic::is_error) {
        let graph = &elaborator.graph;
        elaborator.diagnostics.extend(unused_parameters(graph, entry.unit));
        elaborator.diagnostics.extend(effect::without_effect(graph));
        elaborator.diagnostics.extend(stuck::stuck_weights(graph));
    }
    let Elaborator { graph, requirements, diagnostics, holes, deepest, derivatives, .. } = elaborator;
    let elaborated = Elaborated { graph, requirements, depth: deepest, derives: !derivatives.is_empty() };
    Found { elaborated, diagnostics, holes, complete }
}

/// Expands a unit of the stack: `Seq[D] -> Seq[D]`, with static arguments from the stack.
pub(crate) fn instantiate_root<'a>(
    units: &Units<'a>,
    checks: &UnitChecks,
    index: usize,
    args: &'a [ast::StaticArg],
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Elaborated> {
    let entry = units.all[index];
    let mut elaborator = Elaborator::new(units, &checks.broken, &checks.closed);
    elaborator.frames.push(Frame::new(entry.is_std, None));
    elaborator.bind_width(entry.unit);
    let outputs = elaborator.statics(entry.unit, args).and_then(|mut statics| {
        elaborator.bind_stack_rows(entry.unit, &mut statics);
        let inputs = elaborator.stack_arguments(entry.unit, &mut statics)?;
        elaborator.frames.pop();
        elaborator.instantiate(index, statics, inputs, None)
    });
    // Warnings of a unit were given when it was checked on its own.
    diagnostics.extend(elaborator.diagnostics.into_iter().filter(Diagnostic::is_error));
    outputs.ok()?;
    let Elaborator { graph, requirements, deepest, derivatives, .. } = elaborator;
    Some(Elaborated { graph, requirements, depth: deepest, derives: !derivatives.is_empty() })
}

fn unused_parameters(graph: &Graph, unit: &Unit) -> Vec<Diagnostic> {
    let is_used = |id: NodeId| {
        let given = graph.outputs.iter().any(|output| output.node == id);
        given || graph.nodes.iter().any(|node| node.args.contains(&id))
    };
    let inputs = graph.nodes.iter().zip((0..).map(NodeId)).filter_map(|(node, id)| match node.op {
        Op::Input(parameter) => Some((parameter as usize, id)),
        _ => None,
    });
    inputs
        .filter(|(_, id)| !is_used(*id))
        .map(|(parameter, _)| {
            let param = &unit.params[parameter];
            let message = format!("the parameter `{}` of `{}` is never read", param.name.text, unit.name.text);
            Diagnostic::warning(Code::DEAD_CODE, param.name.span, message)
        })
        .collect()
}

impl<'a> Elaborator<'a, '_> {
    /// Expands a unit with its static parameters bound, and gives its values.
    pub(crate) fn instantiate(
        &mut self,
        index: usize,
        statics: Statics<'a>,
        args: Vec<NodeId>,
        call: Option<Span>,
    ) -> Elab<Vec<NodeId>> {
        let entry = self.units.all[index];
        let outside = self.graph.axes.len();
        let mut frame = Frame::new(entry.is_std, call);
        let at = entry.unit.name.span;
        frame.names.reserve(1 + entry.unit.generics.len() + entry.unit.params.len() + entry.unit.body.stmts.len());
        frame.names.insert("D", (Binding::Axis(WIDTH), at));
        frame.names.extend(statics.into_bindings().map(|(name, binding)| (name, (binding, at))));
        self.frames.push(frame);
        let values = self.expand(entry.unit, args, outside);
        self.frames.pop();
        values
    }

    fn expand(&mut self, unit: &'a Unit, args: Vec<NodeId>, outside: usize) -> Elab<Vec<NodeId>> {
        self.bind_defaults(unit)?;
        self.check_unit_params(unit)?;
        for (param, arg) in unit.params.iter().zip(args) {
            self.declare(&param.name, Binding::Value(arg))?;
        }
        let values = self.body(&unit.body, unit)?.values();
        self.check_count(unit, values.len())?;
        let declared = results_of(unit).zip(self.result_spans(unit));
        let checked: Vec<Elab<()>> = declared
            .zip(&values)
            .map(|((ty, span), &value)| self.check_result(unit, ty, value, span, outside))
            .collect();
        checked.into_iter().collect::<Elab<()>>()?;
        // The graph is that of the outermost unit.
        if self.frames.len() == 1 {
            self.declare_ports(unit, &values);
        }
        Ok(values)
    }

    /// What the unit takes and gives is that of the graph.
    fn declare_ports(&mut self, unit: &Unit, values: &[NodeId]) {
        let inputs = unit.params.iter().map(|param| self.port(Some(&param.name), &param.ty));
        self.graph.inputs = inputs.collect();
        let names = [None].into_iter().chain(unit.further.iter().map(|result| result.name.as_ref()));
        let ports = names.zip(results_of(unit)).map(|(name, ty)| self.port(name, ty));
        self.graph.outputs = ports.zip(values).map(|(port, &node)| Output { port, node }).collect();
    }

    /// A parameter or result as declared, within the unit's frame.
    fn port(&self, name: Option<&ast::Ident>, ty: &ast::Type) -> Port {
        let names = &self.frames.last().expect("elaboration happens within a unit").names;
        let mut axes = Vec::new();
        for axis in &ty.axes {
            let name = match axis {
                AxisRef::Named(name) | AxisRef::Row(name) => name.text.as_str(),
                AxisRef::Rest(_) => "..",
            };
            match names.get(name) {
                Some((Binding::Axis(axis), _)) => axes.push((name.to_owned(), *axis)),
                Some((Binding::Row(row), _)) => {
                    axes.extend(row.iter().map(|&axis| (self.graph.axis(axis).name.clone(), axis)));
                }
                _ => {}
            }
        }
        let stage = if ty.seq { Stage::Seq } else { Stage::Const };
        Port { name: name.map(|name| name.text.clone()), stage, axes, span: name.map_or(ty.span, |name| name.span) }
    }

    fn check_count(&mut self, unit: &Unit, found: usize) -> Elab<()> {
        let expected = 1 + unit.further.len();
        if expected == found {
            return Ok(());
        }
        let count = |n: usize| if n == 1 { "one value".to_owned() } else { format!("a tuple of {n}") };
        let name = &unit.name.text;
        let message = format!("expected {} as the value of `{name}`, found {}", count(expected), count(found));
        let span = unit.body.result.as_ref().map_or(unit.body.span, |e| e.span);
        let diagnostic = Diagnostic::error(Code::TUPLE, span, message).label(unit.result.span, "declared here");
        Err(self
            .fail(diagnostic.help("a body ends with a value for each result: `(y, v)` for `-> (Seq[D], v: Seq[E])`")))
    }

    /// Where the body states each of its values.
    fn result_spans(&self, unit: &Unit) -> Vec<Span> {
        let count = 1 + unit.further.len();
        unit.body.result.as_ref().map_or_else(|| vec![unit.body.span; count], |value| part_spans(value, count))
    }

    /// Static parameters that no call bound take their defaults, in order.
    fn bind_defaults(&mut self, unit: &'a Unit) -> Elab<()> {
        for generic in &unit.generics {
            if self.lookup(&generic.name.text).is_some() {
                continue;
            }
            let binding = match &generic.kind {
                GenericKind::Axis(Some(size)) => {
                    let value = self.size(size)?;
                    Binding::Axis(self.sized_axis(&generic.name.text, value, size.span)?)
                }
                GenericKind::Size(Some(size)) => Binding::Size(Arc::new(self.size(size)?)),
                GenericKind::Unit { default: Some(unit), .. } => self.unit_default(unit)?,
                GenericKind::Axis(None)
                | GenericKind::Size(None)
                | GenericKind::Row
                | GenericKind::Unit { default: None, .. } => {
                    return Err(self.unbound(unit, generic));
                }
            };
            self.bind(&generic.name, binding);
        }
        Ok(())
    }

    fn unbound(&mut self, unit: &Unit, generic: &Generic) -> Reported {
        let name = &generic.name.text;
        let message = format!(
            "expected a static argument for `{name}` of `{0}`: it has no default and no argument binds it",
            unit.name.text
        );
        self.fail(error::arguments(generic.span, message).help(format!("state it: `{}<{name} = ..>`", unit.name.text)))
    }

    fn check_result(
        &mut self,
        unit: &'a Unit,
        declared: &'a ast::Type,
        value: NodeId,
        span: Span,
        outside: usize,
    ) -> Elab<()> {
        let expected: AxisSet = self.axes(&declared.axes)?.into_iter().collect();
        let found = self.seen(value);
        self.no_mean(value, "the value of a unit", span)?;
        let ty = self.ty(value).clone();
        if found != expected || (!declared.seq && ty.stage != Stage::Const) {
            let stage = if declared.seq { Stage::Seq } else { Stage::Const };
            let message = format!(
                "expected {} as the value of `{}`, found {}",
                self.show(stage, &expected),
                unit.name.text,
                self.show_node(value)
            );
            let mut diagnostic =
                Diagnostic::error(Code::AXIS_MISMATCH, span, message).label(declared.span, "declared here");
            if found != expected {
                diagnostic = diagnostic.at(self.difference(&expected, &found));
            }
            if let Some(past) = found.iter().find(|axis| self.is_dependent(**axis)) {
                let past = &self.graph.axis(*past).name;
                diagnostic =
                    diagnostic.help(format!("reduce the past first: `sum[{past}](..)` or `dot[{past}](.., ..)`"));
            }
            return Err(self.fail(diagnostic));
        }
        self.no_past(value, Code::DEPENDENT_AXIS, "the value of a unit", span)?;
        match found.iter().find(|axis| axis.0 as usize >= outside) {
            Some(&own) if self.frames.len() > 1 => Err(self.escapes(unit, own)),
            _ => Ok(()),
        }
    }

    fn escapes(&mut self, unit: &Unit, own: AxisId) -> Reported {
        let name = self.graph.axis(own).name.clone();
        let span = self.frames.last().and_then(|frame| frame.call).unwrap_or(unit.name.span);
        let message = format!(
            "expected the axis `{name}` of `{}` to be bound by the call, found its own escaping",
            unit.name.text
        );
        let help = format!("bind it to an axis of this unit: `{0}<{name} = {name}>(..)`", unit.name.text);
        self.fail(Diagnostic::error(Code::AXIS_ESCAPES, span, message).help(help))
    }

    /// Static parameters as rigid symbols: a fresh axis each, of a size that is its name.
    fn rigid(&mut self, unit: &'a Unit) -> Statics<'a> {
        let mut statics = Statics::default();
        self.bind_width(unit);
        let (units, sizes): (Vec<_>, Vec<_>) =
            unit.generics.iter().partition(|generic| matches!(generic.kind, GenericKind::Unit { .. }));
        // The signature of a unit may name any axis.
        for generic in sizes.into_iter().chain(units) {
            let name = &generic.name;
            let symbol = Size::symbol(name.text.clone());
            let binding = match &generic.kind {
                // A default that follows from others stays what it follows from, so that
                // `Half = E / 2` multiplies out in the unit's own check.
                GenericKind::Axis(Some(size)) => match self.size(size) {
                    Ok(value) => match self.sized_axis(&name.text, value, size.span) {
                        Ok(axis) => Binding::Axis(axis),
                        Err(Reported) => Binding::Poisoned,
                    },
                    Err(Reported) => Binding::Poisoned,
                },
                GenericKind::Axis(None) => Binding::Axis(self.declare_axis(&name.text, Domain::Static(symbol))),
                GenericKind::Size(_) => Binding::Size(Arc::new(symbol)),
                GenericKind::Unit { .. } => match self.shape(&generic.kind) {
                    Ok(shape) => Binding::Unit(Arc::new(UnitValue::Opaque(shape))),
                    Err(Reported) => Binding::Poisoned,
                },
                GenericKind::Row => {
                    Binding::Row(vec![self.declare_axis(&format!("{}..", name.text), Domain::Static(symbol))])
                }
            };
            if self.declare(name, binding.clone()).is_ok() {
                statics.insert(&name.text, binding);
            }
        }
        if has_rest(unit) {
            let rest = self.declare_axis("..", Domain::Static(Size::symbol("..")));
            statics.insert("..", Binding::Row(vec![rest]));
            self.frame().names.insert("..", (Binding::Row(vec![rest]), unit.name.span));
        }
        statics
    }

    fn rigid_arguments(&mut self, unit: &'a Unit) -> Elab<Vec<NodeId>> {
        let mut args = Vec::new();
        for (number, param) in (0..).zip(&unit.params) {
            let axes: AxisSet = self.axes(&param.ty.axes)?.into_iter().collect();
            let stage = if param.ty.seq { Stage::Seq } else { Stage::Const };
            args.push(self.push(Op::Input(number), &[], Type { stage, axes }, param.name.span)?);
        }
        Ok(args)
    }

    /// The values that a unit of the stack takes: the width's, and those of earlier units. No
    /// argument binds their axes, so that what the stack leaves open takes its default.
    fn stack_arguments(&mut self, unit: &'a Unit, statics: &mut Statics<'a>) -> Elab<Vec<NodeId>> {
        let span = unit.name.span;
        self.frame().names.extend(statics.clone().into_bindings().map(|(name, bound)| (name, (bound, span))));
        self.bind_defaults(unit)?;
        for generic in &unit.generics {
            if let Some(binding) = self.lookup(&generic.name.text) {
                statics.insert(&generic.name.text, binding);
            }
        }
        self.rigid_arguments(unit)
    }

    /// In the stack a row can only be the width.
    fn bind_stack_rows(&mut self, unit: &'a Unit, statics: &mut Statics<'a>) {
        let mut width = vec![WIDTH];
        for axis in unit.params.iter().flat_map(|param| &param.ty.axes) {
            match axis {
                AxisRef::Named(name) if name.text == "D" => width.clear(),
                AxisRef::Named(name) if statics.get(&name.text).is_none() && !width.is_empty() => {
                    statics.insert(&name.text, Binding::Axis(width.remove(0)));
                }
                AxisRef::Named(_) => {}
                AxisRef::Row(name) => {
                    statics.insert(&name.text, Binding::Row(std::mem::take(&mut width)));
                }
                AxisRef::Rest(_) => {
                    statics.insert("..", Binding::Row(std::mem::take(&mut width)));
                }
            }
        }
    }

    fn bind_width(&mut self, unit: &Unit) {
        let span = unit.name.span;
        self.frame().names.insert("D", (Binding::Axis(WIDTH), span));
    }
}
