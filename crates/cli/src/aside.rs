//! A file written aside and renamed: it is whole or the old one, whatever happens in between.
//!
//! In: a path and its content. Out: the file, with the permissions it had. A link is followed: what it points to changes.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Replaces the content of `path`.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let aside = sibling(&path);
    let written = fill(&aside, &path, bytes).and_then(|()| fs::rename(&aside, &path));
    if written.is_err() {
        // Best effort: the first error is the one to tell.
        let _ = fs::remove_file(&aside);
    }
    written
}

fn fill(aside: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(aside)?;
    file.write_all(bytes)?;
    if let Ok(old) = fs::metadata(path) {
        file.set_permissions(old.permissions())?;
    }
    file.sync_all()
}

/// A hidden file beside `path`, of this process alone.
fn sibling(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.writing", std::process::id()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.gau");
        write(&path, b"old").unwrap();
        let link = folder.path().join("link.gau");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write(&link, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink(), "the link is still a link");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write(&folder.path().join("no/a.gau"), b"x").is_err());
    }
}
