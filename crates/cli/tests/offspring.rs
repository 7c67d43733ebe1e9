//! `mutate`: as many different designs as asked for, or how many there are.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::{Run, design, genesys};

fn mutate(name: &str, seed: &str, number: &str, out: &Path) -> Run {
    let file = design(name);
    genesys(["mutate", file.to_str().unwrap(), "--seed", seed, "-n", number, "--out", out.to_str().unwrap()])
}

fn files(folder: &Path) -> Vec<String> {
    let mut paths: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().to_str().unwrap().to_owned()).collect();
    paths.sort();
    paths
}

#[test]
fn offspring_differ_check_and_run_where_the_parent_runs() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["gpt.gau", "gla.gau"] {
        let out = folder.path().join(name);
        mutate(name, "1", "12", &out).ok();
        let files = files(&out);
        assert_eq!(files.len(), 12);
        let parent = genesys(["hash", design(name).to_str().unwrap()]).ok();
        let hashes = genesys(["hash"].into_iter().chain(files.iter().map(String::as_str))).ok();
        let hashes: BTreeSet<&str> = hashes.lines().map(|line| line.split_once(' ').unwrap().0).collect();
        assert_eq!(hashes.len(), 12, "all hashes differ");
        assert!(!hashes.contains(parent.split_once(' ').unwrap().0), "and differ from the parent's");
        for scale in ["nano", "14M", "1.3B"] {
            genesys(["check", "--scale", scale].into_iter().chain(files.iter().map(String::as_str))).ok();
        }
        genesys(["fmt", "--check"].into_iter().chain(files.iter().map(String::as_str))).ok();
    }
}

#[test]
fn the_seed_decides_the_offspring() {
    let folder = tempfile::tempdir().unwrap();
    let texts = |seed: &str, out: &str| -> Vec<String> {
        let out = folder.path().join(out);
        mutate("gpt.gau", seed, "3", &out).ok();
        files(&out).iter().map(|path| fs::read_to_string(path).unwrap()).collect()
    };
    let first = texts("1", "a");
    assert_eq!(texts("1", "b"), first);
    assert_ne!(texts("2", "c"), first);
}

#[test]
fn too_many_are_refused_with_how_many_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let said = mutate("gpt.gau", "1", "1000000", &out).refused();
    let count: u64 = said.split("gives ").nth(1).unwrap().split(';').next().unwrap().parse().unwrap();
    assert!(count >= 12, "{said}");
    assert!(!out.exists(), "nothing is written");
    assert_eq!(mutate("gpt.gau", "2", &count.to_string(), &out).ok().lines().count() as u64, count);
}
