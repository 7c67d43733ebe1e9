//! Memories that are trained while they read: each position takes a step down the gradient of an inner loss.
//! The inner derivatives are written out by hand.

use crate::math::{
    Matrix, Rows, Weights, add, add_rows, dot, each, fade_all, map, merge, mul, read, rope, scale, split, sum,
    unit_length, write, zeros,
};
use crate::real::Real;

/// Layer norm of a vector with its gain and bias, and what it divided by.
struct Normed<R> {
    hat: Vec<R>,
    deviation: R,
    value: Vec<R>,
}

fn norm<R: Real>(z: &[R], gain: &[R], bias: &[R]) -> Normed<R> {
    let count = R::of(z.len() as f64);
    let mean = sum(z.iter().copied()) / count;
    let centered: Vec<R> = z.iter().map(|z| *z - mean).collect();
    let deviation = (dot(&centered, &centered) / count + R::of(1e-5)).sqrt();
    let hat = scale(&centered, R::of(1.0) / deviation);
    let value = add(&mul(&hat, gain), bias);
    Normed { hat, deviation, value }
}

/// The derivative of `1/2 |norm(z) - target|^2` to `z`.
fn through_norm<R: Real>(normed: &Normed<R>, gain: &[R], target: &[R]) -> Vec<R> {
    let off: Vec<R> = normed.value.iter().zip(target).map(|(y, t)| *y - *t).collect();
    let to_hat = mul(&off, gain);
    let count = R::of(to_hat.len() as f64);
    let mean = sum(to_hat.iter().copied()) / count;
    let along = dot(&to_hat, &normed.hat) / count;
    to_hat.iter().zip(&normed.hat).map(|(d, hat)| (*d - mean - *hat * along) / normed.deviation).collect()
}

/// The derivative of [`Real::gelu`].
fn gelu_slope<R: Real>(x: R) -> R {
    let (one, half, cubic) = (R::of(1.0), R::of(0.5), R::of(0.044715));
    let root = R::of((2.0 / std::f64::consts::PI).sqrt());
    let t = ((x + cubic * x * x * x) * root).tanh();
    half * (one + t) + half * x * (one - t * t) * root * (one + R::of(3.0) * cubic * x * x)
}

/// A layer of an inner network: a matrix, and what is added.
#[derive(Clone)]
struct Layer<R> {
    weight: Matrix<R>,
    bias: Vec<R>,
}

impl<R: Real> Layer<R> {
    /// Head `h` of the weights `weight` and `bias`.
    fn first(w: &Weights<R>, weight: &str, bias: &str, h: usize) -> Self {
        let (rows, columns) = (w.size(weight, 1), w.size(weight, 2));
        let own = &w.get(weight)[h * rows * columns..(h + 1) * rows * columns];
        let bias = w.get(bias)[h * columns..(h + 1) * columns].to_vec();
        Self { weight: own.chunks(columns).map(<[R]>::to_vec).collect(), bias }
    }

    fn zero(&self) -> Self {
        let weight = self.weight.iter().map(|row| scale(row, R::of(0.0))).collect();
        Self { weight, bias: scale(&self.bias, R::of(0.0)) }
    }

    fn apply(&self, x: &[R]) -> Vec<R> {
        add(&read(&self.weight, x), &self.bias)
    }

    /// Adds the derivative at an input, given that to the output.
    fn learn(&mut self, x: &[R], to_output: &[R]) {
        write(&mut self.weight, x, to_output);
        self.bias = add(&self.bias, to_output);
    }

    fn minus(&self, step: &Self) -> Self {
        let weight = self.weight.iter().zip(&step.weight).map(|(a, b)| add(a, &scale(b, R::of(-1.0)))).collect();
        Self { weight, bias: add(&self.bias, &scale(&step.bias, R::of(-1.0))) }
    }

    fn keep(&self, w: &Weights<R>, weight: &str, bias: &str) {
        w.keep(weight, self.weight.concat());
        w.keep(bias, self.bias.iter().copied());
    }
}

/// A network of two layers in chunks of 16: all derivatives of a chunk are taken at its start.
pub(crate) fn two_layers<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let [q, k, v] = ["q", "k", "v"].map(|name| w.heads(name, x));
    let rate = w.project("rate", x);
    let head = |h: usize| {
        let size = k[h][0].len();
        let (gain, bias) = (&w.get("gain")[h * size..(h + 1) * size], &w.get("bias")[h * size..(h + 1) * size]);
        let mut now = [Layer::first(w, "w1", "b1", h), Layer::first(w, "w2", "b2", h)];
        let (mut start, mut steps) = (now.clone(), now.clone());
        let mut rows = Vec::new();
        for t in 0..x.len() {
            if t % 16 == 0 {
                start = now.clone();
                steps = [start[0].zero(), start[1].zero()];
            }
            let strength = rate[t][h].sigmoid() / R::of(size as f64);
            let inner = start[0].apply(&k[h][t]);
            let hidden: Vec<R> = inner.iter().map(|z| z.gelu()).collect();
            let target = add(&v[h][t], &scale(&k[h][t], R::of(-1.0)));
            let normed = norm(&start[1].apply(&hidden), gain, bias);
            let to_output = scale(&through_norm(&normed, gain, &target), strength);
            let to_hidden: Vec<R> = start[1].weight.iter().map(|row| dot(row, &to_output)).collect();
            let to_inner: Vec<R> = to_hidden.iter().zip(&inner).map(|(d, z)| *d * gelu_slope(*z)).collect();
            steps[1].learn(&hidden, &to_output);
            steps[0].learn(&k[h][t], &to_inner);
            now = [start[0].minus(&steps[0]), start[1].minus(&steps[1])];
            let hidden: Vec<R> = now[0].apply(&q[h][t]).iter().map(|z| z.gelu()).collect();
            rows.push(add(&q[h][t], &norm(&now[1].apply(&hidden), gain, bias).value));
        }
        now[0].keep(w, "W1", "B1");
        now[1].keep(w, "W2", "B2");
        steps[0].keep(w, "G1", "C1");
        steps[1].keep(w, "G2", "C2");
        rows
    };
    w.project("linear", &merge(&(0..q.len()).map(head).collect::<Vec<_>>()))
}

