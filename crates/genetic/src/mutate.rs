//! Mutation: one change of one parent at a time.

use std::sync::Arc;

use genesys_check::CheckedDesign;
use genesys_ladder::Scale;

use crate::brood::Brood;
use crate::context::Context;
use crate::genome::Genome;
use crate::operator::candidates;
use crate::pool::Pool;

/// All offspring that one change of `parent` gives, in an order drawn from `seed`.
///
/// The iterator ends when every change was tried: its length is the number of distinct offspring
/// that exist, and is the same for every seed. An operator is drawn first, then one of its changes,
/// so that operators with many changes do not crowd out the others.
pub fn mutations(parent: &CheckedDesign, context: &Context, seed: u64) -> Brood {
    let genome = Genome::expand(parent.file(), &context.standard);
    let scales = context.scales_of(parent);
    let sources: Vec<_> = [&context.standard].into_iter().chain(context.donors.iter()).map(Arc::clone).collect();
    let pending = candidates(&Pool::new(&genome, &sources, Room::of(&scales)));
    Brood::new(&[parent], genome, scales, pending, context, seed)
}

/// What the scales leave room for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Most entries of a stack: what the shallowest scale has blocks for.
    pub(crate) depth: u64,
    /// What every width is a multiple of.
    pub(crate) divisor: u64,
}

impl Room {
    /// The room at all of these scales.
    pub(crate) fn of(scales: &[Scale]) -> Room {
        let depth = scales.iter().map(|scale| scale.blocks).min().unwrap_or(1);
        Room { depth, divisor: scales.iter().map(|scale| scale.width).fold(0, gcd) }
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
