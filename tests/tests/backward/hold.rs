//! One module: its backward pass in the interpreter against the runtime.

use std::collections::BTreeMap;

use genesys_interp::{Row, run};
use genesys_ir::module::{IGNORE, Module};
use genesys_ladder::Scale;
use genesys_runtime::Model;
use genesys_runtime::candle_core::{DType, Device, Tensor, Var};

/// The largest difference, as a part of the largest element of a gradient.
const EXACT: f64 = 1e-9;

/// What both sides are given.
pub(crate) struct Sample {
    pub(crate) rows: Vec<Row>,
    /// How far weights are moved off the special points that some are drawn at.
    pub(crate) moved: f64,
}

impl Sample {
    /// Two rows of tokens, of which the second predicts less than the first.
    pub(crate) fn drawn(vocabulary: u64, positions: usize) -> Sample {
        let number =
            |i: u64| (genesys_random::unit(genesys_random::at(genesys_random::mix(5), i)) * vocabulary as f64) as u32;
        let tokens = |row: u64| (0..positions as u64).map(|t| number(100 * row + t)).collect::<Vec<u32>>();
        let row = |row: u64| {
            let tokens = tokens(row);
            let predicted = positions - 3 * row as usize;
            let target = |t: usize| if t + 1 < predicted { tokens[t + 1] } else { IGNORE };
            Row { targets: (0..positions).map(target).collect(), tokens }
        };
        Sample { rows: vec![row(0), row(1)], moved: 0.1 }
    }
}

/// The module of a text at a scale.
pub(crate) fn compiled(name: &str, text: &str, scale: &Scale) -> Result<Module, String> {
    let checked = genesys_compiler::check_text(name, text);
    let design = checked.design.ok_or_else(|| format!("{:?}", checked.diagnostics))?;
    genesys_compiler::compile(&design, scale, scale.vocabulary).map_err(|error| error.to_string())
}

/// The backward pass, which is a valid module and has a text.
pub(crate) fn differentiated(module: &Module) -> Result<Module, String> {
    let backward = genesys_autodiff::differentiate(module).map_err(|error| error.to_string())?;
    let text = genesys_ir::print(&backward);
    if let Err(violations) = genesys_ir::validate(&backward) {
        let first: Vec<String> = violations.iter().take(5).map(ToString::to_string).collect();
        return Err(format!("{}\n{text}", first.join("\n")));
    }
    match genesys_ir::parse(&text) {
        Ok(again) if again == backward => Ok(backward),
        Ok(_) => Err(format!("the text gives another module\n{text}")),
        Err(error) => Err(format!("{error}\n{text}")),
    }
}

/// A model in f64, its weights moved by as much as that.
pub(crate) fn model(module: &Module, by: f64) -> Model {
    let model = Model::init(module.clone(), 7, DType::F64, &Device::Cpu).expect("a compiled module runs");
    for (i, parameter) in model.parameters().iter().enumerate() {
        let state = genesys_random::mix(100 + i as u64);
        let moved = |(at, w): (u64, f64)| w + by * (2.0 * genesys_random::unit(genesys_random::at(state, at)) - 1.0);
        set(&parameter.var, (0..).zip(numbers(parameter.var.as_tensor())).map(moved).collect());
    }
    model
}

pub(crate) fn set(var: &Var, data: Vec<f64>) {
    let tensor = Tensor::from_vec(data, var.dims(), &Device::Cpu).expect("as many numbers as before");
    var.set(&tensor).expect("a tensor of its own");
}

pub(crate) fn numbers(x: &Tensor) -> Vec<f64> {
    let flat = x.flatten_all().and_then(|x| x.to_dtype(DType::F64)).expect("a tensor");
    flat.to_vec1().expect("numbers of 64 bits")
}

fn tensor(rows: &[Row], numbers: impl Fn(&Row) -> &Vec<u32>) -> Tensor {
    let all: Vec<u32> = rows.iter().flat_map(|row| numbers(row).clone()).collect();
    Tensor::from_vec(all, (rows.len(), rows[0].tokens.len()), &Device::Cpu).expect("rows of one length")
}

/// Losses and gradients of the backward pass, by the model's weights.
pub(crate) fn interpreted(backward: &Module, model: &Model, rows: &[Row]) -> Result<Vec<Vec<f64>>, String> {
    let weights: BTreeMap<String, Vec<f64>> =
        model.parameters().iter().map(|p| (p.name.clone(), numbers(p.var.as_tensor()))).collect();
    run(backward, rows, &|name| weights.get(name).cloned()).map_err(|error| error.to_string())
}

/// What is trained: the sum of the losses.
pub(crate) fn objective(model: &Model, rows: &[Row]) -> f64 {
    let (tokens, targets) = (tensor(rows, |row| &row.tokens), tensor(rows, |row| &row.targets));
    let losses = model.losses(&tokens, &targets).expect("a compiled module runs");
    numbers(&losses.objective().expect("numbers add up"))[0]
}

/// Where the backward pass gives other losses or gradients than the runtime; an error where the loss is no number.
pub(crate) fn differences(module: &Module, backward: &Module, sample: &Sample) -> Result<Vec<String>, String> {
    let model = model(module, sample.moved);
    let found = interpreted(backward, &model, &sample.rows)?;
    let (tokens, targets) = (tensor(&sample.rows, |row| &row.tokens), tensor(&sample.rows, |row| &row.targets));
    let oracle = model.forward_backward(&tokens, &targets).expect("a compiled module runs");
    let losses = [Some(oracle.losses.loss), oracle.losses.auxiliary];
    let mut expected: Vec<(String, Vec<f64>)> =
        losses.into_iter().flatten().map(|loss| ("loss".to_owned(), numbers(&loss))).collect();
    for (parameter, gradient) in model.parameters().iter().zip(oracle.gradients) {
        let none = || vec![0.0; parameter.shape.iter().product()];
        expected.push((parameter.name.clone(), gradient.as_ref().map_or_else(none, numbers)));
    }
    if !expected[0].1[0].is_finite() {
        return Err("the loss is no number".into());
    }
    if found.len() != expected.len() {
        return Err(format!("{} results, not {}", found.len(), expected.len()));
    }
    let pairs = found.iter().zip(&expected).filter_map(|(found, (name, expected))| difference(name, found, expected));
    Ok(pairs.collect())
}

fn difference(name: &str, found: &[f64], expected: &[f64]) -> Option<String> {
    if found.len() != expected.len() {
        return Some(format!("{name} has {} elements, not {}", found.len(), expected.len()));
    }
    let largest = expected.iter().fold(1e-6, |most: f64, x| most.max(x.abs()));
    // What is no number is apart, too.
    let same = |(a, b): (&f64, &f64)| (a - b).abs() <= EXACT * largest;
    let apart = |(_, pair): &(usize, (&f64, &f64))| !same(*pair);
    let (i, (a, b)) = found.iter().zip(expected).enumerate().find(apart)?;
    Some(format!("{name}[{i}] is {a}, not {b}; the largest is {largest}"))
}
