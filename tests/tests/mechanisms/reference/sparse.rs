//! What is chosen, pooled and quantized: a choice is made by numbers, and what it picks is differentiated.

use super::shell::swiglu;
use crate::math::{
    Rows, Weights, add, attend, dot, each, map, merge, rope, scale, scaled_dot, softmax, split, sum, weighed,
};
use crate::real::Real;

/// Positions of a block, and blocks that are picked.
const BLOCK: usize = 4;
const PICKED: usize = 2;

/// The largest of some numbers, at most `count`, of equal ones the first.
fn largest(scores: &[f64], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    order.truncate(count);
    order
}

fn mean<R: Real>(x: &[Vec<R>]) -> Vec<R> {
    let total = x.iter().cloned().reduce(|a, b| add(&a, &b)).expect("a block holds positions");
    scale(&total, R::of(1.0 / x.len() as f64))
}

/// The blocks before that of `t` whose mean key is nearest to the query, and that of `t`.
pub(crate) fn moba<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let [q, k, v] = ["q", "k", "v"].map(|name| w.heads(name, x));
    let head = |h: usize| {
        let (q, k) = (rope(&q[h]), rope(&k[h]));
        let keys: Rows<R> = k.chunks(BLOCK).map(mean).collect();
        let choice = |t: usize| {
            let scores: Vec<f64> = keys[..t / BLOCK].iter().map(|key| dot(&q[t], key).value()).collect();
            largest(&scores, PICKED)
        };
        let choices: Vec<Vec<usize>> = (0..q.len()).map(choice).collect();
        let sees = |t: usize, s: usize| s / BLOCK == t / BLOCK || choices[t].contains(&(s / BLOCK));
        attend(&v[h], |t, s| sees(t, s).then(|| scaled_dot(&q, &k, t, s)))
    };
    w.project("linear", &merge(&(0..q.len()).map(head).collect::<Vec<_>>()))
}

/// The summary of a block of keys or values: an MLP of all its elements, each moved by its place.
fn summary<R: Real>(w: &Weights<R>, name: &str, block: &[Vec<R>]) -> Vec<R> {
    let hidden = w.linear(&format!("{name}_hidden"), &add(&block.concat(), w.get(&format!("{name}_place"))));
    w.linear(name, &hidden.into_iter().map(R::silu).collect::<Vec<_>>())
}

/// The mean of values under the softmax of scores; nothing where there are none.
fn seen<R: Real>(scores: &[R], values: &[&Vec<R>], size: usize) -> Vec<R> {
    if scores.is_empty() { vec![R::of(0.0); size] } else { weighed(&softmax(scores), values.iter().copied()) }
}

/// Summaries of completed blocks, the blocks that all heads of a group look at most, and the last 6 positions.
pub(crate) fn nsa<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let (groups, heads) = (w.size("q.weight", 0), w.size("q.weight", 1));
    let q: Vec<Rows<R>> = split(&w.project("q", x), groups * heads).iter().map(|q| rope(q)).collect();
    let k: Vec<Rows<R>> = w.heads("k", x).iter().map(|k| rope(k)).collect();
    let v = w.heads("v", x);
    let gates = map(&w.project("gate", x), R::sigmoid);
    let size = v[0][0].len();
    let group = |g: usize, t: usize| -> Vec<R> {
        let blocks = (t + 1) / BLOCK;
        let of = |x: &Rows<R>, b: usize| x[b * BLOCK..(b + 1) * BLOCK].to_vec();
        let keys: Rows<R> = (0..blocks).map(|b| summary(w, "key", &of(&k[g], b))).collect();
        let values: Rows<R> = (0..blocks).map(|b| summary(w, "value", &of(&v[g], b))).collect();
        let own = |r: usize| &q[g * heads + r];
        let scores = |r: usize| (0..blocks).map(|b| scaled_dot(own(r), &keys, t, b)).collect::<Vec<R>>();
        let attention: Vec<Vec<R>> = (0..heads).map(|r| softmax(&scores(r))).collect();
        let looks: Vec<f64> = (0..blocks).map(|b| attention.iter().map(|p| p[b].value()).sum()).collect();
        let picked = largest(&looks, PICKED);
        let chosen: Vec<usize> = picked.iter().flat_map(|b| b * BLOCK..(b + 1) * BLOCK).collect();
        let near: Vec<usize> = ((t + 1).saturating_sub(6)..=t).collect();
        let look = |r: usize, at: &[usize]| {
            let scores: Vec<R> = at.iter().map(|s| scaled_dot(own(r), &k[g], t, *s)).collect();
            seen(&scores, &at.iter().map(|s| &v[g][*s]).collect::<Vec<_>>(), size)
        };
        let head = |r: usize| {
            let coarse = seen(&scores(r), &values.iter().collect::<Vec<_>>(), size);
            let gate = |branch: usize| gates[t][(branch * groups + g) * heads + r];
            weighed(&[gate(0), gate(1), gate(2)], &[coarse, look(r, &chosen), look(r, &near)])
        };
        (0..heads).flat_map(head).collect()
    };
    let mixed: Rows<R> = (0..x.len()).map(|t| (0..groups).flat_map(|g| group(g, t)).collect()).collect();
    w.project("linear", &mixed)
}

/// Only the experts that are taken are evaluated.
pub(crate) fn top_experts<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    mixed(w, &each(&w.project("p", x), softmax), x)
}

