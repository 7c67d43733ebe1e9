//! What references are written with: vectors at positions, weights by name, sums of products. Plain
//! loops over one item; nothing is batched, fused or reordered.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::real::Real;

/// A vector at each position.
pub(crate) type Rows<R> = Vec<Vec<R>>;
/// A matrix as rows; as a state, `K` rows of `V`.
pub(crate) type Matrix<R> = Vec<Vec<R>>;

/// A weight, row-major.
#[derive(Clone, Debug)]
pub(crate) struct Weight<R> {
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Vec<R>,
}

/// The weights of a unit by their names, and what its states hold at the end.
#[derive(Clone, Debug)]
pub(crate) struct Weights<R> {
    all: Rc<BTreeMap<String, Weight<R>>>,
    kept: Rc<RefCell<BTreeMap<String, Vec<R>>>>,
    /// What all names begin with.
    path: String,
}

impl<R: Real> Weights<R> {
    pub(crate) fn new(all: BTreeMap<String, Weight<R>>) -> Self {
        Self { all: Rc::new(all), kept: Rc::default(), path: String::new() }
    }

    fn find(&self, name: &str) -> Option<&Weight<R>> {
        self.all.get(&format!("{}{name}", self.path))
    }

    fn weight(&self, name: &str) -> &Weight<R> {
        let names = || self.all.keys().collect::<Vec<_>>();
        self.find(name).unwrap_or_else(|| panic!("no weight `{}{name}` among {:?}", self.path, names()))
    }

    /// Notes what a state holds behind the last position; of several heads one after the other.
    pub(crate) fn keep(&self, name: &str, values: impl IntoIterator<Item = R>) {
        self.kept.borrow_mut().entry(format!("{}{name}", self.path)).or_default().extend(values);
    }

    /// What was noted since it was last asked for.
    pub(crate) fn take_kept(&self) -> BTreeMap<String, Vec<R>> {
        self.kept.take()
    }

    /// The elements of a weight.
    pub(crate) fn get(&self, name: &str) -> &[R] {
        &self.weight(name).data
    }

    /// The size of a weight along its axis number `axis`.
    pub(crate) fn size(&self, name: &str, axis: usize) -> usize {
        self.weight(name).shape[axis]
    }

    /// Element `index` of the weights `path.`, whose first axis has `count`.
    pub(crate) fn part(&self, path: &str, index: usize, count: usize) -> Weights<R> {
        let prefix = format!("{}{path}.", self.path);
        let own = |weight: &Weight<R>| {
            let size = weight.data.len() / count;
            let data = weight.data[index * size..(index + 1) * size].to_vec();
            Weight { shape: weight.shape[1..].to_vec(), data }
        };
        let inside = self.all.iter().filter(|(name, _)| name.starts_with(&prefix));
        let all = inside.map(|(name, weight)| (name.clone(), own(weight))).collect();
        Weights { all: Rc::new(all), ..self.clone() }
    }

    /// The weights whose names begin with `path.`, by the rest of their names.
    pub(crate) fn under(&self, path: &str) -> Weights<R> {
        Weights { path: format!("{}{path}.", self.path), ..self.clone() }
    }

    /// `W x + b` by the weights `path.weight` and, where there is one, `path.bias`.
    pub(crate) fn linear(&self, path: &str, x: &[R]) -> Vec<R> {
        let y = apply(self.get(&format!("{path}.weight")), x);
        match self.find(&format!("{path}.bias")) {
            Some(bias) => add(&y, &bias.data),
            None => y,
        }
    }

    /// [`linear`](Self::linear) at each position.
    pub(crate) fn project(&self, path: &str, x: &[Vec<R>]) -> Rows<R> {
        each(x, |x| self.linear(path, x))
    }

    /// A projection onto `[H, E]`, by head.
    pub(crate) fn heads(&self, path: &str, x: &[Vec<R>]) -> Vec<Rows<R>> {
        split(&self.project(path, x), self.size(&format!("{path}.weight"), 0))
    }

