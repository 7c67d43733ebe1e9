//! Text that knows where it may break.
//!
//! A [`Doc::Group`] is set on one line if it fits into what is left of [`WIDTH`] columns, else every
//! break of its own becomes a line; groups inside are decided by themselves. Widths are summed when
//! a group is built, so that setting is linear. A mark that closes an outer group is not counted,
//! so a line may pass the width by a bracket and a comma; so may a comment or an unbreakable word.

/// The widest line, in characters, where breaking helps.
pub(super) const WIDTH: usize = 100;

/// One level of indentation.
pub(super) const INDENT: usize = 4;

/// A piece of text.
pub(super) enum Doc {
    /// Unbroken.
    Text(String),
    /// A break of the group it stands in: `flat` if the group is on one line, else a new line.
    Line {
        /// What stands here on one line.
        flat: &'static str,
    },
    /// Only written where the group is broken: the trailing comma.
    IfBroken(&'static str),
    /// Lines begun inside are indented by one more level.
    Indent(Vec<Doc>),
    /// Set on one line or broken as a whole.
    Group(Vec<Doc>, usize),
    /// In sequence.
    Concat(Vec<Doc>),
    /// A new line whatever happens; the groups around it are broken.
    Hard,
}

/// Wider than any line: what holds it must break.
const NEVER: usize = usize::MAX / 2;

impl Doc {
    pub(super) fn text(text: impl Into<String>) -> Doc {
        Doc::Text(text.into())
    }

    pub(super) fn group(parts: Vec<Doc>) -> Doc {
        let width = parts.iter().map(Doc::width).fold(0, usize::saturating_add).min(NEVER);
        Doc::Group(parts, width)
    }

    /// `open item, item close`, one item a line with a trailing comma where it does not fit.
    pub(super) fn list(open: &'static str, items: Vec<Doc>, close: &'static str) -> Doc {
        if items.is_empty() {
            return Doc::Text(format!("{open}{close}"));
        }
        let mut inner = vec![Doc::Line { flat: "" }];
        for (i, item) in items.into_iter().enumerate() {
            if i > 0 {
                inner.extend([Doc::text(","), Doc::Line { flat: " " }]);
            }
            inner.push(item);
        }
        inner.push(Doc::IfBroken(","));
        Doc::group(vec![Doc::text(open), Doc::Indent(inner), Doc::Line { flat: "" }, Doc::text(close)])
    }

    fn width(&self) -> usize {
        match self {
            Doc::Text(text) => text.chars().count(),
            Doc::Line { flat } => flat.len(),
            Doc::IfBroken(_) => 0,
            Doc::Indent(parts) | Doc::Concat(parts) => {
                parts.iter().map(Doc::width).fold(0, usize::saturating_add).min(NEVER)
            }
            Doc::Group(_, width) => *width,
            Doc::Hard => NEVER,
        }
    }
}

/// The text of a document that begins a line at no indentation.
pub(super) fn set(doc: &Doc) -> String {
    let mut setter = Setter { out: String::new(), column: 0 };
    setter.put(doc, 0, false);
    setter.out
}

struct Setter {
    out: String,
    column: usize,
}

impl Setter {
    fn put(&mut self, doc: &Doc, level: usize, flat: bool) {
        match doc {
            Doc::Text(text) => self.write(text),
            Doc::Line { flat: text } if flat => self.write(text),
            Doc::Line { .. } => self.newline(level),
            Doc::IfBroken(text) => {
                if !flat {
                    self.write(text);
                }
            }
            Doc::Indent(parts) => parts.iter().for_each(|part| self.put(part, level + 1, flat)),
            Doc::Concat(parts) => parts.iter().for_each(|part| self.put(part, level, flat)),
            Doc::Group(parts, width) => {
                let fits = self.column.saturating_add(*width) <= WIDTH;
                parts.iter().for_each(|part| self.put(part, level, fits));
            }
            Doc::Hard => self.newline(level),
        }
    }

    fn write(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn newline(&mut self, level: usize) {
        self.out.push('\n');
        self.column = level * INDENT;
        self.out.extend(std::iter::repeat_n(' ', self.column));
    }
}
