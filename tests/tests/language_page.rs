//! Every block of code of `docs/language.md` and of `docs/tutorial.md` checks, or is refused or a sketch where the page says
//! so.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use genesys_compiler::check_text;
use genesys_diag::render_short;

/// Checks the blocks of a page, of which there are at least so many.
fn tells_the_truth(page: &str, least: usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
    let text = std::fs::read_to_string(path).unwrap();
    let blocks: Vec<(&str, &str)> = text
        .split("```gau")
        .skip(1)
        .map(|rest| rest.split_once('\n').unwrap())
        .map(|(info, rest)| (info.trim(), rest.split("```").next().unwrap()))
        .collect();
    assert!(blocks.len() >= least, "{} blocks were found", blocks.len());
    for (info, block) in blocks {
        let design = if block.contains("design ") { "" } else { "design Page { stack = [Block*] }\n" };
        let checked = check_text(page, &format!("{block}{design}"));
        let shown: Vec<String> = checked.diagnostics.iter().map(|d| render_short(&checked.sources, d)).collect();
        match info {
            "" => assert!(shown.is_empty(), "{shown:#?} in\n{block}"),
            "refused" => assert!(checked.design.is_none(), "nothing is wrong in\n{block}"),
            "sketch" => assert!(checked.sketch.is_some() && checked.design.is_none(), "{shown:#?} in\n{block}"),
            other => panic!("`{other}` is no kind of block"),
        }
    }
}

#[test]
fn the_reference_tells_the_truth() {
    tells_the_truth("language.md", 20);
}

#[test]
fn the_tutorial_tells_the_truth() {
    tells_the_truth("tutorial.md", 4);
}

#[test]
fn the_reference_lists_the_standard_units() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/language.md");
    let page = std::fs::read_to_string(page).unwrap();
    let table = page.split_once("### Standard units").unwrap().1.split_once("\n## ").unwrap().0;
    let listed: Vec<&str> = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let declared = genesys_stdlib::TEXT.lines().filter_map(|line| line.strip_prefix("unit ")?.strip_suffix(" {"));
    assert_eq!(listed, declared.collect::<Vec<_>>());
}
