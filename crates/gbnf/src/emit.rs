//! Rules as GBNF text.
//!
//! In: the rules of a pest grammar, and what is written by hand. Out: one line a rule. Lookahead that nothing here expands is dropped, which only adds
//! texts: ordered choice without lookahead reads nothing that plain choice does not.

use crate::layout::Layout;
use crate::pest::{Expr, Rules, Times};
use crate::words;

/// The GBNF of texts that `root` is.
pub(crate) fn text(rules: &Rules, root: &str, layout: &Layout) -> String {
    let out = Emitter { rules, layout };
    let mut text = format!(
        "# The grammar of .gau files, exported from grammar/gau.pest. It admits a little more than the parser does:\n\
         # check what was generated with `genesys check`.\n\
         root ::= {root}\n{}",
        layout.text()
    );
    for (name, body) in rules.iter().filter(|(name, _)| name != "keyword" && !layout.has(name)) {
        text.push_str(&format!("{} ::= {}\n", dashed(name), out.choice(body, Touch::default())));
    }
    text
}

/// Whether what stands before an expression may end with a letter, a digit or `_`, and what stands behind it begin with one:
/// blanks between two such are not left out.
#[derive(Clone, Copy, Default)]
struct Touch {
    before: bool,
    after: bool,
}

struct Emitter<'a> {
    rules: &'a Rules,
    layout: &'a Layout,
}

impl Emitter<'_> {
    fn body(&self, name: &str) -> Option<&Expr> {
        self.rules.iter().find(|(known, _)| known == name).map(|(_, body)| body)
    }

    fn choice(&self, expr: &Expr, touch: Touch) -> String {
        match expr {
            Expr::Choice(parts) => parts.iter().map(|part| self.sequence(part, touch)).collect::<Vec<_>>().join(" | "),
            Expr::Text(_) | Expr::Range(..) | Expr::Rule(_) | Expr::Not(_) | Expr::Seq(_) | Expr::Many(..) => {
                self.sequence(expr, touch)
            }
        }
    }

    fn sequence(&self, expr: &Expr, touch: Touch) -> String {
        let parts = match expr {
            Expr::Seq(parts) => parts.as_slice(),
            one => std::slice::from_ref(one),
        };
        if let [Expr::Choice(ways), tail @ Expr::Many(..)] = parts
            && ways.iter().any(is_no_keyword)
        {
            let others = Expr::Choice(ways.iter().filter(|way| !is_no_keyword(way)).cloned().collect());
            let free = format!("{} {}", self.term(&others, touch), self.term(tail, touch));
            return format!("{free} | {}", words::none_of(&self.keywords(), self.layout.letters));
        }
        let mut before = touch.before;
        let mut out = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let behind = &parts[index + 1..];
            let after = self.starts(behind, touch.after);
            match part {
                Expr::Not(_) => continue,
                Expr::Rule(end) if is_end(end) => continue,
                // Around an item stand whole lines.
                Expr::Rule(blank)
                    if blank == "ws"
                        && (index > 0 && is_edge(&parts[index - 1]) || behind.first().is_some_and(is_edge)) =>
                {
                    continue;
                }
                Expr::Rule(blank) if is_blank(blank) && before && after => {
                    out.push(format!("{blank}1"));
                    before = false;
                }
                Expr::Rule(_) | Expr::Text(_) | Expr::Range(..) | Expr::Seq(_) | Expr::Choice(_) | Expr::Many(..) => {
                    out.push(self.term(part, Touch { before, after }));
                    before = self.ends(part) || self.may_be_nothing(part) && before;
                }
            }
        }
        out.join(" ")
    }

    /// May these parts, and what stands behind them, begin with a letter, a digit or `_`?
    fn starts(&self, parts: &[Expr], behind: bool) -> bool {
        match parts.split_first() {
            None => behind,
            Some((first, rest)) => self.begins(first) || self.may_be_nothing(first) && self.starts(rest, behind),
        }
    }

    fn begins(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Text(text) => text.starts_with(is_of_word),
            Expr::Range(low, high) => is_of_word(*low) && is_of_word(*high),
            Expr::Not(_) => false,
            Expr::Rule(name) => self.body(name).map_or(name.starts_with("ASCII_"), |body| self.begins(body)),
            Expr::Seq(parts) => self.starts(parts, false),
            Expr::Choice(ways) => ways.iter().any(|way| self.begins(way)),
            Expr::Many(inner, _) => self.begins(inner),
        }
    }

    /// May it end with a letter, a digit or `_`?
    fn ends(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Text(text) => text.ends_with(is_of_word),
            Expr::Range(low, high) => is_of_word(*low) && is_of_word(*high),
            Expr::Not(_) => false,
            Expr::Rule(name) => self.body(name).map_or(name.starts_with("ASCII_"), |body| self.ends(body)),
            Expr::Seq(parts) => {
                let mut last = parts.iter().rev();
                last.by_ref().find_map(|part| (!self.may_be_nothing(part) || self.ends(part)).then(|| self.ends(part)))
                    == Some(true)
            }
            Expr::Choice(ways) => ways.iter().any(|way| self.ends(way)),
            Expr::Many(inner, _) => self.ends(inner),
        }
    }

    fn may_be_nothing(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Text(text) => text.is_empty(),
            Expr::Range(..) => false,
            Expr::Not(_) => true,
            Expr::Rule(name) => self.body(name).map_or(is_end(name), |body| self.may_be_nothing(body)),
            Expr::Seq(parts) => parts.iter().all(|part| self.may_be_nothing(part)),
            Expr::Choice(ways) => ways.iter().any(|way| self.may_be_nothing(way)),
            Expr::Many(inner, times) => times.least == 0 || self.may_be_nothing(inner),
        }
    }

    fn term(&self, expr: &Expr, touch: Touch) -> String {
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
            Expr::Seq(_) | Expr::Choice(_) => format!("({})", self.choice(expr, touch)),
            Expr::Many(inner, _) if **inner == Expr::Rule("idc".to_owned()) => self.layout.letters.to_owned(),
            Expr::Many(inner, times) => {
                // One may stand behind another.
                let more = *times != Times::MAYBE;
                let before = touch.before || more && self.ends(inner);
                let after = touch.after || more && self.begins(inner);
                format!("{}{times}", self.term(inner, Touch { before, after }))
            }
        }
    }

    /// The words that are no names.
    fn keywords(&self) -> Vec<String> {
        let Some(Expr::Seq(parts)) = self.body("keyword") else { return Vec::new() };
        let [words, Expr::Not(_)] = parts.as_slice() else { return Vec::new() };
        spelled(words)
    }
}