    /// RMS norm by the gain `path.gain`, over pieces as long as the gain.
    pub(crate) fn rms(&self, path: &str, x: &[Vec<R>]) -> Rows<R> {
        let gain = self.get(&format!("{path}.gain"));
        each(x, |x| pieces(x, gain.len(), |x| mul(&rms(x), gain)))
    }

    /// Layer norm by `path.gain` and `path.bias`, over pieces as long as the gain.
    pub(crate) fn layer_norm(&self, path: &str, x: &[Vec<R>]) -> Rows<R> {
        let (gain, bias) = (self.get(&format!("{path}.gain")), self.get(&format!("{path}.bias")));
        each(x, |x| pieces(x, gain.len(), |x| add(&mul(&centered(x), gain), bias)))
    }

    /// Causal depthwise convolution by `path.kernel` of `[W, features]`, the oldest first, and, where
    /// there is one, `path.bias`.
    pub(crate) fn conv(&self, path: &str, x: &[Vec<R>]) -> Rows<R> {
        let kernel = ["kernel", "short_conv.kernel"].map(|name| self.find(&format!("{path}.{name}")));
        let kernel = kernel.into_iter().flatten().next().expect("a kernel");
        let bias = self.find(&format!("{path}.bias"));
        let (width, features) = (kernel.shape[0], x[0].len());
        let at = |t: usize, i: usize| {
            let first = bias.map_or(R::of(0.0), |bias| bias.data[i]);
            let taps =
                (0..width.min(t + 1)).map(|back| kernel.data[(width - 1 - back) * features + i] * x[t - back][i]);
            taps.fold(first, |sum, tap| sum + tap)
        };
        (0..x.len()).map(|t| (0..features).map(|i| at(t, i)).collect()).collect()
    }

    /// Token shift by `path.mix`: `x + (before - x) * mix`.
    pub(crate) fn token_shift(&self, path: &str, x: &[Vec<R>]) -> Rows<R> {
        shifted(x, self.get(&format!("{path}.mix")))
    }
}

/// Each feature moved a part of the way to its value at the position before, 0 before the start.
pub(crate) fn shifted<R: Real>(x: &[Vec<R>], by: &[R]) -> Rows<R> {
    let before = |t: usize, i: usize| if t == 0 { R::of(0.0) } else { x[t - 1][i] };
    let at = |t: usize, i: usize| x[t][i] + (before(t, i) - x[t][i]) * by[i];
    (0..x.len()).map(|t| (0..by.len()).map(|i| at(t, i)).collect()).collect()
}

/// A function of each position.
pub(crate) fn each<R: Real>(x: &[Vec<R>], f: impl Fn(&[R]) -> Vec<R>) -> Rows<R> {
    x.iter().map(|x| f(x)).collect()
}

/// A function of each element.
pub(crate) fn map<R: Real>(x: &[Vec<R>], f: impl Fn(R) -> R) -> Rows<R> {
    each(x, |x| x.iter().map(|x| f(*x)).collect())
}

/// A function of two values at each position, element by element.
pub(crate) fn zip<R: Real>(a: &[Vec<R>], b: &[Vec<R>], f: impl Fn(R, R) -> R) -> Rows<R> {
    a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| f(*a, *b)).collect()).collect()
}

/// A function of each piece of `size` elements.
pub(crate) fn pieces<R: Real>(x: &[R], size: usize, f: impl Fn(&[R]) -> Vec<R>) -> Vec<R> {
    x.chunks(size).flat_map(f).collect()
}

/// Equal pieces of each position, by piece: `[t][h * e]` as `[h][t][e]`.
pub(crate) fn split<R: Real>(x: &[Vec<R>], count: usize) -> Vec<Rows<R>> {
    let size = x[0].len() / count;
    (0..count).map(|h| each(x, |x| x[h * size..(h + 1) * size].to_vec())).collect()
}

