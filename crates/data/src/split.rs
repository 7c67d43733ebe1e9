//! Train and validation, by document.
//!
//! In: a corpus. Out: two lists of texts that share none. Exact duplicates are dropped first. Which documents validate
//! is decided by the blake3 hash of their text, so it does not depend on names, order or luck: in the order of their
//! hashes, documents of at most 10 % of the bytes are taken for validation until it has 5 %; where those are too few,
//! the smallest of the others is taken too.
//!
//! A corpus that cannot be parted so (one long document, perhaps with a few short ones) has its documents cut into
//! pieces of 4 to 8 kB, at a blank line where there is one, and the pieces are what is split. Near duplicates are not
//! looked for.

use std::collections::BTreeSet;

use crate::corpus::Corpus;
use crate::error::DataError;

/// Validation holds at least one byte in this many.
const VALIDATION_SHARE: u64 = 20;

/// A document with more than one byte in this many never validates while there are smaller ones.
const LARGEST_SHARE: u64 = 10;

/// A single document is cut after this many bytes at the earliest, after twice as many at the latest.
const PIECE_BYTES: usize = 4096;

/// The two sides; each text is a whole document, or a piece where documents had to be cut. Both in the corpus's order.
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
/// [`DataError::TooShort`] when there are no two sides even after cutting: one document of less than 16 kB, or one
/// that repeats itself.
pub fn split(corpus: &Corpus) -> Result<Split<'_>, DataError> {
    let documents = || corpus.documents().iter().map(|document| document.text.as_str());
    if let Some(sides) = part(distinct(documents())) {
        return Ok(sides);
    }
    let cut = distinct(documents().flat_map(pieces));
    let found = cut.iter().map(|(_, text)| text.len() as u64).sum();
    let what = "bytes of different text in a corpus of one document".to_owned();
    part(cut).ok_or(DataError::TooShort { what, needed: 4 * PIECE_BYTES as u64, found })
}

type Hash = [u8; 32];

/// A text and the blake3 of it.
type Hashed<'c> = (Hash, &'c str);

/// The two sides of `texts`, where they have two.
fn part(texts: Vec<Hashed<'_>>) -> Option<Split<'_>> {
    let chosen = choose(&texts)?;
    let (validation, train): (Vec<_>, Vec<_>) = texts.into_iter().partition(|(hash, _)| chosen.contains(hash));
    Some(Split { train: without_hash(train), validation: without_hash(validation) })
}

fn without_hash(side: Vec<Hashed<'_>>) -> Vec<&str> {
    side.into_iter().map(|(_, text)| text).collect()
}

/// Each text once, with its hash, in the order of first appearance.
fn distinct<'c>(texts: impl Iterator<Item = &'c str>) -> Vec<Hashed<'c>> {
    let mut seen = BTreeSet::new();
    let hashed = texts.map(|text| (*blake3::hash(text.as_bytes()).as_bytes(), text));
    hashed.filter(|(hash, _)| seen.insert(*hash)).collect()
}

/// The hashes of the texts that validate, where they reach their share and leave something to train on.
fn choose(texts: &[Hashed<'_>]) -> Option<BTreeSet<Hash>> {
    let total: u64 = texts.iter().map(|(_, text)| text.len() as u64).sum();
    let mut by_hash: Vec<Hashed<'_>> = texts.to_vec();
    by_hash.sort();
    let (small, large): (Vec<Hashed<'_>>, Vec<Hashed<'_>>) =
        by_hash.into_iter().partition(|(_, text)| text.len() as u64 * LARGEST_SHARE <= total);
    let smallest = large.into_iter().min_by_key(|(_, text)| text.len());
    let (mut chosen, mut bytes) = (BTreeSet::new(), 0);
    for (hash, text) in small.into_iter().chain(smallest) {
        if bytes * VALIDATION_SHARE >= total {
            break;
        }
        chosen.insert(hash);
        bytes += text.len() as u64;
    }
    (chosen.len() < texts.len()).then_some(chosen)
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
        let single = corpus(std::slice::from_ref(&text));
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
    fn a_long_document_beside_a_short_one_is_cut_too() {
        let book: String = (0..2000).map(|i| format!("Line {i} of the book.\n")).collect();
        let both = corpus(&[book.clone(), "a note".to_owned()]);
        let sides = split(&both).unwrap();
        let bytes = |side: &[&str]| side.iter().map(|text| text.len()).sum::<usize>();
        assert_eq!(bytes(&sides.train) + bytes(&sides.validation), book.len() + 6);
        assert!(bytes(&sides.validation) * 20 >= book.len() && bytes(&sides.train) > book.len() / 2);
    }

    #[test]
    fn too_little_text_says_how_much_is_needed() {
        let short = vec!["short".to_owned()];
        for (texts, found) in
            [(short.clone(), 5), ([&short[..], &short].concat(), 5), (vec!["x".repeat(1 << 16)], 8192)]
        {
            let error = split(&corpus(&texts)).unwrap_err().to_string();
            assert!(error.contains("at least 16384") && error.contains(&format!("found {found}")), "{error}");
        }
        let enough: String = (0..1366).map(|i| format!("number {i:04}\n")).collect();
        assert_eq!(enough.len(), 16_392);
        assert!(split(&corpus(&[enough])).is_ok());
    }
}
