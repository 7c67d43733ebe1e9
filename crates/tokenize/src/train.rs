//! Trains byte-level BPE (Sennrich et al. 2016, over bytes as in GPT-2).
//!
//! In: texts and a vocabulary size. Out: a model whose ids are `<eos>`, the 256 bytes, then merges by rank.
//! The pair merged next is the most frequent one, the one with the smaller ids among equals, so the result depends
//! on the multiset of words alone, not on the order of the texts nor on the number of threads.

use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::BpeTrainerBuilder;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer as Inner};

use crate::error::TokenizeError;
use crate::pieces::pieces;
use crate::tokenizer::{EOS, PIECE_BYTES};

/// Trains `inner`'s model in place.
///
/// # Errors
/// [`TokenizeError::VocabularyTooSmall`] below 257 tokens, [`TokenizeError::NoText`] without a byte to read.
pub(crate) fn train_model<'t>(
    inner: &mut Inner,
    texts: impl Iterator<Item = &'t str> + Send,
    vocab_size: usize,
) -> Result<(), TokenizeError> {
    if vocab_size < 257 {
        return Err(TokenizeError::VocabularyTooSmall { asked: vocab_size });
    }
    let mut texts = texts.filter(|text| !text.is_empty()).peekable();
    if texts.peek().is_none() {
        return Err(TokenizeError::NoText);
    }
    let sequences = texts.flat_map(|text| pieces(text, PIECE_BYTES));
    inner
        .train(&mut trainer(vocab_size), sequences)
        .map(|_| ())
        .map_err(|error| TokenizeError::Training(error.to_string()))
}

fn trainer(vocab_size: usize) -> TrainerWrapper {
    BpeTrainerBuilder::new()
        .vocab_size(vocab_size)
        .show_progress(false)
        .special_tokens(vec![AddedToken::from(EOS, true)])
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build()
        .into()
}