/// The best experts by `p`, weighed by it.
fn mixed<R: Real>(w: &Weights<R>, p: &[Vec<R>], x: &[Vec<R>]) -> Rows<R> {
    let experts = p[0].len();
    let at = |(x, p): (&Vec<R>, &Vec<R>)| {
        let taken = largest(&p.iter().map(|p| p.value()).collect::<Vec<_>>(), PICKED);
        let total = sum(taken.iter().map(|e| p[*e]));
        let expert = |e: &usize| swiglu(&w.part("y", *e, experts).under("y"), std::slice::from_ref(x)).remove(0);
        let shares: Vec<R> = taken.iter().map(|e| p[*e] / total).collect();
        weighed(&shares, &taken.iter().map(expert).collect::<Vec<_>>())
    };
    x.iter().zip(p).map(at).collect()
}

pub(crate) fn balanced_experts<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    mixed(w, &each(&w.project("z", x), softmax), x)
}

/// `0.01 X sum_e f_e P_e`, of the part of the choices that fall on an expert and its mean probability (Fedus et al., 2022),
/// and `0.001` of the mean of `log(sum_e exp(z_e))^2` (Zoph et al., 2022).
pub(crate) fn balance<R: Real>(w: &Weights<R>, tokens: &[Vec<R>]) -> R {
    let z = w.project("z", tokens);
    let (p, count) = (each(&z, softmax), tokens.len() as f64);
    let values = |p: &Vec<R>| largest(&p.iter().map(|p| p.value()).collect::<Vec<_>>(), PICKED);
    let chosen: Vec<usize> = p.iter().flat_map(values).collect();
    let experts = p[0].len();
    let term = |e: usize| {
        let part = chosen.iter().filter(|chosen| **chosen == e).count() as f64 / (count * PICKED as f64);
        R::of(part) * sum(p.iter().map(|p| p[e])) / R::of(count)
    };
    let square = |z: &Vec<R>| {
        let total = sum(z.iter().map(|z| z.exp())).ln();
        total * total
    };
    R::of(0.01 * experts as f64) * sum((0..experts).map(term)) + R::of(0.001 / count) * sum(z.iter().map(square))
}

/// The nearest code of each part, with the derivative of the part and of the code.
pub(crate) fn quantized<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    coded(w, x, |code, z| code + (z - R::of(z.value())))
}

/// The nearest code of each part, with the derivative of the part alone.
pub(crate) fn codes<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    coded(w, x, |code, z| z + R::of(code.value() - z.value()))
}

/// What becomes of each part and its nearest code, number by number, projected.
fn coded<R: Real>(w: &Weights<R>, x: &[Vec<R>], straight: impl Fn(R, R) -> R) -> Rows<R> {
    let size = w.size("code", 2);
    let part =
        |(g, z): (usize, &[R])| nearest(w, g, z).iter().zip(z).map(|(code, z)| straight(*code, *z)).collect::<Vec<R>>();
    let each_part = |z: &Vec<R>| z.chunks(size).enumerate().flat_map(part).collect::<Vec<R>>();
    let z = w.project("z", x);
    assert_eq!(z[0].len(), w.size("code", 0) * size);
    w.project("linear", &z.iter().map(each_part).collect::<Vec<_>>())
}

/// The code of a group that is nearest to a part.
fn nearest<'w, R: Real>(w: &'w Weights<R>, g: usize, z: &[R]) -> &'w [R] {
    let (codes, size) = (w.size("code", 1), w.size("code", 2));
    let code = |c: usize| &w.get("code")[(g * codes + c) * size..][..size];
    let near = |c: usize| -code(c).iter().zip(z).map(|(c, z)| (z.value() - c.value()).powi(2)).sum::<f64>();
    code(largest(&(0..codes).map(near).collect::<Vec<_>>(), 1)[0])
}

/// The mean of `(sg[z] - e)^2 + 0.25 (z - sg[e])^2` over all parts and tokens (van den Oord et al., 2017).
pub(crate) fn codebook<R: Real>(w: &Weights<R>, tokens: &[Vec<R>]) -> R {
    let size = w.size("code", 2);
    let square = |x: R| x * x;
    let number = |(e, z): (&R, &R)| square(R::of(z.value()) - *e) + R::of(0.25) * square(*z - R::of(e.value()));
    let part = |(g, z): (usize, &[R])| sum(nearest(w, g, z).iter().zip(z).map(number));
    let z = w.project("z", tokens);
    let total = sum(z.iter().flat_map(|z| z.chunks(size).enumerate().map(part).collect::<Vec<R>>()));
    total / R::of((z.len() * z[0].len()) as f64)
}

/// The mean of the last completed block of `size` positions, zero before the first.
fn pooled<R: Real>(x: &[Vec<R>], size: usize) -> Rows<R> {
    let at = |t: usize| match (t + 1) / size {
        0 => vec![R::of(0.0); x[0].len()],
        blocks => mean(&x[(blocks - 1) * size..blocks * size]),
    };
    (0..x.len()).map(at).collect()
}

pub(crate) fn scales<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let mix = softmax(w.get("m"));
    let scale_of = |s: usize| map(&w.part("y", s, 3).project("y", &pooled(x, 1 << s)), R::silu);
    let scales: Vec<Rows<R>> = (0..3).map(scale_of).collect();
    (0..x.len()).map(|t| weighed(&mix, scales.iter().map(|y| &y[t]))).collect()
}
