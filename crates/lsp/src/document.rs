//! One text, and what is known of it: each part made when it is first asked for, and forgotten with the next edit.

use std::cell::OnceCell;
use std::sync::{Arc, LazyLock};

use genesys_check::Library;
use genesys_compiler::{CheckedText, check_text, standard_units};
use genesys_explain::Facts;
use genesys_names::{Declaration, Names};
use genesys_span::{FileId, Span};
use genesys_syntax::MAX_FILE_BYTES;
use genesys_syntax::ast::{self, ItemKind};
use lsp_types::{Range, TextDocumentContentChangeEvent, TextEdit};

use crate::position::{Encoding, Lines};

/// The file of the standard units in every check, and that of the text.
const STD_FILE: FileId = FileId(0);
const OWN_FILE: FileId = FileId(1);

/// The tree of the standard units.
static STD_TREE: LazyLock<Arc<ast::File>> = LazyLock::new(|| Arc::new(standard_units().file().clone()));

/// A text.
#[derive(Debug)]
pub(crate) struct Document {
    /// The client's name for it.
    pub(crate) uri: String,
    /// The client's number for what it is now.
    pub(crate) version: i32,
    /// The text.
    pub(crate) text: String,
    /// Its lines.
    pub(crate) lines: Lines,
    encoding: Encoding,
    is_std: bool,
    names: OnceCell<Names>,
    checked: OnceCell<CheckedText>,
    facts: OnceCell<Facts>,
}

impl Document {
    pub(crate) fn new(uri: String, version: i32, text: String, encoding: Encoding) -> Self {
        let lines = Lines::new(&text, encoding);
        let (names, checked, facts) = Default::default();
        Self { uri, version, text, lines, encoding, is_std: false, names, checked, facts }
    }

    /// The standard units.
    pub(crate) fn standard(uri: String, encoding: Encoding) -> Self {
        Self { is_std: true, ..Self::new(uri, 0, genesys_stdlib::TEXT.to_owned(), encoding) }
    }

    /// Takes edits over, in order.
    pub(crate) fn edit(&mut self, version: i32, changes: Vec<TextDocumentContentChangeEvent>) {
        self.version = version;
        for change in changes {
            match change.range {
                Some(range) => {
                    let bytes = self.lines.bytes(&self.text, range);
                    self.text.replace_range(bytes, &change.text);
                }
                None => self.text = change.text,
            }
            self.lines = Lines::new(&self.text, self.encoding);
        }
        (self.names, self.checked, self.facts) = Default::default();
    }

    /// Its names; a text above the limit has none.
    pub(crate) fn names(&self) -> &Names {
        self.names.get_or_init(|| match self.text.len() {
            0..=MAX_FILE_BYTES => Names::read(&self.text, self.file()),
            _ => Names::default(),
        })
    }

    /// What checking it found.
    pub(crate) fn checked(&self) -> &CheckedText {
        self.checked.get_or_init(|| check_text(&self.uri, &self.text))
    }

    /// Its tree, as far as it can be read.
    pub(crate) fn tree(&self) -> Arc<ast::File> {
        Arc::clone(if self.is_std { &STD_TREE } else { &self.checked().syntax })
    }

    /// What is known of its parts.
    pub(crate) fn facts(&self) -> &Facts {
        self.facts.get_or_init(|| match self.is_std {
            true => Facts::of(standard_units().file(), &Library::default()),
            false => Facts::of(&self.checked().syntax, standard_units()),
        })
    }

    /// The documentation of the unit whose name stands there.
    pub(crate) fn docs(&self, unit: Span) -> Vec<String> {
        let tree = self.tree();
        let item = tree.items.iter().find(|item| match &item.kind {
            ItemKind::Unit(declared) => declared.name.span == unit,
            ItemKind::Use(_) | ItemKind::Design(_) => false,
        });
        item.map(|item| item.docs.clone()).unwrap_or_default()
    }

    /// The text of a span, which is empty where the span is another file's.
    pub(crate) fn words(&self, span: Span) -> &str {
        if span.file == self.file() { self.text.get(span.range()).unwrap_or_default() } else { "" }
    }

    /// What declares something, in one line.
    pub(crate) fn head(&self, declaration: &Declaration) -> String {
        self.words(declaration.head).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The range of a span.
    pub(crate) fn range(&self, span: Span) -> Range {
        self.lines.range(&self.text, span)
    }

    /// The file that spans of this text name.
    pub(crate) fn file(&self) -> FileId {
        if self.is_std { STD_FILE } else { OWN_FILE }
    }

    /// Whether a span lies in this text.
    pub(crate) fn holds(&self, span: Span) -> bool {
        span.file == self.file() && self.text.get(span.range()).is_some()
    }

    /// The edit that makes the text another: one, without what both begin and end with.
    pub(crate) fn edit_to(&self, other: &str) -> Option<TextEdit> {
        if self.text == other {
            return None;
        }
        let same = |pair: &(char, char)| pair.0 == pair.1;
        let front: usize = self.text.chars().zip(other.chars()).take_while(same).map(|(c, _)| c.len_utf8()).sum();
        let (old, new) = (&self.text[front..], &other[front..]);
        let back: usize = old.chars().rev().zip(new.chars().rev()).take_while(same).map(|(c, _)| c.len_utf8()).sum();
        let span = Span::new(self.file(), front, self.text.len() - back);
        Some(TextEdit { range: self.range(span), new_text: new[..new.len() - back].to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use lsp_types::Position;

    use super::*;

    fn document(text: &str) -> Document {
        Document::new("a".into(), 0, text.into(), Encoding::Utf16)
    }

    #[test]
    fn edits_are_taken_in_order_and_in_units_of_utf16() {
        let mut document = document("// 😀 a\nb\n");
        let change = |from: (u32, u32), to: (u32, u32), text: &str| TextDocumentContentChangeEvent {
            range: Some(Range { start: Position::new(from.0, from.1), end: Position::new(to.0, to.1) }),
            range_length: None,
            text: text.into(),
        };
        document.edit(1, vec![change((0, 6), (0, 7), "é"), change((1, 0), (1, 1), "😀"), change((1, 2), (1, 2), "!")]);
        assert_eq!(document.text, "// 😀 é\n😀!\n");
        document.edit(2, vec![TextDocumentContentChangeEvent { range: None, range_length: None, text: "x".into() }]);
        assert_eq!((document.text.as_str(), document.version), ("x", 2));
    }

    #[test]
    fn the_edit_to_another_text_leaves_out_what_is_equal() {
        let mut document = document("ab😀cd");
        assert_eq!(document.edit_to("ab😀cd"), None);
        let edit = document.edit_to("ab😁cd").expect("they differ");
        assert_eq!((edit.new_text.as_str(), edit.range.start.character, edit.range.end.character), ("😁", 2, 4));
        let TextEdit { range, new_text } = edit;
        document
            .edit(1, vec![TextDocumentContentChangeEvent { range: Some(range), range_length: None, text: new_text }]);
        assert_eq!(document.text, "ab😁cd");
    }
}
