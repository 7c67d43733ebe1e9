//! Optimized modules against what they were made from, both in the interpreter, in f64 and one element at a time.

mod hold;
#[path = "../../../crates/interp/tests/random/mod.rs"]
mod random;

use std::path::{Path, PathBuf};

use genesys_autodiff::differentiate;
use genesys_interp::Row;
use genesys_ir::module::{IGNORE, Module};
use genesys_ladder::Scale;
use hold::{Weights, alike, differences, weights_for};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// The files of a folder with an ending, by name.
fn texts(folder: &str, ending: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the root");
    let files = std::fs::read_dir(root.join(folder)).expect("the folder is there");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a readable folder").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|own| own == ending));
    paths.sort();
    assert!(!paths.is_empty(), "no text in {folder}");
    let text = |path: PathBuf| {
        let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        (name, std::fs::read_to_string(&path).expect("a readable file"))
    };
    paths.into_iter().map(text).collect()
}

/// The module of a text at a width.
fn compiled(name: &str, text: &str, width: u64) -> Result<Module, String> {
    let checked = genesys_compiler::check_text(name, text);
    let design = checked.design.ok_or_else(|| format!("{:?}", checked.diagnostics))?;
    let scale = Scale { width, blocks: 2, vocabulary: 11, ..Scale::named("nano").expect("the first rung") };
    genesys_compiler::compile(&design, &scale, scale.vocabulary).map_err(|error| error.to_string())
}

/// Two rows that hold a few chunks, of which the second predicts less than the first.
fn sample() -> Vec<Row> {
    let row = |row: usize| {
        let tokens: Vec<u32> = (0..6).map(|t| ((5 * t + 3 * row + t * t) % 11) as u32).collect();
        let target = |t: usize| if t + 1 + 2 * row < 6 { tokens[t + 1] } else { IGNORE };
        Row { targets: (0..6).map(target).collect(), tokens }
    };
    vec![row(0), row(1)]
}

/// Holds a design and its backward pass at the first width at which they give numbers.
fn held(name: &str, text: &str) -> Result<(), String> {
    let mut found = Err("no width was tried".to_owned());
    for width in [8, 16, 32, 64] {
        found = at(name, text, width);
        if found.is_ok() {
            break;
        }
    }
    let (module, backward, weights) = found?;
    differences(&module, &sample(), &weights)?;
    differences(&backward, &sample(), &weights)
}

/// A design at a width, its backward pass, and weights for both.
fn at(name: &str, text: &str, width: u64) -> Result<(Module, Module, Weights), String> {
    let module = compiled(name, text, width)?;
    let backward = differentiate(&module).map_err(|error| error.to_string())?;
    let weights = weights_for(&backward, &module, &sample())?;
    Ok((module, backward, weights))
}

fn hold_all(texts: Vec<(String, String)>) {
    let only = std::env::var("GENESYS_DESIGN").ok();
    let asked = texts.into_iter().filter(|(name, _)| only.as_ref().is_none_or(|only| only == name));
    let found: Vec<String> =
        asked.filter_map(|(name, text)| Some(format!("{name}: {}", held(&name, &text).err()?))).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn shipped_designs_mean_the_same() {
    hold_all(texts("designs", "gau"));
}

#[test]
fn mechanisms_mean_the_same() {
    hold_all(texts("designs/mechanisms", "gau"));
}

/// Chunks of scans are shorter than the rows here.
#[test]
fn scans_in_chunks_mean_the_same() {
    let all = texts("designs/mechanisms", "gau");
    let chunked: Vec<_> = all.into_iter().filter(|(_, text)| text.contains("C = 16")).collect();
    assert!(!chunked.is_empty());
    hold_all(chunked.into_iter().map(|(name, text)| (name, text.replace("C = 16", "C = 2"))).collect());
}

/// The modules that show what each pass does, and what it makes of them.
#[test]
fn goldens_mean_the_same() {
    for pass in ["fold", "hoist", "share", "remat", "recompute", "sink", "fuse"] {
        for (name, text) in texts(&format!("crates/opt/tests/golden/{pass}"), "ir") {
            let (before, behind) = text.split_once("\n==== becomes ====\n").expect("a golden has two halves");
            let [before, behind] = [before, behind].map(|text| genesys_ir::parse(text).expect("a golden is a module"));
            let held = weights_for(&before, &before, &random::rows())
                .and_then(|weights| alike(&before, &behind, &random::rows(), &weights));
            assert_eq!(held, Ok(()), "{pass}: {name}");
        }
    }
}

#[test]
fn random_modules_mean_the_same() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(100);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 64, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let steps = proptest::collection::vec((0usize..=16, 0usize..30, 0usize..30), 1..7);
    let outcome = runner.run(&(steps, proptest::bool::ANY, proptest::bool::ANY), |(steps, shared, loss)| {
        let module = random::module(&steps, shared, loss);
        let infos = genesys_ir::parameters(&module).expect("a specialized module");
        let drawn = |(i, info): (usize, genesys_ir::ParameterInfo)| {
            (info.name, random::noise(info.shape.iter().product(), 40 + i as u64))
        };
        let weights: Weights = infos.into_iter().enumerate().map(drawn).collect();
        let backward = differentiate(&module).expect("every operation has an adjoint");
        for module in [&module, &backward] {
            differences(module, &random::rows(), &weights).map_err(proptest::test_runner::TestCaseError::fail)?;
        }
        Ok(())
    });
    assert!(outcome.is_ok(), "{outcome:?}");
}
