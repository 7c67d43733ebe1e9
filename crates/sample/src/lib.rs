//! Sampling: from the scores of the next token to a token.
//!
//! In: scores (logits), how to choose, a seed and a step. Out: a token's number, or why there is none. One seed gives
//! one choice at one step, whatever was chosen before. It knows no model, no tokenizer and no text.
//!
//! | file | holds |
//! | --- | --- |
//! | [`filter`] | temperature, top-k, top-p: which tokens may be chosen, and how probable each one is |
//! | [`mod@draw`] | the choice |

pub mod draw;
pub mod filter;

pub use draw::draw;
pub use filter::{Kept, NotFinite, Sampling, kept};
