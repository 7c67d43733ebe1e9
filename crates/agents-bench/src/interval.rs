//! Intervals of 95 % and a test, as functions of counts and values.
//!
//! Rates have Wilson's interval, differences of paired rates Newcombe's, means a bootstrap by percentiles. Nothing is assumed of how values are
//! spread. With few values a bootstrap is narrow: of 20 values of a long tail its interval holds the mean in 9 of 10 samples rather than 19 of 20.

/// The normal quantile of 97.5 %.
const Z: f64 = 1.959_963_984_540_054;

/// How often the bootstrap draws a sample.
const SAMPLES: u64 = 10_000;

/// From where to where.
pub type Interval = (f64, f64);

/// The rate of `hits` among `of` (Wilson, 1927): `(p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4 n^2)) / (1 + z^2 / n)`; of nothing, `(0, 1)`.
#[must_use]
pub fn wilson(hits: u64, of: u64) -> Interval {
    if of == 0 {
        return (0.0, 1.0);
    }
    let (n, p) = (of as f64, hits as f64 / of as f64);
    let (center, scale) = (p + Z * Z / (2.0 * n), 1.0 + Z * Z / n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let low = if hits == 0 { 0.0 } else { (center - half) / scale };
    let high = if hits == of { 1.0 } else { (center + half) / scale };
    (low, high)
}

/// How pairs of outcomes fall: the first alone is a hit, the second alone, both, neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pairs {
    /// Both are hits.
    pub both: u64,
    /// The first alone is.
    pub first: u64,
    /// The second alone is.
    pub second: u64,
    /// Neither is.
    pub neither: u64,
}

impl Pairs {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.both + self.first + self.second + self.neither
    }

    /// The rate of the first less that of the second; 0 of no pairs.
    #[must_use]
    pub fn difference(&self) -> f64 {
        if self.count() == 0 { 0.0 } else { (self.first as f64 - self.second as f64) / self.count() as f64 }
    }

    /// McNemar's test, exact: how probable pairs that differ are to fall at least so unevenly if both rates are one (binomial, two-sided).
    #[must_use]
    pub fn probability(&self) -> f64 {
        let n = self.first + self.second;
        let least = self.first.min(self.second);
        // log of n! / (k! (n - k)!), one factor at a time: no number overflows.
        let mut log_choose = 0.0;
        let mut sum = 0.0;
        for k in 0..=least {
            if k > 0 {
                log_choose += ((n - k + 1) as f64 / k as f64).ln();
            }
            sum += (log_choose - n as f64 * std::f64::consts::LN_2).exp();
        }
        (2.0 * sum).min(1.0)
    }

    /// The interval of the difference (Newcombe, 1998, method 10): of Wilson's intervals of both rates and of how they go together.
    #[must_use]
    pub fn interval(&self) -> Interval {
        let n = self.count();
        if n == 0 {
            return (-1.0, 1.0);
        }
        let (first, second) = (self.both + self.first, self.both + self.second);
        let (p, q) = (first as f64 / n as f64, second as f64 / n as f64);
        let ((p_low, p_high), (q_low, q_high)) = (wilson(first, n), wilson(second, n));
        let together = self.correlation();
        let half = |a: f64, b: f64| (a * a - 2.0 * together * a * b + b * b).max(0.0).sqrt();
        let difference = self.difference();
        ((difference - half(p - p_low, q_high - q)).max(-1.0), (difference + half(p_high - p, q - q_low)).min(1.0))
    }

    /// The correlation of both outcomes; a positive one is taken a little smaller, as the method says, and it is 0 where one does not vary.
    fn correlation(&self) -> f64 {
        let [a, b, c, d] = [self.both, self.first, self.second, self.neither].map(|count| count as f64);
        let n = a + b + c + d;
        let spread = ((a + b) * (c + d) * (a + c) * (b + d)).sqrt();
        if spread == 0.0 {
            return 0.0;
        }
        let product = a * d - b * c;
        if product > 0.0 { (product - n / 2.0).max(0.0) / spread } else { product / spread }
    }
}

/// The mean; 0 of nothing.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// The interval of the mean: from the 2.5th to the 97.5th percentile of the means of 10,000 samples, drawn with replacement by `seed`.
#[must_use]
pub fn bootstrap(values: &[f64], seed: u64) -> Interval {
    if values.is_empty() {
        return (0.0, 0.0);
    }
    let n = values.len() as u64;
    let state = genesys_random::mix(seed);
    let sample = |sample: u64| {
        let places = (0..n).map(|i| genesys_random::at(state, sample * n + i) % n);
        places.map(|place| values[place as usize]).sum::<f64>() / n as f64
    };
    let mut means: Vec<f64> = (0..SAMPLES).map(sample).collect();
    means.sort_by(f64::total_cmp);
    let at = |part: f64| means[((SAMPLES - 1) as f64 * part).round() as usize];
    (at(0.025), at(0.975))
}
