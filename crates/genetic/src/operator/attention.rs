//! Changes the score of an attention: its scale, a bias by age, a cap, a sink.
//!
//! The score of `softmax[P](score)` holds the past `P` and static axes. What is added or multiplied
//! holds a part of these: a learned slope for each static axis times `age[P]` (Press et al., 2021), a
//! learned temperature, numbers. So the type of the score stays.

use genesys_syntax::ast::{Arg, BinaryOp, Call, Expr, ExprId, ExprKind, Unit};

use super::{Place, places};
use crate::candidate::Candidate;
use crate::edit::{
    alike, binary, call_of, fresh_name, insert_before, map_argument, number, only_axis, param, plain_axes, resolve,
};
use crate::pool::Pool;
use crate::tree;
use crate::types::Types;

/// Where scores are cut off softly (Gemma 2, 2024).
const CAP: f64 = 30.0;
/// The initial slope of a bias by age.
const SLOPE: f64 = 0.1;

/// A softmax over a past.
pub(super) struct Attention<'a> {
    /// The call.
    pub(super) id: ExprId,
    call: &'a Call,
    /// The past.
    pub(super) past: &'a str,
    /// Its argument.
    pub(super) score: &'a Expr,
    /// The score's axes but the past.
    axes: Vec<String>,
}

/// The attentions of a unit whose score has a known type.
pub(super) fn attentions<'a>(unit: &'a Unit, types: &Types) -> Vec<Attention<'a>> {
    let read = |place: &Place<'a>| {
        let call = call_of(place.expr, "softmax").filter(|_| !place.in_scan)?;
        let past = only_axis(call).filter(|axis| types.is_past(axis))?;
        let score = call.args.iter().find_map(|arg| match arg {
            Arg::Value(value) => Some(value),
            Arg::Named(..) => None,
        })?;
        let axes = plain_axes(&types.static_axes(score)?)?;
        Some(Attention { id: place.expr.id, call, past, score, axes })
    };
    let is_call = |place: &&Place<'a>| matches!(place.expr.kind, ExprKind::Call(_));
    places(unit).iter().filter(is_call).filter_map(read).collect()
}

/// Changes the scale of a score: none, the root of the key's size, or learned.
pub(super) fn change_scale(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for unit in pool.reached() {
        for attention in attentions(unit, pool.types(unit)) {
            all.extend(fixed_scale(unit, resolve(unit, attention.score)));
            if tree::reads(attention.score).iter().any(|name| name.starts_with("temperature")) {
                continue;
            }
            let Attention { id, axes, .. } = attention;
            all.push(Candidate::in_unit("change-scale", unit, "learned temperature", move |unit| {
                let name = fresh_name(unit, "temperature");
                insert_before(unit, id, vec![param(&name, &axes, number(0.0), "gain")]);
                let scale = tree::call("exp", None, vec![tree::name(&name)]);
                tree::edit(unit, id, &mut |e| {
                    map_argument(e, |score| binary(BinaryOp::Mul, score, scale.clone()));
                });
            }));
        }
    }
    all
}

/// Takes the divisor of a product of query and key away, or gives one that has none.
fn fixed_scale(unit: &Unit, score: &Expr) -> Option<Candidate> {
    let id = score.id;
    if let ExprKind::Binary(BinaryOp::Div, product, _) = &score.kind {
        call_of(product, "dot")?;
        let product = (**product).clone();
        return Some(Candidate::in_unit("change-scale", unit, "scale removed", move |unit| {
            tree::edit(unit, id, &mut |e| *e = product.clone());
        }));
    }
    let axis = only_axis(call_of(score, "dot")?)?.to_string();
    Some(Candidate::in_unit("change-scale", unit, &format!("scale 1 / sqrt({axis})"), move |unit| {
        let root = tree::call("sqrt", None, vec![tree::name(&axis)]);
        tree::edit(unit, id, &mut |e| tree::replace_with(e, |e| binary(BinaryOp::Div, e, root.clone())));
    }))
}

/// Adds a learned penalty for age to a score, or takes it away.
pub(super) fn change_age_bias(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for unit in pool.reached() {
        for attention in attentions(unit, pool.types(unit)) {
            let Attention { id, past, score, axes, .. } = attention;
            if let Some(plain) = without_age(score) {
                let plain = plain.clone();
                all.push(Candidate::in_unit("change-age-bias", unit, "bias by age removed", move |unit| {
                    tree::edit(unit, id, &mut |e| map_argument(e, |_| plain.clone()));
                }));
            } else if !reads_age(resolve(unit, score)) {
                let past = past.to_string();
                all.push(Candidate::in_unit("change-age-bias", unit, "bias by age added", move |unit| {
                    let name = fresh_name(unit, "slope");
                    insert_before(unit, id, vec![param(&name, &axes, number(SLOPE), "decay")]);
                    let age = ExprKind::Indexed { head: tree::ident("age"), axis: tree::ident(&past) };
                    let bias = tree::call("outer", None, vec![tree::name(&name), tree::expr(age)]);
                    tree::edit(unit, id, &mut |e| {
                        map_argument(e, |score| binary(BinaryOp::Sub, score, bias.clone()));
                    });
                }));
            }
        }
    }
    all
}

