//! Numbers as people read them.

/// `1,234,567`
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `512 B`, `16.5 KiB`, `3.0 MiB`
#[must_use]
pub fn bytes(number: u64) -> String {
    match number {
        0..1024 => format!("{number} B"),
        1024..1_048_576 => format!("{:.1} KiB", number as f64 / 1024.0),
        _ => format!("{:.1} MiB", number as f64 / 1_048_576.0),
    }
}

/// `1 seed`, `2 seeds`
#[must_use]
pub fn count(number: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// The first letters of a hash: enough to tell the designs of a run apart.
#[must_use]
pub fn short_hash(hash: &str) -> String {
    hash.chars().take(11).collect()
}

/// A tick of an axis: `0`, `800`, `51.2k`, `1.5M`
#[must_use]
pub(crate) fn short(number: f64) -> String {
    let scaled = [(1e9, "G"), (1e6, "M"), (1e3, "k")].into_iter().find(|(unit, _)| number.abs() >= *unit);
    let (unit, letter) = scaled.unwrap_or((1.0, ""));
    format!("{}{letter}", (number / unit * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_bytes_have_units() {
        assert_eq!([0, 999, 1000, 12_345_678].map(grouped), ["0", "999", "1,000", "12,345,678"]);
        assert_eq!([0, 1023, 1024, 1 << 20].map(bytes), ["0 B", "1023 B", "1.0 KiB", "1.0 MiB"]);
        assert_eq!([0, 1, 2].map(|n| count(n, "seed")), ["0 seeds", "1 seed", "2 seeds"]);
    }

    #[test]
    fn ticks_are_short() {
        assert_eq!([0.0, 0.25, 800.0, 51_200.0, 1.5e6, 2e9].map(short), ["0", "0.25", "800", "51.2k", "1.5M", "2G"]);
    }
}
