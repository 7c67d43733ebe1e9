//! Text from outside as text to show: no control characters, one line where one is wanted, cut where it is too long.
//!
//! In: text of a file or a server, which may hold anything. Out: text that moves no cursor and hides nothing. Nothing in it
//! is obeyed anywhere: it is data. It does not judge what the text says.

/// The text without control characters, line ends excepted, and without those that turn the direction of writing.
#[must_use]
pub fn clean(text: &str) -> String {
    text.replace("\r\n", "\n").chars().filter(|&c| c == '\n' || is_plain(c)).collect()
}

/// The text as one line, with single blanks between its words.
#[must_use]
pub fn one_line(text: &str) -> String {
    let words: Vec<String> =
        text.split_whitespace().map(|word| word.chars().filter(|&c| is_plain(c)).collect()).collect();
    words.iter().filter(|word| !word.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// The first `characters` of a text, at a boundary of words where there is one, and a mark where something is left out.
#[must_use]
pub fn cut(text: &str, characters: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(characters) else { return text.to_owned() };
    let head = &text[..end];
    let head = head.rsplit_once(char::is_whitespace).map_or(head, |(words, _)| words);
    format!("{head} ...")
}

/// The words of a name in one: `GatedDeltaNet` and `gated_delta_net` both hold gated, delta, net.
#[must_use]
pub(crate) fn parts_of_name(name: &str) -> String {
    let mut out = String::new();
    let mut before = ' ';
    for c in name.chars() {
        if c.is_uppercase() && (before.is_lowercase() || before.is_ascii_digit()) || c == '_' {
            out.push(' ');
        }
        if c != '_' {
            out.push(c);
        }
        before = c;
    }
    out
}

/// Whether a character only stands there: U+202A to U+202E and U+2066 to U+2069 turn what follows them around.
fn is_plain(c: char) -> bool {
    let turns = matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    c == '\t' || !c.is_control() && !turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_a_cursor_is_left_out() {
        assert_eq!(clean("a\u{1b}[2Jb\u{202e}c\r\nd"), "a[2Jbc\nd");
        assert_eq!(one_line("  An\n  old\u{7} \u{1b} title "), "An old title");
    }

    #[test]
    fn long_text_is_cut_between_words_and_marked() {
        assert_eq!(cut("linear attention", 16), "linear attention");
        assert_eq!(cut("linear attention is", 18), "linear attention ...");
        assert_eq!(cut("ééééé", 2), "éé ...");
    }

    #[test]
    fn names_fall_into_words() {
        assert_eq!(parts_of_name("GatedDeltaNet"), "Gated Delta Net");
        assert_eq!(parts_of_name("gated_delta_net"), "gated delta net");
        assert_eq!(parts_of_name("RWKV7Mix"), "RWKV7 Mix");
    }
}
