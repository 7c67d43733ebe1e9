//! States that correct what they hold: the delta rule and its relatives.

use crate::math::{
    Rows, Weights, add, add_rows, delta, dot, each, fade, fade_all, map, merge, mul, read, recur, scale, split,
    unit_length, write, zeros, zip,
};
use crate::real::Real;

/// A projection behind its short convolution and silu, by head.
fn convolved<R: Real>(w: &Weights<R>, name: &str, x: &[Vec<R>], heads: usize) -> Vec<Rows<R>> {
    split(&map(&w.conv(&format!("{name}_conv"), &w.project(name, x)), R::silu), heads)
}

fn normed<R: Real>(x: &[Vec<R>]) -> Rows<R> {
    each(x, unit_length)
}

/// The delta rule with write strengths `most * sigmoid`, then the norm of each head.
fn plain<R: Real>(w: &Weights<R>, x: &[Vec<R>], most: f64) -> Rows<R> {
    let [q, k, v] = ["q", "k", "v"].map(|name| convolved(w, name, x, w.size("q.weight", 0)));
    let b = w.project("b", x);
    let head = |h: usize| {
        let (q, k) = (normed(&q[h]), normed(&k[h]));
        let y = recur(w, &q, &k, &v[h], |t, s| delta(s, &k[t], &v[h][t], b[t][h].sigmoid() * R::of(most)));
        w.rms("rms_norm", &y)
    };
    w.project("linear", &merge(&(0..q.len()).map(head).collect::<Vec<_>>()))
}

pub(crate) fn delta_net<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    plain(w, x, 1.0)
}

pub(crate) fn reflecting<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    plain(w, x, 2.0)
}

/// Value head `(g, r)` with key head `g`.
pub(crate) fn gated<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let (groups, each_group) = (w.size("v.weight", 0), w.size("v.weight", 1));
    let (q, k) = (convolved(w, "q", x, groups), convolved(w, "k", x, groups));
    let v = convolved(w, "v", x, groups * each_group);
    let (b, a) = (w.project("b", x), w.project("a", x));
    let head = |i: usize| {
        let (q, k) = (normed(&q[i / each_group]), normed(&k[i / each_group]));
        let root = R::of((k[0].len() as f64).powf(-0.5));
        let q = each(&q, |q| scale(q, root));
        let y = recur(w, &q, &k, &v[i], |t, s| {
            fade_all(s, (-(w.get("l")[i].exp() * (a[t][i] + w.get("dt_bias")[i]).softplus())).exp());
            delta(s, &k[t], &v[i][t], b[t][i].sigmoid());
        });
        w.rms("rms_norm", &y)
    };
    let y = merge(&(0..v.len()).map(head).collect::<Vec<_>>());
    w.project("linear", &zip(&y, &w.project("gate", x), |y, g| y * g.silu()))
}

pub(crate) fn kimi<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let [q, k, v] = ["q", "k", "v"].map(|name| convolved(w, name, x, w.size("q.weight", 0)));
    let b = w.project("b", x);
    let g = split(&each(&w.project("g", &w.project("low_g", x)), |g| add(g, w.get("dt_bias"))), q.len());
    let head = |h: usize| {
        let (q, k) = (normed(&q[h]), normed(&k[h]));
        let rate = -w.get("l")[h].exp();
        let y = recur(w, &q, &k, &v[h], |t, s| {
            fade(s, &g[h][t].iter().map(|g| (rate * g.softplus()).exp()).collect::<Vec<R>>());
            delta(s, &k[t], &v[h][t], b[t][h].sigmoid());
        });
        w.rms("rms_norm", &each(&y, |y| scale(y, R::of((k[0].len() as f64).powf(-0.5)))))
    };
    let y = merge(&(0..q.len()).map(head).collect::<Vec<_>>());
    let gate = w.project("gate", &w.project("low_gate", x));
    w.project("linear", &zip(&y, &gate, |y, g| y * g.sigmoid()))
}

/// Step `j` of head `h` has the key, value and strength number `(j, h)`.
pub(crate) fn product<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let (steps, heads) = (w.size("k.weight", 0), w.size("k.weight", 1));
    let q = split(&map(&w.project("q", x), R::silu), heads);
    let (k, v) = (w.project("k", x), w.project("v", x));
    let (k, v) = (split(&map(&k, R::silu), steps * heads), split(&map(&v, R::silu), steps * heads));
    let b = w.project("b", x);
    let head = |h: usize| {
        let y = recur(w, &normed(&q[h]), &k[h], &v[h], |t, s| {
            for i in (0..steps).map(|j| j * heads + h) {
                delta(s, &unit_length(&k[i][t]), &v[i][t], b[t][i].sigmoid() * R::of(2.0));
            }
        });
        w.rms("rms_norm", &y)
    };
    w.project("linear", &merge(&(0..heads).map(head).collect::<Vec<_>>()))
}

