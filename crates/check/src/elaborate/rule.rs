//! The rules of typing that several constructs share.

use std::collections::BTreeSet;

use genesys_diag::{Code, Diagnostic};
use genesys_scalar::Function;
use genesys_span::Span;
use genesys_syntax::ast::{AxisRef, Ident};

use super::{Binding, Elab, Elaborator};
use crate::AxisSet;
use crate::core::{AxisId, NodeId, Op, Stage, Type};
use crate::error;

impl Elaborator<'_, '_> {
    /// T-map: one operand holds all static axes of the others; dependent axes join.
    pub(crate) fn map(&mut self, function: Function, args: &[NodeId], span: Span) -> Elab<NodeId> {
        let largest = args.iter().copied().max_by_key(|&arg| self.static_axes(arg).count());
        let holds_all = |&other: &NodeId| {
            self.static_axes(other).all(|axis| largest.is_some_and(|largest| self.ty(largest).axes.contains(&axis)))
        };
        if let Some(other) = args.iter().position(|arg| !holds_all(arg)) {
            return Err(self.implicit_outer(function, args, other, span));
        }
        self.map_any(function, args, span)
    }

    /// T-outer: an elementwise function of operands whose axes join freely.
    pub(crate) fn map_any(&mut self, function: Function, args: &[NodeId], span: Span) -> Elab<NodeId> {
        let ty = self.join(args);
        self.push(Op::Map(function), args, ty, span)
    }

    /// The latest stage and all axes of some operands.
    pub(crate) fn join(&self, args: &[NodeId]) -> Type {
        let stage = args.iter().map(|&arg| self.ty(arg).stage).max().unwrap_or(Stage::Const);
        let axes = match args {
            [] => AxisSet::default(),
            [first, rest @ ..] => {
                rest.iter().fold(self.ty(*first).axes.clone(), |axes, &arg| self.ty(arg).axes.union(&axes))
            }
        };
        Type { stage, axes }
    }

    fn static_axes(&self, node: NodeId) -> impl Iterator<Item = AxisId> {
        let axes = self.ty(node).axes.iter().copied();
        axes.filter(|axis| !self.lifted.contains(axis) && !self.is_dependent(*axis))
    }

    fn implicit_outer(&mut self, function: Function, args: &[NodeId], other: usize, span: Span) -> super::Reported {
        let types: Vec<String> = args.iter().map(|&arg| self.show_node(arg)).collect();
        let message = format!(
            "expected one operand of `{}` to hold all axes of the others, found {}",
            error::written(function),
            types.join(" and ")
        );
        let diagnostic = Diagnostic::error(Code::IMPLICIT_OUTER, span, message)
            .label(self.graph.node(args[other]).span, format!("this is {}", types[other]));
        let help = if function == Function::Mul {
            "an outer product is asked for: `outer(a, b)`; a contraction too: `dot[A](a, b)`"
        } else {
            "bring both to the same axes first"
        };
        self.fail(diagnostic.help(help))
    }

    /// The axes that a slot or a type names.
    pub(crate) fn axes(&mut self, refs: &[AxisRef]) -> Elab<Vec<AxisId>> {
        let mut axes = Vec::new();
        for axis in refs {
            match axis {
                AxisRef::Named(name) => axes.extend(self.axis_or_row(name)?),
                AxisRef::Row(name) => axes.extend(self.row(name)?),
                AxisRef::Rest(span) => match self.lookup("..") {
                    Some(Binding::Row(rest)) => axes.extend(rest),
                    _ => {
                        let message = "expected axes by name, found `..`, which only a signature may use";
                        return Err(self.fail(Diagnostic::error(Code::AXIS_AMBIGUOUS, *span, message)));
                    }
                },
            }
        }
        let mut seen = BTreeSet::new();
        for (&axis, at) in axes.iter().zip(refs) {
            if !seen.insert(axis) {
                let name = self.graph.axis(axis).name.clone();
                return Err(self.fail(error::axis_twice(&name, span_of(at))));
            }
        }
        Ok(axes)
    }

    /// A single axis by name.
    pub(crate) fn axis(&mut self, name: &Ident) -> Elab<AxisId> {
        match self.lookup(&name.text) {
            Some(Binding::Axis(axis)) => Ok(axis),
            Some(Binding::Poisoned) => Err(super::Reported),
            Some(Binding::Row(_)) => {
                let message = format!("expected one axis, found the row `{}..`", name.text);
                Err(self.fail(Diagnostic::error(Code::AXIS_AMBIGUOUS, name.span, message)))
            }
            Some(_) => {
                let message = format!("expected an axis, found `{}`, which is not one", name.text);
                Err(self.fail(Diagnostic::error(Code::AXIS_MISSING, name.span, message)))
            }
            None => Err(self.unknown_axis(name)),
        }
    }

    /// Axes by name that must be static.
    pub(crate) fn static_axis_list(&mut self, names: &[Ident]) -> Elab<Vec<AxisId>> {
        self.static_axes_of(names, None)
    }

    /// Axes by name that must be static; where they are those of a value, one that is not is told with a counterexample.
    pub(crate) fn static_axes_of(&mut self, names: &[Ident], of: Option<(NodeId, Span)>) -> Elab<Vec<AxisId>> {
        let mut axes = Vec::with_capacity(names.len());
        for name in names {
            let axis = self.axis(name)?;
            if self.is_dependent(axis) {
                let case = of.and_then(|(value, span)| self.growing(value, axis, span));
                let why = "a past cannot be regrouped, renamed, joined or contracted by weights";
                return Err(self.fail(not_static(name, why).counterexample(case)));
            }
            if axes.contains(&axis) {
                return Err(self.fail(error::axis_twice(&name.text, name.span)));
            }
            axes.push(axis);
        }
        Ok(axes)
    }

