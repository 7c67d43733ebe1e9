//! A mixture of experts whose router is held to even loads and small scores (Fedus et al., 2022; Zoph et al., 2022).
//!
//! The design `MoeBalance` at the scale `nano`, g2-6f189c5db8563cd055f527b6cbfd6245.
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

/// The size of the axis `X`.
pub const X: usize = 4;

/// The size of the axis `F`.
pub const F: usize = 64;

/// The size of the axis `F_2`.
pub const F_2: usize = 64;

/// The size of the axis `D_2`.
pub const D_2: usize = 64;

/// The size of the axis `Half`.
pub const HALF: usize = 8;

/// The size of the axis `Two`.
pub const TWO: usize = 2;

/// The size of the axis `Half_2`.
pub const HALF_2: usize = 8;

/// The size of the axis `Two_2`.
pub const TWO_2: usize = 2;

/// The size of the axis `K`.
pub const K: usize = 2;

/// The language model: embedding, blocks, scores.
#[derive(Clone, Debug)]
pub struct MoeBalance {
    /// `embedding.weight`: `[V, D]`.
    pub embedding: Tensor,
    /// `blocks.0` to `blocks.1`.
    pub blocks: Vec<Block>,
    /// `final`.
    pub last: RmsNorm,
}

impl MoeBalance {
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

    /// Scores, the mean over the targets that count, and what the units add to it in training.
    pub fn forward_losses(
        &self,
        tokens: &Tensor,
        targets: &Tensor,
    ) -> Result<(Tensor, Tensor, Tensor)> {
        let (b, t) = (tokens.dim(0)?, tokens.dim(1)?);
        let x = self
            .embedding
            .index_select(&tokens.flatten_all()?, 0)?
            .reshape((b, t, D))?; // [b, t, D]
        let (h, added) = self.blocks[0].forward(&x, targets)?;
        let (h_2, added_2) = self.blocks[1].forward(&h, targets)?;
        let h_3 = self.last.forward(&h_2)?;
        let logits = einsum("btd,vd->btv", &h_3, &self.embedding)?; // [b, t, V]
        let loss = cross_entropy(&logits, targets)?; // []
        let sum = added.add(&added_2)?; // []
        Ok((logits, loss, sum))
    }

    /// Tokens `[b, t]` to the scores of the next ones.
    pub fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        let none = Tensor::full(u32::MAX, tokens.shape(), tokens.device())?;
        Ok(self.forward_losses(tokens, &none)?.0)
    }

    /// The mean over the targets `[b, t]` that count, in nats; `u32::MAX` does not.
    pub fn loss(&self, tokens: &Tensor, targets: &Tensor) -> Result<Tensor> {
        Ok(self.forward_losses(tokens, targets)?.1)
    }

    /// The loss with what the units add to it.
    pub fn training_loss(&self, tokens: &Tensor, targets: &Tensor) -> Result<Tensor> {
        let (_, loss, added) = self.forward_losses(tokens, targets)?;
        loss.add(&added)
    }
}

/// Attention, then the mechanism, each behind a norm and a residual.
#[derive(Clone, Debug)]
pub struct Block {
    /// `attention_norm.gain`: `[D]`.
    pub attention_norm_gain: Tensor,
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
    /// `balanced_experts.z.weight`: `[X, D]`.
    pub balanced_experts_z: Tensor,
    /// `balanced_experts.y.gate.weight`: `[X, F, D]`.
    pub balanced_experts_y_gate: Tensor,
    /// `balanced_experts.y.up.weight`: `[X, F_2, D]`.
    pub balanced_experts_y_up: Tensor,
    /// `balanced_experts.y.linear.weight`: `[X, D_2, D]`.
    pub balanced_experts_y_linear: Tensor,
}

