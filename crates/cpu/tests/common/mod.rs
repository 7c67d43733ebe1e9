//! Programs against the interpreter, on small designs.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use genesys_cpu::{Executor, Losses, Precision, Program, Shape};
use genesys_interp::{Row, run};
use genesys_ir::module::{IGNORE, Module};
use genesys_ir::{ParameterInfo, parameters};
use genesys_kernels::{from_bf16, to_bf16};
use genesys_ladder::Scale;
use genesys_random::{at, mix, unit};
use genesys_scalar::Law;

/// How far a loss may be off as a part of itself, and the root of the mean squared difference of a gradient as a part of that of
/// its elements.
const WHOLE: (f64, f64) = (1e-4, 5e-3);

/// The same in bf16, beside twice what rounding the weights moves it by, which may be little by chance.
const NARROW: (f64, f64) = (5e-4, 2e-2);

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

/// The numbers of a weight: as its law says, moved off special points.
pub(crate) fn draw(i: usize, parameter: &ParameterInfo) -> Vec<f32> {
    let n: usize = parameter.shape.iter().product();
    let state = mix(100 + i as u64);
    let u = |k: u64| unit(at(state, k));
    let element = |k: u64| (law(&parameter.law, parameter, k, &u) + 0.1 * (2.0 * u(2 * k + 1) - 1.0)) as f32;
    (0..n as u64).map(element).collect()
}

/// What a law says of an element; a normal one is as good uniform here.
fn law(own: &Law<f64>, parameter: &ParameterInfo, k: u64, u: &dyn Fn(u64) -> f64) -> f64 {
    match own {
        Law::Const(value) => *value,
        Law::Index(dimension) => {
            let inner: usize = parameter.shape[dimension + 1..].iter().product();
            (k as usize / inner % parameter.shape[*dimension]) as f64
        }
        Law::Layer => f64::from(parameter.layer),
        Law::Uniform(low, high) => {
            let (low, high) = (law(low, parameter, k, u), law(high, parameter, k, u));
            low + (high - low) * u(2 * k)
        }
        Law::Normal(deviation) => law(deviation, parameter, k, u) * 1.7 * (2.0 * u(2 * k) - 1.0),
        Law::Map(function, args) => {
            let values: Vec<f64> = args.iter().map(|arg| law(arg, parameter, k, u)).collect();
            function.eval(&values)
        }
    }
}

pub(crate) fn rows(shape: Shape, vocabulary: u64) -> Vec<Row> {
    let number = |i: u64| (unit(at(mix(5), i)) * vocabulary as f64) as u32;
    let row = |row: usize| {
        let tokens: Vec<u32> = (0..shape.context).map(|t| number((100 * row + t) as u64)).collect();
        let predicted = shape.context - 3 * row;
        let target = |t: usize| if t + 1 < predicted { tokens[t + 1] } else { IGNORE };
        Row { targets: (0..shape.context).map(target).collect(), tokens }
    };
    (0..shape.rows).map(row).collect()
}

pub(crate) fn compiled(name: &str, text: &str, width: u64) -> Result<Module, String> {
    compiled_for(name, text, width, 11)
}

/// The same for another vocabulary.
#[allow(dead_code, reason = "not every test has one")]
pub(crate) fn compiled_for(name: &str, text: &str, width: u64, vocabulary: u64) -> Result<Module, String> {
    let scale = Scale { width, blocks: 2, vocabulary, ..Scale::named("nano").unwrap() };
    let checked = genesys_compiler::check_text(name, text);
    let design = checked.design.ok_or("it does not check")?;
    genesys_compiler::compile(&design, &scale, scale.vocabulary).map_err(|error| error.to_string())
}

/// What is wrong with the program of a text, at the first width at which it compiles and its loss is a number.
pub(crate) fn wrong(name: &str, text: &str, shape: Shape) -> Result<Vec<String>, String> {
    let mut why = String::new();
    for width in [16, 32, 64] {
        match compiled(name, text, width).and_then(|module| differences(&module, shape)) {
            Ok(found) => return Ok(found),
            Err(error) => why = error,
        }
    }
    Err(why)
}

/// What the interpreter says of a backward pass on drawn weights.
struct Oracle {
    table: Vec<ParameterInfo>,
    drawn: Vec<f32>,
    tokens: Vec<u32>,
    targets: Vec<u32>,
    /// Losses, then gradients.
    expected: Vec<Vec<f64>>,
}

/// Losses and gradients.
type Found = (Losses, Vec<f32>);

