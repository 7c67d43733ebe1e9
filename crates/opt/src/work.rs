//! What passes ask of a function: who mentions a value, how many elements it has.

use std::collections::BTreeSet;

use genesys_ir::mentions;
use genesys_ir::module::{Adjoint, Axis, Function, Instruction, Op, Region, StateClass, Type, ValueId};

/// How often each value of a function is named, by its number.
pub(crate) fn counts(function: &Function) -> Vec<u32> {
    let mut counts = vec![0; function.values.len()];
    mentions(&function.body).into_iter().for_each(|id| counts[id.0 as usize] += 1);
    counts
}

/// Whether a function computes what nothing reads.
pub(crate) fn has_dead(function: &Function) -> bool {
    fn dead(region: &Region, counts: &[u32]) -> bool {
        region.instructions.iter().any(|Instruction { op, results, .. }| {
            let mut unread = results.iter().map(|id| counts[id.0 as usize] == 0);
            match op {
                Op::Past { body, .. } | Op::Scan { body, .. } => unread.any(|unread| unread) || dead(body, counts),
                _ => unread.all(|unread| unread),
            }
        })
    }
    dead(&function.body, &counts(function))
}

/// A new value of a function.
pub(crate) fn value(values: &mut Vec<Type>, ty: Type) -> ValueId {
    values.push(ty);
    ValueId(values.len() as u32 - 1)
}

/// How many elements a value has at one position; nothing where that grows with the position.
pub(crate) fn elements(axes: &[Axis], ty: &Type) -> Option<u64> {
    ty.axes.iter().try_fold(1u64, |product, axis| {
        let size = axes[axis.0 as usize].domain.size()?.as_int()?;
        Some(product.saturating_mul(u64::try_from(size).ok()?))
    })
}

/// The updates of the states of scans of class `diagonal`: maps whose form says what is decay and what is written.
pub(crate) fn updates(region: &Region) -> BTreeSet<ValueId> {
    let scans = region.instructions.iter().filter_map(|instruction| match &instruction.op {
        Op::Scan { class: StateClass::Diagonal, states, .. } => Some(states),
        _ => None,
    });
    scans.flatten().map(|state| state.next).collect()
}

/// Whether an instruction, or one within it, gives a sum over positions, complete only where its region ends.
pub(crate) fn gathers(Instruction { op, .. }: &Instruction) -> bool {
    match op {
        Op::Adjoint(op) => Adjoint::gathers(op),
        Op::Past { body, .. } | Op::Scan { body, .. } => body.instructions.iter().any(gathers),
        _ => false,
    }
}

/// The regions within an instruction.
pub(crate) fn inner(op: &mut Op) -> Option<&mut Region> {
    match op {
        Op::Past { body, .. } | Op::Scan { body, .. } | Op::Grad { body, .. } => Some(body),
        _ => None,
    }
}
