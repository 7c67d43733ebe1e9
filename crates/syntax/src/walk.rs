//! Walks over the expressions of a tree, each before its parts, in text order.
//!
//! The immutable and the mutable walk visit the same expressions in the same order: that of
//! [`crate::ast::ExprId`].

use crate::ast::{Arg, Block, Expr, ExprKind, File, ItemKind, StmtKind};

/// Calls `visit` on every expression of the file.
pub fn walk_exprs(file: &File, visit: &mut dyn FnMut(&Expr)) {
    for item in &file.items {
        match &item.kind {
            ItemKind::Unit(unit) => walk_block(&unit.body, visit),
            ItemKind::Use(_) | ItemKind::Design(_) => {}
        }
    }
}

/// Calls `visit` on every expression of the body.
pub fn walk_block(block: &Block, visit: &mut dyn FnMut(&Expr)) {
    for stmt in &block.stmts {
        match &stmt.kind {
            StmtKind::Let { value, .. }
            | StmtKind::LetTuple { value, .. }
            | StmtKind::Share { value, .. }
            | StmtKind::Update { value, .. }
            | StmtKind::Yield(value)
            | StmtKind::Loss(value) => {
                walk_expr(value, visit);
            }
            StmtKind::Param { init, .. } => walk_expr(init, visit),
            StmtKind::Axis { .. } | StmtKind::Require { .. } => {}
        }
    }
    if let Some(result) = &block.result {
        walk_expr(result, visit);
    }
}

/// Calls `visit` on the expression and then on its parts.
pub fn walk_expr(expr: &Expr, visit: &mut dyn FnMut(&Expr)) {
    visit(expr);
    match &expr.kind {
        ExprKind::Number { .. }
        | ExprKind::Bool(_)
        | ExprKind::Name(_)
        | ExprKind::Hole(_)
        | ExprKind::Indexed { .. } => {}
        ExprKind::Neg(value)
        | ExprKind::Regroup { value, .. }
        | ExprKind::Rename { value, .. }
        | ExprKind::Each { call: value, .. }
        | ExprKind::Labeled { call: value, .. } => walk_expr(value, visit),
        ExprKind::Binary(_, a, b) | ExprKind::Compare(_, a, b) => {
            walk_expr(a, visit);
            walk_expr(b, visit);
        }
        ExprKind::Call(call) => {
            for Arg::Value(value) | Arg::Named(_, value) in &call.args {
                walk_expr(value, visit);
            }
        }
        ExprKind::Tuple(values) => values.iter().for_each(|value| walk_expr(value, visit)),
        ExprKind::Scan(scan) => {
            for state in &scan.states {
                walk_expr(&state.init, visit);
            }
            walk_block(&scan.body, visit);
        }
        ExprKind::Repeat(repeat) => {
            for state in &repeat.states {
                walk_expr(&state.init, visit);
            }
            walk_block(&repeat.body, visit);
        }
    }
}

/// Calls `visit` on every expression of the file, which it may change; the parts walked are those
/// of the expression as changed.
pub fn walk_exprs_mut(file: &mut File, visit: &mut dyn FnMut(&mut Expr)) {
    for item in &mut file.items {
        match &mut item.kind {
            ItemKind::Unit(unit) => walk_block_mut(&mut unit.body, visit),
            ItemKind::Use(_) | ItemKind::Design(_) => {}
        }
    }
}

fn walk_block_mut(block: &mut Block, visit: &mut dyn FnMut(&mut Expr)) {
    for stmt in &mut block.stmts {
        match &mut stmt.kind {
            StmtKind::Let { value, .. }
            | StmtKind::LetTuple { value, .. }
            | StmtKind::Share { value, .. }
            | StmtKind::Update { value, .. }
            | StmtKind::Yield(value)
            | StmtKind::Loss(value) => {
                walk_expr_mut(value, visit);
            }
            StmtKind::Param { init, .. } => walk_expr_mut(init, visit),
            StmtKind::Axis { .. } | StmtKind::Require { .. } => {}
        }
    }
    if let Some(result) = &mut block.result {
        walk_expr_mut(result, visit);
    }
}

fn walk_expr_mut(expr: &mut Expr, visit: &mut dyn FnMut(&mut Expr)) {
    visit(expr);
    match &mut expr.kind {
        ExprKind::Number { .. }
        | ExprKind::Bool(_)
        | ExprKind::Name(_)
        | ExprKind::Hole(_)
        | ExprKind::Indexed { .. } => {}
        ExprKind::Neg(value)
        | ExprKind::Regroup { value, .. }
        | ExprKind::Rename { value, .. }
        | ExprKind::Each { call: value, .. }
        | ExprKind::Labeled { call: value, .. } => walk_expr_mut(value, visit),
        ExprKind::Binary(_, a, b) | ExprKind::Compare(_, a, b) => {
            walk_expr_mut(a, visit);
            walk_expr_mut(b, visit);
        }
        ExprKind::Call(call) => {
            for Arg::Value(value) | Arg::Named(_, value) in &mut call.args {
                walk_expr_mut(value, visit);
            }
        }
        ExprKind::Tuple(values) => values.iter_mut().for_each(|value| walk_expr_mut(value, visit)),
        ExprKind::Scan(scan) => {
            for state in &mut scan.states {
                walk_expr_mut(&mut state.init, visit);
            }
            walk_block_mut(&mut scan.body, visit);
        }
        ExprKind::Repeat(repeat) => {
            for state in &mut repeat.states {
                walk_expr_mut(&mut state.init, visit);
            }
            walk_block_mut(&mut repeat.body, visit);
        }
    }
}
