//! Answers on disk, by address, with the day they came.
//!
//! In: an address, a day and a body. Out: the same, later. A file that is damaged, or that another address left under the
//! same name, is no answer, and is written anew. Nothing is deleted here, and no header or key is kept.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::day::Day;
use super::error::LiveError;

/// A folder of answers.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

/// An answer that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// When it came.
    pub day: Day,
    /// What it said.
    pub body: String,
}

/// The form of a file.
#[derive(Serialize, Deserialize)]
struct Entry {
    url: String,
    day: String,
    body: String,
}

impl Cache {
    /// The answers in `folder`, which is made when the first is kept.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The answer that `url` had.
    #[must_use]
    pub fn get(&self, url: &str) -> Option<Kept> {
        let entry: Entry = serde_json::from_slice(&fs::read(self.path(url)).ok()?).ok()?;
        let day = entry.day.parse().ok()?;
        (entry.url == url).then_some(Kept { day, body: entry.body })
    }

    /// Keeps an answer: written aside and renamed, so that there is the whole of it or none.
    ///
    /// # Errors
    /// [`LiveError::Cache`] where the system cannot.
    pub fn put(&self, url: &str, day: Day, body: &str) -> Result<(), LiveError> {
        let path = self.path(url);
        let aside = path.with_extension(format!("{}.writing", std::process::id()));
        let entry = Entry { url: url.to_owned(), day: day.to_string(), body: body.to_owned() };
        let text = serde_json::to_string(&entry).expect("text has a JSON form");
        fs::create_dir_all(&self.folder)
            .and_then(|()| fs::write(&aside, text))
            .and_then(|()| fs::rename(&aside, &path))
            .map_err(|source| LiveError::Cache { doing: "write", path, source })
    }

    fn path(&self, url: &str) -> PathBuf {
        self.folder.join(format!("{}.json", blake3::hash(url.as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_answer_is_there_again_with_its_day_and_a_damaged_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("answers"));
        let day = "2026-11-27".parse().unwrap();
        assert_eq!(cache.get("https://x/?a"), None);
        cache.put("https://x/?a", day, "body \u{1}").unwrap();
        assert_eq!(cache.get("https://x/?a"), Some(Kept { day, body: "body \u{1}".to_owned() }));
        let others = cache.path("https://x/?b");
        fs::copy(cache.path("https://x/?a"), &others).unwrap();
        assert_eq!(cache.get("https://x/?b"), None, "it belongs to another address");
        fs::write(&others, "{\"url\":").unwrap();
        assert_eq!(cache.get("https://x/?b"), None);
        cache.put("https://x/?b", day, "anew").unwrap();
        assert_eq!(cache.get("https://x/?b").unwrap().body, "anew");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let error =
            Cache::new(folder.path().join("file/answers")).put("u", Day::at(Default::default()), "").unwrap_err();
        assert!(error.to_string().starts_with("cannot write the answer"), "{error}");
    }
}
