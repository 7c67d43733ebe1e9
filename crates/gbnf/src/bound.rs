//! Bounds for a grammar that a decoder is held to.
//!
//! In: rules. Out: the same rules, in which nothing is repeated without end. A small model repeats what it may repeat; where each
//! repetition has a most, what is left to it is to go on or to end. The numbers are far above what any design has (the tests hold the
//! shipped ones to them), and nesting is not bounded here: brackets have to be closed, and texts of a few tokens nest little.

use crate::pest::{Expr, Rules, Times};

/// The most of anything that no other line names: arguments, axes, operators of one sum, units of one stack.
const OTHERS: u32 = 24;

/// The most of what begins with a rule.
const MOST: &[(&str, u32)] = &[
    // With the letter before them, names of forty letters.
    ("idc", 39),
    // Every whole number of these is below 2^64.
    ("ASCII_DIGIT", 19),
    ("stmt", 64),
    ("neg", 2),
    ("semi", 1),
];

/// The rules, with a most for each repetition.
pub(crate) fn bounded(rules: Rules) -> Rules {
    rules.into_iter().map(|(name, body)| (name, bound(body))).collect()
}

fn bound(expr: Expr) -> Expr {
    match expr {
        Expr::Many(inner, Times { least, most }) => {
            let most = most.unwrap_or_else(|| most_of(&inner));
            Expr::Many(Box::new(bound(*inner)), Times { least, most: Some(most) })
        }
        Expr::Seq(parts) => Expr::Seq(parts.into_iter().map(bound).collect()),
        Expr::Choice(ways) => Expr::Choice(ways.into_iter().map(bound).collect()),
        Expr::Not(inner) => Expr::Not(Box::new(bound(*inner))),
        Expr::Text(_) | Expr::Range(..) | Expr::Rule(_) => expr,
    }
}

fn most_of(repeated: &Expr) -> u32 {
    let begin = begin(repeated);
    MOST.iter().find(|(rule, _)| begin == Some(rule)).map_or(OTHERS, |(_, most)| *most)
}

/// The rule that something begins with, blanks apart.
fn begin(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Rule(name) => Some(name),
        Expr::Seq(parts) => parts.iter().find(|part| !is_blank(part)).and_then(begin),
        Expr::Text(_) | Expr::Range(..) | Expr::Not(_) | Expr::Choice(_) | Expr::Many(..) => None,
    }
}

fn is_blank(expr: &Expr) -> bool {
    matches!(expr, Expr::Rule(name) if name == "ws" || name == "gap")
}
