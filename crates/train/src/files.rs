//! Folders that are whole or not there: written aside, synced, renamed over the old one.
//!
//! In: a folder and the content of its files. Out: the folder with exactly these files. The file system has no way to
//! rename a folder over another, so the old one is moved away first; for the moment in between, and after a crash in
//! it, [`resolve`] finds the old one. Two processes must not write to one folder at once.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes `files` as the folder `dir`, replacing what is there.
pub(crate) fn replace_folder(dir: &Path, files: &[(&str, &[u8])]) -> io::Result<()> {
    let parent = parent(dir);
    fs::create_dir_all(&parent)?;
    let aside = sibling(dir, "writing");
    remove(&aside)?;
    let written = fill(&aside, files).and_then(|()| put_in_place(&aside, dir));
    if written.is_err() {
        // Best effort: the first error is the one to tell.
        let _ = remove(&aside);
    }
    written?;
    File::open(&parent)?.sync_all()?;
    remove(&sibling(dir, "previous"))
}

/// Makes the folder in which `dir` would be written, and takes it away again.
pub(crate) fn try_folder(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(parent(dir))?;
    let aside = sibling(dir, "writing");
    remove(&aside)?;
    fs::create_dir(&aside)?;
    remove(&aside)
}

/// The folder to read: `dir`, or the one it was about to replace when the writer died.
pub(crate) fn resolve(dir: &Path) -> PathBuf {
    let previous = sibling(dir, "previous");
    if !dir.exists() && previous.exists() { previous } else { dir.to_owned() }
}

fn fill(dir: &Path, files: &[(&str, &[u8])]) -> io::Result<()> {
    fs::create_dir(dir)?;
    for (name, bytes) in files {
        let mut file = File::create_new(dir.join(name))?;
        file.write_all(bytes)?;
        file.sync_all()?;
    }
    File::open(dir)?.sync_all()
}

fn put_in_place(aside: &Path, dir: &Path) -> io::Result<()> {
    if dir.exists() {
        let previous = sibling(dir, "previous");
        remove(&previous)?;
        fs::rename(dir, &previous)?;
    }
    fs::rename(aside, dir)
}

fn remove(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn parent(dir: &Path) -> PathBuf {
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// A hidden folder beside `dir`.
fn sibling(dir: &Path, what: &str) -> PathBuf {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    parent(dir).join(format!(".{name}.{what}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_is_replaced_as_a_whole() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("deep/ckpt");
        replace_folder(&dir, &[("a", b"1"), ("b", b"2")]).unwrap();
        replace_folder(&dir, &[("a", b"3")]).unwrap();
        assert_eq!(names(&dir), ["a"]);
        assert_eq!(fs::read(dir.join("a")).unwrap(), b"3");
        assert_eq!(names(&root.path().join("deep")), ["ckpt"], "nothing is left aside");
    }

    #[test]
    fn trying_a_folder_leaves_what_is_there_and_tells_where_none_can_be_made() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("deep/ckpt");
        try_folder(&dir).unwrap();
        assert_eq!(names(&root.path().join("deep")), [""; 0]);
        replace_folder(&dir, &[("a", b"1")]).unwrap();
        try_folder(&dir).unwrap();
        assert_eq!(names(&dir), ["a"]);
        assert!(try_folder(&dir.join("a/below")).is_err(), "a file holds no folder");
    }

    #[test]
    fn a_writer_that_died_leaves_the_old_folder_to_be_found() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("ckpt");
        replace_folder(&dir, &[("a", b"old")]).unwrap();
        // As if killed after the first rename, with the new folder half written.
        fs::rename(&dir, root.path().join(".ckpt.previous")).unwrap();
        fs::create_dir(root.path().join(".ckpt.writing")).unwrap();
        fs::write(root.path().join(".ckpt.writing/a"), b"ne").unwrap();
        assert_eq!(fs::read(resolve(&dir).join("a")).unwrap(), b"old");
        replace_folder(&dir, &[("a", b"new")]).unwrap();
        assert_eq!(fs::read(resolve(&dir).join("a")).unwrap(), b"new");
        assert_eq!(names(root.path()), ["ckpt"]);
    }

    #[test]
    fn a_failed_write_leaves_the_old_folder() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("ckpt");
        replace_folder(&dir, &[("a", b"old")]).unwrap();
        // A file in a folder that is not there cannot be made.
        assert!(replace_folder(&dir, &[("a", b"new"), ("no/where", b"")]).is_err());
        assert_eq!(fs::read(dir.join("a")).unwrap(), b"old");
        assert_eq!(names(root.path()), ["ckpt"]);
    }
}
