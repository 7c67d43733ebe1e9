//! The notation of GBNF.
//!
//! In: text. Out: rules in their order. It is read as llama.cpp reads it: a rule ends with its line, but within parentheses and behind
//! `::=` and `|` lines may be broken.

use super::BadGbnf;

/// What a rule matches.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    /// A text.
    Text(String),
    /// A character of these ranges, or of none of them.
    Class { negated: bool, ranges: Vec<(char, char)> },
    /// What a rule matches.
    Rule(String),
    /// One behind the other.
    Seq(Vec<Expr>),
    /// One of these.
    Choice(Vec<Expr>),
    /// So many times, at least and at most.
    Repeat(Box<Expr>, u32, Option<u32>),
}

/// How deep parentheses may stand in each other.
const DEEPEST: usize = 100;

/// The rules of a text, with their names.
pub(super) fn rules(text: &str) -> Result<Vec<(String, Expr)>, BadGbnf> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    let mut rules: Vec<(String, Expr)> = Vec::new();
    reader.blanks(true);
    while reader.at < text.len() {
        let name = reader.name()?;
        if rules.iter().any(|(known, _)| *known == name) {
            return Err(reader.bad(&format!("`{name}` stands twice: expected one rule of each name")));
        }
        reader.blanks(false);
        reader.expect("::=")?;
        reader.blanks(true);
        let body = reader.choice()?;
        if reader.at < text.len() && !reader.rest().starts_with(['\n', '\r']) {
            return Err(reader.wanted("the end of the line"));
        }
        reader.blanks(true);
        rules.push((name, body));
    }
    Ok(rules)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn bad(&self, why: &str) -> BadGbnf {
        let line = self.text[..self.at].matches('\n').count() + 1;
        BadGbnf { line: Some(line), why: why.to_owned() }
    }

    /// Something else was expected than what stands here.
    fn wanted(&self, what: &str) -> BadGbnf {
        let found: String = self.rest().chars().take(12).take_while(|letter| *letter != '\n').collect();
        let found = if found.is_empty() { "the end of the line".to_owned() } else { format!("`{found}`") };
        self.bad(&format!("expected {what}, found {found}"))
    }

    /// Skips blank space and comments; ends of lines where they may stand.
    fn blanks(&mut self, lines: bool) {
        loop {
            let rest = self.rest();
            match rest.chars().next() {
                Some(' ' | '\t') => self.at += 1,
                Some('\n' | '\r') if lines => self.at += 1,
                Some('#') => self.at += rest.find('\n').unwrap_or(rest.len()),
                _ => return,
            }
        }
    }

    fn eat(&mut self, mark: &str) -> bool {
        let there = self.rest().starts_with(mark);
        self.at += if there { mark.len() } else { 0 };
        there
    }

    fn expect(&mut self, mark: &str) -> Result<(), BadGbnf> {
        if self.eat(mark) { Ok(()) } else { Err(self.wanted(&format!("`{mark}`"))) }
    }

    fn name(&mut self) -> Result<String, BadGbnf> {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len());
        if end == 0 {
            return Err(self.wanted("the name of a rule"));
        }
        self.at += end;
        Ok(rest[..end].to_owned())
    }

    fn choice(&mut self) -> Result<Expr, BadGbnf> {
        let mut ways = vec![self.sequence()?];
        while self.eat("|") {
            self.blanks(true);
            ways.push(self.sequence()?);
        }
        Ok(if ways.len() == 1 { ways.remove(0) } else { Expr::Choice(ways) })
    }

    fn sequence(&mut self) -> Result<Expr, BadGbnf> {
        let mut parts = Vec::new();
        loop {
            match self.rest().chars().next() {
                None | Some('|' | ')' | '\n' | '\r') => return Ok(Expr::Seq(parts)),
                Some(_) => parts.push(self.term()?),
            }
        }
    }

    fn term(&mut self) -> Result<Expr, BadGbnf> {
        let mut expr = self.atom()?;
        loop {
            self.blanks(self.depth > 0);
            let (least, most) = match self.rest().chars().next() {
                Some('*') => (0, None),
                Some('+') => (1, None),
                Some('?') => (0, Some(1)),
                Some('{') => self.times()?,
                _ => return Ok(expr),
            };
            self.at += 1;
            expr = Expr::Repeat(Box::new(expr), least, most);
        }
    }

    /// What stands between `{` and `}`, up to the latter.
    fn times(&mut self) -> Result<(u32, Option<u32>), BadGbnf> {
        let end = self.rest().find('}').ok_or_else(|| self.wanted("`}` behind a number of times"))?;
        let inner = &self.rest()[1..end];
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| self.wanted("a number of times, as `{2,3}`"));
        let (least, most) = match inner.split_once(',') {
            None => (number(inner)?, Some(number(inner)?)),
            Some((least, "")) => (number(least)?, None),
            Some((least, most)) => (number(least)?, Some(number(most)?)),
        };
        if most.is_some_and(|most| most < least) {
            return Err(self.wanted("no fewer times at most than at least"));
        }
        self.at += end;
        Ok((least, most))
    }

    fn atom(&mut self) -> Result<Expr, BadGbnf> {
        match self.rest().chars().next() {
            Some('(') => self.group(),
            Some('"') => self.quoted(),
            Some('[') => self.class(),
            Some('.') => {
                self.at += 1;
                Ok(Expr::Class { negated: true, ranges: Vec::new() })
            }
            Some('<' | '!') => Err(self.wanted("letters: tokens by their numbers are not known here; expected a text")),
            _ => self.name().map(Expr::Rule),
        }
    }

    fn group(&mut self) -> Result<Expr, BadGbnf> {
        if self.depth == DEEPEST {
            return Err(self.wanted("no more than 100 parentheses in each other"));
        }
        self.at += 1;
        self.depth += 1;
        self.blanks(true);
        let inner = self.choice()?;
        self.expect(")")?;
        self.depth -= 1;
        // An empty sequence is a part of its own.
        Ok(inner)
    }

    fn quoted(&mut self) -> Result<Expr, BadGbnf> {
        self.at += 1;
        let mut text = String::new();
        while !self.eat("\"") {
            text.push(self.letter("`\"` at the end of the text")?);
        }
        Ok(Expr::Text(text))
    }

    fn class(&mut self) -> Result<Expr, BadGbnf> {
        self.at += 1;
        let (negated, mut ranges) = (self.eat("^"), Vec::new());
        while !self.eat("]") {
            let low = self.letter("`]` at the end of the class")?;
            let ranged = self.rest().starts_with('-') && !self.rest().starts_with("-]");
            self.at += usize::from(ranged);
            let high = if ranged { self.letter("a character behind `-`")? } else { low };
            if high < low {
                return Err(self.wanted("a range that ascends in front of this"));
            }
            ranges.push((low, high));
        }
        Ok(Expr::Class { negated, ranges })
    }

    /// A character, which may be escaped.
    fn letter(&mut self, missing: &str) -> Result<char, BadGbnf> {
        let mut letters = self.rest().chars();
        let first = letters.next().ok_or_else(|| self.wanted(missing))?;
        if first != '\\' {
            self.at += first.len_utf8();
            return Ok(first);
        }
        let kind = letters.next().ok_or_else(|| self.wanted(missing))?;
        let digits = match kind {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            'n' | 't' | 'r' | '\\' | '"' | '[' | ']' => {
                self.at += 2;
                return Ok(match kind {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    other => other,
                });
            }
            _ => return Err(self.wanted("`\\n`, `\\t`, `\\r`, `\\\\`, `\\\"`, `\\[`, `\\]`, `\\x41` or `\\u0041`")),
        };
        let code = self.rest().get(2..2 + digits).and_then(|code| u32::from_str_radix(code, 16).ok());
        let letter = code.and_then(char::from_u32);
        let letter = letter.ok_or_else(|| self.wanted(&format!("the {digits} hexadecimal digits of a character")))?;
        self.at += 2 + digits;
        Ok(letter)
    }
}
