//! Backward passes of random modules against differences of their losses.
#![allow(clippy::unwrap_used)]

mod random;

use std::collections::BTreeMap;

use genesys_autodiff::differentiate;
use genesys_interp::run;
use genesys_ir::module::Module;
use genesys_ir::{parameters, parse, print, validate};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use random::{module, noise, rows};

type Weights = BTreeMap<String, Vec<f64>>;

/// The sum of the losses.
fn objective(module: &Module, weights: &Weights) -> f64 {
    let results = run(module, &rows(), &|name| weights.get(name).cloned()).unwrap();
    results[1..].iter().map(|loss| loss[0]).sum()
}

/// Holds the gradients of a module to differences; gives the largest.
fn holds(module: &Module) -> f64 {
    assert_eq!(validate(module), Ok(()));
    let backward = differentiate(module).unwrap();
    let text = print(&backward);
    assert_eq!(validate(&backward), Ok(()), "{text}");
    assert_eq!(parse(&text).unwrap(), backward);
    let infos = parameters(module).unwrap();
    let drawn = |(i, info): (usize, &genesys_ir::ParameterInfo)| {
        (info.name.clone(), noise(info.shape.iter().product(), 40 + i as u64))
    };
    let mut weights: Weights = infos.iter().enumerate().map(drawn).collect();
    let results = run(&backward, &rows(), &|name| weights.get(name).cloned()).unwrap();
    let losses = module.main().body.results.len() - 1;
    let loss: f64 = results[..losses].iter().map(|loss| loss[0]).sum();
    assert!((loss - objective(module, &weights)).abs() < 1e-12, "{text}");
    let mut largest: f64 = 0.0;
    for (info, gradient) in infos.iter().zip(&results[losses..]) {
        let count = gradient.len();
        assert_eq!(count, weights[&info.name].len());
        for i in (0..count).step_by(count.div_ceil(4)) {
            let mut at = |by: f64| {
                let before = weights[&info.name][i];
                weights.get_mut(&info.name).unwrap()[i] = before + by;
                let value = objective(module, &weights);
                weights.get_mut(&info.name).unwrap()[i] = before;
                value
            };
            let found = gradient[i];
            let mut difference = |h: f64| (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
            // Where a choice lies that close, the next difference is taken closer.
            let near = |(h, tolerance): (f64, f64)| {
                let expected = difference(h);
                ((found - expected).abs() > tolerance * (1.0 + expected.abs())).then_some(expected)
            };
            let apart: Option<Vec<f64>> = [(1e-4, 1e-7), (1e-5, 1e-6), (1e-7, 1e-4)].map(near).into_iter().collect();
            largest = largest.max(found.abs());
            assert!(apart.is_none(), "{}[{i}]: {found}, not {apart:?}, of\n{}\n{text}", info.name, print(module));
        }
    }
    largest
}
/// Each operation by itself, in all its forms.
#[test]
fn every_operation_has_its_adjoint() {
    for kind in 0..=16 {
        for (left, right) in [(0, 0), (1, 1), (2, 0), (3, 1), (4, 0), (5, 1), (7, 1), (6, 0)] {
            let module = module(&[(1, 1, 0), (1, 0, 1), (kind, left, right)], left.is_multiple_of(2), right == 0);
            assert!(holds(&module) > 1e-3, "operation {kind} in the form {left}, {right}");
        }
    }
}

#[test]
fn random_modules_have_their_gradients() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(40);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 32, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let steps = proptest::collection::vec((0usize..=16, 0usize..30, 0usize..30), 1..7);
    let outcome = runner.run(&(steps, proptest::bool::ANY, proptest::bool::ANY), |(steps, shared, loss)| {
        assert!(holds(&module(&steps, shared, loss)) > 1e-6, "nothing is learned");
        Ok(())
    });
    assert!(outcome.is_ok(), "{outcome:?}");
}
