//! What stands around mixers: gates, MLPs, mixtures of experts, residual streams.

use super::softmax::standard;
use crate::math::{
    Rows, Weights, add, add_rows, dot, each, map, mul, mul_rows, rms, scale, shifted, softmax, weighed, zip,
};
use crate::real::Real;

fn gated_mlp<R: Real>(w: &Weights<R>, x: &[Vec<R>], activation: impl Fn(R) -> R) -> Rows<R> {
    w.project("linear", &zip(&w.project("gate", x), &w.project("up", x), |g, u| activation(g) * u))
}

pub(crate) fn swiglu<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    gated_mlp(w, x, R::silu)
}

pub(crate) fn geglu<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    gated_mlp(w, x, R::gelu)
}

pub(crate) fn relu2<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    w.project("linear", &map(&w.project("h", x), |h| h.relu() * h.relu()))
}

/// `sigmoid(W_r x1) * W_v relu(W_k x2)^2` of shifted x.
pub(crate) fn channel_mix<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let [k, r] = ["k", "r"].map(|name| w.project(name, &w.token_shift(&format!("{name}_shift"), x)));
    let v = w.project("linear", &map(&k, |k| k.relu() * k.relu()));
    zip(&r, &v, |r, v| r.sigmoid() * v)
}

pub(crate) fn gated_short_conv<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let [b, c, u] = ["b", "c", "u"].map(|name| w.project(name, x));
    w.project("linear", &mul_rows(&c, &w.conv("mixed", &mul_rows(&b, &u))))
}

/// One expert's weights stand behind the other's.
pub(crate) fn soft_experts<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let p = each(&w.project("p", x), softmax);
    let experts = w.size("p.weight", 0);
    let expert = |e: usize| swiglu(&w.part("y", e, experts).under("y"), x);
    let outputs: Vec<Rows<R>> = (0..experts).map(expert).collect();
    p.iter().enumerate().map(|(t, p)| weighed(p, outputs.iter().map(|y| &y[t]))).collect()
}

pub(crate) fn film<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let mean = |t: usize| {
        let total = x[..=t].iter().cloned().reduce(|a, b| add(&a, &b)).expect("a position");
        scale(&total, R::of(1.0 / (t + 1) as f64))
    };
    let c: Rows<R> = (0..x.len()).map(mean).collect();
    let (gain, bias, h) = (w.project("gain", &c), w.project("bias", &c), w.project("h", x));
    let y = zip(&map(&h, R::relu), &gain, |h, g| h * (R::of(1.0) + g));
    w.project("linear", &add_rows(&y, &bias))
}

pub(crate) fn scalar_mix<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let a = add_rows(x, &standard(w, "a", &w.rms("attention_norm", x)));
    let b = add_rows(&a, &swiglu(&w.under("b"), &w.rms("mlp_norm", &a)));
    let own = w.under("mixture");
    let p = softmax(own.get("s"));
    let at = |t: usize| scale(&weighed(&p, [&x[t], &a[t], &b[t]]), own.get("g")[0]);
    (0..x.len()).map(at).collect()
}

/// The streams by stream: `[n][t][d]`.
type Streams<R> = Vec<Rows<R>>;

fn hyper_read<R: Real>(w: &Weights<R>, h: &Streams<R>) -> Rows<R> {
    let (a, tip, s) = (w.get("a"), w.get("w"), w.get("s")[0]);
    let at = |t: usize| {
        let weight = |n: usize| a[n] + s * dot(tip, &normed(w, &h[n][t])).tanh();
        weighed(&(0..h.len()).map(weight).collect::<Vec<R>>(), h.iter().map(|h| &h[t]))
    };
    (0..h[0].len()).map(at).collect()
}

fn normed<R: Real>(w: &Weights<R>, h: &[R]) -> Vec<R> {
    mul(&rms(h), w.get("normed.gain"))
}

fn hyper_write<R: Real>(w: &Weights<R>, h: &Streams<R>, y: &[Vec<R>]) -> Streams<R> {
    let streams = h.len();
    let stream = |m: usize| {
        let at = |t: usize| {
            let mix = |n: usize| {
                let dynamic = w.linear("mix", &normed(w, &h[n][t]))[m].tanh();
                w.get("r")[n * streams + m] + w.get("s_mix")[0] * dynamic
            };
            let strength = w.get("c")[m] + w.get("s_write")[0] * dot(w.get("w"), &normed(w, &h[m][t])).tanh();
            let mixed = weighed(&(0..streams).map(mix).collect::<Vec<R>>(), h.iter().map(|h| &h[t]));
            add(&mixed, &scale(&y[t], strength))
        };
        (0..y.len()).map(at).collect::<Rows<R>>()
    };
    (0..streams).map(stream).collect()
}

/// Two streams that differ; what is read, bent, is what the layer between gave.
pub(crate) fn hyper_connections<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let h = vec![x.to_vec(), shifted(x, &vec![R::of(1.0); x[0].len()])];
    let y = map(&hyper_read(&w.under("first"), &h), R::tanh);
    hyper_read(&w.under("last"), &hyper_write(&w.under("mixed"), &h, &y))
}