/// The words of an expression without repetition.
fn spelled(expr: &Expr) -> Vec<String> {
    match expr {
        Expr::Text(text) => vec![text.clone()],
        Expr::Range(low, high) => (*low..=*high).map(String::from).collect(),
        Expr::Choice(ways) => ways.iter().flat_map(spelled).collect(),
        Expr::Seq(parts) => parts.iter().map(spelled).fold(vec![String::new()], |heads, tails| {
            heads.iter().flat_map(|head| tails.iter().map(move |tail| format!("{head}{tail}"))).collect()
        }),
        Expr::Rule(_) | Expr::Not(_) | Expr::Many(..) => Vec::new(),
    }
}

fn is_blank(rule: &str) -> bool {
    matches!(rule, "ws" | "gap")
}

fn is_end(rule: &str) -> bool {
    matches!(rule, "SOI" | "EOI")
}

fn is_edge(expr: &Expr) -> bool {
    matches!(expr, Expr::Rule(name) if is_end(name))
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keywords_of_the_grammar_are_those_of_the_parser() {
        let rules = crate::pest::read(crate::GRAMMAR).expect("the grammar of the parser can be read");
        let mut words = Emitter { rules: &rules, layout: &Layout::of(crate::Bounds::None) }.keywords();
        words.sort_unstable();
        assert_eq!(words, genesys_syntax::KEYWORDS);
    }
}
