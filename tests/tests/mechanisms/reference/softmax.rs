//! Attention: scores, what they are softmaxed over, and what is weighed by them.

use crate::math::{
    Rows, Weights, add, add_rows, attend, dot, each, merge, rms, rope, rope_half, scale, scaled_dot, softmax, split,
    sum, sum_of_outers, unit_length, weighed, zip,
};
use crate::real::Real;

/// One head after the other, under `score(h, q, k, t, s)`, then the projection `linear`.
fn attention<R: Real>(
    w: &Weights<R>,
    x: &[Vec<R>],
    turn: impl Fn(&[Vec<R>]) -> Rows<R>,
    score: impl Fn(usize, R, usize, usize) -> Option<R>,
) -> Rows<R> {
    w.project("linear", &heads(w, x, turn, score))
}

fn heads<R: Real>(
    w: &Weights<R>,
    x: &[Vec<R>],
    turn: impl Fn(&[Vec<R>]) -> Rows<R>,
    score: impl Fn(usize, R, usize, usize) -> Option<R>,
) -> Rows<R> {
    let [q, k, v] = ["q", "k", "v"].map(|name| w.heads(name, x));
    let head = |h: usize| {
        let (q, k) = (turn(&q[h]), turn(&k[h]));
        attend(&v[h], |t, s| score(h, scaled_dot(&q, &k, t, s), t, s))
    };
    merge(&(0..q.len()).map(head).collect::<Vec<_>>())
}

fn as_is<R: Real>(x: &[Vec<R>]) -> Rows<R> {
    x.to_vec()
}

pub(crate) fn multi_head<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    attention(w, x, as_is, |_, score, _, _| Some(score))
}

pub(crate) fn rotary<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    attention(w, x, rope, |_, score, _, _| Some(score))
}

pub(crate) fn rotary_halves<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    attention(w, x, rope_half, |_, score, _, _| Some(score))
}

/// Query head `(g, r)` against key head `g`.
pub(crate) fn grouped_query<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let (groups, each) = (w.size("q.weight", 0), w.size("q.weight", 1));
    let (q, k, v) = (split(&w.project("q", x), groups * each), w.heads("k", x), w.heads("v", x));
    let head = |i: usize| attend(&v[i / each], |t, s| Some(scaled_dot(&q[i], &k[i / each], t, s)));
    w.project("linear", &merge(&(0..groups * each).map(head).collect::<Vec<_>>()))
}

pub(crate) fn multi_query<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let (q, k, v) = (w.heads("q", x), w.project("k", x), w.project("v", x));
    let heads: Vec<_> = q.iter().map(|q| attend(&v, |t, s| Some(scaled_dot(q, &k, t, s)))).collect();
    w.project("linear", &merge(&heads))
}

/// The last 8 positions.
pub(crate) fn window<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    attention(w, x, as_is, |_, score, t, s| (t - s < 8).then_some(score))
}

/// The first 2 positions and the last 8.
pub(crate) fn streaming<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    attention(w, x, as_is, |_, score, t, s| (s < 2 || t - s < 8).then_some(score))
}

/// The sink as one more element, whose value is 0.
pub(crate) fn sinks<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let [q, k, v] = ["q", "k", "v"].map(|name| w.heads(name, x));
    let at = |h: usize, t: usize| {
        let scores = (0..=t).map(|s| scaled_dot(&q[h], &k[h], t, s)).chain([w.get("b")[h]]);
        let p = softmax(&scores.collect::<Vec<_>>());
        weighed(&p[..=t], &v[h][..=t])
    };
    let heads: Vec<Rows<R>> = (0..q.len()).map(|h| (0..x.len()).map(|t| at(h, t)).collect()).collect();
    w.project("linear", &merge(&heads))
}

pub(crate) fn alibi<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let heads = w.size("q.weight", 0) as f64;
    let bias = |h: usize, age: usize| R::of(-(2f64.powf(-8.0 * (h + 1) as f64 / heads)) * age as f64);
    attention(w, x, as_is, |h, score, t, s| Some(score + bias(h, t - s)))
}

