//! Slips of other notations, answered with the spelling this language has.
//!
//! Each slip is a function that looks at where reading stopped and either knows the mistake or
//! not; the first that knows it answers. An answer never changes what is accepted. Its edit, where
//! there is one, is what the text should have said there; it is never applied silently.

mod declare;

use std::ops::Range;

use crate::grammar::Rule;
use crate::message::Stop;
use crate::words::KEYWORDS;

/// The answer to a slip.
pub(crate) struct Slip {
    /// The way out in words.
    pub(crate) help: String,
    /// The bytes of the item's text to replace, and by what.
    pub(crate) edit: Option<(Range<usize>, String)>,
}

impl Slip {
    fn help(help: impl Into<String>) -> Option<Slip> {
        Some(Slip { help: help.into(), edit: None })
    }

    fn edit(help: impl Into<String>, range: Range<usize>, text: impl Into<String>) -> Option<Slip> {
        Some(Slip { help: help.into(), edit: Some((range, text.into())) })
    }
}

/// The first answer that fits.
pub(crate) fn slip(stop: &Stop<'_>) -> Option<Slip> {
    const SLIPS: &[fn(&Stop<'_>) -> Option<Slip>] = &[
        item_word,
        look_alike,
        tuple_parameter,
        colon_equals,
        label,
        mutable,
        missing_equals,
        missing_let,
        power,
        method,
        number,
        size_in_slot,
        angle_type,
        leading_word,
        mark,
        size_axis,
        lower_axis,
        second_call,
        bare_value,
        signature,
    ];
    declare::SLIPS.iter().chain(SLIPS).find_map(|slip| slip(stop))
}

/// `fn`, `def`, `import` and their like.
fn item_word(stop: &Stop<'_>) -> Option<Slip> {
    if !stop.wants(Rule::item) {
        return None;
    }
    let word = match stop.found {
        "fn" | "def" | "func" | "fun" | "function" | "module" | "layer" | "class" | "struct" => "unit",
        "model" | "net" | "network" => "design",
        "import" | "from" | "include" => "use",
        _ => {
            return Slip::help(
                "a file holds `use std::{..}`, `design Name { .. }` and `unit Name(x: Seq[D]) -> Seq[D] { .. }`",
            );
        }
    };
    Slip::edit(format!("write `{word}`"), stop.range(), word)
}

/// Characters that look like marks of the language.
fn look_alike(stop: &Stop<'_>) -> Option<Slip> {
    const ALIKE: &[(&str, &str)] = &[
        ("−", "-"),
        ("–", "-"),
        ("×", "*"),
        ("·", "*"),
        ("÷", "/"),
        ("→", "->"),
        ("←", "<-"),
        ("≤", "<="),
        ("≥", ">="),
        ("≠", "!="),
        ("\u{a0}", " "),
        ("=>", "->"),
        ("#", "//"),
    ];
    let (_, text) = ALIKE.iter().find(|(found, _)| stop.found == *found)?;
    let blank = if text.trim().is_empty() { "a plain blank" } else { text };
    let quoted = if blank == *text { format!("`{text}`") } else { blank.to_owned() };
    Slip::edit(format!("write {quoted}"), stop.range(), *text)
}

/// `x: (Seq[D], Seq[H])`
fn tuple_parameter(stop: &Stop<'_>) -> Option<Slip> {
    if stop.found != "(" || !stop.before().ends_with(':') || !stop.wants(Rule::ty) {
        return None;
    }
    Slip::help("a parameter is one value: give each value of a tuple a parameter of its own")
}

/// `let y := e`, `y := e`
fn colon_equals(stop: &Stop<'_>) -> Option<Slip> {
    if stop.found == "=" && stop.text[..stop.at].ends_with(':') {
        return Slip::edit("a name is bound with `=`", stop.at - 1..stop.at + 1, "=");
    }
    if stop.text[stop.at..].starts_with(":=") {
        let name = stop.last_word();
        let text = format!("let {} =", &stop.text[name.clone()]);
        return Slip::edit("a name is bound with `let name = ..`", name.start..stop.at + 2, text);
    }
    None
}

/// `let y = norm: F(x)`, `norm: F(x)` as a statement: a label where no argument is.
fn label(stop: &Stop<'_>) -> Option<Slip> {
    let value = stop.text[stop.at..].strip_prefix(':')?.trim_start();
    let callee = value.split(|c: char| !is_word(c)).next()?;
    let name = stop.last_word();
    let before = stop.text[..name.start].trim_end();
    let is_call = !callee.is_empty() && callee != "Seq" && value[callee.len()..].starts_with(['(', '[', '<']);
    if !is_call || name.is_empty() || before.ends_with("let") {
        return None;
    }
    let help = "a label stands before an argument, `f(norm: g(x))`; the weights of what a `let` binds have its name";
    if before.ends_with('=') {
        return Slip::edit(help, name.start..stop.text.len() - value.len(), "");
    }
    Slip::help(help)
}

/// `let mut y = e`
fn mutable(stop: &Stop<'_>) -> Option<Slip> {
    let word = stop.last_word();
    if &stop.text[word.clone()] != "mut" || !stop.wants(Rule::eq) {
        return None;
    }
    Slip::edit("leave `mut` out: `let` may bind a name again", word.start..stop.at, "")
}

/// `let y e`
fn missing_equals(stop: &Stop<'_>) -> Option<Slip> {
    let begins_value = stop.found.starts_with(|c: char| c.is_alphanumeric() || "([_-".contains(c));
    if !begins_value || !stop.wants(Rule::eq) || stop.expected.len() > 3 || stop.wants(Rule::r_angle) {
        return None;
    }
    Slip::edit("write `=` before the value", stop.at..stop.at, "= ")
}

/// `y = e` as a statement: a value without its `let`, or an update.
fn missing_let(stop: &Stop<'_>) -> Option<Slip> {
    if stop.found != "=" {
        return None;
    }
    if stop.text[..stop.at].ends_with(['+', '-', '*', '/']) {
        return Slip::help("nothing is changed in place: write `let y = y + ..`, or `S <- S + ..` for a state");
    }
    if !stop.wants(Rule::update) {
        return None;
    }
    let name = stop.last_word();
    if stop.text[name.clone()].starts_with(char::is_uppercase) && stop.text[..stop.at].contains("scan ") {
        return Slip::edit("a state is updated with `<-`", stop.range(), "<-");
    }
    Slip::edit("a value is bound with `let`, a state updated with `<-`", name.start..name.start, "let ")
}

/// `x ** 2`
fn power(stop: &Stop<'_>) -> Option<Slip> {
    if stop.found == "*" && stop.text[..stop.at].ends_with('*') {
        return Slip::edit("a power is written `^`", stop.at - 1..stop.at + 1, "^");
    }
    None
}

/// `x.mean()`, `.5`
fn method(stop: &Stop<'_>) -> Option<Slip> {
    let rest = stop.text[stop.at..].strip_prefix('.')?;
    let word = &rest[..rest.find(|c: char| !is_word(c)).unwrap_or(rest.len())];
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        return Slip::edit("write a digit before the point", stop.at..stop.at, "0");
    }
    if word.is_empty() {
        return None;
    }
    let (value, help) = (stop.last_word(), format!("values have no methods: write `{word}(..)`"));
    let end = stop.at + 1 + word.len();
    if value.is_empty() || value.end != stop.at || !stop.text[end..].starts_with("()") {
        return Slip::help(help);
    }
    Slip::edit(help, value.start..end + 2, format!("{word}({})", &stop.text[value]))
}

