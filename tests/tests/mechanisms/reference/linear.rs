//! Linear attention and its feature maps, and states that fade by a number or a diagonal.

use crate::math::{
    Rows, Weights, add_rows, apply, attend, dot, each, fade, map, merge, recur, rope, scale, scaled_dot, softmax,
    split, sum, sum_of_outers, weighed, write, zeros, zip,
};
use crate::real::Real;

/// The three projections, by head.
fn qkv<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> [Vec<Rows<R>>; 3] {
    ["q", "k", "v"].map(|name| w.heads(name, x))
}

/// `sum over s <= t of (fq_t' fk_s) v_s / (1e-6 + sum over s <= t of fq_t' fk_s)`, quadratically.
fn kernel_attention<R: Real>(fq: &[Vec<R>], fk: &[Vec<R>], v: &[Vec<R>]) -> Rows<R> {
    let at = |t: usize| {
        let weights: Vec<R> = (0..=t).map(|s| dot(&fq[t], &fk[s])).collect();
        let total = sum(weights.iter().copied()) + R::of(1e-6);
        scale(&weighed(&weights, &v[..=t]), R::of(1.0) / total)
    };
    (0..v.len()).map(at).collect()
}

fn kernel_heads<R: Real>(
    w: &Weights<R>,
    x: &[Vec<R>],
    features: impl Fn(&str, usize, &[Vec<R>]) -> Rows<R>,
) -> Rows<R> {
    let [q, k, v] = qkv(w, x);
    let head = |h: usize| {
        let fk = features("k", h, &k[h]);
        let ones = vec![R::of(1.0); x.len()];
        w.keep("S", sum_of_outers(&ones, &fk, &v[h]).concat());
        w.keep("Z", weighed(&ones, &fk));
        kernel_attention(&features("q", h, &q[h]), &fk, &v[h])
    };
    w.project("linear", &merge(&(0..v.len()).map(head).collect::<Vec<_>>()))
}

pub(crate) fn elu<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let feature = |x: R| if x.value() > 0.0 { x + R::of(1.0) } else { x.exp() };
    kernel_heads(w, x, |_, _, x| map(x, feature))
}

pub(crate) fn performer<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let features = |x: &[R]| {
        let x = scale(x, R::of((x.len() as f64).powf(-0.25)));
        let half = dot(&x, &x) / R::of(2.0);
        let y = apply(w.get("w"), &x);
        y.iter().map(|u| (*u - half).exp() / R::of((y.len() as f64).sqrt())).collect()
    };
    kernel_heads(w, x, |_, _, x| each(x, features))
}

pub(crate) fn hedgehog<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let features = |name: &str, h: usize, x: &[Vec<R>]| {
        let size = x[0].len();
        let weight = &w.get(&format!("{name}_map.weight"))[h * size * size..(h + 1) * size * size];
        let bias = &w.get(&format!("{name}_map.bias"))[h * size..(h + 1) * size];
        each(x, |x| {
            let u: Vec<R> = apply(weight, x).iter().zip(bias).map(|(u, b)| *u + *b).collect();
            softmax(&u.iter().copied().chain(u.iter().map(|u| -*u)).collect::<Vec<R>>())
        })
    };
    kernel_heads(w, x, features)
}

pub(crate) fn rebased<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    kernel_heads(w, x, |name, _, x| map(&w.layer_norm(&format!("f{name}"), x), |u| u * u))
}

/// `O = (Q K' / sqrt(K) * gamma^(t - s) for s <= t) V`, norm a head, gate, projection.
pub(crate) fn retention<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let [q, k, v] = qkv(w, x);
    let head = |h: usize| {
        let (q, k) = (rope(&q[h]), rope(&k[h]));
        let gamma = 1.0 - 2f64.powi(-5 - h as i32);
        let root = (q[0].len() as f64).sqrt();
        let at = |t: usize| {
            let weight = |s: usize| dot(&q[t], &k[s]) * R::of(gamma.powi((t - s) as i32) / root);
            weighed(&(0..=t).map(weight).collect::<Vec<R>>(), &v[h][..=t])
        };
        let ages: Vec<R> = (0..x.len()).rev().map(|age| R::of(gamma.powi(age as i32))).collect();
        w.keep("S", sum_of_outers(&ages, &k, &v[h]).concat());
        w.rms("rms_norm", &(0..x.len()).map(at).collect::<Rows<R>>())
    };
    let y = merge(&(0..q.len()).map(head).collect::<Vec<_>>());
    w.project("linear", &zip(&y, &w.project("gate", x), |y, g| y * g.silu()))
}