/// The score in `score - outer(slope, age[P])`.
fn without_age(score: &Expr) -> Option<&Expr> {
    match &score.kind {
        ExprKind::Binary(BinaryOp::Sub, plain, bias) if reads_age(bias) && !reads_age(plain) => Some(plain),
        _ => None,
    }
}

fn reads_age(expr: &Expr) -> bool {
    let mut found = false;
    tree::visit_expr(expr, &mut |e| found |= matches!(&e.kind, ExprKind::Indexed { head, .. } if head.text == "age"));
    found
}

/// Caps a score softly, `c tanh(score / c)`, or takes the cap away.
pub(super) fn toggle_cap(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for unit in pool.reached() {
        for Attention { id, score, .. } in attentions(unit, pool.types(unit)) {
            let plain = uncapped(score).cloned();
            let detail = if plain.is_some() { "cap removed" } else { "score capped" };
            all.push(Candidate::in_unit("toggle-cap", unit, detail, move |unit| {
                let cap = |score| {
                    let inner = binary(BinaryOp::Div, score, number(CAP));
                    binary(BinaryOp::Mul, number(CAP), tree::call("tanh", None, vec![inner]))
                };
                tree::edit(unit, id, &mut |e| map_argument(e, |e| plain.clone().unwrap_or_else(|| cap(e))));
            }));
        }
    }
    all
}

/// The score in `c * tanh(score / c)`.
fn uncapped(score: &Expr) -> Option<&Expr> {
    let ExprKind::Binary(BinaryOp::Mul, outer, bounded) = &score.kind else { return None };
    match &call_of(bounded, "tanh")?.args.first().map(|arg| &tree::arg_expr(arg).kind)? {
        ExprKind::Binary(BinaryOp::Div, plain, inner) if alike(outer, inner) => Some(plain),
        _ => None,
    }
}

/// Gives a softmax over a past an element that yields nothing (Miller, 2023), or takes it away.
pub(super) fn toggle_sink(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for unit in pool.reached() {
        for Attention { id, call, .. } in attentions(unit, pool.types(unit)) {
            let has = call.args.iter().any(|arg| matches!(arg, Arg::Named(..)));
            let detail = if has { "sink removed" } else { "sink added" };
            all.push(Candidate::in_unit("toggle-sink", unit, detail, move |unit| {
                tree::edit(unit, id, &mut |e| {
                    let ExprKind::Call(call) = &mut e.kind else { return };
                    call.args.retain(|arg| matches!(arg, Arg::Value(_)));
                    if !has {
                        call.args.push(Arg::Named(tree::ident("sink"), number(0.0)));
                    }
                });
            }));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::Operator;
    use crate::testing::{change, changes, design};

    const ATTENTION: &str = "unit F<H = 8, E = D / 8>(x: Seq[D]) -> Seq[D] {\n\
         let k = linear[D -> H, E](x)\n\
         let score = dot[E](k, past(k)) / sqrt(E)\n\
         linear[H, E -> D](sum[Past](softmax[Past](score) * past(k))) }";

    /// A change, and the change back: the second text holds what the first one held.
    fn there_and_back(operator: Operator, there: &str, expected: &str, back: &str) {
        let text = design("x + F(x)", ATTENTION);
        let out = change(operator, &text, there);
        assert!(out.contains(expected), "{out}");
        let again = change(operator, &out, back);
        assert!(again.contains("softmax[Past](score)") && !again.contains("slope"), "{again}");
    }

    #[test]
    fn scores_are_biased_capped_and_given_a_sink() {
        let biased = "softmax[Past](score - outer(slope, age[Past]))";
        there_and_back(change_age_bias, "F: bias by age added", biased, "F: bias by age removed");
        there_and_back(toggle_cap, "F: score capped", "softmax[Past](30 * tanh(score / 30))", "F: cap removed");
        there_and_back(toggle_sink, "F: sink added", "softmax[Past](score, sink = 0)", "F: sink removed");
        let out = change(change_age_bias, &design("x + F(x)", ATTENTION), "F: bias by age added");
        assert!(out.contains("param slope: [H] = 0.1 @decay"), "{out}");
    }

    #[test]
    fn a_scale_is_fixed_absent_or_learned() {
        let text = design("x + F(x)", ATTENTION);
        let learned = change(change_scale, &text, "F: learned temperature");
        assert!(learned.contains("param temperature: [H] = 0 @gain"), "{learned}");
        assert!(learned.contains("softmax[Past](score * exp(temperature))"), "{learned}");
        let none = change(change_scale, &text, "F: scale removed");
        assert!(none.contains("let score = dot[E](k, past(k))\n"), "{none}");
        let back = change(change_scale, &none, "F: scale 1 / sqrt(E)");
        assert!(back.contains("let score = dot[E](k, past(k)) / sqrt(E)\n"), "{back}");
    }

    #[test]
    fn a_softmax_over_a_static_axis_is_no_attention() {
        let units = "unit F(x: Seq[D]) -> Seq[D] { softmax[D](x) * shift(x, 1) }";
        for operator in [change_scale, change_age_bias, toggle_cap, toggle_sink] {
            assert!(changes(operator, &design("x + F(x)", units)).is_empty());
        }
    }
}
