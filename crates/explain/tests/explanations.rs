//! Explanations of the shipped designs, held to golden texts, and of known defects, each of which must be told.
//!
//! `UPDATE_GOLDENS=1 cargo test -p genesys-explain` writes the golden texts.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

use genesys_compiler::{CheckedText, check_text, standard_units};
use genesys_explain::{Explanation, Facts, annotated, explain, to_text};
use genesys_ladder::Scale;
use genesys_syntax::ast::ItemKind;

const DESIGNS: [&str; 5] = ["gla", "gpt", "mamba2", "octave", "retnet"];

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn checked(name: &str) -> CheckedText {
    check_text(name, &fs::read_to_string(here(&format!("../../designs/{name}.gau"))).unwrap())
}

fn explained(text: &CheckedText, scale: Option<&Scale>) -> Explanation {
    let design = text.design.as_ref().unwrap_or_else(|| panic!("{:#?}", text.diagnostics));
    explain(text, design, scale).unwrap()
}

/// Compares a text with the golden one of that name, or writes it.
fn golden(name: &str, found: &str) {
    let path = here("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{} differs: UPDATE_GOLDENS=1 writes it\n{found}", path.display());
}

#[test]
fn shipped_designs_are_explained_as_before() {
    for name in DESIGNS {
        let text = checked(name);
        golden(&format!("{name}.txt"), &to_text(&explained(&text, None)));
    }
    golden("gla-nano.txt", &to_text(&explained(&checked("gla"), Scale::named("nano").as_ref())));
    golden("titans.txt", &to_text(&explained(&checked("mechanisms/titans"), None)));
}

#[test]
fn shipped_designs_are_finite_and_alive() {
    for name in DESIGNS {
        let found = explained(&checked(name), None);
        for unit in &found.units {
            // Mamba-2 exponentiates a weight, which no text bounds.
            let doubts: Vec<&str> = unit.doubts.iter().map(|doubt| doubt.what.as_str()).collect();
            let expected: &[&str] = if name == "mamba2" && unit.name == "Block" { &["exp(a)"] } else { &[] };
            assert_eq!(doubts, expected, "{name}");
            assert_eq!(unit.finite, doubts.is_empty());
            assert!(unit.states.iter().all(|state| !state.growth.contains("unknown")), "{name}: {:?}", unit.states);
        }
        assert_eq!(found.probe.suspects, [], "{name}");
        assert_eq!(found.probe.skipped, [], "{name}");
        assert!(found.unreached.is_empty(), "{name}");
    }
}

/// The mechanisms with functions that are not proven to stay in their domains, each with their texts.
const DOUBTFUL: &[(&str, &[&str])] = &[
    ("abc", &["Ks / Z", "Vs / Z"]),
    ("based", &["weighed / (dot[K](q, Z1) + dot[K, J](qq, Z2) + Z0)"]),
    ("differential", &["exp(dot[E](a1, b1))", "exp(dot[E](a2, b2))"]),
    ("gated_delta_net", &["exp(l)"]),
    ("griffin", &["sqrt(1 - exp(2 * log_a))"]),
    ("hyena", &["exp(-outer(rate, age[Past]))"]),
    ("kda", &["exp(l)"]),
    ("mamba", &["exp(a)"]),
    ("mesa_net", &["before / where(met > 0, met, 1)", "dot[K](R, R) / where(before > 0, before, 1)"]),
    ("mlstm", &["dot[K](q, C) / max(abs(dot[K](q, N)), exp(-M))", "exp(-M)"]),
    ("moe", &["gate / sum[K](gate)"]),
    ("moe_balance", &["gate / sum[K](gate)"]),
    ("performer", &["exp(dot[K](w, k) - sum[K](k * k) / 2)", "exp(dot[K](w, q) - sum[K](q * q) / 2)"]),
    ("rwkv4", &["(old * A + new * v) / (old * B + new)", "exp(a)"]),
    ("rwkv6", &["exp(w)"]),
    (
        "s4d",
        &[
            "((turn_re - 1) * re + turn_im * b) / square",
            "(turn_im * re - (turn_re - 1) * b) / square",
            "exp(a)",
            "exp(log_dt)",
        ],
    ),
    ("slstm", &["o * C / N"]),
];

