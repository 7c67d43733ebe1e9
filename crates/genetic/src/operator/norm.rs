//! Adds a norm around a projection's input or output, or removes a norm.
//!
//! `linear[X -> Y](v)` takes a value that holds `X` and gives one that holds `Y`; a norm over the
//! last of these axes keeps the type of either. Removing puts the argument, which has the type of
//! the call, in its place.

use genesys_syntax::ast::{Arg, ExprKind, StmtKind, Unit};

use super::{is_norm_call, is_width, normed, places, projection};
use crate::candidate::Candidate;
use crate::pool::Pool;
use crate::tree;

/// Normalizes what a projection back to the width takes, or what a projection from it gives.
pub(super) fn add_norm(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for unit in pool.reached() {
        for place in places(unit).into_iter().filter(|place| !place.in_scan) {
            let Some((from, to, value)) = projection(place.expr) else { continue };
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
            if !pool.is_own_norm(&call.head.text) {
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
    fn a_removed_norm_leaves_its_argument() {
        let text = design("let n = RmsNorm(x)\nlet m = SwiGlu(norm: RmsNorm(n))\nx + m", "");
        let all = changes(remove_norm, &text);
        assert_eq!(all.len(), 2);
        assert!(all[0].1.contains("let m = SwiGlu(norm: RmsNorm(x))") && !all[0].1.contains("let n"), "{}", all[0].1);
        assert!(all[1].1.contains("let m = SwiGlu(n)"), "{}", all[1].1);
    }
}
