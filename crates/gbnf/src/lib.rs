//! The grammar of the design language as GBNF, the form in which servers take a grammar to hold a decoder to.
//!
//! In: a pest grammar of the kind that `grammar/gau.pest` is. Out: GBNF text, whose root is a whole file. Every text
//! that the pest grammar reads is in the exported language, and a few more are: lookahead is expanded where that is cheap
//! (keywords are no names, a blank follows a keyword, a comment ends with its line) and dropped elsewhere.
//!
//! The pest text is read here and not by `pest_meta`: that would switch the default features of `pest` on for the parser
//! of designs too. Nothing is checked that pest checks when the parser is derived.

mod emit;
mod pest;
mod words;

pub use pest::BadGrammar;

/// The grammar of `.gau` files, in pest's notation.
pub const GRAMMAR: &str = include_str!("../../../grammar/gau.pest");

/// The GBNF of a pest grammar with the rules `item`, `ws` and `comment`: `root` is a file, items one after the other.
///
/// # Errors
/// The text is not in the part of pest's notation that is understood here.
pub fn from_pest(grammar: &str) -> Result<String, BadGrammar> {
    Ok(emit::file(&pest::read(grammar)?))
}
