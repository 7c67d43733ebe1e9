//! Sets of bytes, and characters as sequences of them.

use std::fmt;

/// A set of bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ByteSet([u64; 4]);

impl ByteSet {
    /// The bytes from one to another, both in it.
    #[must_use]
    pub fn range(low: u8, high: u8) -> Self {
        let mut set = Self::default();
        (low..=high).for_each(|byte| set.0[usize::from(byte >> 6)] |= 1 << (byte & 63));
        set
    }

    /// Whether a byte is in it.
    #[must_use]
    pub fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }

    /// What is in one of two sets.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] | other.0[i]))
    }

    /// Whether no byte is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    /// The bytes in it, in their order.
    pub fn bytes(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=u8::MAX).filter(|byte| self.has(*byte))
    }
}

impl fmt::Debug for ByteSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: Vec<u8> = self.bytes().collect();
        write!(f, "{}", bytes.escape_ascii())
    }
}

/// The largest character of each length in UTF-8 but the last.
const LONGEST: [u32; 3] = [0x7f, 0x7ff, 0xffff];

/// The characters from one to another as sequences of sets of bytes, by UTF-8. Surrogates are no characters.
pub(super) fn sequences(low: char, high: char) -> Vec<Vec<ByteSet>> {
    let (low, high) = (u32::from(low), u32::from(high));
    let mut found = Vec::new();
    // What lies before the surrogates, and what lies behind them.
    for (from, to) in [(low, high.min(0xd7ff)), (low.max(0xe000), high)] {
        split(from, to, &mut found);
    }
    found
}

/// Splits a range until each byte of it runs by itself over all that lies between its ends.
fn split(low: u32, high: u32, found: &mut Vec<Vec<ByteSet>>) {
    if low > high {
        return;
    }
    if let Some(cut) = cut(low, high) {
        split(low, cut, found);
        return split(cut + 1, high, found);
    }
    let encoded = |code: u32| {
        let mut bytes = [0; 4];
        let letter = char::from_u32(code).expect("no surrogate is left");
        letter.encode_utf8(&mut bytes).as_bytes().to_vec()
    };
    found.push(encoded(low).into_iter().zip(encoded(high)).map(|(low, high)| ByteSet::range(low, high)).collect());
}

/// Where a range has to be cut: behind which character.
fn cut(low: u32, high: u32) -> Option<u32> {
    if let Some(longest) = LONGEST.into_iter().find(|longest| low <= *longest && *longest < high) {
        return Some(longest);
    }
    if high <= LONGEST[0] {
        return None;
    }
    // Six bits stand in each byte but the first.
    [6, 12, 18].into_iter().map(|bits| (1 << bits) - 1).find_map(|tail: u32| match () {
        () if low & !tail == high & !tail => None,
        () if low & tail != 0 => Some(low | tail),
        () if high & tail != tail => Some((high & !tail) - 1),
        () => None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reads(sequences: &[Vec<ByteSet>], letter: char) -> usize {
        let mut bytes = [0; 4];
        let bytes = letter.encode_utf8(&mut bytes).as_bytes();
        let fits = |sets: &&Vec<ByteSet>| sets.len() == bytes.len() && sets.iter().zip(bytes).all(|(s, b)| s.has(*b));
        sequences.iter().filter(fits).count()
    }

    #[test]
    fn all_characters_are_read_once() {
        let all = sequences('\0', char::MAX);
        assert!(('\0'..=char::MAX).all(|letter| reads(&all, letter) == 1));
        // Overlong forms, surrogates and what lies behind the last character are none.
        let bad: [&[u8]; 4] = [b"\xc0\x80", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"];
        for bytes in bad {
            assert!(!all.iter().any(|s| s.len() == bytes.len() && s.iter().zip(bytes).all(|(s, b)| s.has(*b))));
        }
    }

    proptest! {
        #[test]
        fn a_range_has_what_lies_in_it(a: char, b: char, near in 0..3_u32, letter: char) {
            let (low, high) = (a.min(b), a.max(b));
            let sequences = sequences(low, high);
            let edge = |c: char, by: i64| char::from_u32(u32::try_from(i64::from(u32::from(c)) + by).unwrap_or(0)).unwrap_or(c);
            for letter in [letter, low, high, edge(low, -1), edge(high, 1), edge(low, i64::from(near)), edge(high, -i64::from(near))] {
                prop_assert_eq!(reads(&sequences, letter), usize::from(low <= letter && letter <= high), "{:?}", letter);
            }
        }
    }
}
