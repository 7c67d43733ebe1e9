//! The trained tokenizer of a corpus, kept under the hash of everything it was made from.
//!
//! In: a folder, the corpus's hash, the vocabulary size and a way to train. Out: the tokenizer, read or trained.
//! A file is written aside and renamed, so a reader never sees half of one, and its first line is the hash of the
//! rest, so a damaged file is noticed and made again. Nothing is ever deleted.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, process};

use crate::error::TokenizeError;
use crate::tokenizer::Tokenizer;

/// Part of every key: to be raised when training would give another tokenizer for the same text.
const ALGORITHM: &str = "genesys byte-level bpe 1";

/// The tokenizer for `corpus_hash` and `vocab_size` from `cache_dir`, or else from `train`, whose result is kept.
///
/// # Errors
/// Whatever `train` reports; [`TokenizeError::Io`] when the cache cannot be written. A file that is missing, cut off
/// or altered is no error: the tokenizer is trained again.
pub fn cached(
    cache_dir: &Path,
    corpus_hash: &str,
    vocab_size: usize,
    train: impl FnOnce() -> Result<Tokenizer, TokenizeError>,
) -> Result<Tokenizer, TokenizeError> {
    let path = cache_dir.join(file_name(corpus_hash, vocab_size));
    if let Some(tokenizer) = read(&path) {
        return Ok(tokenizer);
    }
    let tokenizer = train()?;
    write(cache_dir, &path, &tokenizer)?;
    Ok(tokenizer)
}

fn file_name(corpus_hash: &str, vocab_size: usize) -> String {
    let key = blake3::hash(format!("{ALGORITHM}\n{corpus_hash}\n{vocab_size}\n").as_bytes());
    format!("tokenizer-{}.cached", &key.to_hex()[..32])
}

fn read(path: &Path) -> Option<Tokenizer> {
    let text = fs::read_to_string(path).ok()?;
    let (hash, json) = text.split_once('\n')?;
    if blake3::hash(json.as_bytes()).to_hex().as_str() != hash {
        return None;
    }
    Tokenizer::from_json(json).ok()
}

fn write(cache_dir: &Path, path: &Path, tokenizer: &Tokenizer) -> Result<(), TokenizeError> {
    let at = |path: PathBuf| move |source| TokenizeError::Io { path, source };
    fs::create_dir_all(cache_dir).map_err(at(cache_dir.to_owned()))?;
    let aside = aside(path);
    fs::write(&aside, format!("{}\n{}", tokenizer.hash(), tokenizer.to_json())).map_err(at(aside.clone()))?;
    fs::rename(&aside, path).map_err(at(path.to_owned()))
}

/// A name next to `path` that no other process or thread uses.
fn aside(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    path.with_extension(format!("aside-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TEXT: &str = "the cat sat on the mat, and the cat ate the rat on the mat\n";

    fn train() -> Result<Tokenizer, TokenizeError> {
        Tokenizer::train([TEXT].into_iter(), 270)
    }

    fn must_not_train() -> Result<Tokenizer, TokenizeError> {
        Err(TokenizeError::Training("trained although it was cached".to_owned()))
    }

    #[test]
    fn the_second_call_reads_the_first_ones_file() {
        let dir = tempfile::tempdir().unwrap();
        let first = cached(&dir.path().join("new"), "c1", 270, train).unwrap();
        let second = cached(&dir.path().join("new"), "c1", 270, must_not_train).unwrap();
        assert_eq!(first.to_json(), second.to_json());
        assert_eq!(fs::read_dir(dir.path().join("new")).unwrap().count(), 1, "nothing is left aside");
    }

    #[test]
    fn another_corpus_or_size_is_another_file() {
        let dir = tempfile::tempdir().unwrap();
        cached(dir.path(), "c1", 270, train).unwrap();
        assert!(cached(dir.path(), "c2", 270, must_not_train).is_err());
        assert!(cached(dir.path(), "c1", 271, must_not_train).is_err());
    }

    #[test]
    fn a_damaged_file_is_trained_again() {
        let dir = tempfile::tempdir().unwrap();
        let good = cached(dir.path(), "c1", 270, train).unwrap();
        let path = dir.path().join(file_name("c1", 270));
        let whole = fs::read(&path).unwrap();
        let mut altered = whole.clone();
        let middle = altered.len() / 2;
        altered[middle] ^= 1;
        for damaged in [&whole[..whole.len() / 2], &[][..], &[0xff, 0xfe][..], &altered[..]] {
            fs::write(&path, damaged).unwrap();
            assert!(cached(dir.path(), "c1", 270, must_not_train).is_err());
            assert_eq!(cached(dir.path(), "c1", 270, train).unwrap().hash(), good.hash());
            assert_eq!(fs::read(&path).unwrap(), whole);
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "x").unwrap();
        let error = cached(&file.join("cache"), "c1", 270, train).unwrap_err();
        assert!(error.to_string().contains("file"), "{error}");
    }
}
