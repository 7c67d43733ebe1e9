//! The grammar of the design language as GBNF, the form in which servers take a grammar to hold a decoder to.
//!
//! In: a pest grammar of the kind that `grammar/gau.pest` is. Out: GBNF text, whose root is a whole file. The language is
//! nearly that of the parser, and neither holds the other. Lookahead is expanded where that is cheap (keywords are no names,
//! a blank stands between words) and dropped elsewhere; what the parser asks beyond its grammar stands in `tighter.pest`; and
//! layout that no one writes, a comment without a blank before it, is left out. For decoders there is a form in which nothing is
//! repeated without end ([`Bounds::Decoder`]).
//!
//! The pest text is read here and not by `pest_meta`: that would switch the default features of `pest` on for the parser
//! of designs too. Nothing is checked that pest checks when the parser is derived.
//!
//! The other way round, [`Grammar`] reads GBNF, any, and [`Reader`] follows a text by it byte by byte: what may come next, of bytes or of
//! a vocabulary's tokens, and whether the text may end. That is what a decoder is held by.

mod bound;
mod emit;
pub mod grammar;
mod layout;
mod pest;
pub mod reader;
pub mod vocabulary;
mod words;

use layout::Layout;
use pest::Rules;

pub use grammar::{BadGbnf, ByteSet, Grammar};
pub use pest::BadGrammar;
pub use reader::{Reader, State};
pub use vocabulary::Vocabulary;

/// The grammar of `.gau` files, in pest's notation.
pub const GRAMMAR: &str = include_str!("../../../grammar/gau.pest");

/// What the parser asks beyond it, in the same notation.
const TIGHTER: &str = include_str!("tighter.pest");

/// What a decoder is held to beyond that.
const DECODER: &str = include_str!("decoder.pest");

/// What the root of an exported grammar is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Root {
    /// A file.
    #[default]
    File,
    /// One unit.
    Unit,
    /// One value, as it stands in the body of a unit.
    Value,
}

/// How long an exported grammar lets a text grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Bounds {
    /// As long as one likes: what is admitted is what the parser reads.
    #[default]
    None,
    /// Nothing is repeated without end: one empty line at most, names of 40 letters, 19 digits, 24 arguments .. A file is
    /// imports from `std`, one design and units. For decoders: a small model goes on with what it may go on with.
    Decoder,
}

/// The GBNF of a pest grammar with the rules `item`, `unit_item`, `expr`, `ws` and `comment`: `root` is a file, items one after the other.
///
/// # Errors
/// The text is not in the part of pest's notation that is understood here.
pub fn from_pest(grammar: &str) -> Result<String, BadGrammar> {
    export(grammar, Root::File, Bounds::None)
}

/// The same of another root, or within bounds.
///
/// # Errors
/// As [`from_pest`].
pub fn export(grammar: &str, root: Root, bounds: Bounds) -> Result<String, BadGrammar> {
    let mut rules = pest::read(grammar)?;
    overridden(&mut rules, pest::read(TIGHTER)?);
    let rules = match bounds {
        Bounds::None => rules,
        Bounds::Decoder => {
            overridden(&mut rules, pest::read(DECODER)?);
            bound::bounded(rules)
        }
    };
    Ok(emit::text(&rules, layout::root(root, bounds), &Layout::of(bounds)))
}

/// Puts rules in the place of those of the same name, and new ones behind them.
fn overridden(rules: &mut Rules, by: Rules) {
    for (name, body) in by {
        match rules.iter_mut().find(|(known, _)| *known == name) {
            Some(rule) => rule.1 = body,
            None => rules.push((name, body)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use super::pest::{Expr, Rules};
    use super::*;

    /// The rules of `tighter.pest` that the grammar has not: all others stand in for one of its own.
    const ADDED: &[&str] = &[
        "map",
        "uppers",
        "axes_slot",
        "called",
        "index",
        "options",
        "option",
        "body",
        "last",
        "line",
        "sum",
        "more",
        "order",
    ];

    fn names(rules: &Rules) -> BTreeSet<&str> {
        rules.iter().map(|(name, _)| name.as_str()).collect()
    }

    fn mentioned<'r>(expr: &'r Expr, into: &mut Vec<&'r str>) {
        match expr {
            Expr::Rule(name) => into.push(name),
            Expr::Not(inner) | Expr::Many(inner, _) => mentioned(inner, into),
            Expr::Seq(parts) | Expr::Choice(parts) => parts.iter().for_each(|part| mentioned(part, into)),
            Expr::Text(_) | Expr::Range(..) => {}
        }
    }

    #[test]
    fn each_tighter_rule_stands_in_for_one_of_the_grammar_or_is_known_to_be_new() {
        let (grammar, tighter) = (pest::read(GRAMMAR).unwrap(), pest::read(TIGHTER).unwrap());
        let (known, ours) = (names(&grammar), names(&tighter));
        assert_eq!(ours.len(), tighter.len(), "a rule stands twice in tighter.pest");
        assert_eq!(ours.difference(&known).copied().collect::<BTreeSet<_>>(), ADDED.iter().copied().collect());
    }

    #[test]
    fn each_tighter_rule_is_reached_from_an_item() {
        let (grammar, tighter) = (pest::read(GRAMMAR).unwrap(), pest::read(TIGHTER).unwrap());
        let find = |name: &str| tighter.iter().chain(&grammar).find(|(known, _)| known == name);
        let (mut open, mut reached) = (vec!["item"], BTreeSet::new());
        while let Some(name) = open.pop() {
            if reached.insert(name)
                && let Some((_, body)) = find(name)
            {
                mentioned(body, &mut open);
            }
        }
        let lost: Vec<&str> = names(&tighter).difference(&reached).copied().collect();
        assert!(lost.is_empty(), "nothing leads to {lost:?} of tighter.pest");
    }
}
