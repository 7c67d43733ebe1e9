//! The entry: text in, tree and diagnostics out.

use genesys_diag::{Code, Diagnostic};
use genesys_span::{FileId, Sources, Span};
use pest::Parser;

use crate::ast::{File, Item};
use crate::build::Builder;
use crate::comments::hang_comments;
use crate::grammar::{Grammar, Rule};
use crate::limits::{MAX_ERRORS, MAX_FILE_BYTES};
use crate::message::syntax_error;
use crate::prescan::{Region, prescan};
use crate::same::renumber;

/// What came of a text.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The items that could be read; those with an error are left out.
    pub file: File,
    /// At most one error an item, in text order.
    pub diagnostics: Vec<Diagnostic>,
}

/// Parses a file of `sources`.
///
/// It never panics, and takes time and stack bounded by the text's length and [`crate::MAX_NESTING`].
/// Expressions are numbered from 0 in text order, a parent before its parts.
///
/// Codes: `file-too-large`, `file-empty`, `unbalanced-bracket`, `nesting-too-deep`, `syntax`,
/// `ambiguous-minus`, `reserved-word`.
pub fn parse(sources: &Sources, file: FileId) -> Parsed {
    let text = sources.get(file).text.as_str();
    if text.len() > MAX_FILE_BYTES {
        let message = format!("expected at most {MAX_FILE_BYTES} bytes, found {}", text.len());
        let error = Diagnostic::error(Code::FILE_TOO_LARGE, Span::new(file, 0, 0), message);
        return Parsed { file: File::default(), diagnostics: vec![error.help("split the design into smaller files")] };
    }
    let from = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let scan = prescan(text, file, from);
    let mut tree = File::default();
    let mut failed = Vec::new();
    let mut diagnostics = Vec::new();
    for region in scan.regions {
        if diagnostics.len() == MAX_ERRORS {
            let span = Span::new(file, region.start, region.start);
            let message = format!("found {MAX_ERRORS} errors before this place; the rest of the file was not read");
            diagnostics.push(Diagnostic::error(Code::SYNTAX, span, message).help("mend the first errors"));
            break;
        }
        let range = region.start..region.end;
        match parse_region(text, file, region) {
            Ok(item) => tree.items.push(item),
            Err(error) => {
                diagnostics.push(*error);
                failed.push(range);
            }
        }
    }
    if tree.items.is_empty() && diagnostics.is_empty() {
        let message = "expected a unit or a design, found a file without any";
        let error = Diagnostic::error(Code::FILE_EMPTY, Span::new(file, from, from), message);
        diagnostics.push(error.help("write `design Name { stack = [Block*] }` and the units it stacks"));
    }
    hang_comments(&mut tree, scan.comments, &failed);
    renumber(&mut tree);
    Parsed { file: tree, diagnostics }
}

fn parse_region(text: &str, file: FileId, region: Region) -> Result<Item, Box<Diagnostic>> {
    if let Some(error) = region.broken {
        return Err(Box::new(error));
    }
    let source = &text[region.start..region.end];
    let builder = Builder { file, base: region.start, text: source };
    match Grammar::parse(Rule::item, source) {
        Ok(mut pairs) => builder.item(pairs.next().expect("the start rule yields one pair")),
        Err(error) => Err(Box::new(syntax_error(&builder, &error))),
    }
}

/// Bytes that are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotUtf8 {
    /// The offset of the first byte that is not.
    pub offset: usize,
    /// That byte.
    pub byte: u8,
}

impl NotUtf8 {
    /// The diagnostic for the file that the bytes were read from; its text may be left empty there.
    pub fn diagnostic(self, file: FileId) -> Diagnostic {
        let message = format!("expected UTF-8 text, found byte 0x{:02x} at offset {}", self.byte, self.offset);
        Diagnostic::error(Code::NOT_UTF8, Span::new(file, self.offset, self.offset), message)
            .help("save the file as UTF-8")
    }
}

/// The bytes of a file as text.
///
/// # Errors
/// The place of the first byte that is not UTF-8.
pub fn decode(bytes: Vec<u8>) -> Result<String, NotUtf8> {
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        NotUtf8 { offset, byte: error.as_bytes()[offset] }
    })
}
