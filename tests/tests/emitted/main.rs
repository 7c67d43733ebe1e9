//! Emitted source is source: it is kept, laid out as rustfmt does, compiled here, and gives what the runtime gives.
//!
//! Every design that ships has source; those of the table are kept as goldens, which are modules of this test. Both sides
//! have the same variables as weights, so outputs, losses and gradients are held to each other to rounding.

#![allow(clippy::unwrap_used)]

mod table;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use genesys_compiler::{check_text, compile, emit_rust};
use genesys_ir::module::{IGNORE, Module, Op, Region};
use genesys_ladder::Scale;
use genesys_runtime::{Model, on_large_stack};

use table::{ALL, Row};

/// Tokens of the vocabulary: few, so that a loss tells much of each.
const VOCABULARY: u64 = 23;

/// Items, and positions of each.
const ROWS: (usize, usize) = (2, 9);

/// The largest difference, as a part of the largest element.
const EXACT: f64 = 1e-9;

fn designs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../designs")
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/emitted/golden/{name}.rs"))
}

/// The smallest scale, or one of twice its width where the design asks for more.
fn scale_of(design: &genesys_check::CheckedDesign) -> Scale {
    let mut scale = Scale::named("nano").unwrap();
    if design.at_scale(&scale).is_err() {
        scale.width *= 2;
    }
    scale
}

/// The source and the module of a design.
fn emitted(design: &str) -> (String, Module) {
    let path = designs().join(format!("{design}.gau"));
    let text = std::fs::read_to_string(&path).unwrap();
    let checked = check_text(&format!("{design}.gau"), &text);
    let design = checked.design.as_ref().unwrap();
    let scale = scale_of(design);
    let source = emit_rust(&checked, design, &scale, VOCABULARY).unwrap_or_else(|error| panic!("{error}"));
    (source, compile(design, &scale, VOCABULARY).unwrap())
}

