//! Text from tokens as they come.
//!
//! In: ids, one by one. Out: the text that is certain by now. A token of a byte-level BPE may end within a character, so
//! its last bytes are held back until the character is whole. Bytes that are no UTF-8 give U+FFFD, as in
//! [`Tokenizer::decode`]: what comes out in pieces is what decoding all ids at once gives.

use crate::tokenizer::Tokenizer;

/// Text under way.
#[derive(Clone, Debug)]
pub struct TextStream<'t> {
    tokenizer: &'t Tokenizer,
    /// The beginning of a character: at most three bytes.
    held: Vec<u8>,
}

impl<'t> TextStream<'t> {
    /// Before the first token.
    #[must_use]
    pub fn new(tokenizer: &'t Tokenizer) -> Self {
        Self { tokenizer, held: Vec::new() }
    }

    /// The text that the next token completes; may be empty.
    pub fn push(&mut self, id: u32) -> String {
        self.held.extend(self.tokenizer.bytes_of(id));
        let mut text = String::new();
        loop {
            let (valid, broken) = match std::str::from_utf8(&self.held) {
                Ok(_) => (self.held.len(), Some(0)),
                Err(error) => (error.valid_up_to(), error.error_len()),
            };
            text.push_str(&String::from_utf8_lossy(&self.held[..valid]));
            self.held.drain(..valid);
            match broken {
                // Whole, or the beginning of a character that may still come.
                Some(0) | None => return text,
                Some(length) => {
                    text.push(char::REPLACEMENT_CHARACTER);
                    self.held.drain(..length);
                }
            }
        }
    }

    /// What is left at the end: U+FFFD if a character was cut in two.
    #[must_use]
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.held).into_owned()
    }
}
