//! Moves a gate from behind a norm to before it, or back.
//!
//! `norm(y) * g` and `norm(y * g)` have one type where `y` holds every axis of the gate.

use genesys_syntax::ast::{Arg, BinaryOp, Expr, ExprKind};

use super::gate::is_gate;
use super::{is_norm_call, places};
use crate::candidate::Candidate;
use crate::edit::{binary, map_argument, product};
use crate::pool::Pool;
use crate::tree;
use crate::types::Types;

pub(super) fn move_gate(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for unit in pool.reached() {
        let types = pool.types(unit);
        for place in places(unit).into_iter().filter(|place| !place.in_scan) {
            let id = place.expr.id;
            if let Some((norm, gate)) = product(place.expr)
                && is_norm_call(pool, norm)
                && is_gate(unit, gate)
                && argument(norm).is_some_and(|y| holds(types, y, gate))
            {
                let (norm, gate) = (norm.clone(), gate.clone());
                all.push(Candidate::in_unit("move-gate", unit, "gate before the norm", move |unit| {
                    let mut inner = norm.clone();
                    under_label(&mut inner, &mut |e| {
                        map_argument(e, |y| binary(BinaryOp::Mul, y, gate.clone()));
                    });
                    tree::edit(unit, id, &mut |e| *e = inner.clone());
                }));
            }
            if matches!(place.expr.kind, ExprKind::Call(_))
                && is_norm_call(pool, place.expr)
                && let Some((y, gate)) = argument(place.expr).and_then(product)
                && is_gate(unit, gate)
                && holds(types, y, gate)
            {
                let (id, y, gate) = (place.outer().id, y.clone(), gate.clone());
                all.push(Candidate::in_unit("move-gate", unit, "gate behind the norm", move |unit| {
                    tree::edit(unit, id, &mut |e| {
                        under_label(e, &mut |e| map_argument(e, |_| y.clone()));
                        tree::replace_with(e, |norm| binary(BinaryOp::Mul, norm, gate.clone()));
                    });
                }));
            }
        }
    }
    all
}

/// The only argument of a call, below its label.
fn argument(expr: &Expr) -> Option<&Expr> {
    match &tree::unlabeled(expr).kind {
        ExprKind::Call(call) => match call.args.as_slice() {
            [Arg::Value(value)] => Some(value),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a value holds every axis of another, and neither has a past.
fn holds(types: &Types, value: &Expr, gate: &Expr) -> bool {
    let axes = |e: &Expr| types.get(e).filter(|_| !types.has_past(e)).map(|ty| ty.axes.clone());
    axes(value).zip(axes(gate)).is_some_and(|(value, gate)| gate.is_subset(&value))
}

fn under_label(expr: &mut Expr, change: &mut dyn FnMut(&mut Expr)) {
    match &mut expr.kind {
        ExprKind::Labeled { call, .. } | ExprKind::Each { call, .. } => under_label(call, change),
        _ => change(expr),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{change, design};

    #[test]
    fn a_gate_crosses_a_norm_both_ways() {
        let units = "unit F<K = 8>(x: Seq[D]) -> Seq[D] {\nlet gate = silu(linear[D -> K](x))\n\
                     linear[K -> D](RmsNorm[K](shift(linear[D -> K](x), 1)) * gate) }";
        let out = change(move_gate, &design("x + F(x)", units), "F: gate before the norm");
        assert!(out.contains("RmsNorm[K](shift(linear[D -> K](x), 1) * gate)"), "{out}");
        let back = change(move_gate, &out, "F: gate behind the norm");
        assert!(back.contains("RmsNorm[K](shift(linear[D -> K](x), 1)) * gate"), "{back}");
    }
}
