//! Token shards: the tokens of many documents in one file that is read where it lies.
//!
//! In: encoded documents. Out: a file, and [`Shard`], a view of it. All numbers are little-endian:
//!
//! ```text
//! byte 0   magic "GENSHARD"
//!      8   u32 version, 1
//!     12   u32 bytes per token, 2 where the vocabulary has at most 65,536 tokens, else 4
//!     16   u64 number of tokens n
//!     24   u64 number of documents d
//!     32   blake3 of all other bytes of the file
//!     64   (d + 1) x u64: where each document begins, in tokens; the last is n
//!     ..   n tokens
//! ```
//!
//! A file is written aside and renamed, and its hash is checked when it is opened, so a shard is whole or an error.
//! It does not know rows, sides or tokenizers.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, process};

use crate::error::DataError;
use crate::map::Map;

const MAGIC: &[u8; 8] = b"GENSHARD";
const VERSION: u32 = 1;
const HEADER: usize = 64;

/// An open shard.
#[derive(Debug)]
pub struct Shard {
    map: Map,
    wide: bool,
    tokens: u64,
    documents: u64,
    hash: String,
}

impl Shard {
    /// Maps the file at `path` and checks that it is whole.
    ///
    /// # Errors
    /// [`DataError::Io`] when it cannot be read, [`DataError::Damaged`] when it is cut off, altered or no shard.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let map = Map::open(path).map_err(DataError::at(path))?;
        let damaged = |why: String| DataError::damaged(path, why);
        let header = map.get(..HEADER).filter(|header| header.starts_with(MAGIC));
        let header = header.ok_or_else(|| damaged("this is not a token shard".to_owned()))?;
        let (version, width) = (u32_at(header, 8), u32_at(header, 12));
        if version != VERSION || !matches!(width, 2 | 4) {
            return Err(damaged(format!("expected a token shard of version {VERSION}, found version {version}")));
        }
        let (tokens, documents) = (u64_at(header, 16), u64_at(header, 24));
        let expected = size(tokens, documents, width);
        if expected != Some(map.len() as u64) {
            return Err(damaged(format!("the token shard is cut off: it has {} bytes", map.len())));
        }
        let hash = content_hash(&map[..32], &map[HEADER..]);
        if hash.as_bytes() != &header[32..HEADER] {
            return Err(damaged("the token shard was altered: its hash does not match".to_owned()));
        }
        let shard = Self { wide: width == 4, tokens, documents, hash: hash.to_hex().to_string(), map };
        if !shard.offsets_ascend() {
            return Err(damaged("the token shard's documents are out of order".to_owned()));
        }
        Ok(shard)
    }

    /// How many tokens it holds.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// How many documents it holds.
    #[must_use]
    pub fn documents(&self) -> u64 {
        self.documents
    }

    /// blake3 of its content, in hex.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The tokens of document `index`, as positions for [`Shard::read`]; empty past the last one.
    #[must_use]
    pub fn document(&self, index: u64) -> Range<u64> {
        if index >= self.documents { 0..0 } else { self.offset(index)..self.offset(index + 1) }
    }

    /// Appends the tokens at `range` to `out`; positions past the end give nothing.
    pub fn read(&self, range: Range<u64>, out: &mut Vec<u32>) {
        let width = if self.wide { 4 } else { 2 };
        let base = HEADER + (self.documents as usize + 1) * 8;
        let end = range.end.min(self.tokens) as usize;
        let bytes = &self.map[base + (range.start as usize).min(end) * width..base + end * width];
        if self.wide {
            out.extend(bytes.chunks_exact(4).map(|token| u32_at(token, 0)));
        } else {
            out.extend(bytes.chunks_exact(2).map(|token| u32::from(u16::from_le_bytes([token[0], token[1]]))));
        }
    }

    fn offset(&self, document: u64) -> u64 {
        u64_at(&self.map, HEADER + document as usize * 8)
    }

    fn offsets_ascend(&self) -> bool {
        let ascend = (0..self.documents).all(|document| self.offset(document) <= self.offset(document + 1));
        self.offset(0) == 0 && ascend && self.offset(self.documents) == self.tokens
    }
}

