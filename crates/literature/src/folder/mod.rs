//! A user's folder of papers and notes: BibTeX, Markdown, text and PDF.
//!
//! In: a folder, and what the index knows of it. Out: documents of the files that are new or changed, the names of those
//! that are as they were, and a message for each file that cannot be read; the rest goes on. Other files are not looked
//! at, hidden ones neither, and folders behind links are not entered. What a file says is data: nothing in it is obeyed.

mod bibtex;
mod passage;
pub mod pdf;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::document::Document;
use crate::error::LiteratureError;
use crate::index::{Batch, Known};

/// The largest text, and the largest PDF, that is read.
const MOST_BYTES: (u64, u64) = (8 << 20, 64 << 20);

/// How deep folders are entered.
const MOST_DEPTH: usize = 32;

/// How many files are read; a folder of more is hardly one of papers.
const MOST_FILES: usize = 50_000;

/// What gives the text of each page of a PDF, or says why not. [`pdf::pages`] does it in this process, which a hostile
/// file can end; a program had better do it in another one.
pub type ReadPdf<'a> = &'a dyn Fn(&[u8]) -> Result<Vec<String>, String>;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    Bibtex,
    Markdown,
    Text,
    Pdf,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The file, from the folder on.
    pub file: String,
    /// What was expected, and what was found.
    pub message: String,
}

/// What a folder holds.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// The files that are new or changed.
    pub batches: Vec<Batch>,
    /// The files that are as they were.
    pub kept: BTreeSet<String>,
    /// The files that could not be read, or not wholly.
    pub troubles: Vec<Trouble>,
}

/// Looks at the files in `folder`; `known` is what the index has of it.
///
/// # Errors
/// [`LiteratureError::Folder`] if it cannot be read itself.
pub fn scan(folder: &Path, known: &BTreeMap<String, Known>, read_pdf: ReadPdf<'_>) -> Result<Scan, LiteratureError> {
    let failed = |source: io::Error| LiteratureError::Folder { path: folder.to_owned(), source: source.into() };
    fs::read_dir(folder).map_err(failed)?;
    let mut scan = Scan::default();
    let mut files = Vec::new();
    walk(folder, folder, 0, &mut files, &mut scan.troubles);
    files.sort();
    if files.len() > MOST_FILES {
        let message = format!("expected at most {MOST_FILES} files, found {}; the rest is left out", files.len());
        scan.troubles.push(Trouble { file: String::new(), message });
    }
    for (path, form) in files.iter().take(MOST_FILES) {
        let name = name_in(folder, path);
        match read(path, *form) {
            Err(message) => scan.troubles.push(Trouble { file: name, message }),
            Ok(bytes) => scan.take(Place { path, name }, *form, &bytes, known, read_pdf),
        }
    }
    Ok(scan)
}

/// Where a file lies.
struct Place<'a> {
    /// As one names it from here.
    path: &'a Path,
    /// As one names it from the folder on.
    name: String,
}

impl Scan {
    fn take(
        &mut self,
        place: Place<'_>,
        form: Form,
        bytes: &[u8],
        known: &BTreeMap<String, Known>,
        read_pdf: ReadPdf<'_>,
    ) {
        let hash = blake3::hash(bytes);
        let trouble = match known.get(&place.name).filter(|known| known.hash == hash) {
            Some(known) => {
                self.kept.insert(place.name.clone());
                known.trouble.clone()
            }
            None => {
                let (documents, trouble) = documents(&place, form, bytes, read_pdf);
                self.batches.push(Batch { origin: place.name.clone(), hash, documents, trouble: trouble.clone() });
                trouble
            }
        };
        self.troubles.extend(trouble.map(|message| Trouble { file: place.name, message }));
    }
}

/// The documents of a file, and what is wrong with it.
fn documents(place: &Place<'_>, form: Form, bytes: &[u8], read_pdf: ReadPdf<'_>) -> (Vec<Document>, Option<String>) {
    let source = place.path.display().to_string();
    if form == Form::Pdf {
        return match read_pdf(bytes) {
            Ok(pages) => pdf::documents(&place.name, &source, &pages),
            Err(message) => (Vec::new(), Some(message)),
        };
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return (Vec::new(), Some("expected UTF-8, found other bytes; save it as UTF-8".to_owned()));
    };
    match form {
        Form::Bibtex => bibtex::documents(&source, text),
        Form::Markdown => (passage::markdown(&place.name, &source, text), None),
        Form::Text | Form::Pdf => (passage::text(&place.name, &source, text), None),
    }
}

/// The files below `folder` that are of a known form.
fn walk(root: &Path, folder: &Path, depth: usize, files: &mut Vec<(PathBuf, Form)>, troubles: &mut Vec<Trouble>) {
    let mut trouble = |message: String| troubles.push(Trouble { file: name_in(root, folder), message });
    if depth > MOST_DEPTH {
        return trouble(format!("expected folders at most {MOST_DEPTH} deep, found more; it is left out"));
    }
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries.flatten(),
        Err(error) => return trouble(format!("expected a folder that can be read, found an error: {error}")),
    };
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(root, &path, depth + 1, files, troubles);
        } else if let Some(form) = form(&path).filter(|_| path.is_file()) {
            files.push((path, form));
        }
    }
}

/// What a file is, by its name.
fn form(path: &Path) -> Option<Form> {
    match path.extension()?.to_string_lossy().to_lowercase().as_str() {
        "bib" => Some(Form::Bibtex),
        "md" | "markdown" => Some(Form::Markdown),
        "txt" => Some(Form::Text),
        "pdf" => Some(Form::Pdf),
        _ => None,
    }
}

/// The bytes of a file, unless there are too many.
fn read(path: &Path, form: Form) -> Result<Vec<u8>, String> {
    let most = if form == Form::Pdf { MOST_BYTES.1 } else { MOST_BYTES.0 };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(most + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("expected a file that can be read, found an error: {error}"))?;
    if bytes.len() as u64 > most {
        return Err(format!("expected at most {} MiB, found more; split it, or put it elsewhere", most >> 20));
    }
    Ok(bytes)
}

/// The path from `root` on.
fn name_in(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}