/// `2x`
fn number(stop: &Stop<'_>) -> Option<Slip> {
    let digits = stop.found.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0)?;
    let (number, rest) = stop.found.split_at(digits);
    if rest.contains('_') {
        let plain: String = stop.found.chars().filter(|c| *c != '_').collect();
        return if plain.chars().all(|c| c.is_ascii_digit()) {
            Slip::edit("write the digits without `_`", stop.range(), plain)
        } else {
            None
        };
    }
    Slip::edit("a product is written `*`", stop.range(), format!("{number} * {rest}"))
}

/// `conv[4](x)`: a number where axes stand.
fn size_in_slot(stop: &Stop<'_>) -> Option<Slip> {
    let open = stop.before();
    let is_number = !stop.found.is_empty() && stop.found.chars().all(|c| c.is_ascii_digit());
    if !is_number || !open.ends_with('[') {
        return None;
    }
    let help = "`[..]` holds axes; sizes go into `<..>`, other numbers among the arguments";
    let slot = open.len() - 1;
    let head = last_word(&open[..slot]);
    let Some(args) = stop.text[stop.range().end..].strip_prefix("](") else { return Slip::help(help) };
    let from = stop.range().end + 2;
    let Some(close) = matching_paren(args) else { return Slip::help(help) };
    let (start, text) = match &stop.text[head.clone()] {
        "conv" => (head.start, format!("ShortConv<{}>({})", stop.found, &args[..close])),
        "shift" | "pool" => (slot, format!("({}, {})", &args[..close], stop.found)),
        name if name.starts_with(char::is_uppercase) => (slot, format!("<{}>({})", stop.found, &args[..close])),
        _ => return Slip::help(help),
    };
    Slip::edit(help, start..from + close + 1, text)
}

