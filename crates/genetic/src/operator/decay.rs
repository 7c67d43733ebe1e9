//! Changes the decay of a recurrence: none, learned, set by the input, one for each head.
//!
//! In `S <- decay * S + write` the state holds every axis, and a decay any part of them; all decays
//! that are written here lie between 0 and 1.

use genesys_syntax::ast::{BinaryOp, Expr, ExprKind};

use super::recurrence::{axes_of, recurrences};
use crate::candidate::Candidate;
use crate::edit::{binary, fresh_name, input, insert_before, linear, number, param, slot};
use crate::pool::Pool;
use crate::tree;
use crate::types::Stage;

/// What an input-set decay's logarithm is divided by (Yang et al., 2024).
const DIVISOR: f64 = 16.0;
/// The initial logit of a learned decay: it keeps 98 % a step.
const LOGIT: f64 = 4.0;

pub(super) fn change_decay(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for unit in pool.reached() {
        let types = pool.types(unit);
        for recurrence in recurrences(unit) {
            let (scan, kept, state) = (recurrence.id, recurrence.kept.id, recurrence.state.name.text.clone());
            let decays = recurrence.decay.map(|decay| (decay, axes_of(types, decay), types.get(decay)));
            let keep = move |decay: Expr| binary(BinaryOp::Mul, decay, tree::name(&state));
            if recurrence.decay.is_some() {
                let state = recurrence.state.name.text.clone();
                all.push(Candidate::in_unit("change-decay", unit, "no decay", move |unit| {
                    tree::edit(unit, kept, &mut |e| *e = tree::name(&state));
                }));
            }
            let axes = match &decays {
                Some((_, Some(axes), _)) => axes.iter().cloned().collect(),
                Some((_, None, _)) => continue,
                None => recurrence.first_axis().map(str::to_string).into_iter().collect::<Vec<_>>(),
            };
            if !decays.as_ref().is_some_and(|(_, _, ty)| ty.is_some_and(|ty| ty.stage == Stage::Const)) {
                let (axes, keep) = (axes.clone(), keep.clone());
                all.push(Candidate::in_unit("change-decay", unit, "learned decay", move |unit| {
                    let name = fresh_name(unit, "rate");
                    insert_before(unit, scan, vec![param(&name, &axes, number(LOGIT), "decay")]);
                    let decay = tree::call("sigmoid", None, vec![tree::name(&name)]);
                    tree::edit(unit, kept, &mut |e| *e = keep(decay.clone()));
                }));
            }
            let is_set = decays.as_ref().is_some_and(|(_, _, ty)| ty.is_some_and(|ty| ty.stage != Stage::Const));
            if let (Some(x), false, false) = (input(unit), is_set, axes.is_empty()) {
                let (x, axes, keep) = (x.to_string(), axes.clone(), keep.clone());
                all.push(Candidate::in_unit("change-decay", unit, "decay set by the input", move |unit| {
                    let name = fresh_name(unit, "decay");
                    let to: Vec<&str> = axes.iter().map(String::as_str).collect();
                    let low = tree::call("log_sigmoid", None, vec![linear(&["D"], &to, tree::name(&x))]);
                    let decay = tree::call("exp", None, vec![binary(BinaryOp::Div, low, number(DIVISOR))]);
                    insert_before(unit, scan, vec![tree::let_stmt(&name, decay)]);
                    tree::edit(unit, kept, &mut |e| *e = keep(tree::name(&name)));
                }));
            }
            if let (Some((decay, Some(_), _)), [_, .., last]) = (decays, axes.as_slice())
                && !matches!(&decay.kind, ExprKind::Call(call) if call.head.text == "mean")
            {
                let (id, last) = (decay.id, last.clone());
                let detail = format!("one decay for all of {last}");
                all.push(Candidate::in_unit("change-decay", unit, &detail, move |unit| {
                    let mean = |e| tree::call("mean", Some(slot(&[&last])), vec![e]);
                    tree::edit(unit, id, &mut |e| tree::replace_with(e, mean));
                }));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{change, changes, design};

    fn scan(update: &str) -> String {
        let unit = format!(
            "unit F<H = 2, K = 8>(x: Seq[D]) -> Seq[D] {{\nlet k = linear[D -> H, K](x)\n\
             let decay = sigmoid(linear[D -> H, K](x))\n\
             let y = scan S: [H, K] = 0 {{ S <- {update}\nyield S }}\nlinear[H, K -> D](y) }}"
        );
        design("x + F(x)", &unit)
    }

    #[test]
    fn a_decay_is_dropped_learned_or_shared() {
        let text = scan("decay * S + k");
        let none = change(change_decay, &text, "F: no decay");
        assert!(none.contains("S <- S + k") && !none.contains("decay"), "{none}");
        let learned = change(change_decay, &text, "F: learned decay");
        assert!(learned.contains("param rate: [H, K] = 4 @decay") && learned.contains("S <- sigmoid(rate) * S + k"));
        let shared = change(change_decay, &text, "F: one decay for all of K");
        assert!(shared.contains("S <- mean[K](decay) * S + k"), "{shared}");
    }

    #[test]
    fn a_sum_gets_a_decay() {
        let set = change(change_decay, &scan("k + S"), "F: decay set by the input");
        assert!(set.contains("let decay2 = exp(log_sigmoid(linear[D -> H](x)) / 16)"), "{set}");
        assert!(set.contains("S <- k + decay2 * S"), "{set}");
    }

    #[test]
    fn other_updates_are_no_recurrences() {
        assert!(changes(change_decay, &scan("tanh(S + k)")).is_empty());
        assert!(changes(change_decay, &scan("S * S + k")).is_empty());
    }
}
