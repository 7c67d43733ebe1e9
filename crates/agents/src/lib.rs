//! Roles that language models take: what they are told, and what is made of their answers.
//!
//! | file | holds |
//! | --- | --- |
//! | [`card`] | the language on one page |
//! | [`prompt`] | prompts, as files with slots |
//! | [`mod@implement`] | the implementer: from a written proposal to a design that checks |
//! | `code` | the block of code in an answer |
//!
//! What a model answers is data: it is parsed and checked, and nothing in it is obeyed. Who answers is a transport that the caller hands in.

pub mod card;
mod code;
pub mod implement;
pub mod prompt;

pub use implement::{Attempt, Limits, Outcome, Task, Way, implement};
