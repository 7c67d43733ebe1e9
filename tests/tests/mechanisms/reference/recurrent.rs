//! State spaces, long convolutions and recurrent networks.

use crate::math::{
    Rows, Weights, add, add_rows, apply, dot, each, fade, fade_all, map, merge, mul, mul_rows, read, scale, shifted,
    split, sum, write, zeros, zip,
};
use crate::real::Real;

/// `h[i][n] <- exp(-exp(a[i][n]) dt[i]) h[i][n] + dt[i] b[n] u[i]`, `y[i] = sum h[i][n] c[n] + skip[i] u[i]`.
pub(crate) fn mamba<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let z = map(&w.project("z", x), R::silu);
    let u = map(&w.conv("u_conv", &w.project("u", x)), R::silu);
    let (b, c) = (w.project("b", &u), w.project("c", &u));
    let dt = each(&w.project("dt", &w.project("low", &u)), |dt| {
        dt.iter().zip(w.get("dt_bias")).map(|(dt, bias)| (*dt + *bias).softplus()).collect()
    });
    let (features, states) = (w.size("a", 0), w.size("a", 1));
    let mut h = zeros(features, states);
    let mut rows = Vec::new();
    for t in 0..x.len() {
        for i in 0..features {
            for n in 0..states {
                let decay = (-(w.get("a")[i * states + n].exp() * dt[t][i])).exp();
                h[i][n] = decay * h[i][n] + dt[t][i] * b[t][n] * u[t][i];
            }
        }
        rows.push((0..features).map(|i| dot(&h[i], &c[t]) + w.get("skip")[i] * u[t][i]).collect());
    }
    w.keep("S", h.concat());
    w.project("linear", &mul_rows(&rows, &z))
}

/// One layer: a scalar decay for each head, the norm over all heads of the gated output.
fn mamba2_layer<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let [u, b, c] = ["u", "b", "c"].map(|name| map(&w.conv(&format!("{name}_conv"), &w.project(name, x)), R::silu));
    let (z, dt) = (w.project("z", x), w.project("dt", x));
    let u = split(&u, w.size("a", 0));
    let head = |h: usize| {
        let mut s = zeros(b[0].len(), u[h][0].len());
        let at = |t: usize| {
            let dt = (dt[t][h] + w.get("dt_bias")[h]).softplus();
            fade_all(&mut s, (-(w.get("a")[h].exp() * dt)).exp());
            write(&mut s, &b[t], &scale(&u[h][t], dt));
            read(&s, &c[t])
        };
        let y = (0..x.len()).map(at).collect::<Rows<R>>();
        w.keep("S", s.concat());
        y
    };
    let y = merge(&(0..u.len()).map(head).collect::<Vec<_>>());
    w.project("linear", &w.rms("rms_norm", &zip(&y, &z, |y, z| y * z.silu())))
}

/// The seed: two layers.
pub(crate) fn mamba2<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let h = add_rows(x, &mamba2_layer(&w.under("h"), &w.rms("first_norm", x)));
    add_rows(&h, &mamba2_layer(&w.under("layer"), &w.rms("second_norm", &h)))
}

/// The sums as they are published, without a running maximum.
pub(crate) fn rwkv4<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let [k, v, r] = ["k", "v", "r"].map(|name| w.project(name, &w.token_shift(&format!("{name}_shift"), x)));
    let at = |t: usize, i: usize| {
        let rate = w.get("a")[i].exp();
        let weight = |s: usize| match t - s {
            0 => (w.get("u")[i] + k[t][i]).exp(),
            age => (k[s][i] - rate * R::of(age as f64 - 1.0)).exp(),
        };
        let total = sum((0..=t).map(weight));
        r[t][i].sigmoid() * sum((0..=t).map(|s| weight(s) * v[s][i])) / total
    };
    let y: Rows<R> = (0..x.len()).map(|t| (0..r[0].len()).map(|i| at(t, i)).collect()).collect();
    for i in 0..r[0].len() {
        let age = |s: usize| w.get("a")[i].exp() * R::of((x.len() - 1 - s) as f64);
        let exponents: Vec<R> = (0..x.len()).map(|s| k[s][i] - age(s)).collect();
        let top = exponents.iter().copied().reduce(R::max).expect("a position");
        let weights: Vec<R> = exponents.iter().map(|e| (*e - top).exp()).collect();
        w.keep("P", [top]);
        w.keep("B", [sum(weights.iter().copied())]);
        w.keep("A", [sum((0..x.len()).map(|s| weights[s] * v[s][i]))]);
    }
    w.project("linear", &y)
}

pub(crate) fn griffin<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let gate = map(&w.project("gate", x), R::gelu);
    let u = w.conv("conv", &w.project("u", x));
    let own = w.under("h");
    let (r, i) = (map(&own.project("r", &u), R::sigmoid), map(&own.project("i", &u), R::sigmoid));
    let mut h = vec![R::of(0.0); u[0].len()];
    let mut rows = Vec::new();
    for t in 0..x.len() {
        for j in 0..h.len() {
            let a = (own.get("l")[j].sigmoid().ln() * R::of(8.0) * r[t][j]).exp();
            h[j] = a * h[j] + (R::of(1.0) - a * a).sqrt() * i[t][j] * u[t][j];
        }
        rows.push(h.clone());
    }
    own.keep("S", h);
    w.project("linear", &mul_rows(&gate, &rows))
}

