//! Holes: values that are not written yet, of the type that their place wants.

use genesys_diag::{Code, Diagnostic};
use genesys_span::Span;
use genesys_syntax::ast::{self, AxisRef, Expr, ExprKind, Ident, Unit};

use super::unit::results_of;
use super::{Binding, Elab, Elaborator};
use crate::core::{NodeId, Op, Stage, Type};
use crate::sketch::Hole;

impl<'a> Elaborator<'a, '_> {
    /// The value of an expression in a place that wants that type.
    pub(crate) fn expr_wanted(&mut self, expr: &'a Expr, wanted: Option<Type>) -> Elab<NodeId> {
        match (&expr.kind, wanted) {
            (ExprKind::Hole(name), Some(wanted)) => self.hole(name.as_ref(), expr, wanted),
            _ => self.expr(expr),
        }
    }

    /// The type that is stated, where its axes are known.
    pub(crate) fn wanted(&mut self, ty: &ast::Type) -> Option<Type> {
        let mut axes = crate::AxisSet::default();
        for axis in &ty.axes {
            match axis {
                AxisRef::Named(name) => match self.lookup(&name.text) {
                    Some(Binding::Axis(axis)) => _ = axes.insert(axis),
                    Some(Binding::Row(row)) => axes.extend(row),
                    _ => return None,
                },
                AxisRef::Row(name) => match self.lookup(&name.text) {
                    Some(Binding::Row(row)) => axes.extend(row),
                    _ => return None,
                },
                AxisRef::Rest(_) => match self.lookup("..") {
                    Some(Binding::Row(row)) => axes.extend(row),
                    _ => return None,
                },
            }
        }
        Some(Type { stage: if ty.seq { Stage::Seq } else { Stage::Const }, axes })
    }

    /// The type of a parameter of another unit, where only the width occurs in it.
    pub(crate) fn wanted_of(&self, ty: &ast::Type) -> Option<Type> {
        let is_width = |axis: &AxisRef| matches!(axis, AxisRef::Named(name) if name.text == "D");
        let axes = ty.axes.iter().all(is_width).then(|| ty.axes.iter().map(|_| crate::core::WIDTH).collect())?;
        Some(Type { stage: if ty.seq { Stage::Seq } else { Stage::Const }, axes })
    }

    /// A hole where nothing says what is wanted.
    pub(crate) fn hole_without_type(&mut self, span: Span) -> super::Reported {
        let message = "expected a place that says what is wanted, found a hole in one that does not";
        let help = "bind it with its type: `let name: Seq[D] = ?`";
        self.fail(Diagnostic::error(Code::HOLE, span, message).help(help))
    }

    fn hole(&mut self, name: Option<&Ident>, expr: &Expr, wanted: Type) -> Elab<NodeId> {
        let shown = self.show(wanted.stage, &wanted.axes);
        self.note_hole(name.map(|name| name.text.clone()), Some(expr.id), shown, expr.span);
        let mut wanted = wanted;
        wanted.axes.extend(self.lifted.iter().copied());
        if self.frame().owner.is_some() {
            wanted.stage = Stage::Moment;
        }
        // All that it could read counts as read.
        let args: Vec<NodeId> = self.values_in_sight().into_iter().map(|(_, node)| node).collect();
        self.push(Op::Position, &args, wanted, expr.span)
    }

    fn note_hole(&mut self, name: Option<String>, expr: Option<ast::ExprId>, wanted: String, span: Span) {
        let values = self.values_in_sight();
        let visible = values.iter().map(|(name, node)| ((*name).to_owned(), self.show_node(*node))).collect();
        let pointwise = self.frame().owner.is_some();
        let unit = self.unit.to_owned();
        self.holes.push(Hole { unit, name, expr, wanted, visible, pointwise, span });
    }

    /// In the order of their names.
    fn values_in_sight(&mut self) -> Vec<(&'a str, NodeId)> {
        let names = self.frame().names.iter().map(|(name, (binding, _))| (*name, binding.clone()));
        let mut names: Vec<_> = names.collect();
        names.sort_unstable_by_key(|(name, _)| *name);
        names
            .into_iter()
            .filter_map(|(name, binding)| match binding {
                Binding::Value(node) | Binding::State { value: node, .. } => Some((name, node)),
                _ => None,
            })
            .filter(|(_, node)| self.ty(*node).stage != Stage::Loss)
            .collect()
    }

    /// A unit whose body is not written yet.
    pub(crate) fn open_unit(&mut self, unit: &'a Unit, args: &[NodeId]) -> Elab<()> {
        for (param, &arg) in unit.params.iter().zip(args) {
            self.declare(&param.name, Binding::Value(arg))?;
        }
        let mut types = Vec::new();
        for ty in results_of(unit) {
            let ids = self.axes(&ty.axes)?.into_iter().collect();
            types.push(self.show(if ty.seq { Stage::Seq } else { Stage::Const }, &ids));
        }
        let wanted = if types.len() == 1 { types.remove(0) } else { format!("({})", types.join(", ")) };
        self.note_hole(Some(unit.name.text.clone()), None, wanted, unit.name.span);
        Ok(())
    }
}
