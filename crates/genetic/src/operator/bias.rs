//! Gives the projections of a unit a bias, or takes the bias of all of them away.
//!
//! The bias of `linear[X -> Y]` has just the axes that the projection makes, so that the type of
//! its value stays.

use genesys_syntax::ast::{Arg, Call, Expr, ExprKind, Unit};

use crate::candidate::Candidate;
use crate::pool::Pool;
use crate::tree;

pub(super) fn toggle_bias(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for unit in pool.reached() {
        let (with, without) = count(unit);
        for (bias, applies) in [(true, without > 0), (false, with > 0)] {
            if applies {
                let detail = if bias { "bias added" } else { "bias removed" };
                all.push(Candidate::in_unit("toggle-bias", unit, detail, move |unit| {
                    tree::visit_mut(&mut unit.body, &mut |e| set(e, bias));
                }));
            }
        }
    }
    all
}

/// How many projections of a unit have a bias, and how many do not.
fn count(unit: &Unit) -> (usize, usize) {
    let (mut with, mut without) = (0, 0);
    tree::visit(&unit.body, &mut |e| match &e.kind {
        ExprKind::Call(call) if call.head.text == "linear" => {
            if has_bias(call) {
                with += 1;
            } else {
                without += 1;
            }
        }
        _ => {}
    });
    (with, without)
}

fn has_bias(call: &Call) -> bool {
    call.args.iter().any(|arg| matches!(arg, Arg::Named(name, _) if name.text == "bias"))
}

fn set(expr: &mut Expr, bias: bool) {
    match &mut expr.kind {
        ExprKind::Call(call) if call.head.text == "linear" && has_bias(call) != bias => {
            call.args.retain(|arg| !matches!(arg, Arg::Named(name, _) if name.text == "bias"));
            if bias {
                call.args.push(Arg::Named(tree::ident("bias"), tree::expr(ExprKind::Bool(true))));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{change, changes, design};

    #[test]
    fn all_projections_of_a_unit_change_together() {
        let text =
            design("x + F(x)", "unit F<K = 8>(x: Seq[D]) -> Seq[D] { linear[K -> D](linear[D -> K](x), bias = true) }");
        let added = change(toggle_bias, &text, "F: bias added");
        assert_eq!(added.matches("bias = true").count(), 2, "{added}");
        let removed = change(toggle_bias, &text, "F: bias removed");
        assert!(!removed.contains("bias"), "{removed}");
        assert_eq!(changes(toggle_bias, &removed).len(), 1);
    }
}
