//! What no design that ships writes, so that its source is held as well.
//!
//! The design `Rare` at the scale `nano`, g2-c0a16ae30f8a894a27b5b4ed26a2ed2d.
//!
//! Written by `genesys emit --to rust`. Weights have the names that a checkpoint of Genesys has.

use candle_core::{DType, Result, Tensor};
use candle_nn::{Init, VarBuilder};

/// The size of the axis `D`.
pub const D: usize = 64;

/// The size of the axis `V`.
pub const V: usize = 23;

/// The size of the axis `H`.
pub const H: usize = 4;

/// The size of the axis `E`.
pub const E: usize = 16;

/// The size of the axis `High`.
pub const HIGH: usize = 8;

/// The size of the axis `Low`.
pub const LOW: usize = 8;

/// The language model: embedding, blocks, scores.
#[derive(Clone, Debug)]
pub struct Rare {
    /// `embedding.weight`: `[V, D]`.
    pub embedding: Tensor,
    /// `blocks.0` to `blocks.1`.
    pub blocks: Vec<Block>,
    /// `final`.
    pub last: RmsNorm,
}

impl Rare {
    /// Weights by their names in a checkpoint.
    pub fn new(vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            embedding: vb.get_with_hints((V, D), "embedding.weight", normal(0.02))?,
            blocks: (0..2)
                .map(|i| Block::new(vb.pp(format!("blocks.{i}"))))
                .collect::<Result<_>>()?,
            last: RmsNorm::new(vb.pp("final"))?,
        })
    }

    /// Tokens `[b, t]` to the scores of the next ones, `[b, t, V]`.
    pub fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        let (b, t) = (tokens.dim(0)?, tokens.dim(1)?);
        let x = self
            .embedding
            .index_select(&tokens.flatten_all()?, 0)?
            .reshape((b, t, D))?; // [b, t, D]
        let mut h = x; // [b, t, D]
        for block in &self.blocks {
            h = block.forward(&h)?;
        }
        let h_2 = self.last.forward(&h)?;
        let logits = einsum("btd,vd->btv", &h_2, &self.embedding)?; // [b, t, V]
        Ok(logits)
    }

    /// The mean over the targets `[b, t]` that count, in nats; `u32::MAX` does not.
    pub fn loss(&self, tokens: &Tensor, targets: &Tensor) -> Result<Tensor> {
        cross_entropy(&self.forward(tokens)?, targets)
    }
}

/// Parts of an axis, reductions of pasts that may be empty, sums in order, sinks, functions that are exact for small values,
/// the derivative of a part.
#[derive(Clone, Debug)]
pub struct Block {
    /// `u.gain`: `[D]`.
    pub u_gain: Tensor,
    /// `q.weight`: `[H, E, D]`.
    pub q: Tensor,
    /// `k.weight`: `[H, E, D]`.
    pub k: Tensor,
    /// `v.weight`: `[H, E, D]`.
    pub v: Tensor,
    /// `drift.weight`: `[H, D]`.
    pub drift: Tensor,
    /// `linear.weight`: `[D, H, E]`.
    pub linear: Tensor,
}

