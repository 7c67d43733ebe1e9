//! What is known, as roles ask for it: documents, as data in tags that they cannot close.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use genesys_literature::{Document, Index, Kind, LiteratureError, Query};
use genesys_llm::LlmError;
use genesys_registry::Entry;

use crate::prompt::{cut, enclosed};
use crate::proposal::Reference;

/// Where documents are looked for.
pub trait Library: Sync {
    /// At most so many documents for a question, best first.
    ///
    /// # Errors
    /// Why no dialogue can go on: what is found cannot be kept, or a recording does not have it.
    fn search(&self, question: &str, kinds: &[Kind], limit: usize) -> Result<Found, LlmError>;
}

/// What a library says to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Documents, best first; perhaps none.
    Documents(Vec<Document>),
    /// Why nothing can be looked for: the dialogue is told, and goes on.
    Nothing(String),
}

impl Found {
    /// What a search of an index came to.
    #[must_use]
    pub fn of(found: Result<genesys_literature::Found, LiteratureError>) -> Self {
        match found {
            Ok(found) => Self::Documents(found.hits.into_iter().map(|hit| hit.document).collect()),
            Err(error) => Self::Nothing(error.to_string()),
        }
    }
}

/// An index, by words.
impl Library for Mutex<Index> {
    fn search(&self, question: &str, kinds: &[Kind], limit: usize) -> Result<Found, LlmError> {
        let index = self.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Found::of(index.search(&Query { text: question, limit, kinds }, None)))
    }
}

/// One that somebody else has, too.
impl<L: Library + Send + ?Sized> Library for Arc<L> {
    fn search(&self, question: &str, kinds: &[Kind], limit: usize) -> Result<Found, LlmError> {
        self.as_ref().search(question, kinds, limit)
    }
}

/// A unit as a document, under its key: what its comment says, and its text.
#[must_use]
pub fn unit_document(entry: &Entry) -> Document {
    Document {
        summary: entry.docs.split_whitespace().collect::<Vec<_>>().join(" "),
        text: format!("{}\n\n{}", entry.signature, entry.text),
        ..Document::new(Kind::Unit, entry.key.as_str(), &entry.name, entry.key.as_str())
    }
}

/// The most characters of a document that are shown.
const SHOWN: usize = 900;

/// The documents that a dialogue has seen, by their keys.
#[derive(Debug, Default)]
pub(crate) struct Seen(BTreeMap<String, String>);

impl Seen {
    /// Shows documents, each with what of it can be referred to.
    pub(crate) fn show(&mut self, documents: &[Document]) -> String {
        let mut text = String::new();
        for document in documents {
            let said = said(document);
            let year = document.year.map_or(String::new(), |year| format!(", {year}"));
            let key = document.key.replace(['"', '<', '>'], "");
            let title = enclosed(&document.title);
            writeln!(text, "<document key=\"{key}\">\n{title}{year} ({})\n{said}\n</document>", document.kind)
                .expect("a string takes any text");
            self.0.insert(key, said);
        }
        text.trim_end().to_owned()
    }

    /// What keeps a reference from being one, if anything.
    pub(crate) fn flaw(&self, reference: &Reference) -> Option<String> {
        let Reference { key, sentence } = reference;
        let Some(said) = self.0.get(key) else {
            let keys: Vec<&str> = self.0.keys().map(String::as_str).collect();
            let known =
                if keys.is_empty() { "none was found".to_owned() } else { format!("found were {}", keys.join(", ")) };
            return Some(format!("expected a reference to a document that was found, and `{key}` is none: {known}"));
        };
        let words = normal(sentence);
        let stands = !words.is_empty() && normal(said).contains(&words);
        (!stands).then(|| {
            format!("expected a sentence as it stands in `{key}`, found \"{sentence}\"; what stands there is: {said}")
        })
    }
}

/// The part of a document's text that [`said`] reads.
pub(crate) fn shown(document: &Document) -> &str {
    match document.kind {
        // The text of a work is its title and tags once more.
        Kind::Work => "",
        // One more than is shown, so that it is seen that there is more.
        _ => document.text.char_indices().nth(SHOWN + 1).map_or(&document.text, |(end, _)| &document.text[..end]),
    }
}

/// What is shown of a document: what it does, and the beginning of its text.
fn said(document: &Document) -> String {
    let text = cut(shown(document), SHOWN);
    let parts = [document.summary.as_str(), text.as_str()].map(|part| enclosed(part.trim()));
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

/// A sentence without what may differ where it is copied: letters and digits in lower case, one space between words.
fn normal(text: &str) -> String {
    let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_reference_is_a_sentence_of_what_was_shown() {
        let mut seen = Seen::default();
        let summary = "It has a gate, and forgets.".to_owned();
        let document = Document { summary, ..Document::new(Kind::Work, "gla", "Gated </document> attention", "x") };
        let shown = seen.show(&[document]);
        assert_eq!(shown.matches("</document>").count(), 1, "{shown}");
        let flaw = |key: &str, sentence: &str| seen.flaw(&Reference { key: key.into(), sentence: sentence.into() });
        assert_eq!(flaw("gla", "It has a gate and forgets"), None);
        assert!(flaw("gla", "It never forgets.").unwrap().contains("It has a gate, and forgets."));
        assert!(flaw("gla", "").is_some());
        assert!(flaw("mamba", "It has a gate").unwrap().contains("found were gla"));
    }
}
