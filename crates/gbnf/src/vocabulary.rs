//! The tokens of a vocabulary that a grammar admits.
//!
//! In: the bytes of each token, a state of a reader. Out: the tokens all of whose bytes may come next. Tokens are kept in the order of their
//! bytes, so that what begins alike is followed once, and left at the first byte that may not come.

use std::ops::Range;

use crate::reader::{Reader, State};

/// Tokens with their bytes, in the order of these.
#[derive(Clone, Debug)]
pub struct Vocabulary(Vec<(Vec<u8>, u32)>);

impl Vocabulary {
    /// The tokens of these bytes, by their numbers. Those without any stand for no text and are never admitted.
    #[must_use]
    pub fn new(tokens: impl IntoIterator<Item = (u32, Vec<u8>)>) -> Self {
        let mut tokens: Vec<(Vec<u8>, u32)> =
            tokens.into_iter().filter(|(_, bytes)| !bytes.is_empty()).map(|(token, bytes)| (bytes, token)).collect();
        tokens.sort_unstable();
        Self(tokens)
    }

    /// The tokens that may come next, in the order of their numbers.
    pub fn admitted(&self, reader: &mut Reader, state: State) -> Vec<u32> {
        let mut found = Vec::new();
        self.below(0..self.0.len(), 0, reader, state, &mut found);
        found.sort_unstable();
        found
    }

    /// Of tokens that begin alike, and whose beginnings lead to a state.
    fn below(&self, range: Range<usize>, depth: usize, reader: &mut Reader, state: State, found: &mut Vec<u32>) {
        let whole = self.0[range.clone()].iter().take_while(|(bytes, _)| bytes.len() == depth).count();
        found.extend(self.0[range.start..range.start + whole].iter().map(|(_, token)| token));
        let mut at = range.start + whole;
        while at < range.end {
            let byte = self.0[at].0[depth];
            let end = at + self.0[at..range.end].partition_point(|(bytes, _)| bytes[depth] == byte);
            if let Some(next) = reader.step(state, byte) {
                self.below(at..end, depth + 1, reader, next, found);
            }
            at = end;
        }
    }
}
