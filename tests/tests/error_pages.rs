//! Every code of a diagnostic has a page, `docs/errors/CODE.md`, and every example on it is run.
//!
//! A block ```` ```gau refused ```` is followed by a block ```` ```text ```` with the diagnostics it gives, one a line, at
//! least one of them of the page's code; other blocks check without a word. `UPDATE_GOLDENS=1` writes the diagnostics.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use genesys_compiler::check_text;
use genesys_diag::{Code, render_short};

/// Mistakes that are not in a text, or in one too large to show.
const WITHOUT_EXAMPLE: &[Code] = &[Code::FILE_TOO_LARGE, Code::FILE_UNREADABLE, Code::NOT_UTF8];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors")
}

/// The diagnostics of a text, one a line; a text without a design gets one that stacks `Block`.
fn diagnose(text: &str) -> Vec<(Code, String)> {
    let design =
        if text.contains("design ") || !text.contains("unit ") { "" } else { "design Page { stack = [Block*] }\n" };
    let checked = check_text("page.gau", &format!("{text}{design}"));
    checked.diagnostics.iter().map(|d| (d.code, render_short(&checked.sources, d))).collect()
}

/// The page with the diagnostics that its refused blocks give now; what is wrong with it is pushed to `wrong`.
fn rewritten(code: Code, page: &str, wrong: &mut Vec<String>) -> String {
    let mut written = String::new();
    let mut rest = page;
    let mut examples = 0;
    while let Some((before, from)) = rest.split_once("```gau") {
        let (info, from) = from.split_once('\n').unwrap();
        let (text, behind) = from.split_once("```\n").unwrap_or((from, ""));
        written += &format!("{before}```gau{info}\n{text}```\n");
        rest = behind;
        let found = diagnose(text);
        if info.trim() != "refused" {
            let lines: Vec<&String> = found.iter().map(|(_, line)| line).collect();
            if !found.is_empty() {
                wrong.push(format!("{code}: a block that should check gives {lines:#?}"));
            }
            continue;
        }
        examples += 1;
        if !found.iter().any(|(found, _)| *found == code) {
            wrong.push(format!("{code}: no diagnostic of the code in {found:#?}"));
        }
        let said = rest.strip_prefix("```text\n").and_then(|rest| rest.split_once("```"));
        let Some((_, behind)) = said else {
            wrong.push(format!("{code}: a refused block without its diagnostics"));
            continue;
        };
        rest = behind;
        let lines: String = found.iter().map(|(_, line)| format!("{line}\n")).collect();
        written += &format!("```text\n{lines}```");
    }
    if examples == 0 && !WITHOUT_EXAMPLE.contains(&code) {
        wrong.push(format!("{code}: no example"));
    }
    written + rest
}

#[test]
fn every_code_has_a_page_that_tells_the_truth() {
    let mut wrong = Vec::new();
    for (code, meaning) in Code::ALL {
        let path = folder().join(format!("{code}.md"));
        let Ok(page) = std::fs::read_to_string(&path) else {
            wrong.push(format!("{code}: no page {}", path.display()));
            continue;
        };
        if !page.starts_with(&format!("# {code}\n\n{}\n", meaning.trim())) {
            wrong.push(format!("{code}: the page begins with another title or meaning than the registry's"));
        }
        let now = rewritten(*code, &page, &mut wrong);
        if std::env::var_os("UPDATE_GOLDENS").is_some() {
            std::fs::write(&path, &now).unwrap();
        } else if now != page {
            wrong.push(format!("{code}: the page's diagnostics are others now"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_page_is_of_a_code_that_is_gone() {
    let codes: BTreeSet<String> = Code::ALL.iter().map(|(code, _)| format!("{code}.md")).collect();
    let pages = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let gone: Vec<String> = pages.filter(|page| page != "README.md" && !codes.contains(page)).collect();
    assert!(gone.is_empty(), "{gone:?}");
}