impl Block {
    /// Weights by their names in a checkpoint.
    pub fn new(vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            u_gain: vb.get_with_hints(D, "u.gain", Init::Const(1.0))?,
            q: vb.get_with_hints((H, E, D), "q.weight", uniform(-0.125, 0.125))?,
            k: vb.get_with_hints((H, E, D), "k.weight", uniform(-0.125, 0.125))?,
            v: vb.get_with_hints((H, E, D), "v.weight", uniform(-0.125, 0.125))?,
            drift: vb.get_with_hints((H, D), "drift.weight", uniform(-0.125, 0.125))?,
            linear: vb.get_with_hints((D, H, E), "linear.weight", uniform(-0.125, 0.125))?,
        })
    }

    /// `[b, t, D]` to `[b, t, D]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (b, t) = (x.dim(0)?, x.dim(1)?);
        let dtype = x.dtype();
        let past_seen = seen_from(t, 1, None, 0, x)?; // [t, past]
        let late_seen = seen_from(t, 1, Some(3), 2, x)?; // [t, late]
        let late_any = sees_any(&late_seen)?; // [t]
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled = x.mul(x)?; // [b, t, D]
        let mean = scaled.mean(2)?; // [b, t]
        let sqrt = mean.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let inner = x.broadcast_div(&sqrt.unsqueeze(2)?)?; // [b, t, D]
        let scaled_2 = self.u_gain.broadcast_mul(&inner)?; // [b, t, D]
        // let q = linear[D -> H, E](u)
        let q = einsum("btd,hed->bthe", &scaled_2, &self.q)?; // [b, t, H, E]
        // let turned = concat[High, Low -> E](cut[E -> High](q, from = D / 8), cut[E -> Lo ..
        let part = q.narrow(3, 8, HIGH)?; // [b, t, H, HIGH]
        let part_2 = q.narrow(3, 0, LOW)?; // [b, t, H, LOW]
        let turned = Tensor::cat(&[&part, &part_2], 3)?; // [b, t, H, E]
        // let v = linear[D -> H, E](u)
        let v = einsum("btd,hed->bthe", &scaled_2, &self.v)?; // [b, t, H, E]
        // let k = linear[D -> H, E](u)
        let k = einsum("btd,hed->bthe", &scaled_2, &self.k)?; // [b, t, H, E]
        // let drift = cumsum[Past](past(tanh(linear[D -> H](u)))) / 8
        let drift = einsum("btd,hd->bth", &scaled_2, &self.drift)?; // [b, t, H]
        // let score = dot[E](q, past(k)) / sqrt(E) + drift
        let dot = einsum_apart("bthe,bshe->bhts", &q, &k)?; // [b, H, t, past]
        // let drift = cumsum[Past](past(tanh(linear[D -> H](u)))) / 8
        let tanh = drift.tanh()?; // [b, t, H]
        let timed = tanh.unsqueeze(1)?.broadcast_as((b, t, t, H))?; // [b, t, past, H]
        let cumsum = cumsum_seen(&timed, 2, &past_seen.unsqueeze(2)?)?; // [b, t, past, H]
        let inner_2 = cumsum.affine(1.0 / 8.0, 0.0)?; // [b, t, past, H]
        // let score = dot[E](q, past(k)) / sqrt(E) + drift
        let score = dot
            .affine(1.0 / 4.0, 0.0)?
            .add(&inner_2.permute((0, 3, 1, 2))?)?; // [b, H, t, past]
        // let y = sum[Past](softmax[Past](score, sink = 0.5) * past(v))
        let weights = softmax_seen(&score, &[3], &past_seen, Some(0.5))?; // [b, H, t, past]
        let dot_2 = einsum_seen("bhts,bshe->bhte", &weights, &v, &past_seen)?; // [b, H, t, E]
        let q_at = unstack(&q, 1)?;
        let mut w = Tensor::zeros((b, H, E), dtype, x.device())?; // [b, H, E]
        let mut w_start = w.clone();
        let mut steps = Vec::with_capacity(t);
        for i in 0..t {
            if i % 4 == 0 {
                w_start = w.clone();
            }
            // let leaning = scan W: [H, E] = 0 every 4 {
            let sum = q_at[i].add(&w_start)?; // [b, H, E]
            let chosen = number(1.0, x)?.broadcast_as(b)?; // [b]
            let repeated = chosen
                .unsqueeze(1)?
                .unsqueeze(2)?
                .broadcast_as((b, H, HIGH))?; // [b, H, HIGH]
            let padded = repeated.pad_with_zeros(2, 8, E - 8 - HIGH)?; // [b, H, E]
            let scaled_3 = w.affine(0.5, 0.0)?; // [b, H, E]
            let inner_3 = sum.tanh()?.mul(&sum.tanh()?)?.affine(-1.0, 1.0)?; // [b, H, E]
            let scaled_4 = padded.mul(&inner_3)?; // [b, H, E]
            let sum_3 = scaled_3.add(&scaled_4)?; // [b, H, E]
            steps.push(sum_3.clone());
            w = sum_3;
        }
        let over_time = Tensor::stack(&steps, 1)?; // [b, t, H, E]
        let inner_4 = masked(
            &v.unsqueeze(1)?,
            &late_seen.unsqueeze(2)?.unsqueeze(3)?,
            f64::INFINITY,
        )?; // [b, t, late, H, E]
        let smallest = masked(
            &min(&inner_4, &[2])?,
            &late_any.unsqueeze(1)?.unsqueeze(2)?,
            1.0,
        )?; // [b, t, H, E]
        let inner_5 = masked(
            &v.unsqueeze(1)?,
            &late_seen.unsqueeze(2)?.unsqueeze(3)?,
            f64::NEG_INFINITY,
        )?; // [b, t, late, H, E]
        let largest = masked(
            &max(&inner_5, &[2])?,
            &late_any.unsqueeze(1)?.unsqueeze(2)?,
            -1.0,
        )?; // [b, t, H, E]
        let timed_2 = v.unsqueeze(1)?.broadcast_as((b, t, t, H, E))?; // [b, t, late, H, E]
        let inner_6 = log_sum_exp_seen(&timed_2, &[2], &late_seen.unsqueeze(2)?.unsqueeze(3)?)?; // [b, t, H, E]
        let log_sum = masked(&inner_6, &late_any.unsqueeze(1)?.unsqueeze(2)?, 0.0)?; // [b, t, H, E]
        // let beat = scan S: [H] = 0 {
        let mean_2 = v.mean(3)?; // [b, t, H]
        let position = count(t, x)?; // [t]
        let ratio = position.affine(1.0 / 16.0, 0.0)?; // [t]
        let sum_4 = mean_2.broadcast_add(&ratio.unsqueeze(1)?)?; // [b, t, H]
        let sum_4_at = unstack(&sum_4, 1)?;
        let mut s = Tensor::zeros((b, H), dtype, x.device())?; // [b, H]
        let mut steps_2 = Vec::with_capacity(t);
        for i in 0..t {
            let sum_5 = sum_4_at[i].add(&s)?; // [b, H]
            let tanh_3 = sum_5.tanh()?; // [b, H]
            steps_2.push(tanh_3.clone());
            s = tanh_3;
        }
        let over_time_2 = Tensor::stack(&steps_2, 1)?; // [b, t, H]
        // let soft = softmax[E](q, sink = 1) * logsumexp[E](k) * min[E](v) + erf(expm1(k)) ..
        let smallest_2 = min(&v, &[3])?; // [b, t, H]
        let log_sum_2 = log_sum_exp(&k, &[3])?; // [b, t, H]
        let weights_2 = softmax_with_sink(&q, &[3], 1.0)?; // [b, t, H, E]
        let inner_7 = smallest.add(&largest)?.mul(&log_sum)?; // [b, t, H, E]
        let scaled_5 = smallest_2.mul(&log_sum_2)?; // [b, t, H]
        let inner_8 = expm1(&k)?.erf()?.mul(&log1p(&v.exp()?)?)?; // [b, t, H, E]
        let inner_9 = scaled_5
            .unsqueeze(3)?
            .broadcast_mul(&weights_2)?
            .add(&inner_8)?; // [b, t, H, E]
        let inner_10 = over_time_2.unsqueeze(3)?.broadcast_mul(&inner_9)?; // [b, t, H, E]
        let inner_11 = remainder(&inv_softplus(&softplus(&q)?)?, &number(3.0, x)?)?; // [b, t, H, E]
        // let all = y + turned + leaning + (highest + lowest) * level + soft * beat + inv_ ..
        let all = turned
            .add(&dot_2.transpose(1, 2)?)?
            .add(&over_time)?
            .add(&inner_7)?
            .add(&inner_10)?
            .add(&inner_11)?; // [b, t, H, E]
        // x + linear[H, E -> D](all)
        let linear = einsum("bthe,dhe->btd", &all, &self.linear)?; // [b, t, D]
        let sum_6 = x.add(&linear)?; // [b, t, D]
        Ok(sum_6)
    }
}

