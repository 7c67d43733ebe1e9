//! Design files: read from disk within the limits, checked, and their diagnostics printed.
//!
//! In: a path. Out: its text, or the checked design, with diagnostics for everything else: a file that cannot be read,
//! is too large or is not UTF-8 is a diagnostic of that file like any other, so that other files are still looked at.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use genesys_check::CheckedDesign;
use genesys_compiler::CheckedText;
use genesys_diag::{Code, Diagnostic, render_json, render_short, render_text};
use genesys_ladder::Scale;
use genesys_span::{Sources, Span};
use genesys_syntax::{MAX_FILE_BYTES, decode};

use crate::failure::Failure;
use crate::output;

/// How diagnostics are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// The place in the text, drawn.
    Text,
    /// One line each.
    Short,
    /// One JSON object a line.
    Json,
}

/// A file with what was found in it.
pub(crate) struct Looked<T> {
    /// The files that the diagnostics point into.
    pub(crate) sources: Sources,
    /// What the file is, where nothing is wrong with it.
    pub(crate) value: Option<T>,
    /// Everything found, errors and warnings.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl<T> Looked<T> {
    /// Whether the file is refused.
    pub(crate) fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// The diagnostics in that form, one string each.
    pub(crate) fn rendered(&self, format: Format, color: bool) -> impl Iterator<Item = String> {
        self.diagnostics.iter().map(move |diagnostic| match format {
            Format::Text => format!("{}\n", render_text(&self.sources, diagnostic, color)),
            Format::Short => render_short(&self.sources, diagnostic),
            Format::Json => render_json(&self.sources, diagnostic),
        })
    }

    /// What the file is, or the failure after its errors were said on standard error.
    pub(crate) fn or_say(self) -> Result<T, Failure> {
        if self.has_errors() {
            self.rendered(Format::Text, false).for_each(output::say);
            return Err(Failure::Told);
        }
        // A text without errors that is no design is a sketch: its holes are said as warnings.
        self.value.ok_or_else(|| {
            self.diagnostics.iter().for_each(|hole| output::say(render_short(&self.sources, hole)));
            Failure::Input("expected a design, found a sketch: fill its holes first".into())
        })
    }
}

/// Reads a design file.
pub(crate) fn read(path: &Path) -> Looked<String> {
    let mut sources = Sources::default();
    let name = path.display().to_string();
    let (text, diagnostic) = match read_limited(path) {
        Err(error) => {
            let (message, help) = unreadable(&error);
            (None, Some((Code::FILE_UNREADABLE, message, help)))
        }
        Ok(bytes) if bytes.len() > MAX_FILE_BYTES => {
            let message = format!("expected at most {MAX_FILE_BYTES} bytes, found more");
            (
                None,
                Some((Code::FILE_TOO_LARGE, message, "a design is a few hundred lines: is this the file you meant?")),
            )
        }
        Ok(bytes) => match decode(bytes) {
            Ok(text) => (Some(text), None),
            Err(error) => {
                let file = sources.add(name, "");
                return Looked { sources, value: None, diagnostics: vec![error.diagnostic(file)] };
            }
        },
    };
    let file = sources.add(name, "");
    let diagnostics = diagnostic
        .map(|(code, message, help)| Diagnostic::error(code, Span::new(file, 0, 0), message).help(help))
        .into_iter()
        .collect();
    Looked { sources, value: text, diagnostics }
}

/// Reads and checks a design file; the text comes with the design.
pub(crate) fn check(path: &Path) -> Looked<(String, CheckedDesign)> {
    let Looked { sources, value, diagnostics } = look(path);
    let value = value.map(|(checked, design)| (sources.get(checked.file).text.clone(), design));
    Looked { sources, value, diagnostics }
}

/// As [`check`], with all that checking the text gave.
pub(crate) fn look(path: &Path) -> Looked<(CheckedText, CheckedDesign)> {
    let Looked { sources, value, diagnostics } = read(path);
    let Some(text) = value else { return Looked { sources, value: None, diagnostics } };
    let checked = genesys_compiler::check_text(&path.display().to_string(), &text);
    let (sources, diagnostics) = (checked.sources.clone(), checked.diagnostics.clone());
    let value = checked.design.clone().map(|design| (checked, design));
    Looked { sources, value, diagnostics }
}

/// As [`check`]; what keeps the design from running at `scale` is added to the diagnostics.
pub(crate) fn check_at(path: &Path, scale: &Scale) -> Looked<(String, CheckedDesign)> {
    let mut looked = check(path);
    if let Some((_, design)) = &looked.value {
        looked.diagnostics.extend(genesys_compiler::fitting(design, scale).err().unwrap_or_default());
    }
    looked
}

/// What is wrong with a file that cannot be read, and a way out.
fn unreadable(error: &io::Error) -> (String, &'static str) {
    match error.kind() {
        io::ErrorKind::NotFound => {
            ("expected a file, found none of that name".to_owned(), "a path is relative to the folder you are in")
        }
        io::ErrorKind::IsADirectory => {
            ("expected a file, found a folder".to_owned(), "name the files in it, as in `folder/*.gau`")
        }
        _ => {
            (format!("expected a file that can be read, found an error: {error}"), "check the path and its permissions")
        }
    }
}

/// The first bytes of a file, one more than the limit at most: what is longer is refused unread.
fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
