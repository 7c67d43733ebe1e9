//! Layers that learn as they read, against their formulas in plain loops over f64: the gradients of the
//! inner losses are written out by hand there.
// Loops as the formulas have them.
#![allow(clippy::unwrap_used, clippy::needless_range_loop)]

mod support;

use support::formula::{D, Rows, Weights, agrees, dot, linear, rms_rows, silu, swiglu, zip};

const TTT_LINEAR: &str = include_str!("../../../designs/mechanisms/ttt_linear.gau");
const TITANS: &str = include_str!("../../../designs/mechanisms/titans.gau");

/// Positions of a mini-batch.
const BATCH: usize = 16;

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn plus_bias(x: &[Vec<f64>], bias: &[f64]) -> Rows {
    x.iter().map(|x| x.iter().zip(bias).map(|(x, b)| x + b).collect()).collect()
}

/// Kernel `[4, features]`, the oldest position first, and a bias.
fn convolved(kernel: &[f64], bias: &[f64], x: &[Vec<f64>]) -> Rows {
    let at = |t: usize, i: usize| {
        let taps = (0..4).filter(|back| *back <= t).map(|back| kernel[(3 - back) * D + i] * x[t - back][i]);
        taps.sum::<f64>() + bias[i]
    };
    (0..x.len()).map(|t| (0..D).map(|i| at(t, i)).collect()).collect()
}

/// Turns the pairs `(2 i, 2 i + 1)` by the position within the mini-batch.
fn rope_within(x: &[Vec<f64>]) -> Rows {
    let turned = |(t, x): (usize, &Vec<f64>)| {
        let pair = |(i, p): (usize, &[f64])| {
            let angle = (t % BATCH) as f64 * 10_000f64.powf(-2.0 * i as f64 / D as f64);
            [p[0] * angle.cos() - p[1] * angle.sin(), p[0] * angle.sin() + p[1] * angle.cos()]
        };
        x.chunks(2).enumerate().flat_map(pair).collect()
    };
    x.iter().enumerate().map(turned).collect()
}

/// The vector with mean 0 and variance 1, and its deviation.
fn normed(x: &[f64]) -> (Vec<f64>, f64) {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let deviation = (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n + 1e-5).sqrt();
    (x.iter().map(|x| (x - mean) / deviation).collect(), deviation)
}

/// `W' x + b` of `W: [64, 64]`, row-major.
fn model(w: &[f64], b: &[f64], x: &[f64]) -> Vec<f64> {
    (0..D).map(|e| (0..D).map(|f| x[f] * w[f * D + e]).sum::<f64>() + b[e]).collect()
}

/// The gradient of `|| gain norm(z) + shift - target ||^2 / 2` at `z`.
fn slope(z: &[f64], target: &[f64], gain: &[f64], shift: &[f64]) -> Vec<f64> {
    let (n, deviation) = normed(z);
    let g: Vec<f64> = (0..D).map(|e| (gain[e] * n[e] + shift[e] - target[e]) * gain[e]).collect();
    let (mean, along) = (g.iter().sum::<f64>() / D as f64, dot(&g, &n) / D as f64);
    (0..D).map(|e| (g[e] - mean - n[e] * along) / deviation).collect()
}

/// One head of 64 is all there is at this width. `W_t = W_start - sum over s <= t of eta_ts k_s g_s'`.
fn ttt(w: &Weights, x: &[Vec<f64>]) -> Rows {
    let weight = |name: &str| w[&format!("b.{name}")].as_slice();
    let [q, k] = ["q", "k"].map(|name| rope_within(&linear(weight(&format!("{name}.weight")), x)));
    let v = linear(weight("v.weight"), x);
    let rate = plus_bias(&linear(weight("rate.weight"), x), weight("rate.bias"));
    let (gain, shift) = (weight("gain"), weight("shift"));
    let (mut start, mut start_b) = (weight("w0").to_vec(), weight("b0").to_vec());
    let mut out = Rows::new();
    for first in (0..x.len()).step_by(BATCH) {
        let (mut last, mut last_b) = (start.clone(), start_b.clone());
        for t in first..(first + BATCH).min(x.len()) {
            let step = (1.0 / (t - first + 1) as f64 + weight("learned")[t - first]).max(0.0);
            (last, last_b) = (start.clone(), start_b.clone());
            for s in first..=t {
                let target: Vec<f64> = v[s].iter().zip(&k[s]).map(|(v, k)| v - k).collect();
                let g = slope(&model(&start, &start_b, &k[s]), &target, gain, shift);
                let eta = step * sigmoid(rate[s][0]) / D as f64;
                for e in 0..D {
                    (0..D).for_each(|f| last[f * D + e] -= eta * k[s][f] * g[e]);
                    last_b[e] -= eta * g[e];
                }
            }
            let (n, _) = normed(&model(&last, &last_b, &q[t]));
            let y: Vec<f64> = (0..D).map(|e| q[t][e] + gain[e] * n[e] + shift[e]).collect();
            let (n, _) = normed(&y);
            out.push((0..D).map(|e| n[e] * weight("layer_norm.gain")[e] + weight("layer_norm.bias")[e]).collect());
        }
        (start, start_b) = (last, last_b);
    }
    linear(weight("linear.weight"), &out)
}

