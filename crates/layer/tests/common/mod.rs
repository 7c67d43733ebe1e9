//! Designs, random tensors, and how far two tensors are apart.
#![allow(clippy::unwrap_used, dead_code, reason = "shared by several test programs")]

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor, Var};
use genesys_ir::module::Module;
use genesys_ladder::Scale;

/// The designs of a folder: name and text.
pub(crate) fn designs(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(root.join(folder)).unwrap().map(|f| f.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "gau"));
    paths.sort();
    let text = |path: PathBuf| {
        (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap())
    };
    paths.into_iter().map(text).collect()
}

/// The design at `nano`, over eleven tokens.
pub(crate) fn compiled(name: &str, text: &str) -> Module {
    let scale = Scale { vocabulary: 11, ..Scale::named("nano").unwrap() };
    let design = genesys_compiler::check_text(name, text).design.unwrap();
    genesys_compiler::compile(&design, &scale, scale.vocabulary).unwrap()
}

pub(crate) fn gpt() -> Module {
    compiled("gpt", include_str!("../../../../designs/gpt.gau"))
}

/// Numbers between -1 and 1 that look random.
pub(crate) fn noise(seed: u64, dims: &[usize]) -> Tensor {
    let n: usize = dims.iter().product();
    let number = |i: u64| {
        let x = genesys_random::unit(genesys_random::at(genesys_random::mix(seed), i));
        (2.0 * x - 1.0) as f32
    };
    Tensor::from_vec((0..n as u64).map(number).collect::<Vec<f32>>(), dims, &Device::Cpu).unwrap()
}

pub(crate) fn variable(tensor: &Tensor) -> Var {
    Var::from_tensor(tensor).unwrap()
}

pub(crate) fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// The root of the squared difference, as a part of that of what is expected.
pub(crate) fn apart(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.dims(), expected.dims());
    let square = |x: f64| x * x;
    let (found, expected) = (numbers(found), numbers(expected));
    let size = expected.iter().map(|x| square(f64::from(*x))).sum::<f64>().sqrt().max(1e-6);
    let pairs = found.iter().zip(&expected);
    pairs.map(|(a, b)| square(f64::from(*a) - f64::from(*b))).sum::<f64>().sqrt() / size
}
