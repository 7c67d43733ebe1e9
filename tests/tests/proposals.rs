//! The proposals that agents are measured with, `benches/proposals`: each has what a proposal needs, and a design beside it shows that the
//! language can say it. The designs run, and none is another one or one that ships.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use genesys_compiler::{check_text, compile, fitting};
use genesys_diag::render_short;
use genesys_interp::Interpreter;
use genesys_ladder::Scale;
use genesys_runtime::Model;

const VOCABULARY: u64 = 41;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The files of a folder with an ending, by their names without it.
fn files(folder: &str, ending: &str) -> BTreeMap<String, String> {
    let paths = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let named = paths.filter(|path| path.extension().is_some_and(|found| found == ending));
    named
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap()))
        .collect()
}

fn designs() -> BTreeMap<String, String> {
    files("benches/proposals", "gau")
}

/// The parts of a proposal by their headings.
fn parts(text: &str) -> Vec<(&str, &str)> {
    text.split("\n## ").skip(1).map(|part| part.split_once('\n').unwrap()).collect()
}

#[test]
fn each_proposal_has_its_parts_its_length_and_known_works() {
    let proposals = files("benches/proposals", "md");
    assert!(proposals.len() >= 20);
    assert_eq!(proposals.keys().collect::<Vec<_>>(), designs().keys().collect::<Vec<_>>());
    let works: BTreeSet<String> = genesys_literature::library().into_iter().map(|work| work.key.to_string()).collect();
    let titles: BTreeSet<&str> = proposals.values().map(|text| text.lines().next().unwrap()).collect();
    assert_eq!(titles.len(), proposals.len(), "each has a title of its own");
    for (name, text) in &proposals {
        let words = text.split_whitespace().count();
        assert!((150..=350).contains(&words), "{name} has {words} words");
        let parts = parts(text);
        let heads: Vec<&str> = parts.iter().map(|(head, _)| *head).collect();
        let expected = ["Problem", "Idea", "Mathematics", "Expected effect", "What changes", "References"];
        assert_eq!(heads, expected, "{name}");
        assert!(parts[2].1.matches(" = ").count() >= 3, "{name} has formulas");
        let references: Vec<&str> = parts[5].1.trim().split(", ").collect();
        assert!(references.len() >= 2, "{name}");
        for key in references {
            assert!(works.contains(key), "{name} names `{key}`, which is no work of the library");
        }
    }
}

#[test]
fn each_design_is_fit_for_nano_laid_out_and_like_no_other() {
    let mut known = BTreeMap::<String, String>::new();
    for folder in ["designs", "designs/mechanisms"] {
        for (name, text) in files(folder, "gau") {
            known.insert(check_text(&name, &text).design.unwrap().hash().to_string(), name);
        }
    }
    assert!(known.len() > 60);
    let nano = Scale::named("nano").unwrap();
    for (name, text) in designs() {
        let checked = check_text(&name, &text);
        let said: Vec<String> = checked.diagnostics.iter().map(|d| render_short(&checked.sources, d)).collect();
        assert!(said.is_empty(), "{said:#?}");
        let design = checked.design.unwrap();
        assert!(fitting(&design, &nano).is_ok(), "{name} does not run at nano");
        assert_eq!(genesys_syntax::print(&checked.syntax), text, "{name} is not laid out");
        let other = known.insert(design.hash().to_string(), name.clone());
        assert_eq!(other, None, "{name} is another one");
    }
}

fn model(name: &str, text: &str, dtype: DType) -> Model {
    let design = check_text(name, text).design.unwrap();
    let module = compile(&design, &Scale::named("nano").unwrap(), VOCABULARY).unwrap();
    Model::init(module, 3, dtype, &Device::Cpu).unwrap()
}

fn tokens(n: usize, seed: u64) -> Vec<u32> {
    (0..n as u64).map(|i| (genesys_random::at(seed, i) % VOCABULARY) as u32).collect()
}

fn row(tokens: &[u32]) -> Tensor {
    Tensor::from_slice(tokens, (1, tokens.len()), &Device::Cpu).unwrap()
}

fn numbers(x: &Tensor) -> Vec<f64> {
    x.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn each_design_predicts_at_nano_what_the_step_evaluator_says() {
    for (name, text) in designs() {
        let model = model(&name, &text, DType::F64);
        let weights: BTreeMap<&str, Vec<f64>> =
            model.parameters().iter().map(|p| (p.name.as_str(), numbers(p.var.as_tensor()))).collect();
        let lookup = |name: &str| weights.get(name).cloned();
        let x = tokens(19, 5);
        let found = numbers(&model.logits(&row(&x)).unwrap());
        let mut interpreter = Interpreter::new(model.module(), &lookup);
        let expected: Vec<f64> = x.iter().flat_map(|&t| interpreter.step(t, t).unwrap().logits).collect();
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-9, "{name}: {found} in training, {expected} step by step");
        }
    }
}

#[test]
fn each_weight_of_each_design_learns() {
    for (name, text) in designs() {
        let model = model(&name, &text, DType::F32);
        // The slowest view, a mean of 64 positions, is empty before.
        let step = model.forward_backward(&row(&tokens(80, 5)), &row(&tokens(80, 6))).unwrap();
        let mut still = Vec::new();
        for (parameter, gradient) in model.parameters().iter().zip(&step.gradients) {
            let gradient = numbers(gradient.as_ref().unwrap());
            assert!(gradient.iter().all(|g| g.is_finite()), "{name}: {}", parameter.name);
            if gradient.iter().all(|g| *g == 0.0) {
                still.push(parameter.name.as_str());
            }
        }
        // What stands before a weight that begins at 0 moves from the second step on; so does the mixture of two lanes that begin as one.
        let waits = |weight: &str| match name.as_str() {
            "excited_hidden" => weight.contains("low") || weight.contains("h_norm"),
            "two_lanes" => weight == "blocks.1.a",
            _ => false,
        };
        assert!(still.iter().all(|weight| waits(weight)), "{name}: {still:?}");
    }
}
