//! Artifacts: files named by the blake3 hash of their content.
//!
//! Bytes go in and a hash comes out; the hash goes in and the same bytes come out, or an error. A file is written
//! aside, synced and renamed, so that under its name there is the whole content or nothing, whatever dies when.
//! Several processes may use one folder. Nothing is ever deleted here.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use blake3::Hash;

use crate::error::StoreError;

/// A folder of artifacts.
#[derive(Clone, Debug)]
pub struct Artifacts {
    dir: PathBuf,
}

impl Artifacts {
    /// The artifacts in `dir`, which is made if need be.
    ///
    /// # Errors
    /// [`StoreError::World`] if it cannot be made.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let dir = dir.into();
        fs::create_dir_all(&dir).map_err(|source| StoreError::io("make the folder", &dir, source))?;
        Ok(Self { dir })
    }

    /// Stores `bytes` and returns their hash. Once it returns, they survive a crash and a power cut.
    ///
    /// # Errors
    /// [`StoreError::Full`] or [`StoreError::World`]; nothing is stored then.
    pub fn put(&self, bytes: &[u8]) -> Result<Hash, StoreError> {
        let hash = blake3::hash(bytes);
        // A damaged file is written anew: the right bytes are at hand.
        if self.get(&hash).is_err() {
            let path = self.path(&hash);
            write_aside(&self.dir, &path, bytes).map_err(|source| StoreError::io("write", &path, source))?;
        }
        Ok(hash)
    }

    /// The bytes of the hash `hash`.
    ///
    /// # Errors
    /// [`StoreError::NoArtifact`], [`StoreError::DamagedArtifact`] if they do not give the hash, or the system's.
    pub fn get(&self, hash: &Hash) -> Result<Vec<u8>, StoreError> {
        let path = self.path(hash);
        match fs::read(&path) {
            Ok(bytes) if blake3::hash(&bytes) == *hash => Ok(bytes),
            Ok(_) => Err(StoreError::DamagedArtifact { hash: *hash, path }),
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                Err(StoreError::NoArtifact { hash: *hash, path })
            }
            Err(source) => Err(StoreError::io("read", &path, source)),
        }
    }

    /// Where the artifact of this hash lies, if it is there.
    #[must_use]
    pub fn path(&self, hash: &Hash) -> PathBuf {
        self.dir.join(hash.to_hex().as_str())
    }
}

/// Makes the entries of a folder survive a power cut.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn write_aside(dir: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let turn = COUNT.fetch_add(1, Ordering::Relaxed);
    let aside = dir.join(format!(".tmp-{}-{turn}", std::process::id()));
    let written = write_synced(&aside, bytes).and_then(|()| fs::rename(&aside, path)).and_then(|()| sync_dir(dir));
    if written.is_err() {
        // Best effort: the first error is the one to tell.
        let _ = fs::remove_file(&aside);
    }
    written
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A file of this name can only be left over from a killed process that had our id.
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let dir = tempfile::tempdir().unwrap();
        let store = Artifacts::open(dir.path().join("a/b")).unwrap();
        let hashes = [b"".as_slice(), b"text", &[0; 100_000]].map(|bytes| (store.put(bytes).unwrap(), bytes));
        for (hash, bytes) in &hashes {
            assert_eq!(store.get(hash).unwrap(), *bytes);
            assert_eq!(store.put(bytes).unwrap(), *hash);
        }
        assert_eq!(fs::read_dir(dir.path().join("a/b")).unwrap().count(), hashes.len(), "nothing is left aside");
    }

    #[test]
    fn damage_is_found_and_mended_by_the_next_put() {
        let dir = tempfile::tempdir().unwrap();
        let store = Artifacts::open(dir.path()).unwrap();
        let hash = store.put(b"weights").unwrap();
        fs::write(store.path(&hash), b"weight").unwrap();
        assert!(matches!(store.get(&hash), Err(StoreError::DamagedArtifact { .. })));
        store.put(b"weights").unwrap();
        assert_eq!(store.get(&hash).unwrap(), b"weights");
        fs::remove_file(store.path(&hash)).unwrap();
        assert!(matches!(store.get(&hash), Err(StoreError::NoArtifact { .. })));
    }

    #[test]
    fn a_failed_write_leaves_nothing_and_says_where() {
        let dir = tempfile::tempdir().unwrap();
        let store = Artifacts::open(dir.path()).unwrap();
        // A folder in the artifact's place makes the rename fail.
        fs::create_dir(store.path(&blake3::hash(b"x"))).unwrap();
        let error = store.put(b"x").unwrap_err();
        assert!(error.to_string().starts_with("cannot write "), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
