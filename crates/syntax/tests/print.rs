//! Texts and their canonical texts, from `cases/print.md`; and a whole file that is canonical.
//!
//! Each case is a heading, a fenced text and, where the canonical text differs, a second one.
#![allow(clippy::unwrap_used)]

use genesys_diag::render_short;
use genesys_span::Sources;
use genesys_syntax::{parse, print, same};

/// The canonical text; every diagnostic fails the test.
fn canonical(title: &str, text: &str) -> String {
    let mut sources = Sources::default();
    let file = sources.add("case.gau", text);
    let parsed = parse(&sources, file);
    let errors: Vec<String> = parsed.diagnostics.iter().map(|d| render_short(&sources, d)).collect();
    assert!(errors.is_empty(), "{title}: {errors:#?}");
    let printed = print(&parsed.file);
    let mut again = Sources::default();
    let file = again.add("printed.gau", printed.as_str());
    let second = parse(&again, file);
    assert!(second.diagnostics.is_empty(), "{title}: {}\n{printed}", render_short(&again, &second.diagnostics[0]));
    assert!(same(&parsed.file, &second.file), "{title}: the tree changes when printed and parsed\n{printed}");
    assert_eq!(print(&second.file), printed, "{title}: printing twice gives another text");
    printed
}

/// The fenced texts under each heading of a Markdown file.
fn cases(markdown: &str) -> Vec<(String, Vec<String>)> {
    let mut cases: Vec<(String, Vec<String>)> = Vec::new();
    let mut fence: Option<String> = None;
    for line in markdown.lines() {
        match (&mut fence, line) {
            (None, _) if line.starts_with("## ") => cases.push((line[3..].to_owned(), Vec::new())),
            (None, "```gau") => fence = Some(String::new()),
            (Some(text), "```") => {
                cases.last_mut().unwrap().1.push(std::mem::take(text));
                fence = None;
            }
            (Some(text), _) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, _) => {}
        }
    }
    cases
}

#[test]
fn each_text_has_its_canonical_text() {
    let cases = cases(include_str!("cases/print.md"));
    assert!(cases.len() >= 15, "the cases were not found");
    for (title, texts) in cases {
        let (input, expected) = match texts.as_slice() {
            [text] => (text, text),
            [input, expected] => (input, expected),
            _ => panic!("{title}: a case has one text or two"),
        };
        let printed = canonical(&title, input);
        assert!(printed == *expected, "{title}, printed:\n{printed}");
    }
}

#[test]
fn the_taste_of_the_language_is_canonical() {
    let text = include_str!("cases/taste.gau");
    assert_eq!(canonical("taste", text), text);
}

#[test]
fn carriage_returns_and_a_byte_order_mark_are_dropped() {
    let text = include_str!("cases/taste.gau");
    let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    assert_eq!(canonical("windows", &windows), text);
}