/// Every design that ships, by its path below `designs`.
fn every_design() -> Vec<String> {
    let names = |folder: &str| -> Vec<String> {
        let files = std::fs::read_dir(designs().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        let designs = files.filter(|path| path.extension().is_some_and(|e| e == "gau"));
        designs.map(|path| format!("{folder}{}", path.file_stem().unwrap().to_str().unwrap())).collect()
    };
    let mut all = [names(""), names("mechanisms/")].concat();
    all.sort();
    all
}

/// The names of the operations of a module.
fn operations(region: &Region, found: &mut BTreeSet<String>) {
    for instruction in &region.instructions {
        let text = format!("{:?}", instruction.op);
        found.insert(text.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned());
        match &instruction.op {
            Op::Past { body, .. } | Op::Scan { body, .. } | Op::Grad { body, .. } => operations(body, found),
            _ => {}
        }
    }
}

fn operations_of(modules: &[Module]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let functions = modules.iter().flat_map(|module| &module.functions);
    functions.for_each(|function| operations(&function.body, &mut found));
    found
}

#[test]
fn every_design_has_source_and_the_goldens_hold_every_operation_of_them() {
    let modules: Vec<Module> = every_design().iter().map(|design| emitted(design).1).collect();
    let kept: Vec<Module> = ALL.iter().map(|row| emitted(row.design).1).collect();
    assert!(operations_of(&modules).len() > 25);
    let (all, kept) = (operations_of(&modules), operations_of(&kept));
    assert!(all.is_subset(&kept), "no golden has {:?}", all.difference(&kept).collect::<Vec<_>>());
}

#[test]
fn sources_are_the_goldens() {
    for row in ALL {
        let (found, _) = emitted(row.design);
        if std::env::var_os("UPDATE_GOLDENS").is_some() {
            std::fs::write(golden(row.name), &found).unwrap();
        }
        let expected = std::fs::read_to_string(golden(row.name)).unwrap_or_default();
        assert!(found == expected, "{} differs from its golden", row.design);
    }
}

#[test]
fn sources_are_laid_out_as_rustfmt_lays_them_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for design in every_design() {
        let path = folder.path().join(format!("{}.rs", design.replace('/', "_")));
        std::fs::write(&path, emitted(&design).0).unwrap();
        files.push(path);
    }
    let config = "max_width=100,use_small_heuristics=Default";
    let mut rustfmt = Command::new("rustfmt");
    rustfmt.args(["--check", "--edition", "2024", "--color", "never", "--config", config]).args(&files);
    let output = rustfmt.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Weights that no law has made special: none is 0, none equals another.
fn weights(module: &Module) -> BTreeMap<String, Tensor> {
    let model = Model::init(module.clone(), 7, DType::F64, &Device::Cpu).unwrap();
    let moved = |(number, tensor): (usize, &Tensor)| {
        let n = tensor.elem_count();
        let noise: Vec<f64> = (0..n).map(|i| 0.1 * ((i * 37 + number * 11 + 1) as f64).sin()).collect();
        tensor.add(&Tensor::from_vec(noise, tensor.dims(), &Device::Cpu).unwrap()).unwrap()
    };
    let parameters = model.parameters().iter().enumerate();
    parameters.map(|(number, p)| (p.name.clone(), moved((number, p.var.as_tensor())))).collect()
}

/// The largest difference of two tensors, as a part of the largest element of the second.
fn difference(a: &Tensor, b: &Tensor) -> f64 {
    let all = |x: &Tensor| x.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    assert_eq!(a.dims(), b.dims());
    let (a, b) = (all(a), all(b));
    let largest = b.iter().fold(1e-12, |m: f64, x| m.max(x.abs()));
    a.iter().zip(&b).map(|(a, b)| if a == b { 0.0 } else { (a - b).abs() / largest }).fold(0.0, f64::max)
}

fn tokens() -> (Tensor, Tensor) {
    let (rows, length) = ROWS;
    let token = |i: usize| (i * 7 + i * i * 3) as u32 % VOCABULARY as u32;
    let tokens: Vec<u32> = (0..rows * length).map(token).collect();
    let mut targets: Vec<u32> = (0..rows * length).map(|i| token(i + 1)).collect();
    targets[length - 1] = IGNORE;
    let tensor = |data| Tensor::from_vec(data, ROWS, &Device::Cpu).unwrap();
    (tensor(tokens), tensor(targets))
}

#[test]
fn what_units_add_to_the_loss_is_in_the_loss_of_training_alone() {
    let (_, module) = emitted("mechanisms/moe_balance");
    let model = Model::from_weights(module.clone(), weights(&module)).unwrap();
    let shared: HashMap<String, Tensor> =
        model.parameters().iter().map(|p| (p.name.clone(), p.var.as_tensor().clone())).collect();
    let vb = VarBuilder::from_tensors(shared, DType::F64, &Device::Cpu);
    let source = table::moe_balance::MoeBalance::new(vb).unwrap();
    let (tokens, targets) = tokens();
    let expected = model.losses(&tokens, &targets).unwrap();
    let own = source.training_loss(&tokens, &targets).unwrap();
    let objective = expected.objective().unwrap();
    assert!(difference(&own, &objective) < EXACT);
    assert!(difference(&own, &source.loss(&tokens, &targets).unwrap()) > EXACT);
    let (own, objective) = (own.backward().unwrap(), objective.backward().unwrap());
    for parameter in model.parameters() {
        let gradients = [&own, &objective].map(|store| store.get(&parameter.var).unwrap());
        assert!(difference(gradients[0], gradients[1]) < EXACT, "{}", parameter.name);
    }
}

/// How far logits, loss and gradients of the source are from the runtime's, and which is farthest.
fn held(row: &Row) -> (f64, String) {
    let (_, module) = emitted(row.design);
    let model = Model::from_weights(module.clone(), weights(&module)).unwrap();
    let shared: HashMap<String, Tensor> =
        model.parameters().iter().map(|p| (p.name.clone(), p.var.as_tensor().clone())).collect();
    let source = (row.new)(VarBuilder::from_tensors(shared, DType::F64, &Device::Cpu)).unwrap();
    let (tokens, targets) = tokens();
    let (logits, loss) = model.forward_loss(&tokens, &targets).unwrap();
    let mut farthest = (difference(&source.forward(&tokens).unwrap(), &logits), "logits".to_owned());
    let mut see = |distance: f64, what: &str| {
        if distance.is_nan() || distance > farthest.0 {
            farthest = (distance, what.to_owned());
        }
    };
    let own = source.loss(&tokens, &targets).unwrap();
    see(difference(&own, &loss), "the loss");
    let (own, expected) = (own.backward().unwrap(), loss.backward().unwrap());
    for parameter in model.parameters() {
        let gradient = |store: &candle_core::backprop::GradStore, var: &Var| {
            store.get(var).cloned().unwrap_or_else(|| var.zeros_like().unwrap())
        };
        see(difference(&gradient(&own, &parameter.var), &gradient(&expected, &parameter.var)), &parameter.name);
    }
    farthest
}

/// Tokens of which the last of each row stands nowhere else.
fn ending(last: u32) -> Tensor {
    let (rows, length) = ROWS;
    let token = |i: usize| if i % length + 1 == length { last } else { (i * 5 + 1) as u32 % last };
    Tensor::from_vec((0..rows * length).map(token).collect::<Vec<_>>(), ROWS, &Device::Cpu).unwrap()
}

#[test]
fn what_is_no_number_reaches_no_earlier_position() {
    let last = VOCABULARY as u32 - 1;
    let tokens = ending(last);
    for row in ALL {
        let (_, module) = emitted(row.design);
        let mut shared: HashMap<String, Tensor> = weights(&module).into_iter().collect();
        let earlier = |shared: HashMap<String, Tensor>| {
            let source = (row.new)(VarBuilder::from_tensors(shared, DType::F64, &Device::Cpu)).unwrap();
            let logits = source.forward(&tokens).unwrap();
            let seen = logits.narrow(1, 0, ROWS.1 - 1).unwrap().narrow(2, 0, last as usize).unwrap();
            seen.flatten_all().unwrap().to_vec1::<f64>().unwrap()
        };
        let plain = earlier(shared.clone());
        let table = &shared["embedding.weight"];
        let numbers: Vec<f64> = (0..VOCABULARY).map(|i| if i == u64::from(last) { f64::NAN } else { 1.0 }).collect();
        let numbers = Tensor::from_vec(numbers, (VOCABULARY as usize, 1), &Device::Cpu).unwrap();
        let spoiled = table.broadcast_mul(&numbers).unwrap();
        shared.insert("embedding.weight".to_owned(), spoiled);
        assert!(plain.iter().all(|x| x.is_finite()) && earlier(shared) == plain, "{}", row.name);
    }
}

#[test]
fn what_is_no_number_reaches_no_earlier_gradient() {
    let (_, module) = emitted("gpt");
    let shared: HashMap<String, Tensor> = weights(&module).into_iter().collect();
    let vb = VarBuilder::from_tensors(shared, DType::F64, &Device::Cpu);
    let block = table::gpt::Block::new(vb.pp("blocks.0")).unwrap();
    let (rows, length) = ROWS;
    let width = table::gpt::D;
    let gradient = |at_the_end: f64| -> Vec<f64> {
        let at = |i: usize| (i as f64).sin();
        let is_last = |i: usize| i / width % length + 1 == length;
        let x: Vec<f64> = (0..rows * length * width).map(|i| if is_last(i) { at_the_end } else { at(i) }).collect();
        let x = Var::from_vec(x, (rows, length, width), &Device::Cpu).unwrap();
        let earlier = block.forward(x.as_tensor()).unwrap().narrow(1, 0, length - 1).unwrap();
        let store = earlier.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        let earlier = store.get(&x).unwrap().narrow(1, 0, length - 1).unwrap();
        earlier.flatten_all().unwrap().to_vec1().unwrap()
    };
    let (plain, spoiled) = (gradient(1.0), gradient(f64::NAN));
    assert!(plain.iter().all(|x| x.is_finite()));
    let farthest =
        plain.iter().zip(&spoiled).map(|(a, b)| if a == b { 0.0 } else { (a - b).abs() }).fold(0.0, f64::max);
    assert!(farthest < EXACT && spoiled.iter().all(|x| x.is_finite()), "{farthest}");
}

#[test]
fn sources_give_what_the_runtime_gives() {
    let farthest = on_large_stack(|| Ok(ALL.iter().map(|row| (row.name, held(row))).collect::<Vec<_>>())).unwrap();
    let apart: Vec<_> = farthest.iter().filter(|(_, (distance, _))| distance.is_nan() || *distance > EXACT).collect();
    assert!(apart.is_empty(), "{apart:#?}");
}
