//! Slips where something is declared: units and their parameters, weights, states, stacks, imports, names bound by `let`.

use super::{Slip, last_word};
use crate::grammar::Rule;
use crate::message::Stop;

/// The slips, in the order in which they are asked.
pub(super) const SLIPS: &[fn(&Stop<'_>) -> Option<Slip>] = &[
    square_generics,
    value_generic,
    untyped_parameter,
    other_type,
    star_import,
    bare_stack,
    untyped_weight,
    sequence_weight,
    untyped_state,
    stateless,
    bare_tuple,
    double_equals,
];

/// `unit Conv[W](x: ..)`
fn square_generics(stop: &Stop<'_>) -> Option<Slip> {
    if stop.found != "[" || !in_head(stop) || stop.before().contains('(') {
        return None;
    }
    let help = "what a unit is declared with stands in `<..>`: `[..]` gives axes to a call";
    let inner = &stop.text[stop.at + 1..];
    let length = inner.find(']')?;
    Slip::edit(help, stop.at..stop.at + length + 2, format!("<{}>", &inner[..length]))
}

/// `unit Block(x: Seq[D], H = 4)`
fn value_generic(stop: &Stop<'_>) -> Option<Slip> {
    let is_axis = stop.text[stop.last_word()].starts_with(|c: char| c.is_ascii_uppercase());
    if stop.found != "=" || !is_axis || !in_head(stop) || !stop.wants(Rule::colon) {
        return None;
    }
    Slip::help(
        "axes and sizes are no values: they stand in front of the parameters, as in `unit Name<H = 4>(x: Seq[D])`",
    )
}

/// `unit Block(x)`
fn untyped_parameter(stop: &Stop<'_>) -> Option<Slip> {
    if !matches!(stop.found, ")" | ",") || !in_head(stop) || !stop.wants(Rule::colon) {
        return None;
    }
    let help = "a parameter states its type";
    let first = stop.last_word().start;
    let names = stop.text[first..].split(')').next()?;
    // All names that follow without a type, for one edit is to mend the list.
    if names.contains(|c: char| !(super::is_word(c) || c == ',' || c == ' ')) {
        let at = stop.before().len();
        return Slip::edit(help, at..at, ": Seq[D]");
    }
    let typed: Vec<String> = names.split(',').map(|name| format!("{}: Seq[D]", name.trim())).collect();
    Slip::edit(help, first..first + names.len(), typed.join(", "))
}

/// `x: Tensor[D]`
fn other_type(stop: &Stop<'_>) -> Option<Slip> {
    if !stop.wants(Rule::ty) || !stop.found.starts_with(|c: char| c.is_alphabetic()) {
        return None;
    }
    let help = "a type is `Seq[D]`, one value per position, or `[D]`, the same at every position";
    if stop.text[stop.range().end..].starts_with('[') {
        return Slip::edit(help, stop.range(), "Seq");
    }
    Slip::help(help)
}

/// `use std::*`
fn star_import(stop: &Stop<'_>) -> Option<Slip> {
    if stop.found == "*" && stop.before().ends_with("::") {
        return Slip::help("name what is wanted: `use std::{RmsNorm, SwiGlu}`");
    }
    None
}

/// `stack = Block*4`
fn bare_stack(stop: &Stop<'_>) -> Option<Slip> {
    let name = stop.last_word();
    if stop.found != "*" || !stop.before()[..name.start].trim_end().ends_with('=') || !stop.wants(Rule::r_brace) {
        return None;
    }
    let digits = stop.text[stop.range().end..].bytes().take_while(u8::is_ascii_digit).count();
    let range = name.start..stop.range().end + digits;
    let text = format!("[{}]", &stop.text[range.clone()]);
    Slip::edit("a stack is a list", range, text)
}

/// `param w: [D]`, and nothing behind it.
fn untyped_weight(stop: &Stop<'_>) -> Option<Slip> {
    let ends = stop.text[stop.before().len()..stop.at].contains('\n') || matches!(stop.found, "" | "}");
    if !ends || !stop.wants(Rule::eq) || !is_param(stop) || !stop.before().ends_with(']') {
        return None;
    }
    Slip::help("a weight says how it begins: `param w: [D] = normal(0.02)`, or a number")
}

/// `param w: Seq[D] = 1`
fn sequence_weight(stop: &Stop<'_>) -> Option<Slip> {
    if stop.found != "Seq" || !is_param(stop) || !stop.wants(Rule::axes) && !stop.wants(Rule::l_square) {
        return None;
    }
    Slip::edit("a weight is the same at every position: its type is `[D]`", stop.range(), "")
}

/// `scan S = 0 { .. }`
fn untyped_state(stop: &Stop<'_>) -> Option<Slip> {
    let name = stop.last_word();
    let before = stop.before()[..name.start].trim_end();
    let is_state = before.ends_with([',', '<']) || ["scan", "repeat"].contains(&&before[last_word(before)]);
    if stop.found != "=" || !is_state || !stop.wants(Rule::colon) {
        return None;
    }
    let help = format!("a state states its axes: `{}: [D] = ..`", &stop.text[name]);
    Slip::help(help)
}

/// `repeat 3 { .. }`, `scan { .. }`
fn stateless(stop: &Stop<'_>) -> Option<Slip> {
    let line = stop.before().rsplit('\n').next()?;
    let word =
        ["repeat", "scan"].into_iter().find(|word| line.split(|c: char| !super::is_word(c)).any(|w| w == *word))?;
    if stop.found != "{" || !stop.wants(Rule::state) && !stop.wants(Rule::name) && !stop.wants(Rule::counter) {
        return None;
    }
    Slip::help(match word {
        "repeat" => "a loop says what it changes: `repeat 3 R: [D] = x { R <- ..  yield R }`",
        _ => "a scan says what it remembers: `scan S: [D] = 0 { S <- ..  yield S }`",
    })
}

/// `let q, k = F(x)`
fn bare_tuple(stop: &Stop<'_>) -> Option<Slip> {
    let first = stop.last_word();
    let is_let = stop.before()[..first.start].trim_end().ends_with("let");
    if stop.found != "," || !is_let || !stop.wants(Rule::eq) {
        return None;
    }
    let help = "a tuple is taken apart in parentheses: `let (a, b) = ..`";
    let names = stop.text[first.start..].split('=').next()?.trim_end();
    if names.contains(|c: char| !(super::is_word(c) || c == ',' || c == ' ')) {
        return Slip::help(help);
    }
    Slip::edit(help, first.start..first.start + names.len(), format!("({names})"))
}

/// `let y == x`
fn double_equals(stop: &Stop<'_>) -> Option<Slip> {
    if stop.found == "==" && stop.wants(Rule::eq) {
        return Slip::edit("a name is bound with `=`", stop.range(), "=");
    }
    None
}

/// Whether a unit's head is being read: its body has not begun.
fn in_head(stop: &Stop<'_>) -> bool {
    let before = stop.before();
    let code = before.lines().find(|line| !line.trim_start().starts_with("//") && !line.trim().is_empty());
    code.is_some_and(|line| line.trim_start().starts_with("unit ")) && !before.contains('{')
}

/// Whether the statement before is a weight's.
fn is_param(stop: &Stop<'_>) -> bool {
    stop.before().rsplit(['\n', ';', '{']).next().is_some_and(|line| line.trim_start().starts_with("param "))
}
