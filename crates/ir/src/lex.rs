//! The words of the text form.
//!
//! Text in, words with their lines out. A name is plain or in quotes; a comment runs from `//`
//! to the end of its line. Numbers keep their text, for a size and a float read it differently.

/// A word.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Word {
    /// A name: letters, digits, `_` and `.`, not starting with a digit or dot.
    Name(String),
    /// A name in quotes, never a keyword.
    Quoted(String),
    /// A number: digits, with a fraction and an exponent perhaps.
    Number(String),
    /// One of `%` `$` `@` and the number behind it is the next word; or other punctuation.
    Mark(char),
    /// `->`
    Arrow,
}

/// Whether a name needs no quotes.
pub(crate) fn is_plain(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(starts_name) && chars.all(continues_name)
}

/// The words of a text, each with its line from 1, or the line and the character not understood.
pub(crate) fn lex(text: &str) -> Result<Vec<(Word, usize)>, (usize, String)> {
    let mut words = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let mut rest = line;
        while let Some((word, behind)) = next(rest).map_err(|message| (number, message))? {
            words.push((word, number));
            rest = behind;
        }
    }
    Ok(words)
}

fn starts_name(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn continues_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}

fn next(line: &str) -> Result<Option<(Word, &str)>, String> {
    let line = line.trim_start();
    let Some(first) = line.chars().next() else { return Ok(None) };
    if line.starts_with("//") {
        return Ok(None);
    }
    if let Some(rest) = line.strip_prefix("->") {
        return Ok(Some((Word::Arrow, rest)));
    }
    if starts_name(first) {
        let (name, rest) = split(line, continues_name);
        return Ok(Some((Word::Name(name.into()), rest)));
    }
    if first.is_ascii_digit() {
        let (number, rest) = line.split_at(number_length(line));
        return Ok(Some((Word::Number(number.into()), rest)));
    }
    match first {
        '"' => quoted(&line[1..]).map(Some),
        '%' | '$' | '@' | '{' | '}' | '[' | ']' | '(' | ')' | ',' | ':' | '=' | '+' | '-' | '*' | '/' => {
            Ok(Some((Word::Mark(first), &line[1..])))
        }
        other => Err(format!("the character {other:?} is not understood")),
    }
}

fn split(line: &str, part: impl Fn(char) -> bool) -> (&str, &str) {
    line.split_at(line.find(|c| !part(c)).unwrap_or(line.len()))
}

/// Digits, a fraction, an exponent with its sign.
fn number_length(line: &str) -> usize {
    let bytes = line.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let sign = at > 0 && matches!(bytes[at], b'+' | b'-') && matches!(bytes[at - 1], b'e' | b'E');
        if !(bytes[at].is_ascii_digit() || matches!(bytes[at], b'.' | b'e' | b'E') || sign) {
            break;
        }
        at += 1;
    }
    at
}

fn quoted(line: &str) -> Result<(Word, &str), String> {
    let mut name = String::new();
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((Word::Quoted(name), &line[at + 1..])),
            '\\' => match chars.next() {
                Some((_, 'n')) => name.push('\n'),
                Some((_, c)) => name.push(c),
                None => break,
            },
            c => name.push(c),
        }
    }
    Err("a name in quotes does not end on its line".into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn numbers_keep_their_exponent_and_stop_before_an_operator() {
        let words: Vec<Word> = lex("1e-5-2 8*D/3 // gone").unwrap().into_iter().map(|(word, _)| word).collect();
        let number = |text: &str| Word::Number(text.into());
        let name = |text: &str| Word::Name(text.into());
        let expected = [number("1e-5"), Word::Mark('-'), number("2"), number("8"), Word::Mark('*'), name("D")];
        assert_eq!(words[..6], expected);
        assert_eq!(words.len(), 8);
    }

    #[test]
    fn what_is_not_understood_names_its_line() {
        assert_eq!(lex("axis\n  ?").unwrap_err().0, 2);
        assert!(lex("\"open").is_err());
        assert_eq!(lex("\"a\\\"b\"").unwrap()[0].0, Word::Quoted("a\"b".into()));
    }
}
