//! Broken texts and the one-line errors they give, from `cases/errors.md`.
//!
//! Each case is a heading, a fenced `gau` text, the lines expected in a fenced `text`, and, where
//! the first error carries an edit, the text after it in a last `gau`: an edit that leads to
//! nothing that parses must say so by having no such text.
#![allow(clippy::unwrap_used)]

use genesys_diag::render_short;
use genesys_span::Sources;
use genesys_syntax::parse;

/// The fences of a case in order: what they hold, and their text.
type Fences = Vec<(String, String)>;

fn cases(markdown: &str) -> Vec<(String, Fences)> {
    let mut cases: Vec<(String, Fences)> = Vec::new();
    let mut inside = false;
    for line in markdown.lines() {
        match line {
            "```" => inside = false,
            _ if inside => {
                let text = &mut cases.last_mut().unwrap().1.last_mut().unwrap().1;
                text.push_str(line);
                text.push('\n');
            }
            _ => {
                if let Some(title) = line.strip_prefix("## ") {
                    cases.push((title.to_owned(), Vec::new()));
                } else if let Some(language) = line.strip_prefix("```") {
                    inside = true;
                    cases.last_mut().unwrap().1.push((language.to_owned(), String::new()));
                }
            }
        }
    }
    cases
}

/// The errors as lines, and the text after the first error's edit.
fn errors(text: &str) -> (String, Option<String>) {
    let mut sources = Sources::default();
    let file = sources.add("a.gau", text);
    let parsed = parse(&sources, file);
    let lines: Vec<String> = parsed.diagnostics.iter().map(|d| render_short(&sources, d) + "\n").collect();
    let edit = parsed.diagnostics.first().and_then(|d| d.edit.clone());
    let edited = edit.map(|edit| {
        let mut text = text.to_owned();
        text.replace_range(edit.span.range(), &edit.replacement);
        text
    });
    (lines.concat(), edited)
}

#[test]
fn each_text_has_its_errors() {
    let cases = cases(include_str!("cases/errors.md"));
    assert!(cases.len() >= 40, "the cases were not found");
    let mut wrong = String::new();
    for (title, fences) in cases {
        let (lines, edited) = errors(&fences[0].1);
        let expected_edit = fences.get(2).map(|(_, text)| text.clone());
        if lines != fences[1].1 || edited != expected_edit {
            wrong += &format!("## {title}\n{lines}{}\n", edited.map_or_else(String::new, |e| format!("edit:\n{e}")));
        }
        if let Some(text) = expected_edit {
            assert_eq!(errors(&text).0, "", "{title}: the edit does not mend the text");
        }
    }
    assert!(wrong.is_empty(), "these differ:\n{wrong}");
}
