//! The choice of a token.
//!
//! In: scores, a [`Sampling`], a seed, a step. Out: the token whose stretch of the unit interval holds the point that
//! seed and step give; the stretches are as long as the tokens are probable.

use genesys_random::{at, mix, unit};

use crate::filter::{NotFinite, Sampling, kept};

/// Keeps the points of this crate apart from what else is drawn from the same seed.
const PURPOSE: u64 = 0x73_616d_706c_6500;

/// The token at `step` (from 0); none where there are no scores.
///
/// # Errors
/// [`NotFinite`] at the first score that is no finite number.
pub fn draw(scores: &[f32], sampling: &Sampling, seed: u64, step: u64) -> Result<Option<usize>, NotFinite> {
    let kept = kept(scores, sampling)?;
    let point = unit(at(mix(seed ^ PURPOSE), step));
    let mut mass = 0.0;
    let hit = kept.iter().find(|kept| {
        mass += kept.probability;
        point < mass
    });
    // Where rounding leaves a gap behind the last stretch, the last one reaches over it.
    Ok(hit.or(kept.last()).map(|kept| kept.token))
}
