//! `explain`, and `check --types`.
#![allow(clippy::unwrap_used)]

mod common;

use common::{design, file, genesys};

#[test]
fn a_design_is_explained_in_words_and_in_json() {
    let gla = design("gla.gau");
    let path = gla.to_str().unwrap();
    let words = genesys(["explain", path]).ok();
    assert!(words.contains("recurrent") && words.contains("finite       proven"), "{words}");
    let figures = genesys(["explain", path, "--scale", "nano"]).ok();
    assert!(figures.contains("At nano: D = 64") && figures.contains("total"), "{figures}");
    let json = genesys(["explain", path, "--json", "--scale", "nano"]).ok();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["format"], 1);
    assert_eq!(value["model"]["total"]["parameters"], 200_192);
}

#[test]
fn what_does_not_run_at_a_scale_is_not_explained_there() {
    let folder = tempfile::tempdir().unwrap();
    let text =
        "design T {\n    stack = [A]\n}\n\nunit A(x: Seq[D]) -> Seq[D] {\n    require D % 7 == 0\n    x * 2\n}\n";
    let path = file(folder.path(), "odd.gau", text);
    let said = genesys(["explain", &path, "--scale", "nano"]).refused();
    assert!(said.contains("multiple of 7") || said.contains("% 7"), "{said}");
    genesys(["explain", &path]).ok();
}

#[test]
fn the_text_with_types_is_the_same_design() {
    let folder = tempfile::tempdir().unwrap();
    let gla = design("gla.gau");
    let typed = genesys(["check", "--types", gla.to_str().unwrap()]).ok();
    assert!(typed.contains("// Seq[H, K]"), "{typed}");
    let path = file(folder.path(), "typed.gau", &typed);
    let hash = |path: &str| genesys(["hash", path]).ok().split_whitespace().next().unwrap().to_owned();
    assert_eq!(hash(&path), hash(gla.to_str().unwrap()));
}
