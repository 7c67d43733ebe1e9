//! What operators that write expressions share: fresh names in a unit, statements put before another,
//! the values that lets bind, and small expressions.

use std::collections::BTreeSet;

use genesys_syntax::ast::{
    AxisRef, BinaryOp, Comments, Expr, ExprId, ExprKind, Ident, Size, SizeKind, Slot, Stmt, StmtKind, Unit,
};

use crate::chain::fresh;
use crate::tree;

/// A name like `base` that a unit does not use yet, for anything.
pub(crate) fn fresh_name(unit: &Unit, base: &str) -> String {
    let mut names: BTreeSet<&str> = unit.generics.iter().map(|generic| generic.name.text.as_str()).collect();
    names.extend(unit.params.iter().map(|param| param.name.text.as_str()));
    names.insert("D");
    crate::prune::block_names(&unit.body, &mut names);
    bound_names(&unit.body.stmts, &mut names);
    tree::visit(&unit.body, &mut |e| match &e.kind {
        ExprKind::Scan(scan) => {
            names.extend(scan.states.iter().map(|state| state.name.text.as_str()));
            bound_names(&scan.body.stmts, &mut names);
        }
        ExprKind::Repeat(repeat) => {
            names.extend(repeat.counter.iter().chain(repeat.states.iter().map(|s| &s.name)).map(|n| n.text.as_str()));
            bound_names(&repeat.body.stmts, &mut names);
        }
        ExprKind::Call(call) if call.head.text == "past" && call.slot.is_none() => _ = names.insert("Past"),
        _ => {}
    });
    fresh(base, |name| names.contains(name))
}

fn bound_names<'a>(stmts: &'a [Stmt], names: &mut BTreeSet<&'a str>) {
    for stmt in stmts {
        names.extend(tree::bound_values(stmt).iter().map(|name| name.text.as_str()));
        if let StmtKind::Param { name, .. } | StmtKind::Axis { name, .. } = &stmt.kind {
            names.insert(&name.text);
        }
    }
}

/// Puts statements before the one of the body that holds an expression, in whatever depth.
pub(crate) fn insert_before(unit: &mut Unit, id: ExprId, stmts: Vec<Stmt>) {
    let at = unit.body.stmts.iter().position(|stmt| tree::stmt_expr(stmt).is_some_and(|e| holds(e, id)));
    let at = at.unwrap_or(unit.body.stmts.len());
    unit.body.stmts.splice(at..at, stmts);
}

fn holds(expr: &Expr, id: ExprId) -> bool {
    let mut found = expr.id == id;
    tree::each_part(expr, &mut |e| found = found || holds(e, id));
    found
}

/// What a name is bound to, where a single `let` of the body binds it.
pub(crate) fn resolve<'a>(unit: &'a Unit, expr: &'a Expr) -> &'a Expr {
    let ExprKind::Name(name) = &expr.kind else { return expr };
    let mut binding = unit.body.stmts.iter().filter(|stmt| tree::binds(stmt, &name.text));
    match (binding.next().map(|stmt| &stmt.kind), binding.next()) {
        (Some(StmtKind::Let { value, .. }), None) => value,
        _ => expr,
    }
}

/// The parameter of type `Seq[D]`, where it is the only one and never hidden.
pub(crate) fn input(unit: &Unit) -> Option<&str> {
    let [param] = unit.params.as_slice() else { return None };
    let name = param.name.text.as_str();
    let is_input = param.ty.seq && matches!(param.ty.axes.as_slice(), [AxisRef::Named(axis)] if axis.text == "D");
    (is_input && !unit.body.stmts.iter().any(|stmt| tree::binds(stmt, name))).then_some(name)
}

/// A number, which must not be negative.
pub(crate) fn number(value: f64) -> Expr {
    tree::expr(ExprKind::Number { value, text: value.to_string() })
}

