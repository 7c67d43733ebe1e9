//! One module: what the interpreter makes of it before and behind the passes.

use std::collections::BTreeMap;

use genesys_interp::{Row, run};
use genesys_ir::module::Module;
use genesys_ir::{parameters, parse, print, validate};
use genesys_opt::{PASSES, Recompute, optimize_with, recompute};
use genesys_scalar::Role;

/// The largest difference, as a part of the largest element of a result.
const EXACT: f64 = 1e-9;

/// Weights by name.
pub(crate) type Weights = BTreeMap<String, Vec<f64>>;

/// Weights of a model: matrices of both signs, up to that size, all else above 0.
fn drawn(module: &Module, size: f64) -> Weights {
    let infos = parameters(module).expect("a specialized module");
    let named = |(i, info): (usize, &genesys_ir::ParameterInfo)| {
        let state = genesys_random::mix(40 + i as u64);
        let number = |at: u64| match info.role {
            Role::Matrix | Role::Embedding => size * (2.0 * genesys_random::unit(genesys_random::at(state, at)) - 1.0),
            _ => 0.1 + 0.8 * genesys_random::unit(genesys_random::at(state, at)),
        };
        (info.name.clone(), (0..info.shape.iter().product::<usize>() as u64).map(number).collect())
    };
    infos.iter().enumerate().map(named).collect()
}

/// The results of a module.
fn results(module: &Module, rows: &[Row], weights: &Weights) -> Result<Vec<Vec<f64>>, String> {
    run(module, rows, &|name| weights.get(name).cloned()).map_err(|error| error.to_string())
}

/// The results of a module, all of them numbers.
fn numbers(module: &Module, rows: &[Row], weights: &Weights) -> Result<Vec<Vec<f64>>, String> {
    let found = results(module, rows, weights)?;
    let finite = found.iter().flatten().all(|x| x.is_finite());
    if finite { Ok(found) } else { Err("a result is no number".into()) }
}

/// Weights of a model of which the module makes numbers: the model, or its backward pass.
pub(crate) fn weights_for(module: &Module, model: &Module, rows: &[Row]) -> Result<Weights, String> {
    let mut found = Err("no weights were tried".into());
    for size in [0.5, 0.1] {
        let weights = drawn(model, size);
        found = numbers(module, rows, &weights).map(|_| weights);
        if found.is_ok() {
            break;
        }
    }
    found
}

/// Whether another module gives what one gives.
pub(crate) fn alike(module: &Module, other: &Module, rows: &[Row], weights: &Weights) -> Result<(), String> {
    same(&results(other, rows, weights)?, &numbers(module, rows, weights)?)
}

/// Where the passes change what a module gives; the name of the first that does comes with it.
pub(crate) fn differences(module: &Module, rows: &[Row], weights: &Weights) -> Result<(), String> {
    let expected = numbers(module, rows, weights)?;
    let mut last = None;
    for how in Recompute::ALL {
        let optimized = optimize_with(module, how);
        if last.as_ref() != Some(&optimized) {
            sound(&optimized)?;
            if let Err(why) = same(&results(&optimized, rows, weights)?, &expected) {
                return Err(blamed(module, how, rows, weights, &expected).unwrap_or(why));
            }
        }
        last = Some(optimized);
    }
    Ok(())
}

/// A pass by its name.
type Named<'a> = (&'a str, &'a dyn Fn(&mut Module));

/// The first pass that changes what a module gives.
fn blamed(module: &Module, how: Recompute, rows: &[Row], weights: &Weights, expected: &[Vec<f64>]) -> Option<String> {
    let again = move |module: &mut Module| recompute(module, how);
    let mut stage = module.clone();
    for (name, pass) in PASSES {
        let also: [Named<'_>; 2] = [(name, &pass), ("recompute", &again)];
        for (name, pass) in also.into_iter().take(if name == "remat" { 2 } else { 1 }) {
            let before = print(&stage);
            pass(&mut stage);
            if let Err(why) = results(&stage, rows, weights).and_then(|found| same(&found, expected)) {
                return Some(format!("behind `{name}`, {how:?}, {why}\n{before}\nbecomes\n{}", print(&stage)));
            }
        }
    }
    None
}

/// Whether a module keeps the rules and has a text.
fn sound(module: &Module) -> Result<(), String> {
    let text = print(module);
    validate(module).map_err(|violations| format!("{}\n{text}", violations[0]))?;
    let again = parse(&text).map_err(|error| format!("{error}\n{text}"))?;
    if again == *module { Ok(()) } else { Err(format!("the text gives another module\n{text}")) }
}

fn same(found: &[Vec<f64>], expected: &[Vec<f64>]) -> Result<(), String> {
    if found.iter().map(Vec::len).ne(expected.iter().map(Vec::len)) {
        return Err("there are other results, or of other sizes".into());
    }
    for (which, (found, expected)) in found.iter().zip(expected).enumerate() {
        let largest = expected.iter().fold(1e-6, |most: f64, x| most.max(x.abs()));
        // What is no number is apart, too.
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= EXACT * largest;
        if let Some(i) = found.iter().zip(expected).position(|pair| !near(pair)) {
            return Err(format!("result {which}[{i}] is {}, not {}; the largest is {largest}", found[i], expected[i]));
        }
    }
    Ok(())
}