/// Root mean square normalization over `A`, with a learned gain (Zhang and Sennrich, 2019).
#[derive(Clone, Debug)]
pub struct RmsNorm {
    /// `gain`: `[D]`.
    pub gain: Tensor,
}

impl RmsNorm {
    /// Weights by their names in a checkpoint.
    pub fn new(vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            gain: vb.get_with_hints(D, "gain", Init::Const(1.0))?,
        })
    }

    /// `[b, t, D]` to `[b, t, D]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled = x.mul(x)?; // [b, t, D]
        let mean = scaled.mean(2)?; // [b, t]
        let sqrt = mean.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let inner = x.broadcast_div(&sqrt.unsqueeze(2)?)?; // [b, t, D]
        let scaled_2 = self.gain.broadcast_mul(&inner)?; // [b, t, D]
        Ok(scaled_2)
    }
}

/// The sum of products that `spec` names: `"btd,hd->bth"` multiplies `[b, t, d]` with `[h, d]` and
/// sums over `d`, as a batched matrix product.
fn einsum(spec: &str, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (operands, result) = spec.split_once("->").expect("a spec has an arrow");
    let (left, right) = operands.split_once(',').expect("a spec has two operands");
    let kept = |labels: &str, other: &str, shared: bool, stays: bool| -> String {
        let fits = |l: &char| other.contains(*l) == shared && result.contains(*l) == stays;
        labels.chars().filter(fits).collect()
    };
    let batch = kept(left, right, true, true);
    let inner = kept(left, right, true, false);
    let (rows, columns) = (
        kept(left, right, false, true),
        kept(right, left, false, true),
    );
    let size = |label: char| match left.chars().position(|l| l == label) {
        Some(dim) => a.dims()[dim],
        None => b.dims()[right
            .chars()
            .position(|l| l == label)
            .expect("a label of an operand")],
    };
    let a = matrix(a, left, [&batch, &rows, &inner])?;
    let b = matrix(b, right, [&batch, &inner, &columns])?;
    let made = format!("{batch}{rows}{columns}");
    let shape: Vec<usize> = made.chars().map(size).collect();
    arrange(&a.matmul(&b)?.reshape(shape)?, &made, result)
}