/// `a op b`
pub(crate) fn binary(op: BinaryOp, a: Expr, b: Expr) -> Expr {
    tree::expr(ExprKind::Binary(op, Box::new(a), Box::new(b)))
}

/// `linear[from -> to](x)`
pub(crate) fn linear(from: &[&str], to: &[&str], x: Expr) -> Expr {
    tree::call("linear", Some(Slot::Map { from: idents(from), to: idents(to), per: Vec::new() }), vec![x])
}

/// `param name: [axes] = law @role`
pub(crate) fn param(name: &str, axes: &[String], law: Expr, role: &str) -> Stmt {
    let axes = axes.iter().map(|axis| AxisRef::Named(tree::ident(axis))).collect();
    stmt(StmtKind::Param { name: tree::ident(name), axes, init: law, role: Some(tree::ident(role)) })
}

/// `axis name = size`
pub(crate) fn axis(name: &str, size: u64) -> Stmt {
    stmt(StmtKind::Axis { name: tree::ident(name), size: Size { kind: SizeKind::Int(size), span: Default::default() } })
}

/// A statement without a place.
pub(crate) fn stmt(kind: StmtKind) -> Stmt {
    Stmt { kind, comments: Comments::default(), span: Default::default() }
}

/// Axes in square brackets.
pub(crate) fn slot(axes: &[&str]) -> Slot {
    Slot::Axes(axes.iter().map(|axis| AxisRef::Named(tree::ident(axis))).collect())
}

fn idents(names: &[&str]) -> Vec<Ident> {
    names.iter().map(|name| tree::ident(name)).collect()
}

/// The call an expression is, below a label, of that head.
pub(crate) fn call_of<'a>(expr: &'a Expr, head: &str) -> Option<&'a genesys_syntax::ast::Call> {
    match &tree::unlabeled(expr).kind {
        ExprKind::Call(call) if call.head.text == head => Some(call),
        _ => None,
    }
}

/// The only axis in a call's square brackets.
pub(crate) fn only_axis(call: &genesys_syntax::ast::Call) -> Option<&str> {
    match &call.slot {
        Some(Slot::Axes(axes)) => match axes.as_slice() {
            [AxisRef::Named(name)] => Some(&name.text),
            _ => None,
        },
        Some(Slot::Map { .. } | Slot::Of { .. }) | None => None,
    }
}

/// The factors of a product.
pub(crate) fn product(expr: &Expr) -> Option<(&Expr, &Expr)> {
    match &expr.kind {
        ExprKind::Binary(BinaryOp::Mul, a, b) => Some((a, b)),
        _ => None,
    }
}

/// Whether an expression means the same anywhere in the body behind the values it reads: none of
/// them is bound twice.
pub(crate) fn is_stable(unit: &Unit, expr: &Expr) -> bool {
    tree::reads(expr).iter().all(|name| {
        let lets = unit.body.stmts.iter().filter(|stmt| tree::binds(stmt, name));
        lets.count() + usize::from(unit.params.iter().any(|param| param.name.text == *name)) <= 1
    })
}

/// Whether two expressions are written alike.
pub(crate) fn alike(a: &Expr, b: &Expr) -> bool {
    genesys_syntax::print_expr(a) == genesys_syntax::print_expr(b)
}

/// Replaces the first argument of the call an expression is.
pub(crate) fn map_argument(expr: &mut Expr, make: impl FnOnce(Expr) -> Expr) {
    if let ExprKind::Call(call) = &mut expr.kind
        && let Some(genesys_syntax::ast::Arg::Value(value)) = call.args.first_mut()
    {
        tree::replace_with(value, make);
    }
}

/// Axes without rows, as a list; nothing where there is a row, whose axes have no names here.
pub(crate) fn plain_axes(axes: &BTreeSet<String>) -> Option<Vec<String>> {
    axes.iter().map(|axis| (!axis.ends_with("..")).then(|| axis.clone())).collect()
}
