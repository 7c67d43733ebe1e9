//! Corpora, documents, splits, memory-mapped token shards, and the batches cut from them.
//!
//! The way of a text: [`Corpus`] (documents and their hash) -> [`split`] (train and validation, by document) ->
//! [`Dataset`] (token shards in a cache folder) -> [`Rows`] (rows of one context length) -> [`Batch`].
//!
//! ```text
//! let corpus = Corpus::from_path(path)?;                        // or Corpus::default_text()?
//! let tokenizer = tokenizer_for(&corpus, 1024, cache)?;         // trained on the train side, cached
//! let dataset = Dataset::prepare(&corpus, &tokenizer, cache)?;  // workers: Dataset::open(dataset.dir())
//! let rows = dataset.rows(64)?;
//! let batch = rows.train_batch(step, 8, seed);
//! ```
//!
//! It does not tokenize by itself, knows no tensors and no model, and downloads nothing.

mod batch;
mod corpus;
mod dataset;
mod default_text;
mod document;
mod error;
mod map;
mod permute;
mod prose;
mod rows;
mod shard;
mod split;

pub use batch::Batch;
pub use corpus::Corpus;
pub use dataset::{Dataset, DatasetInfo, SideInfo, tokenizer_for};
pub use document::Document;
pub use error::DataError;
pub use rows::Rows;
pub use shard::Shard;
pub use split::{Split, split};
