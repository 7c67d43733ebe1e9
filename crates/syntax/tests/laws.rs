//! Laws of parsing and printing over random trees and random comments.
#![allow(clippy::unwrap_used)]

mod trees;

use genesys_diag::render_short;
use genesys_span::{FileId, Sources};
use genesys_syntax::ast::{ExprId, File};
use genesys_syntax::{erase, parse, print, renumber, same, walk_exprs};
use proptest::prelude::*;

fn read(text: &str) -> Result<File, String> {
    let mut sources = Sources::default();
    let file = sources.add("a.gau", text);
    let parsed = parse(&sources, file);
    match parsed.diagnostics.first() {
        None => Ok(parsed.file),
        Some(error) => Err(render_short(&sources, error)),
    }
}

/// A tree that shows its text where a law fails.
#[derive(Clone)]
struct Tree(File);

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&print(&self.0))
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    trees::file().prop_map(Tree)
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 384, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_printed_tree_parses_to_itself(Tree(tree) in tree()) {
        let text = print(&tree);
        let again = read(&text).map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
        prop_assert!(same(&tree, &again), "{}\nparses as\n{}", text, print(&again));
        prop_assert_eq!(print(&again), text);
    }

    #[test]
    fn expressions_are_numbered_in_text_order(Tree(tree) in tree()) {
        let parsed = read(&print(&tree)).unwrap();
        let mut seen = Vec::new();
        walk_exprs(&parsed, &mut |e| seen.push((e.id, e.span)));
        for (i, (id, span)) in seen.iter().enumerate() {
            prop_assert_eq!(*id, ExprId(u32::try_from(i).unwrap()));
            prop_assert!(span.start < span.end && span.file == FileId(0));
        }
        let mut numbered = tree;
        erase(&mut numbered);
        renumber(&mut numbered);
        let mut ids = Vec::new();
        walk_exprs(&numbered, &mut |e| ids.push(e.id));
        prop_assert_eq!(ids, seen.iter().map(|(id, _)| *id).collect::<Vec<_>>());
    }

    #[test]
    fn blanks_between_lines_do_not_count(Tree(tree) in tree(), blanks in "[ \t\r\n]{1,6}") {
        let text = print(&tree);
        let spread: String = text.lines().map(|line| format!("{line}\n{}{blanks}", if blanks.contains('\n') { "" } else { "\n" })).collect();
        prop_assert_eq!(print(&read(&spread).map_err(|e| TestCaseError::fail(format!("{e}\n{spread}")))?), text);
    }

    #[test]
    fn comments_survive_wherever_they_stand(Tree(tree) in tree(), places in prop::collection::vec(any::<prop::sample::Index>(), 1..6)) {
        // Only at the ends of lines does a comment never part what must stand together.
        let mut lines: Vec<String> = print(&tree).lines().map(str::to_owned).collect();
        for (i, place) in places.iter().enumerate() {
            let at = place.index(lines.len());
            let mark = if lines[at].contains("//") { "\n" } else { "" };
            lines[at] = format!("{}{mark} // kept{i}.", lines[at]);
        }
        check_kept(&lines.join("\n"), places.len())?;
    }
}

fn check_kept(text: &str, count: usize) -> Result<(), TestCaseError> {
    let parsed = read(text).map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
    let printed = print(&parsed);
    for i in 0..count {
        prop_assert_eq!(printed.matches(&format!("kept{i}.")).count(), 1, "{}\nbecomes\n{}", text, printed);
    }
    let again = read(&printed).map_err(|e| TestCaseError::fail(format!("{e}\n{printed}")))?;
    prop_assert!(same(&parsed, &again), "{}\nand\n{}", printed, print(&again));
    Ok(())
}

/// A comment put at any byte of the taste is kept, or parts what must stand together and is an error.
#[test]
fn a_comment_at_any_byte_is_kept_or_refused() {
    let text = include_str!("cases/taste.gau");
    let mut kept = 0;
    for at in 0..=text.len() {
        let with = format!("{}// kept0.\n{}", &text[..at], &text[at..]);
        if read(&with).is_ok() {
            kept += 1;
            check_kept(&with, 1).unwrap();
        }
    }
    assert!(kept * 3 > text.len(), "only {kept} of {} places", text.len());
}
