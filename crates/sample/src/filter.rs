//! Which tokens may be chosen, and how probable each one is.
//!
//! In: scores and a [`Sampling`]. Out: [`Kept`] tokens, the most probable first. The filters are applied in this order,
//! each to what the one before leaves, in proportion:
//!
//! 1. temperature `T`: `p(i) = exp(s(i) / T) / sum_j exp(s(j) / T)`; `T = 0` keeps the token of the highest score alone;
//! 2. top-k (Fan, Lewis and Dauphin, 2018): the `k` most probable tokens;
//! 3. top-p (Holtzman et al., 2020): the smallest set of most probable tokens whose probabilities add up to `p` or more.
//!
//! Of equally probable tokens the one with the lower number comes first.

use std::fmt;
use std::num::NonZeroUsize;

/// How to choose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    temperature: f64,
    top_k: Option<NonZeroUsize>,
    top_p: f64,
}

impl Sampling {
    /// Checked settings; no `top_k` keeps all tokens, and so does a `top_p` of 1.
    ///
    /// # Errors
    /// Those of [`temperature`] and [`top_p`].
    pub fn new(temperature: f64, top_k: Option<NonZeroUsize>, top_p: f64) -> Result<Self, String> {
        Ok(Self { temperature: self::temperature(temperature)?, top_k, top_p: self::top_p(top_p)? })
    }
}

/// The temperature, if it is one.
///
/// # Errors
/// What was expected, where it is not a finite number of 0 or more.
pub fn temperature(value: f64) -> Result<f64, String> {
    let sound = value.is_finite() && value >= 0.0;
    if sound { Ok(value) } else { Err("expected a number of 0 or more".to_owned()) }
}

/// The mass that top-p keeps, if it is one.
///
/// # Errors
/// What was expected, where it is not above 0 and at most 1.
pub fn top_p(value: f64) -> Result<f64, String> {
    let sound = value > 0.0 && value <= 1.0;
    if sound { Ok(value) } else { Err("expected a number above 0 and at most 1".to_owned()) }
}

/// A token that may be chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kept {
    /// Its number: its place among the scores.
    pub token: usize,
    /// Its probability; those of all kept ones add up to 1.
    pub probability: f64,
}

/// Scores of which one is NaN or infinite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NotFinite {
    /// The token whose score it is.
    pub token: usize,
    /// The score.
    pub score: f32,
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected finite scores, found {} for token {}", self.score, self.token)
    }
}

impl std::error::Error for NotFinite {}

/// The tokens that may be chosen, the most probable first; at least one where there are scores at all.
///
/// # Errors
/// [`NotFinite`] at the first score that is no finite number.
pub fn kept(scores: &[f32], sampling: &Sampling) -> Result<Vec<Kept>, NotFinite> {
    if let Some((token, score)) = scores.iter().enumerate().find(|(_, score)| !score.is_finite()) {
        return Err(NotFinite { token, score: *score });
    }
    let mut kept = weighted(scores, sampling.temperature);
    // Stable: equally probable tokens stay in the order of their numbers.
    kept.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    let k = if sampling.temperature == 0.0 { Some(1) } else { sampling.top_k.map(NonZeroUsize::get) };
    kept.truncate(k.unwrap_or(usize::MAX));
    normalize(&mut kept);
    kept.truncate(nucleus(&kept, sampling.top_p));
    normalize(&mut kept);
    Ok(kept)
}

/// `exp((s - max s) / T)`, or `exp(s - max s)` at temperature 0, where only the order counts.
fn weighted(scores: &[f32], temperature: f64) -> Vec<Kept> {
    let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let scale = if temperature == 0.0 { 1.0 } else { temperature };
    let weight = |(token, score): (usize, &f32)| {
        let below = f64::from(*score) - f64::from(top);
        // A tiny temperature may divide the top's 0 by nothing that a number can hold.
        Kept { token, probability: if below == 0.0 { 1.0 } else { (below / scale).exp() } }
    };
    scores.iter().enumerate().map(weight).collect()
}

fn normalize(kept: &mut [Kept]) {
    let sum: f64 = kept.iter().map(|kept| kept.probability).sum();
    for kept in kept {
        kept.probability /= sum;
    }
}

/// How many of the most probable tokens have the mass `p`.
fn nucleus(kept: &[Kept], p: f64) -> usize {
    // Rounding must not cut the tail where all is asked for.
    if p >= 1.0 {
        return kept.len();
    }
    let mut mass = 0.0;
    let reached = kept.iter().position(|kept| {
        mass += kept.probability;
        mass >= p
    });
    reached.map_or(kept.len(), |last| last + 1)
}
