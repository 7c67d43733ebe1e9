//! `check`, `fmt` and `hash` on designs that are right.
#![allow(clippy::unwrap_used)]

mod common;

use common::{design, file, genesys, root};

/// The designs in a folder of the repository.
fn shipped(folder: &str) -> Vec<std::path::PathBuf> {
    let paths = std::fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut designs: Vec<_> = paths.filter(|path| path.extension().is_some_and(|ext| ext == "gau")).collect();
    designs.sort();
    assert!(designs.len() >= 5, "{designs:?}");
    designs
}

#[test]
fn every_seed_checks_and_runs_at_every_scale() {
    for path in shipped("designs") {
        for scale in ["nano", "14M", "31M", "70M", "125M", "350M", "760M", "1.3B"] {
            let said = genesys(["check".as_ref(), path.as_os_str(), "--scale".as_ref(), scale.as_ref()]).ok();
            assert!(said.contains(&format!("checks and runs at {scale}, g2-")), "{said}");
        }
    }
}

#[test]
fn shipped_designs_are_in_canonical_form_and_check() {
    for path in ["designs", "designs/mechanisms", "tests/peers/designs"].into_iter().flat_map(shipped) {
        genesys(["fmt".as_ref(), "--check".as_ref(), path.as_os_str()]).ok();
        let said = genesys(["check".as_ref(), path.as_os_str()]).ok();
        assert!(said.contains(" checks, g2-"), "{said}");
    }
}

#[test]
fn fmt_lays_a_file_out_and_keeps_its_meaning_and_comments() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(design("gpt.gau")).unwrap();
    let messy = text.replace("    let ", "  let   ").replace(" = ", "=");
    assert_ne!(messy, text);
    let path = file(folder.path(), "messy.gau", &messy);
    let said = genesys(["fmt", "--check", &path]).refused();
    assert!(said.contains("messy.gau: would change"), "{said}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), messy, "--check changes nothing");
    genesys(["fmt", &path]).ok();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left aside");
}

#[test]
fn fmt_leaves_a_file_with_a_syntax_error_and_formats_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(design("gpt.gau")).unwrap();
    let broken = file(folder.path(), "broken.gau", "unit A(x: Seq[D] -> {");
    let messy = file(folder.path(), "messy.gau", text.replace("    let ", "  let   "));
    let said = genesys(["fmt", &broken, &messy]).refused();
    assert!(said.contains("broken.gau:1:"), "{said}");
    assert_eq!(std::fs::read_to_string(broken).unwrap(), "unit A(x: Seq[D] -> {");
    assert_eq!(std::fs::read_to_string(messy).unwrap(), text);
}

#[test]
fn the_hash_is_that_of_the_meaning() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(design("gpt.gau")).unwrap();
    let hash = |name: &str, text: &str| {
        let path = file(folder.path(), name, text);
        let line = genesys(["hash", &path]).ok();
        let (hash, shown) = line.trim_end().split_once("  ").unwrap();
        assert_eq!(shown, path);
        let hex = hash.strip_prefix("g2-").unwrap();
        assert!(hex.len() >= 32 && hex.chars().all(|c| c.is_ascii_hexdigit()), "{hash}");
        hash.to_owned()
    };
    let original = hash("a.gau", &text);
    let renamed = text.replace("score", "logits").replace("Attention", "Look").replace("//!", "//! Another word:\n//!");
    assert_eq!(hash("b.gau", &renamed), original, "names and comments are not part of the meaning");
    assert_ne!(hash("c.gau", &text.replace("sqrt(E)", "E")), original);
    assert_ne!(hash("d.gau", &text.replace("H = 8, E = D / 8", "H = 4, E = D / 4")), original);
}

#[test]
fn all_formats_tell_the_same_errors_and_json_is_one_object_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(design("gpt.gau")).unwrap();
    let path = file(folder.path(), "a.gau", text.replace("past(k)", "past(kk)").replace("sqrt(E)", "squrt(E)"));
    let short = genesys(["check", "--format", "short", &path]).refused();
    let json = genesys(["check", "--format", "json", &path]).refused();
    let drawn = genesys(["check", &path]).refused();
    let objects: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(objects.len() >= 2, "both errors are told: {json}");
    assert_eq!(short.lines().count(), objects.len());
    for object in &objects {
        assert!(drawn.contains(object["message"].as_str().unwrap()), "{drawn}");
        for key in ["code", "severity", "message", "file", "span", "line", "column", "help", "edit"] {
            assert!(object.get(key).is_some(), "{key} is missing in {object}");
        }
        assert_eq!(object["file"], path.as_str());
    }
}