/// `Seq<D>`, `Seq(D)`
fn angle_type(stop: &Stop<'_>) -> Option<Slip> {
    let close = match stop.found {
        "<" => '>',
        "(" => ')',
        _ => return None,
    };
    if &stop.text[stop.last_word()] != "Seq" {
        return None;
    }
    let inner = &stop.text[stop.at + 1..];
    let length = inner.find(close)?;
    let text = format!("[{}]", &inner[..length]);
    Slip::edit("the axes of a type stand in `[..]`", stop.at..stop.at + length + 2, text)
}

/// `return e`, `if c ..`
fn leading_word(stop: &Stop<'_>) -> Option<Slip> {
    let word = stop.last_word();
    match &stop.text[word.clone()] {
        "return" => Slip::edit("the last line of a body is its value", word.start..stop.at, ""),
        "while" | "for" | "loop" => {
            Slip::help("a loop of fixed count is `repeat 3 R: [D] = x { R <- ..  yield R }`, one over time a `scan`")
        }
        "if" | "match" => Slip::help("there is no control flow: `where(c, a, b)` selects"),
        "var" | "const" | "val" | "auto" => Slip::edit("a value is bound with `let`", word, "let"),
        _ => None,
    }
}

/// Marks that mean something elsewhere.
fn mark(stop: &Stop<'_>) -> Option<Slip> {
    match stop.found {
        "/*" => Slip::help("a comment begins with `//` and ends with its line"),
        "*" if stop.text[..stop.at].ends_with('/') => Slip::help("a comment begins with `//` and ends with its line"),
        "\"" | "'" => Slip::help("there are no strings"),
        "@" => Slip::help("a product summed over an axis is `dot[E](a, b)`"),
        "&&" | "||" | "!" => Slip::help("there are no logical operators"),
        _ => None,
    }
}

/// Whether a word of the language stands where a name is expected.
pub(crate) fn is_reserved(stop: &Stop<'_>) -> bool {
    KEYWORDS.contains(&stop.found) && (stop.wants(Rule::name) || stop.wants(Rule::upper))
}

fn lower_axis(stop: &Stop<'_>) -> Option<Slip> {
    const CAPITAL: &[Rule] = &[
        Rule::upper,
        Rule::axis_ref,
        Rule::axis_list,
        Rule::generic,
        Rule::size,
        Rule::size_atom,
        Rule::static_arg,
        Rule::stack_item,
        Rule::unit_ref,
        Rule::dots,
        Rule::use_names,
    ];
    let lower = stop.found.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if !lower || !CAPITAL.iter().any(|rule| stop.wants(*rule)) {
        return None;
    }
    Slip::help("units, axes and sizes begin with a capital letter")
}

/// `linear[D -> H, D / H](x)`
fn size_axis(stop: &Stop<'_>) -> Option<Slip> {
    let in_slot = stop.wants(Rule::r_square) && (stop.wants(Rule::comma) || stop.wants(Rule::map_to));
    if !in_slot || !matches!(stop.found, "+" | "-" | "*" | "/" | "%") {
        return None;
    }
    Slip::help("`[..]` holds axes by name: declare one of that size, as in `axis E = D / 4`")
}

/// `linear(D, D)(x)`
fn second_call(stop: &Stop<'_>) -> Option<Slip> {
    let follows = stop.before().len() == stop.at && stop.before().ends_with(')');
    if stop.found != "(" || !follows || !stop.wants(Rule::r_brace) {
        return None;
    }
    Slip::help("parentheses hold the values of one call; axes stand in `[..]`, sizes in `<..>`: `linear[D -> E](x)`")
}

/// A value in the middle of a body.
fn bare_value(stop: &Stop<'_>) -> Option<Slip> {
    let begins = stop.found.starts_with(|c: char| is_word(c) || c == '[' || c == '(');
    if !begins || !stop.wants(Rule::r_brace) || stop.wants(Rule::stmt) || stop.wants(Rule::field) {
        return None;
    }
    Slip::help("only the last line of a body is a bare value: bind the others with `let name = ..`")
}

fn signature(stop: &Stop<'_>) -> Option<Slip> {
    if stop.wants(Rule::arrow) && !stop.wants(Rule::r_square) {
        return Slip::help("a unit begins `unit Name(x: Seq[D]) -> Seq[D] {`");
    }
    None
}

impl Stop<'_> {
    fn wants(&self, rule: Rule) -> bool {
        self.expected.contains(&rule)
    }

    fn range(&self) -> Range<usize> {
        self.at..self.at + self.found.len()
    }

    /// The text before, without the blanks at its end.
    fn before(&self) -> &str {
        self.text[..self.at].trim_end()
    }

    fn last_word(&self) -> Range<usize> {
        last_word(self.before())
    }
}

/// The word that ends the text; empty if it ends in a mark.
fn last_word(text: &str) -> Range<usize> {
    let start =
        text.rfind(|c: char| !is_word(c)).map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    start..text.len()
}

/// Where the parenthesis closes that was opened before the text.
fn matching_paren(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' if depth == 0 => return Some(at),
            b')' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
