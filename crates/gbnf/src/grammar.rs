//! A grammar in GBNF, compiled for reading texts byte by byte.
//!
//! In: GBNF text, of the notation that llama.cpp documents, without tokens by their numbers. Out: rules whose ways are sequences of sets
//! of bytes and of other rules. What could never be read to an end, or makes reading endless, is refused here: a rule that is not there or
//! stands twice, one that never ends, one that begins with itself. A way that asks for a character of none is left out, so that each step
//! that is left leads to an end.
//!
//! | module | holds |
//! | --- | --- |
//! | `read` | the notation |
//! | `compile` | rules as steps |
//! | `bytes` | sets of bytes; characters as sequences of them |
//! | `sound` | what ends, and what begins with itself |

mod bytes;
mod compile;
mod read;
mod sound;

use std::fmt;

pub use bytes::ByteSet;

/// A part of a way of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// One of these bytes.
    Bytes(ByteSet),
    /// What a rule matches.
    Rule(usize),
    /// Nothing more.
    End,
}

/// A grammar that can be followed.
#[derive(Clone, Debug)]
pub struct Grammar {
    /// All ways, one behind the other, each with its end.
    pub(crate) steps: Vec<Step>,
    /// Where the ways of each rule begin; rule 0 is `root`.
    pub(crate) rules: Vec<Vec<usize>>,
}

/// A text that is no grammar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadGbnf {
    /// The line, from 1; none where it is about a rule.
    pub line: Option<usize>,
    /// What is wrong, with what was expected.
    pub why: String,
}

impl fmt::Display for BadGbnf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "the grammar cannot be read at line {line}: {}", self.why),
            None => write!(f, "the grammar cannot be followed: {}", self.why),
        }
    }
}

impl std::error::Error for BadGbnf {}

impl Grammar {
    /// Reads a grammar, whose rule `root` is a whole text.
    ///
    /// # Errors
    /// [`BadGbnf`]
    pub fn read(gbnf: &str) -> Result<Self, BadGbnf> {
        let rules = read::rules(gbnf)?;
        let (mut grammar, names) = compile::grammar(&rules)?;
        sound::check(&grammar, &names)?;
        let Self { steps, rules } = &mut grammar;
        rules.iter_mut().for_each(|ways| ways.retain(|begin| sound::is_open(steps, *begin)));
        Ok(grammar)
    }
}

#[cfg(test)]
mod tests;