/// The dimensions of `x`, labeled `from`, in the order `to`.
fn arrange(x: &Tensor, from: &str, to: &str) -> Result<Tensor> {
    let place = |l| {
        from.chars()
            .position(|label| label == l)
            .expect("a label of the operand")
    };
    let order: Vec<usize> = to.chars().map(place).collect();
    if order.is_sorted() {
        Ok(x.clone())
    } else {
        x.permute(order)
    }
}

/// `x`, labeled `labels`, as a batch of matrices; where it lies transposed it is not copied.
fn matrix(x: &Tensor, labels: &str, groups: [&String; 3]) -> Result<Tensor> {
    let [batch, rows, columns] = groups;
    let straight = arrange(x, labels, &format!("{batch}{rows}{columns}"))?;
    let turned = arrange(x, labels, &format!("{batch}{columns}{rows}"))?;
    let (n, r) = (batch.chars().count(), rows.chars().count());
    let [size, height] = [&straight.dims()[..n], &straight.dims()[n..n + r]].map(product);
    let width = product(&straight.dims()[n + r..]);
    if !straight.is_contiguous() && turned.is_contiguous() {
        return turned.reshape((size, width, height))?.transpose(1, 2);
    }
    straight.reshape((size, height, width))
}

/// How many elements such dimensions hold.
fn product(dims: &[usize]) -> usize {
    dims.iter().product()
}

/// As `einsum`, where `a` is 0 at the elements that are not `seen`: what `b` holds there, be it no
/// number, reaches neither the result nor a gradient.
fn einsum_seen(spec: &str, a: &Tensor, b: &Tensor, seen: &Tensor) -> Result<Tensor> {
    if is_finite(a)? && is_finite(b)? {
        return einsum(spec, a, b);
    }
    let finite = |x: &Tensor| x.detach().abs()?.lt(f64::INFINITY);
    let bad = |x: &Tensor| finite(x)?.eq(0u8)?.to_dtype(x.dtype());
    let clean = |x: &Tensor| finite(x)?.where_cond(x, &x.detach().zeros_like()?);
    let seen = seen.broadcast_as(a.shape())?.to_dtype(a.dtype())?;
    let spoiled = einsum(spec, &bad(a)?, &b.detach().ones_like()?)?;
    let spoiled = spoiled.add(&einsum(spec, &seen, &bad(b)?)?)?.gt(0.0)?;
    let result = einsum(spec, &clean(a)?, &clean(b)?)?;
    spoiled.where_cond(&number(f64::NAN, a)?.broadcast_as(result.shape())?, &result)
}

