//! Shipped designs against their published formulas, written out once more in plain loops over f64
//! that know nothing of the language: outputs, and gradients by differences of the loops. And the two
//! forms of one recurrence, as a scan and as attention, against each other.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;

use genesys_ir::module::{FunctionId, Module};
use genesys_ladder::Scale;
use genesys_runtime::Block;
use genesys_runtime::candle_core::{DType, Device, Tensor, Var};
use support::{close, noise, numbers};

const RETNET: &str = include_str!("../../../designs/retnet.gau");
const MAMBA2: &str = include_str!("../../../designs/mamba2.gau");

/// The width at the smallest scale, and the positions of a row.
const D: usize = 64;
const T: usize = 7;

type Weights = BTreeMap<String, Vec<f64>>;
/// A vector at each position.
type Rows = Vec<Vec<f64>>;

fn module(text: &str) -> Module {
    let checked = genesys_compiler::check_text("seed.gau", text);
    let design = checked.design.unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
    genesys_compiler::compile(&design, &Scale::named("nano").unwrap(), 41).unwrap()
}

/// The first block of a design.
fn block(text: &str) -> Block {
    Block::init(&module(text), FunctionId(0), 0, 7, DType::F64, &Device::Cpu).unwrap()
}

fn weights(block: &Block) -> Weights {
    block.parameters().iter().map(|p| (p.name.clone(), numbers(p.var.as_tensor()))).collect()
}

/// Outputs, and the gradients of their sum weighted by noise: of the input, then of each weight.
fn outputs_and_gradients(block: &Block) -> (Vec<f64>, Vec<(String, Vec<f64>)>) {
    let x = Var::from_tensor(&Tensor::from_vec(noise(T * D, 11), (1, T, D), &Device::Cpu).unwrap()).unwrap();
    let y = block.run(&x).unwrap();
    let c = Tensor::from_vec(noise(T * D, 3), (1, T, D), &Device::Cpu).unwrap();
    let store = (&y * c).unwrap().sum_all().unwrap().backward().unwrap();
    let gradient = |var: &Var| numbers(store.get(var).unwrap());
    let mut gradients = vec![("x".to_string(), gradient(&x))];
    gradients.extend(block.parameters().iter().map(|p| (p.name.clone(), gradient(&p.var))));
    (numbers(&y), gradients)
}

/// Holds a design's first block to a function of weights and input.
fn agrees(text: &str, formula: impl Fn(&Weights, &[Vec<f64>]) -> Rows) {
    let block = block(text);
    let (found, gradients) = outputs_and_gradients(&block);
    let mut values = weights(&block);
    values.insert("x".to_string(), noise(T * D, 11));
    let evaluate = |values: &Weights| formula(values, &rows(&values["x"], D)).concat();
    close("outputs", &found, &evaluate(&values), 1e-9);
    let score = |values: &Weights| evaluate(values).iter().zip(noise(T * D, 3)).map(|(y, c)| y * c).sum::<f64>();
    for (name, gradient) in gradients {
        for i in (0..gradient.len()).step_by(gradient.len().div_ceil(4)) {
            let at = |by: f64| {
                let mut values = values.clone();
                values.get_mut(&name).unwrap()[i] += by;
                score(&values)
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            close(&format!("gradient of {name} at {i}"), &[gradient[i]], &[difference], 1e-6);
        }
    }
}

fn rows(flat: &[f64], width: usize) -> Rows {
    flat.chunks(width).map(<[f64]>::to_vec).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A matrix of `[to, from]` times each vector.
fn linear(w: &[f64], x: &[Vec<f64>]) -> Rows {
    x.iter().map(|x| w.chunks(x.len()).map(|row| dot(row, x)).collect()).collect()
}

/// `x / sqrt(mean x^2 + 1e-5) * gain`, over pieces as long as the gain.
fn rms(gain: &[f64], x: &[f64]) -> Vec<f64> {
    let piece = |x: &[f64]| {
        let scale = (dot(x, x) / x.len() as f64 + 1e-5).sqrt();
        x.iter().zip(gain).map(|(x, g)| x / scale * g).collect::<Vec<f64>>()
    };
    x.chunks(gain.len()).flat_map(piece).collect()
}

fn rms_rows(gain: &[f64], x: &[Vec<f64>]) -> Rows {
    x.iter().map(|x| rms(gain, x)).collect()
}

fn silu(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}

fn zip(a: &[Vec<f64>], b: &[Vec<f64>], f: fn(f64, f64) -> f64) -> Rows {
    a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| f(*a, *b)).collect()).collect()
}

/// Rotates the pairs `(2 i, 2 i + 1)` of each head by `t * 10000^(-2 i / size)`.
fn rope(x: &[Vec<f64>], size: usize) -> Rows {
    let turned = |(t, x): (usize, &Vec<f64>)| {
        let pair = |(i, p): (usize, &[f64])| {
            let angle = t as f64 * 10_000f64.powf(-2.0 * (i % (size / 2)) as f64 / size as f64);
            [p[0] * angle.cos() - p[1] * angle.sin(), p[0] * angle.sin() + p[1] * angle.cos()]
        };
        x.chunks(2).enumerate().flat_map(pair).collect()
    };
    x.iter().enumerate().map(turned).collect()
}

/// `down(up x * silu(gate x))`
fn swiglu(w: &Weights, x: &[Vec<f64>]) -> Rows {
    let (gate, up) = (linear(&w["swi_glu.gate.weight"], x), linear(&w["swi_glu.up.weight"], x));
    linear(&w["swi_glu.linear.weight"], &zip(&up, &gate, |up, gate| up * silu(gate)))
}