#[test]
fn mechanisms_are_alive_and_their_doubts_are_known() {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for entry in fs::read_dir(here("../../designs/mechanisms")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = check_text(&name, &fs::read_to_string(&path).unwrap());
        let design = text.design.as_ref().unwrap();
        let explained = explained(&text, None);
        assert_eq!(explained.probe.suspects, [], "{name}");
        assert_eq!(
            check_text(&name, &annotated(&text, design).unwrap()).design.unwrap().hash(),
            design.hash(),
            "{name}"
        );
        let doubts = explained.units.iter().flat_map(|unit| &unit.doubts).map(|doubt| doubt.what.clone());
        let doubts: std::collections::BTreeSet<String> = doubts.collect();
        if !doubts.is_empty() {
            found.push((name, doubts.into_iter().collect()));
        }
    }
    found.sort();
    let expected: Vec<(String, Vec<String>)> = DOUBTFUL
        .iter()
        .map(|(name, doubts)| ((*name).to_owned(), doubts.iter().map(|doubt| (*doubt).to_owned()).collect()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn the_annotated_text_is_the_same_design() {
    for name in DESIGNS {
        let text = checked(name);
        let design = text.design.as_ref().unwrap();
        let found = annotated(&text, design).unwrap();
        let again = check_text(name, &found).design.unwrap();
        assert_eq!(again.hash(), design.hash(), "{name}");
        let lets = |text: &str| text.matches("    let ").count();
        assert!(found.matches("  // ").count() >= lets(&found), "{name}: every value has its comment\n{found}");
    }
    let text = checked("gpt");
    golden("gpt-types.gau", &annotated(&text, text.design.as_ref().unwrap()).unwrap());
    let text = checked("mechanisms/titans");
    golden("titans-types.gau", &annotated(&text, text.design.as_ref().unwrap()).unwrap());
}

/// The suspects of a unit: `weight q.weight`.
fn suspects(body: &str) -> Vec<String> {
    let text = format!(
        "use std::{{RmsNorm}}\ndesign T {{ stack = [B*] }}\nunit B<H = 4, E = D / 4, N = 1>(x: Seq[D]) -> Seq[D] {{\n{body}\n}}\n"
    );
    let found = explained(&check_text("t", &text), None);
    found.probe.suspects.iter().map(|suspect| format!("{} {}", suspect.kind, suspect.at.name)).collect()
}

#[test]
fn a_query_that_cancels_is_suspected() {
    // A linear attention of one feature: the query stands in numerator and normalizer alike.
    let body = "let q = softplus(linear[D -> N](x))\nlet k = softplus(linear[D -> N](x))\nlet v = linear[D -> D](x)\n\
                let y = scan S: [N, D] = 0, Z: [N] = 0 {\nS <- S + outer(k, v)\nZ <- Z + k\n\
                yield dot[N](q, S) / (dot[N](q, Z) + 0)\n}\nx + y";
    assert_eq!(suspects(body), ["weight q.weight"]);
}

#[test]
fn what_moves_the_output_is_not_suspected() {
    for body in [
        "x + linear[D -> D](relu(linear[D -> D](x)))",
        "let q = linear[D -> H, E](x)\nlet k = linear[D -> H, E](x)\n\
         x + [H, E -> D](sum[Past](softmax[Past](dot[E](q, past(k))) * past(k)))",
        "x + RmsNorm(shift(x, 1))",
    ] {
        assert!(suspects(body).is_empty(), "{body}");
    }
}

#[test]
fn an_input_that_is_not_used_is_suspected() {
    assert_eq!(suspects("param p: [D] = normal(1)\np + 0 * pos + (x - x)"), ["input 0"]);
}

#[test]
fn units_that_nothing_reaches_are_told() {
    let text = "design T { stack = [A] }\nunit A(x: Seq[D]) -> Seq[D] {\n    B(x) // as C\n}\n\
                unit B(x: Seq[D]) -> Seq[D] {\n    x * 2\n}\nunit C(x: Seq[D]) -> Seq[D] {\n    B(x)\n}\n";
    assert_eq!(explained(&check_text("t", text), None).unreached, ["C"]);
}

#[test]
fn jumps_of_what_is_learned_are_told_and_others_are_not() {
    let text = "design T { stack = [A] }\nunit A(x: Seq[D]) -> Seq[D] {\n    where(x > 0, x, where(pos == 0, x / 2, x / 4))\n}\n";
    let found = explained(&check_text("t", text), None);
    let jumps: Vec<&str> = found.units[0].jumps.iter().map(|jump| jump.what.as_str()).collect();
    assert_eq!(jumps, ["x > 0"]);
}

#[test]
fn doubts_are_told_with_their_place() {
    let text = "design T { stack = [A] }\nunit A(x: Seq[D]) -> Seq[D] {\n    x * log(sigmoid(x))\n}\n";
    let shown = to_text(&explained(&check_text("t", text), None));
    let line = "the value of `log` needs its operand above 0, found [0, 1], in `log(sigmoid(x))`, line 3";
    assert!(shown.contains(line), "{shown}");
}

/// What is said of the units of a text, by their names.
fn told(text: &CheckedText) -> Vec<(String, Option<String>)> {
    let facts = Facts::of(&text.syntax, standard_units());
    let units = text.syntax.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Unit(unit) => Some(&unit.name),
        ItemKind::Use(_) | ItemKind::Design(_) => None,
    });
    units.map(|name| (name.text.clone(), facts.unit(name.span))).collect()
}

#[test]
fn units_that_take_derivatives_are_told_of_where_they_have_no_error() {
    let body =
        "scan W: [K] = 0 every 4 {\n        W <- start(W) - grad(a * a * start(W), start(W))\n        yield W\n    }";
    let unit = |a: &str| format!("unit A<K>(a: Seq[K]) -> Seq[K] {{\n    let b = {a}\n    {body} + b\n}}\n");
    let told = |a: &str| told(&check_text("t", &unit(a))).remove(0).1;
    // The product with the start, the 1 that its sum begins with, the product of that, the difference.
    assert_eq!(told("a").as_deref(), Some("recurrent, 0 weights, 4 K * T operations"));
    assert_eq!(told("a * shift(a, -1)"), None);
}

/// The cases of the checker hold every kind of mistake.
#[test]
fn whatever_a_text_holds_its_units_can_be_looked_at() {
    let mut told_of = 0;
    for entry in fs::read_dir(here("../check/tests/cases")).unwrap() {
        let page = fs::read_to_string(entry.unwrap().path()).unwrap();
        for block in page.split("```gau\n").skip(1) {
            let text = block.split("```").next().unwrap();
            told_of += told(&check_text("t", text)).iter().filter(|(_, told)| told.is_some()).count();
        }
    }
    assert!(told_of > 100, "{told_of} units");
}

/// All names of fields in a value.
fn fields(value: &serde_json::Value, found: &mut std::collections::BTreeSet<String>) {
    match value {
        serde_json::Value::Object(object) => object.iter().for_each(|(name, value)| {
            found.insert(name.clone());
            fields(value, found);
        }),
        serde_json::Value::Array(all) => all.iter().for_each(|value| fields(value, found)),
        _ => {}
    }
}

#[test]
fn every_field_of_the_json_is_documented() {
    let page = fs::read_to_string(here("../../docs/explain.md")).unwrap();
    let mut names = std::collections::BTreeSet::new();
    let text = "design T { stack = [A] }\nunit A(x: Seq[D]) -> Seq[D] {\n    param p: [D] = 1\n    x * log(x) + (p - p * 1)\n}\n";
    for text in [checked("gla"), check_text("t", text)] {
        let found = explained(&text, Scale::named("nano").as_ref());
        fields(&serde_json::to_value(&found).unwrap(), &mut names);
    }
    assert!(names.contains("doubts") && names.contains("growth") && names.contains("activation_bytes"));
    for name in names {
        assert!(
            page.contains(&format!("`{name}`")) || page.contains(&format!("\"{name}\"")),
            "`{name}` is not in docs/explain.md"
        );
    }
}
