//! A design's source with comments, keywords, numbers and types marked.
//!
//! In: text, whether it is well formed or not. Out: markup that shows just this text. It looks at words alone; what
//! they mean is the checker's business.

use genesys_syntax::KEYWORDS;
use maud::{Markup, html};

/// A stretch of text of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part<'t> {
    Comment(&'t str),
    Keyword(&'t str),
    Number(&'t str),
    /// A unit or an axis: it begins with a capital.
    Capital(&'t str),
    Plain(&'t str),
}

/// The text, marked.
pub(crate) fn highlight(text: &str) -> Markup {
    html! {
        @for part in parts(text) {
            @match part {
                Part::Comment(text) => i { (text) },
                Part::Keyword(text) => b { (text) },
                Part::Number(text) => span.n { (text) },
                Part::Capital(text) => span.t { (text) },
                Part::Plain(text) => (text),
            }
        }
    }
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut plain, mut at) = (0, 0);
    while at < text.len() {
        let (length, part) = next(&text[at..]);
        if let Some(part) = part {
            parts.extend((plain < at).then(|| Part::Plain(&text[plain..at])));
            parts.push(part);
            plain = at + length;
        }
        at += length;
    }
    parts.extend((plain < at).then(|| Part::Plain(&text[plain..])));
    parts
}

/// The length of what `rest` begins with, and what it is if it is not plain.
fn next(rest: &str) -> (usize, Option<Part<'_>>) {
    let first = rest.chars().next().unwrap_or_default();
    if rest.starts_with("//") {
        let comment = &rest[..rest.find('\n').unwrap_or(rest.len())];
        return (comment.len(), Some(Part::Comment(comment)));
    }
    if !is_word(first) {
        return (first.len_utf8(), None);
    }
    let number = first.is_ascii_digit();
    let end = rest.find(|c: char| !(is_word(c) || number && c == '.')).unwrap_or(rest.len());
    let word = &rest[..end];
    let part = match first {
        _ if number => Some(Part::Number(word)),
        'A'..='Z' => Some(Part::Capital(word)),
        _ => KEYWORDS.contains(&word).then_some(Part::Keyword(word)),
    };
    (end, part)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(part: &Part<'_>) -> String {
        match part {
            Part::Comment(text)
            | Part::Keyword(text)
            | Part::Number(text)
            | Part::Capital(text)
            | Part::Plain(text) => (*text).to_owned(),
        }
    }

    #[test]
    fn words_are_marked_by_what_they_are() {
        let found = parts("let letter = 1.5 * Silu(x) // half <b>\n");
        let expected = [
            Part::Keyword("let"),
            Part::Plain(" letter = "),
            Part::Number("1.5"),
            Part::Plain(" * "),
            Part::Capital("Silu"),
            Part::Plain("(x) "),
            Part::Comment("// half <b>"),
            Part::Plain("\n"),
        ];
        assert_eq!(found, expected);
        assert_eq!(highlight("// a<b").into_string(), "<i>// a&lt;b</i>");
    }

    #[test]
    fn no_byte_is_lost_whatever_the_text() {
        let shipped = include_str!("../../../designs/gla.gau");
        for text in [shipped, "", "//", "/ / é日本\u{1f600} 1.2.3e-5 _x \0", "a//b\r\n//c", "</script><img onerror=x>"]
        {
            assert_eq!(parts(text).iter().map(text_of).collect::<String>(), text);
        }
    }
}