/// The seed: retention, then the gated MLP.
pub(crate) fn retnet<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let h = add_rows(x, &retention(&w.under("h"), &w.rms("retention_norm", x)));
    add_rows(&h, &super::shell::swiglu(&w.under("swi_glu"), &w.rms("mlp_norm", &h)))
}

pub(crate) fn lightning<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let [q, k, v] = ["q", "k", "v"].map(|name| split(&map(&w.project(name, x), R::silu), w.size("q.weight", 0)));
    let heads = q.len();
    let head = |h: usize| {
        let decay = (-(2f64.powf(-8.0 * (h + 1) as f64 / heads as f64))).exp();
        recur_after(w, &q[h], &k[h], &v[h], |_| vec![R::of(decay); k[h][0].len()])
    };
    let y = w.rms("rms_norm", &merge(&(0..heads).map(head).collect::<Vec<_>>()));
    w.project("linear", &zip(&y, &w.project("gate", x), |y, g| y * g.sigmoid()))
}

/// `S <- diag(decay(t)) S + k_t v_t'`, then `S' q_t`.
fn recur_after<R: Real>(
    w: &Weights<R>,
    q: &[Vec<R>],
    k: &[Vec<R>],
    v: &[Vec<R>],
    decay: impl Fn(usize) -> Vec<R>,
) -> Rows<R> {
    recur(w, q, k, v, |t, s| {
        fade(s, &decay(t));
        write(s, &k[t], &v[t]);
    })
}

/// `sigmoid(g)^(1/16)` as one power.
fn sixteenth_root<R: Real>(g: R) -> R {
    (g.sigmoid().ln() / R::of(16.0)).exp()
}

fn normed_and_gated<R: Real>(w: &Weights<R>, x: &[Vec<R>], heads: &[Rows<R>]) -> Rows<R> {
    let y = merge(&heads.iter().map(|y| w.rms("rms_norm", y)).collect::<Vec<_>>());
    w.project("linear", &zip(&y, &w.project("gate", x), |y, g| y * g.silu()))
}

pub(crate) fn simple_gla<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let [q, k, v] = qkv(w, x);
    let decay = w.project("decay", x);
    let head = |h: usize| {
        let size = k[h][0].len();
        let q = each(&q[h], |q| scale(q, R::of((size as f64).powf(-0.5))));
        recur_after(w, &q, &k[h], &v[h], |t| vec![sixteenth_root(decay[t][h]); size])
    };
    normed_and_gated(w, x, &(0..q.len()).map(head).collect::<Vec<_>>())
}

pub(crate) fn gla_mixer<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let [q, k, v] = qkv(w, x);
    let decay = split(&w.project("decay", &w.project("low", x)), q.len());
    let head = |h: usize| {
        let q = each(&q[h], |q| scale(q, R::of((q.len() as f64).powf(-0.5))));
        recur_after(w, &q, &k[h], &v[h], |t| decay[h][t].iter().map(|g| sixteenth_root(*g)).collect())
    };
    normed_and_gated(w, x, &(0..q.len()).map(head).collect::<Vec<_>>())
}

/// The seed: gated linear attention, then the gated MLP.
pub(crate) fn gla<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let h = add_rows(x, &gla_mixer(&w.under("h"), &w.rms("mixer_norm", x)));
    add_rows(&h, &super::shell::swiglu(&w.under("swi_glu"), &w.rms("mlp_norm", &h)))
}

pub(crate) fn hgrn<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let (f, i, gate) = (map(&w.project("f", x), R::sigmoid), w.project("i", x), w.project("gate", x));
    let mut h = vec![R::of(0.0); f[0].len()];
    let mut rows = Vec::new();
    for (f, i) in f.iter().zip(&i) {
        h = h.iter().zip(f.iter().zip(i)).map(|(h, (f, i))| *f * *h + (R::of(1.0) - *f) * i.silu()).collect();
        rows.push(h.clone());
    }
    w.keep("S", h);
    w.project("linear", &zip(&w.rms("rms_norm", &rows), &gate, |y, g| y * g.sigmoid()))
}

pub(crate) fn hgrn2<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let (q, f, v) = (w.heads("q", x), w.heads("f", x), w.heads("v", x));
    let head = |h: usize| {
        let f = map(&f[h], R::sigmoid);
        recur_after(w, &map(&q[h], R::silu), &map(&f, |f| R::of(1.0) - f), &v[h], |t| f[t].clone())
    };
    let y = merge(&(0..q.len()).map(head).collect::<Vec<_>>());
    w.project("linear", &w.rms("rms_norm", &y))
}