/// The convolution with the kernel `2 Re(C exp(dt A)^n (exp(dt A) - 1) / A)`, in complex numbers.
pub(crate) fn s4d<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let (features, states) = (w.size("a", 0), w.size("a", 1));
    type Complex<R> = (R, R);
    fn times<R: Real>(a: Complex<R>, b: Complex<R>) -> Complex<R> {
        (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
    }
    let kernel = |i: usize| {
        let mut total = vec![R::of(0.0); x.len()];
        for j in i * states..(i + 1) * states {
            let dt = w.get("log_dt")[i].exp();
            let a = (-w.get("a")[j].exp(), w.get("b")[j]);
            let size = (a.0 * dt).exp();
            let turn = (size * (a.1 * dt).cos(), size * (a.1 * dt).sin());
            let norm = a.0 * a.0 + a.1 * a.1;
            let enter = times((turn.0 - R::of(1.0), turn.1), (a.0 / norm, -a.1 / norm));
            let last = x.iter().fold((R::of(0.0), R::of(0.0)), |state, x| {
                let (state, new) = (times(state, turn), (enter.0 * x[i], enter.1 * x[i]));
                (state.0 + new.0, state.1 + new.1)
            });
            w.keep("Re", [last.0]);
            w.keep("Im", [last.1]);
            let mut state = times(enter, (w.get("c_re")[j], w.get("c_im")[j]));
            for total in &mut total {
                *total = *total + R::of(2.0) * state.0;
                state = times(state, turn);
            }
        }
        total
    };
    let kernels: Vec<Vec<R>> = (0..features).map(kernel).collect();
    let at =
        |t: usize, i: usize| (sum((0..=t).map(|s| kernels[i][t - s] * x[s][i])) + w.get("skip")[i] * x[t][i]).gelu();
    let y: Rows<R> = (0..x.len()).map(|t| (0..features).map(|i| at(t, i)).collect()).collect();
    w.project("linear", &y)
}

pub(crate) fn hyena<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let [a, b, v] = ["a", "b", "v"].map(|name| w.conv(&format!("{name}_conv"), &w.project(name, x)));
    let u = mul_rows(&a, &v);
    let periods = w.size("c.weight", 1);
    let kernel = |age: usize| {
        let part = age as f64 / 1024.0;
        let angle = |k: usize| 2.0 * std::f64::consts::PI * (k + 1) as f64 * part;
        let cos: Vec<R> = (0..periods).map(|k| R::of(angle(k).cos())).collect();
        let sin: Vec<R> = (0..periods).map(|k| R::of(angle(k).sin())).collect();
        let (c, s) = (w.linear("c", &cos), w.linear("s", &sin));
        let hidden = |f: usize| (w.get("freq")[f] * (c[f] + s[f] + w.get("time")[f] * R::of(part))).sin();
        let y = w.linear("kernel", &(0..c.len()).map(hidden).collect::<Vec<R>>());
        y.iter().zip(w.get("rate")).map(|(y, rate)| *y * (-(*rate * R::of(age as f64))).exp()).collect::<Vec<R>>()
    };
    let kernels: Rows<R> = (0..x.len()).map(kernel).collect();
    let at = |t: usize| {
        let terms = (0..=t).map(|s| mul(&kernels[t - s], &u[s]));
        terms.reduce(|a, b| add(&a, &b)).expect("a position")
    };
    let y: Rows<R> = (0..x.len()).map(at).collect();
    w.project("linear", &mul_rows(&b, &y))
}

/// Without the running maximum: the gates as they are.
pub(crate) fn mlstm<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let [q, k, v] = ["q", "k", "v"].map(|name| w.heads(name, x));
    let (i, f) = (w.project("i", x), w.project("log_f", x));
    let head = |h: usize| {
        let k = each(&k[h], |k| scale(k, R::of((k.len() as f64).powf(-0.5))));
        let mut c = zeros(k[0].len(), v[h][0].len());
        let mut n = zeros(k[0].len(), 1);
        let at = |t: usize| {
            let (keep, enter) = (f[t][h].sigmoid(), i[t][h].exp());
            for (state, from) in [(&mut c, v[h][t].clone()), (&mut n, vec![R::of(1.0)])] {
                fade_all(state, keep);
                write(state, &scale(&k[t], enter), &from);
            }
            let norm = read(&n, &q[h][t])[0].abs().max(R::of(1.0));
            scale(&read(&c, &q[h][t]), R::of(1.0) / norm)
        };
        let y: Rows<R> = (0..x.len()).map(at).collect();
        let column = |rows: &[Vec<R>]| rows.iter().map(|row| row[h]).collect::<Vec<R>>();
        let top = largest(&column(&f), &column(&i));
        let shrink = (-top).exp();
        w.keep("M", [top]);
        w.keep("C", scale(&c.concat(), shrink));
        w.keep("N", scale(&n.concat(), shrink));
        w.rms("rms_norm", &y)
    };
    let y = merge(&(0..q.len()).map(head).collect::<Vec<_>>());
    w.project("linear", &zip(&y, &w.project("o", x), |y, o| y * o.sigmoid()))
}

