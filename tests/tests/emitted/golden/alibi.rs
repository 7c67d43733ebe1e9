//! Attention with linear biases: a score falls with its age, at a fixed rate for each head (Press
//! et al., 2021).
//!
//! The design `Alibi` at the scale `nano`, g2-56f22a39bc2412683fbd63700329b26d.
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

/// The size of the axis `F`.
pub const F: usize = 256;

/// The language model: embedding, blocks, scores.
#[derive(Clone, Debug)]
pub struct Alibi {
    /// `embedding.weight`: `[V, D]`.
    pub embedding: Tensor,
    /// `blocks.0` to `blocks.1`.
    pub blocks: Vec<Block>,
    /// `final`.
    pub last: RmsNorm,
}

impl Alibi {
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

/// The mixer, then MLP, each behind a norm and a residual.
#[derive(Clone, Debug)]
pub struct Block {
    /// `mixer_norm.gain`: `[D]`.
    pub mixer_norm_gain: Tensor,
    /// `h.q.weight`: `[H, E, D]`.
    pub h_q: Tensor,
    /// `h.k.weight`: `[H, E, D]`.
    pub h_k: Tensor,
    /// `h.v.weight`: `[H, E, D]`.
    pub h_v: Tensor,
    /// `h.linear.weight`: `[D, H, E]`.
    pub h_linear: Tensor,
    /// `mlp_norm.gain`: `[D]`.
    pub mlp_norm_gain: Tensor,
    /// `swi_glu.gate.weight`: `[F, D]`.
    pub swi_glu_gate: Tensor,
    /// `swi_glu.up.weight`: `[F, D]`.
    pub swi_glu_up: Tensor,
    /// `swi_glu.linear.weight`: `[D, F]`.
    pub swi_glu_linear: Tensor,
}

impl Block {
    /// Weights by their names in a checkpoint.
    pub fn new(vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            mixer_norm_gain: vb.get_with_hints(D, "mixer_norm.gain", Init::Const(1.0))?,
            h_q: vb.get_with_hints((H, E, D), "h.q.weight", uniform(-0.125, 0.125))?,
            h_k: vb.get_with_hints((H, E, D), "h.k.weight", uniform(-0.125, 0.125))?,
            h_v: vb.get_with_hints((H, E, D), "h.v.weight", uniform(-0.125, 0.125))?,
            h_linear: vb.get_with_hints((D, H, E), "h.linear.weight", uniform(-0.125, 0.125))?,
            mlp_norm_gain: vb.get_with_hints(D, "mlp_norm.gain", Init::Const(1.0))?,
            swi_glu_gate: vb.get_with_hints(
                (F, D),
                "swi_glu.gate.weight",
                uniform(-0.125, 0.125),
            )?,
            swi_glu_up: vb.get_with_hints((F, D), "swi_glu.up.weight", uniform(-0.125, 0.125))?,
            swi_glu_linear: vb.get_with_hints(
                (D, F),
                "swi_glu.linear.weight",
                uniform(-0.0625, 0.0625),
            )?,
        })
    }

    /// `[b, t, D]` to `[b, t, D]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let t = x.dim(1)?;
        let past_age = age(t, 1, None, 0, x)?; // [t, past]
        let past_seen = seen_from(t, 1, None, 0, x)?; // [t, past]
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled = x.mul(x)?; // [b, t, D]
        let mean = scaled.mean(2)?; // [b, t]
        let sqrt = mean.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let inner = x.broadcast_div(&sqrt.unsqueeze(2)?)?; // [b, t, D]
        let scaled_2 = self.mixer_norm_gain.broadcast_mul(&inner)?; // [b, t, D]
        // let v = linear[D -> H, E](x)
        let v = einsum("btd,hed->bthe", &scaled_2, &self.h_v)?; // [b, t, H, E]
        // let q = linear[D -> H, E](x)
        let q = einsum("btd,hed->bthe", &scaled_2, &self.h_q)?; // [b, t, H, E]
        // let k = linear[D -> H, E](x)
        let k = einsum("btd,hed->bthe", &scaled_2, &self.h_k)?; // [b, t, H, E]
        // let slope = 2 ^ (-8 * (index[H] + 1) / H)
        let index = count(H, x)?; // [H]
        // let score = dot[E](q, past(k)) / sqrt(E) - outer(slope, age[Past])
        let dot = einsum_apart("bthe,bshe->bhts", &q, &k)?; // [b, H, t, past]
        // let slope = 2 ^ (-8 * (index[H] + 1) / H)
        let slope = index
            .affine(1.0, 1.0)?
            .affine(-8.0, 0.0)?
            .affine(1.0 / 4.0, 0.0)?
            .affine(0.6931471805599453, 0.0)?
            .exp()?; // [H]
        let inner_2 = slope.unsqueeze(1)?.broadcast_mul(&past_age.unsqueeze(1)?)?; // [t, H, past]
        // let score = dot[E](q, past(k)) / sqrt(E) - outer(slope, age[Past])
        let score = dot
            .affine(1.0 / 4.0, 0.0)?
            .broadcast_sub(&inner_2.transpose(0, 1)?)?; // [b, H, t, past]
        // linear[H, E -> D](sum[Past](softmax[Past](score) * past(v)))
        let weights = softmax_seen(&score, &[3], &past_seen, None)?; // [b, H, t, past]
        let dot_2 = einsum_seen("bhts,bshe->bhte", &weights, &v, &past_seen)?; // [b, H, t, E]
        let h_linear = einsum("bhte,dhe->btd", &dot_2, &self.h_linear)?; // [b, t, D]
        // let h = x + AlibiAttention(mixer_norm: RmsNorm(x))
        let h = x.add(&h_linear)?; // [b, t, D]
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled_3 = h.mul(&h)?; // [b, t, D]
        let mean_2 = scaled_3.mean(2)?; // [b, t]
        let sqrt_2 = mean_2.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let scaled_4 = h
            .broadcast_div(&sqrt_2.unsqueeze(2)?)?
            .broadcast_mul(&self.mlp_norm_gain)?; // [b, t, D]
        // let gate = linear[D -> F](x)
        let gate = einsum("btd,fd->btf", &scaled_4, &self.swi_glu_gate)?; // [b, t, F]
        // let up = linear[D -> F](x)
        let up = einsum("btd,fd->btf", &scaled_4, &self.swi_glu_up)?; // [b, t, F]
        // linear[F -> D](silu(gate) * up)
        let scaled_5 = gate.silu()?.mul(&up)?; // [b, t, F]
        let swi_glu_linear = einsum("btf,df->btd", &scaled_5, &self.swi_glu_linear)?; // [b, t, D]
        // h + SwiGlu(mlp_norm: RmsNorm(h))
        let sum = h.add(&swi_glu_linear)?; // [b, t, D]
        Ok(sum)
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

/// `[t, n]`: how long ago each block of `size` positions ended; positions where the size is 1. Of what
/// is not seen it is the nearest age of what may be: a function of all ages has its derivatives there.
fn age(t: usize, size: usize, window: Option<usize>, skip: usize, like: &Tensor) -> Result<Tensor> {
    let blocks = (t / size).max(1);
    let most = window.map_or(usize::MAX, |window| skip + window - 1);
    let ago = |i: usize| (i / blocks).saturating_sub((i % blocks + 1) * size - 1);
    let age = |i: usize| ago(i).clamp(skip, most) as f64;
    let ages: Vec<f64> = (0..t * blocks).map(age).collect();
    Tensor::from_vec(ages, (t, blocks), like.device())?.to_dtype(like.dtype())
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

/// Weights that begin as draws from a uniform distribution.
fn uniform(lo: f64, up: f64) -> Init {
    Init::Uniform { lo, up }
}

/// Weights that begin as draws from a normal distribution around 0.
fn normal(stdev: f64) -> Init {
    Init::Randn { mean: 0.0, stdev }
}
