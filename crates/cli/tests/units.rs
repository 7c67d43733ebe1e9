//! `units`: what is known, and what fits a sketch.
#![allow(clippy::unwrap_used)]

mod common;

use common::{design, file, genesys};
use serde_json::Value;

const SKETCH: &str = "design Sketch {\n    stack = [Block*]\n}\n\nunit Block(x: Seq[D]) -> Seq[D] {\n    x + Mixer(x)\n}\n\n\
                      unit Mixer(x: Seq[D]) -> Seq[D];\n";

#[test]
fn the_units_of_shipped_designs_are_listed_with_what_they_cost() {
    let words = genesys(["units"]).ok();
    assert!(words.contains("unit Attention<") && words.contains("global, looks back"), "{words}");
    let all: Value = serde_json::from_str(&genesys(["units", "--json"]).ok()).unwrap();
    let named = |name: &str| all.as_array().unwrap().iter().find(|unit| unit["name"] == name).unwrap();
    assert_eq!(named("Attention")["interface"], "Seq[D] -> Seq[D]");
    assert!(named("Attention")["credit"].is_null() && named("Attention")["key"].as_str().unwrap().starts_with("u1-"));
    let one = genesys(["units", design("gla.gau").to_str().unwrap()]).ok();
    assert!(one.len() < words.len() && !one.contains("Octave"), "{one}");
}

#[test]
fn what_fits_a_sketch_makes_designs() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "sketch.gau", SKETCH);
    let words = genesys(["units", "--fits", &path]).ok();
    assert!(words.starts_with("unit Mixer wants Seq[D]\n") && words.contains("Attention"), "{words}");
    let out = folder.path().join("filled");
    let json = genesys(["units", "--fits", &path, "--json", "--out", out.to_str().unwrap()]).ok();
    let holes: Value = serde_json::from_str(&json).unwrap();
    let fits = holes[0]["fits"].as_array().unwrap();
    let files: Vec<_> = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!fits.is_empty() && files.len() == fits.len(), "{} and {}", files.len(), fits.len());
    for filled in files {
        genesys(["check", filled.to_str().unwrap()]).ok();
    }
}

#[test]
fn units_are_found_by_what_they_say() {
    let asked = ["units", "--about", "rotary positions in interleaved pairs, softmax attention"];
    let found = genesys(asked);
    assert!(found.stderr.contains("searched by words alone"), "{}", found.stderr);
    assert!(found.ok().lines().next().unwrap().starts_with("unit Attention<"));
    let json = genesys(asked.into_iter().chain(["--limit", "2", "--json"])).ok();
    let found: Value = serde_json::from_str(&json).unwrap();
    let found = found.as_array().unwrap();
    assert_eq!((found.len(), &found[0]["by_words"], &found[0]["by_meaning"]), (2, &Value::from(1), &Value::Null));
    assert!(found[0]["interface"].is_string() && found[0]["cost"].is_object());
    assert!(genesys(["units", "--about", "zzzz"]).ok().contains("nothing found"));
    assert!(genesys(["units", "--about", "?!"]).refused().contains("expected"));
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "sketch.gau", SKETCH);
    let first = |about: &[&str]| {
        let words = genesys(["units", "--fits", &path].into_iter().chain(about.iter().copied())).ok();
        words.lines().nth(1).unwrap().to_owned()
    };
    let said = SKETCH.replace("unit Mixer", "/// Retention.\nunit Mixer");
    file(folder.path(), "sketch.gau", said);
    assert!(first(&[]).contains(" Retention "), "{}: by the comment of the hole", first(&[]));
    let asked = first(&["--about", "causal softmax attention"]);
    assert!(asked.contains("Attention ") && asked.contains(" u1-"), "{asked}");
}

#[test]
fn what_is_no_sketch_or_no_design_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "sketch.gau", SKETCH);
    let said = genesys(["units", &path]).refused();
    assert!(said.contains("found a sketch"), "{said}");
    let said = genesys(["units", "--fits", design("gpt.gau").to_str().unwrap()]).refused();
    assert!(said.contains("expected a sketch, found the design") && said.contains("unit Router"), "{said}");
    let broken = file(folder.path(), "broken.gau", SKETCH.replace("x + Mixer(x)", "x + Mixer(y)"));
    let said = genesys(["units", "--fits", &broken]).refused();
    assert!(said.contains("broken.gau:6"), "{said}");
    let said = genesys(["units", "--run", folder.path().to_str().unwrap()]).refused();
    assert!(said.contains("run"), "{said}");
}