fn ttt_linear(w: &Weights, x: &[Vec<f64>]) -> Rows {
    let conv = convolved(&w["a.kernel"], &w["a.bias"], &rms_rows(&w["conv_norm.gain"], x));
    let a = zip(x, &conv, |x, y| x + y);
    let b = zip(&a, &ttt(w, &rms_rows(&w["ttt_norm.gain"], &a)), |x, y| x + y);
    zip(&b, &swiglu(w, &rms_rows(&w["mlp_norm.gain"], &b)), |x, y| x + y)
}

/// `M <- keep M + Z` with `Z <- momentum Z - rate * 2 k (M_start' k - v)'`, in chunks of 4.
fn memory(w: &Weights, x: &[Vec<f64>]) -> Rows {
    let (heads, size, chunk) = (4, D / 4, 4);
    let weight = |name: &str| w[&format!("h.{name}")].as_slice();
    let project = |name: &str| linear(weight(&format!("{name}.weight")), x);
    let gate = |name: &str| plus_bias(&project(name), weight(&format!("{name}.bias")));
    let activated =
        |name: &str| -> Rows { project(name).iter().map(|x| x.iter().map(|x| silu(*x)).collect()).collect() };
    let (q, k, v) = (activated("q"), activated("k"), activated("v"));
    let (momentum, rate, keep) = (gate("momentum"), gate("rate"), gate("keep"));
    let unit = |x: &[f64]| -> Vec<f64> { x.iter().map(|y| y / (dot(x, x) + 1e-6).sqrt()).collect() };
    let mut y = vec![Vec::new(); x.len()];
    for h in 0..heads {
        let of = |x: &[f64]| x[h * size..(h + 1) * size].to_vec();
        let mut m = weight("m0")[h * size * size..(h + 1) * size * size].to_vec();
        let (mut z, mut start) = (vec![0.0; size * size], m.clone());
        for t in 0..x.len() {
            if t % chunk == 0 {
                start = m.clone();
            }
            let (q, k, v) = (unit(&of(&q[t])), unit(&of(&k[t])), of(&v[t]));
            for j in 0..size {
                let miss = (0..size).map(|i| k[i] * start[i * size + j]).sum::<f64>() - v[j];
                for i in 0..size {
                    let at = i * size + j;
                    z[at] = sigmoid(momentum[t][h]) * z[at] - sigmoid(rate[t][h]) * 2.0 * k[i] * miss;
                    m[at] = sigmoid(keep[t][h]) * m[at] + z[at];
                }
            }
            y[t].extend((0..size).map(|j| (0..size).map(|i| q[i] * m[i * size + j]).sum::<f64>()));
        }
    }
    linear(weight("linear.weight"), &y)
}

fn titans(w: &Weights, x: &[Vec<f64>]) -> Rows {
    let h = zip(x, &memory(w, &rms_rows(&w["memory_norm.gain"], x)), |x, y| x + y);
    zip(&h, &swiglu(w, &rms_rows(&w["mlp_norm.gain"], &h)), |x, y| x + y)
}

#[test]
fn ttt_linear_is_its_published_formula() {
    // A whole mini-batch and a part of the next.
    agrees(TTT_LINEAR, BATCH + 3, ttt_linear);
}

#[test]
fn titans_is_its_published_formula() {
    agrees(TITANS, 10, titans);
}
