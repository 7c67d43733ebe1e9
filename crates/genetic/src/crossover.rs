//! Crossover: one change of one parent, made of what another one is made of.

use std::sync::Arc;

use genesys_check::CheckedDesign;

use crate::brood::Brood;
use crate::context::Context;
use crate::cross::{Cross, candidates};
use crate::genome::{Genome, Source};
use crate::mutate::Room;
use crate::pool::Pool;

/// All offspring that taking over one thing of `second` gives `first`: a unit with all it calls, a
/// block, an order of blocks, a sublayer, an expression. What is taken aligns by interface, so that
/// it is well typed where it is put.
///
/// As with [`mutations`](crate::mutations), the iterator ends when every change was tried, the seed
/// picks the order alone, and hashes differ: from both parents', and from one another. Offspring run
/// at each scale of the context at which `first` runs; the donors of the context are not asked.
/// Designs of one hash have nothing to exchange, and give none.
pub fn crossover(first: &CheckedDesign, second: &CheckedDesign, context: &Context, seed: u64) -> Brood {
    let genome = Genome::expand(first.file(), &context.standard);
    let scales = context.scales_of(first);
    let donor = Arc::new(Source::design(second.file(), &context.standard));
    let pending = if first.hash() == second.hash() {
        Vec::new()
    } else {
        let pool = Pool::new(&genome, std::slice::from_ref(&donor), Room::of(&scales));
        candidates(&Cross { pool, donor: Arc::clone(&donor) })
    };
    Brood::new(&[first, second], genome, scales, pending, context, seed)
}
