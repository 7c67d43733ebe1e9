//! Doubles or halves a size: a head's, a key's, a hidden width's, by a literal of a static
//! parameter's default, of a declared axis or of a static argument.
//!
//! Sizes are no part of a type. What ties sizes together is regrouping and renaming, whose sides must
//! multiply out: in a unit that does either, all literals of one value change together, and none alone.
//! An axis that counts values (stacked, joined, cut or taken from) keeps its size, and so does one that
//! a block hands to another, or gets from it.

use std::collections::{BTreeMap, BTreeSet};

use genesys_syntax::ast::{ExprKind, GenericKind, Size, SizeFn, SizeKind, SizeOp, Slot, Unit};

use super::{Place, places};
use crate::candidate::Candidate;
use crate::pool::Pool;
use crate::tree;

/// Largest literal that operators grow a size to.
const LARGEST: u64 = 256;
/// Smallest that they shrink one to which was at least as large.
const SMALLEST: u64 = 4;

pub(super) fn resize(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    let blocks = pool.genome.stack_units();
    for unit in pool.reached() {
        let literals = literals(unit);
        let mut by_value: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (index, literal) in literals.iter().enumerate() {
            by_value.entry(literal.value).or_default().push(index);
        }
        let mut fixed = counting(unit);
        if blocks.contains(&unit.name.text) {
            fixed.append(&mut handed(unit));
        }
        let ties = |place: &Place<'_>| matches!(place.expr.kind, ExprKind::Regroup { .. } | ExprKind::Rename { .. });
        let regroups = places(unit).iter().any(ties);
        let alone = (0..literals.len()).filter(|_| !regroups).map(|index| vec![index]);
        let together = by_value.into_values().filter(|group| group.len() > 1 || regroups);
        for group in alone.chain(together) {
            let value = literals[group[0]].value;
            for new in steps(value) {
                let admits = |index: &usize| literals[*index].admits(new, pool.room.divisor);
                let is_fixed = |index: &usize| fixed.contains(literals[*index].name.as_str());
                if !group.iter().all(admits) || group.iter().any(is_fixed) {
                    continue;
                }
                let names: Vec<&str> = group.iter().map(|&index| literals[index].name.as_str()).collect();
                let detail = format!("{value} in {} -> {new}", names.join(", "));
                let group = group.clone();
                all.push(Candidate::in_unit("resize", unit, &detail, move |unit| set(unit, &group, new)));
            }
        }
    }
    all
}

/// The axes whose size says how many values there are.
fn counting(unit: &Unit) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    tree::visit(&unit.body, &mut |e| {
        let ExprKind::Call(call) = &e.kind else { return };
        if !matches!(call.head.text.as_str(), "stack" | "take" | "concat" | "cut" | "top") {
            return;
        }
        match &call.slot {
            Some(Slot::Axes(axes)) => tree::axis_names(axes, &mut names),
            // Not more may be picked than there are.
            Some(Slot::Of { made, axis }) => names.extend([made.text.as_str(), axis.text.as_str()]),
            Some(Slot::Map { from, to, .. }) => names.extend(from.iter().chain(to).map(|axis| axis.text.as_str())),
            None => {}
        }
    });
    names
}

/// The sizes of the values beside the main one that a block gives or takes: another block has them too.
fn handed(unit: &Unit) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    let taken = unit.params.iter().skip(1).map(|param| &param.ty);
    taken.chain(unit.further.iter().map(|result| &result.ty)).for_each(|ty| tree::axis_names(&ty.axes, &mut names));
    for generic in unit.generics.iter().rev() {
        if let GenericKind::Axis(Some(size)) | GenericKind::Size(Some(size)) = &generic.kind
            && names.contains(generic.name.text.as_str())
        {
            tree::size_names(size, &mut names);
        }
    }
    names
}

fn steps(value: u64) -> Vec<u64> {
    let floor = if value >= SMALLEST { SMALLEST } else { 1 };
    let half = (value.is_multiple_of(2) && value / 2 >= floor).then_some(value / 2);
    let double = (value * 2 <= LARGEST).then_some(value * 2);
    half.into_iter().chain(double).collect()
}

/// A literal in a size.
struct Literal {
    /// What has the size.
    name: String,
    value: u64,
    role: Role,
}

/// What a literal does in its size.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It is a size, a term or a factor.
    Free,
    /// It divides, exactly.
    Divisor,
    /// It rounds, or divides within a rounding: left alone.
    Fixed,
}