    /// The error of a dependent axis where only a static one may stand.
    pub(crate) fn needs_static(&mut self, name: &Ident, why: &str) -> super::Reported {
        self.fail(not_static(name, why))
    }

    /// Checks that a value has an axis.
    pub(crate) fn has_axis(&mut self, value: NodeId, axis: AxisId, span: Span) -> Elab<()> {
        if self.seen(value).contains(&axis) {
            return Ok(());
        }
        let message =
            format!("expected a value with the axis `{}`, found {}", self.graph.axis(axis).name, self.show_node(value));
        let is_past = |axis: &AxisId| self.is_dependent(*axis);
        let help = match (is_past(&axis), self.seen(value).iter().any(is_past)) {
            (true, false) => "look back first, as in `past(x)`: only then there is a past to reduce",
            (true, true) => "its past is another one: name that",
            (false, _) => "name an axis that it has; `x as [A -> B]` gives an axis of the same size another name",
        };
        Err(self.fail(Diagnostic::error(Code::AXIS_MISSING, span, message).help(help)))
    }

    /// Checks that a value lacks an axis that an operation is about to make.
    pub(crate) fn lacks_axis(&mut self, value: NodeId, axis: AxisId, span: Span) -> Elab<()> {
        if !self.ty(value).axes.contains(&axis) {
            return Ok(());
        }
        let message = format!(
            "the axis `{}` would occur twice: the value is {} already",
            self.graph.axis(axis).name,
            self.show_node(value)
        );
        Err(self.fail(Diagnostic::error(Code::AXIS_REPEATED, span, message)))
    }

    /// Checks that a value has no dependent axis.
    pub(crate) fn no_past(&mut self, value: NodeId, code: Code, what: &str, span: Span) -> Elab<()> {
        match self.past_of(value, code, what, span) {
            None => Ok(()),
            Some(diagnostic) => Err(self.fail(diagnostic)),
        }
    }

    /// The error of a value with a dependent axis where none may be; nothing where it has none.
    pub(crate) fn past_of(&self, value: NodeId, code: Code, what: &str, span: Span) -> Option<Diagnostic> {
        let axis = *self.dependent(&self.ty(value).axes).first()?;
        let name = &self.graph.axis(axis).name;
        let message = format!("expected {what} without a past, found {}", self.show_node(value));
        let help = format!("reduce the past first: `sum[{name}](..)` or `dot[{name}](.., ..)`");
        Some(Diagnostic::error(code, span, message).help(help))
    }

    /// The difference of two axis sets in words: `missing D, extra H, V`.
    pub(crate) fn difference(&self, expected: &AxisSet, found: &AxisSet) -> String {
        let missing = self.names(expected.difference(found).copied());
        let extra = self.names(found.difference(expected).copied());
        match (missing.is_empty(), extra.is_empty()) {
            (false, true) => format!("missing {missing}"),
            (true, false) => format!("extra {extra}"),
            _ => format!("missing {missing}, extra {extra}"),
        }
    }

    fn axis_or_row(&mut self, name: &Ident) -> Elab<Vec<AxisId>> {
        match self.lookup(&name.text) {
            Some(Binding::Row(axes)) => Ok(axes),
            _ => Ok(vec![self.axis(name)?]),
        }
    }

    fn row(&mut self, name: &Ident) -> Elab<Vec<AxisId>> {
        match self.lookup(&name.text) {
            Some(Binding::Row(axes)) => Ok(axes),
            Some(Binding::Poisoned) => Err(super::Reported),
            Some(_) => {
                let message = format!("expected a row, found `{}`, which is a single name", name.text);
                Err(self.fail(Diagnostic::error(Code::AXIS_AMBIGUOUS, name.span, message)))
            }
            None => Err(self.unknown_axis(name)),
        }
    }

    fn unknown_axis(&mut self, name: &Ident) -> super::Reported {
        let known: Vec<&str> = self
            .frame()
            .names
            .iter()
            .filter(|(_, (binding, _))| matches!(binding, Binding::Axis(_) | Binding::Row(_)))
            .map(|(name, _)| *name)
            .collect();
        let diagnostic = error::unknown("axis", name, known.into_iter());
        let text = &name.text;
        self.fail(match (&diagnostic.help, text.as_str()) {
            (Some(_), _) => diagnostic,
            (None, "T" | "Time" | "B" | "Batch") => {
                diagnostic.help("time and batch are no axes: `Seq[D]` is a value at each position of each row")
            }
            (None, _) => {
                diagnostic.help(format!("declare it: as a static parameter `<{text} = 64>` or by `axis {text} = 64`"))
            }
        })
    }
}

fn not_static(name: &Ident, why: &str) -> Diagnostic {
    let message = format!("expected a static axis, found `{}`, whose extent grows with the position", name.text);
    Diagnostic::error(Code::DEPENDENT_AXIS, name.span, message).help(why)
}

/// The place of an axis in a list.
pub(crate) fn span_of(axis: &AxisRef) -> Span {
    match axis {
        AxisRef::Named(name) | AxisRef::Row(name) => name.span,
        AxisRef::Rest(span) => *span,
    }
}