/// The inverse of [`split`].
pub(crate) fn merge<R: Real>(heads: &[Rows<R>]) -> Rows<R> {
    (0..heads[0].len()).map(|t| heads.iter().flat_map(|head| head[t].clone()).collect()).collect()
}

pub(crate) fn sum<R: Real>(x: impl IntoIterator<Item = R>) -> R {
    x.into_iter().fold(R::of(0.0), |sum, x| sum + x)
}

pub(crate) fn dot<R: Real>(a: &[R], b: &[R]) -> R {
    assert_eq!(a.len(), b.len());
    sum(a.iter().zip(b).map(|(a, b)| *a * *b))
}

pub(crate) fn add<R: Real>(a: &[R], b: &[R]) -> Vec<R> {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| *a + *b).collect()
}

pub(crate) fn mul<R: Real>(a: &[R], b: &[R]) -> Vec<R> {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| *a * *b).collect()
}

pub(crate) fn scale<R: Real>(x: &[R], by: R) -> Vec<R> {
    x.iter().map(|x| *x * by).collect()
}

pub(crate) fn add_rows<R: Real>(a: &[Vec<R>], b: &[Vec<R>]) -> Rows<R> {
    zip(a, b, |a, b| a + b)
}

pub(crate) fn mul_rows<R: Real>(a: &[Vec<R>], b: &[Vec<R>]) -> Rows<R> {
    zip(a, b, |a, b| a * b)
}

/// A row-major matrix of as many columns as `x` has elements, times `x`.
pub(crate) fn apply<R: Real>(w: &[R], x: &[R]) -> Vec<R> {
    w.chunks(x.len()).map(|row| dot(row, x)).collect()
}

/// `x / sqrt(mean x^2 + 1e-5)`
pub(crate) fn rms<R: Real>(x: &[R]) -> Vec<R> {
    let square = dot(x, x) / R::of(x.len() as f64);
    scale(x, R::of(1.0) / (square + R::of(1e-5)).sqrt())
}

/// `(x - mean) / sqrt(variance + 1e-5)`
pub(crate) fn centered<R: Real>(x: &[R]) -> Vec<R> {
    let mean = sum(x.iter().copied()) / R::of(x.len() as f64);
    rms(&x.iter().map(|x| *x - mean).collect::<Vec<R>>())
}

/// `x / sqrt(sum x^2 + 1e-6)`
pub(crate) fn unit_length<R: Real>(x: &[R]) -> Vec<R> {
    scale(x, R::of(1.0) / (dot(x, x) + R::of(1e-6)).sqrt())
}

/// `exp(x) / sum exp(x)`, moved by the largest value, which is a constant to it.
pub(crate) fn softmax<R: Real>(x: &[R]) -> Vec<R> {
    let top = x.iter().map(|x| x.value()).fold(f64::NEG_INFINITY, f64::max);
    let e: Vec<R> = x.iter().map(|x| (*x - R::of(top)).exp()).collect();
    let total = sum(e.iter().copied());
    e.iter().map(|e| *e / total).collect()
}

/// The mean of vectors under weights.
pub(crate) fn weighed<'a, R: Real + 'a>(weights: &[R], values: impl IntoIterator<Item = &'a Vec<R>>) -> Vec<R> {
    let terms = weights.iter().zip(values).map(|(w, v)| scale(v, *w));
    terms.reduce(|a, b| add(&a, &b)).expect("at least one value")
}

/// Causal attention of one head: the softmax, over the `s` that have a score, of `score(t, s)`, times `v`.
pub(crate) fn attend<R: Real>(v: &[Vec<R>], score: impl Fn(usize, usize) -> Option<R>) -> Rows<R> {
    let at = |t: usize| {
        let (scores, values): (Vec<R>, Vec<&Vec<R>>) = (0..=t).filter_map(|s| Some((score(t, s)?, &v[s]))).unzip();
        weighed(&softmax(&scores), values)
    };
    (0..v.len()).map(at).collect()
}

