//! Backward passes as IR against the gradients of the runtime, which candle derives by itself.
//!
//! A design is compiled and differentiated; the interpreter runs the backward pass in f64 on whole rows, one element at a
//! time, and the runtime the design, also in f64. Losses and the gradient of every weight must be the same. The validator must
//! take every backward pass, and the text form give it back.

mod golden;
#[path = "../soundness/grow.rs"]
#[allow(dead_code, reason = "its draws are used where it belongs, too")]
mod grow;
mod hold;

use std::path::{Path, PathBuf};

use genesys_interp::Row;
use genesys_ir::module::{IGNORE, Module};
use genesys_ladder::Scale;
use hold::{Sample, compiled, differences, differentiated, interpreted, model};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// The designs of a folder, by name.
fn designs(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the root");
    let files = std::fs::read_dir(root.join(folder)).expect("the folder is there");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a readable folder").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "gau"));
    paths.sort();
    assert!(!paths.is_empty(), "no design in {folder}");
    let text = |path: PathBuf| {
        let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        (name, std::fs::read_to_string(&path).expect("a readable file"))
    };
    paths.into_iter().map(text).collect()
}

/// What is wrong with the backward pass of a text, at the first width at which it compiles and its loss is a number.
fn wrong(name: &str, text: &str) -> Vec<String> {
    let mut why = String::new();
    for width in [8, 16, 32, 64] {
        let scale = Scale { width, blocks: 2, vocabulary: 11, ..Scale::named("nano").expect("the first rung") };
        let held = compiled(name, text, &scale).and_then(|module| {
            let (backward, sample) = (differentiated(&module)?, Sample::drawn(11, 9));
            differences(&module, &backward, &sample)
        });
        match held {
            Ok(found) => return found.into_iter().map(|found| format!("{name}: {found}")).collect(),
            Err(error) => why = error,
        }
    }
    vec![format!("{name}: {why}")]
}

