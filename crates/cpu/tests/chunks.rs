//! Programs that go through positions chunk by chunk, against those that do not: where large values are there for a chunk only, and
//! where operands that products share are packed for one.
#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "the interpreter is another test's")]
mod common;

use common::{compiled, designs, draw, rows};
use genesys_cpu::{Executor, Losses, Precision, Program, Shape};
use genesys_interp::Row;
use genesys_ir::module::{IGNORE, Module};
use genesys_ir::{parameter_names, parameters};

/// Room for nothing: every value that may be cut is, into the smallest chunks.
const NONE: usize = 0;

fn program(module: &Module, shape: Shape, room: usize) -> Program {
    let order: Vec<String> = parameter_names(module).into_iter().map(|(name, _)| name).collect();
    Program::chunked(module, shape, Precision::F32, &order, room).unwrap()
}

/// Losses and gradients on so many threads.
fn step(program: Program, module: &Module, shape: Shape, threads: usize) -> (Losses, Vec<f32>) {
    step_on(program, module, &rows(shape, 11), threads)
}

/// The same of those rows.
fn step_on(program: Program, module: &Module, rows: &[Row], threads: usize) -> (Losses, Vec<f32>) {
    let table = parameters(module).unwrap();
    let weights: Vec<f32> = table.iter().enumerate().flat_map(|(i, parameter)| draw(i, parameter)).collect();
    let tokens: Vec<u32> = rows.iter().flat_map(|row| row.tokens.clone()).collect();
    let targets: Vec<u32> = rows.iter().flat_map(|row| row.targets.clone()).collect();
    let mut gradients = vec![f32::NAN; weights.len()];
    let losses = Executor::new(program, threads).step(&weights, &mut gradients, &tokens, &targets);
    (losses, gradients)
}

fn bits((losses, gradients): &(Losses, Vec<f32>)) -> Vec<u32> {
    [losses.loss].iter().chain(&losses.auxiliary).chain(gradients).map(|x| x.to_bits()).collect()
}

/// Sums of products of matrices have the bits that they have without chunks; those of products with few columns, which are summed
/// in another order, are close.
#[test]
fn chunks_of_whole_blocks_give_the_gradients_of_every_design() {
    // A chunk of 256 positions, and one of a row.
    let shape = Shape { rows: 5, context: 64 };
    let (mut cut, mut exact) = (0, Vec::new());
    for (name, text) in [designs("designs"), designs("designs/mechanisms")].concat() {
        let Some(module) = [16, 64].into_iter().find_map(|width| compiled(&name, &text, width).ok()) else {
            panic!("{name} does not compile");
        };
        let backward = genesys_opt::optimize(&genesys_autodiff::differentiate(&module).unwrap());
        let [whole, small] = [usize::MAX, NONE].map(|room| program(&backward, shape, room));
        // What is smaller may be placed a little worse: first fit is no optimum.
        assert!(small.bytes(1) <= whole.bytes(1) / 100 * 101, "{name}: {} and {}", small.bytes(1), whole.bytes(1));
        cut += usize::from(small.bytes(1) < whole.bytes(1));
        let whole = step(whole, &backward, shape, 2);
        let [one, three] = [1, 3].map(|threads| step(small.clone(), &backward, shape, threads));
        assert!(bits(&one) == bits(&three), "{name}: threads matter");
        assert_eq!(one.0, whole.0, "{name}");
        assert!(apart(&whole.1, &one.1) < 1e-5, "{name}: {}", apart(&whole.1, &one.1));
        if bits(&one) == bits(&whole) {
            exact.push(name);
        }
    }
    assert!(cut > 60, "{cut} designs have something to cut");
    assert!(exact.len() > 30 && exact.iter().any(|name| name == "gpt"), "{} designs: {exact:?}", exact.len());
}

/// The root of the mean squared difference, as a part of that of the elements.
fn apart(a: &[f32], b: &[f32]) -> f64 {
    let square = |x: &mut dyn Iterator<Item = f32>| x.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    square(&mut a.iter().zip(b).map(|(a, b)| a - b)) / square(&mut a.iter().copied()).max(1e-30)
}

#[test]
fn rows_of_no_whole_tiles_are_cut_as_well() {
    // Tiles of 64 and 36 positions: chunks of 200, 200 and 164, 136.
    let shape = Shape { rows: 7, context: 100 };
    let (name, text) = designs("designs").into_iter().find(|(name, _)| name == "gpt").unwrap();
    let backward =
        genesys_opt::optimize(&genesys_autodiff::differentiate(&compiled(&name, &text, 16).unwrap()).unwrap());
    let [whole, small] = [usize::MAX, NONE].map(|room| step(program(&backward, shape, room), &backward, shape, 2));
    assert!(apart(&whole.1, &small.1) < 1e-5, "{}", apart(&whole.1, &small.1));
    assert_eq!(whole.0, small.0);
}

/// Logits of 512 positions would be 100 MB, and so would their gradients.
#[test]
fn gradients_of_the_logits_of_a_large_vocabulary_are_there_for_some_positions_only() {
    let (name, text) = designs("designs").into_iter().find(|(name, _)| name == "gpt").unwrap();
    let module = common::compiled_for(&name, &text, 16, 50_257).unwrap();
    let backward = genesys_opt::optimize(&genesys_autodiff::differentiate(&module).unwrap());
    let bytes = |rows: usize| Program::new(&backward, Shape { rows, context: 64 }, Precision::F32).unwrap().bytes(1);
    let logits = |positions: usize| 4 * 50_257 * positions;
    let (few, more) = (bytes(4), bytes(64));
    assert!(more - few < logits(4096 - 256) / 20, "{few} bytes for 256 positions, {more} for 4,096");
    assert!(few < logits(256 + 64) + 4 * 50_257 * 16 * 5, "{few}");
}

/// Queries, keys and values have one input, and so have gate and inner values: it is packed for 1,000 positions, and for 100.
#[test]
fn gradients_of_weights_that_share_an_input_are_the_sums_of_those_of_rows() {
    let shape = Shape { rows: 11, context: 100 };
    let (name, text) = designs("designs").into_iter().find(|(name, _)| name == "gpt").unwrap();
    let backward =
        genesys_opt::optimize(&genesys_autodiff::differentiate(&compiled(&name, &text, 64).unwrap()).unwrap());
    let shared = program(&backward, shape, usize::MAX);
    let packed = |kernel: &genesys_cpu::KernelWork| {
        kernel.kind == "products" && kernel.operations.iter().any(|operation| operation.what == "pack")
    };
    assert!(shared.work(&backward).iter().any(packed), "nothing is shared");
    let all = rows(shape, 11);
    let [one, three] = [1, 3].map(|threads| step_on(shared.clone(), &backward, &all, threads));
    assert!(bits(&one) == bits(&three), "threads matter");
    let counted = |row: &Row| row.targets.iter().filter(|target| **target != IGNORE).count() as f64;
    let total: f64 = all.iter().map(counted).sum();
    let mut sum = vec![0.0; one.1.len()];
    for row in &all {
        let alone = program(&backward, Shape { rows: 1, ..shape }, usize::MAX);
        let (_, gradients) = step_on(alone, &backward, std::slice::from_ref(row), 1);
        sum.iter_mut().zip(gradients).for_each(|(sum, g)| *sum += f64::from(g) * counted(row) / total);
    }
    let sum: Vec<f32> = sum.into_iter().map(|x| x as f32).collect();
    assert!(apart(&sum, &one.1) < 1e-5, "{}", apart(&sum, &one.1));
}
