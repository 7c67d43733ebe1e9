//! What differs between two texts, line by line, with three lines around each change.
//!
//! In: two texts. Out: markup in the form of a unified diff, and how many lines came and went.

use maud::{Markup, html};
use similar::{ChangeTag, TextDiff};

/// Lines kept around a change.
const CONTEXT: usize = 3;

/// A difference of two texts.
pub(crate) struct Difference {
    /// Lines that only the new text has.
    pub(crate) added: usize,
    /// Lines that only the old text has.
    pub(crate) removed: usize,
    /// Hunks, to stand in a `pre`.
    pub(crate) markup: Markup,
}

/// From `old` to `new`.
pub(crate) fn difference(old: &str, new: &str) -> Difference {
    let diff = TextDiff::from_lines(old, new);
    let count = |tag| diff.iter_all_changes().filter(|change| change.tag() == tag).count();
    let (added, removed) = (count(ChangeTag::Insert), count(ChangeTag::Delete));
    let mut unified = diff.unified_diff();
    let unified = unified.context_radius(CONTEXT);
    let markup = html! {
        @for hunk in unified.iter_hunks() {
            span.hunk { (hunk.header().to_string()) } "\n"
            @for change in hunk.iter_changes() { (line(change.tag(), change.value())) "\n" }
        }
    };
    Difference { added, removed, markup }
}

fn line(tag: ChangeTag, text: &str) -> Markup {
    let text = text.trim_end_matches(['\n', '\r']);
    match tag {
        ChangeTag::Insert => html! { ins { "+" (text) } },
        ChangeTag::Delete => html! { del { "-" (text) } },
        ChangeTag::Equal => html! { " " (text) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_stands_with_its_surroundings() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh\n";
        let found = difference(old, &old.replace("f\n", "<f>\n"));
        assert_eq!((found.added, found.removed), (1, 1));
        let expected =
            "<span class=\"hunk\">@@ -3,6 +3,6 @@</span>\n c\n d\n e\n<del>-f</del>\n<ins>+&lt;f&gt;</ins>\n g\n h\n";
        assert_eq!(found.markup.into_string(), expected);
    }

    #[test]
    fn equal_texts_differ_in_nothing() {
        let found = difference("a\n", "a\n");
        assert_eq!((found.added, found.removed, found.markup.into_string()), (0, 0, String::new()));
    }
}
