//! `discover`: a small run, the same run again, and what is refused.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{command, corpus, finished, genesys};

/// A run of one generation of two, a few steps each, on a small text.
fn small(folder: &Path, run: &str, more: &[&str]) -> Command {
    let mut command = command(["discover", "--generations", "1", "--population", "2", "--steps", "3"]);
    command.arg("--run").arg(folder.join(run)).arg("--corpus").arg(corpus(folder)).args(more);
    command.env("GENESYS_CACHE", folder.join("cache"));
    command
}

#[test]
fn two_runs_of_one_seed_give_the_same_hashes_and_the_same_bits_per_byte() {
    let folder = tempfile::tempdir().unwrap();
    let first = finished(small(folder.path(), "a", &["--seed", "5"]).output().unwrap()).ok();
    let second = finished(small(folder.path(), "b", &["--seed", "5", "--workers", "1"]).output().unwrap()).ok();
    assert_eq!(first, second, "nor does the number of workers matter");
    let other = finished(small(folder.path(), "c", &["--seed", "6"]).output().unwrap()).ok();
    assert_ne!(first, other);

    let rows: Vec<&str> = first.lines().skip(1).take_while(|line| !line.is_empty()).collect();
    assert_eq!(rows.len(), 7, "five shipped designs and two offspring:\n{first}");
    assert!(rows.iter().all(|row| row.contains(" g2-")), "{first}");
    assert!(rows.iter().filter(|row| row.contains(" ±")).count() >= 3, "finalists have a spread:\n{first}");
    assert_eq!(rows.iter().filter(|row| row.contains(" baseline ")).count(), 1, "{first}");

    let designs: Vec<_> = fs::read_dir(folder.path().join("a/designs")).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(designs.len(), 7);
    let check = ["check", "--scale", "nano"].map(Into::into);
    genesys(check.into_iter().chain(designs.into_iter().map(PathBuf::into_os_string))).ok();

    // Its units are found, too, with what they were worth.
    let run = folder.path().join("a").into_os_string().into_string().unwrap();
    let words = genesys(["units", "--run", &run, "--about", "causal softmax attention", "--limit", "1"]).ok();
    assert!(words.starts_with("unit ") && words.contains("looks back"), "{words}");
    let search = ["literature", "search", "causal softmax attention", "--run", &run, "--kind", "unit", "--limit", "40"];
    let found = genesys(search).ok();
    assert!(found.contains(&format!("{run}#u1-")) && found.contains("operations."), "{found}");
}

#[test]
fn the_numbers_of_a_run_are_fixed() {
    let folder = tempfile::tempdir().unwrap();
    finished(small(folder.path(), "a", &[]).output().unwrap()).ok();
    let said = finished(small(folder.path(), "a", &["--seed", "9"]).output().unwrap()).refused();
    assert!(said.contains("holds a run already") && said.contains("genesys resume "), "{said}");
}

#[test]
fn text_that_cannot_be_trained_on_is_refused_and_no_run_is_made() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text, part) in [("empty.txt", "", "no text"), ("short.txt", "Once upon a time.", "too short")] {
        let text = common::file(folder.path(), name, text);
        let run = folder.path().join("run");
        let mut command = command(["discover", "--corpus", &text, "--run"]);
        let said = finished(command.arg(&run).env("GENESYS_CACHE", folder.path().join("cache")).output().unwrap());
        assert!(said.refused().contains(part));
        assert!(!run.join("events.db").exists());
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_the_worlds_fault() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let run = finished(small(folder.path(), "file/run", &[]).output().unwrap());
    assert!(run.status == 1 || run.status == 2, "{run:?}");
    assert!(run.stderr.contains("file/run"), "{run:?}");
}

#[test]
fn the_worker_refuses_what_is_no_assignment() {
    let run = genesys(["worker"]);
    assert_eq!(run.status, 1, "{run:?}");
}