/// `q_t' k_s / sqrt(E)`
pub(crate) fn scaled_dot<R: Real>(q: &[Vec<R>], k: &[Vec<R>], t: usize, s: usize) -> R {
    dot(&q[t], &k[s]) / R::of((q[t].len() as f64).sqrt())
}

/// Turns the pairs `(2 i, 2 i + 1)` of each position by `t * 10000^(-2 i / size)`.
pub(crate) fn rope<R: Real>(x: &[Vec<R>]) -> Rows<R> {
    turned(x, |i, _| (2 * i, 2 * i + 1))
}

/// Turns the pairs `(i, i + size / 2)` by the same angles.
pub(crate) fn rope_half<R: Real>(x: &[Vec<R>]) -> Rows<R> {
    turned(x, |i, size| (i, i + size / 2))
}

fn turned<R: Real>(x: &[Vec<R>], pair: impl Fn(usize, usize) -> (usize, usize)) -> Rows<R> {
    let mut rows = x.to_vec();
    for (t, row) in rows.iter_mut().enumerate() {
        let size = row.len();
        for i in 0..size / 2 {
            let angle = t as f64 * 10_000f64.powf(-2.0 * i as f64 / size as f64);
            let (sin, cos) = (R::of(angle.sin()), R::of(angle.cos()));
            let (a, b) = pair(i, size);
            (row[a], row[b]) = (row[a] * cos - row[b] * sin, row[a] * sin + row[b] * cos);
        }
    }
    rows
}

pub(crate) fn zeros<R: Real>(rows: usize, columns: usize) -> Matrix<R> {
    vec![vec![R::of(0.0); columns]; rows]
}

/// `S <- S + k v'`
pub(crate) fn write<R: Real>(s: &mut Matrix<R>, k: &[R], v: &[R]) {
    for (row, k) in s.iter_mut().zip(k) {
        *row = add(row, &scale(v, *k));
    }
}

/// `S <- diag(d) S`
pub(crate) fn fade<R: Real>(s: &mut Matrix<R>, d: &[R]) {
    for (row, d) in s.iter_mut().zip(d) {
        *row = scale(row, *d);
    }
}

/// `S <- a S`
pub(crate) fn fade_all<R: Real>(s: &mut Matrix<R>, a: R) {
    for row in s {
        *row = scale(row, a);
    }
}

/// `S' q`
pub(crate) fn read<R: Real>(s: &[Vec<R>], q: &[R]) -> Vec<R> {
    weighed(q, s)
}

/// `S <- (I - b k k') S + b k v'`, as a matrix product.
pub(crate) fn delta<R: Real>(s: &mut Matrix<R>, k: &[R], v: &[R], b: R) {
    let removed = scale(&read(s, k), -b);
    write(s, k, &removed);
    write(s, k, &scale(v, b));
}

/// A matrix state `S` of one head from 0: at each position `step`, then `S' q`.
pub(crate) fn recur<R: Real>(
    w: &Weights<R>,
    q: &[Vec<R>],
    k: &[Vec<R>],
    v: &[Vec<R>],
    mut step: impl FnMut(usize, &mut Matrix<R>),
) -> Rows<R> {
    let mut s = zeros(k[0].len(), v[0].len());
    let at = |t: usize| {
        step(t, &mut s);
        read(&s, &q[t])
    };
    let y = (0..q.len()).map(at).collect();
    w.keep("S", s.concat());
    y
}

/// `sum over s of a_s k_s v_s'`
pub(crate) fn sum_of_outers<R: Real>(a: &[R], k: &[Vec<R>], v: &[Vec<R>]) -> Matrix<R> {
    let mut total = zeros(k[0].len(), v[0].len());
    for (a, (k, v)) in a.iter().zip(k.iter().zip(v)) {
        write(&mut total, &scale(k, *a), v);
    }
    total
}