/// The largest of all exponents at the end: of the empty state, and of each write behind the gates that follow.
fn largest<R: Real>(forget: &[R], write: &[R]) -> R {
    let passed = |from: usize| sum(forget[from..].iter().map(|f| f.sigmoid().ln()));
    (0..write.len()).map(|s| write[s] + passed(s + 1)).fold(passed(0), R::max)
}

/// Without the running maximum.
pub(crate) fn slstm<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let heads = w.size("z_in.weight", 0);
    let inputs = ["z_in", "i_in", "f_in", "o_in"].map(|name| w.heads(name, x));
    let head = |h: usize| {
        let size = inputs[0][h][0].len();
        let zero = vec![R::of(0.0); size];
        let (mut c, mut n, mut out) = (zero.clone(), zero.clone(), zero);
        let mut gates = vec![(Vec::new(), Vec::new()); size];
        let at = |t: usize| {
            let gate = |j: usize, name: &str| {
                let square = &w.get(&format!("{name}.weight"))[h * size * size..(h + 1) * size * size];
                add(&inputs[j][h][t], &apply(square, &out))
            };
            let (z, i, f, o) = (gate(0, "z"), gate(1, "i"), gate(2, "log_f"), gate(3, "o"));
            for j in 0..size {
                c[j] = f[j].sigmoid() * c[j] + i[j].exp() * z[j].tanh();
                n[j] = f[j].sigmoid() * n[j] + i[j].exp();
                gates[j].0.push(f[j]);
                gates[j].1.push(i[j]);
            }
            out = (0..size).map(|j| o[j].sigmoid() * c[j] / n[j]).collect();
            out.clone()
        };
        let y: Rows<R> = (0..x.len()).map(at).collect();
        let tops: Vec<R> = gates.iter().map(|(forget, write)| largest(forget, write)).collect();
        let shrunk = |of: &[R]| mul(of, &tops.iter().map(|top| (-*top).exp()).collect::<Vec<R>>());
        w.keep("C", shrunk(&c));
        w.keep("N", shrunk(&n));
        w.keep("M", tops.iter().copied());
        w.keep("Out", out);
        w.rms("rms_norm", &y)
    };
    w.project("linear", &merge(&(0..heads).map(head).collect::<Vec<_>>()))
}

/// The present with its bonus first, then the state moves on.
fn rwkv6_time<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let delta = zip(&shifted(x, &vec![R::of(1.0); x[0].len()]), x, |before, x| before - x);
    let first = shifted(x, w.get("mu"));
    let low = split(&map(&w.project("low", &first), R::tanh), 5);
    let mixed = |p: usize| {
        let mix = w.part("mix", p, 5).project("mix", &low[p]);
        add_rows(x, &mul_rows(&delta, &mix))
    };
    let low_rank = |name: &str, p: usize| {
        let own = w.under(name);
        own.project("linear", &map(&own.project("low", &mixed(p)), R::tanh))
    };
    let (r, k, v) = (w.heads("r", &mixed(0)), w.heads("k", &mixed(2)), w.heads("v", &mixed(3)));
    let (rate, g) = (split(&low_rank("w", 1), r.len()), low_rank("g", 4));
    let head = |h: usize| {
        let size = k[h][0].len();
        let bonus = &w.get("u")[h * size..(h + 1) * size];
        let mut s = zeros(size, v[h][0].len());
        let at = |t: usize| {
            let mut now = s.clone();
            write(&mut now, &mul(bonus, &k[h][t]), &v[h][t]);
            let decay: Vec<R> = rate[h][t].iter().map(|w| (-w.exp()).exp()).collect();
            fade(&mut s, &decay);
            write(&mut s, &k[h][t], &v[h][t]);
            read(&now, &r[h][t])
        };
        let y: Rows<R> = (0..x.len()).map(at).collect();
        w.keep("S", s.concat());
        w.part("normed", h, r.len()).layer_norm("normed", &y)
    };
    let y = merge(&(0..r.len()).map(head).collect::<Vec<_>>());
    w.project("linear", &zip(&y, &g, |y, g| y * g.silu()))
}

fn rwkv6_channels<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let k = w.project("k", &shifted(x, w.get("mu_k")));
    let r = w.project("r", &shifted(x, w.get("mu_r")));
    zip(&r, &w.project("linear", &map(&k, |k| k.relu() * k.relu())), |r, v| r.sigmoid() * v)
}

/// The seed: time, then channels.
pub(crate) fn rwkv6<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let h = add_rows(x, &rwkv6_time(&w.under("h"), &w.layer_norm("time_norm", x)));
    add_rows(&h, &rwkv6_channels(&w.under("channel_mix"), &w.layer_norm("channel_norm", &h)))
}
