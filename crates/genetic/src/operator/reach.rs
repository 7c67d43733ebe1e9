//! Lets an attention look at a window of the past instead of all of it, or at all instead of a window.
//!
//! One axis has one reach: all views of a past change together, and the past takes another name
//! wherever the unit names it, so that it cannot meet a past of the old reach.

use std::collections::BTreeSet;

use genesys_syntax::ast::{Arg, AxisRef, Call, Expr, ExprKind, Slot, StmtKind, Unit};

use super::places;
use crate::candidate::Candidate;
use crate::edit::{fresh_name, number, only_axis, slot};
use crate::pool::Pool;
use crate::tree;

/// The window that an attention gets, in positions.
const WINDOW: f64 = 32.0;

/// All of the past to a window, a window to all of the past.
pub(super) fn change_reach(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for unit in pool.reached() {
        for past in pasts(unit) {
            let views = views(unit, &past);
            if !views.iter().all(|call| is_open(call)) && !views.iter().all(|call| is_window(call)) {
                continue;
            }
            let to_window = is_open(views[0]);
            let (old, new) = if to_window { ("all", "a window") } else { ("a window", "all") };
            let detail = format!("{past}: {old} -> {new}");
            all.push(Candidate::in_unit("change-reach", unit, &detail, move |unit| {
                let name = fresh_name(unit, if to_window { "Near" } else { "Past" });
                rename(unit, &past, &name);
                tree::visit_mut(&mut unit.body, &mut |e| set_window(e, &name, to_window));
            }));
        }
    }
    all
}

/// The pasts that a unit declares by a view before anything else names them.
fn pasts(unit: &Unit) -> BTreeSet<String> {
    let (mut viewed, mut early) = (BTreeSet::new(), BTreeSet::new());
    for place in places(unit) {
        match &place.expr.kind {
            ExprKind::Call(call) => viewed.extend(past_of(call)),
            ExprKind::Indexed { axis, .. } if !viewed.contains(axis.text.as_str()) => _ = early.insert(&axis.text),
            _ => {}
        }
    }
    viewed.into_iter().filter(|past| !early.iter().any(|name| name == past)).map(str::to_string).collect()
}

/// The past that a view makes.
fn past_of(call: &Call) -> Option<&str> {
    match &call.slot {
        _ if call.head.text != "past" => None,
        None => Some("Past"),
        Some(_) => only_axis(call),
    }
}

fn views<'a>(unit: &'a Unit, past: &str) -> Vec<&'a Call> {
    let calls = places(unit).into_iter().filter_map(|place| match &place.expr.kind {
        ExprKind::Call(call) => Some(call),
        _ => None,
    });
    calls.filter(|call| past_of(call) == Some(past)).collect()
}

fn options(call: &Call) -> Vec<&str> {
    let named = call.args.iter().filter_map(|arg| match arg {
        Arg::Named(name, _) => Some(name.text.as_str()),
        Arg::Value(_) => None,
    });
    named.collect()
}

fn is_open(call: &Call) -> bool {
    options(call).is_empty()
}

fn is_window(call: &Call) -> bool {
    options(call) == ["window"]
}

fn rename(unit: &mut Unit, old: &str, new: &str) {
    let swap = |text: &mut String| {
        if text == old {
            *text = new.into();
        }
    };
    for stmt in &mut unit.body.stmts {
        if let StmtKind::Let { ty: Some(ty), .. } = &mut stmt.kind {
            each_name(&mut ty.axes, &swap);
        }
    }
    tree::visit_mut(&mut unit.body, &mut |e| match &mut e.kind {
        ExprKind::Indexed { axis, .. } => swap(&mut axis.text),
        ExprKind::Call(call) => match &mut call.slot {
            Some(Slot::Axes(axes)) => each_name(axes, &swap),
            None if call.head.text == "past" && old == "Past" => call.slot = Some(slot(&[new])),
            Some(Slot::Of { axis, .. }) => swap(&mut axis.text),
            Some(Slot::Map { .. }) | None => {}
        },
        _ => {}
    });
}

fn each_name(axes: &mut [AxisRef], see: &dyn Fn(&mut String)) {
    for axis in axes {
        match axis {
            AxisRef::Named(name) | AxisRef::Row(name) => see(&mut name.text),
            AxisRef::Rest(_) => {}
        }
    }
}

fn set_window(expr: &mut Expr, past: &str, to_window: bool) {
    let ExprKind::Call(call) = &mut expr.kind else { return };
    if past_of(call) != Some(past) {
        return;
    }
    call.args.retain(|arg| matches!(arg, Arg::Value(_)));
    if to_window {
        call.args.push(Arg::Named(tree::ident("window"), number(WINDOW)));
    } else if past == "Past" {
        call.slot = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{change, changes, design};

    #[test]
    fn every_view_of_a_past_changes_with_its_name() {
        let units = "unit F(x: Seq[D]) -> Seq[D] {\n\
                     let score = dot[D](x, past(x)) - age[Past]\nsum[Past](softmax[Past](score) * past(x)) }";
        let out = change(change_reach, &design("x + F(x)", units), "F: Past: all -> a window");
        assert!(out.contains("let score = dot[D](x, past[Near](x, window = 32)) - age[Near]"), "{out}");
        assert!(out.contains("sum[Near](softmax[Near](score) * past[Near](x, window = 32))"), "{out}");
        let back = change(change_reach, &out, "F: Near: a window -> all");
        assert!(back.contains("sum[Past](softmax[Past](score) * past(x))"), "{back}");
    }

    #[test]
    fn a_past_that_an_age_declares_stays() {
        let units = "unit F(x: Seq[D]) -> Seq[D] { sum[Past](softmax[Past](0.5 * age[Past]) * past(x)) }";
        assert!(changes(change_reach, &design("x + F(x)", units)).is_empty());
        let units = "unit F(x: Seq[D]) -> Seq[D] { sum[Near](past[Near](x, window = 8, skip = 1)) }";
        assert!(changes(change_reach, &design("x + F(x)", units)).is_empty());
    }
}
