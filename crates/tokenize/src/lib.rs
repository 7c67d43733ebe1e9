//! Byte-level BPE: training, caching by content, encoding.
//!
//! Text goes in, token ids come out, and back again without losing a byte.
//! This crate owns the foreign crate `tokenizers`; no other crate names it.
//!
//! - [`Tokenizer`]: train, load, encode, decode, and count the bytes behind a token.
//! - [`TextStream`]: text from tokens as they come, whole characters only.
//! - [`cached`]: the trained tokenizer of a corpus, kept in a folder under the hash of what it was made from.
//! - [`TokenizeError`]: what can go wrong, in words for the person who asked.
//!
//! It does not read corpora, does not choose a vocabulary size and does not know about documents.

mod alphabet;
mod cache;
mod error;
mod pieces;
mod stream;
mod tokenizer;
mod train;

pub use cache::cached;
pub use error::TokenizeError;
pub use stream::TextStream;
pub use tokenizer::{EOS, Tokenizer};
