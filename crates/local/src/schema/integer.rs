//! Whole numbers between two bounds, by their digits.

/// No number: nothing lies between the bounds.
const NOTHING: &str = "[]";

/// The whole numbers from one to another.
pub(super) fn between(least: i128, most: i128) -> String {
    let mut ways = Vec::new();
    if least < 0 {
        let (from, to) = (most.min(-1).unsigned_abs(), least.unsigned_abs());
        ways.extend(digits(from, to).into_iter().map(|way| format!("\"-\" {way}")));
    }
    if most >= 0 {
        ways.extend(digits(least.max(0).unsigned_abs(), most.unsigned_abs()));
    }
    if ways.is_empty() { NOTHING.to_owned() } else { ways.join(" | ") }
}

/// All numbers from one whole number to another.
pub(super) fn with_fractions(least: i128, most: i128) -> String {
    let mut ways = vec![between(least, most)];
    if least < 0 {
        // `-3.5` begins with the whole number next to it towards 0, which is `-0` next to 0.
        let (from, to) = ((-most).max(0).unsigned_abs(), (-least).unsigned_abs() - 1);
        ways.extend(digits(from, to).into_iter().map(|way| format!("\"-\" {way} fraction")));
    }
    if most > 0 {
        let (from, to) = (least.max(0).unsigned_abs(), most.unsigned_abs() - 1);
        ways.extend(digits(from, to).into_iter().map(|way| format!("{way} fraction")));
    }
    ways.retain(|way| way != NOTHING);
    if ways.is_empty() { NOTHING.to_owned() } else { ways.join(" | ") }
}

/// The ways to write the numbers from one to another.
fn digits(least: u128, most: u128) -> Vec<String> {
    let mut ways = Vec::new();
    let (mut from, mut power) = (least, 10);
    while from <= most {
        while power <= from {
            power *= 10;
        }
        let to = most.min(power - 1);
        same_length(&from.to_string(), &to.to_string(), "", &mut ways);
        from = to + 1;
    }
    ways
}

/// The ways to write the numbers from one to another of as many digits, behind others.
fn same_length(least: &str, most: &str, before: &str, ways: &mut Vec<String>) {
    let ((low, least), (high, most)) = (least.split_at(least.len().min(1)), most.split_at(most.len().min(1)));
    if least.is_empty() {
        return ways.push(format!("{before}[{low}-{high}]"));
    }
    if low == high {
        return same_length(least, most, &format!("{before}\"{low}\" "), ways);
    }
    let tail = least.len();
    let (mut low, mut high) = (low.to_owned(), high.to_owned());
    if least.bytes().any(|digit| digit != b'0') {
        same_length(least, &"9".repeat(tail), &format!("{before}\"{low}\" "), ways);
        low = next(&low, 1);
    }
    let cut = most.bytes().any(|digit| digit != b'9').then(|| high.clone());
    if cut.is_some() {
        high = next(&high, -1);
    }
    if low <= high {
        ways.push(format!("{before}[{low}-{high}] [0-9]{{{tail}}}"));
    }
    if let Some(high) = cut {
        same_length(&"0".repeat(tail), most, &format!("{before}\"{high}\" "), ways);
    }
}

/// The digit that lies so far behind another.
fn next(digit: &str, by: i8) -> String {
    let digit: i8 = digit.parse().expect("it is a digit");
    (digit + by).to_string()
}