impl Oracle {
    fn new(backward: &Module, shape: Shape) -> Result<Self, String> {
        let table = parameters(backward).unwrap();
        let drawn: Vec<Vec<f32>> = table.iter().enumerate().map(|(i, parameter)| draw(i, parameter)).collect();
        let rows = rows(shape, 11);
        let exact: BTreeMap<&str, Vec<f64>> = table
            .iter()
            .zip(&drawn)
            .map(|(parameter, drawn)| (parameter.name.as_str(), drawn.iter().map(|w| f64::from(*w)).collect()))
            .collect();
        let expected = run(backward, &rows, &|name| exact.get(name).cloned()).map_err(|error| error.to_string())?;
        if !expected[0][0].is_finite() {
            return Err("the loss is no number".into());
        }
        let tokens = rows.iter().flat_map(|row| row.tokens.clone()).collect();
        let targets = rows.iter().flat_map(|row| row.targets.clone()).collect();
        Ok(Self { table, drawn: drawn.concat(), tokens, targets, expected })
    }

    fn step(&self, program: &Program, weights: &[f32], threads: usize) -> Found {
        let mut gradients = vec![f32::NAN; weights.len()];
        let mut executor = Executor::new(program.clone(), threads);
        let losses = executor.step(weights, &mut gradients, &self.tokens, &self.targets);
        (losses, gradients)
    }

    /// Losses and the gradients of each weight, as the interpreter gives them.
    fn apart(&self, (losses, gradients): &Found) -> Vec<Vec<f64>> {
        let losses = [Some(losses.loss), losses.auxiliary].into_iter().flatten().map(|loss| vec![f64::from(loss)]);
        let mut all: Vec<Vec<f64>> = losses.take(self.expected.len() - self.table.len()).collect();
        let mut start = 0;
        for expected in &self.expected[all.len()..] {
            all.push(gradients[start..start + expected.len()].iter().map(|g| f64::from(*g)).collect());
            start += expected.len();
        }
        all
    }

    /// How far a program in f32 moves when the weights are rounded to bf16, or moved by as much as that may be.
    fn moved(&self, program: &Program) -> Vec<f64> {
        let before = self.apart(&self.step(program, &self.drawn, 2));
        let mut most = vec![0.0_f64; before.len()];
        for draw in 0..6 {
            let state = mix(900 + draw);
            let aside = |k: usize| (2.0 * unit(at(state, k as u64)) - 1.0) as f32 / 256.0;
            let weight = |(k, w): (usize, &f32)| if draw == 0 { from_bf16(to_bf16(*w)) } else { w * (1.0 + aside(k)) };
            let weights: Vec<f32> = self.drawn.iter().enumerate().map(weight).collect();
            let after = self.apart(&self.step(program, &weights, 2));
            most.iter_mut().zip(before.iter().zip(&after)).for_each(|(most, (a, b))| *most = most.max(distance(a, b)));
        }
        most
    }
}

/// The root of the sum of squared differences.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

pub(crate) fn differences(module: &Module, shape: Shape) -> Result<Vec<String>, String> {
    let backward = genesys_autodiff::differentiate(module).map_err(|error| error.to_string())?;
    let oracle = Oracle::new(&backward, shape)?;
    let mut found = Vec::new();
    for (what, module) in [("plain", &backward), ("optimized", &genesys_opt::optimize(&backward))] {
        let program = |precision| Program::new(module, shape, precision).map_err(|error| error.to_string());
        let (whole, narrow) = (program(Precision::F32)?, program(Precision::Bf16)?);
        let moved = oracle.moved(&whole);
        let still = vec![0.0; moved.len()];
        for (program, moved, close) in [(whole, still, WHOLE), (narrow, moved, NARROW)] {
            let apart = against(&program, &oracle, &moved, close);
            found.extend(apart.into_iter().map(|apart| format!("{what} in {}: {apart}", program.precision())));
        }
    }
    Ok(found)
}

/// How a program is apart from what is expected.
fn against(program: &Program, oracle: &Oracle, moved: &[f64], (loss, gradient): (f64, f64)) -> Vec<String> {
    let own = oracle.step(program, &oracle.drawn, 2);
    let mut found = Vec::new();
    let again = oracle.step(program, &oracle.drawn, 1);
    let bits = |found: &Found| found.1.iter().map(|x| x.to_bits()).collect::<Vec<u32>>();
    if again.0 != own.0 || bits(&again) != bits(&own) {
        found.push("one thread gives other bits than two".to_owned());
    }
    let losses = oracle.expected.len() - oracle.table.len();
    for (i, (own, expected)) in oracle.apart(&own).iter().zip(&oracle.expected).enumerate() {
        let size = distance(expected, &vec![0.0; expected.len()]);
        let (what, close) = match i.checked_sub(losses) {
            None => ("the loss", loss * size.max(1e-3)),
            Some(i) => (oracle.table[i].name.as_str(), gradient * size.max(1e-6)),
        };
        let (apart, moved) = (distance(own, expected), moved[i]);
        // What is no number is not close either.
        if !matches!(apart.partial_cmp(&(close + 2.0 * moved)), Some(Ordering::Less | Ordering::Equal)) {
            found.push(format!("{what} is {:.2e} off; rounding moves it by {:.2e}", apart / size, moved / size));
        }
    }
    found
}