fn hold_all(designs: Vec<(String, String)>) {
    let only = std::env::var("GENESYS_DESIGN").ok();
    let asked = designs.into_iter().filter(|(name, _)| only.as_ref().is_none_or(|only| only == name));
    let found: Vec<String> = asked.flat_map(|(name, text)| wrong(&name, &text)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn shipped_designs_have_the_gradients_of_the_oracle() {
    hold_all(designs("designs"));
}

#[test]
fn mechanisms_have_the_gradients_of_the_oracle() {
    hold_all(designs("designs/mechanisms"));
}

/// The backward pass of a text at a small width.
fn small(name: &str, text: &str, width: u64) -> (Module, Module) {
    let scale = Scale { width, blocks: 1, vocabulary: 11, ..Scale::named("nano").expect("the first rung") };
    let module = compiled(name, text, &scale).unwrap_or_else(|why| panic!("{name}: {why}"));
    let backward = differentiated(&module).unwrap_or_else(|why| panic!("{name}: {why}"));
    (module, backward)
}

/// What no loss depends on reaches no gradient, whatever it is: tokens behind the last that counts, and rows of which none
/// does, under an embedding that is no number.
#[test]
fn the_future_and_other_rows_reach_no_gradient() {
    for (name, text) in designs("designs") {
        let (module, backward) = small(&name, &text.replace("tie_embeddings = true", "tie_embeddings = false"), 64);
        let model = model(&module, 0.1);
        let poisoned = 10;
        let table = model.parameters().iter().find(|p| p.name == "embedding.weight").expect("an embedding");
        let mut numbers = hold::numbers(table.var.as_tensor());
        numbers[64 * poisoned..64 * (poisoned + 1)].fill(f64::NAN);
        hold::set(&table.var, numbers);
        let row = |tokens: [u32; 6], targets: [u32; 6]| Row { tokens: tokens.to_vec(), targets: targets.to_vec() };
        let (targets, none) = ([5, 2, IGNORE, 7, IGNORE, IGNORE], [IGNORE; 6]);
        let plain = [row([1, 5, 2, 2, 9, 9], targets), row([3; 6], none)];
        let nan = poisoned as u32;
        let other = [row([1, 5, 2, 2, nan, nan], targets), row([nan; 6], none)];
        let bits = |rows: &[Row]| {
            let found = interpreted(&backward, &model, rows).unwrap_or_else(|why| panic!("{name}: {why}")).concat();
            assert!(found.iter().all(|x| x.is_finite()), "{name}: a gradient is no number");
            found.into_iter().map(f64::to_bits).collect::<Vec<u64>>()
        };
        assert_eq!(bits(&plain), bits(&other), "{name}");
        // What does count reaches it.
        let seen = [row([1, nan, 2, 2, 9, 9], targets), row([3; 6], none)];
        let found = interpreted(&backward, &model, &seen).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(found[0][0].is_nan(), "{name}: a loss that does not feel its tokens");
    }
}

/// Rows that end behind their last token that counts give the gradients of those that are padded.
#[test]
fn ragged_rows_are_padded_rows() {
    for (name, text) in designs("designs") {
        let (module, backward) = small(&name, &text, 64);
        let (model, padded) = (model(&module, 0.1), Sample::drawn(11, 9).rows);
        let mut ragged = padded.clone();
        for row in &mut ragged {
            let length = row.targets.iter().rposition(|target| *target != IGNORE).map_or(0, |last| last + 1);
            row.tokens.truncate(length);
            row.targets.truncate(length);
        }
        assert_ne!(ragged[0].tokens.len(), ragged[1].tokens.len());
        let found = [&padded, &ragged].map(|rows| interpreted(&backward, &model, rows));
        assert_eq!(found[0], found[1], "{name}");
    }
}

/// Where a function has no derivative, what is taken for it is what the runtime takes.
#[test]
fn derivatives_at_kinks_are_those_of_the_oracle() {
    let text = "design Kinks { stack = [Block] }
unit Block(x: Seq[D]) -> Seq[D] {
    param a: [D] = 0
    param b: [D] = 0
    param c: [D] = 0.5
    let steps = sign(a) + floor(a) + round(c) + where(a < b, 2, 3) * c + where(a <= b, 2, 3) * b + stop(c) + c % 0.5
    let bends = 2 * abs(a) + 3 * relu(b) + 5 * max(a, b) + 7 * min(b, a) + 11 * clamp(c, 0.5, 1) + 13 * min(c, 0.5)
    x * (steps + bends + 17 * max[D](a) + 19 * min[D](c) + max[D](abs(b))) + softplus(a) + silu(b)
}";
    let (module, backward) = small("kinks", text, 4);
    let sample = Sample { moved: 0.0, ..Sample::drawn(11, 9) };
    let found = differences(&module, &backward, &sample).unwrap_or_else(|why| panic!("{why}"));
    assert!(found.is_empty(), "{found:?}");
}

/// A `grad` within a scan: its backward pass holds second derivatives, which differences of the loss know nothing of.
#[test]
fn derivatives_within_a_scan_are_derived_again() {
    let all = designs("designs/mechanisms");
    for name in ["ttt_linear", "ttt_mlp", "titans"] {
        let (_, text) = all.iter().find(|(known, _)| known == name).expect("a shipped mechanism");
        assert!(text.contains("grad("), "{name} takes no derivative");
        // Rows of nine tokens hold several chunks.
        let (module, backward) = small(name, &text.replace("C = 16", "C = 4"), 64);
        let (model, rows) = (model(&module, 0.1), Sample::drawn(11, 9).rows);
        let found = interpreted(&backward, &model, &rows).expect("a backward pass runs");
        let losses = found.len() - model.parameters().len();
        for (parameter, gradient) in model.parameters().iter().zip(&found[losses..]) {
            let original = hold::numbers(parameter.var.as_tensor());
            for i in (0..original.len()).step_by(original.len().div_ceil(2)) {
                let at = |by: f64| {
                    let mut moved = original.clone();
                    moved[i] += by;
                    hold::set(&parameter.var, moved);
                    hold::objective(&model, &rows)
                };
                let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
                hold::set(&parameter.var, original.clone());
                let apart = (gradient[i] - difference).abs();
                assert!(apart < 1e-7, "{name}: {}[{i}] is {}, not {difference}", parameter.name, gradient[i]);
            }
        }
    }
}

/// Random programs, which the checker alone judges, have the gradients of the oracle.
#[test]
fn random_programs_have_the_gradients_of_the_oracle() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 32, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let held = std::cell::Cell::new(0);
    let result = runner.run(&(any::<u64>(), 4usize..12), |(seed, size)| {
        let text = grow::grow(seed, size).text;
        let scale = Scale { width: 4, blocks: 2, vocabulary: 5, ..Scale::named("nano").expect("the first rung") };
        let module = compiled("random", &text, &scale).map_err(TestCaseError::fail)?;
        let backward = differentiated(&module).map_err(|why| TestCaseError::fail(format!("{why} in\n{text}")))?;
        // A loss that is no number has no gradient to hold.
        let Ok(found) = differences(&module, &backward, &Sample::drawn(5, 7)) else { return Ok(()) };
        held.set(held.get() + 1);
        prop_assert!(found.is_empty(), "{found:?} in\n{text}");
        Ok(())
    });
    assert!(result.is_ok(), "{result:?}");
    assert!(held.get() * 10 > cases * 9, "only {} of {cases} programs have a loss", held.get());
}