/// With a fixed decay of 0.9, under the gated norm.
pub(crate) fn gated_norm<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let [q, k, v] = qkv(w, x);
    let head = |h: usize| recur_after(w, &q[h], &k[h], &v[h], |_| vec![R::of(0.9); k[h][0].len()]);
    let y = merge(&(0..q.len()).map(head).collect::<Vec<_>>());
    let gated = zip(&y, &w.project("z", x), |y, z| y * z.silu());
    w.project("linear", &w.rms("gated_rms_norm.rms_norm", &gated))
}

/// Slots as softmax averages over the past, taken as such.
pub(crate) fn abc<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let [q, k, v] = qkv(w, x);
    let score = w.heads("s", x);
    let head = |h: usize| {
        let slots = score[h][0].len();
        let slot = |m: usize, of: &[Vec<R>]| attend(of, |_, s| Some(score[h][s][m]));
        let keys: Vec<Rows<R>> = (0..slots).map(|m| slot(m, &k[h])).collect();
        let values: Vec<Rows<R>> = (0..slots).map(|m| slot(m, &v[h])).collect();
        let at = |t: usize| {
            let p: Vec<R> = keys.iter().map(|keys| scaled_dot(&q[h][t..=t], &keys[t..=t], 0, 0)).collect();
            weighed(&softmax(&p), values.iter().map(|values| &values[t]))
        };
        for m in 0..slots {
            let top = score[h].iter().map(|s| s[m]).reduce(R::max).expect("a position");
            let weights: Vec<R> = score[h].iter().map(|s| (s[m] - top).exp()).collect();
            w.keep("Top", [top]);
            w.keep("Z", [sum(weights.iter().copied())]);
            w.keep("Ks", weighed(&weights, &k[h]));
            w.keep("Vs", weighed(&weights, &v[h]));
        }
        (0..x.len()).map(at).collect::<Rows<R>>()
    };
    w.project("linear", &merge(&(0..q.len()).map(head).collect::<Vec<_>>()))
}

pub(crate) fn gsa<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let [q, k, v] = ["q", "k", "v"].map(|name| split(&map(&w.project(name, x), R::silu), w.size("q.weight", 0)));
    let keep = w.heads("keep", x);
    let head = |h: usize| {
        let keep = map(&keep[h], |g| (g.sigmoid().ln() / R::of(8.0)).exp());
        let new = map(&keep, |a| R::of(1.0) - a);
        let mut keys = zeros(keep[0].len(), k[h][0].len());
        let mut values = zeros(keep[0].len(), v[h][0].len());
        let at = |t: usize| {
            for (state, from) in [(&mut keys, &k[h]), (&mut values, &v[h])] {
                fade(state, &keep[t]);
                write(state, &new[t], &from[t]);
            }
            let p = softmax(&keys.iter().map(|key| dot(key, &q[h][t])).collect::<Vec<R>>());
            weighed(&p, &values)
        };
        let y = (0..x.len()).map(at).collect::<Rows<R>>();
        w.keep("Ks", keys.concat());
        w.keep("Vs", values.concat());
        y
    };
    let y = merge(&(0..q.len()).map(head).collect::<Vec<_>>());
    w.project("linear", &w.rms("rms_norm", &map(&y, R::silu)))
}

/// The bucket of each pair of positions by its definition: the buckets of `t` are cut off one after the
/// other, each as long as the lowest bit of what is left.
fn bucket(t: usize, s: usize) -> usize {
    if s == t {
        return 0;
    }
    let mut end = t;
    loop {
        let bit = end.trailing_zeros();
        let begin = end - (1 << bit);
        if s >= begin {
            return bit as usize + 1;
        }
        end = begin;
    }
}

pub(crate) fn log_linear<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let [q, k, v] = qkv(w, x);
    let (gate, levels) = (w.project("log_a", x), split(&w.project("weights", x), q.len()));
    let head = |h: usize| {
        let at = |t: usize| {
            let weight = |s: usize| {
                let kept = (s + 1..=t).fold(R::of(1.0), |kept, i| kept * gate[i][h].sigmoid());
                kept * levels[h][t][bucket(t, s)].softplus() * scaled_dot(&q[h], &k[h], t, s)
            };
            weighed(&(0..=t).map(weight).collect::<Vec<R>>(), &v[h][..=t])
        };
        (0..x.len()).map(at).collect::<Rows<R>>()
    };
    w.project("linear", &merge(&(0..q.len()).map(head).collect::<Vec<_>>()))
}
