//! Train and validation, by document.
//!
//! In: a corpus. Out: two lists of texts that share none. Exact duplicates are dropped first. Which documents validate
//! is decided by the blake3 hash of their text, so it does not depend on names, order or luck: in the order of their
//! hashes, documents are taken for validation until they hold 5 % of the bytes, passing over any that alone holds more
//! than 10 %; where all do, the smallest one validates.
//!
//! A corpus of a single distinct document is cut into pieces of 4 to 8 kB, at a blank line where there is one, and the
//! pieces are what is split. Near duplicates are not looked for.

use std::collections::BTreeSet;

use crate::corpus::Corpus;
use crate::error::DataError;

/// Validation holds at least one byte in this many.
const VALIDATION_SHARE: u64 = 20;

/// A document with more than one byte in this many never validates while there are smaller ones.
const LARGEST_SHARE: u64 = 10;

/// A single document is cut after this many bytes at the earliest, after twice as many at the latest.
const PIECE_BYTES: usize = 4096;

/// The two sides; each text is a whole document, or a piece of the only one. Both are in the corpus's order.
#[derive(Clone, Debug)]
pub struct Split<'c> {
    /// What is trained on.
    pub train: Vec<&'c str>,
    /// What is never trained on.
    pub validation: Vec<&'c str>,
}

/// Splits a corpus; a function of its texts alone.
///
/// # Errors
/// [`DataError::TooShort`] when there are fewer than two distinct texts even after cutting.
pub fn split(corpus: &Corpus) -> Result<Split<'_>, DataError> {
    let mut texts = distinct(corpus.documents().iter().map(|document| document.text.as_str()));
    if let [(_, only)] = texts[..] {
        texts = distinct(pieces(only));
        if texts.len() < 2 {
            return Err(DataError::TooShort {
                what: "bytes of different text in a corpus of a single document".to_owned(),
                needed: 2 * PIECE_BYTES as u64,
                found: only.len() as u64,
            });
        }
    }
    let chosen = choose(&texts);
    let (validation, train): (Vec<_>, Vec<_>) = texts.into_iter().partition(|(hash, _)| chosen.contains(hash));
    Ok(Split { train: without_hash(train), validation: without_hash(validation) })
}

type Hash = [u8; 32];

fn without_hash(side: Vec<(Hash, &str)>) -> Vec<&str> {
    side.into_iter().map(|(_, text)| text).collect()
}

/// Each text once, with its hash, in the order of first appearance.
fn distinct<'c>(texts: impl Iterator<Item = &'c str>) -> Vec<(Hash, &'c str)> {
    let mut seen = BTreeSet::new();
    let hashed = texts.map(|text| (*blake3::hash(text.as_bytes()).as_bytes(), text));
    hashed.filter(|(hash, _)| seen.insert(*hash)).collect()
}

/// The hashes of the texts that validate; never none and never all of two or more.
fn choose(texts: &[(Hash, &str)]) -> BTreeSet<Hash> {
    let total: u64 = texts.iter().map(|(_, text)| text.len() as u64).sum();
    let mut by_hash: Vec<&(Hash, &str)> = texts.iter().collect();
    by_hash.sort();
    let (mut chosen, mut bytes) = (BTreeSet::new(), 0);
    for (hash, text) in by_hash.iter().filter(|(_, text)| text.len() as u64 * LARGEST_SHARE <= total) {
        if bytes * VALIDATION_SHARE >= total {
            break;
        }
        chosen.insert(*hash);
        bytes += text.len() as u64;
    }
    if chosen.is_empty() {
        chosen.extend(by_hash.iter().min_by_key(|(_, text)| text.len()).map(|(hash, _)| *hash));
    }
    chosen
}

/// Cuts a text into pieces of [`PIECE_BYTES`] to twice that; together they are the text.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, after) = rest.split_at(cut(rest));
        rest = after;
        Some(piece)
    })
}

