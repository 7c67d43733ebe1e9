//! The designs that `cargo xtask peers` holds to models of PyPI's `transformers`, as far as that can be told without Python:
//! they run, and the last figures in `docs/mechanisms.md` are of all of them, and small.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use genesys_compiler::{check_text, compile};
use genesys_ladder::Scale;

/// The largest error that a design may have.
const LIMIT: f64 = 0.005;

/// The vocabulary of `genesys init` without a tokenizer, at which they are compared.
const VOCABULARY: u64 = 257;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The rows of the section on peers, as cells.
fn rows() -> Vec<Vec<String>> {
    let page = fs::read_to_string(root().join("docs/mechanisms.md")).unwrap();
    let section = page.split("## Against transformers").nth(1).expect("the page has the section");
    let table = section.lines().filter(|line| line.starts_with("| ")).skip(2);
    table.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// The paths of the designs that the section is about.
fn measured() -> BTreeSet<String> {
    let path = |row: &Vec<String>| row[1].split("](../").nth(1).unwrap().trim_end_matches(')').to_owned();
    rows().iter().map(path).collect()
}

#[test]
fn every_design_checks_without_a_word_and_runs_where_it_is_compared() {
    let scale = Scale::named("nano").unwrap();
    for path in measured() {
        let text = fs::read_to_string(root().join(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let checked = check_text(&path, &text);
        assert_eq!(checked.diagnostics, [], "{path}");
        compile(&checked.design.unwrap(), &scale, VOCABULARY).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
}

#[test]
fn every_design_has_its_last_figures() {
    let folder = "tests/peers/designs";
    let files = fs::read_dir(root().join(folder)).unwrap();
    let designs = files.map(|entry| format!("{folder}/{}", entry.unwrap().file_name().to_string_lossy()));
    let missing: Vec<String> = designs.filter(|path| !measured().contains(path)).collect();
    assert!(missing.is_empty(), "no figures of {missing:?}: run `cargo xtask peers`");
}

#[test]
fn the_last_figures_are_within_the_limit() {
    let rows = rows();
    assert!(rows.len() > 20, "{rows:?}");
    for row in rows {
        for cell in &row[4..6] {
            let error: f64 = cell.parse().unwrap_or_else(|_| panic!("expected a number, found {cell:?} in {row:?}"));
            assert!(error > 0.0 && error <= LIMIT, "{row:?}");
        }
    }
}
