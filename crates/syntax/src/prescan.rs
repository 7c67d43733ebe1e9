//! The linear pass before the parser: comments, bracket balance, nesting, and the cut into items.
//!
//! It looks at bytes only, keeps a bounded stack, and never fails: a part whose brackets do not
//! fit is marked with its diagnostic and left out, and the next item starts at the next line whose
//! first column says `unit`, `design` or `use`. What an item says is not looked at here.
//!
//! A `<` is a comparison or opens static arguments, which only the parser tells apart, by trying. Here
//! each `<` that touches a name with a capital counts as open up to its `>`, for as long as nothing
//! stands behind it that static arguments cannot hold: a bound on how deep the parser tries, and
//! exact where static arguments are meant.

use genesys_diag::{Code, Diagnostic};
use genesys_span::{FileId, Span};

use crate::limits::MAX_NESTING;

/// A comment found in the text.
#[derive(Clone, Debug)]
pub(crate) struct Comment {
    /// Its first byte, a slash.
    pub(crate) start: usize,
    /// The start of its line.
    pub(crate) line: usize,
    /// What it is.
    pub(crate) kind: CommentKind,
    /// Its text without the marker and one blank.
    pub(crate) text: String,
}

/// The three markers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommentKind {
    /// `//!`
    File,
    /// `///`
    Doc,
    /// `//`
    Plain,
}

/// A stretch of text that should hold one item.
#[derive(Debug)]
pub(crate) struct Region {
    /// First byte of the first word.
    pub(crate) start: usize,
    /// One past its last byte.
    pub(crate) end: usize,
    /// Why it cannot be parsed.
    pub(crate) broken: Option<Diagnostic>,
}

/// What the pass found.
#[derive(Debug, Default)]
pub(crate) struct Prescan {
    /// All comments in order.
    pub(crate) comments: Vec<Comment>,
    /// All stretches in order.
    pub(crate) regions: Vec<Region>,
}

/// Scans `text` from byte `from` (past a byte order mark).
pub(crate) fn prescan(text: &str, file: FileId, from: usize) -> Prescan {
    let mut scan = Scanner {
        text,
        file,
        at: from,
        line: from,
        only_blanks: true,
        open: Vec::new(),
        statics: 0,
        closed: true,
        out: Prescan::default(),
    };
    while scan.at < text.len() {
        scan.step();
    }
    scan.finish_region(text.len());
    scan.out
}

/// A bracket that is not closed yet.
#[derive(Clone, Copy)]
struct Open {
    byte: u8,
    at: usize,
    /// The static arguments that were open before it.
    statics: usize,
}

/// The words with a small letter that sizes, and so static arguments, may hold: the rule `size_fn`.
const SIZE_FUNCTIONS: [&[u8]; 3] = [b"ceil_to", b"min", b"max"];

struct Scanner<'a> {
    text: &'a str,
    file: FileId,
    at: usize,
    line: usize,
    only_blanks: bool,
    open: Vec<Open>,
    /// The static arguments that may be open within the innermost bracket.
    statics: usize,
    /// The last region is complete: whatever comes next starts another.
    closed: bool,
    out: Prescan,
}

