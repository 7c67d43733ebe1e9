//! Passes an argument of type `Seq[D]` through one more unit: a token shift or a norm.
//!
//! The unit takes `Seq[D]`, or a row that `Seq[D]` instantiates, to the same type. Units that
//! project are left to the sublayers: here a value is prepared, not computed anew.

use std::sync::Arc;

use genesys_syntax::ast::{Arg, AxisRef, Expr, ExprKind, Param, Unit};

use super::places;
use crate::candidate::Candidate;
use crate::pool::{Pool, Pooled};
use crate::tree;

pub(super) fn wrap_argument(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for unit in pool.reached() {
        for place in places(unit).into_iter().filter(|place| !place.in_scan) {
            for (index, argument) in width_arguments(pool, place.expr) {
                for new in wrappers(pool, unit, argument) {
                    let id = place.expr.id;
                    let detail = format!("{} before {}", new.name, head(place.expr));
                    all.push(Candidate::bringing("wrap-argument", new, unit, &detail, move |unit, name| {
                        tree::edit(unit, id, &mut |e| wrap(e, index, name));
                    }));
                }
            }
        }
    }
    all
}

fn wrap(expr: &mut Expr, index: usize, name: &str) {
    if let ExprKind::Call(call) = &mut expr.kind
        && let Some(Arg::Value(value)) = call.args.get_mut(index)
    {
        tree::replace_with(value, |value| tree::call(name, None, vec![value]));
    }
}

/// The arguments of a unit's call that its signature says are `Seq[D]`.
fn width_arguments<'a>(pool: &Pool<'_>, expr: &'a Expr) -> Vec<(usize, &'a Expr)> {
    let ExprKind::Call(call) = &expr.kind else { return Vec::new() };
    let Some(callee) = pool.genome.unit(&call.head.text) else { return Vec::new() };
    let is_width =
        |param: &Param| param.ty.seq && matches!(param.ty.axes.as_slice(), [AxisRef::Named(axis)] if axis.text == "D");
    let args = call.args.iter().zip(&callee.params).enumerate();
    args.filter_map(|(index, (arg, param))| match arg {
        Arg::Value(value) if is_width(param) => Some((index, value)),
        Arg::Value(_) | Arg::Named(..) => None,
    })
    .collect()
}

/// Light units that may go around an argument, other than what is there already.
fn wrappers<'p>(pool: &'p Pool<'_>, caller: &Unit, argument: &Expr) -> Vec<&'p Arc<Pooled>> {
    pool.units
        .iter()
        .filter(|unit| unit.interface.is_sequence() || unit.interface.is_row())
        .filter(|unit| !unit.facts.projects && unit.name != head(argument) && unit.fits_in(caller))
        .collect()
}

fn head(expr: &Expr) -> &str {
    match &tree::unlabeled(expr).kind {
        ExprKind::Call(call) => &call.head.text,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{change, changes, design};

    #[test]
    fn arguments_of_the_width_are_wrapped_by_light_units() {
        let out = change(wrap_argument, &design("x + SwiGlu(norm: RmsNorm(x))", ""), "B: TokenShift before SwiGlu");
        assert!(out.contains("x + SwiGlu(TokenShift(norm: RmsNorm(x)))"), "{out}");
        let all = changes(wrap_argument, &design("x + SwiGlu(norm: RmsNorm(x))", ""));
        assert!(!all.iter().any(|(detail, _)| detail.contains("RmsNorm before") || detail.contains("Mlp")), "{all:?}");
    }
}
