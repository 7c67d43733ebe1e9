//! Validation: how well a model predicts text that it was not trained on.
//!
//! In: rows, and what tells the loss of a batch. Out: [`Validation`]. The rows are the same ones in the same order for every model with one
//! context and tokenizer, and every prediction counts once:
//!
//! ```text
//! nats          = sum of -ln p(token) / tokens
//! bits per byte = sum of -ln p(token) / ln 2 / bytes        bytes: of the text the predicted tokens stand for
//! ```
//!
//! Bits per byte compare across tokenizers, nats do not. Ends of documents are predicted and stand for no bytes.

use genesys_data::{Batch, Rows};
use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// How well a model predicts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// Mean negative log likelihood of a token, in nats.
    pub nats: f64,
    /// Bits a byte of text.
    pub bits_per_byte: f64,
    /// How many tokens were predicted.
    pub tokens: u64,
    /// How many bytes of text they stand for.
    pub bytes: u64,
}

impl Validation {
    /// Whether it is a score at all.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        self.nats.is_finite() && self.bits_per_byte.is_finite()
    }
}

/// Validates on the fixed rows, `rows_per_batch` at a time, up to `limit_tokens` predictions; `loss` is the mean of a batch
/// in nats.
///
/// # Errors
/// [`TrainError::NoBytes`], or those of `loss`.
pub(crate) fn evaluate(
    rows: &Rows,
    rows_per_batch: usize,
    limit_tokens: u64,
    mut loss: impl FnMut(&Batch) -> Result<f32, TrainError>,
) -> Result<Validation, TrainError> {
    let (mut nats, mut tokens, mut bytes) = (0.0, 0, 0);
    for batch in rows.validation_batches(rows_per_batch, Some(limit_tokens)) {
        nats += f64::from(loss(&batch)?) * batch.predictions() as f64;
        tokens += batch.predictions();
        bytes += batch.predicted_bytes();
    }
    if bytes == 0 {
        return Err(TrainError::NoBytes);
    }
    let bits_per_byte = nats / std::f64::consts::LN_2 / bytes as f64;
    Ok(Validation { nats: nats / tokens as f64, bits_per_byte, tokens, bytes })
}
