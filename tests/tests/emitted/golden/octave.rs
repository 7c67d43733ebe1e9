//! Octave: attention that forgets over a short window, beside a bank of matrix states that fade at
//! fixed geometric rates, of which each query chooses its own mixture. A design of this project;
//! unproven beyond the smallest scale.
//!
//! The design `Octave` at the scale `nano`, g2-13f9399dfdb86d5f2ea48841687dcd05.
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

/// The size of the axis `K`.
pub const K: usize = 16;

/// The size of the axis `V_2`.
pub const V_2: usize = 16;

/// The size of the axis `W`.
pub const W: usize = 4;

/// The size of the axis `W_2`.
pub const W_2: usize = 4;

/// The size of the axis `J`.
pub const J: usize = 4;

/// The size of the axis `F`.
pub const F: usize = 256;

/// The language model: embedding, blocks, scores.
#[derive(Clone, Debug)]
pub struct Octave {
    /// `embedding.weight`: `[V, D]`.
    pub embedding: Tensor,
    /// `blocks.0` to `blocks.1`.
    pub blocks: Vec<Block>,
    /// `final`.
    pub last: RmsNorm,
}

impl Octave {
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

/// Two memories of one set of keys and values, then MLP, each behind a norm and a residual.
#[derive(Clone, Debug)]
pub struct Block {
    /// `memory_norm.gain`: `[D]`.
    pub memory_norm_gain: Tensor,
    /// `h.q.weight`: `[H, K, D]`.
    pub h_q: Tensor,
    /// `h.new_k.weight`: `[H, K, D]`.
    pub h_new_k: Tensor,
    /// `h.new_v.weight`: `[H, V_2, D]`.
    pub h_new_v: Tensor,
    /// `h.k.kernel`: `[W, H, K]`.
    pub h_k_kernel: Tensor,
    /// `h.v.kernel`: `[W_2, H, V_2]`.
    pub h_v_kernel: Tensor,
    /// `h.log_f.weight`: `[H, D]`.
    pub h_log_f: Tensor,
    /// `h.log_f.bias`: `[H]`.
    pub h_log_f_bias: Tensor,
    /// `h.octave.weight`: `[H, J, D]`.
    pub h_octave: Tensor,
    /// `h.mix.weight`: `[H, D]`.
    pub h_mix: Tensor,
    /// `h.mix.bias`: `[H]`.
    pub h_mix_bias: Tensor,
    /// `h.rms_norm.gain`: `[V_2]`.
    pub h_rms_norm_gain: Tensor,
    /// `h.linear.weight`: `[D, H, V_2]`.
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
            memory_norm_gain: vb.get_with_hints(D, "memory_norm.gain", Init::Const(1.0))?,
            h_q: vb.get_with_hints((H, K, D), "h.q.weight", uniform(-0.125, 0.125))?,
            h_new_k: vb.get_with_hints((H, K, D), "h.new_k.weight", uniform(-0.125, 0.125))?,
            h_new_v: vb.get_with_hints((H, V_2, D), "h.new_v.weight", uniform(-0.125, 0.125))?,
            h_k_kernel: vb.get_with_hints((W, H, K), "h.k.kernel", uniform(-0.5, 0.5))?,
            h_v_kernel: vb.get_with_hints((W_2, H, V_2), "h.v.kernel", uniform(-0.5, 0.5))?,
            h_log_f: vb.get_with_hints((H, D), "h.log_f.weight", uniform(-0.125, 0.125))?,
            h_log_f_bias: vb.get_with_hints(H, "h.log_f.bias", Init::Const(0.0))?,
            h_octave: vb.get_with_hints((H, J, D), "h.octave.weight", uniform(-0.125, 0.125))?,
            h_mix: vb.get_with_hints((H, D), "h.mix.weight", uniform(-0.125, 0.125))?,
            h_mix_bias: vb.get_with_hints(H, "h.mix.bias", Init::Const(0.0))?,
            h_rms_norm_gain: vb.get_with_hints(V_2, "h.rms_norm.gain", Init::Const(1.0))?,
            h_linear: vb.get_with_hints((D, H, V_2), "h.linear.weight", uniform(-0.125, 0.125))?,
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
        let near_seen = seen_from(t, 1, Some(16), 0, x)?; // [t, near]
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled = x.mul(x)?; // [b, t, D]
        let mean = scaled.mean(2)?; // [b, t]
        let sqrt = mean.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let inner = x.broadcast_div(&sqrt.unsqueeze(2)?)?; // [b, t, D]
        // let mix = sigmoid(linear[D -> H](x, bias = true))
        let scaled_2 = self.memory_norm_gain.broadcast_mul(&inner)?; // [b, t, D]
        let h_mix = einsum("btd,hd->bth", &scaled_2, &self.h_mix)?; // [b, t, H]
        // let q = linear[D -> H, K](x) / sqrt(K)
        let h_q = einsum("btd,hkd->bthk", &scaled_2, &self.h_q)?; // [b, t, H, K]
        // let octave = softmax[J](linear[D -> H, J](x))
        let h_octave = einsum("btd,hjd->bthj", &scaled_2, &self.h_octave)?; // [b, t, H, J]
        let octave = softmax(&h_octave, &[3])?; // [b, t, H, J]
        // let keep = exp(-log(2) / 4 ^ (index[J] + 1))
        let index = count(J, x)?; // [J]
        // let new_v = linear[D -> H, V](x)
        let new_v = einsum("btd,hVd->bthV", &scaled_2, &self.h_new_v)?; // [b, t, H, V_2]
        // sum[W](kernel * window[W](x))
        let window_2 = window(&new_v, 1, 4)?; // [b, t, W_2, H, V_2]
        let scaled_3 = window_2.broadcast_mul(&self.h_v_kernel)?; // [b, t, W_2, H, V_2]
        let sum = scaled_3.sum(2)?; // [b, t, H, V_2]
        // let new_k = linear[D -> H, K](x)
        let new_k = einsum("btd,hkd->bthk", &scaled_2, &self.h_new_k)?; // [b, t, H, K]
        // sum[W](kernel * window[W](x))
        let window_3 = window(&new_k, 1, 4)?; // [b, t, W, H, K]
        let scaled_4 = self.h_k_kernel.broadcast_mul(&window_3)?; // [b, t, W, H, K]
        let sum_2 = scaled_4.sum(2)?; // [b, t, H, K]
        // let keep = exp(-log(2) / 4 ^ (index[J] + 1))
        let keep = index
            .affine(1.0, 1.0)?
            .affine(1.3862943611198906, 0.0)?
            .exp()?
            .recip()?
            .affine(-0.6931471805599453, 0.0)?
            .exp()?; // [J]
        // let far = scan S: [H, J, K, V] = 0 {
        let difference = keep.affine(-1.0, 1.0)?; // [J]
        // let v = silu(ShortConv(new_v))
        let v = sum.silu()?; // [b, t, H, V_2]
        let v_at = unstack(&v, 1)?;
        // let k = silu(ShortConv(new_k))
        let k = sum_2.silu()?; // [b, t, H, K]
        let k_at = unstack(&k, 1)?;
        let mut s = Tensor::zeros((b, H, J, V_2, K), dtype, x.device())?; // [b, H, J, V_2, K]
        let mut steps = Vec::with_capacity(t);
        for i in 0..t {
            // let far = scan S: [H, J, K, V] = 0 {
            let scaled_5 = difference.broadcast_mul(&v_at[i].unsqueeze(3)?)?; // [b, H, V_2, J]
            let scaled_6 = scaled_5
                .unsqueeze(2)?
                .broadcast_mul(&k_at[i].unsqueeze(3)?.unsqueeze(4)?)?; // [b, H, K, V_2, J]
            let sum_3 = keep
                .unsqueeze(1)?
                .unsqueeze(2)?
                .broadcast_mul(&s)?
                .add(&scaled_6.transpose(2, 4)?)?; // [b, H, J, V_2, K]
            steps.push(sum_3.clone());
            s = sum_3;
        }
        let over_time = Tensor::stack(&steps, 1)?; // [b, t, H, J, V_2, K]
        // let q = linear[D -> H, K](x) / sqrt(K)
        let q = h_q.affine(1.0 / 4.0, 0.0)?; // [b, t, H, K]
        // let far = scan S: [H, J, K, V] = 0 {
        let scaled_7 = q.unsqueeze(4)?.broadcast_mul(&octave.unsqueeze(3)?)?; // [b, t, H, K, J]
        let dot = einsum("bthkj,bthjVk->bthV", &scaled_7, &over_time)?; // [b, t, H, V_2]
        // let log_f = log_sigmoid(linear[D -> H](x, bias = true))
        let h_log_f = einsum("btd,hd->bth", &scaled_2, &self.h_log_f)?; // [b, t, H]
        // let score = dot[K](q, past[Near](k, window = 16)) + after[Near](past[Near](log_f ..
        let dot_2 = einsum_apart("bthk,bshk->bhts", &q, &k)?; // [b, H, t, near]
        let inner_2 = h_log_f.broadcast_add(&self.h_log_f_bias)?; // [b, t, H]
        // let log_f = log_sigmoid(linear[D -> H](x, bias = true))
        let log_f = log_sigmoid(&inner_2)?; // [b, t, H]
        let timed = log_f.unsqueeze(1)?.broadcast_as((b, t, t, H))?; // [b, t, near, H]
        // let score = dot[K](q, past[Near](k, window = 16)) + after[Near](past[Near](log_f ..
        let after = sum_after(&timed, 2, &near_seen.unsqueeze(2)?)?; // [b, t, near, H]
        let score = dot_2.add(&after.permute((0, 3, 1, 2))?)?; // [b, H, t, near]
        // let near = sum[Near](softmax[Near](score) * past[Near](v, window = 16))
        let weights = softmax_seen(&score, &[3], &near_seen, None)?; // [b, H, t, near]
        let dot_3 = einsum_seen("bhts,bshV->bhtV", &weights, &v, &near_seen)?; // [b, H, t, V_2]
        let inner_3 = self.h_mix_bias.broadcast_add(&h_mix)?; // [b, t, H]
        // let mix = sigmoid(linear[D -> H](x, bias = true))
        let mix = candle_nn::ops::sigmoid(&inner_3)?; // [b, t, H]
        // linear[H, V -> D](RmsNorm[V](mix * near + (1 - mix) * far))
        let difference_2 = mix.affine(-1.0, 1.0)?; // [b, t, H]
        let inner_4 = mix.transpose(1, 2)?.unsqueeze(3)?.broadcast_mul(&dot_3)?; // [b, H, t, V_2]
        let sum_4 = difference_2
            .unsqueeze(3)?
            .broadcast_mul(&dot)?
            .add(&inner_4.transpose(1, 2)?)?; // [b, t, H, V_2]
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled_8 = sum_4.mul(&sum_4)?; // [b, t, H, V_2]
        let mean_2 = scaled_8.mean(3)?; // [b, t, H]
        let sqrt_2 = mean_2.affine(1.0, 1e-5)?.sqrt()?; // [b, t, H]
        let inner_5 = sum_4.broadcast_div(&sqrt_2.unsqueeze(3)?)?; // [b, t, H, V_2]
        // linear[H, V -> D](RmsNorm[V](mix * near + (1 - mix) * far))
        let scaled_9 = self.h_rms_norm_gain.broadcast_mul(&inner_5)?; // [b, t, H, V_2]
        let h_linear = einsum("bthV,dhV->btd", &scaled_9, &self.h_linear)?; // [b, t, D]
        // let h = x + TwoMemories(memory_norm: RmsNorm(x))
        let h = x.add(&h_linear)?; // [b, t, D]
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled_10 = h.mul(&h)?; // [b, t, D]
        let mean_3 = scaled_10.mean(2)?; // [b, t]
        let sqrt_3 = mean_3.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let inner_6 = h.broadcast_div(&sqrt_3.unsqueeze(2)?)?; // [b, t, D]
        let scaled_11 = self.mlp_norm_gain.broadcast_mul(&inner_6)?; // [b, t, D]
        // let up = linear[D -> F](x)
        let up = einsum("btd,fd->btf", &scaled_11, &self.swi_glu_up)?; // [b, t, F]
        // let gate = linear[D -> F](x)
        let gate = einsum("btd,fd->btf", &scaled_11, &self.swi_glu_gate)?; // [b, t, F]
        // linear[F -> D](silu(gate) * up)
        let scaled_12 = up.mul(&gate.silu()?)?; // [b, t, F]
        let swi_glu_linear = einsum("btf,df->btd", &scaled_12, &self.swi_glu_linear)?; // [b, t, D]
        // h + SwiGlu(mlp_norm: RmsNorm(h))
        let sum_5 = h.add(&swi_glu_linear)?; // [b, t, D]
        Ok(sum_5)
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

/// The last `size` values of `x` along `dim`, the oldest first, as elements of a dimension behind
/// it; zero before the first position.
fn window(x: &Tensor, dim: usize, size: usize) -> Result<Tensor> {
    let t = x.dim(dim)?;
    let padded = x.pad_with_zeros(dim, size - 1, 0)?;
    let lags: Result<Vec<_>> = (0..size).map(|i| padded.narrow(dim, i, t)).collect();
    Tensor::stack(&lags?, dim + 1)
}

/// Along `dim`, over the elements that are seen, the sum of those behind each: never as a
/// difference of other sums, which would cancel.
fn sum_after(x: &Tensor, dim: usize, seen: &Tensor) -> Result<Tensor> {
    let x = masked(x, seen, 0.0)?.transpose(0, dim)?.contiguous()?;
    let n = x.dim(0)?;
    let end = x.narrow(0, 0, 1)?.zeros_like()?;
    let mut sum = Tensor::cat(&[&x, &end], 0)?.narrow(0, 1, n)?;
    let mut by = 1;
    while by < n {
        let earlier = sum.narrow(0, 0, n - by)?.add(&sum.narrow(0, by, n - by)?)?;
        sum = Tensor::cat(&[earlier, sum.narrow(0, n - by, by)?], 0)?;
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

/// `log(sigmoid(x)) = -softplus(-x)`
fn log_sigmoid(x: &Tensor) -> Result<Tensor> {
    softplus(&x.neg()?)?.neg()
}

/// Weights that begin as draws from a uniform distribution.
fn uniform(lo: f64, up: f64) -> Init {
    Init::Uniform { lo, up }
}

/// Weights that begin as draws from a normal distribution around 0.
fn normal(stdev: f64) -> Init {
    Init::Randn { mean: 0.0, stdev }
}
