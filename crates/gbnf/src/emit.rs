//! Rules as GBNF text.
//!
//! In: the rules of a pest grammar. Out: one line a rule. Lookahead that nothing here expands is dropped, which only adds
//! texts: ordered choice without lookahead reads nothing that plain choice does not.

use crate::pest::{Expr, Rules};
use crate::words;

/// The GBNF of a file.
pub(crate) fn file(rules: &Rules) -> String {
    let out = Emitter { rules };
    let mut text = String::from(
        "# The grammar of .gau files, exported from grammar/gau.pest. It admits a little more than the parser does:\n\
         # check what was generated with `genesys check`.\n\
         root ::= ws item+ (\"//\" [^\\n]*)?\n",
    );
    for (name, body) in rules.iter().filter(|(name, _)| name != "keyword") {
        let body = if name == "comment" { "\"//\" [^\\n]* \"\\n\"".to_owned() } else { out.choice(body) };
        text.push_str(&format!("{} ::= {body}\n", dashed(name)));
        if let ("ws" | "gap", Some(once)) = (name.as_str(), body.strip_suffix('*')) {
            text.push_str(&format!("{name}1 ::= {once}+\n"));
        }
    }
    text
}

struct Emitter<'a> {
    rules: &'a Rules,
}

impl Emitter<'_> {
    fn body(&self, name: &str) -> Option<&Expr> {
        self.rules.iter().find(|(known, _)| known == name).map(|(_, body)| body)
    }

    fn choice(&self, expr: &Expr) -> String {
        match expr {
            Expr::Choice(parts) => parts.iter().map(|part| self.sequence(part)).collect::<Vec<_>>().join(" | "),
            Expr::Text(_) | Expr::Range(..) | Expr::Rule(_) | Expr::Not(_) | Expr::Seq(_) | Expr::Many(..) => {
                self.sequence(expr)
            }
        }
    }

    fn sequence(&self, expr: &Expr) -> String {
        let Expr::Seq(parts) = expr else { return self.term(expr) };
        if let [Expr::Choice(ways), tail @ Expr::Many(..)] = parts.as_slice()
            && ways.iter().any(is_no_keyword)
        {
            let others = Expr::Choice(ways.iter().filter(|way| !is_no_keyword(way)).cloned().collect());
            let free = format!("{} {}", self.term(&others), self.term(tail));
            return format!("{free} | {}", words::none_of(&self.keywords()));
        }
        let mut out = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let text = match part {
                Expr::Not(_) => continue,
                Expr::Rule(end) if end == "SOI" || end == "EOI" => continue,
                Expr::Rule(blank) if self.must_part(parts, index) => format!("{blank}1"),
                Expr::Rule(_) | Expr::Text(_) | Expr::Range(..) | Expr::Seq(_) | Expr::Choice(_) | Expr::Many(..) => {
                    self.term(part)
                }
            };
            out.push(text);
        }
        out.join(" ")
    }

    /// Is the part at `index` blank space that stands between a word and what can only be another?
    fn must_part(&self, parts: &[Expr], index: usize) -> bool {
        let blank = matches!(&parts[index], Expr::Rule(name) if name == "ws" || name == "gap");
        blank && index > 0 && self.ends_word(&parts[index - 1]) && self.starts_word(&parts[index + 1..])
    }

    /// Is this a rule that ends with `!idc`?
    fn ends_word(&self, expr: &Expr) -> bool {
        let Expr::Rule(name) = expr else { return false };
        let Some(Expr::Seq(parts)) = self.body(name) else { return false };
        matches!(parts.last(), Some(Expr::Not(not)) if **not == Expr::Rule("idc".to_owned()))
    }

    /// Can these parts begin with nothing but a letter, a digit or `_`?
    fn starts_word(&self, parts: &[Expr]) -> bool {
        match parts.first() {
            None => false,
            Some(Expr::Text(text)) => text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'),
            Some(Expr::Range(low, high)) => low.is_ascii_alphanumeric() && high.is_ascii_alphanumeric(),
            Some(Expr::Rule(name)) => match self.body(name) {
                Some(body) => self.starts_word(std::slice::from_ref(body)),
                None => name.starts_with("ASCII_"),
            },
            Some(Expr::Not(_)) => self.starts_word(&parts[1..]),
            Some(Expr::Seq(inner)) => self.starts_word(inner),
            Some(Expr::Choice(ways)) => ways.iter().all(|way| self.starts_word(std::slice::from_ref(way))),
            Some(Expr::Many(inner, mark)) => {
                self.starts_word(std::slice::from_ref(inner)) && (*mark == '+' || self.starts_word(&parts[1..]))
            }
        }
    }

    fn term(&self, expr: &Expr) -> String {
        match expr {
            Expr::Text(text) => format!("\"{}\"", text.chars().map(escaped).collect::<String>()),
            Expr::Range(low, high) => format!("[{}-{}]", escaped(*low), escaped(*high)),
            Expr::Rule(name) => match name.as_str() {
                "ASCII_ALPHANUMERIC" => "[0-9A-Za-z]".to_owned(),
                "ASCII_ALPHA_LOWER" => "[a-z]".to_owned(),
                "ASCII_ALPHA_UPPER" => "[A-Z]".to_owned(),
                "ASCII_DIGIT" => "[0-9]".to_owned(),
                name => dashed(name),
            },
            Expr::Not(_) => "\"\"".to_owned(),
            Expr::Seq(_) | Expr::Choice(_) => format!("({})", self.choice(expr)),
            Expr::Many(inner, mark) => format!("{}{mark}", self.term(inner)),
        }
    }

    /// The words that are no names.
    fn keywords(&self) -> Vec<String> {
        let Some(Expr::Seq(parts)) = self.body("keyword") else { return Vec::new() };
        let Some(Expr::Choice(words)) = parts.first() else { return Vec::new() };
        let text = |word: &Expr| if let Expr::Text(text) = word { Some(text.clone()) } else { None };
        words.iter().filter_map(text).collect()
    }
}

/// Is this the first letter of a word that is no keyword?
fn is_no_keyword(way: &Expr) -> bool {
    let Expr::Seq(parts) = way else { return false };
    matches!(parts.as_slice(), [Expr::Not(not), Expr::Rule(_)] if **not == Expr::Rule("keyword".to_owned()))
}

/// A name of GBNF, which knows no `_`.
fn dashed(name: &str) -> String {
    name.replace('_', "-")
}

fn escaped(c: char) -> String {
    match c {
        '\n' => "\\n".to_owned(),
        '\t' => "\\t".to_owned(),
        '\r' => "\\r".to_owned(),
        '"' | '\\' | ']' => format!("\\{c}"),
        c => c.to_string(),
    }
}
