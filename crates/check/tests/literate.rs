//! The checker's cases: Markdown files under `cases/`, in which a block of text in the language
//! is followed by a block of the diagnostics it gives, one a line; `ok` for none.
//!
//! A text without a design gets `design Test { stack = [Block*] }` at its end.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use genesys_check::{Checked, Library, check};
use genesys_diag::render_short;
use genesys_span::Sources;

/// Checks a text and gives its diagnostics, one a line.
fn diagnose(text: &str) -> String {
    let mut sources = Sources::default();
    let std = sources.add(genesys_stdlib::NAME, genesys_stdlib::TEXT);
    let std = Library::new(genesys_syntax::parse(&sources, std).file);
    let design = if text.contains("design ") { "" } else { "design Test { stack = [Block*] }\n" };
    let file = sources.add("", format!("{text}{design}"));
    let parsed = genesys_syntax::parse(&sources, file);
    let Checked { design, sketch, diagnostics } = check(&Arc::new(parsed.file), &std);
    let all: Vec<String> = parsed.diagnostics.iter().chain(&diagnostics).map(|d| render_short(&sources, d)).collect();
    assert_eq!(
        design.is_some() || sketch.is_some(),
        !diagnostics.iter().any(|d| d.is_error()),
        "a design exactly where no error is"
    );
    if all.is_empty() { "ok".into() } else { all.join("\n") }
}

/// The code blocks of a Markdown text with the line they start at.
fn blocks(markdown: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in markdown.lines().enumerate() {
        match (&mut open, line.starts_with("```")) {
            (None, true) => open = Some((number + 2, String::new())),
            (Some(_), true) => found.extend(open.take()),
            (Some((_, text)), false) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, false) => {}
        }
    }
    found
}

#[test]
fn every_case_gives_its_diagnostics() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut wrong = Vec::new();
    let mut run = 0;
    for path in paths {
        let blocks = blocks(&std::fs::read_to_string(&path).unwrap());
        assert!(blocks.len().is_multiple_of(2), "{}: a text without its diagnostics", path.display());
        for pair in blocks.chunks(2) {
            run += 1;
            let found = diagnose(&pair[0].1);
            let expected = pair[1].1.trim_end();
            if found != expected {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                wrong.push(format!("{name}:{}\n--- expected\n{expected}\n--- found\n{found}\n", pair[0].0));
            }
        }
    }
    assert!(run > 40, "{run} cases were found");
    assert!(wrong.is_empty(), "{} of {run} cases differ\n{}", wrong.len(), wrong.join("\n"));
}
