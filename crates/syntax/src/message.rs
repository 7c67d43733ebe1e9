//! Syntax errors for people: what was expected, what was found, and where.
//!
//! pest says how far the text could be read and which rules were tried there; this names them in
//! words, leaves out what merely could have gone on (an operator, an argument list), and asks
//! `slip` whether it knows the mistake.

use genesys_diag::{Code, Diagnostic};
use pest::error::{Error, ErrorVariant, InputLocation};

use crate::build::Builder;
use crate::grammar::Rule;
use crate::slip::{Slip, is_reserved, slip};

/// Where reading stopped.
pub(crate) struct Stop<'t> {
    /// The item's text.
    pub(crate) text: &'t str,
    /// The byte of it at which reading stopped.
    pub(crate) at: usize,
    /// What stands there.
    pub(crate) found: &'t str,
    /// The rules tried there.
    pub(crate) expected: Vec<Rule>,
}

/// The diagnostic for pest's error about one item.
pub(crate) fn syntax_error(builder: &Builder<'_>, error: &Error<Rule>) -> Diagnostic {
    let at = match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
    };
    let expected = match &error.variant {
        ErrorVariant::ParsingError { positives, .. } => positives.clone(),
        // The guard of pest against deep recursion; bounded nesting keeps it from firing.
        ErrorVariant::CustomError { .. } => {
            let span = builder.at(at, at);
            return Diagnostic::error(Code::NESTING_TOO_DEEP, span, "this nests too deep to be read")
                .help("bind an inner part with `let`");
        }
    };
    let stop = Stop { text: builder.text, at, found: token_at(builder.text, at), expected };
    let span = builder.at(at, at + stop.found.len());
    if is_reserved(&stop) {
        let message = format!("expected {}, found `{}`, a word of the language", wanted(&stop), stop.found);
        return Diagnostic::error(Code::RESERVED_WORD, span, message).help("use another name");
    }
    let message = format!("expected {}, found {}", wanted(&stop), shown(stop.found));
    let error = Diagnostic::error(Code::SYNTAX, span, message);
    match slip(&stop) {
        None => error,
        Some(Slip { help, edit: None }) => error.help(help),
        Some(Slip { help, edit: Some((range, text)) }) => {
            error.help(help).edit(builder.at(range.start, range.end), text)
        }
    }
}

/// The word, number or mark at byte `at`; empty at the end.
fn token_at(text: &str, at: usize) -> &str {
    let rest = text.get(at..).unwrap_or("");
    let Some(first) = rest.chars().next() else { return "" };
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let length = if is_word(first) {
        rest.find(|c: char| !is_word(c)).unwrap_or(rest.len())
    } else {
        const PAIRS: &[&str] = &["->", "<-", "<=", ">=", "==", "!=", "::", "..", "=>", "&&", "||", "/*"];
        PAIRS.iter().find(|pair| rest.starts_with(**pair)).map_or(first.len_utf8(), |pair| pair.len())
    };
    &rest[..length]
}

/// What was found, in words or in quotes.
fn shown(found: &str) -> String {
    match found.chars().next() {
        None => "the end of the item".to_owned(),
        Some(c) if c.is_control() || c.is_whitespace() => format!("the character U+{:04X}", u32::from(c)),
        Some(_) if found.chars().count() > 24 => format!("`{}..`", found.chars().take(24).collect::<String>()),
        Some(_) => format!("`{found}`"),
    }
}

/// The rules tried, in words: closing marks and separators if there are any, else all.
fn wanted(stop: &Stop<'_>) -> String {
    let strong = stop.expected.iter().any(|rule| rank(*rule) == 0);
    let mut words: Vec<&str> = Vec::new();
    for rule in &stop.expected {
        let word = word(*rule);
        // A value may begin with a sign; to say so helps nobody.
        let sign = *rule == Rule::neg && stop.expected.len() > 1;
        if !sign && (!strong || rank(*rule) < 2) && !words.contains(&word) {
            words.push(word);
        }
    }
    match words.as_slice() {
        [] => "something else".to_owned(),
        [one] => (*one).to_owned(),
        [init @ .., last] => format!("{} or {last}", init.join(", ")),
    }
}

