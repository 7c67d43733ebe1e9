//! Gives the projection of a gate a bottleneck, or takes it away.
//!
//! `linear[D -> X](x)` becomes `linear[R -> X](linear[D -> R](x))` with an axis `R` of its own: the
//! bottleneck is contracted again, so that the type stays.

use genesys_syntax::ast::{Arg, Expr, ExprKind, Slot, Unit};

use super::activation::is_activation;
use super::{is_width, places, projection};
use crate::candidate::Candidate;
use crate::edit::{axis, fresh_name, is_stable, linear, map_argument, resolve};
use crate::pool::Pool;
use crate::tree;

/// The size of a bottleneck.
const RANK: u64 = 16;

pub(super) fn change_gate_rank(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for unit in pool.reached() {
        for gate in gates(unit) {
            let Some((from, to, value)) = projection(gate) else { continue };
            let id = gate.id;
            if let Some(full) =
                full(unit, from.iter().map(|axis| axis.text.as_str()).collect::<Vec<_>>().as_slice(), value)
            {
                let full = full.clone();
                all.push(Candidate::in_unit("change-gate-rank", unit, "bottleneck removed", move |unit| {
                    tree::edit(unit, id, &mut |e| {
                        set_source(e, "D");
                        map_argument(e, |_| full.clone());
                    });
                }));
            } else if is_width(from) && !is_width(to) {
                all.push(Candidate::in_unit("change-gate-rank", unit, "bottleneck added", move |unit| {
                    let name = fresh_name(unit, "R");
                    unit.body.stmts.insert(0, axis(&name, RANK));
                    tree::edit(unit, id, &mut |e| {
                        set_source(e, &name);
                        map_argument(e, |x| linear(&["D"], &[&name], x));
                    });
                }));
            }
        }
    }
    all
}

/// The projections that activations are applied to, outside scans.
fn gates(unit: &Unit) -> Vec<&Expr> {
    let calls = places(unit).into_iter().filter(|place| !place.in_scan).filter_map(|place| match &place.expr.kind {
        ExprKind::Call(call) if is_activation(&call.head.text) => call.args.first(),
        _ => None,
    });
    calls.map(|arg| tree::unlabeled(resolve(unit, tree::arg_expr(arg)))).collect()
}

/// `x` in `linear[D -> R](x)`, which is all that `value` is.
fn full<'a>(unit: &'a Unit, from: &[&str], value: &'a Expr) -> Option<&'a Expr> {
    let (source, made, x) = projection(tree::unlabeled(resolve(unit, value)))?;
    let ([only], [rank]) = (from, made) else { return None };
    let plain = rank.text == *only && is_width(source) && !is_width(made);
    (plain && is_stable(unit, x)).then_some(x)
}

fn set_source(expr: &mut Expr, axis: &str) {
    if let ExprKind::Call(call) = &mut expr.kind
        && let Some(Slot::Map { from, .. }) = &mut call.slot
        && matches!(call.args.first(), Some(Arg::Value(_)))
    {
        *from = vec![tree::ident(axis)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{change, design};

    #[test]
    fn a_gate_goes_through_a_bottleneck_and_back() {
        let units = "unit F<K = 8, R = 2>(x: Seq[D]) -> Seq[D] {\n\
                     linear[K -> D](shift(linear[D -> K](x), R) * silu(gate: linear[D -> K](x, bias = true))) }";
        let out = change(change_gate_rank, &design("x + F(x)", units), "F: bottleneck added");
        assert!(out.contains("axis R2 = 16"), "{out}");
        assert!(out.contains("silu(gate: linear[R2 -> K](linear[D -> R2](x), bias = true))"), "{out}");
        let back = change(change_gate_rank, &out, "F: bottleneck removed");
        assert!(back.contains("silu(gate: linear[D -> K](x, bias = true))") && !back.contains("R2"), "{back}");
    }
}
