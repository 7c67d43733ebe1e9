//! What the command does with texts: `fix`, `emit`, `hash --family`, and errors with a counterexample.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;

use common::{file, genesys};

const BROKEN: &str = "design T { stack = [Block*] }\n\
                      unit Block(x: Seq[D]) -> Seq[D] {\n    let n = RmsNorm(silo(x))\n    max[Past](past(n, skip = 1))\n}\n";

#[test]
fn what_errors_offer_is_applied_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "broken.gau", BROKEN);
    let said = genesys(["fix", "--dry-run", &path]).ok();
    assert_eq!(said.matches("mended ").count(), 3, "{said}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), BROKEN, "--dry-run changes nothing");
    let said = genesys(["fix", &path]).ok();
    for code in ["mended unknown-name", "mended empty-past"] {
        assert!(said.contains(code), "{code} is not in\n{said}");
    }
    let mended = std::fs::read_to_string(&path).unwrap();
    for part in ["use std::{RmsNorm}", "silu(x)", "skip = 1), else = 0)"] {
        assert!(mended.contains(part), "{part} is not in\n{mended}");
    }
    genesys(["check", &path]).ok();
    assert_eq!(genesys(["fix", &path]).ok(), "", "there is nothing left to mend");
}

#[test]
fn what_cannot_be_mended_is_left_and_told() {
    let folder = tempfile::tempdir().unwrap();
    // The edit would put a second comma behind the first: it is taken back.
    let text = BROKEN.replace("RmsNorm(silo(x))", "x").replace("skip = 1)", "skip = 1),");
    let path = file(folder.path(), "left.gau", &text);
    let said = genesys(["fix", &path]).refused();
    assert!(said.contains("error[empty-past]") && !said.contains("mended "), "{said}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    // One file that stays broken keeps no other from being mended.
    let other = file(folder.path(), "other.gau", BROKEN);
    genesys(["fix", &path, &other]).refused();
    genesys(["check", &other]).ok();
}

#[test]
fn the_grammar_is_printed_whole() {
    let grammar = genesys(["emit", "--to", "gbnf"]).ok();
    let defined: BTreeSet<&str> =
        grammar.lines().filter_map(|line| line.split_once(" ::= ")).map(|(name, _)| name).collect();
    assert!(defined.contains("root") && defined.len() > 60, "{} rules", defined.len());
    let said = genesys(["emit", "--to", "nonsense"]).refused();
    assert!(said.contains("gbnf"), "{said}");
}

#[test]
fn a_family_holds_what_differs_in_rounding() {
    let folder = tempfile::tempdir().unwrap();
    let design = |value: &str| {
        format!(
            "design T {{ stack = [Block*] }}\nunit Block(x: Seq[D]) -> Seq[D] {{\n    \
             let (a, b) = (linear[D -> D](x), tanh(x))\n    {value}\n}}\n"
        )
    };
    let texts = [("joined.gau", "x * (a + b)"), ("spread.gau", "x * a + x * b"), ("other.gau", "x * a - x * b")];
    let paths = texts.map(|(name, value)| file(folder.path(), name, design(value)));
    let keys = |family: &[&str]| -> Vec<String> {
        let arguments = ["hash"].iter().chain(family).copied().chain(paths.iter().map(String::as_str));
        let said = genesys(arguments).ok();
        said.lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
    };
    let (hashes, families) = (keys(&[]), keys(&["--family"]));
    assert!(hashes.iter().all(|hash| hash.starts_with("g2-")) && families.iter().all(|key| key.starts_with("f1-")));
    assert_eq!(hashes.iter().collect::<BTreeSet<_>>().len(), 3, "{hashes:?}");
    assert_eq!(families[0], families[1]);
    assert_ne!(families[0], families[2]);
}

#[test]
fn an_error_about_time_comes_with_its_counterexample() {
    let folder = tempfile::tempdir().unwrap();
    let text = "design T { stack = [Block*] }\nunit Block(x: Seq[D]) -> Seq[D] {\n    shift(tanh(x), -1)\n}\n";
    let path = file(folder.path(), "ahead.gau", text);
    let told = "with T = 2: position 0 of `shift(tanh(x), -1)` reads position 1 of `x`, through `tanh(x)` at 1";
    for format in ["text", "short"] {
        let said = genesys(["check", "--format", format, &path]).refused();
        assert!(said.contains(told), "{said}");
    }
    let said = genesys(["check", "--format", "json", &path]).refused();
    let value: serde_json::Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    let case = &value["counterexample"];
    assert_eq!((&case["length"], &case["flaw"], &case["sentence"]), (&2.into(), &"future".into(), &told.into()));
    let path: Vec<_> = case["path"].as_array().unwrap().iter().map(|step| (&step["text"], &step["position"])).collect();
    assert_eq!(
        path,
        [(&"shift(tanh(x), -1)".into(), &0.into()), (&"tanh(x)".into(), &1.into()), (&"x".into(), &1.into())]
    );
}
