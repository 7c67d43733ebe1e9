//! Makes a stack hybrid: copies its one block, replaces a unit that mixes positions in the copy,
//! and lets both share the stack.
//!
//! The copy has the block's type, and the unit in it the interface of the one it replaces.

use std::sync::Arc;

use genesys_syntax::ast::{ExprKind, FieldValue, StaticArg, Unit, UnitRef};

use super::call::{bindings, redirect, replacements};
use super::stack::{Pattern, plain};
use super::{Place, places};
use crate::candidate::Candidate;
use crate::genome::{Genome, unit_refs};
use crate::pool::{Pool, Pooled};
use crate::tree;

pub(super) fn add_block_variant(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    if pool.genome.has_side_values() {
        return all;
    }
    let mut stacked = Vec::new();
    unit_refs(pool.genome.stack(), &mut |unit| stacked.push(unit));
    let [only] = stacked.as_slice() else { return all };
    let Some(block) = pool.genome.unit(&only.name.text).filter(|_| pool.room.depth >= 2) else { return all };
    for (nth, place) in places(block).into_iter().enumerate() {
        let ExprKind::Call(call) = &place.expr.kind else { continue };
        if !pool.facts_of(&call.head.text).mixes {
            continue;
        }
        for new in variants(pool, block, &place) {
            for (pattern, new_first) in Pattern::ALL.into_iter().flat_map(|p| [(p, false), (p, true)]) {
                let old = &block.name.text;
                let detail = format!("{}: {old} with {} for {}", pattern.title(), new.name, call.head.text);
                let (only, new, statics) = ((*only).clone(), Arc::clone(new), bindings(pool, call, new));
                all.push(Candidate::new("add-block-variant", detail, move |genome| {
                    vary(genome, &only, (nth, statics), &new, pattern, new_first);
                }));
            }
        }
    }
    all
}

/// What may stand in for a unit that mixes positions: other units that do, or any that project
/// where there is none.
fn variants<'p>(pool: &'p Pool<'_>, block: &Unit, place: &Place<'_>) -> Vec<&'p Arc<Pooled>> {
    let mut all = replacements(pool, block, place);
    all.retain(|unit| unit.facts.projects);
    if all.iter().any(|unit| unit.facts.mixes) {
        all.retain(|unit| unit.facts.mixes);
    }
    all
}

fn vary(
    genome: &mut Genome,
    old: &UnitRef,
    (nth, statics): (usize, Vec<StaticArg>),
    new: &Pooled,
    pattern: Pattern,
    new_first: bool,
) {
    let local = new.bring(genome);
    let Some(copy) = genome.duplicate(&old.name.text) else { return };
    if let Some(unit) = genome.unit_mut(&copy) {
        // The copy's expressions have numbers of their own, in the order of the original's.
        let id = places(unit)[nth].expr.id;
        tree::edit(unit, id, &mut |e| redirect(e, &local, &statics));
    }
    let variant = UnitRef { statics: old.statics.clone(), ..plain(&copy) };
    let (a, b) = if new_first { (variant, old.clone()) } else { (old.clone(), variant) };
    genome.set_field("stack", FieldValue::Stack(pattern.write(a, b)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{change, changes, design};

    #[test]
    fn the_variant_is_a_copy_with_another_mixer() {
        let units = "unit F(x: Seq[D]) -> Seq[D] { linear[D -> D](shift(x, 1)) }";
        let text = design("x + F(RmsNorm(x))", units);
        let out = change(add_block_variant, &text, "in turn: B with Attention for F");
        assert!(out.contains("stack = [[B, B2]*]"), "{out}");
        assert!(out.contains("x + F(RmsNorm(x))") && out.contains("x + Attention(RmsNorm(x))"), "{out}");
        assert_eq!(changes(add_block_variant, &out).len(), 0, "two blocks are enough");
    }
}