/// 0: ends or separates, 1: begins something, 2: would only have gone on.
fn rank(rule: Rule) -> u8 {
    match rule {
        Rule::comma | Rule::r_paren | Rule::r_square | Rule::r_brace | Rule::r_angle | Rule::EOI => 0,
        Rule::op
        | Rule::size_op
        | Rule::rename
        | Rule::k_as
        | Rule::k_every
        | Rule::k_reset
        | Rule::every
        | Rule::l_paren
        | Rule::l_square
        | Rule::l_angle
        | Rule::statics
        | Rule::slot
        | Rule::args
        | Rule::role
        | Rule::times
        | Rule::per
        | Rule::dots
        | Rule::eq
        | Rule::colon
        | Rule::arrow
        | Rule::map_to
        | Rule::update
        | Rule::number_of
        | Rule::unit_of
        | Rule::signature => 2,
        _ => 1,
    }
}

/// A rule in words.
fn word(rule: Rule) -> &'static str {
    keyword(rule).unwrap_or_else(|| construct(rule))
}

/// A word of the language.
fn keyword(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::k_use => "`use`",
        Rule::k_design => "`design`",
        Rule::k_unit => "`unit`",
        Rule::k_let => "`let`",
        Rule::k_param => "`param`",
        Rule::k_axis => "`axis`",
        Rule::k_require => "`require`",
        Rule::k_yield => "`yield`",
        Rule::k_loss => "`loss`",
        Rule::k_scan => "`scan`",
        Rule::k_each => "`each`",
        Rule::k_every | Rule::every => "`every`",
        Rule::k_repeat => "`repeat`",
        Rule::k_reset => "`reset`",
        Rule::k_as | Rule::rename => "`as`",
        Rule::k_pointwise => "`pointwise`",
        Rule::k_share => "`share`",
        Rule::k_seq => "`Seq`",
        Rule::k_size => "`size`",
        Rule::k_of | Rule::of_axis => "`of`",
        Rule::k_per | Rule::per => "`; per`",
        _ => return None,
    })
}

/// Any other rule.
fn construct(rule: Rule) -> &'static str {
    match rule {
        Rule::EOI => "the end of the item",
        Rule::item | Rule::use_item | Rule::design_item | Rule::unit_item => "`unit`, `design` or `use`",
        Rule::name | Rule::names | Rule::arg_name | Rule::path_part => "a name",
        Rule::upper | Rule::unit_ref | Rule::counter => "a name with a capital",
        Rule::bool => "`true`, `false`",
        Rule::int => "a whole number",
        Rule::number => "a number",
        Rule::comma => "`,`",
        Rule::colon | Rule::number_of | Rule::unit_of => "`:`",
        Rule::eq => "`=`",
        Rule::arrow | Rule::map_to => "`->`",
        Rule::update => "`<-`",
        Rule::path_sep => "`::`",
        Rule::dots => "`..`",
        Rule::l_paren | Rule::args | Rule::signature => "`(`",
        Rule::r_paren => "`)`",
        Rule::l_square | Rule::slot | Rule::axes => "`[`",
        Rule::r_square => "`]`",
        Rule::l_brace | Rule::block | Rule::open => "`{`",
        Rule::r_brace => "`}`",
        Rule::l_angle | Rule::statics | Rule::generics => "`<`",
        Rule::r_angle => "`>`",
        Rule::op | Rule::size_op => "an operator",
        Rule::neg => "`-`",
        Rule::compare => "a comparison",
        Rule::times => "`*`",
        Rule::role => "`@`",
        Rule::field => "a field",
        Rule::stack | Rule::stack_item => "a unit or a group `[..]`",
        Rule::use_names => "names in `{..}`",
        Rule::generic => "a static parameter",
        Rule::param => "a parameter",
        Rule::ty | Rule::results | Rule::result => "a type",
        Rule::axis_list | Rule::axis_ref => "an axis",
        Rule::size | Rule::size_atom | Rule::size_call | Rule::size_fn => "a size",
        Rule::stmt
        | Rule::let_stmt
        | Rule::share_stmt
        | Rule::param_stmt
        | Rule::axis_stmt
        | Rule::require_stmt
        | Rule::yield_stmt
        | Rule::loss_stmt
        | Rule::update_stmt => "a statement",
        Rule::expr
        | Rule::init
        | Rule::operand
        | Rule::operand_c
        | Rule::apply
        | Rule::each
        | Rule::regroup
        | Rule::hole
        | Rule::group => "a value",
        Rule::shared => "a unit or `linear`",
        Rule::scan | Rule::repeat => "a scan or a loop",
        Rule::state => "a state",
        Rule::static_arg => "a size",
        Rule::unit_arg => "a unit",
        Rule::arg => "an argument",
        // Words are named before, and silent rules pest never reports.
        _ => "something else",
    }
}
