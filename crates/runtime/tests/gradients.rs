//! Gradients against central differences in f64, of every operation.
#![allow(clippy::unwrap_used)]

mod support;

use genesys_ir::module::Module;
use genesys_runtime::candle_core::{DType, Tensor, Var};
use support::{block, close, designs, noise, numbers, tensor, width};

const STEP: f64 = 1e-6;

/// `sum(c * f(x))` for fixed noise `c`, as a tensor.
fn score(block: &genesys_runtime::Block, x: &Tensor) -> Tensor {
    let y = block.run(x).unwrap();
    let c = Tensor::from_vec(noise(y.elem_count(), 3), y.dims(), y.device()).unwrap();
    (y * c).unwrap().sum_all().unwrap()
}

/// Central differences of the score in a few elements of a variable.
fn differences(block: &genesys_runtime::Block, x: &Tensor, var: &Var, picks: &[usize]) -> Vec<f64> {
    let original = var.as_tensor().copy().unwrap();
    let at = |i: usize, by: f64| {
        let mut data = numbers(&original);
        data[i] += by;
        var.set(&Tensor::from_vec(data, original.dims(), original.device()).unwrap()).unwrap();
        let value = score(block, x).to_scalar::<f64>().unwrap();
        var.set(&original).unwrap();
        value
    };
    picks.iter().map(|i| (at(*i, STEP) - at(*i, -STEP)) / (2.0 * STEP)).collect()
}

fn check(name: &str, module: &Module) {
    let (block, d) = (block(module, DType::F64), width(module));
    let (b, t) = (2, 9);
    let x = Var::from_tensor(&tensor(&noise(b * t * d, 11), (b, t, d), DType::F64)).unwrap();
    let store = score(&block, &x).backward().unwrap();
    let mut vars = vec![("x".to_string(), x.clone())];
    vars.extend(block.parameters().iter().map(|p| (p.name.clone(), p.var.clone())));
    for (path, var) in vars {
        let n = var.elem_count();
        let picks: Vec<usize> = (0..n).step_by(n.div_ceil(8)).collect();
        let gradient = store.get(&var).unwrap_or_else(|| panic!("{name}: {path} has no gradient"));
        let gradient = numbers(gradient);
        let got: Vec<f64> = picks.iter().map(|i| gradient[*i]).collect();
        close(&format!("{name}: gradient of {path}"), &got, &differences(&block, &x, &var, &picks), 2e-6);
    }
}

#[test]
fn gradients_are_derivatives() {
    for (name, module, _) in designs::all() {
        check(name, &module);
    }
}
