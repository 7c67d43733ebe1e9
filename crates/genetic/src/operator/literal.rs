//! Doubles or halves a number written in a unit's body: a decay's divisor, a rotary base, a shift.
//!
//! A number's value is no part of a type. Left alone are 0 and 1, which are structure; small
//! numbers, which keep divisions finite; exponents; initial laws; and whole numbers that a half
//! would make broken, since they may stand for a size.

use genesys_syntax::ast::{BinaryOp, Expr, ExprKind};

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
        for place in places(unit) {
            let ExprKind::Number { value, text } = &place.expr.kind else { continue };
            if *value == 0.0 || *value == 1.0 || value.abs() < SMALLEST || is_index_or_exponent(&place) {
                continue;
            }
            for new in [value * 2.0, value / 2.0] {
                if (value.fract() == 0.0 && new.fract() != 0.0) || new.abs() > LARGEST {
                    continue;
                }
                let id = place.expr.id;
                all.push(Candidate::in_unit("scale-literal", unit, &format!("{text} -> {new}"), move |unit| {
                    tree::edit(unit, id, &mut |e| set(e, new));
                }));
            }
        }
    }
    all
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
