//! A corpus: documents in a fixed order, and the hash of their text.
//!
//! In: a file, a folder, or nothing (the default text). Out: [`Corpus`]. A named file may have any extension; in a
//! folder, files ending in .txt, .text, .md, .markdown or .rst are read, folder by folder in the order of their names,
//! hidden ones left out, links followed. It changes no byte of a document.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::document::{Document, documents_of};
use crate::error::DataError;

/// Extensions of the files that are read in a folder, in lower case.
const TEXT_EXTENSIONS: [&str; 5] = ["txt", "text", "md", "markdown", "rst"];

/// Documents in a fixed order, never without one.
#[derive(Clone, Debug)]
pub struct Corpus {
    origin: String,
    documents: Vec<Document>,
    skipped: Vec<PathBuf>,
    hash: String,
}

impl Corpus {
    /// Reads a text file, or every text file below a folder.
    ///
    /// # Errors
    /// A path that cannot be read, a named file that is not UTF-8, or no text at all. Files in a folder that are not
    /// UTF-8 are left out and listed by [`Corpus::skipped`].
    pub fn from_path(path: &Path) -> Result<Self, DataError> {
        let kind = fs::metadata(path).map_err(DataError::at(path))?.file_type();
        match (kind.is_dir(), kind.is_file()) {
            (true, _) => Self::from_folder(path),
            (false, true) => Self::from_file(path),
            // It may never end, and cannot be read a second time.
            (false, false) => Err(DataError::NoFile { path: path.to_owned() }),
        }
    }

    /// The Markdown files and doc comments of the crates that every build of this project downloads: see the list in
    /// `default-crates.txt`. The same sources give the same text, so its hash is the same on every machine.
    ///
    /// # Errors
    /// [`DataError::MissingCrate`] names the first crate that is not in Cargo's registry folder.
    pub fn default_text() -> Result<Self, DataError> {
        let documents = crate::default_text::documents()?;
        Self::from_documents("the default text", documents, Vec::new())
    }

    /// A corpus of `documents`; `origin` says in a few words where they are from.
    ///
    /// # Errors
    /// [`DataError::Empty`] when there are none, or only blank ones.
    pub fn from_documents(
        origin: impl Into<String>,
        mut documents: Vec<Document>,
        skipped: Vec<PathBuf>,
    ) -> Result<Self, DataError> {
        let origin = origin.into();
        documents.retain(|document| !document.text.trim().is_empty());
        if documents.is_empty() {
            return Err(DataError::Empty { origin, skipped: skipped.len() });
        }
        let hash = hash_of(&documents);
        Ok(Self { origin, documents, skipped, hash })
    }

    /// Where the text is from: a path, or "the default text".
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The documents, in their fixed order.
    #[must_use]
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// Files that were left out because they are not UTF-8.
    #[must_use]
    pub fn skipped(&self) -> &[PathBuf] {
        &self.skipped
    }

    /// blake3 over the texts and their order, in hex; names and places do not enter.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// How many bytes the documents have together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.documents.iter().map(|document| document.text.len() as u64).sum()
    }

    fn from_file(path: &Path) -> Result<Self, DataError> {
        let bytes = fs::read(path).map_err(DataError::at(path))?;
        let text = String::from_utf8(bytes).map_err(|error| DataError::NotUtf8 {
            path: path.to_owned(),
            valid_up_to: error.utf8_error().valid_up_to(),
        })?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        Self::from_documents(path.display().to_string(), documents_of(&name, &text), Vec::new())
    }

    fn from_folder(root: &Path) -> Result<Self, DataError> {
        let (mut documents, mut skipped) = (Vec::new(), Vec::new());
        for path in files_below(root, |path| has_extension(path, &TEXT_EXTENSIONS))? {
            let bytes = fs::read(&path).map_err(DataError::at(&path))?;
            match String::from_utf8(bytes) {
                Ok(text) => documents.extend(documents_of(&name_below(root, &path), &text)),
                Err(_) => skipped.push(path),
            }
        }
        Self::from_documents(root.display().to_string(), documents, skipped)
    }
}

/// Every file below `root` that `wanted` accepts, in the order of names, hidden files and folders left out.
pub(crate) fn files_below(root: &Path, wanted: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>, DataError> {
    let visible = |entry: &DirEntry| entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".");
    let mut files = Vec::new();
    for entry in WalkDir::new(root).follow_links(true).sort_by_file_name().into_iter().filter_entry(visible) {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(root).to_owned();
            DataError::Io { path, source: error.into() }
        })?;
        if entry.file_type().is_file() && wanted(entry.path()) {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}

/// Whether the path ends in one of `extensions`, in either case.
pub(crate) fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    extensions.iter().any(|known| known.eq_ignore_ascii_case(extension))
}

/// The path of `file` seen from `root`.
pub(crate) fn name_below(root: &Path, file: &Path) -> String {
    file.strip_prefix(root).unwrap_or(file).to_string_lossy().into_owned()
}

fn hash_of(documents: &[Document]) -> String {
    let mut hasher = blake3::Hasher::new();
    for document in documents {
        hasher.update(&(document.text.len() as u64).to_le_bytes());
        hasher.update(document.text.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}
