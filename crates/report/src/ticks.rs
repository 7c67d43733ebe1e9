//! Round numbers for an axis, and classes of a value among others.

/// Multiples of 1, 2 or 5 times a power of ten within `[low, high]`, at most `most` of them.
pub(crate) fn ticks(low: f64, high: f64, most: usize) -> Vec<f64> {
    let span = high - low;
    if !(span.is_finite() && span > 0.0) || most == 0 {
        return Vec::new();
    }
    let power = 10_f64.powf((span / most as f64).log10().floor());
    let count = |step: f64| ((high / step).floor() - (low / step).ceil()) as usize + 1;
    let steps = [1.0, 2.0, 5.0, 10.0, 20.0].map(|times| times * power);
    let step = steps.into_iter().find(|step| count(*step) <= most).unwrap_or(span);
    let first = (low / step).ceil() as i64;
    // From whole numbers, so that no rounding adds up.
    (0..count(step) as i64).map(|i| (first + i) as f64 * step).collect()
}

/// The class of `value` among `sorted` values, from 0: each of `classes` holds about as many.
pub(crate) fn class(sorted: &[f64], value: f64, classes: usize) -> usize {
    let below = sorted.partition_point(|other| *other < value);
    (below * classes / sorted.len().max(1)).min(classes.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_not_too_many() {
        assert_eq!(ticks(0.0, 102_400.0, 6), [0.0, 20_000.0, 40_000.0, 60_000.0, 80_000.0, 100_000.0]);
        assert_eq!(ticks(3.2, 6.9, 6), [4.0, 5.0, 6.0]);
        for (low, high) in [(0.0, 1.0), (-3.0, 8.5), (1e-9, 2e-9), (4.0, 4.001), (0.0, 99.0)] {
            let found = ticks(low, high, 6);
            assert!((2..=6).contains(&found.len()), "{low} to {high}: {found:?}");
            assert!(found.iter().all(|tick| (low..=high).contains(tick)), "{low} to {high}: {found:?}");
        }
        assert_eq!(ticks(1.0, 1.0, 5), [0.0; 0]);
        assert_eq!(ticks(0.0, f64::INFINITY, 5), [0.0; 0]);
    }

    #[test]
    fn classes_hold_equally_many() {
        let values: Vec<f64> = (0..10).map(f64::from).collect();
        let classes: Vec<usize> = values.iter().map(|value| class(&values, *value, 5)).collect();
        assert_eq!(classes, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
        assert_eq!(class(&[1.0, 1.0, 1.0], 1.0, 5), 0);
        assert_eq!(class(&[], 1.0, 5), 0);
    }
}