/// As `einsum`, of which elements that are not seen are not used: what is no number spoils the
/// elements that it is part of, and no gradient of others.
fn einsum_apart(spec: &str, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    einsum_seen(spec, a, b, &a.detach().ones_like()?.ne(0.0)?)
}

/// Whether all elements are finite; a sum that overflows is taken for one that is not.
fn is_finite(x: &Tensor) -> Result<bool> {
    let sum = x.detach().sum_all()?.to_dtype(DType::F64)?;
    Ok(sum.to_scalar::<f64>()?.is_finite())
}

/// A number as a tensor without dimensions, of the type of `like`.
fn number(value: f64, like: &Tensor) -> Result<Tensor> {
    Tensor::full(value, (), like.device())?.to_dtype(like.dtype())
}

/// 0, 1, .. in the type of `like`.
fn count(n: usize, like: &Tensor) -> Result<Tensor> {
    Tensor::arange(0u32, n as u32, like.device())?.to_dtype(like.dtype())
}

/// `x` where it is seen, elsewhere `fill`: a selection, never a product.
fn masked(x: &Tensor, seen: &Tensor, fill: f64) -> Result<Tensor> {
    let shape = x
        .shape()
        .broadcast_shape_binary_op(seen.shape(), "masked")?;
    let fill = number(fill, x)?.broadcast_as(&shape)?;
    seen.broadcast_as(&shape)?
        .where_cond(&x.broadcast_as(&shape)?, &fill)
}

/// `[t, n]`: which of the blocks of `size` positions each position sees: those that end by `skip`
/// positions before it, the last `window` of them; positions themselves where the size is 1.
fn seen_from(
    t: usize,
    size: usize,
    window: Option<usize>,
    skip: usize,
    like: &Tensor,
) -> Result<Tensor> {
    let blocks = (t / size).max(1);
    let sees = |i: usize| {
        let (now, last) = (i / blocks, (i % blocks + 1) * size - 1);
        u8::from(last + skip <= now && window.is_none_or(|window| now < last + skip + window))
    };
    Tensor::from_vec(
        (0..t * blocks).map(sees).collect(),
        (t, blocks),
        like.device(),
    )
}

/// `[t]`: whether a position sees anything.
fn sees_any(seen: &Tensor) -> Result<Tensor> {
    seen.to_dtype(DType::F32)?
        .sum(candle_core::D::Minus1)?
        .gt(0.0)
}

/// The largest element over `dims`, to subtract before exponentials: 0 where there is none, and
/// outside of the gradient.
fn top_of(x: &Tensor, dims: &[usize]) -> Result<Tensor> {
    let largest = |x: Tensor, dim: &usize| x.max_keepdim(*dim);
    let top = dims.iter().try_fold(x.detach(), largest)?;
    top.eq(f64::NEG_INFINITY)?
        .where_cond(&top.zeros_like()?, &top)
}

/// Where nothing is seen along `dims` of a value of that rank.
fn sees_nothing(seen: &Tensor, dims: &[usize], rank: usize) -> Result<Tensor> {
    let mut shape = vec![1; rank - seen.rank()];
    shape.extend(seen.dims());
    seen.to_dtype(DType::F32)?
        .reshape(shape)?
        .sum_keepdim(dims)?
        .eq(0.0)
}

/// As `softmax`, with one more element of score `sink`, which takes its part and gives nothing.
fn softmax_with_sink(x: &Tensor, dims: &[usize], sink: f64) -> Result<Tensor> {
    let top = top_of(x, dims)?.maximum(sink)?;
    let exps = x.broadcast_sub(&top)?.exp()?;
    let sum = exps
        .sum_keepdim(dims)?
        .add(&top.affine(-1.0, sink)?.exp()?)?;
    exps.broadcast_mul(&sum.recip()?)
}

/// `exp(x) / sum(exp(x))` over `dims` together, of the elements that are seen; 0 elsewhere. A
/// `sink` is one more element of that score, which takes its part and gives nothing.
fn softmax_seen(x: &Tensor, dims: &[usize], seen: &Tensor, sink: Option<f64>) -> Result<Tensor> {
    let x = masked(x, seen, f64::NEG_INFINITY)?;
    let mut top = top_of(&x, dims)?;
    if let Some(sink) = sink {
        top = top.maximum(sink)?;
    }
    let exps = x.broadcast_sub(&top)?.exp()?;
    let mut sum = exps.sum_keepdim(dims)?;
    if let Some(sink) = sink {
        sum = sum.add(&top.affine(-1.0, sink)?.exp()?)?;
    }
    let nothing = sees_nothing(seen, dims, x.rank())?.broadcast_as(sum.shape())?;
    let sum = nothing.where_cond(&sum.ones_like()?, &sum)?;
    masked(&exps.broadcast_mul(&sum.recip()?)?, seen, 0.0)
}