impl Literal {
    fn admits(&self, new: u64, divisor: u64) -> bool {
        match self.role {
            Role::Free => true,
            Role::Divisor => divisor.is_multiple_of(new),
            Role::Fixed => false,
        }
    }
}

/// The literals of a unit, in the order in which [`set`] counts them.
fn literals(unit: &Unit) -> Vec<Literal> {
    let mut all = Vec::new();
    // The walk is shared with `set`, which changes what it meets.
    tree::sizes_mut(&mut unit.clone(), &mut |name, size| {
        each_literal(size, Role::Free, &mut |value, role| {
            all.push(Literal { name: name.into(), value: *value, role });
        });
    });
    all
}

fn set(unit: &mut Unit, which: &[usize], new: u64) {
    let mut index = 0;
    tree::sizes_mut(unit, &mut |_, size| {
        each_literal(size, Role::Free, &mut |value, _| {
            if which.contains(&index) {
                *value = new;
            }
            index += 1;
        });
    });
}

fn each_literal(size: &mut Size, role: Role, see: &mut dyn FnMut(&mut u64, Role)) {
    match &mut size.kind {
        SizeKind::Int(value) => see(value, role),
        SizeKind::Name(_) => {}
        SizeKind::Binary(op, a, b) => {
            let right = match (op, role) {
                (SizeOp::Div, Role::Free) => Role::Divisor,
                (SizeOp::Rem, _) | (_, Role::Fixed) => Role::Fixed,
                (SizeOp::Add | SizeOp::Sub | SizeOp::Mul | SizeOp::Div, Role::Free | Role::Divisor) => role,
            };
            each_literal(a, role, see);
            each_literal(b, right, see);
        }
        SizeKind::Call(function, a, b) => {
            let (left, right) = match function {
                SizeFn::CeilTo => (role, Role::Fixed),
                SizeFn::Min | SizeFn::Max => (role, role),
            };
            each_literal(a, left, see);
            each_literal(b, right, see);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{change, changes, design};

    #[test]
    fn literals_are_doubled_and_halved_within_limits() {
        let units = "unit F<K = D / 32, V = 4, R = 256>(x: Seq[D]) -> Seq[D] {\n\
                     linear[K, V, R -> D](tanh(linear[D -> K, V, R](x))) }";
        let details: Vec<String> =
            changes(resize, &design("x + F(x)", units)).into_iter().map(|(detail, _)| detail).collect();
        let expected = ["32 in K -> 16", "32 in K -> 64", "4 in V -> 8", "256 in R -> 128"];
        assert_eq!(details, expected.map(|detail| format!("F: {detail}")));
    }

    #[test]
    fn axes_that_count_values_keep_their_size() {
        let units = "unit F(x: Seq[D]) -> Seq[D] { axis Two = 2\ntake[Two](stack[Two](x, tanh(x)), 0) }";
        assert!(changes(resize, &design("x + F(x)", units)).is_empty());
    }

    #[test]
    fn sizes_that_a_regrouping_ties_change_together() {
        let units = "unit F<H = D / 16, E = 16>(x: Seq[D]) -> Seq[D] { [H, E -> D](tanh([D -> H, E](x))) }";
        let out = change(resize, &design("x + F(x)", units), "F: 16 in H, E -> 32");
        assert!(out.contains("H = D / 32, E = 32"), "{out}");
        assert_eq!(changes(resize, &design("x + F(x)", units)).len(), 2);
    }

    #[test]
    fn sizes_that_a_renaming_ties_change_together() {
        let units = "unit F<K = 16, E = 16>(x: Seq[D]) -> Seq[D] {\n\
                     linear[E -> D](shift(linear[D -> K](x) as [K -> E], 1)) }";
        let details: Vec<String> =
            changes(resize, &design("x + F(x)", units)).into_iter().map(|(detail, _)| detail).collect();
        assert_eq!(details, ["F: 16 in K, E -> 8", "F: 16 in K, E -> 32"]);
    }

    #[test]
    fn what_blocks_hand_to_one_another_keeps_its_size() {
        let text = "design A { stack = [First, Later*] }\n\
                    unit First<K = 8>(x: Seq[D]) -> (Seq[D], v: Seq[K]) { let v = linear[D -> K](x)\n(shift(x, 1), v) }\n\
                    unit Later<K = 8, R = 4>(x: Seq[D], v: Seq[K]) -> Seq[D] {\n\
                    x + linear[K -> D](v) + linear[R -> D](tanh(linear[D -> R](x))) }";
        let details: Vec<String> = changes(resize, text).into_iter().map(|(detail, _)| detail).collect();
        assert_eq!(details, ["Later: 4 in R -> 8"]);
    }
}