/// Rotary positions that count from the start of a chunk of 16.
fn rope_in_chunk<R: Real>(x: &[Vec<R>]) -> Rows<R> {
    x.chunks(16).flat_map(rope).collect()
}

/// One layer in chunks of 16: the step of `s` as `t` sees it is `max(0, 1 / n + l_n) sigmoid(rate_s) / size`, `n` the
/// number of `t` in its chunk from 1.
fn one_layer<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let [q, k, v] = ["q", "k", "v"].map(|name| w.heads(name, x));
    let rate = w.project("rate", x);
    let head = |h: usize| {
        let (q, k) = (rope_in_chunk(&q[h]), rope_in_chunk(&k[h]));
        let size = k[0].len();
        let (gain, bias) = (&w.get("gain")[h * size..(h + 1) * size], &w.get("shift")[h * size..(h + 1) * size]);
        let mut now = Layer::first(w, "w0", "b0", h);
        let (mut start, mut steps) = (now.clone(), now.zero());
        let mut rows = Vec::new();
        for t in 0..x.len() {
            if t % 16 == 0 {
                (start, steps) = (now.clone(), now.zero());
            }
            let target = add(&v[h][t], &scale(&k[t], R::of(-1.0)));
            let normed = norm(&start.apply(&k[t]), gain, bias);
            let strength = rate[t][h].sigmoid() / R::of(size as f64);
            steps.learn(&k[t], &scale(&through_norm(&normed, gain, &target), strength));
            let token = (R::of(1.0 / (t % 16 + 1) as f64) + w.get("learned")[t % 16]).relu();
            now = start.minus(&Layer {
                weight: each(&steps.weight, |row| scale(row, token)),
                bias: scale(&steps.bias, token),
            });
            rows.push(add(&q[t], &norm(&now.apply(&q[t]), gain, bias).value));
        }
        now.keep(w, "W", "B");
        steps.keep(w, "GW", "GB");
        w.layer_norm("layer_norm", &rows)
    };
    w.project("linear", &merge(&(0..q.len()).map(head).collect::<Vec<_>>()))
}

/// The seed: convolution, inner learning, MLP.
pub(crate) fn ttt_linear<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let a = add_rows(x, &w.conv("a", &w.rms("conv_norm", x)));
    let b = add_rows(&a, &one_layer(&w.under("b"), &w.rms("ttt_norm", &a)));
    add_rows(&b, &super::shell::swiglu(&w.under("swi_glu"), &w.rms("mlp_norm", &b)))
}

/// A linear memory in chunks of 4, with momentum and forgetting: the gradient of `|M' k - v|^2` at the chunk's start.
pub(crate) fn titans<R: Real>(w: &Weights<R>, x: &[Vec<R>]) -> Rows<R> {
    let [q, k, v] = ["q", "k", "v"].map(|name| split(&map(&w.project(name, x), R::silu), w.size("q.weight", 0)));
    let [momentum, rate, keep] = ["momentum", "rate", "keep"].map(|name| map(&w.project(name, x), R::sigmoid));
    let head = |h: usize| {
        let (q, k) = (each(&q[h], unit_length), each(&k[h], unit_length));
        let (rows, columns) = (k[0].len(), v[h][0].len());
        let first = &w.get("m0")[h * rows * columns..(h + 1) * rows * columns];
        let mut m: Matrix<R> = first.chunks(columns).map(<[R]>::to_vec).collect();
        let (mut z, mut start) = (zeros(rows, columns), m.clone());
        let at = |t: usize| {
            if t.is_multiple_of(4) {
                start = m.clone();
            }
            let miss = add(&read(&start, &k[t]), &scale(&v[h][t], R::of(-1.0)));
            fade_all(&mut z, momentum[t][h]);
            write(&mut z, &k[t], &scale(&miss, -(R::of(2.0) * rate[t][h])));
            fade_all(&mut m, keep[t][h]);
            m = m.iter().zip(&z).map(|(m, z)| add(m, z)).collect();
            read(&m, &q[t])
        };
        let y = (0..x.len()).map(at).collect::<Rows<R>>();
        w.keep("M", m.concat());
        w.keep("Z", z.concat());
        y
    };
    w.project("linear", &merge(&(0..q.len()).map(head).collect::<Vec<_>>()))
}
