//! Documents: the unit of splitting, and the most that a row of tokens may hold.
//!
//! In: a file's text. Out: its documents. A file is one document, unless lines that hold nothing but the byte 0x1e
//! (ASCII "record separator") part it into several. The separator lines belong to no document; all other bytes are
//! kept as they are. Documents of white space alone are left out.

/// One text, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The file, and `#n` for the n-th document of a file with several.
    pub name: String,
    /// The text, never blank.
    pub text: String,
}

/// The documents in the text of the file `name`.
pub(crate) fn documents_of(name: &str, text: &str) -> Vec<Document> {
    let parts: Vec<&str> = records(text).into_iter().filter(|part| !part.trim().is_empty()).collect();
    let several = parts.len() > 1;
    let named = |(i, part): (usize, &str)| Document {
        name: if several { format!("{name}#{}", i + 1) } else { name.to_owned() },
        text: part.to_owned(),
    };
    parts.into_iter().enumerate().map(named).collect()
}

/// The stretches of `text` between separator lines.
fn records(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        if line.trim_end_matches(['\n', '\r']) == "\u{1e}" {
            parts.push(&text[start..at]);
            start = at + line.len();
        }
        at += line.len();
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separator_lines_part_documents_and_nothing_else_does() {
        let texts = |text: &str| -> Vec<String> { documents_of("f", text).into_iter().map(|d| d.text).collect() };
        assert_eq!(texts("one\ntwo\n"), ["one\ntwo\n"]);
        assert_eq!(texts("one\n\u{1e}\ntwo\n\u{1e}\r\nthree"), ["one\n", "two\n", "three"]);
        assert_eq!(texts("\u{1e}\none\n\u{1e}\n \n\u{1e}"), ["one\n"]);
        assert_eq!(texts("a\u{1e}b\n \u{1e}\n"), ["a\u{1e}b\n \u{1e}\n"]);
        assert!(texts(" \n\u{1e}\n\t").is_empty());
    }

    #[test]
    fn names_number_the_documents_of_one_file() {
        let names = |text: &str| -> Vec<String> { documents_of("f", text).into_iter().map(|d| d.name).collect() };
        assert_eq!(names("a"), ["f"]);
        assert_eq!(names("a\n\u{1e}\n\n\u{1e}\nb"), ["f#1", "f#2"]);
    }
}
