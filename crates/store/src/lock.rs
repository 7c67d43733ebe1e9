//! One writer a run: an exclusive lock on `run.lock`, held as long as the value lives.
//!
//! The lock belongs to the open file, so the system drops it when the process ends, however it ends. The file itself
//! stays, with the last holder's process id in it: removing it would let two writers hold two files of one name.
//! Readers take no lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::error::StoreError;

/// The right to write to a run.
#[derive(Debug)]
pub(crate) struct WriterLock {
    _file: File,
}

impl WriterLock {
    /// Takes the lock of the run in `dir`, at once or not at all.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another open log holds it, in this process or another.
    pub(crate) fn take(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join("run.lock");
        let failed = |source| StoreError::io("lock the run with", &path, source);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked { run: dir.to_owned(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        sign(&mut file).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// Leaves this process's id for those who come too late.
fn sign(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// The process that says it holds the lock. A help for people: it may have been written only in part.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