impl Scanner<'_> {
    fn step(&mut self) {
        let bytes = self.text.as_bytes();
        match bytes[self.at] {
            b'\n' => {
                self.line = self.at + 1;
                self.only_blanks = true;
                self.at += 1;
            }
            b' ' | b'\t' | b'\r' => self.at += 1,
            b'/' if bytes.get(self.at + 1) == Some(&b'/') => self.comment(),
            byte => self.token(byte),
        }
    }

    fn comment(&mut self) {
        let rest = &self.text[self.at..];
        let length = rest.find('\n').unwrap_or(rest.len());
        let (kind, body) = split_marker(&rest[..length]);
        let body = body.trim_end();
        let text = body.strip_prefix(' ').unwrap_or(body).to_owned();
        self.out.comments.push(Comment { start: self.at, line: self.line, kind, text });
        self.at += length;
    }

    fn token(&mut self, byte: u8) {
        let begins_item = self.begins_item();
        if self.closed || begins_item {
            self.finish_region(self.at);
            self.out.regions.push(Region { start: self.at, end: self.at, broken: None });
            self.closed = false;
        }
        self.only_blanks = false;
        match byte {
            b'(' | b'[' | b'{' => self.opening(byte),
            b')' | b']' | b'}' => self.closing(byte),
            b'>' => self.statics = self.statics.saturating_sub(1),
            // An update.
            b'<' if self.text.as_bytes().get(self.at + 1) == Some(&b'-') => self.statics = 0,
            _ if is_word(byte) => return self.word(byte),
            _ => {}
        }
        self.at += 1;
    }

    fn word(&mut self, first: u8) {
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.iter().position(|b| !is_word(*b)).unwrap_or(rest.len());
        self.at += length;
        if first.is_ascii_uppercase() {
            if rest.get(length) == Some(&b'<') {
                self.opening_statics();
            }
        } else if !first.is_ascii_digit() && !SIZE_FUNCTIONS.contains(&&rest[..length]) {
            self.statics = 0;
        }
    }

    /// An item begins at its keyword, where that is first on its line and outside brackets; inside
    /// brackets (or where they do not fit) only in the first column.
    fn begins_item(&self) -> bool {
        if !self.only_blanks {
            return false;
        }
        let rest = &self.text[self.at..];
        let Some(after) = ["unit", "design", "use"].iter().find_map(|word| rest.strip_prefix(word)) else {
            return false;
        };
        let broken = self.out.regions.last().is_some_and(|r| r.broken.is_some());
        let spaced = after.starts_with([' ', '\t']);
        if self.open.is_empty() && !broken {
            spaced || !after.as_bytes().first().is_some_and(|b| is_word(*b))
        } else {
            spaced && self.at == self.line
        }
    }

    fn opening(&mut self, byte: u8) {
        if self.is_broken() {
            return;
        }
        self.open.push(Open { byte, at: self.at, statics: self.statics });
        self.statics = 0;
        if self.open.len() > MAX_NESTING {
            self.break_at(
                Code::NESTING_TOO_DEEP,
                format!("brackets nest more than {MAX_NESTING} deep; expected at most {MAX_NESTING}"),
                "bind an inner part with `let`",
            );
        }
    }

    /// The `<` at hand.
    fn opening_statics(&mut self) {
        self.statics += 1;
        if self.statics > MAX_NESTING && !self.is_broken() {
            self.break_at(
                Code::NESTING_TOO_DEEP,
                format!("static arguments nest more than {MAX_NESTING} deep; expected at most {MAX_NESTING}"),
                "make a unit of an inner part; a `<` that compares stands between blanks",
            );
        }
    }

    fn closing(&mut self, byte: u8) {
        if self.is_broken() {
            return;
        }
        let found = byte as char;
        let open = self.open.pop();
        self.statics = open.map_or(0, |open| open.statics);
        match open {
            None => {
                let message = format!("expected an item or the end of the file, found `{found}` that closes nothing");
                self.break_at(Code::UNBALANCED_BRACKET, message, "remove it");
            }
            Some(Open { byte: b'{', at, .. }) if byte != b'}' => {
                let message = format!("expected `}}`, found `{found}` that closes nothing");
                self.break_at(Code::UNBALANCED_BRACKET, message, "remove it");
                self.label_broken(Span::new(self.file, at, at + 1), "`{` was opened here".into());
            }
            Some(open) if closer(open.byte) != byte => self.unclosed(open),
            Some(_) if self.open.is_empty() && byte == b'}' => self.close_region(),
            Some(_) => {}
        }
    }

    /// A bracket that the one at hand should close and cannot: it was forgotten where the first stands.
    fn unclosed(&mut self, Open { byte, at, .. }: Open) {
        let (opened, found) = (byte as char, self.text.as_bytes()[self.at] as char);
        let message = format!("expected `{}` for this `{opened}`, found `{found}`", closer(byte) as char);
        self.break_at(Code::UNBALANCED_BRACKET, message, "close the brackets in the order they were opened");
        let closing = Span::new(self.file, self.at, self.at + 1);
        if let Some(region) = self.out.regions.last_mut() {
            region.broken = region.broken.take().map(|mut error| {
                error.primary.span = Span::new(self.file, at, at + 1);
                error.label(closing, format!("`{found}` is met before"))
            });
        }
    }

    /// The item is complete with the brace just met.
    fn close_region(&mut self) {
        self.closed = true;
        if let Some(region) = self.out.regions.last_mut() {
            region.end = self.at + 1;
        }
    }

    fn label_broken(&mut self, span: Span, message: String) {
        if let Some(region) = self.out.regions.last_mut() {
            region.broken = region.broken.take().map(|error| error.label(span, message));
        }
    }

    fn is_broken(&self) -> bool {
        self.out.regions.last().is_some_and(|r| r.broken.is_some())
    }

    fn break_at(&mut self, code: Code, message: String, help: &str) {
        let span = Span::new(self.file, self.at, self.at + 1);
        if let Some(region) = self.out.regions.last_mut() {
            region.broken = Some(Diagnostic::error(code, span, message).help(help));
        }
        self.open.clear();
        self.statics = 0;
    }

    /// Ends the last region at `end`; a bracket still open there is its error.
    fn finish_region(&mut self, end: usize) {
        let Some(region) = self.out.regions.last_mut() else { return };
        if !self.closed {
            region.end = end;
        }
        if let (None, Some(Open { byte, at, .. })) = (&region.broken, self.open.last()) {
            let (found, wanted) = (*byte as char, closer(*byte) as char);
            let span = Span::new(self.file, *at, *at + 1);
            let message = format!("expected `{wanted}` for this `{found}`, found the end of the item");
            region.broken = Some(Diagnostic::error(Code::UNBALANCED_BRACKET, span, message).at("never closed"));
        }
        self.open.clear();
        self.statics = 0;
    }
}

fn split_marker(comment: &str) -> (CommentKind, &str) {
    if let Some(body) = comment.strip_prefix("//!") {
        (CommentKind::File, body)
    } else if comment.starts_with("///") && !comment.starts_with("////") {
        (CommentKind::Doc, &comment[3..])
    } else {
        (CommentKind::Plain, &comment[2..])
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn closer(open: u8) -> u8 {
    match open {
        b'(' => b')',
        b'[' => b']',
        _ => b'}',
    }
}
