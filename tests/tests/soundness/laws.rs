//! The laws that a program is held to.

use candle_core::{DType, Device, Tensor};
use genesys_compiler::{check_text, compile};
use genesys_interp::Interpreter;
use genesys_ir::module::{FunctionId, Module};
use genesys_ir::without_losses;
use genesys_ladder::Scale;
use genesys_runtime::Block;

use crate::grow::Draws;
use crate::steps;

/// Items, positions, and the width of a program.
pub(crate) const BATCH: usize = 2;
pub(crate) const POSITIONS: usize = 7;
pub(crate) const WIDTH: usize = 4;

/// Values `[item][position][feature]`.
pub(crate) type Values = Vec<Vec<Vec<f64>>>;

/// The laws a program breaks.
pub(crate) fn violations(text: &str, seed: u64) -> Vec<String> {
    let checked = check_text("random", text);
    let Some(design) = checked.design else {
        return vec![format!("does not check as a whole: {:?}", checked.diagnostics.first().map(|d| &d.message))];
    };
    let scale =
        Scale { width: WIDTH as u64, blocks: 1, vocabulary: 5, ..Scale::named("nano").expect("the first rung") };
    let module = match compile(&design, &scale, scale.vocabulary) {
        Ok(module) => module,
        Err(error) => return vec![format!("does not compile: {error}")],
    };
    let block = Block::init(&module, FunctionId(0), 0, seed, DType::F64, &Device::Cpu).expect("the module is valid");
    let train = |x: &[Vec<Vec<f64>>]| run(&block, x);
    let x = input(seed);
    let whole = train(&x);
    let mut found: Vec<String> = leaks(train, seed).into_iter().map(String::from).collect();
    let weights = |name: &str| {
        let parameter = block.parameters().iter().find(|p| p.name == name)?;
        parameter.var.flatten_all().and_then(|v| v.to_vec1::<f64>()).ok()
    };
    for (item, values) in x.iter().enumerate() {
        let mut interpreter = Interpreter::function(&module, FunctionId(0), 0, &weights);
        for (t, vector) in values.iter().enumerate() {
            match interpreter.step_vectors(&with_target(&module, vector)) {
                Ok(step) if close(&step[0], &whole[item][t]) => {
                    if t + 1 == POSITIONS {
                        found.extend(other_loss(&block, values, step.get(1)));
                    }
                }
                Ok(step) => found.push(format!("form at {t}: step {:?}, whole {:?}", step[0], whole[item][t])),
                Err(error) => found.push(format!("step form: {error}")),
            }
        }
    }
    found.extend(moved_by_losses(&module, &block, &x, &weights));
    found.extend(steps::violations(&block, &x, &whole, seed));
    for t in 1..POSITIONS {
        let prefix = train(&x.iter().map(|item| item[..t].to_vec()).collect::<Values>());
        if (0..BATCH).any(|item| (0..t).any(|s| !close(&prefix[item][s], &whole[item][s]))) {
            found.push(format!("prefix of {t}"));
        }
    }
    found
}

/// Whether other inputs after a position, or in another item, reach the output up to there.
pub(crate) fn leaks(evaluate: impl Fn(&[Vec<Vec<f64>>]) -> Values, seed: u64) -> Vec<&'static str> {
    let x = input(seed);
    let whole = evaluate(&x);
    let cut = Draws(seed ^ 0xC07).below(POSITIONS - 1);
    let mut found = Vec::new();
    for (law, value) in [("leak", 1.0), ("leak of NaN", f64::NAN)] {
        let mut other = x.clone();
        other[0][cut + 1..].iter_mut().flatten().for_each(|v| *v += value);
        other[1].iter_mut().flatten().for_each(|v| *v += value);
        let changed = evaluate(&other);
        if !(0..=cut).all(|t| same_bits(&whole[0][t], &changed[0][t])) {
            found.push(law);
        }
    }
    found
}

fn run(block: &Block, x: &[Vec<Vec<f64>>]) -> Values {
    let positions = x[0].len();
    let flat: Vec<f64> = x.iter().flatten().flatten().copied().collect();
    let x = Tensor::from_vec(flat, (x.len(), positions, WIDTH), &Device::Cpu).expect("the shape holds the values");
    block.run_with_loss(&x).expect("a compiled program runs").0.to_vec3::<f64>().expect("a tensor of rank 3")
}

/// What a program takes at a position: with a loss also a target, which counts.
fn with_target(module: &Module, vector: &[f64]) -> Vec<Vec<f64>> {
    let targets = module.functions[0].inputs.len() > 1;
    [vector.to_vec()].into_iter().chain(targets.then(|| vec![0.0])).collect()
}

/// Whether the loss of one row is another one in the training form.
fn other_loss(block: &Block, row: &[Vec<f64>], step: Option<&Vec<f64>>) -> Option<String> {
    let x = Tensor::from_vec(row.concat(), (1, row.len(), WIDTH), &Device::Cpu).expect("the shape holds the values");
    let (_, loss) = block.run_with_loss(&x).expect("a compiled program runs");
    let loss = loss.map(|loss| loss.to_scalar::<f64>().expect("a number"));
    let same = match (step, loss) {
        (None, None) => true,
        (Some(step), Some(loss)) => close(step, &[loss]),
        (Some(_), None) | (None, Some(_)) => false,
    };
    (!same).then(|| format!("loss: step {step:?}, whole {loss:?}"))
}

/// Whether a program's values are others without its losses: to the bit on the step evaluator; the training form may sum
/// in another order where a loss reads a part of a sum.
fn moved_by_losses(
    module: &Module,
    block: &Block,
    x: &Values,
    weights: &dyn Fn(&str) -> Option<Vec<f64>>,
) -> Option<String> {
    let plain = without_losses(module);
    for values in x {
        let mut with = Interpreter::function(module, FunctionId(0), 0, weights);
        let mut without = Interpreter::function(&plain, FunctionId(0), 0, weights);
        for vector in values {
            let one = with.step_vectors(&with_target(module, vector)).ok()?;
            let other = without.step_vectors(std::slice::from_ref(vector)).ok()?;
            if !same_bits(&one[0], &other[0]) || other.len() != 1 {
                return Some(format!("with its losses {:?}, without {:?}", one[0], other[0]));
            }
        }
    }
    let flat: Vec<f64> = x.iter().flatten().flatten().copied().collect();
    let flat = Tensor::from_vec(flat, (BATCH, POSITIONS, WIDTH), &Device::Cpu).expect("the shape holds the values");
    let numbers = |y: Tensor| y.flatten_all().and_then(|y| y.to_vec1::<f64>()).expect("numbers of 64 bits");
    let with = numbers(block.run_with_loss(&flat).expect("a compiled program runs").0);
    let without = numbers(block.run(&flat).expect("a compiled program runs"));
    (!same_bits(&with, &without)).then(|| format!("training form with its losses {with:?}, without {without:?}"))
}

fn input(seed: u64) -> Values {
    let mut draws = Draws(seed ^ 0x1D);
    let vector = |draws: &mut Draws| (0..WIDTH).map(|_| 2.0 * draws.unit() - 1.0).collect::<Vec<f64>>();
    (0..BATCH).map(|_| (0..POSITIONS).map(|_| vector(&mut draws)).collect()).collect()
}

pub(crate) fn close(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-7 * (1.0 + a.abs().max(b.abs())))
}

pub(crate) fn same_bits(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}
