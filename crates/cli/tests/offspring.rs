//! `mutate` and `crossover`: as many different designs as asked for, or how many there are.
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

fn cross(first: &Path, second: &Path, seed: &str, number: &str, out: &Path) -> Run {
    let (first, second, out) = (first.to_str().unwrap(), second.to_str().unwrap(), out.to_str().unwrap());
    genesys(["crossover", first, second, "--seed", seed, "-n", number, "--out", out])
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

#[test]
fn crossings_differ_check_and_run_where_the_first_parent_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (gpt, gla) = (design("gpt.gau"), design("gla.gau"));
    for (name, first, second) in [("gpt-gla", &gpt, &gla), ("gla-gpt", &gla, &gpt)] {
        let out = folder.path().join(name);
        let told = cross(first, second, "1", "12", &out).ok();
        let files = files(&out);
        assert_eq!((files.len(), told.lines().count()), (12, 12));
        assert!(told.lines().all(|line| line.starts_with("g2-") && line.contains("  cross-")), "{told}");
        let parents = genesys(["hash", gpt.to_str().unwrap(), gla.to_str().unwrap()]).ok();
        let hashes = genesys(["hash"].into_iter().chain(files.iter().map(String::as_str))).ok();
        let hashes: BTreeSet<&str> = hashes.lines().map(|line| line.split_once(' ').unwrap().0).collect();
        assert_eq!(hashes.len(), 12, "all hashes differ");
        assert!(parents.lines().all(|line| !hashes.contains(line.split_once(' ').unwrap().0)));
        for scale in ["nano", "14M", "1.3B"] {
            genesys(["check", "--scale", scale].into_iter().chain(files.iter().map(String::as_str))).ok();
        }
        genesys(["fmt", "--check"].into_iter().chain(files.iter().map(String::as_str))).ok();
    }
}

#[test]
fn what_cannot_be_crossed_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let (gpt, gla, out) = (design("gpt.gau"), design("gla.gau"), folder.path().join("out"));
    let twin = folder.path().join("twin.gau");
    fs::write(&twin, fs::read_to_string(&gpt).unwrap().replace("Block", "Layer")).unwrap();
    let said = cross(&gpt, &twin, "1", "1", &out).refused();
    assert!(said.contains("expected two different designs") && said.contains("mean the same"), "{said}");
    let said = cross(&gpt, &gla, "1", "1000000", &out).refused();
    assert!(said.contains("gives ") && said.contains("nothing is written"), "{said}");
    let broken = folder.path().join("broken.gau");
    fs::write(&broken, "design A { stack = [Nothing*] }").unwrap();
    let said = cross(&gpt, &broken, "1", "1", &out).refused();
    assert!(said.contains("Nothing"), "{said}");
    cross(&folder.path().join("absent.gau"), &gla, "1", "1", &out).refused();
    assert!(!out.exists(), "nothing is written");
}
