//! Swaps a pointwise function for another: `silu(x)` becomes `gelu(x)`.
//!
//! Both take a value of any type to a value of the same type. In a unit with a scan, a bounded
//! function stays bounded: there it may be a decay, which must not grow.

use genesys_syntax::ast::ExprKind;

use super::{Place, places};
use crate::candidate::Candidate;
use crate::pool::Pool;
use crate::tree;

const UNBOUNDED: [&str; 3] = ["silu", "gelu", "relu"];
const BOUNDED: [&str; 2] = ["sigmoid", "tanh"];

/// Whether a head is one of the functions that are swapped.
pub(super) fn is_activation(head: &str) -> bool {
    UNBOUNDED.contains(&head) || BOUNDED.contains(&head)
}

pub(super) fn swap_activation(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for unit in pool.reached() {
        let places = places(unit);
        let recurrent = places.iter().any(|place| matches!(place.expr.kind, ExprKind::Scan(_)));
        for place in &places {
            let Some(old) = head(place).filter(|head| is_activation(head)) else { continue };
            let keeps_bound = |new: &str| !recurrent || !BOUNDED.contains(&old) || BOUNDED.contains(&new);
            for new in UNBOUNDED.into_iter().chain(BOUNDED).filter(|new| *new != old && keeps_bound(new)) {
                let id = place.expr.id;
                all.push(Candidate::in_unit("swap-activation", unit, &format!("{old} -> {new}"), move |unit| {
                    tree::edit(unit, id, &mut |e| {
                        if let ExprKind::Call(call) = &mut e.kind {
                            call.head.text = new.into();
                        }
                    });
                }));
            }
        }
    }
    all
}

fn head<'a>(place: &Place<'a>) -> Option<&'a str> {
    match &place.expr.kind {
        ExprKind::Call(call) => Some(&call.head.text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{change, changes, design};

    #[test]
    fn a_decay_stays_bounded() {
        let scan = "scan S: [D] = 0 { S <- sigmoid(x) * S + silu(x)\nyield S }";
        let text = design("x + F(x)", &format!("unit F(x: Seq[D]) -> Seq[D] {{ {scan} }}"));
        let details: Vec<String> = changes(swap_activation, &text).into_iter().map(|(detail, _)| detail).collect();
        assert!(details.contains(&"F: sigmoid -> tanh".to_string()), "{details:?}");
        assert!(details.contains(&"F: silu -> relu".to_string()), "{details:?}");
        assert!(!details.iter().any(|detail| detail == "F: sigmoid -> relu"), "{details:?}");
    }

    #[test]
    fn a_standard_unit_is_changed_in_a_copy() {
        let text = design("x + SwiGlu(x)", "");
        let out = change(swap_activation, &text, "SwiGlu: silu -> relu");
        assert!(out.contains("x + SwiGlu2(x)") && out.contains("unit SwiGlu2<") && out.contains("relu(gate)"), "{out}");
        assert!(!out.contains("use std"), "{out}");
    }
}
