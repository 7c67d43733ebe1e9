//! Samples of sides in turn, and their middle and spread.
//!
//! In: sides that are ready. Out: what each took. They take turns, so that what else the machine does moves all alike.

use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use super::side::{Answer, Side};

/// Samples of each side.
pub(super) const PAIRS: usize = 10;

/// Between two sides, so that threads that still spin go to sleep.
const PAUSE: Duration = Duration::from_millis(5);

/// What one side took.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples {
    /// Milliseconds of each sample, in order of size.
    pub(super) wall: Vec<f64>,
    /// Milliseconds of processor time a step, on average.
    pub(super) processor: f64,
}

impl Samples {
    /// The middle.
    pub(super) fn median(&self) -> f64 {
        quantile(&self.wall, 0.5)
    }

    /// The first and the third quarter.
    pub(super) fn spread(&self) -> (f64, f64) {
        (quantile(&self.wall, 0.25), quantile(&self.wall, 0.75))
    }
}

/// The value below which the part `q` of `sorted` lies, between neighbors in proportion; NaN of none.
pub(super) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * sorted.len().saturating_sub(1) as f64;
    let value = |i: usize| sorted.get(i).copied().unwrap_or(f64::NAN);
    let (below, above) = (value(place.floor() as usize), value(place.ceil() as usize));
    below + (above - below) * place.fract()
}

/// Lets the sides take turns, `pairs` times, `steps` steps each.
pub(super) fn alternate(sides: &mut [Side], pairs: usize, steps: u32) -> Result<Vec<Samples>, String> {
    let mut all = vec![Samples::default(); sides.len()];
    for _ in 0..pairs {
        for (side, samples) in sides.iter_mut().zip(&mut all) {
            let before = side.processor();
            samples.wall.push(step(side, steps)?);
            samples.processor += (side.processor() - before) / (pairs as f64 * f64::from(steps));
            sleep(PAUSE);
        }
    }
    for samples in &mut all {
        samples.wall.sort_by(f64::total_cmp);
    }
    Ok(all)
}

/// Milliseconds a step, of `steps`.
pub(super) fn step(side: &mut Side, steps: u32) -> Result<f64, String> {
    match side.ask(&json!({ "step": steps }))? {
        Answer::Done(line) => Ok(line["milliseconds"].as_f64().unwrap_or(f64::NAN)),
        Answer::Refused(why) => Err(format!("versus: the side `{}` cannot go on: {why}", side.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbors() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        assert_eq!(quantile(&sorted, 0.0), 1.0);
        assert_eq!(quantile(&sorted, 0.5), 3.0);
        assert_eq!(quantile(&sorted, 1.0), 8.0);
        assert_eq!(quantile(&[5.0], 0.95), 5.0);
        assert!(quantile(&[], 0.5).is_nan());
    }
}
