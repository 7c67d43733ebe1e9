//! Every unit of every shipped design and mechanism, and the whole models: outputs and gradients against the runtime.
//!
//! Both have the same weights, moved off what they begin with; the runtime computes in f64. The sum of what is given, each element with a random
//! factor, is differentiated by candle: by the input of a unit, and by each weight.
#![allow(clippy::unwrap_used)]

mod common;

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::Module as _;
use common::{apart, compiled, designs, noise, variable};
use genesys_ir::module::{Dtype, FunctionId, Module};
use genesys_layer::{Compiled, Options};
use genesys_runtime::{Block, Model, Parameter, on_large_stack};

/// How far outputs may be apart, the gradients of inputs, and those of all weights together.
const CLOSE: f64 = 1e-3;

/// How far the gradient of a weight may be apart: a small one beside large ones is a difference of these.
const EACH: f64 = 1e-2;

fn double(x: &Tensor) -> Tensor {
    x.detach().to_dtype(DType::F64).unwrap()
}

fn single(x: &Tensor) -> Tensor {
    x.detach().to_dtype(DType::F32).unwrap()
}

/// The weights as one tensor, after each was moved a little.
fn moved(parameters: &[Parameter]) -> Tensor {
    let mut all = Vec::new();
    for (i, parameter) in parameters.iter().enumerate() {
        let noise = (noise(100 + i as u64, &parameter.shape) * 0.1).unwrap();
        let weight = (single(&parameter.var) + noise).unwrap();
        parameter.var.set(&double(&weight)).unwrap();
        all.push(weight.flatten_all().unwrap());
    }
    if all.is_empty() { Tensor::zeros(0, DType::F32, &Device::Cpu).unwrap() } else { Tensor::cat(&all, 0).unwrap() }
}

/// What is differentiated.
fn objective(y: &Tensor, loss: Option<&Tensor>) -> Result<Tensor> {
    let sum = (y * noise(7, y.dims()).to_dtype(y.dtype())?)?.sum_all()?;
    loss.map_or(Ok(sum.clone()), |loss| sum + (loss * 3.0)?)
}

/// What is wrong with the gradients of weights.
fn weights(own: &GradStore, flat: &Tensor, compiled: &Compiled, theirs: &GradStore, all: &[Parameter]) -> Vec<String> {
    assert_eq!(compiled.weights().len(), all.len());
    let (mut found, mut exact) = (Vec::new(), Vec::new());
    let flat = own.get(flat).unwrap();
    for (weight, parameter) in compiled.weights().iter().zip(all) {
        assert_eq!((&weight.name, &weight.shape), (&parameter.name, &parameter.shape));
        let zeros = parameter.var.zeros_like().unwrap();
        let expected = theirs.get(&parameter.var).unwrap_or(&zeros);
        let own = flat.narrow(0, weight.start, weight.elements()).unwrap();
        exact.push(single(expected).flatten_all().unwrap());
        let apart = apart(&own, &exact[exact.len() - 1]);
        if apart.is_nan() || apart > EACH {
            found.push(format!("the gradient of {} is {apart:.1e} off", weight.name));
        }
    }
    let apart = if exact.is_empty() { 0.0 } else { apart(flat, &Tensor::cat(&exact, 0).unwrap()) };
    if apart.is_nan() || apart > CLOSE {
        found.push(format!("all gradients together are {apart:.1e} off"));
    }
    found
}

fn block(module: &Module, unit: &str, number: u32) -> Vec<String> {
    let layer = Compiled::block(module, unit, 1, Options::default()).unwrap();
    let block = Block::init(module, FunctionId(number), 1, 3, DType::F64, &Device::Cpu).unwrap();
    let flat = variable(&moved(block.parameters()));
    let x = variable(&noise(1, &[2, 19, 64]));
    let (y, loss) = layer.layer(flat.as_tensor().clone()).unwrap().forward_with_loss(&x).unwrap();
    let own = objective(&y, loss.as_ref()).unwrap().backward().unwrap();
    let exact = variable(&double(&x));
    let (expected, expected_loss) = block.run_with_loss(&exact).unwrap();
    let theirs = objective(&expected, expected_loss.as_ref()).unwrap().backward().unwrap();
    let mut found = weights(&own, &flat, &layer, &theirs, block.parameters());
    assert_eq!(loss.is_some(), expected_loss.is_some());
    let pairs =
        [(&y, Some(&expected), "what it gives"), (own.get(&x).unwrap(), theirs.get(&exact), "the gradient of x")];
    for (own, theirs, what) in pairs.into_iter().chain(loss.as_ref().map(|loss| (loss, expected_loss.as_ref(), "loss")))
    {
        let apart = apart(own, &theirs.map_or_else(|| own.zeros_like().unwrap(), single));
        if apart.is_nan() || apart > CLOSE {
            found.push(format!("{what} is {apart:.1e} off"));
        }
    }
    found
}

