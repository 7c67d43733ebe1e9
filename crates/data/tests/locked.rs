//! The build script's reading of Cargo.lock: exact versions, and a clear stop where the list and the lock disagree.
#![allow(clippy::unwrap_used)]

#[path = "../locked.rs"]
mod locked;

const LOCK: &str = r#"
[[package]]
name = "ours"
version = "0.1.0"

[[package]]
name = "syn"
version = "2.0.1"
source = "registry+https://github.com/rust-lang/crates.io-index"
dependencies = [
 "quote",
]

[[package]]
name = "syn"
version = "3.0.10"
source = "registry+https://github.com/rust-lang/crates.io-index"

[[package]]
name = "quote"
version = "1.0.2+build"
source = "registry+https://github.com/rust-lang/crates.io-index"
"#;

#[test]
fn versions_are_those_of_the_lock() {
    let table = locked::table("# a comment\n\nquote\nsyn 3\n", LOCK).unwrap();
    let expected = r#"const DEFAULT_CRATES: &[(&str, &str)] = &[
    ("quote", "1.0.2+build"),
    ("syn", "3.0.10"),
];
"#;
    assert_eq!(table, expected);
    assert!(locked::table("syn 2.0.1", LOCK).is_ok());
}

#[test]
fn a_list_that_does_not_fit_the_lock_stops_with_a_reason() {
    let error = |list| locked::table(list, LOCK).unwrap_err();
    assert!(error("rayon").contains("lists rayon, but") && error("rayon").contains("take it off the list"));
    assert!(error("syn 30").contains("lists syn 30"));
    assert!(error("syn").contains("2.0.1 and 3.0.10"));
    assert!(error("ours").contains("lists ours"), "a workspace member has no sources in the registry");
}