impl Block {
    /// Weights by their names in a checkpoint.
    pub fn new(vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            attention_norm_gain: vb.get_with_hints(D, "attention_norm.gain", Init::Const(1.0))?,
            h_q: vb.get_with_hints((H, E, D), "h.q.weight", uniform(-0.125, 0.125))?,
            h_k: vb.get_with_hints((H, E, D), "h.k.weight", uniform(-0.125, 0.125))?,
            h_v: vb.get_with_hints((H, E, D), "h.v.weight", uniform(-0.125, 0.125))?,
            h_linear: vb.get_with_hints((D, H, E), "h.linear.weight", uniform(-0.125, 0.125))?,
            mlp_norm_gain: vb.get_with_hints(D, "mlp_norm.gain", Init::Const(1.0))?,
            balanced_experts_z: vb.get_with_hints(
                (X, D),
                "balanced_experts.z.weight",
                uniform(-0.125, 0.125),
            )?,
            balanced_experts_y_gate: vb.get_with_hints(
                (X, F, D),
                "balanced_experts.y.gate.weight",
                uniform(-0.125, 0.125),
            )?,
            balanced_experts_y_up: vb.get_with_hints(
                (X, F_2, D),
                "balanced_experts.y.up.weight",
                uniform(-0.125, 0.125),
            )?,
            balanced_experts_y_linear: vb.get_with_hints(
                (X, D_2, D),
                "balanced_experts.y.linear.weight",
                uniform(-0.125, 0.125),
            )?,
        })
    }

    /// `[b, t, D]`, `[b, t]` to `[b, t, D]`, `[]`.
    pub fn forward(&self, x: &Tensor, targets: &Tensor) -> Result<(Tensor, Tensor)> {
        let (b, t) = (x.dim(0)?, x.dim(1)?);
        let dtype = x.dtype();
        let past_seen = seen_from(t, 1, None, 0, x)?; // [t, past]
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled = x.mul(x)?; // [b, t, D]
        let mean = scaled.mean(2)?; // [b, t]
        let sqrt = mean.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let inner = x.broadcast_div(&sqrt.unsqueeze(2)?)?; // [b, t, D]
        // let q = Rope[E](linear[D -> H, E](x))
        let scaled_2 = self.attention_norm_gain.broadcast_mul(&inner)?; // [b, t, D]
        // let v = linear[D -> H, E](x)
        let v = einsum("btd,hed->bthe", &scaled_2, &self.h_v)?; // [b, t, H, E]
        // let angle = pos * exp(-log(10000) * index[Half] / Half)
        let position = count(t, x)?; // [t]
        let index = count(HALF, x)?; // [HALF]
        // let q = Rope[E](linear[D -> H, E](x))
        let h_q = einsum("btd,hed->bthe", &scaled_2, &self.h_q)?; // [b, t, H, E]
        // let pair = [E -> Half, Two](x)
        let pair = h_q.reshape((b, t, H, HALF, TWO))?; // [b, t, H, HALF, TWO]
        // let a = take[Two](pair, 0)
        let a = pair.narrow(4, 0, 1)?.squeeze(4)?; // [b, t, H, HALF]
        // let b = take[Two](pair, 1)
        let b_2 = pair.narrow(4, 1, 1)?.squeeze(4)?; // [b, t, H, HALF]
        // let angle = pos * exp(-log(10000) * index[Half] / Half)
        let exp = index
            .affine(-9.210340371976184, 0.0)?
            .affine(1.0 / 8.0, 0.0)?
            .exp()?; // [HALF]
        let angle = position.unsqueeze(1)?.broadcast_mul(&exp)?; // [t, HALF]
        // let turned = stack[Two](a * cos(angle) - b * sin(angle), a * sin(angle) + b * co ..
        let cos = angle.cos()?; // [t, HALF]
        let sin = angle.sin()?; // [t, HALF]
        let inner_2 = sin.unsqueeze(1)?.broadcast_mul(&b_2)?; // [b, t, H, HALF]
        let difference = cos.unsqueeze(1)?.broadcast_mul(&a)?.sub(&inner_2)?; // [b, t, H, HALF]
        let inner_3 = sin.unsqueeze(1)?.broadcast_mul(&a)?; // [b, t, H, HALF]
        let sum = cos.unsqueeze(1)?.broadcast_mul(&b_2)?.add(&inner_3)?; // [b, t, H, HALF]
        let turned = Tensor::stack(&[&difference, &sum], 4)?; // [b, t, H, HALF, TWO]
        // [Half, Two -> E](turned)
        let regrouped = turned.reshape((b, t, H, E))?; // [b, t, H, E]
        // let angle = pos * exp(-log(10000) * index[Half] / Half)
        let index_2 = count(HALF_2, x)?; // [HALF_2]
        // let k = Rope[E](linear[D -> H, E](x))
        let h_k = einsum("btd,hed->bthe", &scaled_2, &self.h_k)?; // [b, t, H, E]
        // let pair = [E -> Half, Two](x)
        let pair_2 = h_k.reshape((b, t, H, HALF_2, TWO_2))?; // [b, t, H, HALF_2, TWO_2]
        // let a = take[Two](pair, 0)
        let a_2 = pair_2.narrow(4, 0, 1)?.squeeze(4)?; // [b, t, H, HALF_2]
        // let b = take[Two](pair, 1)
        let b_3 = pair_2.narrow(4, 1, 1)?.squeeze(4)?; // [b, t, H, HALF_2]
        // let angle = pos * exp(-log(10000) * index[Half] / Half)
        let exp_2 = index_2
            .affine(-9.210340371976184, 0.0)?
            .affine(1.0 / 8.0, 0.0)?
            .exp()?; // [HALF_2]
        let angle_2 = position.unsqueeze(1)?.broadcast_mul(&exp_2)?; // [t, HALF_2]
        // let turned = stack[Two](a * cos(angle) - b * sin(angle), a * sin(angle) + b * co ..
        let cos_2 = angle_2.cos()?; // [t, HALF_2]
        let sin_2 = angle_2.sin()?; // [t, HALF_2]
        let inner_4 = sin_2.unsqueeze(1)?.broadcast_mul(&b_3)?; // [b, t, H, HALF_2]
        let difference_2 = cos_2.unsqueeze(1)?.broadcast_mul(&a_2)?.sub(&inner_4)?; // [b, t, H, HALF_2]
        let inner_5 = sin_2.unsqueeze(1)?.broadcast_mul(&a_2)?; // [b, t, H, HALF_2]
        let sum_2 = cos_2.unsqueeze(1)?.broadcast_mul(&b_3)?.add(&inner_5)?; // [b, t, H, HALF_2]
        let turned_2 = Tensor::stack(&[&difference_2, &sum_2], 4)?; // [b, t, H, HALF_2, TWO_2]
        // [Half, Two -> E](turned)
        let regrouped_2 = turned_2.reshape((b, t, H, E))?; // [b, t, H, E]
        // let score = dot[E](q, past(k)) / sqrt(E)
        let dot = einsum_apart("bthe,bshe->bhts", &regrouped, &regrouped_2)?; // [b, H, t, past]
        let score = dot.affine(1.0 / 4.0, 0.0)?; // [b, H, t, past]
        // linear[H, E -> D](sum[Past](softmax[Past](score) * past(v)))
        let weights = softmax_seen(&score, &[3], &past_seen, None)?; // [b, H, t, past]
        let dot_2 = einsum_seen("bhts,bshe->bhte", &weights, &v, &past_seen)?; // [b, H, t, E]
        let h_linear = einsum("bhte,dhe->btd", &dot_2, &self.h_linear)?; // [b, t, D]
        // let h = x + Attention(attention_norm: RmsNorm(x))
        let h = x.add(&h_linear)?; // [b, t, D]
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled_3 = h.mul(&h)?; // [b, t, D]
        let mean_2 = scaled_3.mean(2)?; // [b, t]
        let sqrt_2 = mean_2.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let inner_6 = h.broadcast_div(&sqrt_2.unsqueeze(2)?)?; // [b, t, D]
        let scaled_4 = self.mlp_norm_gain.broadcast_mul(&inner_6)?; // [b, t, D]
        // let z = linear[D -> X](x)
        let z = einsum("btd,xd->btx", &scaled_4, &self.balanced_experts_z)?; // [b, t, X]
        // let p = softmax[X](z)
        let p = softmax(&z, &[2])?; // [b, t, X]
        let there = there_are(K, X, None, x)?.broadcast_as((b, t, K))?; // [b, t, K]
        let chosen = choose(&p, K, None)?; // [b, t, K]
        let chosen_2 = masked(&chosen, &there, 0.0)?; // [b, t, K]
        let found = look_up(&p, &chosen_2, 2)?; // [b, t, K]
        // let (gate, outputs, _) = top[K of X](p, p, y)
        let top = masked(&found, &there, 0.0)?; // [b, t, K]
        // sum[K](gate / sum[K](gate) * outputs)
        let sum_3 = top.sum(2)?; // [b, t]
        let balanced_experts_y_gate =
            einsum("btd,xfd->btxf", &scaled_4, &self.balanced_experts_y_gate)?; // [b, t, X, F]
        let balanced_experts_y_up =
            einsum("btd,xFd->btxF", &scaled_4, &self.balanced_experts_y_up)?; // [b, t, X, F_2]
        // linear[F -> D](silu(gate) * up)
        let y = balanced_experts_y_gate
            .silu()?
            .mul(&balanced_experts_y_up)?; // [b, t, X, D]
        let y_2 = einsum("btxd,xDd->xbtD", &y, &self.balanced_experts_y_linear)?; // [X, b, t, D_2]
        let there_2 = there_are(K, X, None, x)?.broadcast_as((b, t, K))?; // [b, t, K]
        let chosen_3 = choose(&p, K, None)?; // [b, t, K]
        let chosen_4 = masked(&chosen_3, &there_2, 0.0)?; // [b, t, K]
        let table = y_2.permute((1, 2, 0, 3))?; // [b, t, X, D]
        let found_2 = look_up(&table, &chosen_4, 2)?; // [b, t, K, D]
        // let (gate, outputs, _) = top[K of X](p, p, y)
        let top_2 = masked(&found_2, &there_2.unsqueeze(3)?, 0.0)?; // [b, t, K, D]
        // sum[K](gate / sum[K](gate) * outputs)
        let ratio = top.broadcast_div(&sum_3.unsqueeze(2)?)?; // [b, t, K]
        let dot_3 = ratio.unsqueeze(3)?.broadcast_mul(&top_2)?.sum(2)?; // [b, t, D]
        // loss 0.01 * X * sum[X](part * mean_tokens(p))
        let mean_3 = mean_tokens(&p, targets)?; // [X]
        // let part = mean_tokens(p >= min[K](gate)) / K
        let smallest = min(&top, &[2])?; // [b, t]
        let holds = smallest.unsqueeze(2)?.broadcast_le(&p)?.to_dtype(dtype)?; // [b, t, X]
        let mean_4 = mean_tokens(&holds, targets)?; // [X]
        // loss 0.01 * X * sum[X](part * mean_tokens(p))
        let scaled_5 = mean_3.mul(&mean_4.affine(1.0 / 2.0, 0.0)?)?; // [X]
        let sum_4 = scaled_5.sum(0)?; // []
        // loss 0.001 * logsumexp[X](z) ^ 2
        let log_sum = log_sum_exp(&z, &[2])?; // [b, t]
        let scaled_6 = log_sum.sqr()?.affine(0.001, 0.0)?; // [b, t]
        let mean_5 = mean_tokens(&scaled_6, targets)?; // []
        // h + BalancedExperts(mlp_norm: RmsNorm(h))
        let sum_5 = h.add(&dot_3)?; // [b, t, D]
        let sum_6 = sum_4.affine(0.04, 0.0)?.add(&mean_5)?; // []
        Ok((sum_5, sum_6))
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

/// `exp(x) / sum(exp(x))` over `dims` together.
fn softmax(x: &Tensor, dims: &[usize]) -> Result<Tensor> {
    let exps = x.broadcast_sub(&top_of(x, dims)?)?.exp()?;
    exps.broadcast_mul(&exps.sum_keepdim(dims)?.recip()?)
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

/// `x` without `dims`, each of which has one element.
fn squeeze(x: &Tensor, dims: &[usize]) -> Result<Tensor> {
    let mut dims = dims.to_vec();
    dims.sort_unstable();
    dims.iter()
        .rev()
        .try_fold(x.clone(), |x, dim| x.squeeze(*dim))
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

/// The numbers of the `k` elements of largest score along the last dimension, the largest first, of
/// equal ones the lowest; any number where fewer are seen. A score that is no number counts as the
/// smallest. The choice is outside of the gradient.
fn choose(score: &Tensor, k: usize, seen: Option<&Tensor>) -> Result<Tensor> {
    let last = score.rank() - 1;
    let n = score.dim(last)?;
    let lowest = number(f64::NEG_INFINITY, score)?.broadcast_as(score.shape())?;
    let score = score.detach();
    let score = score.eq(&score)?.where_cond(&score, &lowest)?;
    let numbers = Tensor::arange(0u32, n as u32, score.device())?.to_dtype(DType::F64)?;
    let numbers = numbers.broadcast_as(score.shape())?;
    let none = numbers.ones_like()?.affine(n as f64, 0.0)?;
    let mut left = score.ones_like()?.ne(0.0)?;
    if let Some(seen) = seen {
        left = left.broadcast_mul(seen)?;
    }
    let mut chosen = Vec::with_capacity(k);
    for _ in 0..k {
        let open = left.where_cond(&score, &lowest)?;
        let equal = open.broadcast_eq(&open.max_keepdim(last)?)?;
        let element = left
            .mul(&equal)?
            .where_cond(&numbers, &none)?
            .min_keepdim(last)?;
        left = left.mul(&numbers.broadcast_ne(&element)?)?;
        chosen.push(element);
    }
    Tensor::cat(&chosen, last)
}

/// Which of `k` chosen elements there are among `n`, or among those that are seen: `[.., k]`.
fn there_are(k: usize, n: usize, seen: Option<&Tensor>, like: &Tensor) -> Result<Tensor> {
    let order = Tensor::arange(0u32, k as u32, like.device())?.to_dtype(DType::F32)?;
    match seen {
        Some(seen) => order.broadcast_lt(
            &seen
                .to_dtype(DType::F32)?
                .sum_keepdim(candle_core::D::Minus1)?,
        ),
        None => order.lt(n as f64),
    }
}

/// The elements of `value` that `chosen` numbers, and 0 where there is none. The first `shared`
/// dimensions are those of both; behind them `value` has the dimension that is looked up, and
/// `chosen` those that ask.
fn look_up(value: &Tensor, chosen: &Tensor, shared: usize) -> Result<Tensor> {
    let dims = value.dims().to_vec();
    let (rows, own) = (product(&dims[..=shared]), &dims[shared + 1..]);
    let mut numbers = chosen.to_dtype(DType::F64)?;
    let mut stride = dims[shared];
    for dim in (0..shared).rev() {
        let steps: Vec<f64> = (0..dims[dim]).map(|i| (i * stride) as f64).collect();
        let mut shape = vec![1; chosen.rank()];
        shape[dim] = dims[dim];
        let steps = Tensor::from_vec(steps, shape, chosen.device())?;
        numbers = numbers.broadcast_add(&steps)?;
        stride *= dims[dim];
    }
    let table = value.reshape((rows, product(own)))?;
    let found = table.index_select(&numbers.flatten_all()?.to_dtype(DType::U32)?, 0)?;
    found.reshape([chosen.dims(), own].concat())
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

/// The mean of `[b, t, ..]` over the targets that count; 0 if none does.
fn mean_tokens(x: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let counts = |(_, target): &(u32, &u32)| **target != u32::MAX;
    let numbers = targets.flatten_all()?.to_vec1::<u32>()?;
    let counted: Vec<u32> = (0..).zip(&numbers).filter(counts).map(|(i, _)| i).collect();
    let rows = x.flatten(0, 1)?.contiguous()?;
    if counted.is_empty() {
        return rows.get(0)?.detach().zeros_like();
    }
    let rows = rows.index_select(&Tensor::new(counted, x.device())?, 0)?;
    let dtype = if x.dtype() == DType::F64 {
        DType::F64
    } else {
        DType::F32
    };
    rows.to_dtype(dtype)?.mean(0)?.to_dtype(x.dtype())
}

/// Weights that begin as draws from a uniform distribution.
fn uniform(lo: f64, up: f64) -> Init {
    Init::Uniform { lo, up }
}

/// Weights that begin as draws from a normal distribution around 0.
fn normal(stdev: f64) -> Init {
    Init::Randn { mean: 0.0, stdev }
}
