//! MoBA: each head attends to the blocks whose mean key is nearest to its query, and to its own block (Lu et al., 2025).
//!
//! The design `Moba` at the scale `nano`, g2-fa74ccb926680479147029810127ae3b.
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
pub struct Moba {
    /// `embedding.weight`: `[V, D]`.
    pub embedding: Tensor,
    /// `blocks.0` to `blocks.1`.
    pub blocks: Vec<Block>,
    /// `final`.
    pub last: RmsNorm,
}

impl Moba {
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
        let (b, t) = (x.dim(0)?, x.dim(1)?);
        let dtype = x.dtype();
        let own_age = age(t, 1, Some(16), 0, x)?; // [t, own]
        let own_seen = seen_from(t, 1, Some(16), 0, x)?; // [t, own]
        let b_age = age(t, 16, None, 0, x)?; // [t, bs]
        let b_seen = seen_from(t, 16, None, 0, x)?; // [t, bs]
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled = x.mul(x)?; // [b, t, D]
        let mean = scaled.mean(2)?; // [b, t]
        let sqrt = mean.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let inner = x.broadcast_div(&sqrt.unsqueeze(2)?)?; // [b, t, D]
        // let k = Rope[E](linear[D -> H, E](x))
        let scaled_2 = self.mixer_norm_gain.broadcast_mul(&inner)?; // [b, t, D]
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
        let inner_3 = cos.unsqueeze(1)?.broadcast_mul(&b_2)?; // [b, t, H, HALF]
        let sum = sin.unsqueeze(1)?.broadcast_mul(&a)?.add(&inner_3)?; // [b, t, H, HALF]
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
        // let own_score = where(age[Own] <= pos % W, dot[E](q, own_key) / sqrt(E), -1e9)
        let dot = einsum_apart("bthe,bshe->bhts", &regrouped, &regrouped_2)?; // [b, H, t, own]
        let remainder_2 = remainder(&position, &number(16.0, x)?)?; // [t]
        let holds = own_age
            .broadcast_le(&remainder_2.unsqueeze(1)?)?
            .to_dtype(dtype)?; // [t, own]
        let own_score = select(
            &holds,
            &dot.affine(1.0 / 4.0, 0.0)?,
            &number(-1000000000.0, x)?,
        )?; // [b, H, t, own]
        // let own = sum[Own](softmax[Own](own_score) * past[Own](v, window = W))
        let weights = softmax_seen(&own_score, &[3], &own_seen, None)?; // [b, H, t, own]
        let dot_2 = einsum_seen("bhts,bshe->bhte", &weights, &v, &own_seen)?; // [b, H, t, E]
        let log_sum = log_sum_exp_seen(&own_score, &[3], &own_seen)?; // [b, H, t]
        // let keys = blocks[B, W](k)
        let keys = blocks_of(&regrouped_2, 1, 16)?; // [b, bs, W, H, E]
        // let gate = where(age[B] > 0, dot[E](q, mean[W](keys)), -1e9)
        let mean_2 = keys.mean(2)?; // [b, bs, H, E]
        let dot_3 = einsum_apart("bthe,bBhe->bhtB", &regrouped, &mean_2)?; // [b, H, t, bs]
        let holds_2 = b_age.gt(0.0)?.to_dtype(dtype)?; // [t, bs]
        let gate = select(&holds_2, &dot_3, &number(-1000000000.0, x)?)?; // [b, H, t, bs]
        let there = there_are(K, 0, Some(&b_seen), x)?.broadcast_as((b, H, t, K))?; // [b, H, t, K]
        let picked = there.to_dtype(dtype)?; // [b, H, t, K]
        let there_2 = there_are(K, 0, Some(&b_seen), x)?.broadcast_as((b, H, t, K))?; // [b, H, t, K]
        let chosen = choose(&gate, K, Some(&b_seen))?; // [b, H, t, K]
        let chosen_2 = masked(&chosen, &there_2, 0.0)?; // [b, H, t, K]
        let found = look_up(&gate, &chosen_2, 3)?; // [b, H, t, K]
        let top = masked(&found, &there_2, 0.0)?; // [b, H, t, K]
        let there_3 = there_are(K, 0, Some(&b_seen), x)?.broadcast_as((b, H, t, K))?; // [b, H, t, K]
        let chosen_3 = choose(&gate, K, Some(&b_seen))?; // [b, H, t, K]
        let chosen_4 = masked(&chosen_3, &there_3, 0.0)?; // [b, H, t, K]
        let table = keys.permute((0, 3, 1, 2, 4))?; // [b, H, bs, W, E]
        let found_2 = look_up(&table, &chosen_4, 2)?; // [b, H, t, K, W, E]
        let top_2 = masked(&found_2, &there_3.unsqueeze(4)?.unsqueeze(5)?, 0.0)?; // [b, H, t, K, W, E]
        // let (gates, picked, values, found) = top[K of B](gate, gate, keys, blocks[B, W]( ..
        let blocks = blocks_of(&v, 1, 16)?; // [b, bs, W, H, E]
        let there_4 = there_are(K, 0, Some(&b_seen), x)?.broadcast_as((b, H, t, K))?; // [b, H, t, K]
        let chosen_5 = choose(&gate, K, Some(&b_seen))?; // [b, H, t, K]
        let chosen_6 = masked(&chosen_5, &there_4, 0.0)?; // [b, H, t, K]
        let table_2 = blocks.permute((0, 3, 1, 2, 4))?; // [b, H, bs, W, E]
        let found_3 = look_up(&table_2, &chosen_6, 2)?; // [b, H, t, K, W, E]
        let top_3 = masked(&found_3, &there_4.unsqueeze(4)?.unsqueeze(5)?, 0.0)?; // [b, H, t, K, W, E]
        // let score = where(exists, dot[E](q, picked) / sqrt(E), -1e9)
        let dot_4 = einsum("bthe,bhtkwe->bhtkw", &regrouped, &top_2)?; // [b, H, t, K, W]
        let inner_6 = top.gt(-100000000.0)?.to_dtype(dtype)?; // [b, H, t, K]
        // let exists = found * (gates > -1e8)
        let exists = picked.mul(&inner_6)?; // [b, H, t, K]
        // let score = where(exists, dot[E](q, picked) / sqrt(E), -1e9)
        let score = select(
            &exists.unsqueeze(4)?,
            &dot_4.affine(1.0 / 4.0, 0.0)?,
            &number(-1000000000.0, x)?,
        )?; // [b, H, t, K, W]
        // let part = sigmoid(logsumexp[K, W](score) - logsumexp[Own](own_score))
        let log_sum_2 = log_sum_exp(&score, &[4, 3])?; // [b, H, t]
        // let far = dot[K, W](softmax[K, W](score), values)
        let weights_2 = softmax(&score, &[4, 3])?; // [b, H, t, K, W]
        let far = einsum("bhtkw,bhtkwe->bhte", &weights_2, &top_3)?; // [b, H, t, E]
        // let part = sigmoid(logsumexp[K, W](score) - logsumexp[Own](own_score))
        let part = candle_nn::ops::sigmoid(&log_sum_2.sub(&log_sum)?)?; // [b, H, t]
        let inner_7 = part.unsqueeze(3)?.broadcast_mul(&far.sub(&dot_2)?)?; // [b, H, t, E]
        // linear[H, E -> D](own + part * (far - own))
        let sum_3 = dot_2.add(&inner_7)?; // [b, H, t, E]
        let h_linear = einsum("bhte,dhe->btd", &sum_3, &self.h_linear)?; // [b, t, D]
        // let h = x + BlockAttention(mixer_norm: RmsNorm(x))
        let h = x.add(&h_linear)?; // [b, t, D]
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled_3 = h.mul(&h)?; // [b, t, D]
        let mean_3 = scaled_3.mean(2)?; // [b, t]
        let sqrt_2 = mean_3.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let inner_8 = h.broadcast_div(&sqrt_2.unsqueeze(2)?)?; // [b, t, D]
        let scaled_4 = self.mlp_norm_gain.broadcast_mul(&inner_8)?; // [b, t, D]
        // let gate = linear[D -> F](x)
        let gate_2 = einsum("btd,fd->btf", &scaled_4, &self.swi_glu_gate)?; // [b, t, F]
        // let up = linear[D -> F](x)
        let up = einsum("btd,fd->btf", &scaled_4, &self.swi_glu_up)?; // [b, t, F]
        // linear[F -> D](silu(gate) * up)
        let scaled_5 = gate_2.silu()?.mul(&up)?; // [b, t, F]
        let swi_glu_linear = einsum("btf,df->btd", &scaled_5, &self.swi_glu_linear)?; // [b, t, D]
        // h + SwiGlu(mlp_norm: RmsNorm(h))
        let sum_4 = h.add(&swi_glu_linear)?; // [b, t, D]
        Ok(sum_4)
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

/// `a` where `condition` is not 0, else `b`: a selection, never a product.
fn select(condition: &Tensor, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let shape = a.shape().broadcast_shape_binary_op(b.shape(), "select")?;
    let shape = shape.broadcast_shape_binary_op(condition.shape(), "select")?;
    let condition = condition.ne(0.0)?.broadcast_as(&shape)?;
    condition.where_cond(&a.broadcast_as(&shape)?, &b.broadcast_as(&shape)?)
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

/// Dimension `dim` as blocks of `size` elements; a rest behind the last whole block is left out,
/// and a row that is too short for a block has one all the same, which no position sees.
fn blocks_of(x: &Tensor, dim: usize, size: usize) -> Result<Tensor> {
    let t = x.dim(dim)?;
    let x = x.pad_with_zeros(dim, 0, size.saturating_sub(t))?;
    let blocks = (t / size).max(1);
    let mut shape = x.dims().to_vec();
    shape.splice(dim..=dim, [blocks, size]);
    x.narrow(dim, 0, blocks * size)?.reshape(shape)
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
