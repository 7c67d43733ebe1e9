//! Hostile and mistaken design files: one clear error each, and never a panic.
#![allow(clippy::unwrap_used)]

mod common;

use common::{design, file, genesys};

/// The codes that `check` tells for the file at `path`, all of them errors or warnings of that file.
fn codes(path: &str) -> Vec<String> {
    let json = genesys(["check", "--format", "json", path]).refused();
    let objects = json.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    objects.map(|object| object["code"].as_str().unwrap().to_owned()).collect()
}

/// The codes for `text`.
fn codes_of(text: impl AsRef<[u8]>) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    codes(&file(folder.path(), "a.gau", text))
}

/// The shipped GPT with one passage replaced.
fn gpt_with(old: &str, new: &str) -> String {
    let text = std::fs::read_to_string(design("gpt.gau")).unwrap();
    assert!(text.contains(old), "the passage `{old}` is not in gpt.gau");
    text.replacen(old, new, 1)
}

/// A design whose one unit has that body, after `Bad`.
fn unit_of(rest: &str) -> String {
    format!("design Small {{\n    stack = [Bad*]\n}}\n\nunit Bad{rest}\n")
}

#[test]
fn files_that_are_no_text_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.gau");
    assert_eq!(codes(missing.to_str().unwrap()), ["file-unreadable"]);
    assert_eq!(codes(folder.path().to_str().unwrap()), ["file-unreadable"]);
    assert_eq!(codes("/dev/zero"), ["file-too-large"]);
    assert_eq!(codes_of(""), ["file-empty"]);
    assert_eq!(codes_of("// nothing here\n"), ["file-empty"]);
    assert_eq!(codes_of(b"unit A\xff\xfe"), ["not-utf8"]);
    assert_eq!(codes_of("\0\0\0"), ["syntax"]);
}

#[test]
fn one_bad_file_does_not_hide_another() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.gau");
    let unknown = file(folder.path(), "unknown.gau", gpt_with("past(k)", "past(kk)"));
    let good = design("gla.gau");
    let said = genesys(["check", missing.to_str().unwrap(), &unknown, good.to_str().unwrap()]).refused();
    for part in ["file-unreadable", "unknown-name", "gla.gau: Gla checks"] {
        assert!(said.contains(part), "{part} is missing in\n{said}");
    }
}

#[test]
fn huge_and_deep_files_are_refused() {
    assert_eq!(codes_of("unit A(x: Seq[D]) -> Seq[D] { x }\n".repeat(300_000)), ["file-too-large"]);
    for (open, close) in [("(", ")"), ("[", "]"), ("{", "}"), ("-", ""), ("RmsNorm(", ")"), ("x + ", "")] {
        let deep = format!("(x: Seq[D]) -> Seq[D] {{ {}x{} }}", open.repeat(100_000), close.repeat(100_000));
        let codes = codes_of(unit_of(&deep));
        let expected = ["nesting-too-deep", "too-large", "syntax"];
        assert!(codes.len() == 1 && expected.contains(&codes[0].as_str()), "{open}: {codes:?}");
        let unclosed = format!("(x: Seq[D]) -> Seq[D] {{ {}", open.repeat(100_000));
        assert_eq!(codes_of(unit_of(&unclosed)).len(), 1, "{open}");
    }
}

#[test]
fn mistakes_of_meaning_have_their_codes() {
    let cases: [(&str, String); 6] = [
        ("axis-mismatch", unit_of("<E = 8>(x: Seq[D]) -> Seq[D] { linear[D -> E](x) }")),
        ("implicit-outer", unit_of("<E = 8>(x: Seq[D]) -> Seq[D] { x + linear[D -> E](x) }")),
        ("recursive-unit", unit_of("(x: Seq[D]) -> Seq[D] { x + Bad(x) }")),
        ("view-of-past", gpt_with("past(v)", "past(past(v))")),
        ("negative-offset", unit_of("(x: Seq[D]) -> Seq[D] { x + shift(x, -1) }")),
        ("unknown-name", gpt_with("RmsNorm(h)", "RmsNrom(h)")),
    ];
    for (code, text) in cases {
        let codes = codes_of(&text);
        assert_eq!(codes, [code], "{text}");
    }
}

#[test]
fn an_unknown_name_is_answered_with_the_near_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "a.gau", gpt_with("RmsNorm(h)", "RmsNrom(h)"));
    let said = genesys(["check", "--format", "short", &path]).refused();
    assert!(said.contains("`RmsNrom`") && said.contains("`RmsNorm`"), "{said}");
}

#[test]
fn a_size_that_does_not_divide_is_an_error_at_that_scale_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "a.gau", gpt_with("H = 8, E = D / 8", "H = D / 48, E = 48"));
    genesys(["check", "--scale", "760M", &path]).ok();
    let said = genesys(["check", "--scale", "nano", "--format", "short", &path]).refused();
    assert!(said.contains("requirement") && said.contains("64"), "{said}");
}

#[test]
fn independent_errors_are_told_in_one_run() {
    let text = [
        &gpt_with("past(v)", "past(past(v))"),
        "unit First(x: Seq[D]) -> Seq[D] { shift(x, -1) }",
        "unit Second(x: Seq[D] -> { x }",
        "unit Third(x: Seq[D]) -> Seq[D] { x + }",
    ];
    assert_eq!(codes_of(text.join("\n")), ["view-of-past", "negative-offset", "unbalanced-bracket", "syntax"]);
}
