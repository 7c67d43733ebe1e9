//! Texts as trees: how a target reads one, and a mutation of trees for half of its inputs.
//!
//! Most changes of bytes break a text; one of the tree gives a text that parses, and often one that checks. The other
//! half of the inputs are changed as libFuzzer does it, for what is wrong with a text matters as well.

use genesys_random::{GAMMA, finalize};
use genesys_span::Sources;
use genesys_syntax::ast::{Block, Expr, ExprKind, File, ItemKind};
use genesys_syntax::{print, walk_exprs, walk_exprs_mut};
use libfuzzer_sys::fuzzer_mutate;

/// The tree of a text without errors of syntax.
pub(crate) fn read(text: &str) -> Option<File> {
    let mut sources = Sources::default();
    let file = sources.add("fuzz.gau", text);
    let parsed = genesys_syntax::parse(&sources, file);
    parsed.diagnostics.is_empty().then_some(parsed.file)
}

/// Changes the first `size` bytes of `data`, to at most `max_size`; gives how many there are then.
pub(crate) fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let text = std::str::from_utf8(&data[..size]).ok().filter(|_| seed.is_multiple_of(2));
    match text.and_then(read).and_then(|file| changed(file, seed)) {
        Some(text) if text.len() <= max_size => {
            data[..text.len()].copy_from_slice(text.as_bytes());
            text.len()
        }
        _ => fuzzer_mutate(data, size, max_size),
    }
}

/// The text of the tree with one thing changed.
fn changed(mut file: File, seed: u32) -> Option<String> {
    let draw =
        |n: u64, below: usize| (finalize(u64::from(seed).wrapping_add(n.wrapping_mul(GAMMA))) % below as u64) as usize;
    let mut count = 0;
    walk_exprs(&file, &mut |_| count += 1);
    if count == 0 {
        return None;
    }
    match draw(1, 4) {
        0 => move_statement(&mut file, |n, below| draw(n, below)),
        1 => exchange(&mut file, draw(2, count)),
        _ => replace(&mut file, draw(2, count), draw(3, count)),
    }
    Some(print(&file))
}

/// Puts one expression in the place of another.
fn replace(file: &mut File, from: usize, to: usize) {
    let (mut n, mut kind) = (0, None);
    walk_exprs(file, &mut |expr| {
        if n == from && !matches!(expr.kind, ExprKind::Tuple(_) | ExprKind::Labeled { .. }) {
            kind = Some(expr.kind.clone());
        }
        n += 1;
    });
    at(file, to, |expr| expr.kind = kind.unwrap_or(ExprKind::Hole(None)));
}

/// Exchanges the operands of an operator, or puts a sign before another expression.
fn exchange(file: &mut File, to: usize) {
    at(file, to, |expr| match &mut expr.kind {
        ExprKind::Binary(_, a, b) | ExprKind::Compare(_, a, b) => std::mem::swap(a, b),
        _ => {
            let value = Box::new(expr.clone());
            expr.kind = ExprKind::Neg(value);
        }
    });
}

fn at(file: &mut File, place: usize, change: impl FnOnce(&mut Expr)) {
    let (mut n, mut change) = (0, Some(change));
    walk_exprs_mut(file, &mut |expr| {
        if n == place
            && let Some(change) = change.take()
        {
            change(expr);
        }
        n += 1;
    });
}

/// Takes a statement of a unit out, and puts it, or a copy of it, somewhere else in the unit.
fn move_statement(file: &mut File, draw: impl Fn(u64, usize) -> usize) {
    let mut bodies: Vec<&mut Block> = file
        .items
        .iter_mut()
        .filter_map(|item| match &mut item.kind {
            ItemKind::Unit(unit) if !unit.body.stmts.is_empty() => Some(&mut unit.body),
            ItemKind::Unit(_) | ItemKind::Use(_) | ItemKind::Design(_) => None,
        })
        .collect();
    if bodies.is_empty() {
        return;
    }
    let body = draw(2, bodies.len());
    let stmts = &mut bodies[body].stmts;
    let stmt = stmts[draw(3, stmts.len())].clone();
    if draw(4, 2) == 0 {
        stmts.remove(draw(3, stmts.len()));
    }
    stmts.insert(draw(5, stmts.len() + 1), stmt);
}