/// `O = (Q K' / sqrt(hd) * gamma^(n - m) for m <= n) V`, then norm a head, gate and projection, then
/// the MLP.
fn retnet(w: &Weights, x: &[Vec<f64>]) -> Rows {
    let (heads, hd, hv) = (8, D / 8, D / 4);
    let n = rms_rows(&w["retention_norm.gain"], x);
    let [q, k] = ["q", "k"].map(|name| rope(&linear(&w[&format!("h.{name}.weight")], &n), hd));
    let [v, g] = ["v", "gate"].map(|name| linear(&w[&format!("h.{name}.weight")], &n));
    let mut o = vec![vec![0.0; heads * hv]; x.len()];
    for h in 0..heads {
        let gamma = 1.0 - 2f64.powi(-5 - h as i32);
        let key = h * hd..(h + 1) * hd;
        for t in 0..x.len() {
            for s in 0..=t {
                let score = dot(&q[t][key.clone()], &k[s][key.clone()]) / (hd as f64).sqrt();
                (0..hv).for_each(|i| o[t][h * hv + i] += score * gamma.powi((t - s) as i32) * v[s][h * hv + i]);
            }
        }
    }
    let o = zip(&rms_rows(&w["h.rms_norm.gain"], &o), &g, |o, g| o * silu(g));
    let h = zip(x, &linear(&w["h.linear.weight"], &o), |x, y| x + y);
    let mlp = swiglu(w, &rms_rows(&w["mlp_norm.gain"], &h));
    zip(&h, &mlp, |h, y| h + y)
}

/// `silu` of a causal depthwise convolution: kernel `[4, features]`, the oldest position first.
fn convolved(kernel: &[f64], x: &[Vec<f64>]) -> Rows {
    let features = x[0].len();
    let at = |t: usize, i: usize| {
        let taps = (0..4).filter(|back| *back <= t).map(|back| kernel[(3 - back) * features + i] * x[t - back][i]);
        silu(taps.sum())
    };
    (0..x.len()).map(|t| (0..features).map(|i| at(t, i)).collect()).collect()
}

/// `h_t = exp(A dt_t) h_{t-1} + dt_t B_t x_t', y_t = h_t' C_t`, `norm(y * silu z)`, projection. One head
/// of 128 features is all there is at this width.
fn mamba2_layer(w: &Weights, path: &str, x: &[Vec<f64>]) -> Rows {
    let (states, features) = (64, 2 * D);
    let weight = |name: &str| w[&format!("{path}.{name}")].as_slice();
    let z = linear(weight("z.weight"), x);
    let [u, b, c] = ["u", "b", "c"]
        .map(|name| convolved(weight(&format!("{name}_conv.kernel")), &linear(weight(&format!("{name}.weight")), x)));
    let dt = linear(weight("dt.weight"), x);
    let mut h = vec![vec![0.0; features]; states];
    let mut y = Vec::new();
    for t in 0..x.len() {
        let dt = (1.0 + (dt[t][0] + weight("dt_bias")[0]).exp()).ln();
        let decay = (-weight("a")[0].exp() * dt).exp();
        for (n, row) in h.iter_mut().enumerate() {
            row.iter_mut().zip(&u[t]).for_each(|(h, u)| *h = decay * *h + dt * b[t][n] * u);
        }
        y.push((0..features).map(|i| (0..states).map(|n| c[t][n] * h[n][i]).sum::<f64>()).collect::<Vec<f64>>());
    }
    let y = rms_rows(weight("rms_norm.gain"), &zip(&y, &z, |y, z| y * silu(z)));
    linear(weight("linear.weight"), &y)
}

fn mamba2(w: &Weights, x: &[Vec<f64>]) -> Rows {
    let first = mamba2_layer(w, "h", &rms_rows(&w["first_norm.gain"], x));
    let h = zip(x, &first, |x, y| x + y);
    let second = mamba2_layer(w, "layer", &rms_rows(&w["second_norm.gain"], &h));
    zip(&h, &second, |h, y| h + y)
}

#[test]
fn retnet_is_its_published_formula() {
    agrees(RETNET, retnet);
}

#[test]
fn mamba2_is_its_published_formula() {
    agrees(MAMBA2, mamba2);
}

/// The same design with its scan written as a look at the past, under the same weights.
fn same_in_both_forms(text: &str, read: &str) {
    let start = text.find("scan S").unwrap();
    let end = start + text[start..].find("}\n").unwrap();
    let (scan, attention) = (block(text), block(&format!("{}{read}{}", &text[..start], &text[end + 1..])));
    for (one, other) in scan.parameters().iter().zip(attention.parameters()) {
        assert_eq!((&one.name, &one.shape), (&other.name, &other.shape));
        other.var.set(one.var.as_tensor()).unwrap();
    }
    let (scan, attention) = (outputs_and_gradients(&scan), outputs_and_gradients(&attention));
    close("outputs", &scan.0, &attention.0, 1e-9);
    for ((name, a), (_, b)) in scan.1.iter().zip(&attention.1) {
        close(&format!("gradient of {name}"), a, b, 1e-9);
    }
}

#[test]
fn retention_is_attention_with_a_decay_by_age() {
    same_in_both_forms(RETNET, "sum[Past](dot[K](q, past(k)) * gamma ^ age[Past] * past(v))");
}

#[test]
fn a_selective_state_is_attention_that_forgets() {
    let decay = "exp(after[Past](past(-exp(a) * dt)))";
    same_in_both_forms(MAMBA2, &format!("sum[Past](dot[N](c, past(b)) * {decay} * past(dt * u))"));
}