/// Writes `documents` as a shard for a vocabulary of `vocab_size` tokens.
///
/// # Errors
/// [`DataError::Io`]; then nothing stands at `path` that did not stand there before.
pub(crate) fn write_shard(path: &Path, documents: &[Vec<u32>], vocab_size: usize) -> Result<(), DataError> {
    let wide = vocab_size > 1 << 16;
    let tokens: u64 = documents.iter().map(|document| document.len() as u64).sum();
    let mut bytes = Vec::with_capacity(HEADER + documents.len() * 8 + tokens as usize * 4);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(if wide { 4_u32 } else { 2 }).to_le_bytes());
    bytes.extend_from_slice(&tokens.to_le_bytes());
    bytes.extend_from_slice(&(documents.len() as u64).to_le_bytes());
    bytes.resize(HEADER, 0);
    let mut offset = 0_u64;
    bytes.extend_from_slice(&offset.to_le_bytes());
    for document in documents {
        offset += document.len() as u64;
        bytes.extend_from_slice(&offset.to_le_bytes());
    }
    for token in documents.iter().flatten() {
        // The low two bytes are the token where the vocabulary fits into them.
        bytes.extend_from_slice(&token.to_le_bytes()[..if wide { 4 } else { 2 }]);
    }
    let hash = content_hash(&bytes[..32], &bytes[HEADER..]);
    bytes[32..HEADER].copy_from_slice(hash.as_bytes());
    write_file(path, &bytes)
}

/// Writes a file under another name and renames it into place.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let aside = path.with_extension(format!("aside-{}-{number}", process::id()));
    fs::write(&aside, bytes).map_err(DataError::at(&aside))?;
    fs::rename(&aside, path).map_err(DataError::at(path))
}

/// The size of a file with these numbers in its header, or none where they are absurd.
fn size(tokens: u64, documents: u64, width: u32) -> Option<u64> {
    let offsets = documents.checked_add(1)?.checked_mul(8)?;
    tokens.checked_mul(u64::from(width))?.checked_add(offsets)?.checked_add(HEADER as u64)
}

fn content_hash(header: &[u8], body: &[u8]) -> blake3::Hash {
    blake3::Hasher::new().update(header).update(body).finalize()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("a slice of four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("a slice of eight bytes"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn documents() -> Vec<Vec<u32>> {
        vec![vec![1, 2, 3, 0], vec![65_535, 0], vec![], vec![7; 100]]
    }

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        for vocab_size in [65_536, 65_537] {
            let path = dir.path().join("a.shard");
            write_shard(&path, &documents(), vocab_size).unwrap();
            let shard = Shard::open(&path).unwrap();
            assert_eq!((shard.documents(), shard.tokens()), (4, 106));
            for (i, document) in documents().iter().enumerate() {
                let mut read = Vec::new();
                shard.read(shard.document(i as u64), &mut read);
                assert_eq!(&read, document);
            }
            assert!(shard.document(4).is_empty());
            let mut past = Vec::new();
            shard.read(105..200, &mut past);
            shard.read(200..300, &mut past);
            assert_eq!(past, [7]);
            let width = if vocab_size > 65_536 { 4 } else { 2 };
            assert_eq!(fs::metadata(&path).unwrap().len(), 64 + 5 * 8 + 106 * width);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left aside");
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_noticed_and_the_file_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.shard");
        write_shard(&path, &documents(), 70_000).unwrap();
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let error = Shard::open(&path).unwrap_err();
            assert!(matches!(error, DataError::Damaged { .. }) && error.to_string().contains("a.shard"), "{error}");
        }
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x11;
            fs::write(&path, &flipped).unwrap();
            assert!(matches!(Shard::open(&path), Err(DataError::Damaged { .. })), "byte {at}");
        }
        fs::write(&path, "GENSHARD of another kind, long enough to hold the sixty-four bytes of a header").unwrap();
        assert!(matches!(Shard::open(&path), Err(DataError::Damaged { .. })));
        assert!(matches!(Shard::open(&dir.path().join("none")), Err(DataError::Io { .. })));
    }

    #[test]
    fn a_shard_stays_readable_while_another_takes_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.shard");
        write_shard(&path, &documents(), 300).unwrap();
        let before = Shard::open(&path).unwrap();
        write_shard(&path, &[vec![9]], 300).unwrap();
        let mut read = Vec::new();
        before.read(before.document(0), &mut read);
        assert_eq!(read, [1, 2, 3, 0]);
        assert_ne!(before.hash(), Shard::open(&path).unwrap().hash());
    }
}
