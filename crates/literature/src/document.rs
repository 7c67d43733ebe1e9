//! What is searched: a document is a work, a design, a unit, a result, a page of a file, an answer of a live source.
//!
//! In: plain data of whoever knows the source. Out: the one form that the index keeps. Every document says where it comes
//! from and how far its summary can be trusted. What its text says is data and is obeyed nowhere.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::plain::{clean, one_line};

/// Declares the kinds and their words once.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$doc])* #[serde(rename = $word)] $variant,)* }

        impl $name {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word for it.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(word: &str) -> Result<Self, String> {
                let all = || Self::ALL.iter().map(|one| one.word()).collect::<Vec<_>>().join(", ");
                Self::ALL.iter().copied().find(|one| one.word() == word)
                    .ok_or_else(|| format!("expected one of {}, found `{word}`", all()))
            }
        }
    };
}

words! {
    /// What a document is.
    Kind {
        /// A published work of the shipped library.
        Work = "work",
        /// A design in the language.
        Design = "design",
        /// A unit of a design.
        Unit = "unit",
        /// A design that a run proposed.
        Proposal = "proposal",
        /// What came of its training.
        Result = "result",
        /// A part of a file in a folder of the user.
        File = "file",
        /// An answer of arXiv.
        Arxiv = "arxiv",
        /// An answer of Semantic Scholar.
        SemanticScholar = "semantic-scholar",
    }
}

words! {
    /// How a document is tied to another.
    Relation {
        /// It is later, and uses it or is compared with it.
        BuildsOn = "builds-on",
        /// It is the text of its mechanism.
        Implements = "implements",
        /// It stands in it.
        PartOf = "part-of",
        /// It was made from it by an operator or an agent.
        ChildOf = "child-of",
        /// It is what its training gave.
        ResultOf = "result-of",
    }
}

/// A tie to another document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Link {
    /// What ties them.
    pub relation: Relation,
    /// The other's key.
    pub key: String,
}

/// How far what a document says can be trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Its summary was compared with this page.
    Checked(String),
    /// Its summary was written from its title and from what is known of the work, and compared with nothing.
    Unchecked,
    /// It is the text itself.
    Given,
    /// A server gave it on this day, as in `2026-11-27`.
    Retrieved(String),
}

/// A document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// What it is called, unique among those of one origin.
    pub key: String,
    /// What it is.
    pub kind: Kind,
    /// Its title, one line.
    pub title: String,
    /// When it was published.
    pub year: Option<u16>,
    /// Who wrote it.
    pub authors: Vec<String>,
    /// Where it was published.
    pub venue: String,
    /// Its mechanisms, or its keywords.
    pub tags: Vec<String>,
    /// What it does, in a sentence; empty where nobody wrote one.
    pub summary: String,
    /// All of its text that is searched.
    pub text: String,
    /// Where it comes from: an address, or a path with a line or a page.
    pub source: String,
    /// How far it can be trusted.
    pub standing: Standing,
    /// The designs that implement it, as in `designs/mechanisms/alibi.gau`.
    pub units: Vec<String>,
    /// What it is tied to.
    pub links: Vec<Link>,
}

impl Document {
    /// A document of that kind, key, title and source, of text that is given as it is.
    #[must_use]
    pub fn new(kind: Kind, key: &str, title: &str, source: &str) -> Self {
        Self {
            key: key.to_owned(),
            kind,
            title: title.to_owned(),
            year: None,
            authors: Vec::new(),
            venue: String::new(),
            tags: Vec::new(),
            summary: String::new(),
            text: String::new(),
            source: source.to_owned(),
            standing: Standing::Given,
            units: Vec::new(),
            links: Vec::new(),
        }
    }

    /// The same without what moves a cursor or hides text, each field but the text on one line. The index keeps no other.
    #[must_use]
    pub fn plain(self) -> Self {
        let lines = |all: Vec<String>| all.iter().map(|one| one_line(one)).collect();
        Self {
            key: one_line(&self.key),
            title: one_line(&self.title),
            authors: lines(self.authors),
            venue: one_line(&self.venue),
            tags: lines(self.tags),
            summary: one_line(&self.summary),
            text: clean(&self.text),
            source: one_line(&self.source),
            ..self
        }
    }

    /// What a model of meaning reads of it: title, summary, and the beginning of the text.
    #[must_use]
    pub fn gist(&self) -> String {
        [self.title.as_str(), &self.tags.join(", "), &self.summary, &crate::plain::cut(&self.text, 1_200)]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(". ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_back_to_what_they_name() {
        for kind in Kind::ALL {
            assert_eq!(kind.word().parse(), Ok(*kind));
        }
        let said = "paper".parse::<Kind>().err();
        assert!(said.is_some_and(|said| said.contains("work, design, unit") && said.contains("`paper`")));
    }

    #[test]
    fn a_title_is_one_line_without_escapes() {
        let text = "a\u{0}b\nc".to_owned();
        let document = Document { text, ..Document::new(Kind::File, "a\nb", "On\n\u{1b}[31mred", "x.md:1") }.plain();
        assert_eq!((document.key.as_str(), document.title.as_str()), ("a b", "On [31mred"));
        assert_eq!(document.text, "ab\nc");
    }
}
