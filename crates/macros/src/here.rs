//! A design that stands in the Rust text itself: its words, and the places of its parts as rustc knows them.
//!
//! In: the braces around it. Out: the text as it was written, comments and lines included, which tokens alone would not
//! keep; and for a span of that text the tokens that it covers. Not here: what the text means.

use std::ops::Range;

use proc_macro::{Delimiter, Span, TokenStream, TokenTree};

/// A place in a file: line and column from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// A text, and its tokens in their order.
#[derive(Debug)]
pub(crate) struct Here {
    /// The text between the braces.
    pub(crate) text: String,
    /// Where it begins.
    origin: At,
    tokens: Vec<(Range<usize>, Span)>,
}

impl Here {
    /// The text between braces; none where rustc has no text for them, as where another macro wrote them.
    pub(crate) fn read(braces: proc_macro2::Group) -> Option<Self> {
        let tree = proc_macro2::TokenStream::from(proc_macro2::TokenTree::Group(braces));
        let Some(TokenTree::Group(braces)) = TokenStream::from(tree).into_iter().next() else { return None };
        let source = braces.span().source_text()?;
        let text = source.strip_prefix('{')?.strip_suffix('}')?.to_owned();
        let origin = end(braces.span_open());
        let mut leaves = Vec::new();
        collect(braces.stream(), &mut leaves);
        let byte = |at| byte(&text, origin, at);
        let tokens = leaves.into_iter().map(|span| (byte(start(span))..byte(end(span)), span)).collect();
        Some(Self { text, origin, tokens })
    }

    /// The first and the last token in these bytes, or the next one where they hold none.
    pub(crate) fn tokens(&self, bytes: Range<usize>) -> Option<(proc_macro2::Span, proc_macro2::Span)> {
        let covered = covered(&self.tokens, bytes)?;
        Some((covered.first()?.1.into(), covered.last()?.1.into()))
    }

    /// The line of the Rust file that a byte of the text lies on.
    pub(crate) fn line(&self, byte: usize) -> usize {
        self.origin.line + self.text.bytes().take(byte).filter(|byte| *byte == b'\n').count()
    }
}

fn start(span: Span) -> At {
    let start = span.start();
    At { line: start.line(), column: start.column() }
}

fn end(span: Span) -> At {
    let end = span.end();
    At { line: end.line(), column: end.column() }
}

/// The spans of tokens that hold no others, and of brackets.
fn collect(stream: TokenStream, into: &mut Vec<Span>) {
    for token in stream {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => collect(group.stream(), into),
            TokenTree::Group(group) => {
                into.push(group.span_open());
                collect(group.stream(), into);
                into.push(group.span_close());
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => into.push(token.span()),
        }
    }
}

/// The byte of a place in a text that begins at `origin`.
fn byte(text: &str, origin: At, at: At) -> usize {
    let line = at.line.saturating_sub(origin.line);
    let begin: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let column = if line == 0 { at.column.saturating_sub(origin.column) } else { at.column.saturating_sub(1) };
    let rest = &text[begin..];
    begin + rest.char_indices().nth(column).map_or(rest.len(), |(byte, _)| byte)
}

/// The parts that meet `bytes`; where none does, the one behind, else the last.
fn covered<T>(parts: &[(Range<usize>, T)], bytes: Range<usize>) -> Option<&[(Range<usize>, T)]> {
    let first = parts.iter().position(|(part, _)| part.end > bytes.start).unwrap_or(parts.len().checked_sub(1)?);
    let behind = parts.iter().rposition(|(part, _)| part.start < bytes.end).map_or(0, |last| last + 1);
    Some(&parts[first..behind.max(first + 1)])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = " a\n  é bc // d\n e";
    const ORIGIN: At = At { line: 7, column: 11 };

    #[test]
    fn places_are_bytes_of_the_text() {
        for (line, column, rest) in [(7, 11, " a"), (7, 12, "a"), (8, 3, "é"), (8, 5, "bc"), (9, 2, "e"), (9, 3, "")] {
            let found = byte(TEXT, ORIGIN, At { line, column });
            assert!(TEXT[found..].starts_with(rest), "{line}:{column} is {:?}", &TEXT[found..]);
            assert_eq!(TEXT[found..].is_empty(), rest.is_empty());
        }
        assert_eq!(byte(TEXT, ORIGIN, At { line: 99, column: 99 }), TEXT.len());
    }

    #[test]
    fn a_span_is_told_by_the_tokens_it_meets_or_the_next_one() {
        let parts = [(1..2, 'a'), (5..7, 'é'), (8..10, 'b'), (17..18, 'e')];
        let names = |bytes| -> String { covered(&parts, bytes).into_iter().flatten().map(|part| part.1).collect() };
        assert_eq!([names(5..10), names(6..8), names(9..9)], ["éb", "é", "b"]);
        assert_eq!([names(2..4), names(11..12), names(40..41), names(0..18)], ["é", "e", "e", "aébe"]);
        assert!(covered::<char>(&[], 0..1).is_none());
    }
}
