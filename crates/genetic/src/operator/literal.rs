//! Doubles or halves a number written in a unit's body: a decay's divisor, a rotary base, a shift.
//!
//! A number's value is no part of a type. Left alone are 0 and 1, which are structure; small
//! numbers, which keep divisions finite; exponents; initial laws; and whole numbers that a half
//! would make broken, since they may stand for a size. The pasts of one axis must reach equally far,
//! so that all windows of one length change together.

use std::collections::BTreeMap;

use genesys_syntax::ast::{Arg, BinaryOp, Expr, ExprId, ExprKind, Unit};

use super::{Place, places};
use crate::candidate::Candidate;
use crate::pool::Pool;
use crate::tree;

/// Numbers below this guard a division or a root.
const SMALLEST: f64 = 1e-3;
/// Numbers above this are not doubled.
const LARGEST: f64 = 1e6;

pub(super) fn scale_literal(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for unit in pool.reached() {
        for (value, text, ids) in numbers(unit) {
            for new in [value * 2.0, value / 2.0] {
                if (value.fract() == 0.0 && new.fract() != 0.0) || new.abs() > LARGEST {
                    continue;
                }
                let ids = ids.clone();
                all.push(Candidate::in_unit("scale-literal", unit, &format!("{text} -> {new}"), move |unit| {
                    ids.iter().for_each(|&id| tree::edit(unit, id, &mut |e| set(e, new)));
                }));
            }
        }
    }
    all
}

/// The numbers that may change, as written, and where each stands.
fn numbers(unit: &Unit) -> Vec<(f64, String, Vec<ExprId>)> {
    let mut all: Vec<(f64, String, Vec<ExprId>)> = Vec::new();
    let mut windows: BTreeMap<String, usize> = BTreeMap::new();
    for place in places(unit) {
        let ExprKind::Number { value, text } = &place.expr.kind else { continue };
        let is_structure = *value == 0.0 || *value == 1.0 || value.abs() < SMALLEST;
        if is_structure || is_index_or_exponent(&place) {
            continue;
        }
        let id = place.expr.id;
        match windows.get(text).filter(|_| is_reach(&place)) {
            Some(&group) => all[group].2.push(id),
            None => {
                if is_reach(&place) {
                    windows.insert(text.clone(), all.len());
                }
                all.push((*value, text.clone(), vec![id]));
            }
        }
    }
    all
}

/// Whether a number says how far a past reaches.
fn is_reach(place: &Place<'_>) -> bool {
    match place.parent.map(|parent| &parent.kind) {
        Some(ExprKind::Call(call)) => call
            .args
            .iter()
            .any(|arg| matches!(arg, Arg::Named(_, e) if call.head.text == "past" && e.id == place.expr.id)),
        _ => false,
    }
}

/// Whether a number is an exponent, or says which element is taken or cut.
fn is_index_or_exponent(place: &Place<'_>) -> bool {
    match place.parent.map(|parent| &parent.kind) {
        Some(ExprKind::Binary(BinaryOp::Pow, _, exponent)) => exponent.id == place.expr.id,
        Some(ExprKind::Call(call)) => matches!(call.head.text.as_str(), "take" | "cut"),
        _ => false,
    }
}

fn set(expr: &mut Expr, new: f64) {
    expr.kind = ExprKind::Number { value: new, text: new.to_string() };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{changes, design};

    #[test]
    fn windows_of_one_length_change_together() {
        let body = "sum[Near](past[Near](x, window = 8) * past[Near](tanh(x), window = 8)) / 8";
        let text = design("x + F(x)", &format!("unit F(x: Seq[D]) -> Seq[D] {{ {body} }}"));
        let all = changes(scale_literal, &text);
        assert_eq!(all.len(), 4);
        assert_eq!(all[0].1.matches("window = 16").count(), 2, "{}", all[0].1);
        assert!(all[0].1.contains("/ 8") && all[3].1.contains("/ 4"), "{} {}", all[0].1, all[3].1);
    }

    #[test]
    fn structure_guards_exponents_and_laws_stay() {
        let body = "param w: [D] = 0.5 @gain\nw * (1 - x) ^ 2 / (16 + 1e-5) + 0.3 + 3 * take[Two](stack[Two](x, x), 1)";
        let text = design("x + F(x)", &format!("unit F(x: Seq[D]) -> Seq[D] {{ axis Two = 2\n{body} }}"));
        let details: Vec<String> = changes(scale_literal, &text).into_iter().map(|(detail, _)| detail).collect();
        assert_eq!(details, ["F: 16 -> 32", "F: 16 -> 8", "F: 0.3 -> 0.6", "F: 0.3 -> 0.15", "F: 3 -> 6"]);
    }
}
