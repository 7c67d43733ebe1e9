//! Right operands that several sums of products over all positions read: these are packed once for all of them.
//!
//! The gradients of weights that have one input read it in pieces of their rows, and each piece would read it where it lies, in
//! rows of a power of two that share few sets of the nearest cache. It is packed for a block of positions at a time, so that
//! what is packed stays in a near cache, however many positions a step has.

use genesys_kernels::packed_len;

use crate::contract::Contraction;
use crate::kernel::{Products, Shared};
use crate::lower::{Lowering, Use};
use crate::run::products::{BLOCK, ROWS};
use crate::view::{Extent, Place, Spot};

/// The rows of results for which packing is worth its time: below, it is read in too few pieces.
const WORTH: usize = 2 * ROWS;

/// What makes two right operands one: where they lie, and their columns.
type Key = (Spot, usize);

impl Lowering<'_> {
    /// Has right operands packed once that products share.
    pub(crate) fn share(&mut self, Products { plans, shared }: &mut Products) {
        for i in 0..plans.len() {
            let Some(key) = key(&plans[i]).filter(|_| plans[i].packed.is_none()) else { continue };
            let sharing: Vec<usize> = (i..plans.len()).filter(|j| self::key(&plans[*j]) == Some(key)).collect();
            if sharing.iter().map(|j| rows(&plans[*j])).sum::<usize>() < WORTH {
                continue;
            }
            let ((b, n), of) = (key, plans[i].of);
            let out = self.buffer(Use::Inner, packed_len(BLOCK.min(self.shape.positions()), n), of);
            sharing.iter().for_each(|j| plans[*j].packed = Some(out));
            shared.push(Shared { b, n, out, of });
        }
    }
}

/// The right operand of a product, where it is one that can be packed: in f32, with dense columns, without loops around it.
fn key(plan: &Contraction) -> Option<Key> {
    let Extent::Fixed(n) = plan.n.extent else { return None };
    let by_position = plan.k.extent == Extent::Rows && matches!(plan.b.place, Place::Seq { .. });
    let alone = plan.outer.is_empty() && !plan.rounds && !plan.b.narrow;
    (by_position && alone && plan.n.b == 1 && n >= 16).then_some((plan.b, n))
}

fn rows(plan: &Contraction) -> usize {
    match plan.m.extent {
        Extent::Fixed(n) => n,
        Extent::Rows | Extent::Seen => 0,
    }
}
