//! Reads scans as recurrences `S <- decay * S + write`, for the operators that change their parts.
//!
//! A scan whose update is anything else is no recurrence here, and left alone by them.

use std::collections::BTreeSet;

use genesys_scalar::Function;
use genesys_syntax::ast::{BinaryOp, Expr, ExprId, ExprKind, Scan, State, StmtKind, Unit};

use super::places;
use crate::edit::{call_of, product};
use crate::tree;
use crate::types::{Types, axis_set};

/// One state of a scan, and what its update is made of.
pub(super) struct Recurrence<'a> {
    /// The scan's expression.
    pub(super) id: ExprId,
    /// The scan.
    pub(super) scan: &'a Scan,
    /// The state.
    pub(super) state: &'a State,
    /// Its axes, in the order written.
    pub(super) axes: Vec<String>,
    /// The term that holds the state: `decay * S`, or `S`.
    pub(super) kept: &'a Expr,
    /// What the state is multiplied by, where it is.
    pub(super) decay: Option<&'a Expr>,
    /// What is added.
    pub(super) write: &'a Expr,
}

/// The recurrences of a unit.
pub(super) fn recurrences(unit: &Unit) -> Vec<Recurrence<'_>> {
    let mut all = Vec::new();
    for place in places(unit).into_iter().filter(|place| !place.in_scan) {
        let ExprKind::Scan(scan) = &place.expr.kind else { continue };
        all.extend(scan.states.iter().filter_map(|state| recurrence(place.expr.id, scan, state)));
    }
    all
}

fn recurrence<'a>(id: ExprId, scan: &'a Scan, state: &'a State) -> Option<Recurrence<'a>> {
    let name = &state.name.text;
    let mut updates = scan.body.stmts.iter().filter_map(|stmt| match &stmt.kind {
        StmtKind::Update { state, value } if state.text == *name => Some(value),
        _ => None,
    });
    let (value, None) = (updates.next()?, updates.next()) else { return None };
    let ExprKind::Binary(BinaryOp::Add, a, b) = &value.kind else { return None };
    let (kept, write, decay) = match (keeps(a, name), keeps(b, name)) {
        (Some(decay), None) => (&**a, &**b, decay),
        (None, Some(decay)) => (&**b, &**a, decay),
        (Some(_), Some(_)) | (None, None) => return None,
    };
    let axes: Vec<String> = state.axes.iter().flat_map(|axis| axis_set(std::slice::from_ref(axis))).collect();
    let plain = axes.iter().all(|axis| !axis.ends_with(".."));
    plain.then_some(Recurrence { id, scan, state, axes, kept, decay, write })
}

/// The factor in `factor * S`, none in `S`; nothing for any other expression.
fn keeps<'a>(expr: &'a Expr, state: &str) -> Option<Option<&'a Expr>> {
    let is_state = |e: &Expr| matches!(&e.kind, ExprKind::Name(name) if name.text == state);
    if is_state(expr) {
        return Some(None);
    }
    match product(expr)? {
        (factor, s) | (s, factor) if is_state(s) && !tree::reads(factor).contains(state) => Some(Some(factor)),
        _ => None,
    }
}

impl<'a> Recurrence<'a> {
    /// Key and value in a write `outer(k, v)` of two names.
    pub(super) fn outer(&self) -> Option<(&'a Expr, &'a Expr)> {
        let call = call_of(self.write, "outer")?;
        let [key, value] = call.args.as_slice() else { return None };
        let (key, value) = (tree::arg_expr(key), tree::arg_expr(value));
        matches!(key.kind, ExprKind::Name(_)).then_some((key, value))
    }

    /// The read `dot[R](q, S)` in what the scan yields: the expression, `q` and `R`.
    pub(super) fn read(&self) -> Option<(&'a Expr, &'a Expr, String)> {
        let yielded = self.yielded()?;
        let mut found = None;
        tree::visit_expr(yielded, &mut |e| {
            let ExprKind::Call(dot) = &e.kind else { return };
            let ([a, b], Some(axis)) = (dot.args.as_slice(), crate::edit::only_axis(dot)) else { return };
            let (a, b) = (tree::arg_expr(a), tree::arg_expr(b));
            let is_state = |e: &Expr| matches!(&e.kind, ExprKind::Name(name) if name.text == self.state.name.text);
            if dot.head.text == "dot" && is_state(b) && !is_state(a) {
                found = Some((e, a, axis.to_string()));
            }
        });
        found
    }

    /// What the scan yields.
    pub(super) fn yielded(&self) -> Option<&'a Expr> {
        self.scan.body.stmts.iter().find_map(|stmt| match &stmt.kind {
            StmtKind::Yield(value) => Some(value),
            _ => None,
        })
    }

    /// The decay, or 1, where writing it a second time makes no second weights.
    pub(super) fn decay_again(&self) -> Option<Option<&'a Expr>> {
        match self.decay {
            None => Some(None),
            Some(decay) => is_weightless(decay).then_some(Some(decay)),
        }
    }

    /// The axis of heads, or the first there is.
    pub(super) fn first_axis(&self) -> Option<&str> {
        self.axes.first().map(String::as_str)
    }
}

/// Whether an expression calls nothing but scalar functions.
fn is_weightless(expr: &Expr) -> bool {
    let mut weightless = true;
    tree::visit_expr(expr, &mut |e| match &e.kind {
        ExprKind::Call(call) => weightless &= Function::from_name(&call.head.text).is_some_and(Function::is_call),
        ExprKind::Scan(_) | ExprKind::Repeat(_) | ExprKind::Each { .. } => weightless = false,
        _ => {}
    });
    weightless
}

/// The axes of a value by its type, where it has no past.
pub(super) fn axes_of(types: &Types, expr: &Expr) -> Option<BTreeSet<String>> {
    types.get(expr).filter(|_| !types.has_past(expr)).map(|ty| ty.axes.clone())
}
