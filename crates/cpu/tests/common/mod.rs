//! Programs against the interpreter, on small designs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use genesys_cpu::{Executor, Precision, Program, Shape};
use genesys_interp::{Row, run};
use genesys_ir::module::{IGNORE, Module};
use genesys_ir::{ParameterInfo, parameters};
use genesys_kernels::{from_bf16, to_bf16};
use genesys_ladder::Scale;
use genesys_random::{at, mix, unit};
use genesys_scalar::Law;

/// How far a loss may be off as a part of itself, and what rounding the weights to bf16 is taken to move it by at least.
const LOSS: (f64, f64) = (1e-4, 5e-4);

/// The same of the root of the mean squared difference of a gradient, as a part of that of its elements.
const GRADIENT: (f64, f64) = (5e-3, 1e-2);

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

/// What the interpreter says of a backward pass on drawn weights, and how far that moves when these are rounded.
struct Oracle {
    table: Vec<ParameterInfo>,
    drawn: Vec<Vec<f32>>,
    rows: Vec<Row>,
    /// Losses, then gradients.
    expected: Vec<Vec<f64>>,
    moved: Vec<f64>,
}

impl Oracle {
    fn new(backward: &Module, shape: Shape) -> Result<Self, String> {
        let table = parameters(backward).unwrap();
        let drawn: Vec<Vec<f32>> = table.iter().enumerate().map(|(i, parameter)| draw(i, parameter)).collect();
        let rows = rows(shape, 11);
        let at = |weight: &dyn Fn(usize, usize, f32) -> f64| {
            let of = |i: usize, drawn: &[f32]| drawn.iter().enumerate().map(|(k, w)| weight(i, k, *w)).collect();
            let named = table.iter().zip(&drawn).enumerate();
            let all: BTreeMap<&str, Vec<f64>> =
                named.map(|(i, (parameter, drawn))| (parameter.name.as_str(), of(i, drawn))).collect();
            run(backward, &rows, &|name| all.get(name).cloned()).map_err(|error| error.to_string())
        };
        let expected = at(&|_, _, w| f64::from(w))?;
        if !expected[0][0].is_finite() {
            return Err("the loss is no number".into());
        }
        let nearest = at(&|_, _, w| f64::from(from_bf16(to_bf16(w))))?;
        let moved = expected.iter().zip(&nearest).map(|(a, b)| distance(a, b)).collect();
        Ok(Self { table, drawn, rows, expected, moved })
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
        for precision in [Precision::F32, Precision::Bf16] {
            let apart = against(module, &oracle, shape, precision)?;
            found.extend(apart.into_iter().map(|apart| format!("{what}, {precision:?}: {apart}")));
        }
    }
    Ok(found)
}

/// How the program of a module is apart from what is expected.
fn against(module: &Module, oracle: &Oracle, shape: Shape, precision: Precision) -> Result<Vec<String>, String> {
    let Oracle { table, drawn, rows, expected, moved } = oracle;
    let program = Program::new(module, shape, precision).map_err(|error| error.to_string())?;
    let weights: Vec<f32> = drawn.concat();
    let tokens: Vec<u32> = rows.iter().flat_map(|row| row.tokens.clone()).collect();
    let targets: Vec<u32> = rows.iter().flat_map(|row| row.targets.clone()).collect();
    let mut gradients = vec![f32::NAN; weights.len()];
    let mut executor = Executor::new(program.clone(), 2);
    let losses = executor.step(&weights, &mut gradients, &tokens, &targets);
    let mut found = Vec::new();
    let mut again = vec![f32::NAN; weights.len()];
    let second = Executor::new(program, 1).step(&weights, &mut again, &tokens, &targets);
    let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<u32>>();
    if second != losses || bits(&again) != bits(&gradients) {
        found.push("one thread gives other bits than two".to_owned());
    }
    let offset = expected.len() - table.len();
    for (i, loss) in [Some(losses.loss), losses.auxiliary].into_iter().flatten().enumerate().take(offset) {
        let (apart, expected) = ((f64::from(loss) - expected[i][0]).abs(), expected[i][0]);
        if !(apart <= near(precision, LOSS, expected.abs().max(1e-3), moved[i])) {
            found.push(format!("the loss is {loss}, not {expected}"));
        }
    }
    let mut start = 0;
    for (i, parameter) in table.iter().enumerate() {
        let (expected, moved) = (&expected[offset + i], moved[offset + i]);
        let own: Vec<f64> = gradients[start..start + expected.len()].iter().map(|g| f64::from(*g)).collect();
        start += expected.len();
        let (apart, size) = (distance(&own, expected), distance(expected, &vec![0.0; expected.len()]).max(1e-6));
        if std::env::var("SHOW").is_ok() {
            println!(
                "{precision:?} gradient {:.2e} {:.2e} {:.2e} {}",
                apart / size,
                moved / size,
                apart / (0.01 * size + moved),
                parameter.name
            );
        }
        if !(apart <= near(precision, GRADIENT, size, moved)) {
            let (apart, moved) = (apart / size, moved / size);
            found.push(format!(
                "the gradient of {} is {apart:.2e} off; rounding moves it by {moved:.2e}",
                parameter.name
            ));
        }
    }
    Ok(found)
}

/// How far a number may be off: by that part of its size in f32, in bf16 some times by what rounding the weights moves it, or
/// should, for that may be little by chance.
fn near(precision: Precision, (close, should): (f64, f64), size: f64, moved: f64) -> f64 {
    match precision {
        Precision::F32 => close * size,
        Precision::Bf16 => 4.0 * (should * size + moved),
    }
}
