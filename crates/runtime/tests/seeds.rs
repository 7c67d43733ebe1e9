//! Shipped designs against their published formulas, written out once more in plain loops over f64
//! that know nothing of the language: outputs, and gradients by differences of the loops. And the two
//! forms of one recurrence, as a scan and as attention, against each other.
#![allow(clippy::unwrap_used)]

mod support;

use support::close;
use support::formula::{
    D, Rows, Weights, agrees, block, dot, linear, outputs_and_gradients, rms_rows, rope, silu, swiglu, zip,
};

const RETNET: &str = include_str!("../../../designs/retnet.gau");
const MAMBA2: &str = include_str!("../../../designs/mamba2.gau");

/// The positions of a row.
const T: usize = 7;

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
    agrees(RETNET, T, retnet);
}

#[test]
fn mamba2_is_its_published_formula() {
    agrees(MAMBA2, T, mamba2);
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
    let (scan, attention) = (outputs_and_gradients(&scan, T), outputs_and_gradients(&attention, T));
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
