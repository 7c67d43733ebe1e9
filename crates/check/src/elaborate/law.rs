//! `param`: weights and their initial laws.

use std::sync::Arc;

use genesys_axis::Constant;
use genesys_diag::{Code, Diagnostic};
use genesys_scalar::{Function, Law, Role};
use genesys_span::Span;
use genesys_syntax::ast::{Arg, AxisRef, Call, Expr, ExprKind, Ident};

use super::frame::roomy_path;
use super::{Binding, Elab, Elaborator};
use crate::core::{AxisId, Leaf, LeafId, NodeId, Op, Stage, Type};
use crate::error;

impl<'a> Elaborator<'a, '_> {
    /// `param name: [axes] = law @role`
    pub(crate) fn param_stmt(
        &mut self,
        name: &'a Ident,
        axes: &[AxisRef],
        init: &Expr,
        role: Option<&Ident>,
        span: Span,
    ) -> Elab<()> {
        let node = self.param(name, axes, init, role, span);
        self.declare(name, node.map_or(Binding::Poisoned, Binding::Value))
    }

    fn param(
        &mut self,
        name: &'a Ident,
        axes: &[AxisRef],
        init: &Expr,
        role: Option<&Ident>,
        span: Span,
    ) -> Elab<NodeId> {
        let ids = self.axes(axes)?;
        if let Some(&past) = ids.iter().find(|&&axis| self.is_dependent(axis)) {
            let axis = Ident { text: self.graph.axis(past).name.clone(), span: name.span };
            return Err(self.needs_static(&axis, "a weight has the same shape at every position"));
        }
        let law = Arc::new(self.law(init, &ids)?);
        let role = self.role(role, ids.len())?;
        let taken = self.frame().taken.entry(name.text.as_str().into()).or_insert(0);
        *taken += 1;
        self.leaf(&name.text, ids, law, role, span)
    }

    fn role(&mut self, role: Option<&Ident>, rank: usize) -> Elab<Role> {
        match role {
            None if rank >= 2 => Ok(Role::Matrix),
            None => Ok(Role::Gain),
            Some(name) => match Role::from_name(&name.text) {
                Some(role) => Ok(role),
                None => {
                    let known = Role::ALL.iter().map(|role| role.name());
                    let diagnostic = error::unknown("role", name, known.clone());
                    Err(self.fail(match diagnostic.help {
                        Some(_) => diagnostic,
                        None => diagnostic.help(format!("roles are {}", known.collect::<Vec<_>>().join(", "))),
                    }))
                }
            },
        }
    }

    /// A weight of its own for each element of the axes of an enclosing `each`.
    pub(crate) fn leaf(
        &mut self,
        path: &str,
        mut axes: Vec<AxisId>,
        law: Arc<Law<Constant>>,
        role: Role,
        span: Span,
    ) -> Elab<NodeId> {
        let lifted: Vec<AxisId> = self.lifted.iter().copied().filter(|axis| !axes.contains(axis)).collect();
        let law = if lifted.is_empty() { law } else { Arc::new(shift_indices(Law::clone(&law), lifted.len())) };
        axes.splice(0..0, lifted);
        if let Some(known) = self.known_leaf(&axes, &law, span) {
            return known;
        }
        let id = LeafId(self.graph.leaves.len() as u32);
        let ty = Type { stage: Stage::Const, axes: axes.iter().copied().collect() };
        self.graph.leaves.push(Leaf { path: roomy_path(path), axes, law, role, canonical: id.0, span });
        self.note_leaf(id);
        self.push(Op::Weight(id), &[], ty, span)
    }

    /// The initial law that an expression states, for a weight with those axes.
    pub(crate) fn law(&mut self, expr: &Expr, axes: &[AxisId]) -> Elab<Law<Constant>> {
        self.nested(expr.span, |this| this.law_inner(expr, axes))
    }

    fn law_inner(&mut self, expr: &Expr, axes: &[AxisId]) -> Elab<Law<Constant>> {
        match &expr.kind {
            ExprKind::Number { value, .. } => Ok(Law::Const(Constant::Real(*value))),
            ExprKind::Name(name) if name.text == "layer" => Ok(Law::Layer),
            ExprKind::Name(name) => Ok(Law::Const(Constant::Size(self.named_size(name)?))),
            ExprKind::Indexed { head, axis } if head.text == "index" => {
                let id = self.axis(axis)?;
                match axes.iter().position(|&a| a == id) {
                    Some(dimension) => Ok(Law::Index(dimension)),
                    None => {
                        let message = format!("expected an axis of this weight, found `{}`", axis.text);
                        Err(self.fail(Diagnostic::error(Code::AXIS_MISSING, axis.span, message)))
                    }
                }
            }
            ExprKind::Neg(e) => Ok(Law::Map(Function::Neg, vec![self.law(e, axes)?])),
            ExprKind::Binary(op, a, b) => {
                Ok(Law::Map(super::expr::binary(*op), vec![self.law(a, axes)?, self.law(b, axes)?]))
            }
            ExprKind::Call(call) => self.law_call(call, expr.span, axes),
            _ => Err(self.not_a_law(expr.span)),
        }
    }

    fn law_call(&mut self, call: &Call, span: Span, axes: &[AxisId]) -> Elab<Law<Constant>> {
        let mut args = Vec::new();
        for arg in &call.args {
            match arg {
                Arg::Value(value) => args.push(self.law(value, axes)?),
                Arg::Named(..) => return Err(self.not_a_law(span)),
            }
        }
        match (call.head.text.as_str(), Function::from_name(&call.head.text)) {
            ("uniform", _) if args.len() == 2 => {
                let high = args.pop().expect("two arguments");
                let low = args.pop().expect("two arguments");
                Ok(Law::Uniform(Box::new(low), Box::new(high)))
            }
            ("normal", _) if args.len() == 1 => Ok(Law::Normal(Box::new(args.remove(0)))),
            (_, Some(function)) if function.is_call() && function.arity() == args.len() => Ok(Law::Map(function, args)),
            _ => Err(self.not_a_law(span)),
        }
    }

    fn not_a_law(&mut self, span: Span) -> super::Reported {
        let message = "expected an initial law, found something that is not one";
        let help = "a law is made of numbers, sizes, `layer`, `index[A]`, `uniform(a, b)`, `normal(s)` and functions";
        self.fail(Diagnostic::error(Code::ARGUMENTS, span, message).help(help))
    }
}

/// Makes room for dimensions put in front of a weight's own.
fn shift_indices(law: Law<Constant>, by: usize) -> Law<Constant> {
    match law {
        Law::Index(dimension) => Law::Index(dimension + by),
        Law::Const(_) | Law::Layer => law,
        Law::Uniform(a, b) => Law::Uniform(Box::new(shift_indices(*a, by)), Box::new(shift_indices(*b, by))),
        Law::Normal(s) => Law::Normal(Box::new(shift_indices(*s, by))),
        Law::Map(function, args) => Law::Map(function, args.into_iter().map(|arg| shift_indices(arg, by)).collect()),
    }
}
