//! Mends a text by the edits that its diagnostics offer.
//!
//! Edits are applied one at a time, the first in the text first, and the text is checked again after each: one is kept
//! only where it takes its diagnostic away and leaves as much of the text readable. What an error hid may come to light,
//! and is mended in its turn.
//!
//! Not here: choosing between meanings. A diagnostic whose way out is not sure has a help, and no edit.

use std::collections::BTreeSet;

use genesys_diag::{Code, Diagnostic, Edit};

use crate::{CheckedText, check_text};

/// Most edits of one text.
const MAX_EDITS: usize = 256;

/// An edit that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The line, from 1, in the text as it was then.
    pub line: usize,
    /// The code of the diagnostic that it answers.
    pub code: Code,
    /// What the diagnostic said.
    pub message: String,
}

/// A text after mending.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// The text.
    pub text: String,
    /// What was done, in order.
    pub applied: Vec<Applied>,
    /// What the text is now; its diagnostics are what is left.
    pub checked: CheckedText,
}

/// Applies edits until none is left that helps; `name` is what diagnostics call the text.
pub fn fix(name: &str, text: &str) -> Fixed {
    let mut fixed = Fixed { text: text.to_owned(), applied: Vec::new(), checked: check_text(name, text) };
    // Edits that did not help, by what they would have done.
    let mut refused: BTreeSet<(Code, String, String)> = BTreeSet::new();
    while fixed.applied.len() < MAX_EDITS {
        let open = |d: &&Diagnostic| !refused.contains(&key(d));
        let offers = |d: &&Diagnostic| d.edit.as_ref().is_some_and(|edit| edit.span.file == fixed.checked.file);
        let Some(diagnostic) = fixed.checked.diagnostics.iter().filter(offers).find(open).cloned() else { break };
        let edit = diagnostic.edit.as_ref().expect("only diagnostics with an edit were looked at");
        let Some(text) = applied(&fixed.text, edit) else {
            refused.insert(key(&diagnostic));
            continue;
        };
        let checked = check_text(name, &text);
        if alike(&checked, &diagnostic) >= alike(&fixed.checked, &diagnostic)
            || unread(&checked) > unread(&fixed.checked)
        {
            refused.insert(key(&diagnostic));
            continue;
        }
        let line = fixed.checked.sources.position(fixed.checked.file, diagnostic.primary.span.start).line;
        fixed.applied.push(Applied { line, code: diagnostic.code, message: diagnostic.message });
        (fixed.text, fixed.checked) = (text, checked);
    }
    fixed
}

fn key(diagnostic: &Diagnostic) -> (Code, String, String) {
    let edit =
        diagnostic.edit.as_ref().map_or_else(String::new, |edit| format!("{} {}", edit.span.start, edit.replacement));
    (diagnostic.code, diagnostic.message.clone(), edit)
}

/// Diagnostics that say the same.
fn alike(checked: &CheckedText, diagnostic: &Diagnostic) -> usize {
    let same = |d: &&Diagnostic| d.code == diagnostic.code && d.message == diagnostic.message;
    checked.diagnostics.iter().filter(same).count()
}

/// Errors of syntax: what stands behind one was not looked at.
fn unread(checked: &CheckedText) -> usize {
    checked.diagnostics.iter().filter(|d| d.code == Code::SYNTAX || d.code == Code::UNBALANCED_BRACKET).count()
}

/// The text after the edit; `None` where its span is none of the text's.
fn applied(text: &str, edit: &Edit) -> Option<String> {
    let (start, end) = (edit.span.start as usize, edit.span.end as usize);
    let (before, behind) = (text.get(..start)?, text.get(end..)?);
    Some(format!("{before}{}{behind}", edit.replacement))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(body: &str) -> (String, Vec<&'static str>) {
        let text = format!(
            "design T {{ stack = [Block*] }}\nunit Block<H = 4, E = D / 4>(x: Seq[D]) -> Seq[D] {{\n{body}\n}}\n"
        );
        let fixed = fix("t.gau", &text);
        let left: Vec<_> = fixed.checked.diagnostics.iter().map(|d| &d.message).collect();
        assert!(left.is_empty(), "{left:?} in\n{}", fixed.text);
        (fixed.text, fixed.applied.iter().map(|applied| applied.code.as_str()).collect())
    }

    #[test]
    fn near_names_imports_products_and_empty_pasts_are_mended() {
        let (text, codes) = mended(
            "    let n = RmsNorm(silo(x))\n    let far = max[Past](past(n, skip = 1))\n    \
             let k = linear[D -> H](far)\n    let v = linear[D -> E](n)\n    [H, E -> D](k * v)",
        );
        assert_eq!(codes, ["unknown-name", "unknown-name", "empty-past", "implicit-outer"]);
        for part in ["use std::{RmsNorm}\ndesign", "silu(x)", "past(n, skip = 1), else = 0)", "outer(k, v)"] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }

    #[test]
    fn slips_of_syntax_are_mended() {
        let (text, codes) = mended("    let y := tanh(x)\n    y");
        assert_eq!(codes, ["syntax"]);
        assert!(text.contains("let y = tanh(x)"), "{text}");
    }

    #[test]
    fn an_edit_that_does_not_help_is_taken_back() {
        // A comma is put behind the one that stands there already, and the text is none any more.
        let text = "design T { stack = [Block*] }\nunit Block(x: Seq[D]) -> Seq[D] {\n    \
                    max[Past](past(silo(x), skip = 1),)\n}\n";
        let fixed = fix("t.gau", text);
        assert_eq!(fixed.applied.iter().map(|applied| applied.line).collect::<Vec<_>>(), [3]);
        assert_eq!(fixed.text, text.replace("silo", "silu"), "what helps is kept");
        let left = &fixed.checked.diagnostics;
        assert!(matches!(left.as_slice(), [only] if only.code == Code::EMPTY_PAST && only.edit.is_some()), "{left:?}");
    }

    #[test]
    fn no_more_edits_are_made_than_the_limit() {
        let lines: String = (0..MAX_EDITS + 3).map(|_| "    let y = silo(x)\n").collect();
        let text =
            format!("design T {{ stack = [Block*] }}\nunit Block(x: Seq[D]) -> Seq[D] {{\n{lines}    silu(x)\n}}\n");
        let fixed = fix("t.gau", &text);
        assert_eq!((fixed.applied.len(), fixed.text.matches("silo").count()), (MAX_EDITS, 3));
    }

    #[test]
    fn what_offers_no_edit_is_left_and_told() {
        let text = "design T { stack = [Block*] }\nunit Block(x: Seq[D]) -> Seq[D] {\n    shift(x, -1)\n}\n";
        let fixed = fix("t.gau", text);
        assert_eq!((fixed.text.as_str(), fixed.applied.len()), (text, 0));
        assert_eq!(fixed.checked.diagnostics[0].code, Code::NEGATIVE_OFFSET);
    }
}
