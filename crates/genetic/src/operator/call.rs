//! Replaces a unit's call by the call of another unit with the same interface: of the parent, of
//! the standard units, or of a donor.
//!
//! Equal interfaces take the same arguments and give the same type, by the substitution lemma of
//! the formal core: no rule looks at a term but at its type. A unit that looks at other positions
//! is not put where a scan's state may flow in, and no unit is made to call itself.

use std::sync::Arc;

use genesys_syntax::ast::{Arg, Call, Expr, ExprKind, StaticArg, Unit};

use super::{Place, places};
use crate::candidate::Candidate;
use crate::interface::Interface;
use crate::pool::{Pool, Pooled};
use crate::tree;

pub(super) fn replace_unit(pool: &Pool<'_>) -> Vec<Candidate> {
    replace_call("replace-unit", pool, |_| true)
}

/// The changes of one call to that of a unit among those that `admits` lets pass.
pub(crate) fn replace_call(
    operator: &'static str,
    pool: &Pool<'_>,
    admits: impl Fn(&Pooled) -> bool,
) -> Vec<Candidate> {
    let mut all = Vec::new();
    for unit in pool.reached() {
        for place in places(unit) {
            let ExprKind::Call(call) = &place.expr.kind else { continue };
            for new in replacements(pool, unit, &place).into_iter().filter(|new| admits(new)) {
                let id = place.expr.id;
                let detail = format!("{} -> {}", call.head.text, new.name);
                let statics = bindings(pool, call, new);
                all.push(Candidate::bringing(operator, new, unit, &detail, move |unit, name| {
                    tree::edit(unit, id, &mut |e| redirect(e, name, &statics));
                }));
            }
        }
    }
    all
}

/// The units that could stand in for the one called at a place in the body of `caller`.
pub(crate) fn replacements<'p>(pool: &'p Pool<'_>, caller: &Unit, place: &Place<'_>) -> Vec<&'p Arc<Pooled>> {
    let ExprKind::Call(call) = &place.expr.kind else { return Vec::new() };
    let Some(callee) = pool.genome.unit(&call.head.text) else { return Vec::new() };
    if call.args.iter().any(|arg| matches!(arg, Arg::Named(..))) {
        return Vec::new();
    }
    let interface = Interface::of(callee);
    let is_block = pool.genome.stack_units().contains(&callee.name.text);
    pool.units
        .iter()
        .filter(|unit| unit.interface == interface && !unit.is_own(&callee.name.text))
        .filter(|unit| unit.fits_in(caller) && unit.is_block == is_block && !(place.in_scan && unit.facts.mixes))
        .collect()
}

/// The static arguments of a call when it is one of another unit of the same interface: axes that
/// the signature names stay bound to what they were, under the other unit's names for them; what
/// else was bound was the old unit's own.
pub(crate) fn bindings(pool: &Pool<'_>, call: &Call, new: &Pooled) -> Vec<StaticArg> {
    let Some(old) = pool.genome.unit(&call.head.text) else { return Vec::new() };
    let axes = Interface::axes(old);
    let bind = |(place, arg): (usize, &StaticArg)| {
        let name = arg.name.as_ref().or_else(|| old.generics.get(place).map(|generic| &generic.name))?;
        let number = axes.iter().position(|axis| *axis == name.text)?;
        Some(StaticArg { name: Some(tree::ident(new.axes.get(number)?)), value: arg.value.clone() })
    };
    call.statics.iter().enumerate().filter_map(bind).collect()
}

/// Makes a call one of another unit of the same interface.
pub(crate) fn redirect(expr: &mut Expr, name: &str, bindings: &[StaticArg]) {
    if let ExprKind::Call(Call { head, statics, .. }) = &mut expr.kind {
        head.text = name.into();
        *statics = bindings.to_vec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{change, changes, design};

    #[test]
    fn units_of_one_interface_stand_in_for_each_other() {
        let out = change(replace_unit, &design("x + SwiGlu(RmsNorm(x))", ""), "B: SwiGlu -> GeGlu");
        assert!(out.contains("x + GeGlu(RmsNorm(x))") && out.contains("use std::{GeGlu, RmsNorm}"), "{out}");
        let out = change(replace_unit, &design("x + SwiGlu(RmsNorm(x))", ""), "B: RmsNorm -> LayerNorm");
        assert!(out.contains("x + SwiGlu(LayerNorm(x))"), "{out}");
    }

    #[test]
    fn axes_of_the_signature_stay_bound() {
        let units = "unit F<H, E, R = 4>(x: Seq[D]) -> Seq[H, E] { linear[R -> H, E](linear[D -> R](x)) }\n\
                     unit G<P = 2, Q = 4, R = 8>(x: Seq[D]) -> Seq[P, Q] { linear[D -> P, Q](tanh(x)) }\n\
                     unit M<H = 2, E = 8>(x: Seq[D]) -> Seq[D] { let g = F<E = E, H = H, R = 2>(x)\n\
                     let f = F<H, E>(x)\nlinear[H, E -> D](g * silu(f) * G<H, E>(x)) }";
        let all = changes(replace_unit, &design("x + M(x)", units));
        let texts: Vec<&str> = all.iter().filter(|(d, _)| d == "M: F -> G").map(|(_, text)| text.as_str()).collect();
        assert!(texts.iter().any(|text| text.contains("let g = G<Q = E, P = H>(x)")), "{texts:?}");
        assert!(texts.iter().any(|text| text.contains("let f = G<P = H, Q = E>(x)")), "{texts:?}");
    }

    #[test]
    fn no_unit_calls_itself_and_none_mixes_in_a_scan() {
        let units = "unit F(x: Seq[D]) -> Seq[D] { G(x) }\nunit G(x: Seq[D]) -> Seq[D] {\n\
                     scan S: [D] = 0 { S <- H(S) + x\nyield S } }\nunit H(x: Seq[D]) -> Seq[D] { tanh(x) }";
        let all = changes(replace_unit, &design("x + F(x)", units));
        assert!(all.iter().any(|(detail, _)| detail == "B: F -> G"), "{all:?}");
        assert!(!all.iter().any(|(detail, _)| detail == "F: G -> F" || detail == "F: G -> B"), "{all:?}");
        assert!(!all.iter().any(|(detail, _)| detail == "G: H -> TokenShift"), "{all:?}");
        assert!(all.iter().any(|(detail, _)| detail == "G: H -> Mlp"), "{all:?}");
    }
}
