//! Rust source as a flat list of tokens, with test code marked.
//!
//! In: the text of a file. Out: its tokens in order, groups opened and closed, each with its line and whether it stands
//! in an item marked `#[cfg(test)]` or `#[test]`. Comments are not tokens; doc comments are. No macro is expanded.

use std::str::FromStr;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// What it is.
    pub(super) kind: Kind,
    /// Its line, from 1.
    pub(super) line: usize,
    /// Whether it belongs to a test.
    pub(super) test: bool,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a keyword.
    Word(String),
    /// One character of punctuation.
    Punct(char),
    /// A number, string or character.
    Literal,
    /// `(`, `[` or `{`.
    Open(char),
    /// `)`, `]` or `}`.
    Close(char),
}

impl Token {
    /// Whether it is that word.
    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(&self.kind, Kind::Word(found) if found == word)
    }

    /// The word, if it is one.
    pub(super) fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            Kind::Punct(_) | Kind::Literal | Kind::Open(_) | Kind::Close(_) => None,
        }
    }
}

/// Whether `tokens` begins with `pattern`, whose parts are words or single characters.
pub(super) fn starts_with(tokens: &[Token], pattern: &[&str]) -> bool {
    tokens.len() >= pattern.len()
        && tokens.iter().zip(pattern).all(|(token, part)| match &token.kind {
            Kind::Word(word) => word == part,
            Kind::Punct(c) | Kind::Open(c) | Kind::Close(c) => part.len() == 1 && part.starts_with(*c),
            Kind::Literal => false,
        })
}

/// The position of the token that closes the group opened at `open`.
pub(super) fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.kind {
            Kind::Open(_) => depth += 1,
            Kind::Close(_) => depth -= 1,
            Kind::Word(_) | Kind::Punct(_) | Kind::Literal => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len().saturating_sub(1)
}

/// The tokens of `text`, or why it is not Rust.
pub(super) fn lex(text: &str) -> Result<Vec<Token>, String> {
    let stream = TokenStream::from_str(text).map_err(|error| error.to_string())?;
    let mut tokens = Vec::new();
    flatten(stream, false, &mut tokens);
    Ok(tokens)
}

fn flatten(stream: TokenStream, test: bool, out: &mut Vec<Token>) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    // Set by a test's attribute, kept to the end of its item: the first `;` or braces.
    let mut item = false;
    for (at, tree) in trees.iter().enumerate() {
        item |= is_test_attribute(&trees[at..]);
        let test = test || item;
        let ends = match tree {
            TokenTree::Group(group) => {
                push_group(group, test, out);
                group.delimiter() == Delimiter::Brace
            }
            TokenTree::Ident(ident) => {
                let line = ident.span().start().line;
                out.push(Token { kind: Kind::Word(ident.to_string()), line, test });
                false
            }
            TokenTree::Punct(punct) => {
                out.push(Token { kind: Kind::Punct(punct.as_char()), line: punct.span().start().line, test });
                punct.as_char() == ';'
            }
            TokenTree::Literal(literal) => {
                out.push(Token { kind: Kind::Literal, line: literal.span().start().line, test });
                false
            }
        };
        item &= !ends;
    }
}

fn push_group(group: &Group, test: bool, out: &mut Vec<Token>) {
    let (open, close) = match group.delimiter() {
        Delimiter::Parenthesis => ('(', ')'),
        Delimiter::Brace => ('{', '}'),
        Delimiter::Bracket => ('[', ']'),
        Delimiter::None => (' ', ' '),
    };
    out.push(Token { kind: Kind::Open(open), line: group.span_open().start().line, test });
    flatten(group.stream(), test, out);
    out.push(Token { kind: Kind::Close(close), line: group.span_close().end().line, test });
}

/// Whether an attribute that makes a test of its item begins here: `#[test]`, `#[cfg(test)]`.
fn is_test_attribute(trees: &[TokenTree]) -> bool {
    match trees {
        [TokenTree::Punct(hash), TokenTree::Group(group), ..] if hash.as_char() == '#' => {
            let text: String = group.stream().to_string().split_whitespace().collect();
            text == "test" || text == "cfg(test)"
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn items_marked_as_tests_are_test_code_and_nothing_after_them() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { c(); }\n}\nfn d() {}\n";
        let tokens = lex(text).unwrap();
        let test_of = |word: &str| tokens.iter().find(|token| token.is_word(word)).map(|token| token.test);
        assert_eq!(
            (test_of("a"), test_of("b"), test_of("c"), test_of("d")),
            (Some(false), Some(true), Some(true), Some(false))
        );
        assert_eq!(tokens.iter().find(|token| token.is_word("d")).unwrap().line, 6);
    }

    #[test]
    fn patterns_match_words_and_punctuation_but_no_string() {
        let tokens = lex("x.unwrap()").unwrap();
        assert!(starts_with(&tokens[1..], &[".", "unwrap", "("]));
        assert!(!starts_with(&lex("\".unwrap(\"").unwrap(), &[".", "unwrap", "("]));
        assert_eq!(closing(&tokens, 3), 4);
    }

    #[test]
    fn what_is_not_rust_is_said() {
        assert!(lex("fn a( {").is_err());
    }
}
