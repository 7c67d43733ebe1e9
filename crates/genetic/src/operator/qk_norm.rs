//! Normalizes query and key before their product (Henry et al., 2020).
//!
//! In `dot[E](q, past(k))` both hold `E`, and a norm over `E` keeps the type of either. A norm is a
//! unit, and so takes no value with a past: the key is normalized before it is looked back at.

use genesys_syntax::ast::{Arg, Expr, ExprId, ExprKind, Unit};

use super::{is_norm_call, normed, places};
use crate::candidate::Candidate;
use crate::edit::{call_of, only_axis, resolve};
use crate::pool::Pool;
use crate::tree;
use crate::types::Types;

pub(super) fn add_qk_norm(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for unit in pool.reached() {
        let types = pool.types(unit);
        for place in places(unit).iter().filter(|place| !place.in_scan) {
            let Some((axis, query, key)) = product(unit, place.expr, types, pool) else { continue };
            for norm in pool.norms().filter(|norm| norm.fits_in(unit)) {
                let (axis, detail) = (axis.to_string(), format!("{} of query and key", norm.name));
                all.push(Candidate::bringing("add-qk-norm", norm, unit, &detail, move |unit, name| {
                    for id in [query, key] {
                        tree::edit(unit, id, &mut |e| tree::replace_with(e, |e| normed(name, Some(&axis), e)));
                    }
                }));
            }
        }
    }
    all
}

/// The axis, the query and the key in `dot[E](q, past(k))`, where neither is normalized yet.
fn product<'a>(unit: &Unit, expr: &'a Expr, types: &Types, pool: &Pool<'_>) -> Option<(&'a str, ExprId, ExprId)> {
    let ExprKind::Call(dot) = &expr.kind else { return None };
    let axis = only_axis(dot).filter(|axis| dot.head.text == "dot" && !types.is_past(axis))?;
    let [Arg::Value(a), Arg::Value(b)] = dot.args.as_slice() else { return None };
    let (query, view) = match (call_of(a, "past"), call_of(b, "past")) {
        (None, Some(view)) => (a, view),
        (Some(view), None) => (b, view),
        (Some(_), Some(_)) | (None, None) => return None,
    };
    let key = view.args.first().map(tree::arg_expr)?;
    let is_bare = |e: &Expr| !types.has_past(e) && !is_norm_call(pool, resolve(unit, e));
    (is_bare(query) && is_bare(key)).then_some((axis, query.id, key.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{change, changes, design};

    #[test]
    fn query_and_key_are_normalized_together() {
        let units = "unit F(x: Seq[D]) -> Seq[D] {\n\
                     sum[Past](softmax[Past](dot[D](tanh(x), past(x))) * past(x)) }";
        let out = change(add_qk_norm, &design("x + F(x)", units), "F: L2Norm of query and key");
        assert!(out.contains("dot[D](L2Norm[D](tanh(x)), past(L2Norm[D](x)))"), "{out}");
        assert!(changes(add_qk_norm, &out).is_empty(), "once is enough");
    }

    #[test]
    fn a_value_with_a_past_is_handed_to_no_norm() {
        let units = "unit F(x: Seq[D]) -> Seq[D] {\n\
                     let old = past(x)\nsum[Past](outer(dot[D](old * old, past(x)), x)) }";
        assert!(changes(add_qk_norm, &design("x + F(x)", units)).is_empty());
    }
}
