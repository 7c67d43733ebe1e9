//! The knowledge engine: what is known about architectures, and the search over it.
//!
//! In go the shipped works, designs, a run's own proposals and results, a user's folder of papers, and the answers of arXiv
//! and Semantic Scholar; out come documents, best first, each with its source and why it was found. Searching needs no
//! model, no key and no network. What a document says is data: nothing in it is obeyed. Who asks a network, looks at a
//! clock or waits, does so through a trait that the caller hands in.
//!
//! | file | holds |
//! | --- | --- |
//! | [`mod@document`] | what is searched |
//! | [`work`] | the shipped works, and how their table is read |
//! | [`mod@tag`] | the list of mechanisms that works are tagged with |
//! | [`design`] | designs and their units as documents |
//! | [`folder`] | a user's folder: BibTeX, Markdown, text, PDF |
//! | [`live`] | arXiv and Semantic Scholar, with their rules, a cache, and an offline mode |
//! | [`mod@terms`] | a question as words, phrases and beginnings |
//! | [`index`] | documents by words and by meaning |
//! | [`mod@fusion`] | one order of several |
//! | [`embed`] | what a model of meaning has to give |
//! | `bert` | such a model on candle, behind the feature `embeddings` |
//! | [`show`] | what was found, to read and for programs |
//! | [`plain`] | text from outside as text to show |
//! | [`error`] | everything that can go wrong |

#[cfg(feature = "embeddings")]
pub mod bert;
pub mod design;
pub mod document;
pub mod embed;
pub mod error;
pub mod folder;
pub mod fusion;
pub mod index;
pub mod live;
pub mod plain;
pub mod show;
pub mod tag;
pub mod terms;
pub mod work;

pub use document::{Document, Kind, Link, Relation, Standing};
pub use embed::Embed;
pub use error::LiteratureError;
pub use index::{Batch, Change, Field, Found, Hit, Index, Matched, Query, Ways};
pub use tag::{TAGS, tag};
pub use work::{LIBRARY, Work, library};
