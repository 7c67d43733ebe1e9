//! The learning rate of a step: linear warm-up, then a cosine down to a tenth (Loshchilov and Hutter, 2017).
//!
//! In: the peak rate, the number of steps, a step. Out: the rate. Pure.

/// The part of a training in which the rate rises, in steps of 100.
const WARM_UP_PERCENT: u64 = 2;

/// The last step's rate is this part of the peak.
const FLOOR: f64 = 0.1;

/// The rates of one training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    peak: f64,
    steps: u64,
    warm_up: u64,
}

impl Schedule {
    /// The schedule of a training of `steps` steps: the first 2 % of them, and at least one, warm up to `peak`.
    #[must_use]
    pub fn new(peak: f64, steps: u64) -> Self {
        Self { peak, steps, warm_up: (steps * WARM_UP_PERCENT).div_ceil(100).max(1) }
    }

    /// How many steps the rate rises for.
    #[must_use]
    pub fn warm_up(&self) -> u64 {
        self.warm_up
    }

    /// The rate of `step`, from 0: `peak * (step + 1) / warm_up` at first, `peak` in the last step of the warm-up,
    /// then `peak * (0.1 + 0.9 * (1 + cos(pi * p)) / 2)` where `p` runs to 1 at the last step. Never 0.
    #[must_use]
    pub fn rate(&self, step: u64) -> f64 {
        if step < self.warm_up {
            return self.peak * (step + 1) as f64 / self.warm_up as f64;
        }
        let rest = (self.steps.saturating_sub(self.warm_up)).max(1) as f64;
        let progress = ((step - self.warm_up + 1) as f64 / rest).min(1.0);
        self.peak * (FLOOR + (1.0 - FLOOR) * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_to_the_peak_and_falls_to_a_tenth() {
        let schedule = Schedule::new(3e-3, 400);
        let rates: Vec<f64> = (0..400).map(|step| schedule.rate(step)).collect();
        assert_eq!(schedule.warm_up(), 8);
        assert!((rates[0] - 3e-3 / 8.0).abs() < 1e-12);
        assert_eq!(rates[7], 3e-3);
        assert!(rates[..8].windows(2).all(|w| w[0] < w[1]));
        assert!(rates[7..].windows(2).all(|w| w[0] > w[1]));
        assert!((rates[399] - 3e-4).abs() < 1e-12);
        // Half way down the cosine lies the mean of peak and floor.
        assert!((rates[7 + 196] - 3e-3 * 0.55).abs() < 1e-12);
    }

    #[test]
    fn short_trainings_have_a_rate_at_every_step() {
        for steps in 1..5 {
            let schedule = Schedule::new(1.0, steps);
            assert!((0..steps + 2).all(|step| (0.1..=1.0).contains(&schedule.rate(step))), "{steps} steps");
            assert_eq!(schedule.rate(0), 1.0);
        }
    }
}
