//! Programs that keep less for the way back, against those that keep what they may.
#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "the interpreter is another test's")]
mod common;

use common::{compiled, designs, draw, rows};
use genesys_cpu::{Executor, Losses, Precision, Program, Shape};
use genesys_ir::module::Module;
use genesys_ir::{ParameterInfo, parameter_names};
use genesys_opt::{Recompute, optimize_with};

const SHAPE: Shape = Shape { rows: 3, context: 70 };

/// Losses and gradients, in the order of the model's weights, and the bytes that the program needs.
fn step(module: &Module, order: &[String], weights: &[f32]) -> (Losses, Vec<f32>, usize) {
    let program = Program::ordered(module, SHAPE, Precision::F32, order).unwrap();
    let bytes = program.bytes(1);
    let rows = rows(SHAPE, 11);
    let tokens: Vec<u32> = rows.iter().flat_map(|row| row.tokens.clone()).collect();
    let targets: Vec<u32> = rows.iter().flat_map(|row| row.targets.clone()).collect();
    let mut gradients = vec![f32::NAN; weights.len()];
    let losses = Executor::new(program, 2).step(weights, &mut gradients, &tokens, &targets);
    (losses, gradients, bytes)
}

/// The weights of a model in its order.
fn weights(table: &[ParameterInfo], order: &[String]) -> Vec<f32> {
    let of = |name: &String| {
        let i = table.iter().position(|parameter| parameter.name == *name).unwrap();
        draw(i, &table[i])
    };
    order.iter().flat_map(of).collect()
}

#[test]
fn what_is_computed_again_gives_the_gradients_of_every_design() {
    let mut smaller = 0;
    for (name, text) in [designs("designs"), designs("designs/mechanisms")].concat() {
        let Some(module) = [16, 64].into_iter().find_map(|width| compiled(&name, &text, width).ok()) else {
            panic!("{name} does not compile");
        };
        let order: Vec<String> = parameter_names(&module).into_iter().map(|(name, _)| name).collect();
        let weights = weights(&genesys_ir::parameters(&module).unwrap(), &order);
        let backward = genesys_autodiff::differentiate(&module).unwrap();
        let all = Recompute::ALL.map(|how| step(&optimize_with(&backward, how), &order, &weights));
        let [(losses, gradients, bytes), more @ ..] = &all;
        let size = |x: &mut dyn Iterator<Item = f32>| x.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        for (other, again, _) in more {
            let apart = size(&mut gradients.iter().zip(again).map(|(a, b)| a - b));
            let bound = 1e-3 * size(&mut gradients.iter().copied());
            assert!(apart <= bound && (losses.loss - other.loss).abs() <= 1e-5, "{name}: {apart}, not {bound}");
        }
        smaller += usize::from(more[2].2 < *bytes);
    }
    assert!(smaller > 40, "{smaller} designs need less memory");
}
