//! Adds a norm around a projection's input or output, or removes a norm.
//!
//! `linear[X -> Y](v)` takes a value that holds `X` and gives one that holds `Y`; a norm over the
//! last of these axes keeps the type of either. Removing puts the argument, which has the type of
//! the call, in its place; an `each` around the call goes with it, where the argument has its axes.

use genesys_syntax::ast::{Arg, Expr, ExprKind, Ident, StmtKind, Unit};

use super::{is_norm_call, is_width, normed, places, projection};
use crate::candidate::Candidate;
use crate::pool::Pool;
use crate::tree;
use crate::types::Types;

/// Normalizes what a projection back to the width takes, or what a projection from it gives.
pub(super) fn add_norm(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for unit in pool.reached() {
        let types = pool.types(unit);
        for place in places(unit).into_iter().filter(|place| !place.in_scan) {
            let Some((from, to, value)) = projection(place.expr) else { continue };
            if types.has_past(value) {
                continue; // No unit takes a value with a past.
            }
            let (axis, id) = match (is_width(from), is_width(to)) {
                (false, true) if !is_norm_call(pool, value) => (from.last(), value.id),
                (true, false) if !place.parent.is_some_and(|parent| is_norm_call(pool, parent)) => {
                    (to.last(), place.outer().id)
                }
                _ => continue,
            };
            let Some(axis) = axis.map(|axis| axis.text.clone()) else { continue };
            let side = if is_width(to) { "before the output" } else { "after a projection" };
            for norm in pool.norms().filter(|norm| norm.fits_in(unit)) {
                let (axis, detail) = (axis.clone(), format!("{}[{axis}] {side}", norm.name));
                all.push(Candidate::bringing("add-norm", norm, unit, &detail, move |unit, name| {
                    tree::edit(unit, id, &mut |e| tree::replace_with(e, |e| normed(name, Some(&axis), e)));
                }));
            }
        }
    }
    all
}

/// Puts the argument of a norm in the place of its call.
pub(super) fn remove_norm(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for unit in pool.reached() {
        for place in places(unit) {
            let ExprKind::Call(call) = &place.expr.kind else { continue };
            let [Arg::Value(inner)] = call.args.as_slice() else { continue };
            if !pool.is_own_norm(&call.head.text) || !holds(pool.types(unit), inner, place.each()) {
                continue;
            }
            let (id, inner) = (place.outer().id, inner.clone());
            let detail = format!("{} removed", call.head.text);
            all.push(Candidate::in_unit("remove-norm", unit, &detail, move |unit| {
                tree::edit(unit, id, &mut |e| *e = inner.clone());
                unwrap_lets(unit);
            }));
        }
    }
    all
}

/// Whether a value has the axes of an `each` already, which gives them to one that has not.
fn holds(types: &Types, value: &Expr, axes: &[Ident]) -> bool {
    let has = |axis: &Ident| types.get(value).is_some_and(|ty| ty.axes.contains(&axis.text));
    axes.iter().all(has)
}

/// Drops `let n = x` of a bare name where nothing binds either name again: such a `let` is what is
/// left of one that bound a norm's value.
fn unwrap_lets(unit: &mut Unit) {
    let aliases: Vec<(String, String)> = unit
        .body
        .stmts
        .iter()
        .filter_map(|stmt| match &stmt.kind {
            StmtKind::Let { name, ty: None, value } => match &value.kind {
                ExprKind::Name(old) => Some((name.text.clone(), old.text.clone())),
                _ => None,
            },
            _ => None,
        })
        .collect();
    for (alias, old) in aliases {
        let binds = |name: &str| {
            let lets = unit.body.stmts.iter();
            lets.filter(|stmt| tree::binds(stmt, name)).count()
        };
        let rebound = binds(&old) > usize::from(!unit.params.iter().any(|param| param.name.text == old));
        if binds(&alias) == 1 && !rebound {
            tree::visit_mut(&mut unit.body, &mut |e| match &mut e.kind {
                ExprKind::Name(name) if name.text == alias => name.text.clone_from(&old),
                _ => {}
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{change, changes, design};

    #[test]
    fn norms_go_around_projections() {
        let units =
            "unit F<H = 2, K = 8>(x: Seq[D]) -> Seq[D] { let y = linear[D -> H, K](x)\nlinear[H, K -> D](tanh(y)) }";
        let text = design("x + F(x)", units);
        let inner = change(add_norm, &text, "F: RmsNorm[K] after a projection");
        assert!(inner.contains("let y = RmsNorm[K](linear[D -> H, K](x))"), "{inner}");
        let outer = change(add_norm, &text, "F: L2Norm[K] before the output");
        assert!(outer.contains("linear[H, K -> D](L2Norm[K](tanh(y)))"), "{outer}");
    }

    #[test]
    fn a_value_with_a_past_is_handed_to_no_norm() {
        let units = "unit F<K = 8>(x: Seq[D]) -> Seq[D] {\n\
                     param rate: [K] = normal(1) @gain\n\
                     sum[Past](linear[K -> D](sin(outer(rate, age[Past]))) * past(x)) }";
        assert!(changes(add_norm, &design("x + F(x)", units)).is_empty());
    }

    #[test]
    fn an_each_goes_with_the_norm_it_is_around() {
        let with = |value: &str| {
            let units = format!(
                "unit F<H = 2, V = 8>(x: Seq[D]) -> Seq[D] {{\nlet y = linear[D -> H, V](shift(x, 1))\n\
                 let z = linear[D -> V](x)\nlinear[H, V -> D](y * tanh({value})) }}"
            );
            changes(remove_norm, &design("x + F(x)", &format!("use std::{{LayerNorm}}\n{units}")))
        };
        let all = with("each[H] LayerNorm[V](y)");
        let [(detail, text)] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!(detail, "F: LayerNorm removed");
        assert!(text.contains("linear[H, V -> D](y * tanh(y))"), "{text}");
        assert!(with("each[H] LayerNorm[V](z)").is_empty(), "z gets the axis H from nothing else");
    }

    #[test]
    fn a_removed_norm_leaves_its_argument() {
        let text = design("let n = RmsNorm(x)\nlet m = SwiGlu(norm: RmsNorm(n))\nx + m", "");
        let all = changes(remove_norm, &text);
        assert_eq!(all.len(), 2);
        assert!(all[0].1.contains("let m = SwiGlu(norm: RmsNorm(x))") && !all[0].1.contains("let n"), "{}", all[0].1);
        assert!(all[1].1.contains("let m = SwiGlu(n)"), "{}", all[1].1);
    }
}
