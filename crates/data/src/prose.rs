//! The prose in a Rust source file: its doc comments.
//!
//! In: a source text. Out: the text of `///`, `//!`, `/** */` and `/*! */` comments without their markers, a blank line
//! where code stood between two of them. Plain `//` comments, where license headers are, do not count. It reads line
//! by line and does not parse Rust: a doc comment inside a string literal counts too.

/// The doc comments of `source` as text; empty when it has none.
pub(crate) fn doc_comments(source: &str) -> String {
    let mut out = Prose::default();
    let mut in_block = false;
    for line in source.lines() {
        let line = line.trim();
        if in_block {
            in_block = out.block_line(line);
        } else if let Some(text) = doc_line(line) {
            out.push(text.strip_prefix(' ').unwrap_or(text));
        } else if let Some(text) = block_start(line) {
            in_block = out.block_line(text);
        } else {
            out.gap();
        }
    }
    out.text
}

/// What follows `///` or `//!`; four slashes are an ordinary comment.
fn doc_line(line: &str) -> Option<&str> {
    let outer = line.strip_prefix("///").filter(|rest| !rest.starts_with('/'));
    outer.or_else(|| line.strip_prefix("//!"))
}

/// What follows `/**` or `/*!`; three stars and the empty `/**/` are ordinary comments.
fn block_start(line: &str) -> Option<&str> {
    let outer = line.strip_prefix("/**").filter(|rest| !rest.starts_with(['*', '/']));
    outer.or_else(|| line.strip_prefix("/*!"))
}

/// Text under construction; `gap` once code has stood after its last line.
#[derive(Default)]
struct Prose {
    text: String,
    gap: bool,
}

impl Prose {
    fn push(&mut self, line: &str) {
        if self.gap && !self.text.is_empty() {
            self.text.push('\n');
        }
        self.gap = false;
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn gap(&mut self) {
        self.gap = true;
    }

    /// One line inside a block comment; whether the comment goes on after it.
    fn block_line(&mut self, line: &str) -> bool {
        let (body, goes_on) = match line.split_once("*/") {
            Some((body, _)) => (body.trim(), false),
            None => (line, true),
        };
        let text = body.strip_prefix("* ").or_else(|| body.strip_prefix('*')).unwrap_or(body).trim();
        if !text.is_empty() || (goes_on && !self.text.is_empty() && !self.gap) {
            self.push(text);
        }
        goes_on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_go_and_paragraphs_stay() {
        let source = "// Copyright nobody\n//! The crate.\n//!\n//!   indented\n\nuse x;\n    /// One.\n    /// Two.\n    fn f() {} // no\n//// no\n///three\n";
        assert_eq!(doc_comments(source), "The crate.\n\n  indented\n\nOne.\nTwo.\n\nthree\n");
    }

    #[test]
    fn block_comments_count_when_they_document() {
        let source = "/* no */\n/** One line. */\nfn f() {}\n/**\n * First.\n *\n * Second.\n */\nfn g() {}\n/*! Inner\n   text */\n/*** no ***/\n/**/\n";
        assert_eq!(doc_comments(source), "One line.\n\nFirst.\n\nSecond.\n\nInner\ntext\n");
    }

    #[test]
    fn code_without_comments_is_no_prose() {
        assert_eq!(doc_comments("fn f() {\n    let x = 1; // why\n}\n"), "");
        assert_eq!(doc_comments(""), "");
    }
}
