//! Places in a text: bytes here, lines and columns at the client.
//!
//! A column counts code units of the encoding that client and server agreed on. A line ends with `\n`, `\r\n` or `\r`. What
//! lies beyond a line or a text is its end, and what lies within a character its start.

use genesys_span::Span;
use lsp_types::{Position, PositionEncodingKind, Range};

/// What a column counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Bytes.
    Utf8,
    /// Units of UTF-16: what every client knows.
    #[default]
    Utf16,
}

impl Encoding {
    /// The best that the client offers.
    pub(crate) fn agreed(offered: Option<&[PositionEncodingKind]>) -> Self {
        match offered {
            Some(offered) if offered.contains(&PositionEncodingKind::UTF8) => Self::Utf8,
            _ => Self::Utf16,
        }
    }

    /// Its name in the protocol.
    pub(crate) fn kind(self) -> PositionEncodingKind {
        match self {
            Self::Utf8 => PositionEncodingKind::UTF8,
            Self::Utf16 => PositionEncodingKind::UTF16,
        }
    }

    /// How long a text is.
    pub(crate) fn length(self, text: &str) -> u32 {
        let length = match self {
            Self::Utf8 => text.len(),
            Self::Utf16 => text.chars().map(char::len_utf16).sum(),
        };
        u32::try_from(length).unwrap_or(u32::MAX)
    }
}

/// Where the lines of a text begin.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    starts: Vec<usize>,
    encoding: Encoding,
}

impl Lines {
    pub(crate) fn new(text: &str, encoding: Encoding) -> Self {
        let bytes = text.as_bytes();
        let ends = |at: &usize| match bytes[*at] {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        };
        let starts = (0..bytes.len()).filter(ends).map(|at| at + 1);
        Self { starts: std::iter::once(0).chain(starts).collect(), encoding }
    }

    /// The byte of a position.
    pub(crate) fn offset(&self, text: &str, position: Position) -> usize {
        let line = position.line as usize;
        let Some(&start) = self.starts.get(line) else { return text.len() };
        let end = self.starts.get(line + 1).copied().unwrap_or(text.len());
        let content = text[start..end].trim_end_matches(['\n', '\r']);
        let mut column = 0;
        for (at, c) in content.char_indices() {
            column += self.encoding.length(c.encode_utf8(&mut [0; 4]));
            if column > position.character {
                return start + at;
            }
        }
        start + content.len()
    }

    /// The position of a byte.
    pub(crate) fn position(&self, text: &str, offset: usize) -> Position {
        let mut at = offset.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= at) - 1;
        let character = self.encoding.length(&text[self.starts[line]..at]);
        Position { line: u32::try_from(line).unwrap_or(u32::MAX), character }
    }

    /// The range of a span, in the text that the span lies in.
    pub(crate) fn range(&self, text: &str, span: Span) -> Range {
        let (start, end) = (span.start as usize, span.end.max(span.start) as usize);
        Range { start: self.position(text, start), end: self.position(text, end) }
    }

    /// The bytes of a range; empty where it runs backwards.
    pub(crate) fn bytes(&self, text: &str, range: Range) -> std::ops::Range<usize> {
        let start = self.offset(text, range.start);
        start..self.offset(text, range.end).max(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a😀é\r\nb\rc\n";

    #[test]
    fn every_byte_goes_there_and_back() {
        for encoding in [Encoding::Utf8, Encoding::Utf16] {
            let lines = Lines::new(TEXT, encoding);
            let kept = |at: &usize| TEXT.is_char_boundary(*at) && !TEXT[..*at].ends_with('\r');
            for at in (0..=TEXT.len()).filter(kept) {
                assert_eq!(lines.offset(TEXT, lines.position(TEXT, at)), at, "{encoding:?}");
            }
        }
    }

    #[test]
    fn columns_count_units_and_lines_end_three_ways() {
        let at = |encoding, offset| Lines::new(TEXT, encoding).position(TEXT, offset);
        let end = "a😀é".len();
        assert_eq!(at(Encoding::Utf16, end), Position::new(0, 4));
        assert_eq!(at(Encoding::Utf8, end), Position::new(0, 7));
        assert_eq!(at(Encoding::Utf16, TEXT.len()), Position::new(3, 0));
        assert_eq!(at(Encoding::Utf16, TEXT.find('c').expect("it is there")), Position::new(2, 0));
    }

    #[test]
    fn what_lies_beyond_is_the_end_and_what_lies_within_the_start() {
        let lines = Lines::new(TEXT, Encoding::Utf16);
        assert_eq!(lines.offset(TEXT, Position::new(0, 2)), 1, "within the surrogate pair");
        assert_eq!(lines.offset(TEXT, Position::new(0, 99)), "a😀é".len());
        assert_eq!(lines.offset(TEXT, Position::new(99, 0)), TEXT.len());
        let backwards = Range { start: Position::new(2, 0), end: Position::new(0, 0) };
        assert!(lines.bytes(TEXT, backwards).is_empty());
    }
}
