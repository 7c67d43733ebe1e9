//! Random modules: what designs do not say, and no pass makes. Losses and gradients against the interpreter.
#![allow(clippy::unwrap_used)]

#[path = "../../interp/tests/random/mod.rs"]
mod random;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use genesys_cpu::{CpuError, Executor, Precision, Program, Shape};
use genesys_interp::{Row, run};
use genesys_ir::module::{IGNORE, Module};
use genesys_ir::parameters;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

/// The largest difference, as a part of the largest element.
const CLOSE: f64 = 5e-3;

/// The rows, padded to one length with tokens that do not count.
fn padded() -> Vec<Row> {
    let mut rows = random::rows();
    let context = rows.iter().map(|row| row.tokens.len()).max().unwrap();
    for row in &mut rows {
        row.tokens.resize(context, 0);
        row.targets.resize(context, IGNORE);
    }
    rows
}

/// Whether the program of a backward pass ran, or was refused; or how it is apart.
fn held(backward: &Module) -> Result<bool, String> {
    let infos = parameters(backward).unwrap();
    let drawn: Vec<Vec<f32>> = infos
        .iter()
        .enumerate()
        .map(|(i, info)| random::noise(info.shape.iter().product(), 40 + i as u64).iter().map(|w| *w as f32).collect())
        .collect();
    let exact: BTreeMap<&str, Vec<f64>> = infos
        .iter()
        .zip(&drawn)
        .map(|(info, drawn)| (info.name.as_str(), drawn.iter().map(|w| f64::from(*w)).collect()))
        .collect();
    let rows = padded();
    let expected = run(backward, &rows, &|name| exact.get(name).cloned()).map_err(|error| error.to_string())?;
    let shape = Shape { rows: rows.len(), context: rows[0].tokens.len() };
    let program = match Program::new(backward, shape, Precision::F32) {
        Ok(program) => program,
        Err(CpuError::Unsupported { .. }) => return Ok(false),
        Err(error) => return Err(error.to_string()),
    };
    let tokens: Vec<u32> = rows.iter().flat_map(|row| row.tokens.clone()).collect();
    let targets: Vec<u32> = rows.iter().flat_map(|row| row.targets.clone()).collect();
    let weights = drawn.concat();
    let mut gradients = vec![f32::NAN; weights.len()];
    let losses = Executor::new(program, 2).step(&weights, &mut gradients, &tokens, &targets);
    let mut found: Vec<Vec<f32>> =
        [Some(losses.loss), losses.auxiliary].into_iter().flatten().map(|l| vec![l]).collect();
    let mut rest = gradients.as_slice();
    for drawn in &drawn {
        let (own, behind) = rest.split_at(drawn.len());
        found.push(own.to_vec());
        rest = behind;
    }
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let largest = expected.iter().fold(1e-3, |most: f64, x| most.max(x.abs()));
        let apart = |(a, b): (&f32, &f64)| (f64::from(*a) - b).abs() > CLOSE * largest || a.is_nan() != b.is_nan();
        if found.iter().zip(expected).any(apart) {
            let text = genesys_ir::print(backward);
            return Err(format!("result {i} is {found:?}, not {expected:?}\n{text}"));
        }
    }
    Ok(true)
}

#[test]
fn random_modules_have_the_gradients_of_the_interpreter() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(200);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 256, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let steps = proptest::collection::vec((0usize..=16, 0usize..30, 0usize..30), 1..7);
    let (ran, all) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let outcome = runner.run(&(steps, proptest::bool::ANY, proptest::bool::ANY), |(steps, shared, loss)| {
        let backward = genesys_autodiff::differentiate(&random::module(&steps, shared, loss));
        let backward = backward.map_err(|error| TestCaseError::fail(error.to_string()))?;
        let held = held(&backward).map_err(TestCaseError::fail)?;
        all.fetch_add(1, Ordering::Relaxed);
        ran.fetch_add(usize::from(held), Ordering::Relaxed);
        Ok(())
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    let (ran, all) = (ran.into_inner(), all.into_inner());
    assert!(2 * ran > all, "only {ran} of {all} modules were run");
}

/// A kernel for several results of each element is more than a short convolution, one way and back.
#[test]
fn windows_under_kernels_for_several_results_are_kept_apart() {
    let text = "module Banks

axis D = {4}
axis V = {8}
axis W = {3}
axis M = {2}

fn Block {
  weight bank: [W, D, M] = normal(0.5) @matrix stream 0
  input %0: Seq[D]
  %1: Seq[W, D] = window [W] %0
  %2: [W, D, M] = weight bank
  %3: Seq[W, D, M] = map mul($0, $1) %1, %2
  %4: Seq[D, M] = sum [W] %3
  return %4
}

fn main {
  weight table: [V, D] = normal(0.5) @embedding stream 0
  input %0: Token Seq[]
  input %1: Token Seq[]
  %2: [V, D] = weight table
  %3: Seq[D] = gather [V] %2, %0
  %4: Seq[D, M] = call Block layer 0 path blocks.0 %3
  %5: Seq[D] = sum [M] %4
  %6: Seq[V] = contract [D] %5, %2
  %7: Loss[] = cross_entropy [V] %6, %1
  return %6, %7
}
";
    let backward = genesys_autodiff::differentiate(&genesys_ir::parse(text).unwrap()).unwrap();
    assert_eq!(held(&genesys_opt::optimize(&backward)), Ok(true));
}
