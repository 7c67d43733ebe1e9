//! The grammar of the design language as GBNF, the form in which servers take a grammar to hold a decoder to.
//!
//! In: a pest grammar of the kind that `grammar/gau.pest` is. Out: GBNF text, whose root is a whole file. The language is
//! nearly that of the parser, and neither holds the other. Lookahead is expanded where that is cheap (keywords are no names,
//! a blank stands between words) and dropped elsewhere; what the parser asks beyond its grammar stands in `tighter.pest`; and
//! layout that no one writes, a comment without a blank before it, is left out.
//!
//! The pest text is read here and not by `pest_meta`: that would switch the default features of `pest` on for the parser
//! of designs too. Nothing is checked that pest checks when the parser is derived.

mod emit;
mod pest;
mod words;

pub use pest::BadGrammar;

/// The grammar of `.gau` files, in pest's notation.
pub const GRAMMAR: &str = include_str!("../../../grammar/gau.pest");

/// What the parser asks beyond it, in the same notation.
const TIGHTER: &str = include_str!("tighter.pest");

/// The GBNF of a pest grammar with the rules `item`, `ws` and `comment`: `root` is a file, items one after the other.
///
/// # Errors
/// The text is not in the part of pest's notation that is understood here.
pub fn from_pest(grammar: &str) -> Result<String, BadGrammar> {
    let mut rules = pest::read(grammar)?;
    for (name, body) in pest::read(TIGHTER)? {
        match rules.iter_mut().find(|(known, _)| *known == name) {
            Some(rule) => rule.1 = body,
            None => rules.push((name, body)),
        }
    }
    Ok(emit::file(&rules))
}
