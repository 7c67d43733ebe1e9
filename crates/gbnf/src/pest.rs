//! The part of pest's notation that the grammar uses.
//!
//! In: text. Out: rules in their order. Not understood: the stack, tags, insensitive strings.

use std::fmt;

/// What a rule matches.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    Text(String),
    Range(char, char),
    Rule(String),
    Not(Box<Expr>),
    Seq(Vec<Expr>),
    Choice(Vec<Expr>),
    /// One behind the other, so often.
    Many(Box<Expr>, Times),
}

/// How often something stands: at least, and at most, if there is a most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) least: u32,
    pub(crate) most: Option<u32>,
}

impl Times {
    pub(crate) const MAYBE: Self = Self { least: 0, most: Some(1) };
    pub(crate) const ANY: Self = Self { least: 0, most: None };
    pub(crate) const SOME: Self = Self { least: 1, most: None };
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.most) {
            (0, Some(1)) => f.write_str("?"),
            (0, None) => f.write_str("*"),
            (1, None) => f.write_str("+"),
            (least, None) => write!(f, "{{{least},}}"),
            (least, Some(most)) => write!(f, "{{{least},{most}}}"),
        }
    }
}

/// The rules by name, in the order of the text.
pub(crate) type Rules = Vec<(String, Expr)>;

/// A pest grammar that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadGrammar {
    /// The byte at which reading stopped.
    pub at: usize,
    /// What was expected there.
    pub expected: &'static str,
}

impl fmt::Display for BadGrammar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the grammar cannot be read at byte {}: expected {}", self.at, self.expected)
    }
}

impl std::error::Error for BadGrammar {}

/// The rules of a grammar.
pub(crate) fn read(text: &str) -> Result<Rules, BadGrammar> {
    let mut reader = Reader { text, at: 0 };
    let mut rules = Rules::new();
    reader.blanks();
    while reader.at < text.len() {
        let name = reader.word()?;
        reader.expect("=", "`=`")?;
        let _ = reader.eat("_") || reader.eat("@");
        reader.expect("{", "`{`")?;
        let body = reader.choice()?;
        reader.expect("}", "`}`")?;
        rules.push((name, body));
    }
    Ok(rules)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn bad(&self, expected: &'static str) -> BadGrammar {
        BadGrammar { at: self.at, expected }
    }

    /// Skips blank space and comments.
    fn blanks(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            let comment = if trimmed.starts_with("//") { trimmed.find('\n').unwrap_or(trimmed.len()) } else { 0 };
            let skipped = rest.len() - trimmed.len() + comment;
            self.at += skipped;
            if skipped == 0 {
                return;
            }
        }
    }

    fn eat(&mut self, mark: &str) -> bool {
        let there = self.rest().starts_with(mark);
        if there {
            self.at += mark.len();
            self.blanks();
        }
        there
    }

    fn expect(&mut self, mark: &str, expected: &'static str) -> Result<(), BadGrammar> {
        if self.eat(mark) { Ok(()) } else { Err(self.bad(expected)) }
    }

    fn word(&mut self) -> Result<String, BadGrammar> {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        if end == 0 {
            return Err(self.bad("a name"));
        }
        let word = rest[..end].to_owned();
        self.at += end;
        self.blanks();
        Ok(word)
    }

    fn choice(&mut self) -> Result<Expr, BadGrammar> {
        let mut parts = vec![self.sequence()?];
        while self.eat("|") {
            parts.push(self.sequence()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::Choice(parts) })
    }

    fn sequence(&mut self) -> Result<Expr, BadGrammar> {
        let mut parts = vec![self.term()?];
        while self.eat("~") {
            parts.push(self.term()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::Seq(parts) })
    }

    fn term(&mut self) -> Result<Expr, BadGrammar> {
        if self.eat("!") {
            return Ok(Expr::Not(Box::new(self.term()?)));
        }
        let mut expr = self.atom()?;
        while let Some(times) = self.times()? {
            expr = Expr::Many(Box::new(expr), times);
        }
        Ok(expr)
    }

    /// `?`, `*`, `+`, `{3}` or `{1,3}` behind a term, if one stands there.
    fn times(&mut self) -> Result<Option<Times>, BadGrammar> {
        let marks = [("?", Times::MAYBE), ("*", Times::ANY), ("+", Times::SOME)];
        if let Some((_, times)) = marks.into_iter().find(|(mark, _)| self.eat(mark)) {
            return Ok(Some(times));
        }
        if !self.eat("{") {
            return Ok(None);
        }
        let least = self.count()?;
        let most = if self.eat(",") { self.count()? } else { least };
        self.expect("}", "`}`")?;
        Ok(Some(Times { least, most: Some(most) }))
    }

    fn count(&mut self) -> Result<u32, BadGrammar> {
        let at = self.at;
        self.word()?.parse().map_err(|_| BadGrammar { at, expected: "a whole number" })
    }

    fn atom(&mut self) -> Result<Expr, BadGrammar> {
        if self.eat("(") {
            let inner = self.choice()?;
            self.expect(")", "`)`")?;
            return Ok(inner);
        }
        if self.rest().starts_with('"') {
            return Ok(Expr::Text(self.quoted('"')?));
        }
        if self.rest().starts_with('\'') {
            let low = self.letter()?;
            self.expect("..", "`..`")?;
            return Ok(Expr::Range(low, self.letter()?));
        }
        Ok(Expr::Rule(self.word()?))
    }

    fn letter(&mut self) -> Result<char, BadGrammar> {
        let text = self.quoted('\'')?;
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(only), None) => Ok(only),
            (Some(_), Some(_)) | (None, _) => Err(self.bad("one character")),
        }
    }

    /// A text between quotes, with `\n`, `\t`, `\r` and escaped marks.
    fn quoted(&mut self, quote: char) -> Result<String, BadGrammar> {
        if !self.rest().starts_with(quote) {
            return Err(self.bad("a quoted text"));
        }
        let (mut out, mut escaped) = (String::new(), false);
        let body = &self.text[self.at + 1..];
        for (at, c) in body.char_indices() {
            match c {
                'n' if escaped => out.push('\n'),
                't' if escaped => out.push('\t'),
                'r' if escaped => out.push('\r'),
                '\\' if !escaped => {
                    escaped = true;
                    continue;
                }
                c if c == quote && !escaped => {
                    self.at += 1 + at + 1;
                    self.blanks();
                    return Ok(out);
                }
                c => out.push(c),
            }
            escaped = false;
        }
        Err(self.bad("the closing quote"))
    }
}