fn model(module: &Module) -> Vec<String> {
    let layer = Compiled::model(module, Options::default()).unwrap();
    let model = Model::init(module.clone(), 3, DType::F64, &Device::Cpu).unwrap();
    let flat = variable(&moved(model.parameters()));
    let tokens: Vec<u32> = (0..2 * 13).map(|i| (i * i + i / 3) % 11).collect();
    let tokens = Tensor::from_vec(tokens, (2, 13), &Device::Cpu).unwrap();
    let (logits, auxiliary) = layer.layer(flat.as_tensor().clone()).unwrap().forward_with_loss(&tokens).unwrap();
    let own = objective(&logits, auxiliary.as_ref()).unwrap().backward().unwrap();
    let targets = tokens.zeros_like().unwrap();
    let expected = model.logits(&tokens).unwrap();
    let losses = model.losses(&tokens, &targets).unwrap();
    let theirs = objective(&expected, losses.auxiliary.as_ref()).unwrap().backward().unwrap();
    let mut found = weights(&own, &flat, &layer, &theirs, model.parameters());
    let apart = apart(&logits, &single(&expected));
    if apart.is_nan() || apart > CLOSE {
        found.push(format!("the scores are {apart:.1e} off"));
    }
    found
}

/// Both for all designs of a folder; gives how many units and models there were.
fn hold(folder: &str) -> (usize, usize) {
    let (mut wrongs, mut blocks, mut models) = (Vec::new(), 0, 0);
    for (name, text) in designs(folder) {
        let module = compiled(&name, &text);
        for (number, function) in (0..).zip(&module.functions[..module.functions.len() - 1]) {
            let real = function.inputs.iter().filter(|id| function.ty(**id).dtype == Dtype::Real).count();
            let given = function.body.results.len() - (function.inputs.len() - real);
            if (real, given) != (1, 1) {
                let refused = Compiled::block(&module, &function.name, 0, Options::default()).unwrap_err().to_string();
                assert!(refused.contains("maps one sequence to one"), "{refused}");
                continue;
            }
            blocks += 1;
            let found = on_large_stack(|| Ok(block(&module, &function.name, number))).unwrap();
            wrongs.extend(found.into_iter().map(|wrong| format!("{name}, {}: {wrong}", function.name)));
        }
        models += 1;
        let found = on_large_stack(|| Ok(model(&module))).unwrap();
        wrongs.extend(found.into_iter().map(|wrong| format!("{name}: {wrong}")));
    }
    assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
    (blocks, models)
}

#[test]
fn units_and_models_of_the_shipped_designs_compute_what_the_runtime_does() {
    let (blocks, models) = hold("designs");
    assert!(blocks >= 10 && models >= 5, "{blocks} units, {models} models");
}

#[test]
fn units_and_models_of_the_mechanisms_compute_what_the_runtime_does() {
    let (blocks, models) = hold("designs/mechanisms");
    assert!(blocks >= 100 && models >= 60, "{blocks} units, {models} models");
}

/// What units add to the training loss is given where it is asked for, and takes no part where it is not.
#[test]
fn a_loss_of_a_unit_is_given_apart() {
    let (name, text) = designs("designs/mechanisms").into_iter().find(|(name, _)| name == "moe_balance").unwrap();
    let layer = Compiled::block(&compiled(&name, &text), "Block", 0, Options::default()).unwrap();
    let flat = variable(&layer.draw(1).unwrap());
    let x = noise(1, &[2, 5, 64]);
    let layer = layer.layer(flat.as_tensor().clone()).unwrap();
    let (y, loss) = layer.forward_with_loss(&x).unwrap();
    let alone = layer.forward(&x).unwrap();
    assert_eq!(common::numbers(&y), common::numbers(&alone));
    let gradient = |of: &Tensor| of.sum_all().unwrap().backward().unwrap().get(&flat).cloned().unwrap();
    assert_eq!(common::numbers(&gradient(&y)), common::numbers(&gradient(&alone)));
    assert!(common::numbers(&gradient(&loss.unwrap())).iter().any(|g| *g != 0.0));
}
