//! Cuts a long text where a tokenizer would cut it anyway.
//!
//! In: a text and a size. Out: pieces of about that size which, encoded one after the other, give the tokens of the
//! whole. The encoder keeps some forty bytes of bookkeeping per byte of text, and works on one text with one thread;
//! pieces keep both small.
//!
//! A cut is made only after a line feed that has no white space on either side. The GPT-2 expression always ends a
//! word there: a word holds white space only as one leading space or as a run of nothing else, and the run `\n` is
//! one word whether text follows it or not.

/// Pieces of `text`, each at least `size` bytes long but for the last; together they are `text`.
pub(crate) fn pieces(text: &str, size: usize) -> impl Iterator<Item = &str> + Send {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, after) = rest.split_at(cut(rest, size));
        rest = after;
        Some(piece)
    })
}

/// The first cut at or after `size`, or the end of the text.
fn cut(text: &str, size: usize) -> usize {
    let bytes = text.as_bytes();
    let mut from = size.max(1);
    while let Some(found) = bytes.get(from..).and_then(|tail| tail.iter().position(|byte| *byte == b'\n')) {
        let feed = from + found;
        // A line feed is one byte, never inside another character, so both sides are whole texts.
        let before = text[..feed].chars().next_back();
        let after = text[feed + 1..].chars().next();
        if before.is_some_and(|c| !c.is_whitespace()) && after.is_some_and(|c| !c.is_whitespace()) {
            return feed + 1;
        }
        from = feed + 1;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_to_the_text_and_end_only_at_lone_line_feeds() {
        let text = "one\ntwo\n\nthree \nfour\n five\nsix\r\nséven\n八\nnine";
        for size in 0..=text.len() + 1 {
            let cut: Vec<&str> = pieces(text, size).collect();
            assert_eq!(cut.concat(), text);
            for piece in &cut[..cut.len() - 1] {
                assert!(piece.ends_with('\n') && piece.len() >= size, "{piece:?} of {size}");
            }
        }
        assert_eq!(pieces(text, 1).collect::<Vec<_>>().len(), 5);
        assert_eq!(pieces("", 4).count(), 0);
    }
}
