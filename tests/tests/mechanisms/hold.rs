//! One row of the table: a unit of a design in the runtime, and its formula on the tape.
//!
//! Both get the same weights (drawn from the laws of the design, then moved off their special
//! points), the same input of two items, and the same score: a sum of the outputs under noise, and of the loss that the unit
//! adds, where it adds one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use genesys_decode::{Kind, Slot};
use genesys_ir::module::{FunctionId, Module};
use genesys_ladder::Scale;
use genesys_runtime::Block;
use genesys_runtime::candle_core::{DType, Device, Tensor, Var as Tracked};

use crate::math::{Rows, Weight, Weights};
use crate::real::Real;
use crate::tape::{Tape, Var};

/// Largest RMS error, as a part of the RMS value, in f64 and in f32.
const EXACT: f64 = 1e-9;
const SINGLE: f64 = 0.005;

/// What a loss counts in the score: a mean over tokens under a small weight would not be seen beside a sum.
const LOSS: f64 = 1e4;

/// Items, and positions of each.
const ITEMS: usize = 2;
const POSITIONS: usize = 24;

/// A mechanism and what it is held to.
pub(crate) struct Row {
    /// The name of its test.
    pub(crate) test: &'static str,
    /// Its name in the field.
    pub(crate) mechanism: &'static str,
    /// Its design below `designs`, without the ending.
    pub(crate) design: &'static str,
    /// The unit of the design, with static arguments where small sizes need them.
    pub(crate) unit: &'static str,
    /// A unit around it, called `Held`, where it is not itself one of one sequence in and one out.
    pub(crate) around: Option<&'static str>,
    /// The width it is held at.
    pub(crate) width: u64,
    /// The formula, by name and over both scalars.
    pub(crate) formula: &'static str,
    pub(crate) plain: fn(&Weights<f64>, &[Vec<f64>]) -> Rows<f64>,
    pub(crate) taped: for<'t> fn(&Weights<Var<'t>>, &[Vec<Var<'t>>]) -> Rows<Var<'t>>,
    /// What the unit adds to the training loss, of all tokens of a batch, by name and over both scalars.
    pub(crate) loss: Option<Loss>,
    /// `estimated` where its gradient is an estimate by design, which no difference of values gives.
    pub(crate) estimated: Option<&'static str>,
}

/// A loss over the tokens of a batch.
#[derive(Clone, Copy)]
pub(crate) struct Loss {
    pub(crate) formula: &'static str,
    pub(crate) plain: fn(&Weights<f64>, &[Vec<f64>]) -> f64,
    pub(crate) taped: for<'t> fn(&Weights<Var<'t>>, &[Vec<Var<'t>>]) -> Var<'t>,
}

/// Outputs, the loss, the gradients of the score by name (the input's is called `x`), and what the states of
/// scans hold at the end, of all items.
struct Evaluated {
    outputs: Vec<f64>,
    loss: Option<f64>,
    gradients: BTreeMap<String, Vec<f64>>,
    states: BTreeMap<String, Vec<f64>>,
}

/// What both sides are given.
struct Sample {
    weights: BTreeMap<String, (Vec<usize>, Vec<f64>)>,
    x: Vec<f64>,
    score: Vec<f64>,
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the root").to_path_buf()
}

/// Uniform noise within 1 of 0.
fn noise(count: usize, seed: u64) -> Vec<f64> {
    let state = genesys_random::mix(seed);
    (0..count as u64).map(|i| genesys_random::unit(genesys_random::at(state, i)) * 2.0 - 1.0).collect()
}

impl Row {
    fn text(&self) -> String {
        let path = root().join("designs").join(format!("{}.gau", self.design));
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// The design with the unit alone as its stack, at the row's width.
    pub(crate) fn module(&self) -> Module {
        let text = self.text();
        let start = text.find("stack = [").expect("a design has a stack");
        let end = start + text[start..].find('\n').expect("a stack ends its line");
        let (unit, around) = self.around.map_or((self.unit, ""), |around| ("Held", around));
        let text = format!("{}stack = [{unit}]{}\n{around}", &text[..start], &text[end..]);
        let checked = genesys_compiler::check_text(self.design, &text);
        let design = checked.design.unwrap_or_else(|| panic!("{}: {:#?}", self.design, checked.diagnostics));
        let scale = Scale { width: self.width, ..Scale::named("nano").expect("the smallest scale") };
        genesys_compiler::compile(&design, &scale, 41).unwrap_or_else(|e| panic!("{}: {e}", self.design))
    }

    fn block(&self, module: &Module, dtype: DType) -> Block {
        Block::init(module, FunctionId(0), 0, 7, dtype, &Device::Cpu).expect("a unit of one sequence")
    }

    fn sample(&self, block: &Block) -> Sample {
        let moved = |(i, p): (usize, &genesys_runtime::Parameter)| {
            let drawn = numbers(p.var.as_tensor());
            let by = noise(drawn.len(), 100 + i as u64);
            let data = drawn.iter().zip(by).map(|(w, by)| w + 0.1 * by).collect();
            (p.name.clone(), (p.shape.clone(), data))
        };
        let count = ITEMS * POSITIONS * self.width as usize;
        Sample {
            weights: block.parameters().iter().enumerate().map(moved).collect(),
            x: noise(count, 1).iter().map(|x| 1.5 * x).collect(),
            score: noise(count, 2),
        }
    }

    fn in_runtime(&self, module: &Module, sample: &Sample, dtype: DType) -> Evaluated {
        let block = self.block(module, dtype);
        for p in block.parameters() {
            p.var.set(&tensor(&sample.weights[&p.name].1, &p.shape, dtype)).expect("the same shape");
        }
        let shape = [ITEMS, POSITIONS, self.width as usize];
        let x = Tracked::from_tensor(&tensor(&sample.x, &shape, dtype)).expect("a variable");
        let (y, state) = block.extend(&block.start(ITEMS), &x).expect("the unit runs");
        let score = (&y * tensor(&sample.score, &shape, dtype)).and_then(|y| y.sum_all()).expect("a score");
        let (_, loss) = block.run_with_loss(&x).expect("the unit runs");
        assert_eq!(loss.is_some(), self.loss.is_some(), "{}: a loss", self.test);
        let score = loss
            .iter()
            .fold(score, |score, loss| loss.affine(LOSS, 0.0).and_then(|loss| score + loss).expect("a score"));
        let store = score.backward().expect("derivatives");
        let gradient = |name: &str, var: &Tracked| {
            let found = store.get(var).unwrap_or_else(|| panic!("{}: no gradient of `{name}`", self.test));
            (name.to_string(), numbers(found))
        };
        let mut gradients: BTreeMap<_, _> = block.parameters().iter().map(|p| gradient(&p.name, &p.var)).collect();
        gradients.extend([gradient("x", &x)]);
        // What a state held when the chunk began is an earlier value of it.
        let is_state = |slot: &&Slot| slot.kind == Kind::State && !slot.name.ends_with(".start");
        let slots = state.layout().slots().iter().filter(is_state);
        let held = |slot: &Slot| {
            let value = state.get(&slot.name).expect("a slot").expect("a value of what was read");
            let order = self.as_declared(module, slot);
            (slot.name.clone(), numbers(&value.permute(order).expect("the axes of the slot")))
        };
        let states = slots.map(held).collect();
        let loss = loss.map(|loss| numbers(&loss)[0]);
        Evaluated { outputs: numbers(&y), loss, gradients, states }
    }

    /// The dimensions of what a slot holds, its axes in the order in which the design declares the state.
    fn as_declared(&self, module: &Module, slot: &Slot) -> Vec<usize> {
        let text = self.text();
        let declared = format!("{}: [", own_name(&slot.name));
        let states =
            text.split("scan ").skip(1).find_map(|scan| scan.split_once(&declared)).expect("a scan of the state");
        let (axes, _) = states.1.split_once(']').expect("the state has axes");
        let names: Vec<&str> = slot.axes.iter().map(|axis| module.axis(*axis).name.as_str()).collect();
        // Axes of one name are numbered in a module.
        let is = |name: &&str, axis: &str| name.split('_').next() == Some(axis);
        let place = |axis: &str| 1 + names.iter().position(|name| is(name, axis)).expect("an axis of the state");
        [0].into_iter().chain(axes.split(", ").filter(|axis| !axis.is_empty()).map(place)).collect()
    }

    fn on_tape(&self, sample: &Sample) -> Evaluated {
        let tape = Tape::default();
        let variables = |data: &[f64]| data.iter().map(|v| tape.variable(*v)).collect::<Vec<_>>();
        let weight = |(shape, data): &(Vec<usize>, Vec<f64>)| Weight { shape: shape.clone(), data: variables(data) };
        let vars: BTreeMap<_, _> = sample.weights.iter().map(|(name, w)| (name.clone(), weight(w))).collect();
        let weights = Weights::new(vars.clone());
        let mut states: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        let x = variables(&sample.x);
        let y = items(&x, self.width as usize, |item| {
            let y = (self.taped)(&weights, item);
            for (name, values) in weights.take_kept() {
                states.entry(name).or_default().extend(values.iter().map(|value| value.value()));
            }
            y
        });
        let score = y.iter().zip(&sample.score).fold(Var::of(0.0), |sum, (y, c)| sum + *y * Var::of(*c));
        let loss = self.loss.as_ref().map(|loss| (loss.taped)(&weights, &tokens(&x, self.width as usize)));
        let score = loss.iter().fold(score, |score, loss| score + *loss * Var::of(LOSS));
        let derivatives = tape.derivatives(score);
        let all = |vars: &[Var<'_>]| vars.iter().map(|var| derivatives.to(*var)).collect::<Vec<f64>>();
        let mut gradients: BTreeMap<_, _> = vars.iter().map(|(name, w)| (name.clone(), all(&w.data))).collect();
        gradients.insert("x".to_string(), all(&x));
        let outputs = y.iter().map(|y| y.value()).collect();
        Evaluated { outputs, loss: loss.map(|loss| loss.value()), gradients, states }
    }

    /// The derivative of the score along a random direction of all weights and the input, from the
    /// gradients and as a difference of the formula.
    fn along_a_direction(&self, sample: &Sample, found: &Evaluated) -> (f64, f64) {
        let names = sample.weights.keys().map(String::as_str).chain(["x"]);
        let direction = |name: &str| noise(found.gradients[name].len(), name.len() as u64 + 50);
        let slope = names.map(|name| product(&found.gradients[name], &direction(name))).sum();
        let at = |by: f64| {
            let moved = |name: &str, data: &[f64]| -> Vec<f64> {
                data.iter().zip(direction(name)).map(|(v, d)| v + by * d).collect()
            };
            let weight = |(name, (shape, data)): (&String, &(Vec<usize>, Vec<f64>))| {
                (name.clone(), Weight { shape: shape.clone(), data: moved(name, data) })
            };
            let weights = Weights::new(sample.weights.iter().map(weight).collect());
            let (x, width) = (moved("x", &sample.x), self.width as usize);
            let y = items(&x, width, |item| (self.plain)(&weights, item));
            let loss = self.loss.as_ref().map_or(0.0, |loss| (loss.plain)(&weights, &tokens(&x, width)));
            product(&y, &sample.score) + LOSS * loss
        };
        let h = 1e-6;
        (slope, (at(h) - at(-h)) / (2.0 * h))
    }

    /// The largest errors of all outputs and gradients in f64 and in f32, each with what it is of.
    pub(crate) fn errors(&self) -> [(f64, String); 2] {
        let module = self.module();
        let sample = self.sample(&self.block(&module, DType::F64));
        let expected = self.on_tape(&sample);
        [DType::F64, DType::F32].map(|dtype| worst(&self.in_runtime(&module, &sample, dtype), &expected))
    }

    /// Holds the unit to its formula, and the formula's gradients to differences of the formula.
    pub(crate) fn hold(&self) {
        let module = self.module();
        let sample = self.sample(&self.block(&module, DType::F64));
        let expected = self.on_tape(&sample);
        for (dtype, most) in [(DType::F64, EXACT), (DType::F32, SINGLE)] {
            let (error, of) = worst(&self.in_runtime(&module, &sample, dtype), &expected);
            assert!(error <= most, "{}: the error of {of} in {dtype:?} is {error:e}, above {most:e}", self.test);
        }
        if self.estimated.is_some() {
            return;
        }
        let (slope, difference) = self.along_a_direction(&sample, &expected);
        let size = expected.gradients.values().map(|g| product(g, g)).sum::<f64>().sqrt();
        assert!((slope - difference).abs() <= 1e-5 * size, "{}: {slope} is not {difference}", self.test);
    }
}

/// The tokens of all items.
fn tokens<R: Real>(x: &[R], width: usize) -> Rows<R> {
    x.chunks(width).map(<[R]>::to_vec).collect()
}

/// A function of each item's rows, the results joined.
fn items<R: Real>(x: &[R], width: usize, mut f: impl FnMut(&[Vec<R>]) -> Rows<R>) -> Vec<R> {
    let item = |x: &[R]| f(&x.chunks(width).map(<[R]>::to_vec).collect::<Vec<_>>()).concat();
    x.chunks(POSITIONS * width).flat_map(item).collect()
}

fn worst(found: &Evaluated, expected: &Evaluated) -> (f64, String) {
    let (kept, states) = (by_state(&found.states), by_state(&expected.states));
    let names = |states: &[(&str, &Vec<f64>)]| states.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&kept), names(&states), "the states");
    let states = kept.iter().zip(&states).map(|((name, a), (_, b))| (ratio(a, b), format!("the state `{name}`")));
    let outputs = (ratio(&found.outputs, &expected.outputs), "the outputs".to_string());
    let gradient =
        |(name, g): (&String, &Vec<f64>)| (ratio(&found.gradients[name], g), format!("the gradient of `{name}`"));
    let losses = found.loss.zip(expected.loss).map(|(a, b)| (ratio(&[a], &[b]), "the loss".to_string()));
    let all = expected.gradients.iter().map(gradient).chain(states).chain([outputs]).chain(losses);
    all.max_by(|a, b| a.0.total_cmp(&b.0)).expect("there are outputs")
}

/// States by their own names, in the order of their paths: which weight stands nearest to a state, and so names the path,
/// is not the formula's to say.
fn by_state(states: &BTreeMap<String, Vec<f64>>) -> Vec<(&str, &Vec<f64>)> {
    let mut named: Vec<_> = states.iter().map(|(path, values)| (own_name(path), values)).collect();
    named.sort_by_key(|(name, _)| *name);
    named
}

/// The last part of a path.
fn own_name(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// RMS of the difference by RMS of what is expected. What is expected to be zero tests nothing.
fn ratio(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let difference: Vec<f64> = found.iter().zip(expected).map(|(a, b)| a - b).collect();
    (product(&difference, &difference) / product(expected, expected)).sqrt()
}

fn product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn tensor(data: &[f64], shape: &[usize], dtype: DType) -> Tensor {
    Tensor::from_vec(data.to_vec(), shape, &Device::Cpu).and_then(|t| t.to_dtype(dtype)).expect("a shape that fits")
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).and_then(|t| t.flatten_all()).and_then(|t| t.to_vec1()).expect("numbers")
}