/// `log(sum(exp(x)))` over `dims` together.
fn log_sum_exp(x: &Tensor, dims: &[usize]) -> Result<Tensor> {
    let top = top_of(x, dims)?;
    let sum = x.broadcast_sub(&top)?.exp()?.sum_keepdim(dims)?;
    squeeze(&sum.log()?.add(&top)?, dims)
}

/// As `log_sum_exp`, of the elements that are seen: negative infinity where there is none.
fn log_sum_exp_seen(x: &Tensor, dims: &[usize], seen: &Tensor) -> Result<Tensor> {
    let x = masked(x, seen, f64::NEG_INFINITY)?;
    let top = top_of(&x, dims)?;
    let sum = x.broadcast_sub(&top)?.exp()?.sum_keepdim(dims)?;
    let nothing = sees_nothing(seen, dims, x.rank())?.broadcast_as(sum.shape())?;
    let sum = nothing
        .where_cond(&sum.ones_like()?, &sum)?
        .log()?
        .add(&top)?;
    let empty = number(f64::NEG_INFINITY, &x)?.broadcast_as(sum.shape())?;
    squeeze(&nothing.where_cond(&empty, &sum)?, dims)
}

/// `x` without `dims`, each of which has one element.
fn squeeze(x: &Tensor, dims: &[usize]) -> Result<Tensor> {
    let mut dims = dims.to_vec();
    dims.sort_unstable();
    dims.iter()
        .rev()
        .try_fold(x.clone(), |x, dim| x.squeeze(*dim))
}

/// The largest element over `dims` together; equal ones share the derivative evenly.
fn max(x: &Tensor, dims: &[usize]) -> Result<Tensor> {
    let largest = |x: Tensor, dim: &usize| x.max_keepdim(*dim);
    extreme(x, dims, &dims.iter().try_fold(x.clone(), largest)?)
}

/// The smallest element over `dims` together; equal ones share the derivative evenly.
fn min(x: &Tensor, dims: &[usize]) -> Result<Tensor> {
    let smallest = |x: Tensor, dim: &usize| x.min_keepdim(*dim);
    extreme(x, dims, &dims.iter().try_fold(x.clone(), smallest)?)
}

/// `found`, the extreme of `x` over `dims`, with the derivative shared by all that equal it.
fn extreme(x: &Tensor, dims: &[usize], found: &Tensor) -> Result<Tensor> {
    let chosen = x.detach().broadcast_eq(&found.detach())?;
    let count = chosen.to_dtype(x.dtype())?.sum_keepdim(dims)?;
    let sum = chosen
        .where_cond(x, &x.detach().zeros_like()?)?
        .sum_keepdim(dims)?;
    let mean = sum.div(&count)?;
    // No difference of infinities: they have no derivative.
    let shared = found.detach().add(&mean.sub(&mean.detach())?)?;
    let finite = found.detach().abs()?.lt(f64::INFINITY)?;
    squeeze(&finite.where_cond(&shared, found)?, dims)
}

/// Along `dim`, over the elements that are seen, the sum of those up to each.
fn cumsum_seen(x: &Tensor, dim: usize, seen: &Tensor) -> Result<Tensor> {
    let mut sum = masked(x, seen, 0.0)?.transpose(0, dim)?.contiguous()?;
    let n = sum.dim(0)?;
    let mut by = 1;
    while by < n {
        let later = sum.narrow(0, by, n - by)?.add(&sum.narrow(0, 0, n - by)?)?;
        sum = Tensor::cat(&[sum.narrow(0, 0, by)?, later], 0)?;
        by *= 2;
    }
    masked(&sum.transpose(0, dim)?, seen, 0.0)
}

