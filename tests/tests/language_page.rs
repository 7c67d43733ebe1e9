//! Every block of code of `docs/language.md` checks, or is refused where the page says so.
#![allow(clippy::unwrap_used)]

use genesys_compiler::check_text;
use genesys_diag::render_short;

#[test]
fn the_page_tells_the_truth() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/language.md")).unwrap();
    let blocks: Vec<(&str, &str)> = page
        .split("```gau")
        .skip(1)
        .map(|rest| rest.split_once('\n').unwrap())
        .map(|(info, rest)| (info.trim(), rest.split("```").next().unwrap()))
        .collect();
    assert!(blocks.len() >= 7, "{} blocks were found", blocks.len());
    for (info, block) in blocks {
        let design = if block.contains("design ") { "" } else { "design Page { stack = [Block*] }\n" };
        let checked = check_text("language.md", &format!("{block}{design}"));
        let shown: Vec<String> = checked.diagnostics.iter().map(|d| render_short(&checked.sources, d)).collect();
        match info {
            "" => assert!(shown.is_empty(), "{shown:#?} in\n{block}"),
            "sketch" => assert!(checked.sketch.is_some() && checked.design.is_none(), "{shown:#?} in\n{block}"),
            "refused" => assert!(checked.design.is_none(), "nothing is wrong in\n{block}"),
            other => panic!("`{other}` is no kind of block"),
        }
    }
}
