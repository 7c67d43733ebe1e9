//! What stands between words and between items, and what a whole text is, as GBNF.
//!
//! In: what is exported, and for whom. Out: lines that stand in for the grammar's own rules of blanks, and the rule `root`. They are written
//! by hand, since the parser cuts a file into items before its grammar sees it.

use crate::{Bounds, Root};

/// Rules by hand.
pub(crate) struct Layout {
    /// How often the letters of a name are repeated.
    pub(crate) letters: &'static str,
    lines: &'static str,
}

/// As many blanks, comments and items as one likes.
const FREE: Layout = Layout {
    letters: "idc*",
    lines: r#"lines ::= lines1?
lines1 ::= ([ \t\r]* ("//" [^\n]*)? "\n")+
comment ::= "//" [^\n]* "\n"
ws ::= ws1?
ws1 ::= [ \t\n\r]+ (comment [ \t\n\r]*)*
gap1 ::= blank+
"#,
};

/// Words stand one blank apart, or a line; of empty lines one stands behind another line. A comment has 160 letters, and 24 of them
/// stand before an item, 8 within one.
const BOUNDED: Layout = Layout {
    letters: "letters",
    lines: r#"letters ::= idc{0,39}
remark ::= "//" [^\n\r]{0,160}
aside ::= (" "{1,4} remark)?
indent ::= " "{0,32}
line ::= aside "\n" "\n"? (indent remark "\n" "\n"?){0,8} indent
ws ::= ws1?
ws1 ::= " " | line
blank ::= " "
gap ::= " "?
gap1 ::= " "
comment ::= remark "\n"
head ::= (remark "\n" "\n"?){0,24}
lines1 ::= aside "\n" "\n"? head
end ::= aside "\n"?
"#,
};

impl Layout {
    /// The layout within these bounds.
    pub(crate) fn of(bounds: Bounds) -> Self {
        match bounds {
            Bounds::None => FREE,
            Bounds::Decoder => BOUNDED,
        }
    }

    /// Whether a rule is written here.
    pub(crate) fn has(&self, rule: &str) -> bool {
        self.lines.lines().any(|line| line.split_once(" ::= ").is_some_and(|(name, _)| name == rule))
    }

    /// The lines.
    pub(crate) fn text(&self) -> &'static str {
        self.lines
    }
}

/// What a whole text is.
pub(crate) fn root(root: Root, bounds: Bounds) -> &'static str {
    match (root, bounds) {
        (Root::File, Bounds::None) => r#"lines item (lines1 item)* lines ([ \t\r]* ("//" [^\n]*)?)"#,
        (Root::Unit, Bounds::None) => r#"lines unit-item lines ([ \t\r]* ("//" [^\n]*)?)"#,
        (Root::File, Bounds::Decoder) => {
            "head (use-item lines1){0,4} (unit-item lines1){0,32} design-item (lines1 unit-item){0,32} end"
        }
        (Root::Unit, Bounds::Decoder) => "head unit-item end",
        (Root::Value, Bounds::None) => "ws expr ws",
        (Root::Value, Bounds::Decoder) => "expr",
    }
}
