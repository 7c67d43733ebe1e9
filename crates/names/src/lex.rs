//! Words, numbers and marks of a text.

/// A token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    /// First byte.
    pub(crate) start: usize,
    /// One past the last byte.
    pub(crate) end: usize,
    /// Whether it is the first on its line.
    pub(crate) leads: bool,
    /// Whether it stands in the first column.
    pub(crate) flush: bool,
}

/// The tokens of a text.
#[derive(Debug, Default)]
pub(crate) struct Lexed {
    /// In order.
    pub(crate) tokens: Vec<Token>,
    /// Whether the text ends within a comment.
    pub(crate) in_comment: bool,
}

/// Marks of two characters; `<` and `>` beside themselves are two marks.
const PAIRS: [&str; 8] = ["->", "<-", "::", "..", "<=", ">=", "==", "!="];

/// Cuts a text into tokens; what is no word, number or known mark is a mark of one character.
pub(crate) fn lex(text: &str) -> Lexed {
    let mut lexed = Lexed::default();
    let (mut at, mut line, mut leads) = (0, 0, true);
    while let Some(first) = text[at..].chars().next() {
        lexed.in_comment = false;
        let rest = &text[at..];
        if rest.starts_with("//") {
            let length = rest.find('\n').unwrap_or(rest.len());
            lexed.in_comment = at + length == text.len();
            at += length;
            continue;
        }
        if first.is_whitespace() || first == '\u{feff}' {
            at += first.len_utf8();
            if first == '\n' {
                (line, leads) = (at, true);
            }
            continue;
        }
        let length = length(rest, first);
        lexed.tokens.push(Token { start: at, end: at + length, leads, flush: at == line });
        leads = false;
        at += length;
    }
    lexed
}

fn length(rest: &str, first: char) -> usize {
    if is_word(first) {
        return rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    }
    PAIRS.iter().find(|pair| rest.starts_with(**pair)).map_or(first.len_utf8(), |pair| pair.len())
}

/// Whether a character may stand in a word or a number.
pub(crate) fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_numbers_and_marks_are_told_apart() {
        let text = "let é = F<E=1>(x)..  // no\n S<-a<=b";
        let lexed = lex(text);
        let words: Vec<&str> = lexed.tokens.iter().map(|token| &text[token.start..token.end]).collect();
        let expected = "let é = F < E = 1 > ( x ) .. S <- a <= b";
        assert_eq!(words.join(" "), expected);
        let leads = lexed.tokens.iter().filter(|token| token.leads).count();
        assert_eq!((leads, lexed.in_comment, lex("x // y").in_comment), (2, false, true));
    }
}