pub(crate) fn qk_norm<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let [q, k, v] = ["q", "k", "v"].map(|name| w.heads(name, x));
    let head = |h: usize| {
        let (q, k) = (w.rms("q_norm", &q[h]), w.rms("k_norm", &k[h]));
        attend(&v[h], |t, s| Some(scaled_dot(&q, &k, t, s)))
    };
    w.project("linear", &merge(&(0..q.len()).map(head).collect::<Vec<_>>()))
}

/// With a cap of 2, which bends scores of this size.
pub(crate) fn soft_cap<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let two = R::of(2.0);
    attention(w, x, as_is, |_, score, _, _| Some((score / two).tanh() * two))
}

pub(crate) fn latent<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let query = w.rms("query", &w.project("down_q", x));
    let latent = w.rms("latent", &w.project("down", x));
    let (q, r) = (w.heads("q", &query), w.heads("r", &query));
    let (k, v, u) = (w.heads("k", &latent), w.heads("v", &latent), rope(&w.project("u", x)));
    let head = |h: usize| {
        let r = rope(&r[h]);
        let size = R::of(((q[h][0].len() + u[0].len()) as f64).sqrt());
        attend(&v[h], |t, s| Some((dot(&q[h][t], &k[h][s]) + dot(&r[t], &u[s])) / size))
    };
    w.project("linear", &merge(&(0..q.len()).map(head).collect::<Vec<_>>()))
}

/// The gates between a key and its query, one logarithm after the other.
pub(crate) fn forgetting<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let gate = w.project("log_f", x);
    let passed = |h: usize, t: usize, s: usize| sum((s + 1..=t).map(|i| gate[i][h].sigmoid().ln()));
    attention(w, x, as_is, |h, score, t, s| Some(score + passed(h, t, s)))
}

pub(crate) fn gated<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let y = heads(w, x, rope, |_, score, _, _| Some(score));
    w.project("linear", &zip(&y, &w.project("gate", x), |y, g| y * g.sigmoid()))
}

/// In block 0: the base share is 0.8 - 0.6.
pub(crate) fn differential<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let [q1, k1, q2, k2, v] = ["q1", "k1", "q2", "k2", "v"].map(|name| w.heads(name, x));
    let base = R::of(0.8 - 0.6);
    let share = dot(w.get("a1"), w.get("b1")).exp() - dot(w.get("a2"), w.get("b2")).exp() + base;
    let head = |h: usize| {
        let first = attend(&v[h], |t, s| Some(scaled_dot(&q1[h], &k1[h], t, s)));
        let second = attend(&v[h], |t, s| Some(scaled_dot(&q2[h], &k2[h], t, s)));
        w.rms("normed", &zip(&first, &second, |a, b| a - share * b))
    };
    let y = merge(&(0..v.len()).map(head).collect::<Vec<_>>());
    w.project("linear", &each(&y, |y| scale(y, R::of(1.0) - base)))
}

/// For each pair of positions the whole product of maps, applied to the key from the oldest on.
pub(crate) fn path_window<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let [q, k, v] = ["q", "k", "v"].map(|name| w.heads(name, x));
    let turn = split(&w.conv("w_conv", &w.project("w", &w.project("low", x))), q.len());
    let strength = w.project("b", x);
    let head = |h: usize| {
        let carried = |t: usize, s: usize| {
            (s + 1..=t).fold(k[h][s].clone(), |key, i| {
                let along = unit_length(&turn[h][i]);
                let b = R::of(2.0) * strength[i][h].sigmoid();
                add(&key, &scale(&along, -(b * dot(&along, &key))))
            })
        };
        let score = |t: usize, s: usize| {
            let root = R::of((k[h][s].len() as f64).sqrt());
            (t - s < 16).then(|| dot(&q[h][t], &carried(t, s)) / root)
        };
        let last = x.len() - 1;
        w.keep("Keys", (last - 15..=last).flat_map(|s| carried(last, s)));
        attend(&v[h], score)
    };
    w.project("linear", &merge(&(0..q.len()).map(head).collect::<Vec<_>>()))
}

/// The standard unit `Attention` under a path.
pub(crate) fn standard<R: Real>(w: &Weights<R>, path: &str, x: &[Vec<R>]) -> Rows<R> {
    rotary(&w.under(path), x)
}

