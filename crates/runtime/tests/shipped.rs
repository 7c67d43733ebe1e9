//! The shipped designs at the smallest rung: against the step evaluator, to the bit against what
//! comes later, with a gradient for each parameter.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;

use genesys_interp::Interpreter;
use genesys_ir::module::{IGNORE, Module};
use genesys_ladder::Scale;
use genesys_runtime::Model;
use genesys_runtime::candle_core::{DType, Device, Tensor};
use support::{close, noise, numbers};

const VOCABULARY: u64 = 41;

fn designs() -> Vec<(&'static str, Module)> {
    let texts = [
        ("gpt", include_str!("../../../designs/gpt.gau")),
        ("gla", include_str!("../../../designs/gla.gau")),
        ("retnet", include_str!("../../../designs/retnet.gau")),
        ("mamba2", include_str!("../../../designs/mamba2.gau")),
        ("octave", include_str!("../../../designs/octave.gau")),
    ];
    let scale = Scale::named("nano").unwrap();
    let module = |name: &str, text: &str| {
        let design = genesys_compiler::check_text(name, text).design.unwrap();
        genesys_compiler::compile(&design, &scale, VOCABULARY).unwrap()
    };
    texts.into_iter().map(|(name, text)| (name, module(name, text))).collect()
}

fn tokens(n: usize, seed: u64) -> Vec<u32> {
    noise(n, seed).iter().map(|x| (x.abs() * 1e6) as u32 % VOCABULARY as u32).collect()
}

fn rows(data: &[u32], b: usize) -> Tensor {
    Tensor::from_slice(data, (b, data.len() / b), &Device::Cpu).unwrap()
}

#[test]
fn logits_and_loss_are_what_the_step_evaluator_gives() {
    for (name, module) in designs() {
        let model = Model::init(module, 3, DType::F64, &Device::Cpu).unwrap();
        let weights: BTreeMap<String, Vec<f64>> =
            model.parameters().iter().map(|p| (p.name.clone(), numbers(p.var.as_tensor()))).collect();
        let lookup = |name: &str| weights.get(name).cloned();
        for t in [1, 2, 65] {
            let (x, mut y) = (tokens(t, 5), tokens(t, 6));
            y[0] = if t > 1 { IGNORE } else { y[0] };
            let (logits, loss) = model.forward_loss(&rows(&x, 1), &rows(&y, 1)).unwrap();
            let mut interpreter = Interpreter::new(model.module(), &lookup);
            let steps: Vec<_> = x.iter().zip(&y).map(|(x, y)| interpreter.step(*x, *y).unwrap()).collect();
            let expected: Vec<f64> = steps.iter().flat_map(|step| step.logits.clone()).collect();
            close(&format!("{name}: logits at length {t}"), &numbers(&logits), &expected, 1e-9);
            close(&format!("{name}: loss at length {t}"), &numbers(&loss), &[steps[t - 1].loss], 1e-9);
        }
    }
}

#[test]
fn every_parameter_receives_a_gradient() {
    for (name, module) in designs() {
        let model = Model::init(module, 3, DType::F32, &Device::Cpu).unwrap();
        let (x, y) = (tokens(2 * 64, 5), tokens(2 * 64, 6));
        let step = model.forward_backward(&rows(&x, 2), &rows(&y, 2)).unwrap();
        assert_eq!(step.gradients.len(), model.parameters().len());
        for (parameter, gradient) in model.parameters().iter().zip(&step.gradients) {
            let gradient = gradient.as_ref().unwrap_or_else(|| panic!("{name}: {} has none", parameter.name));
            assert_eq!(gradient.dims(), parameter.shape, "{name}: {}", parameter.name);
            let gradient = numbers(gradient);
            assert!(gradient.iter().all(|g| g.is_finite()), "{name}: {}", parameter.name);
            assert!(gradient.iter().any(|g| *g != 0.0), "{name}: {} receives zero", parameter.name);
        }
    }
}

