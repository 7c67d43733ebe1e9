//! Blocks of designs against formulas written out once more in plain loops over f64 that know nothing
//! of the language: outputs, and gradients by differences of the loops.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub, reason = "shared by several test programs")]

use std::collections::BTreeMap;

use genesys_ir::module::{FunctionId, Module};
use genesys_ladder::Scale;
use genesys_runtime::Block;
use genesys_runtime::candle_core::{DType, Device, Tensor, Var};

use super::{close, noise, numbers};

/// The width at the smallest scale.
pub const D: usize = 64;

pub type Weights = BTreeMap<String, Vec<f64>>;
/// A vector at each position.
pub type Rows = Vec<Vec<f64>>;

pub fn module(text: &str) -> Module {
    let checked = genesys_compiler::check_text("seed.gau", text);
    let design = checked.design.unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
    genesys_compiler::compile(&design, &Scale::named("nano").unwrap(), 41).unwrap()
}

/// The first block of a design.
pub fn block(text: &str) -> Block {
    Block::init(&module(text), FunctionId(0), 0, 7, DType::F64, &Device::Cpu).unwrap()
}

pub fn weights(block: &Block) -> Weights {
    block.parameters().iter().map(|p| (p.name.clone(), numbers(p.var.as_tensor()))).collect()
}

/// Outputs, and the gradients of their sum weighted by noise: of the input, then of each weight.
pub fn outputs_and_gradients(block: &Block, positions: usize) -> (Vec<f64>, Vec<(String, Vec<f64>)>) {
    let x = Var::from_tensor(&Tensor::from_vec(noise(positions * D, 11), (1, positions, D), &Device::Cpu).unwrap())
        .unwrap();
    let y = block.run(&x).unwrap();
    let c = Tensor::from_vec(noise(positions * D, 3), (1, positions, D), &Device::Cpu).unwrap();
    let store = (&y * c).unwrap().sum_all().unwrap().backward().unwrap();
    let gradient = |var: &Var| numbers(store.get(var).unwrap());
    let mut gradients = vec![("x".to_string(), gradient(&x))];
    gradients.extend(block.parameters().iter().map(|p| (p.name.clone(), gradient(&p.var))));
    (numbers(&y), gradients)
}

/// Holds a design's first block to a function of weights and input
/// over so many positions.
pub fn agrees(text: &str, positions: usize, formula: impl Fn(&Weights, &[Vec<f64>]) -> Rows) {
    let block = block(text);
    let (found, gradients) = outputs_and_gradients(&block, positions);
    let mut values = weights(&block);
    values.insert("x".to_string(), noise(positions * D, 11));
    let evaluate = |values: &Weights| formula(values, &rows(&values["x"], D)).concat();
    close("outputs", &found, &evaluate(&values), 1e-9);
    let score =
        |values: &Weights| evaluate(values).iter().zip(noise(positions * D, 3)).map(|(y, c)| y * c).sum::<f64>();
    for (name, gradient) in gradients {
        for i in (0..gradient.len()).step_by(gradient.len().div_ceil(4)) {
            let at = |by: f64| {
                let mut values = values.clone();
                values.get_mut(&name).unwrap()[i] += by;
                score(&values)
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            close(&format!("gradient of {name} at {i}"), &[gradient[i]], &[difference], 1e-6);
        }
    }
}

pub fn rows(flat: &[f64], width: usize) -> Rows {
    flat.chunks(width).map(<[f64]>::to_vec).collect()
}

pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A matrix of `[to, from]` times each vector.
pub fn linear(w: &[f64], x: &[Vec<f64>]) -> Rows {
    x.iter().map(|x| w.chunks(x.len()).map(|row| dot(row, x)).collect()).collect()
}

/// `x / sqrt(mean x^2 + 1e-5) * gain`, over pieces as long as the gain.
pub fn rms(gain: &[f64], x: &[f64]) -> Vec<f64> {
    let piece = |x: &[f64]| {
        let scale = (dot(x, x) / x.len() as f64 + 1e-5).sqrt();
        x.iter().zip(gain).map(|(x, g)| x / scale * g).collect::<Vec<f64>>()
    };
    x.chunks(gain.len()).flat_map(piece).collect()
}

pub fn rms_rows(gain: &[f64], x: &[Vec<f64>]) -> Rows {
    x.iter().map(|x| rms(gain, x)).collect()
}

pub fn silu(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}

pub fn zip(a: &[Vec<f64>], b: &[Vec<f64>], f: fn(f64, f64) -> f64) -> Rows {
    a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| f(*a, *b)).collect()).collect()
}

/// Rotates the pairs `(2 i, 2 i + 1)` of each head by `t * 10000^(-2 i / size)`.
pub fn rope(x: &[Vec<f64>], size: usize) -> Rows {
    let turned = |(t, x): (usize, &Vec<f64>)| {
        let pair = |(i, p): (usize, &[f64])| {
            let angle = t as f64 * 10_000f64.powf(-2.0 * (i % (size / 2)) as f64 / size as f64);
            [p[0] * angle.cos() - p[1] * angle.sin(), p[0] * angle.sin() + p[1] * angle.cos()]
        };
        x.chunks(2).enumerate().flat_map(pair).collect()
    };
    x.iter().enumerate().map(turned).collect()
}

/// `down(up x * silu(gate x))`
pub fn swiglu(w: &Weights, x: &[Vec<f64>]) -> Rows {
    let (gate, up) = (linear(&w["swi_glu.gate.weight"], x), linear(&w["swi_glu.up.weight"], x));
    linear(&w["swi_glu.linear.weight"], &zip(&up, &gate, |up, gate| up * silu(gate)))
}
