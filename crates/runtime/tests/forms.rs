//! The two forms of one recurrence, as a scan and as attention, against each other: outputs and
//! gradients.
#![allow(clippy::unwrap_used)]

mod support;

use genesys_ir::module::{FunctionId, Module};
use genesys_ladder::Scale;
use genesys_runtime::Block;
use genesys_runtime::candle_core::{DType, Device, Tensor, Var};
use support::{close, noise, numbers};

const RETNET: &str = include_str!("../../../designs/retnet.gau");
const MAMBA2: &str = include_str!("../../../designs/mamba2.gau");

/// The positions of a row.
const T: usize = 7;
/// The width at the smallest scale.
const D: usize = 64;

fn module(text: &str) -> Module {
    let checked = genesys_compiler::check_text("seed.gau", text);
    let design = checked.design.unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
    genesys_compiler::compile(&design, &Scale::named("nano").unwrap(), 41).unwrap()
}

/// The first block of a design.
fn block(text: &str) -> Block {
    Block::init(&module(text), FunctionId(0), 0, 7, DType::F64, &Device::Cpu).unwrap()
}

/// Outputs, and the gradients of their sum weighted by noise: of the input, then of each weight.
fn outputs_and_gradients(block: &Block, positions: usize) -> (Vec<f64>, Vec<(String, Vec<f64>)>) {
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

/// The same design with its scan written as a look at the past, under the same weights.
fn same_in_both_forms(text: &str, read: &str) {
    let start = text.find("scan S").unwrap();
    let end = start + text[start..].find("}\n").unwrap();
    let (scan, attention) = (block(text), block(&format!("{}{read}{}", &text[..start], &text[end + 1..])));
    for (one, other) in scan.parameters().iter().zip(attention.parameters()) {
        assert_eq!((&one.name, &one.shape), (&other.name, &other.shape));
        other.var.set(one.var.as_tensor()).unwrap();
    }
    let (scan, attention) = (outputs_and_gradients(&scan, T), outputs_and_gradients(&attention, T));
    close("outputs", &scan.0, &attention.0, 1e-9);
    for ((name, a), (_, b)) in scan.1.iter().zip(&attention.1) {
        close(&format!("gradient of {name}"), a, b, 1e-9);
    }
}

#[test]
fn retention_is_attention_with_a_decay_by_age() {
    same_in_both_forms(RETNET, "sum[Past](dot[K](q, past(k)) * gamma ^ age[Past] * past(v))");
}

#[test]
fn a_selective_state_is_attention_that_forgets() {
    let decay = "exp(after[Past](past(-exp(a) * dt)))";
    same_in_both_forms(MAMBA2, &format!("sum[Past](dot[N](c, past(b)) * {decay} * past(dt * u))"));
}
