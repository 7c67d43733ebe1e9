//! The tokenizer: a byte-level BPE that gives every text back exactly.
//!
//! In: text or ids. Out: ids or text, the byte count of each token, the canonical JSON and its hash.
//! It accepts only tokenizers for which "bytes of text per token" is defined (byte-level BPE without a normalizer),
//! since bits per byte rests on that count. It adds no special tokens and reads none out of text: the five characters
//! `<eos>` in a document are five characters.

use std::str::FromStr;

use tokenizers::models::ModelWrapper;
use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, DecoderWrapper, Tokenizer as Inner};

use crate::alphabet::{byte_chars, token_bytes};
use crate::error::TokenizeError;
use crate::pieces::pieces;
use crate::train::train_model;

/// The token that ends a document, in every tokenizer made here.
pub const EOS: &str = "<eos>";

/// Names of the end-of-document token that are looked for in a tokenizer made elsewhere, in this order.
const KNOWN_EOS: [&str; 5] = [EOS, "<|endoftext|>", "<|end_of_text|>", "</s>", "<|im_end|>"];

/// Long texts are encoded and counted in pieces of about this size.
pub(crate) const PIECE_BYTES: usize = 1 << 16;

/// Texts that a usable tokenizer gives back unchanged: no added space, no folding of case or accents, no dropping.
const PROBES: [&str; 8] = [
    "a",
    " leading, trailing ",
    "  two  spaces\n\n\tand tabs\r\n",
    "Äé e\u{301} ﬁ Ω\u{2126}",
    "日本語 \u{1F600}\u{200D}",
    "\0\u{1}\u{7f}\u{a0}\u{feff}",
    "it's 12345 -- \"quoted\" ...",
    "<eos> </s> <|endoftext|> [UNK]",
];

/// A byte-level BPE tokenizer; cheap to share between threads, see [`Tokenizer::train`] and [`Tokenizer::bytes`].
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: Inner,
    json: String,
    hash: String,
    eos: u32,
    byte_lengths: Vec<u32>,
}

impl Tokenizer {
    /// Trains on `texts` until the vocabulary has `vocab_size` tokens, or fewer where the texts have no pair left to
    /// merge. Id 0 is `<eos>`, ids 1 to 256 are the bytes in the order of their characters, then merges by rank.
    /// The same texts give the same JSON, byte for byte, whatever the threads do.
    ///
    /// # Errors
    /// `vocab_size` below 257, or no text.
    pub fn train<'t>(texts: impl Iterator<Item = &'t str> + Send, vocab_size: usize) -> Result<Self, TokenizeError> {
        let mut inner = byte_level(BPE::default());
        train_model(&mut inner, texts, vocab_size)?;
        Self::from_inner(inner)
    }

    /// The tokenizer that needs no training: id = byte value, `<eos>` = 256, vocabulary 257.
    #[must_use]
    pub fn bytes() -> Self {
        let mut vocab: Vec<(String, u32)> = byte_chars().iter().map(char::to_string).zip(0..).collect();
        vocab.push((EOS.to_owned(), 256));
        let model = BPE::builder()
            .vocab_and_merges(vocab.into_iter().collect::<tokenizers::models::bpe::Vocab>(), Vec::new())
            .build()
            .expect("256 bytes and <eos> without merges are a model");
        let mut inner = byte_level(model);
        inner.add_special_tokens([AddedToken::from(EOS, true)]).expect("<eos> is in the vocabulary");
        Self::from_inner(inner).expect("the byte tokenizer gives every text back")
    }

    /// The 256 bytes as the characters that tokens are spelled with, in the order of the bytes.
    #[must_use]
    pub fn alphabet() -> [char; 256] {
        byte_chars()
    }

    /// Reads a `tokenizer.json`: one written by [`Tokenizer::to_json`], or any byte-level BPE made elsewhere.
    /// Truncation and padding settings in it are dropped.
    ///
    /// # Errors
    /// [`TokenizeError::Malformed`] when it cannot be parsed, [`TokenizeError::Unsuitable`] when it is not a
    /// deterministic byte-level BPE that gives text back exactly and has an end-of-document token.
    pub fn from_json(json: &str) -> Result<Self, TokenizeError> {
        let inner = Inner::from_str(json).map_err(|error| TokenizeError::Malformed(error.to_string()))?;
        Self::from_inner(inner)
    }

    /// The canonical `tokenizer.json`.
    #[must_use]
    pub fn to_json(&self) -> String {
        self.json.clone()
    }

    /// The ids of `text`. No special token is added, and none is read out of the text.
    #[must_use]
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let parts: Vec<&str> = pieces(text, PIECE_BYTES).collect();
        self.encode_each(parts).concat()
    }

    /// The ids of each text, in order; the texts are shared out between threads.
    #[must_use]
    pub fn encode_batch(&self, texts: &[&str]) -> Vec<Vec<u32>> {
        let counts: Vec<usize> = texts.iter().map(|text| pieces(text, PIECE_BYTES).count()).collect();
        let parts: Vec<&str> = texts.iter().flat_map(|text| pieces(text, PIECE_BYTES)).collect();
        let mut ids = self.encode_each(parts).into_iter();
        counts.into_iter().map(|count| ids.by_ref().take(count).flatten().collect()).collect()
    }

    /// The text of `ids`. Special tokens and ids outside the vocabulary give nothing; bytes that are not UTF-8 (a
    /// character cut in two) give U+FFFD.
    #[must_use]
    pub fn decode(&self, ids: &[u32]) -> String {
        self.inner.decode(ids, true).expect("a byte-level decoder takes any tokens")
    }

    /// One more than the largest id.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.byte_lengths.len()
    }

    /// The id of the end-of-document token.
    #[must_use]
    pub fn eos(&self) -> u32 {
        self.eos
    }

    /// blake3 of [`Tokenizer::to_json`], in hex.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// How many bytes of text each token stands for, indexed by id; 0 for special tokens and unused ids. Over the ids
    /// of a text the counts add up to the text's length in bytes.
    #[must_use]
    pub fn byte_lengths(&self) -> &[u32] {
        &self.byte_lengths
    }

    /// The bytes of text that a token stands for: none for special tokens and ids outside the vocabulary. They need not
    /// be UTF-8 by themselves.
    #[must_use]
    pub fn bytes_of(&self, id: u32) -> Vec<u8> {
        let token = self.inner.id_to_token(id).filter(|token| !self.is_special(token));
        token.map_or_else(Vec::new, |token| token_bytes(&token, &byte_chars()))
    }

    fn is_special(&self, token: &str) -> bool {
        self.inner.get_added_vocabulary().is_special_token(token)
    }

    fn from_inner(mut inner: Inner) -> Result<Self, TokenizeError> {
        // Settings that would cut or lengthen texts, or read `<eos>` out of a document, are not part of a tokenizer.
        inner.with_truncation(None).map_err(|error| TokenizeError::Malformed(error.to_string()))?;
        inner.with_padding(None);
        inner.set_encode_special_tokens(true);
        check_model(&inner)?;
        let eos = find_eos(&inner)?;
        let json = inner.to_string(false).map_err(|error| TokenizeError::Malformed(error.to_string()))?;
        let hash = blake3::hash(json.as_bytes()).to_hex().to_string();
        let byte_lengths = byte_lengths(&inner);
        let tokenizer = Self { inner, json, hash, eos, byte_lengths };
        tokenizer.check_probes()?;
        Ok(tokenizer)
    }

    fn encode_each(&self, parts: Vec<&str>) -> Vec<Vec<u32>> {
        let encodings = self.inner.encode_batch_fast(parts, false);
        let encodings = encodings.expect("a byte-level BPE that holds all 256 bytes encodes every text");
        encodings.into_iter().map(|encoding| encoding.get_ids().to_vec()).collect()
    }

    fn check_probes(&self) -> Result<(), TokenizeError> {
        for probe in PROBES {
            let ids = self.inner.encode_fast(probe, false);
            let ids = ids.map_err(|error| TokenizeError::Unsuitable(error.to_string()))?.get_ids().to_vec();
            let bytes: u64 = ids.iter().map(|id| u64::from(self.byte_lengths[*id as usize])).sum();
            let back = self.decode(&ids);
            if back != probe || bytes != probe.len() as u64 {
                return Err(TokenizeError::Unsuitable(format!(
                    "expected every text back unchanged, but {probe:?} comes back as {back:?}"
                )));
            }
        }
        Ok(())
    }
}

