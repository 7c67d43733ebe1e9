//! Expressions and blocks.

use genesys_axis::{Constant, Domain, Size};
use genesys_diag::{Code, Diagnostic, Edit};
use genesys_scalar::Function;
use genesys_span::Span;
use genesys_syntax::ast::{BinaryOp, Block, CompareOp, Expr, ExprKind, Ident, Stmt, StmtKind, Type as TypeExpr, Unit};
use genesys_syntax::print_expr;

use super::unit::results_of;
use super::{Binding, Elab, Elaborator, Given, Reported};
use crate::AxisSet;
use crate::core::{Called, NodeId, Op, Stage, Type};
use crate::error;

impl<'a> Elaborator<'a, '_> {
    /// What an expression gives: one value, or a tuple.
    pub(crate) fn given(&mut self, expr: &'a Expr) -> Elab<Given> {
        self.nested(expr.span, |this| match &expr.kind {
            ExprKind::Tuple(values) => this.tuple(values),
            ExprKind::Call(call) => this.call(call, expr.span).inspect(|given| this.note_call(given, expr.span)),
            ExprKind::Labeled { label, call } => this.labeled(label, call, expr.span),
            ExprKind::Each { axes, call } => this.each(axes, call, expr.span),
            ExprKind::Scan(scan) => this.scan(scan, expr.span),
            ExprKind::Repeat(repeat) => this.repeat(repeat, expr.span),
            _ => this.value(expr).map(Given::One),
        })
    }

    /// Notes what a unit gives that this text calls; what a primitive gives is found by its place.
    fn note_call(&mut self, given: &Given, span: Span) {
        if self.frame().call.is_some() {
            return;
        }
        let values = given.clone().values();
        if values.iter().all(|value| self.graph.node(*value).span != span) {
            self.graph.calls.push(Called { span, values });
        }
    }

    /// The forms that give one value.
    fn value(&mut self, expr: &'a Expr) -> Elab<NodeId> {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Number { value, .. } => self.constant(Constant::Real(*value), span),
            ExprKind::Bool(_) => {
                let message = "expected a number, found a truth value, which only an option such as `bias` takes";
                Err(self.fail(error::arguments(span, message)))
            }
            ExprKind::Name(name) => self.name(name),
            ExprKind::Indexed { head, axis } => self.indexed(head, axis, span),
            ExprKind::Neg(value) => {
                let value = self.expr(value)?;
                self.map(Function::Neg, &[value], span)
            }
            ExprKind::Binary(..) => self.binary_chain(expr),
            ExprKind::Compare(op, a, b) => {
                let (a, b) = both(self.expr(a), self.expr(b))?;
                self.compare(*op, a, b, span)
            }
            ExprKind::Regroup { from, to, value } => self.regroup(from, to, value, span),
            ExprKind::Rename { value, from, to } => {
                self.regroup(std::slice::from_ref(from), std::slice::from_ref(to), value, span)
            }
            ExprKind::Hole(_) => Err(self.hole_without_type(span)),
            ExprKind::Tuple(_)
            | ExprKind::Call(_)
            | ExprKind::Labeled { .. }
            | ExprKind::Each { .. }
            | ExprKind::Scan(_)
            | ExprKind::Repeat(_) => {
                unreachable!("what may give a tuple is not asked for here")
            }
        }
    }

    fn labeled(&mut self, label: &'a Ident, call: &'a Expr, span: Span) -> Elab<Given> {
        if !matches!(call.kind, ExprKind::Call(_) | ExprKind::Each { .. }) {
            let message = format!("expected a call behind the label `{}`, which names its weights", label.text);
            return Err(self.fail(error::arguments(span, message)));
        }
        self.frame().label = Some(label);
        self.given(call)
    }

    /// Runs down the left side of a chain of operators in a loop: a long sum is not a deep one.
    fn binary_chain(&mut self, expr: &'a Expr) -> Elab<NodeId> {
        let mut rest = Vec::new();
        let mut left = expr;
        while let ExprKind::Binary(op, a, b) = &left.kind {
            rest.push((*op, a, b, left.span));
            left = a;
        }
        let mut value = self.expr(left);
        for (op, left, right, span) in rest.into_iter().rev() {
            let (a, b) = match both(value, self.expr(right)) {
                Ok(both) => both,
                Err(reported) => {
                    value = Err(reported);
                    continue;
                }
            };
            value = self.map(binary(op), &[a, b], span);
            if value.is_err() && op == BinaryOp::Mul {
                self.offer(Code::IMPLICIT_OUTER, || format!("outer({}, {})", print_expr(left), print_expr(right)));
            }
        }
        value
    }

    /// Puts an edit to the diagnostic just pushed, if it is of that code: what its place is to be replaced by.
    fn offer(&mut self, code: Code, replacement: impl FnOnce() -> String) {
        if let Some(last) = self.diagnostics.last_mut().filter(|last| last.code == code && last.edit.is_none()) {
            last.edit = Some(Edit { span: last.primary.span, replacement: replacement() });
        }
    }

    fn compare(&mut self, op: CompareOp, a: NodeId, b: NodeId, span: Span) -> Elab<NodeId> {
        match op {
            CompareOp::Lt => self.map(Function::Less, &[a, b], span),
            CompareOp::Le => self.map(Function::AtMost, &[a, b], span),
            CompareOp::Gt => self.map(Function::Less, &[b, a], span),
            CompareOp::Ge => self.map(Function::AtMost, &[b, a], span),
            CompareOp::Eq => self.map(Function::Equal, &[a, b], span),
            CompareOp::Ne => {
                let equal = self.map(Function::Equal, &[a, b], span)?;
                let one = self.constant(Constant::Real(1.0), span)?;
                self.map(Function::Sub, &[one, equal], span)
            }
        }
    }

    /// A number as a node.
    pub(crate) fn constant(&mut self, value: Constant, span: Span) -> Elab<NodeId> {
        let ty = Type { stage: Stage::Const, axes: Default::default() };
        self.push(Op::Constant(value), &[], ty, span)
    }

    fn name(&mut self, name: &'a Ident) -> Elab<NodeId> {
        match self.lookup(&name.text) {
            Some(Binding::Value(node) | Binding::State { value: node, .. }) => Ok(node),
            Some(Binding::Poisoned) => Err(Reported),
            Some(Binding::Axis(_) | Binding::Row(_) | Binding::Size(_)) => {
                let size = self.named_size(name)?;
                self.constant(Constant::Size(size), name.span)
            }
            Some(Binding::Shared | Binding::Unit(_)) => Err(self.not_called(name)),
            None => self.builtin_name(name),
        }
    }

    fn builtin_name(&mut self, name: &'a Ident) -> Elab<NodeId> {
        let (op, stage) = match name.text.as_str() {
            "pos" => (Op::Position, Stage::Seq),
            "layer" => (Op::Layer, Stage::Const),
            "phase" => return self.phase(name.span),
            "T" => {
                let message = "the length `T` is not a value: what depends on it would see the future";
                let diagnostic = Diagnostic::error(Code::UNKNOWN_NAME, name.span, message);
                return Err(self.fail(diagnostic.help("`pos` is the position, `age[Past]` the distance to the past")));
            }
            _ => {
                let known: Vec<&str> = self.frame().names.keys().copied().collect();
                let known = known.into_iter().chain(["pos", "layer", "phase"]);
                return Err(self.fail(error::unknown("value", name, known)));
            }
        };
        self.push(op, &[], Type { stage, axes: Default::default() }, name.span)
    }

    /// `index[A]`, `age[Past]`
    fn indexed(&mut self, head: &Ident, axis: &'a Ident, span: Span) -> Elab<NodeId> {
        if head.text == "age" && axis.text == "Past" && self.lookup("Past").is_none() {
            // The whole past needs no view to be declared.
            let whole = self.declare_axis("Past", Domain::Past { window: None, skip: Size::int(0) });
            self.bind(axis, Binding::Axis(whole));
        }
        let id = self.axis(axis)?;
        let dependent = self.is_dependent(id);
        let (op, stage) = match (head.text.as_str(), dependent) {
            ("index", false) => (Op::Index(id), Stage::Const),
            ("age", true) => (Op::Age(id), Stage::Seq),
            ("index", true) => {
                return Err(self.needs_static(axis, "the distance to each position of a past is `age[..]`"));
            }
            ("age", false) => {
                let message = format!("expected a past, found the static axis `{}`", axis.text);
                return Err(self.fail(Diagnostic::error(Code::DEPENDENT_AXIS, axis.span, message)));
            }
            _ => return Err(self.fail(error::unknown("indexed value", head, ["index", "age"].into_iter()))),
        };
        self.push(op, &[], Type { stage, axes: [id].into() }, span)
    }

    /// A unit's body: its statements, then its values.
    pub(crate) fn body(&mut self, block: &'a Block, unit: &'a Unit) -> Elab<Given> {
        for stmt in &block.stmts {
            self.stmt(stmt);
        }
        let Some(result) = &block.result else {
            let message = "expected the body to end with an expression, its value, found none";
            return Err(self.fail(Diagnostic::error(Code::SYNTAX, block.span, message)));
        };
        let outer = self.begin_statement();
        let given = self.results(result, unit);
        self.end_statement(outer, None);
        given
    }

    /// The values of a unit, whose types are those that holes among them want.
    fn results(&mut self, result: &'a Expr, unit: &'a Unit) -> Elab<Given> {
        let types: Vec<_> = results_of(unit).collect();
        match &result.kind {
            ExprKind::Tuple(parts) if parts.len() == types.len() => {
                let mut values = Vec::new();
                for (part, ty) in parts.iter().zip(types) {
                    let wanted = self.wanted(ty);
                    values.push(self.expr_wanted(part, wanted));
                }
                values.into_iter().collect::<Elab<_>>().map(Given::Tuple)
            }
            ExprKind::Hole(_) if types.len() == 1 => {
                let wanted = self.wanted(types[0]);
                self.expr_wanted(result, wanted).map(Given::One)
            }
            _ => self.given(result),
        }
    }

    fn stmt(&mut self, stmt: &'a Stmt) {
        // An error was reported where it was found; the next statement is looked at all the same.
        let _: Elab<()> = match &stmt.kind {
            StmtKind::Let { name, ty, value } => self.let_stmt(name, ty.as_ref(), value),
            StmtKind::LetTuple { names, value } => self.let_tuple(names, value),
            StmtKind::Share { name, value } => self.share_stmt(name, value),
            StmtKind::Param { name, axes, init, role } => self.param_stmt(name, axes, init, role.as_ref(), stmt.span),
            StmtKind::Axis { name, size } => self.axis_stmt(name, size),
            StmtKind::Require { left, compare, right } => self.require_stmt(left, *compare, right, stmt.span),
            StmtKind::Loss(value) => self.loss_stmt(value),
            StmtKind::Update { .. } | StmtKind::Yield(_) => {
                let message = "expected a statement of a unit, found one that only a `scan` or a `repeat` may hold";
                let help = "states belong to one: `scan S: [D] = 0 { S <- ..  yield S }`; what does not change is bound by `let`";
                Err(self.fail(Diagnostic::error(Code::MISPLACED, stmt.span, message).help(help)))
            }
        };
    }

    /// `let name: ty = value`; binding a value's name again hides the earlier one.
    pub(crate) fn let_stmt(&mut self, name: &'a Ident, ty: Option<&'a TypeExpr>, value: &'a Expr) -> Elab<()> {
        let outer = self.begin_statement();
        let wanted = ty.and_then(|ty| self.wanted(ty));
        let node = self.expr_wanted(value, wanted);
        self.end_statement(outer, Some(name));
        let checked = node.and_then(|node| {
            if let Some(ty) = ty {
                self.ascribed(node, ty)?;
            }
            Ok(node)
        });
        self.bind_value(name, checked.map_or(Binding::Poisoned, Binding::Value))
    }

    fn ascribed(&mut self, node: NodeId, ty: &TypeExpr) -> Elab<()> {
        let expected: AxisSet = self.axes(&ty.axes)?.into_iter().collect();
        let found = self.seen(node);
        let stage = if ty.seq { Stage::Seq } else { Stage::Const };
        let fits = if ty.seq { self.ty(node).stage != Stage::Loss } else { self.ty(node).stage == Stage::Const };
        if found == expected && fits {
            return Ok(());
        }
        let message = format!("expected {}, found {}", self.show(stage, &expected), self.show_node(node));
        let mut diagnostic = Diagnostic::error(Code::AXIS_MISMATCH, ty.span, message);
        if found != expected {
            diagnostic = diagnostic.at(self.difference(&expected, &found));
        }
        Err(self.fail(diagnostic))
    }

    /// `axis K = size`
    fn axis_stmt(&mut self, name: &'a Ident, size: &'a genesys_syntax::ast::Size) -> Elab<()> {
        let axis = self.size(size).and_then(|value| self.sized_axis(&name.text, value, size.span));
        self.declare(name, axis.map_or(Binding::Poisoned, Binding::Axis))
    }
}

/// Both results, so that an error in one side does not keep the other from being looked at.
pub(crate) fn both(a: Elab<NodeId>, b: Elab<NodeId>) -> Elab<(NodeId, NodeId)> {
    Ok((a?, b?))
}

/// The function of an operator.
pub(crate) fn binary(op: BinaryOp) -> Function {
    match op {
        BinaryOp::Add => Function::Add,
        BinaryOp::Sub => Function::Sub,
        BinaryOp::Mul => Function::Mul,
        BinaryOp::Div => Function::Div,
        BinaryOp::Rem => Function::Rem,
        BinaryOp::Pow => Function::Pow,
    }
}