fn swiglu<R: Real>(w: &Weights<R>, path: &str, x: &[Vec<R>]) -> Rows<R> {
    super::shell::swiglu(&w.under(path), x)
}

fn over_depth<R: Real>(w: &Weights<R>, path: &str, sources: &[&Rows<R>]) -> Rows<R> {
    let query = w.get(&format!("{path}.w"));
    let at = |t: usize| {
        let scores: Vec<R> = sources.iter().map(|rows| dot(query, &rms(&rows[t]))).collect();
        weighed(&softmax(&scores), sources.iter().map(|rows| &rows[t]))
    };
    (0..sources[0].len()).map(at).collect()
}

pub(crate) fn depth<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let x = x.to_vec();
    let a = standard(w, "a", &w.rms("a_norm", &x));
    let b = swiglu(w, "b", &w.rms("b_norm", &over_depth(w, "b_in", &[&x, &a])));
    let c = standard(w, "c", &w.rms("c_norm", &over_depth(w, "c_in", &[&x, &a, &b])));
    let d = swiglu(w, "d", &w.rms("d_norm", &over_depth(w, "d_in", &[&x, &a, &b, &c])));
    over_depth(w, "out", &[&x, &a, &b, &c, &d])
}

/// The second Taylor polynomial of exp, in place of it.
pub(crate) fn taylor<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let [q, k, v] = ["q", "k", "v"].map(|name| w.heads(name, x));
    w.keep("Z0", [R::of(x.len() as f64)]);
    let head = |h: usize| {
        let at = |t: usize| {
            let weight = |s: usize| {
                let score = scaled_dot(&q[h], &k[h], t, s);
                R::of(1.0) + score + score * score / R::of(2.0)
            };
            let weights: Vec<R> = (0..=t).map(weight).collect();
            scale(&weighed(&weights, &v[h][..=t]), R::of(1.0) / sum(weights))
        };
        let ones = vec![R::of(1.0); x.len()];
        let k = each(&k[h], |k| scale(k, R::of((k.len() as f64).powf(-0.25))));
        let kk = each(&k, |k| k.iter().flat_map(|a| scale(k, *a * R::of(0.5f64.sqrt()))).collect());
        for (keys, s, z) in [(&k, "S1", "Z1"), (&kk, "S2", "Z2")] {
            w.keep(s, sum_of_outers(&ones, keys, &v[h]).concat());
            w.keep(z, weighed(&ones, keys));
        }
        w.keep("S0", weighed(&ones, &v[h]));
        (0..x.len()).map(at).collect::<Rows<R>>()
    };
    w.project("linear", &merge(&(0..q.len()).map(head).collect::<Vec<_>>()))
}

/// The seed: attention with biases, then the gated MLP.
pub(crate) fn gpt<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let h = add_rows(x, &standard(w, "h", &w.rms("attention_norm", x)));
    add_rows(&h, &swiglu(w, "swi_glu", &w.rms("mlp_norm", &h)))
}

/// Rotary attention of given values.
fn of_values<R: Real>(w: &Weights<R>, x: &[Vec<R>], v: &[Vec<R>]) -> Rows<R> {
    let [q, k] = ["q", "k"].map(|name| w.heads(name, x));
    let v = split(v, q.len());
    let head = |h: usize| {
        let (q, k) = (rope(&q[h]), rope(&k[h]));
        attend(&v[h], |t, s| Some(scaled_dot(&q, &k, t, s)))
    };
    w.project("linear", &merge(&(0..q.len()).map(head).collect::<Vec<_>>()))
}

/// The first block and a later one.
pub(crate) fn value_residual<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let (first, later) = (w.under("first"), w.under("later"));
    let block = |w: &Weights<R>, x: &[Vec<R>], v: &[Vec<R>]| {
        let h = add_rows(x, &of_values(&w.under("h"), &w.rms("normed", x), v));
        add_rows(&h, &swiglu(w, "swi_glu", &w.rms("mlp_norm", &h)))
    };
    let v1 = first.project("v1", &first.rms("normed", x));
    let x = block(&first, x, &v1);
    let own = later.project("own", &later.rms("normed", &x));
    let (a, b) = (later.get("a")[0], later.get("b")[0]);
    block(&later, &x, &zip(&v1, &own, |v1, own| a * v1 + b * own))
}
