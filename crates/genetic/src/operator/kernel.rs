//! Swaps the softmax of an attention for a normalized positive feature of its score, and back.
//!
//! `softmax[P](s)` becomes `w / (sum[P](w) + c)` with `w = softplus(s)` or `relu(s) ^ 2`: a value of
//! the score's type, whose sum over the past lacks the past only.

use genesys_syntax::ast::{Arg, BinaryOp, Expr, ExprKind, Unit};

use super::attention::attentions;
use super::places;
use crate::candidate::Candidate;
use crate::edit::{alike, binary, call_of, fresh_name, insert_before, is_stable, number, only_axis, resolve, slot};
use crate::pool::Pool;
use crate::tree;
use crate::types::Types;

/// Keeps the quotient finite where every weight is 0.
const FLOOR: f64 = 1e-3;

/// Softmax to feature, feature to softmax.
pub(super) fn change_kernel(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for unit in pool.reached() {
        let types = pool.types(unit);
        for attention in attentions(unit, types) {
            for feature in [Feature::Softplus, Feature::SquaredRelu] {
                let (id, past, score) = (attention.id, attention.past.to_string(), attention.score.clone());
                let detail = format!("softmax -> {}", feature.title());
                all.push(Candidate::in_unit("change-kernel", unit, &detail, move |unit| {
                    let name = fresh_name(unit, "weight");
                    insert_before(unit, id, vec![tree::let_stmt(&name, feature.of(score))]);
                    let sum = tree::call("sum", Some(slot(&[&past])), vec![tree::name(&name)]);
                    let whole = binary(BinaryOp::Add, sum, number(FLOOR));
                    let share = binary(BinaryOp::Div, tree::name(&name), whole);
                    tree::edit(unit, id, &mut |e| *e = share.clone());
                }));
            }
        }
        for place in places(unit).iter().filter(|place| !place.in_scan) {
            let Some((score, past)) = normalized(unit, place.expr, types) else { continue };
            let softmax = tree::call("softmax", Some(slot(&[past])), vec![score.clone()]);
            let id = place.expr.id;
            all.push(Candidate::in_unit("change-kernel", unit, "feature -> softmax", move |unit| {
                tree::edit(unit, id, &mut |e| *e = softmax.clone());
            }));
        }
    }
    all
}

/// A positive function of a score.
#[derive(Clone, Copy)]
enum Feature {
    Softplus,
    SquaredRelu,
}

impl Feature {
    fn title(self) -> &'static str {
        match self {
            Feature::Softplus => "softplus",
            Feature::SquaredRelu => "squared relu",
        }
    }

    fn of(self, score: Expr) -> Expr {
        match self {
            Feature::Softplus => tree::call("softplus", None, vec![score]),
            Feature::SquaredRelu => binary(BinaryOp::Pow, tree::call("relu", None, vec![score]), number(2.0)),
        }
    }
}

/// The score and the past in `w / (sum[P](w) + c)`, where `w` is a feature of the score.
fn normalized<'a>(unit: &'a Unit, expr: &'a Expr, types: &Types) -> Option<(&'a Expr, &'a str)> {
    let ExprKind::Binary(BinaryOp::Div, weight, whole) = &expr.kind else { return None };
    let ExprKind::Binary(BinaryOp::Add, sum, _) = &whole.kind else { return None };
    let sum = call_of(sum, "sum")?;
    let past = only_axis(sum).filter(|axis| types.is_past(axis))?;
    let [Arg::Value(summed)] = sum.args.as_slice() else { return None };
    if !alike(weight, summed) {
        return None;
    }
    let weight = resolve(unit, weight);
    let feature = match &weight.kind {
        ExprKind::Binary(BinaryOp::Pow, base, _) => base,
        _ => weight,
    };
    let call = call_of(feature, "softplus").or_else(|| call_of(feature, "relu"))?;
    let score = tree::arg_expr(call.args.first()?);
    is_stable(unit, score).then_some((score, past))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{change, design};

    #[test]
    fn a_softmax_becomes_a_normalized_feature_and_back() {
        let units = "unit F(x: Seq[D]) -> Seq[D] { sum[Past](softmax[Past](dot[D](x, past(x))) * past(x)) }";
        let out = change(change_kernel, &design("x + F(x)", units), "F: softmax -> squared relu");
        assert!(out.contains("let weight = relu(dot[D](x, past(x))) ^ 2"), "{out}");
        assert!(out.contains("sum[Past](weight / (sum[Past](weight) + 0.001) * past(x))"), "{out}");
        let back = change(change_kernel, &out, "F: feature -> softmax");
        assert!(back.contains("softmax[Past](dot[D](x, past(x)))") && !back.contains("weight"), "{back}");
    }
}