/// States of `V x K`, as they are published: `S <- S (diag(w) - c (a c)') + v k'`, read as `S r`.
pub(crate) fn rwkv7<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let shifted = |name: &str| w.token_shift(&format!("{name}_shift"), x);
    let heads = w.size("r.weight", 0);
    let [r, k, v] = ["r", "k", "v"].map(|name| w.heads(name, &shifted(name)));
    let low_rank = |path: &str, x: &[Vec<R>]| {
        let own = w.under(path);
        split(&own.project("linear", &own.project("low", x)), heads)
    };
    let decay = low_rank("w", &shifted("w"));
    let rate = low_rank("a", &shifted("a"));
    let gate = w.project("g", &map(&w.project("low", &shifted("g")), R::sigmoid));
    let own = |name: &str, h: usize| {
        let size = k[h][0].len();
        w.get(name)[h * size..(h + 1) * size].to_vec()
    };
    let head = |h: usize| {
        let mut s = zeros(v[h][0].len(), k[h][0].len());
        let (removal, part, bonus) = (own("removal", h), own("rate", h), own("u", h));
        let at = |t: usize| {
            let a: Vec<R> = rate[h][t].iter().map(|a| a.sigmoid()).collect();
            let c = unit_length(&mul(&k[h][t], &removal));
            let one = R::of(1.0);
            let k: Vec<R> = (0..a.len()).map(|i| k[h][t][i] * (one + (a[i] - one) * part[i])).collect();
            for (row, v) in s.iter_mut().zip(&v[h][t]) {
                let along = dot(row, &c);
                for i in 0..row.len() {
                    let kept = (decay[h][t][i].sigmoid() * R::of(-(-0.5f64).exp())).exp() * row[i];
                    row[i] = kept - along * a[i] * c[i] + *v * k[i];
                }
            }
            let y: Vec<R> = s.iter().map(|row| dot(row, &r[h][t])).collect();
            let again = dot(&mul(&r[h][t], &bonus), &k);
            (y, scale(&v[h][t], again))
        };
        let (y, again): (Rows<R>, Rows<R>) = (0..x.len()).map(at).unzip();
        w.keep("S", s.concat());
        add_rows(&w.part("normed", h, heads).layer_norm("normed", &y), &again)
    };
    let y = merge(&(0..heads).map(head).collect::<Vec<_>>());
    w.project("linear", &zip(&y, &gate, |y, g| y * g))
}

/// Each query by as many steps of conjugate gradients as the row binds, on matrices of the state.
pub(crate) fn mesa<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let [q, k, v] = ["q", "k", "v"].map(|name| convolved(w, name, x, w.size("q.weight", 0)));
    let [a, b] = ["a", "b"].map(|name| map(&w.project(name, x), R::sigmoid));
    let head = |h: usize| {
        let (q, k) = (normed(&q[h]), normed(&k[h]));
        let size = k[0].len();
        let ridge: Vec<R> = w.get("ridge")[h * size..(h + 1) * size].iter().map(|r| r.softplus()).collect();
        let (mut g, mut m) = (zeros(size, size), zeros(size, v[h][0].len()));
        let at = |t: usize| {
            for (state, from) in [(&mut g, &k[t]), (&mut m, &v[h][t])] {
                fade_all(state, a[t][h]);
                write(state, &scale(&k[t], b[t][h]), from);
            }
            read(&m, &solved(&g, &ridge, &q[t], 4))
        };
        let y: Rows<R> = (0..x.len()).map(at).collect();
        w.keep("G", g.concat());
        w.keep("M", m.concat());
        w.rms("rms_norm", &y)
    };
    w.project("linear", &merge(&(0..q.len()).map(head).collect::<Vec<_>>()))
}

/// `(G + diag(ridge)) x = q` by conjugate gradients from 0 (Hestenes and Stiefel, 1952).
fn solved<R: Real>(g: &[Vec<R>], ridge: &[R], q: &[R], steps: usize) -> Vec<R> {
    let (mut x, mut r, mut p) = (scale(q, R::of(0.0)), q.to_vec(), q.to_vec());
    for _ in 0..steps {
        let image = add(&g.iter().map(|row| dot(row, &p)).collect::<Vec<R>>(), &mul(ridge, &p));
        let before = dot(&r, &r);
        let step = before / dot(&p, &image);
        x = add(&x, &scale(&p, step));
        r = add(&r, &scale(&image, -step));
        p = add(&r, &scale(&p, dot(&r, &r) / before));
    }
    x
}
