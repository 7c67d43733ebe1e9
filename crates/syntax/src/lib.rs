//! The grammar, the syntax tree and the canonical printer of the design language.

pub mod ast;
