//! Takes a unit of the second parent, with all it calls, where the first calls one of the same
//! interface: at one call, or wherever the first uses that unit.
//!
//! Equal interfaces take the same arguments and give the same type; see
//! [`replace_unit`](crate::operator).

use std::sync::Arc;

use genesys_syntax::ast::{Call, Expr, ExprId, ExprKind, FieldValue, StaticArg};

use super::Cross;
use crate::candidate::Candidate;
use crate::operator::call::{bindings, redirect, replace_call, replacements};
use crate::operator::places;
use crate::operator::stack::plain;
use crate::pool::{Pool, Pooled};
use crate::tree;

/// At one call.
pub(super) fn call(cross: &Cross<'_>) -> Vec<Candidate> {
    replace_call("cross-call", &cross.pool, Pooled::is_foreign)
}

/// At every call of a unit that is used more than once, and as the design's last unit.
pub(super) fn unit(cross: &Cross<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for old in cross.pool.reached() {
        let name = &old.name.text;
        let calls = calls(&cross.pool, name);
        let is_last =
            matches!(cross.pool.genome.field("final"), Some(FieldValue::Unit(last)) if last.name.text == *name);
        if calls.is_empty() || calls.len() + usize::from(is_last) < 2 {
            continue;
        }
        for new in cross.pool.units.iter().filter(|new| new.is_foreign()) {
            if !calls.iter().all(|call| call.admits(new)) {
                continue;
            }
            let sites: Vec<(String, ExprId, Vec<StaticArg>)> = calls
                .iter()
                .map(|site| (site.caller.clone(), site.id, bindings(&cross.pool, site.call, new)))
                .collect();
            let (new, detail) = (Arc::clone(new), format!("{name} -> {} everywhere", new.name));
            all.push(Candidate::new("cross-unit", detail, move |genome| {
                let local = new.bring(genome);
                for (caller, id, statics) in sites {
                    if let Some(unit) = genome.unit_mut(&caller) {
                        tree::edit(unit, id, &mut |e: &mut Expr| redirect(e, &local, &statics));
                    }
                }
                if is_last {
                    genome.set_field("final", FieldValue::Unit(plain(&local)));
                }
            }));
        }
    }
    all
}

/// A call of a unit, and what could stand there.
struct Site<'p> {
    caller: String,
    id: ExprId,
    call: &'p Call,
    admitted: Vec<&'p Arc<Pooled>>,
}

impl Site<'_> {
    fn admits(&self, unit: &Arc<Pooled>) -> bool {
        self.admitted.iter().any(|other| Arc::ptr_eq(other, unit))
    }
}

fn calls<'p>(pool: &'p Pool<'_>, name: &str) -> Vec<Site<'p>> {
    let mut all = Vec::new();
    for caller in pool.reached() {
        for place in places(caller) {
            let ExprKind::Call(call) = &place.expr.kind else { continue };
            if call.head.text == name {
                let admitted = replacements(pool, caller, &place);
                all.push(Site { caller: caller.name.text.clone(), id: place.expr.id, call, admitted });
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{crossing, crossings, design};

    const MIX: &str = "unit Mix(x: Seq[D]) -> Seq[D] { linear[D -> D](shift(Far(x), 1)) }\n\
                       unit Far(x: Seq[D]) -> Seq[D] { tanh(x) }";

    #[test]
    fn a_unit_comes_with_all_it_calls_under_names_that_are_free() {
        let first = design(
            "x + F(RmsNorm(x))",
            "unit F(x: Seq[D]) -> Seq[D] { linear[D -> D](Far(x)) }\n\
                            unit Far(x: Seq[D]) -> Seq[D] { shift(x, 2) }",
        );
        let out = crossing(call, &first, &design("x + Mix(x)", MIX), "B: F -> Mix");
        assert!(out.contains("x + Mix(RmsNorm(x))"), "{out}");
        assert!(out.contains("linear[D -> D](shift(Far2(x), 1))") && out.contains("{\n    tanh(x)\n}"), "{out}");
        assert!(!out.contains("unit F(") && !out.contains("shift(x, 2)"), "what is called no more goes: {out}");
        let both = crossing(call, &first, &design("x + Mix(x)", MIX), "F: Far -> Far");
        assert!(both.contains("linear[D -> D](Far2(x))") && both.contains("unit Far2("), "{both}");
    }

    #[test]
    fn a_unit_is_exchanged_wherever_it_is_used() {
        let first = "use std::{RmsNorm, SwiGlu}\ndesign A { stack = [B*] final = RmsNorm }\n\
                     unit B(x: Seq[D]) -> Seq[D] { x + SwiGlu(RmsNorm(x)) }";
        let second = "use std::{LayerNorm, SwiGlu}\ndesign A { stack = [B*] }\n\
                      unit B(x: Seq[D]) -> Seq[D] { x + SwiGlu(LayerNorm(x)) }";
        let out = crossing(unit, first, second, "RmsNorm -> LayerNorm everywhere");
        assert!(out.contains("final = LayerNorm") && out.contains("SwiGlu(LayerNorm(x))"), "{out}");
        assert!(!out.contains("RmsNorm"), "{out}");
        assert!(crossings(unit, first, first).is_empty(), "nothing is foreign");
    }
}
