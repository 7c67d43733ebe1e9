//! A map and its operands.
//!
//! In: an expression, operands, types. Out: the same map, each operand named once, none that it can do without.

use genesys_ir::module::{AxisId, Expr, Type, ValueId};

use crate::expr::{operands, replaced};

/// A map: an expression and what its operands are.
pub(crate) type Mapped = (Expr, Vec<ValueId>);

/// The map with operand `which` in all its places replaced by another map of the same axes; each operand is named once.
pub(crate) fn inlined((expr, args): &Mapped, which: ValueId, (inner, inner_args): &Mapped) -> Mapped {
    let mut all: Vec<ValueId> = Vec::new();
    for arg in args {
        let of = if *arg == which { inner_args.as_slice() } else { std::slice::from_ref(arg) };
        of.iter().for_each(|id| _ = numbered(&mut all, *id));
    }
    let at = |id: ValueId| Expr::Arg(all.iter().position(|known| *known == id).expect("every operand was numbered"));
    let inner = replaced(inner, &|i| at(inner_args[i]));
    (replaced(expr, &|i| if args[i] == which { inner.clone() } else { at(args[i]) }), all.clone())
}

/// The number of an operand, which is added where it is new.
pub(crate) fn numbered(all: &mut Vec<ValueId>, id: ValueId) -> usize {
    all.iter().position(|known| *known == id).unwrap_or_else(|| {
        all.push(id);
        all.len() - 1
    })
}

/// The map without operands that it neither reads nor needs for the axes and the stage of its result; a map has at least one.
pub(crate) fn needed(types: &[Type], result: &Type, (expr, args): &Mapped) -> Mapped {
    let mut read = vec![false; args.len()];
    operands(expr, &mut |i| read[i] = true);
    let mut kept: Vec<ValueId> = Vec::new();
    for (id, _) in args.iter().zip(&read).filter(|(_, read)| **read) {
        numbered(&mut kept, *id);
    }
    for (id, _) in args.iter().zip(&read).filter(|(_, read)| !**read) {
        if kept.is_empty() || adds(types, &kept, *id) {
            kept.push(*id);
        }
    }
    // An operand that was needed when it came may be covered by those behind it.
    for i in (0..kept.len()).rev() {
        let rest: Vec<ValueId> = kept.iter().copied().filter(|id| *id != kept[i]).collect();
        let unread = !args.iter().zip(&read).any(|(id, read)| *read && *id == kept[i]);
        if unread && !rest.is_empty() && covers(types, &rest, result) {
            kept.remove(i);
        }
    }
    // The order stays that of the operands, for people and for equal maps.
    let mut ordered: Vec<ValueId> = Vec::new();
    for id in args.iter().filter(|id| kept.contains(id)) {
        numbered(&mut ordered, *id);
    }
    let at = |id: ValueId| ordered.iter().position(|known| *known == id).expect("an operand that is read is kept");
    (replaced(expr, &|i| Expr::Arg(at(args[i]))), ordered)
}

fn adds(types: &[Type], kept: &[ValueId], id: ValueId) -> bool {
    !covers(types, kept, &types[id.0 as usize])
}

/// Whether values have all axes of a type, and its stage, between them.
pub(crate) fn covers(types: &[Type], values: &[ValueId], ty: &Type) -> bool {
    let has = |axis: &AxisId| values.iter().any(|id| types[id.0 as usize].axes.contains(axis));
    values.iter().any(|id| types[id.0 as usize].stage >= ty.stage) && ty.axes.iter().all(has)
}
