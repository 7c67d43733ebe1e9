//! Changes what a recurrence writes: its strength, what is kept in balance with it, the delta rule.
//!
//! In `S <- decay * S + write` a factor of the write holds a part of the state's axes. The delta rule
//! writes `outer(k, v - dot[R](k, S))`: what `S` returned for `k` until now has the type of `v`.

use std::collections::BTreeSet;

use genesys_syntax::ast::{BinaryOp, Expr, ExprKind, Unit};

use super::activation::is_activation;
use super::projection;
use super::recurrence::{Recurrence, axes_of, recurrences};
use crate::candidate::Candidate;
use crate::edit::{binary, call_of, fresh_name, input, insert_before, linear, number, product, resolve, slot};
use crate::pool::Pool;
use crate::tree;
use crate::types::Types;

/// Keeps the length of a key away from 0.
const FLOOR: f64 = 1e-6;

/// Multiplies the write by a strength that the input sets or that the decay leaves, or takes either
/// away.
pub(super) fn change_strength(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for unit in pool.reached() {
        for recurrence in recurrences(unit) {
            let (scan, write) = (recurrence.id, recurrence.write.id);
            let operator = "change-write-strength";
            if let Some((_, plain)) = product(recurrence.write).filter(|(factor, _)| is_strength(unit, factor)) {
                let plain = plain.clone();
                all.push(Candidate::in_unit(operator, unit, "plain write", move |unit| {
                    tree::edit(unit, write, &mut |e| *e = plain.clone());
                }));
                continue;
            }
            if let (Some(x), Some(axis)) = (input(unit), recurrence.first_axis()) {
                let (x, axis) = (x.to_string(), axis.to_string());
                all.push(Candidate::in_unit(operator, unit, "strength set by the input", move |unit| {
                    let name = fresh_name(unit, "strength");
                    let gate = tree::call("sigmoid", None, vec![linear(&["D"], &[&axis], tree::name(&x))]);
                    insert_before(unit, scan, vec![tree::let_stmt(&name, gate)]);
                    scale(unit, write, &tree::name(&name));
                }));
            }
            if let Some(Some(decay)) = recurrence.decay_again() {
                let rest = binary(BinaryOp::Sub, number(1.0), decay.clone());
                all.push(Candidate::in_unit(operator, unit, "strength 1 - decay", move |unit| {
                    scale(unit, write, &rest)
                }));
            }
        }
    }
    all
}

fn scale(unit: &mut Unit, id: genesys_syntax::ast::ExprId, factor: &Expr) {
    tree::edit(unit, id, &mut |e| tree::replace_with(e, |e| binary(BinaryOp::Mul, factor.clone(), e)));
}

/// Whether a factor is `1 - decay`, or an activation of a projection.
fn is_strength(unit: &Unit, factor: &Expr) -> bool {
    match &resolve(unit, factor).kind {
        ExprKind::Binary(BinaryOp::Sub, one, _) => matches!(&one.kind, ExprKind::Number { value, .. } if *value == 1.0),
        ExprKind::Call(call) if is_activation(&call.head.text) => {
            call.args.first().is_some_and(|arg| projection(tree::unlabeled(tree::arg_expr(arg))).is_some())
        }
        _ => false,
    }
}

/// Writes the difference to what the state returned (Yang et al., 2024), or the value itself again.
pub(super) fn toggle_delta(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for unit in pool.reached() {
        let types = pool.types(unit);
        for recurrence in recurrences(unit) {
            let Some((key, value)) = recurrence.outer() else { continue };
            if let Some(plain) = undelta(&recurrence, value) {
                let (id, plain) = (value.id, plain.clone());
                all.push(Candidate::in_unit("toggle-delta-rule", unit, "delta rule removed", move |unit| {
                    tree::edit(unit, id, &mut |e| *e = plain.clone());
                }));
            } else if let Some(axis) = delta_axis(&recurrence, key, value, types) {
                let (scan, key, value, state) =
                    (recurrence.id, key.clone(), value.id, recurrence.state.name.text.clone());
                all.push(Candidate::in_unit("toggle-delta-rule", unit, "delta rule", move |unit| {
                    let name = fresh_name(unit, "unit_key");
                    let returned = vec![tree::name(&name), tree::name(&state)];
                    let returned = tree::call("dot", Some(slot(&[&axis])), returned);
                    tree::edit(unit, key.id, &mut |e| *e = tree::name(&name));
                    tree::edit(unit, value, &mut |e| {
                        tree::replace_with(e, |e| binary(BinaryOp::Sub, e, returned.clone()));
                    });
                    insert_before(unit, scan, vec![tree::let_stmt(&name, unit_length(&key, &axis))]);
                }));
            }
        }
    }
    all
}

