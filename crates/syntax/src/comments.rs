//! Hangs the comments, which the grammar skips, onto the tree.
//!
//! A comment on the line on which a node ends is beside that node; any other is above the next node
//! of the same list, or trails at the list's end. One inside a statement goes above it, or into
//! the body of the scan it stands in. Each list of nodes takes the comments in its range in order,
//! so the pass is linear and none is lost, except with an item that failed.

use std::iter::Peekable;
use std::ops::Range;
use std::vec::IntoIter;

use crate::ast::{Arg, Block, Comments, Expr, ExprKind, File, Item, ItemKind, StmtKind};
use crate::prescan::{Comment, CommentKind};

type Stream = Peekable<IntoIter<Comment>>;

/// Distributes `comments`, but for those inside the ranges that `failed`.
pub(crate) fn hang_comments(file: &mut File, comments: Vec<Comment>, failed: &[Range<usize>]) {
    let mut failed = failed.iter().peekable();
    let kept: Vec<Comment> = comments
        .into_iter()
        .filter(|comment| {
            while failed.next_if(|range| range.end <= comment.start).is_some() {}
            !failed.peek().is_some_and(|range| range.contains(&comment.start))
        })
        .collect();
    let mut stream = kept.into_iter().peekable();
    let mut first = true;
    let ends: Vec<u32> = file.items.iter().skip(1).map(|item| item.span.start).chain([u32::MAX]).collect();
    for (item, next) in file.items.iter_mut().zip(ends) {
        while let Some(comment) = before(&mut stream, item.span.start) {
            match comment.kind {
                CommentKind::File if first => file.docs.push(comment.text),
                CommentKind::Doc => item.docs.push(comment.text),
                CommentKind::File | CommentKind::Plain => item.comments.above.push(comment.text),
            }
        }
        first = false;
        hang_item(item, &mut stream);
        item.comments.beside = beside(&mut stream, item.span.end, next);
    }
    for comment in stream {
        match comment.kind {
            CommentKind::File if first => file.docs.push(comment.text),
            CommentKind::File | CommentKind::Doc | CommentKind::Plain => file.trailing.push(comment.text),
        }
    }
}

/// The next comment, if it begins before byte `end`.
fn before(stream: &mut Stream, end: u32) -> Option<Comment> {
    stream.next_if(|comment| comment.start < end as usize)
}

/// The next comment, if a node that ended at byte `end` ended on its line, and the next node, at
/// byte `next`, does not stand between them.
fn beside(stream: &mut Stream, end: u32, next: u32) -> Option<String> {
    stream.next_if(|c| c.line <= end as usize && c.start < next as usize).map(|comment| comment.text)
}

fn take_before(stream: &mut Stream, end: u32, into: &mut Vec<String>) {
    while let Some(comment) = before(stream, end) {
        into.push(comment.text);
    }
}

fn hang_item(item: &mut Item, stream: &mut Stream) {
    match &mut item.kind {
        ItemKind::Use(_) => take_before(stream, item.span.end, &mut item.comments.above),
        ItemKind::Design(design) => {
            let ends: Vec<u32> = design.fields.iter().skip(1).map(|f| f.span.start).chain([item.span.end]).collect();
            take_before(stream, design.name.span.end, &mut item.comments.above);
            for (field, next) in design.fields.iter_mut().zip(ends) {
                take_before(stream, field.span.end, &mut field.comments.above);
                field.comments.beside = beside(stream, field.span.end, next);
            }
            take_before(stream, item.span.end, &mut design.trailing);
        }
        ItemKind::Unit(unit) => {
            take_before(stream, unit.body.span.start, &mut item.comments.above);
            hang_block(&mut unit.body, stream);
        }
    }
}

fn hang_block(block: &mut Block, stream: &mut Stream) {
    let close = block.span.end;
    let last = block.result.as_ref().map_or(close, |result| result.span.start);
    let ends: Vec<u32> = block.stmts.iter().skip(1).map(|s| s.span.start).chain([last]).collect();
    for (stmt, next) in block.stmts.iter_mut().zip(ends) {
        take_before(stream, stmt.span.start, &mut stmt.comments.above);
        match &mut stmt.kind {
            StmtKind::Let { value, .. }
            | StmtKind::LetTuple { value, .. }
            | StmtKind::Share { value, .. }
            | StmtKind::Update { value, .. }
            | StmtKind::Yield(value)
            | StmtKind::Loss(value) => {
                hang_expr(value, stream, &mut stmt.comments);
            }
            StmtKind::Param { init, .. } => hang_expr(init, stream, &mut stmt.comments),
            StmtKind::Axis { .. } | StmtKind::Require { .. } => {}
        }
        take_before(stream, stmt.span.end, &mut stmt.comments.above);
        stmt.comments.beside = beside(stream, stmt.span.end, next);
    }
    if let Some(result) = &mut block.result {
        hang_expr(result, stream, &mut block.result_comments);
        take_before(stream, result.span.end, &mut block.result_comments.above);
        block.result_comments.beside = beside(stream, result.span.end, close);
    }
    take_before(stream, close, &mut block.trailing);
}

/// Finds the scans and loops in a value, whose bodies have better places than above the statement.
fn hang_expr(expr: &mut Expr, stream: &mut Stream, comments: &mut Comments) {
    if stream.peek().is_none_or(|comment| comment.start >= expr.span.end as usize) {
        return;
    }
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
        | ExprKind::Labeled { call: value, .. } => hang_expr(value, stream, comments),
        ExprKind::Binary(_, a, b) | ExprKind::Compare(_, a, b) => {
            hang_expr(a, stream, comments);
            hang_expr(b, stream, comments);
        }
        ExprKind::Call(call) => {
            for arg in &mut call.args {
                let (Arg::Value(value) | Arg::Named(_, value)) = arg;
                hang_expr(value, stream, comments);
            }
        }
        ExprKind::Tuple(values) => values.iter_mut().for_each(|value| hang_expr(value, stream, comments)),
        ExprKind::Scan(scan) => {
            for state in &mut scan.states {
                hang_expr(&mut state.init, stream, comments);
            }
            take_before(stream, scan.body.span.start, &mut comments.above);
            hang_block(&mut scan.body, stream);
        }
        ExprKind::Repeat(repeat) => {
            for state in &mut repeat.states {
                hang_expr(&mut state.init, stream, comments);
            }
            take_before(stream, repeat.body.span.start, &mut comments.above);
            hang_block(&mut repeat.body, stream);
        }
    }
}
