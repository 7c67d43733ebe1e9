//! The byte alphabet of GPT-2: each of the 256 bytes as one printable character.
//!
//! In: a byte or a token's text. Out: the character, or the token's bytes. Printable Latin-1 characters
//! stand for themselves; the other bytes, in order, for U+0100, U+0101 and so on (Radford et al. 2019,
//! `bytes_to_unicode`). It does not merge anything.

/// The 256 characters, indexed by byte.
pub(crate) fn byte_chars() -> [char; 256] {
    let mut table = ['\0'; 256];
    let mut next = 0x100_u32;
    for (byte, slot) in (0_u8..=255).zip(table.iter_mut()) {
        *slot = if stands_for_itself(byte) {
            char::from(byte)
        } else {
            next += 1;
            char::from_u32(next - 1).expect("code points from 0x100 to 0x1ff are characters")
        };
    }
    table
}

fn stands_for_itself(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF)
}

/// The bytes a token stands for: one a character when every character is in the alphabet, else the token's own
/// UTF-8 (an added token that is spelled literally). This is how the byte-level decoder reads tokens too.
pub(crate) fn token_bytes(token: &str, chars: &[char; 256]) -> Vec<u8> {
    let byte_of = |c: char| chars.iter().zip(0_u8..=255).find(|(known, _)| **known == c).map(|(_, byte)| byte);
    token.chars().map(byte_of).collect::<Option<Vec<u8>>>().unwrap_or_else(|| token.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::{BTreeSet, HashSet};
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;

    #[test]
    fn alphabet_is_the_one_of_the_tokenizers_crate() {
        let ours: BTreeSet<char> = byte_chars().into_iter().collect();
        let theirs: HashSet<char> = ByteLevel::alphabet().into_iter().collect();
        assert_eq!(ours, theirs.into_iter().collect());
        assert_eq!(ours.len(), 256);
        assert_eq!(byte_chars()[usize::from(b' ')], 'Ġ');
        assert_eq!(byte_chars()[usize::from(b'\n')], 'Ċ');
    }

    #[test]
    fn tokens_read_back_as_bytes() {
        let chars = byte_chars();
        assert_eq!(token_bytes("Ġthe", &chars), b" the");
        assert_eq!(token_bytes("日本", &chars), "日本".as_bytes());
    }
}