/// Where the first piece of `text` ends: after a blank line, else after a line, else between characters.
fn cut(text: &str) -> usize {
    if text.len() <= 2 * PIECE_BYTES {
        return text.len();
    }
    let boundary = |at: usize| (at..text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len());
    let (from, to) = (boundary(PIECE_BYTES), boundary(2 * PIECE_BYTES));
    let after = |end: &str| text[from..to].find(end).map(|found| from + found + end.len());
    after("\n\n").or_else(|| after("\n")).unwrap_or(to)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::document::Document;

    fn corpus(texts: &[String]) -> Corpus {
        let document = |(i, text): (usize, &String)| Document { name: i.to_string(), text: text.clone() };
        Corpus::from_documents("test", texts.iter().enumerate().map(document).collect(), Vec::new()).unwrap()
    }

    fn numbered(count: usize) -> Vec<String> {
        (0..count).map(|i| format!("document {i} {}", "word ".repeat(i % 40))).collect()
    }

    #[test]
    fn every_distinct_document_is_on_exactly_one_side() {
        let mut texts = numbered(500);
        texts.extend(numbered(100));
        let corpus = corpus(&texts);
        let split = split(&corpus).unwrap();
        let train: BTreeSet<&str> = split.train.iter().copied().collect();
        let validation: BTreeSet<&str> = split.validation.iter().copied().collect();
        assert!(train.is_disjoint(&validation));
        assert_eq!(split.train.len() + split.validation.len(), 500);
        assert_eq!(train.len() + validation.len(), 500);
        let share = |texts: &[&str]| texts.iter().map(|t| t.len()).sum::<usize>() as f64;
        let part = share(&split.validation) / (share(&split.train) + share(&split.validation));
        assert!((0.05..0.06).contains(&part), "{part}");
    }

    #[test]
    fn order_and_names_do_not_change_the_sides() {
        let texts = numbered(200);
        let reversed: Vec<String> = texts.iter().rev().cloned().collect();
        let (a, b) = (corpus(&texts), corpus(&reversed));
        let sides = |corpus| -> BTreeSet<String> {
            split(corpus).unwrap().validation.iter().map(|text| (*text).to_owned()).collect()
        };
        assert_eq!(sides(&a), sides(&b));
        assert_ne!(a.hash(), b.hash());
    }

    #[test]
    fn few_large_documents_leave_the_smallest_for_validation() {
        let texts = ["a".repeat(300), "b".repeat(200), "c".repeat(250)];
        let corpus = corpus(&texts);
        let split = split(&corpus).unwrap();
        assert_eq!(split.validation, [texts[1].as_str()]);
        assert_eq!(split.train, [texts[0].as_str(), texts[2].as_str()]);
    }

    #[test]
    fn a_single_document_is_cut_at_blank_lines() {
        let text: String = (0..900).map(|i| format!("Paragraph {i} é\nsecond line of it.\n\n")).collect();
        let single = corpus(&[text.clone()]);
        let sides = split(&single).unwrap();
        assert_eq!(pieces(&text).collect::<String>(), text);
        let cut: Vec<&str> = sides.train.iter().chain(&sides.validation).copied().collect();
        assert!(cut.iter().all(|piece| piece.ends_with("\n\n") && piece.len() <= 2 * PIECE_BYTES));
        assert_eq!(cut.iter().map(|piece| piece.len()).sum::<usize>(), text.len());
        assert!(!sides.validation.is_empty() && sides.validation.len() < sides.train.len());
    }

    #[test]
    fn text_without_lines_is_cut_between_characters() {
        let text: String = (0..9000_u32).filter_map(|i| char::from_u32(0x4e00 + i)).collect();
        assert_eq!(pieces(&text).collect::<String>(), text);
        assert!(pieces(&text).all(|piece| piece.len() <= 2 * PIECE_BYTES + 3));
    }

    #[test]
    fn too_little_text_says_how_much_is_needed() {
        for texts in [vec!["short".to_owned()], vec!["short".to_owned(); 3], vec!["x".repeat(8192)]] {
            let found = texts[0].len().to_string();
            let error = split(&corpus(&texts)).unwrap_err().to_string();
            assert!(error.contains("8192") && error.contains(&found), "{error}");
        }
    }
}
