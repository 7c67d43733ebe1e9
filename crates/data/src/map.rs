//! A file as a slice of memory, read-only.
//!
//! In: a path. Out: its bytes, brought in by the system page by page and shared between processes. This is the one
//! place outside `runtime` with `unsafe`: mapping belongs to the owner of the file format, and `runtime` must not
//! know files of tokens.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

/// The bytes of a file that is never changed in place.
#[derive(Debug)]
pub(crate) struct Map(Mmap);

impl Map {
    /// Maps a file that was written by [`crate::shard::write_file`].
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the slice is sound as long as nobody changes or truncates the file while it is mapped. Shards are
        // written under another name and renamed into place, so replacing one leaves the mapped file as it is, and
        // this project never writes to a file in place. Another program that does so breaks this, as for any mapping.
        #[allow(unsafe_code)]
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self(map))
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