/// A tokenizer around `model` with GPT-2's word expression and byte alphabet, and no space put in front.
fn byte_level(model: BPE) -> Inner {
    let mut inner = Inner::new(model);
    inner.with_pre_tokenizer(Some(ByteLevel::new(false, false, true)));
    inner.with_decoder(Some(ByteLevel::new(false, false, true)));
    inner
}

/// Refuses what could fail on some text, or encode the same text in two ways.
fn check_model(inner: &Inner) -> Result<(), TokenizeError> {
    let unsuitable = |why: &str| Err(TokenizeError::Unsuitable(why.to_owned()));
    let ModelWrapper::BPE(model) = inner.get_model() else {
        return unsuitable("expected a BPE model, found another kind");
    };
    if model.dropout.is_some_and(|rate| rate > 0.0) {
        return unsuitable("its BPE dropout encodes a text differently each time; set \"dropout\" to null");
    }
    if !matches!(inner.get_decoder(), Some(DecoderWrapper::ByteLevel(_))) {
        return unsuitable("expected a ByteLevel decoder, without one a token has no number of bytes");
    }
    let missing = byte_chars().into_iter().zip(0_u32..).find(|(c, _)| inner.token_to_id(&c.to_string()).is_none());
    match missing {
        Some((_, byte)) => unsuitable(&format!("byte {byte} is not in its vocabulary")),
        None => Ok(()),
    }
}

fn find_eos(inner: &Inner) -> Result<u32, TokenizeError> {
    let special = |name: &&str| inner.get_added_vocabulary().is_special_token(name);
    let found = KNOWN_EOS.iter().filter(|name| special(name)).find_map(|name| inner.token_to_id(name));
    found.ok_or_else(|| {
        TokenizeError::Unsuitable(format!("it has no end-of-document token: expected one of {}", KNOWN_EOS.join(" ")))
    })
}

/// The table behind [`Tokenizer::byte_lengths`].
fn byte_lengths(inner: &Inner) -> Vec<u32> {
    let vocab = inner.get_vocab(true);
    let size = vocab.values().max().map_or(0, |largest| *largest as usize + 1);
    let chars = byte_chars();
    let mut lengths = vec![0; size];
    for (token, id) in &vocab {
        if !inner.get_added_vocabulary().is_special_token(token) {
            lengths[*id as usize] =
                u32::try_from(token_bytes(token, &chars).len()).expect("a token is shorter than 4 GiB");
        }
    }
    lengths
}