/// The elements of a dimension, each without it; by halves, so that the gradient of each is not
/// as large as the whole.
fn unstack(x: &Tensor, dim: usize) -> Result<Vec<Tensor>> {
    let n = x.dim(dim)?;
    if n == 1 {
        return Ok(vec![x.squeeze(dim)?]);
    }
    let mut elements = unstack(&x.narrow(dim, 0, n / 2)?, dim)?;
    elements.extend(unstack(&x.narrow(dim, n / 2, n - n / 2)?, dim)?);
    Ok(elements)
}

/// The mean over the targets that count of `log(sum(exp(logits))) - logits[target]`, in nats; 0 if
/// none counts. `u32::MAX` is the target of a position that is not predicted.
fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let counts = |(_, target): &(u32, &u32)| **target != u32::MAX;
    let targets = targets.flatten_all()?;
    let numbers = targets.to_vec1::<u32>()?;
    let counted: Vec<u32> = (0..).zip(&numbers).filter(counts).map(|(i, _)| i).collect();
    if counted.is_empty() {
        return number(0.0, logits);
    }
    let counted = Tensor::new(counted, logits.device())?;
    let rows = logits.flatten(0, 1)?.index_select(&counted, 0)?;
    let rows = if rows.dtype() == DType::F64 {
        rows
    } else {
        rows.to_dtype(DType::F32)?
    };
    let rows = rows.broadcast_sub(&rows.detach().max_keepdim(1)?)?;
    let targets = targets.index_select(&counted, 0)?.unsqueeze(1)?;
    let picked = rows.contiguous()?.gather(&targets, 1)?.squeeze(1)?;
    rows.exp()?.sum(1)?.log()?.sub(&picked)?.mean_all()
}

/// `tanh(x/2) (e^x + 1)`, which loses no digits of a small `x`.
fn expm1(x: &Tensor) -> Result<Tensor> {
    x.affine(0.5, 0.0)?.tanh()?.mul(&x.exp()?.affine(1.0, 1.0)?)
}

/// `log(1 + x)`: a series where `1 + x` would lose the digits of `x`; each branch is given 0 where
/// the other holds.
fn log1p(x: &Tensor) -> Result<Tensor> {
    let small = x.abs()?.lt(small_for(x))?;
    let zero = x.zeros_like()?;
    let (near, far) = (small.where_cond(x, &zero)?, small.where_cond(&zero, x)?);
    small.where_cond(&log_series(&near)?, &far.affine(1.0, 1.0)?.log()?)
}

/// `z - z^2/2 + z^3/3`
fn log_series(z: &Tensor) -> Result<Tensor> {
    z.mul(&z.mul(&z.affine(1.0 / 3.0, -0.5)?)?.affine(1.0, 1.0)?)
}

/// Where series of three terms are as exact as the type of `x`.
fn small_for(x: &Tensor) -> f64 {
    if x.dtype() == DType::F64 { 1e-5 } else { 1e-2 }
}

/// `log(1 + e^x) = max(x, 0) + log(1 + e^-|x|)`
fn softplus(x: &Tensor) -> Result<Tensor> {
    let z = x.abs()?.neg()?.exp()?;
    let log = z.affine(1.0, 1.0)?.log()?;
    x.relu()?
        .add(&z.lt(small_for(x))?.where_cond(&log_series(&z)?, &log)?)
}

/// `log(e^x - 1) = x + log(1 - e^-x)` for `x > 0`, by a series where `x` is small.
fn inv_softplus(x: &Tensor) -> Result<Tensor> {
    let series = x.mul(&x.mul(&x.affine(1.0 / 6.0, -0.5)?)?.affine(1.0, 1.0)?)?;
    let plain = x.neg()?.exp()?.affine(-1.0, 1.0)?;
    x.add(&x.lt(small_for(x))?.where_cond(&series, &plain)?.log()?)
}

/// `a - b floor(a / b)`, where the quotient is a constant.
fn remainder(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let quotient = a.detach().broadcast_div(&b.detach())?.floor()?;
    a.broadcast_sub(&quotient.broadcast_mul(b)?)
}

/// Weights that begin as draws from a uniform distribution.
fn uniform(lo: f64, up: f64) -> Init {
    Init::Uniform { lo, up }
}

/// Weights that begin as draws from a normal distribution around 0.
fn normal(stdev: f64) -> Init {
    Init::Randn { mean: 0.0, stdev }
}