/// `k / sqrt(sum[R](k * k) + c)`
fn unit_length(key: &Expr, axis: &str) -> Expr {
    let square = binary(BinaryOp::Mul, key.clone(), key.clone());
    let sum = tree::call("sum", Some(slot(&[axis])), vec![square]);
    let length = tree::call("sqrt", None, vec![binary(BinaryOp::Add, sum, number(FLOOR))]);
    binary(BinaryOp::Div, key.clone(), length)
}

/// The value in `v - dot[R](k, S)`.
fn undelta<'a>(recurrence: &Recurrence<'_>, value: &'a Expr) -> Option<&'a Expr> {
    let ExprKind::Binary(BinaryOp::Sub, plain, returned) = &value.kind else { return None };
    call_of(returned, "dot")?;
    tree::reads(returned).contains(&recurrence.state.name.text).then_some(plain)
}

/// The axis to read along, where what the state returns for the key has the type of the value, and
/// the key does not depend on a state.
fn delta_axis(recurrence: &Recurrence<'_>, key: &Expr, value: &Expr, types: &Types) -> Option<String> {
    let (_, _, axis) = recurrence.read()?;
    let (keys, values) = (axes_of(types, key)?, axes_of(types, value)?);
    let rest: BTreeSet<String> = keys.iter().filter(|name| **name != axis).cloned().collect();
    let whole: BTreeSet<String> = keys.union(&values).cloned().collect();
    let state: BTreeSet<String> = recurrence.axes.iter().cloned().collect();
    let mut inner: BTreeSet<&str> = recurrence.scan.states.iter().map(|state| state.name.text.as_str()).collect();
    let bound = recurrence.scan.body.stmts.iter().flat_map(tree::bound_values);
    inner.extend(bound.map(|name| name.text.as_str()));
    let free = tree::reads(key).iter().all(|name| !inner.contains(name.as_str()));
    let fits = keys.contains(&axis) && !values.contains(&axis) && rest.is_subset(&values) && whole == state;
    (fits && free).then_some(axis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{change, design};

    fn text() -> String {
        let unit = "unit F<H = 2, K = 8, V = 4>(x: Seq[D]) -> Seq[D] {\nlet k = linear[D -> H, K](x)\n\
                    let v = linear[D -> H, V](x)\nlet a = sigmoid(linear[D -> H](x))\n\
                    let y = scan S: [H, K, V] = 0 { S <- a * S + outer(k, v)\nyield dot[K](k, S) }\n\
                    linear[H, V -> D](y) }";
        design("x + F(x)", unit)
    }

    #[test]
    fn a_write_gets_a_strength_and_loses_it() {
        for (there, update) in [
            ("F: strength set by the input", "S <- a * S + strength * outer(k, v)"),
            ("F: strength 1 - decay", "S <- a * S + (1 - a) * outer(k, v)"),
        ] {
            let out = change(change_strength, &text(), there);
            assert!(out.contains(update), "{out}");
            let back = change(change_strength, &out, "F: plain write");
            assert!(back.contains("S <- a * S + outer(k, v)"), "{back}");
        }
    }

    #[test]
    fn the_delta_rule_reads_before_it_writes() {
        let out = change(toggle_delta, &text(), "F: delta rule");
        assert!(out.contains("let unit_key = k / sqrt(sum[K](k * k) + 0.000001)"), "{out}");
        assert!(out.contains("S <- a * S + outer(unit_key, v - dot[K](unit_key, S))"), "{out}");
        let back = change(toggle_delta, &out, "F: delta rule removed");
        assert!(back.contains("S <- a * S + outer(unit_key, v)"), "{back}");
    }
}