#[test]
fn gradients_of_the_loss_are_its_differences() {
    for (name, module) in designs() {
        let model = Model::init(module, 3, DType::F64, &Device::Cpu).unwrap();
        let (x, y) = (rows(&tokens(2 * 12, 5), 2), rows(&tokens(2 * 12, 6), 2));
        let gradients = model.forward_backward(&x, &y).unwrap().gradients;
        for (parameter, gradient) in model.parameters().iter().zip(gradients) {
            let (gradient, original) = (numbers(&gradient.unwrap()), parameter.var.as_tensor().copy().unwrap());
            let at = |i: usize, by: f64| {
                let mut data = numbers(&original);
                data[i] += by;
                parameter.var.set(&Tensor::from_vec(data, original.dims(), &Device::Cpu).unwrap()).unwrap();
                let loss = numbers(&model.evaluate(&x, &y).unwrap().1)[0];
                parameter.var.set(&original).unwrap();
                loss
            };
            for i in (0..gradient.len()).step_by(gradient.len().div_ceil(3)) {
                let difference = (at(i, 1e-6) - at(i, -1e-6)) / 2e-6;
                close(&format!("{name}: {} at {i}", parameter.name), &[gradient[i]], &[difference], 1e-7);
            }
        }
    }
}

#[test]
fn later_tokens_and_other_rows_change_no_bit() {
    for (name, module) in designs() {
        let model = Model::init(module, 3, DType::F32, &Device::Cpu).unwrap();
        for (t, keep) in [(2, 1), (64, 63), (65, 64), (100, 64)] {
            let x = tokens(2 * t, 5);
            let other: Vec<u32> =
                x.iter().enumerate().map(|(i, x)| if i < keep { *x } else { (x + 7) % VOCABULARY as u32 }).collect();
            let y: Vec<u32> = (0..2 * t).map(|i| if i < keep { x[i] } else { IGNORE }).collect();
            let (a, b) = [&x, &other].map(|x| model.forward_backward(&rows(x, 2), &rows(&y, 2)).unwrap()).into();
            let start = |x: &Tensor| numbers(&x.narrow(0, 0, 1).unwrap().narrow(1, 0, keep).unwrap());
            assert_eq!(start(&a.logits), start(&b.logits), "{name}: logits at {keep} of {t}");
            assert_eq!(numbers(&a.losses.loss), numbers(&b.losses.loss), "{name}: loss at {keep} of {t}");
            for (parameter, (a, b)) in model.parameters().iter().zip(a.gradients.iter().zip(&b.gradients)) {
                let (a, b) = (numbers(a.as_ref().unwrap()), numbers(b.as_ref().unwrap()));
                assert_eq!(a, b, "{name}: gradient of {} at {keep} of {t}", parameter.name);
            }
        }
    }
}

#[test]
fn weights_are_taken_by_name_and_shape() {
    let (_, module) = designs().remove(0);
    let model = Model::init(module.clone(), 3, DType::F32, &Device::Cpu).unwrap();
    let mut weights: BTreeMap<String, Tensor> =
        model.parameters().iter().map(|p| (p.name.clone(), p.var.as_tensor().copy().unwrap())).collect();
    let again = Model::from_weights(module.clone(), weights.clone()).unwrap();
    let x = rows(&tokens(10, 5), 1);
    assert_eq!(numbers(&model.logits(&x).unwrap()), numbers(&again.logits(&x).unwrap()));
    let (name, value) = weights.pop_first().unwrap();
    weights.insert("nobody".to_string(), value);
    let error = Model::from_weights(module, weights).unwrap_err().to_string();
    assert!(error.contains(&format!("`{name}`")) && error.contains("`nobody` is not a weight"), "{error}");
}

#[test]
fn tokens_outside_of_the_vocabulary_are_named() {
    let (_, module) = designs().remove(0);
    let model = Model::init(module, 3, DType::F32, &Device::Cpu).unwrap();
    let error = model.logits(&rows(&[1, VOCABULARY as u32], 1)).unwrap_err().to_string();
    assert_eq!(error, "token 41 is outside the vocabulary, which ends at 40");
    assert!(model.logits(&rows(&[1], 1).squeeze(0).unwrap()).is_err());
    assert!(model.loss(&rows(&[1, 2], 1), &rows(&[1, 2], 2)).is_err());
}
