//! A file of lines of JSON that only grows.
//!
//! A line is on the disk when adding it returns. A process that was killed in the middle of one leaves a line without an end: it is
//! left out where the file is read, and cut off before the next is added. Nothing else of a file is ever changed.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::LlmError;

/// A file to add to; several threads may.
#[derive(Debug)]
pub struct LineFile {
    path: PathBuf,
    file: Mutex<File>,
}

impl LineFile {
    /// A file whose lines begin with one of `beginnings`; it is made where there is none.
    ///
    /// # Errors
    /// [`LlmError::File`], also where the file ends with something that is no part of such a line.
    pub fn open(path: &Path, beginnings: &[&str]) -> Result<Self, LlmError> {
        let told = |error: std::io::Error| of_file(path, error.to_string());
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(told)?;
        let bytes = fs::read(path).map_err(told)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let rest = &bytes[whole..];
        let ours = |begin: &&str| rest.starts_with(begin.as_bytes()) || begin.as_bytes().starts_with(rest);
        if !beginnings.iter().any(ours) {
            let why = "its last line has no end, and is none of ours: name another file".to_owned();
            return Err(of_file(path, why));
        }
        if !rest.is_empty() {
            file.set_len(whole as u64).map_err(told)?;
        }
        Ok(Self { path: path.to_owned(), file: Mutex::new(file) })
    }

    /// Adds a line; it is on the disk when this returns.
    ///
    /// # Errors
    /// [`LlmError::File`]
    pub fn add(&self, value: &impl Serialize) -> Result<(), LlmError> {
        let mut line = serde_json::to_vec(value).expect("a line has a JSON form");
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let told = |error: std::io::Error| of_file(&self.path, error.to_string());
        let before = file.metadata().map_err(told)?.len();
        let written = file.write_all(&line).and_then(|()| file.sync_data());
        written.map_err(|error| {
            // A part of it would spoil the next line; where it cannot be taken away, reading tells.
            let _ = file.set_len(before);
            told(error)
        })
    }
}

/// The lines of a file that have an end, each as `what` and held to `flaw`.
///
/// # Errors
/// [`LlmError::File`] with the number of the line that is none.
pub fn read<T: DeserializeOwned>(
    path: &Path,
    what: &str,
    flaw: impl Fn(&T) -> Option<String>,
) -> Result<Vec<T>, LlmError> {
    let text = fs::read_to_string(path).map_err(|error| of_file(path, error.to_string()))?;
    let complete = text.rfind('\n').map_or("", |end| &text[..end]);
    let read = complete.lines().zip(1..).map(|(line, number)| {
        let of_line = |why: String| of_file(path, format!("line {number} is no {what}: {why}"));
        let value = serde_json::from_str::<T>(line).map_err(|why| of_line(why.to_string()))?;
        match flaw(&value) {
            Some(why) => Err(of_line(why)),
            None => Ok(value),
        }
    });
    read.collect()
}

pub(crate) fn of_file(path: &Path, why: String) -> LlmError {
    LlmError::File { path: path.to_owned(), why }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const BEGIN: [&str; 1] = ["[1,"];

    #[test]
    fn a_line_that_was_cut_anywhere_is_replaced_and_the_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        LineFile::open(&path, &BEGIN).unwrap().add(&[1, 2]).unwrap();
        let whole = "[1,2]\n";
        for cut in 0..whole.len() {
            fs::write(&path, format!("{whole}{}", &whole[..cut])).unwrap();
            assert_eq!(read::<Vec<u8>>(&path, "list", |_| None).unwrap(), [[1, 2]], "cut at {cut}");
            LineFile::open(&path, &BEGIN).unwrap().add(&[1, 3]).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "[1,2]\n[1,3]\n", "cut at {cut}");
        }
    }

    #[test]
    fn a_file_of_others_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        fs::write(&path, "my notes").unwrap();
        let told = LineFile::open(&path, &BEGIN).unwrap_err().to_string();
        assert!(told.contains("none of ours"), "{told}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "my notes");
    }

    #[test]
    fn a_line_that_is_none_is_told_by_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        fs::write(&path, "[1]\nno\n").unwrap();
        let told = read::<Vec<u8>>(&path, "list", |_| None).unwrap_err().to_string();
        assert!(told.contains("line 2 is no list"), "{told}");
        let told = read::<Vec<u8>>(&path, "list", |list| (list == &[1]).then(|| "too short".into())).unwrap_err();
        assert!(told.to_string().contains("line 1 is no list: too short"), "{told}");
    }
}
