//! Adds an output gate before a projection back to the width, or removes one.
//!
//! In `linear[X -> D](y)` the value `y` holds the axes `X`, and so does the gate
//! `act(linear[D -> X](x))` of the unit's input `x: Seq[D]`: their product has the type of `y`.
//! Removing keeps the factor that holds the mixing; in a unit that mixes nothing it keeps the
//! gate, which holds the nonlinearity.

use genesys_syntax::ast::{BinaryOp, Expr, ExprKind, Ident, Slot, Unit};

use super::activation::is_activation;
use super::{is_width, places, projection};
use crate::candidate::Candidate;
use crate::edit::{binary, input, product, resolve};
use crate::pool::Pool;
use crate::tree;

/// Multiplies what is projected back to the width by a gate of the input.
pub(super) fn add_gate(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for unit in pool.reached() {
        let Some(input) = input(unit) else { continue };
        for place in places(unit).into_iter().filter(|place| !place.in_scan) {
            let Some((from, to, value)) = projection(place.expr) else { continue };
            if !is_width(to) || is_width(from) || product(value).is_some() {
                continue;
            }
            for act in ["silu", "sigmoid"] {
                let (id, gate) = (value.id, gate(act, from, input));
                all.push(Candidate::in_unit("add-gate", unit, &format!("{act} gate added"), move |unit| {
                    tree::edit(unit, id, &mut |e| tree::replace_with(e, |y| binary(BinaryOp::Mul, y, gate.clone())));
                }));
            }
        }
    }
    all
}

/// Keeps one factor of a product with a gate.
pub(super) fn remove_gate(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for unit in pool.reached() {
        let mixes = pool.facts_of(&unit.name.text).mixes;
        for place in places(unit).into_iter().filter(|place| !place.in_scan) {
            let Some((_, to, value)) = projection(place.expr) else { continue };
            let Some((a, b)) = product(value).filter(|_| is_width(to)) else { continue };
            let (gate, other) = match (is_gate(unit, a), is_gate(unit, b)) {
                (false, true) => (b, a),
                (true, false) => (a, b),
                (true, true) | (false, false) => continue,
            };
            let kept = if mixes { other } else { gate }.clone();
            let id = value.id;
            all.push(Candidate::in_unit("remove-gate", unit, "gate removed", move |unit| {
                tree::edit(unit, id, &mut |e| *e = kept.clone());
            }));
        }
    }
    all
}

fn gate(act: &str, axes: &[Ident], input: &str) -> Expr {
    let slot = Slot::Map { from: vec![tree::ident("D")], to: axes.to_vec(), per: Vec::new() };
    let projected = tree::call("linear", Some(slot), vec![tree::name(input)]);
    let labeled = tree::expr(ExprKind::Labeled { label: tree::ident("gate"), call: Box::new(projected) });
    tree::call(act, None, vec![labeled])
}

/// Whether a factor is an activation of a projection, written here or bound by a `let`.
pub(super) fn is_gate(unit: &Unit, expr: &Expr) -> bool {
    match &resolve(unit, expr).kind {
        ExprKind::Call(call) if is_activation(&call.head.text) => call
            .args
            .first()
            .is_some_and(|arg| projection(tree::unlabeled(resolve(unit, tree::arg_expr(arg)))).is_some()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{change, changes, design};

    #[test]
    fn a_gate_has_the_axes_of_what_it_gates() {
        let text =
            design("x + F(x)", "unit F<K = 8>(x: Seq[D]) -> Seq[D] { linear[K -> D](shift(linear[D -> K](x), 1)) }");
        let out = change(add_gate, &text, "F: silu gate added");
        assert!(out.contains("shift(linear[D -> K](x), 1) * silu(gate: linear[D -> K](x))"), "{out}");
        assert_eq!(changes(add_gate, &out).len(), 0, "one gate is enough");
        let back = change(remove_gate, &out, "F: gate removed");
        assert!(back.contains("linear[K -> D](shift(linear[D -> K](x), 1))"), "{back}");
    }

    #[test]
    fn without_mixing_the_nonlinearity_stays() {
        let out = change(remove_gate, &design("x + SwiGlu(x)", ""), "SwiGlu: gate removed");
        assert!(out.contains("linear[F -> D](silu(gate))") && !out.contains("let up"), "{out}");
    }
}
