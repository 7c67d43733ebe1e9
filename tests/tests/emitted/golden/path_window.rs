//! PaTH attention over a window: between a key and its query stand the Householder-like maps of all
//! positions in between (Yang et al., 2025).
//!
//! The design `PathWindow` at the scale `nano`, g2-3b384402ef83651b61c6e6fed409728a.
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

/// The size of the axis `R`.
pub const R: usize = 16;

/// The size of the axis `W`.
pub const W: usize = 3;

/// The size of the axis `F`.
pub const F: usize = 256;

/// The size of the axis `N`.
pub const N: usize = 16;

/// The size of the axis `Older`.
pub const OLDER: usize = 15;

/// The language model: embedding, blocks, scores.
#[derive(Clone, Debug)]
pub struct PathWindow {
    /// `embedding.weight`: `[V, D]`.
    pub embedding: Tensor,
    /// `blocks.0` to `blocks.1`.
    pub blocks: Vec<Block>,
    /// `final`.
    pub last: RmsNorm,
}

impl PathWindow {
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
    /// `h.low.weight`: `[R, D]`.
    pub h_low: Tensor,
    /// `h.w.weight`: `[H, E, R]`.
    pub h_w: Tensor,
    /// `h.w_conv.kernel`: `[W, H, E]`.
    pub h_w_conv_kernel: Tensor,
    /// `h.b.weight`: `[H, D]`.
    pub h_b: Tensor,
    /// `h.b.bias`: `[H]`.
    pub h_b_bias: Tensor,
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
            h_low: vb.get_with_hints((R, D), "h.low.weight", uniform(-0.125, 0.125))?,
            h_w: vb.get_with_hints((H, E, R), "h.w.weight", uniform(-0.25, 0.25))?,
            h_w_conv_kernel: vb.get_with_hints(
                (W, H, E),
                "h.w_conv.kernel",
                uniform(-0.5773502691896258, 0.5773502691896258),
            )?,
            h_b: vb.get_with_hints((H, D), "h.b.weight", uniform(-0.125, 0.125))?,
            h_b_bias: vb.get_with_hints(H, "h.b.bias", Init::Const(0.0))?,
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
        // let y = scan Keys: [H, N, E] = 0 {
        let position = count(t, x)?; // [t]
        let index = count(N, x)?; // [N]
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled = x.mul(x)?; // [b, t, D]
        let mean = scaled.mean(2)?; // [b, t]
        let sqrt = mean.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let scaled_2 = x
            .broadcast_div(&sqrt.unsqueeze(2)?)?
            .broadcast_mul(&self.mixer_norm_gain)?; // [b, t, D]
        // let q = linear[D -> H, E](x)
        let q = einsum("btd,hed->bthe", &scaled_2, &self.h_q)?; // [b, t, H, E]
        // let b = 2 * sigmoid(linear[D -> H](x, bias = true))
        let h_b = einsum("btd,hd->bth", &scaled_2, &self.h_b)?; // [b, t, H]
        // let low = linear[D -> R](x)
        let low = einsum("btd,rd->btr", &scaled_2, &self.h_low)?; // [b, t, R]
        // let w = linear[R -> H, E](low)
        let w = einsum("btr,her->bthe", &low, &self.h_w)?; // [b, t, H, E]
        // sum[W](kernel * window[W](x))
        let window_2 = window(&w, 1, 3)?; // [b, t, W, H, E]
        let scaled_3 = self.h_w_conv_kernel.broadcast_mul(&window_2)?; // [b, t, W, H, E]
        let sum = scaled_3.sum(2)?; // [b, t, H, E]
        // x / sqrt(sum[A..](x * x) + 1e-6)
        let scaled_4 = sum.mul(&sum)?; // [b, t, H, E]
        let sum_2 = scaled_4.sum(3)?; // [b, t, H]
        // let k = linear[D -> H, E](x)
        let k = einsum("btd,hed->bthe", &scaled_2, &self.h_k)?; // [b, t, H, E]
        // let y = scan Keys: [H, N, E] = 0 {
        let stacked = Tensor::stack(&[&k], 4)?; // [b, t, H, E, ONE]
        // x / sqrt(sum[A..](x * x) + 1e-6)
        let sqrt_2 = sum_2.affine(1.0, 1e-6)?.sqrt()?; // [b, t, H]
        let w_2 = sum.broadcast_div(&sqrt_2.unsqueeze(3)?)?; // [b, t, H, E]
        let w_2_at = unstack(&w_2, 1)?;
        let inner = self.h_b_bias.broadcast_add(&h_b)?; // [b, t, H]
        // let y = scan Keys: [H, N, E] = 0 {
        let scaled_5 = candle_nn::ops::sigmoid(&inner)?.affine(2.0, 0.0)?; // [b, t, H]
        let scaled_6 = scaled_5.unsqueeze(3)?.broadcast_mul(&w_2)?; // [b, t, H, E]
        let scaled_6_at = unstack(&scaled_6, 1)?;
        let stacked_at = unstack(&stacked, 1)?;
        let mut keys = Tensor::zeros((b, H, E, N), dtype, x.device())?; // [b, H, E, N]
        let mut steps = Vec::with_capacity(t);
        for i in 0..t {
            let dot = einsum("bhe,bhen->bhn", &w_2_at[i], &keys)?; // [b, H, N]
            let scaled_7 = scaled_6_at[i]
                .unsqueeze(3)?
                .broadcast_mul(&dot.unsqueeze(2)?)?; // [b, H, E, N]
            let difference = keys.sub(&scaled_7)?; // [b, H, E, N]
            let part = difference.narrow(3, 1, OLDER)?; // [b, H, E, OLDER]
            let joined = Tensor::cat(&[&part, &stacked_at[i]], 3)?; // [b, H, E, N]
            steps.push(joined.clone());
            keys = joined;
        }
        let over_time = Tensor::stack(&steps, 1)?; // [b, t, H, E, N]
        let dot_2 = einsum("bthe,bthen->bthn", &q, &over_time)?; // [b, t, H, N]
        let holds = position
            .unsqueeze(1)?
            .broadcast_add(&index)?
            .ge(15.0)?
            .to_dtype(dtype)?; // [t, N]
        let chosen = select(
            &holds.unsqueeze(1)?,
            &dot_2.affine(1.0 / 4.0, 0.0)?,
            &number(-1e30, x)?,
        )?; // [b, t, H, N]
        let weights = softmax(&chosen, &[3])?; // [b, t, H, N]
        // let v = linear[D -> H, E](x)
        let v = einsum("btd,hed->bthe", &scaled_2, &self.h_v)?; // [b, t, H, E]
        // let values = window[N](v)
        let values = window(&v, 1, 16)?; // [b, t, N, H, E]
        // let y = scan Keys: [H, N, E] = 0 {
        let dot_3 = einsum("bthn,btnhe->bthe", &weights, &values)?; // [b, t, H, E]
        // linear[H, E -> D](y)
        let h_linear = einsum("bthe,dhe->btd", &dot_3, &self.h_linear)?; // [b, t, D]
        // let h = x + PathAttention(mixer_norm: RmsNorm(x))
        let h = x.add(&h_linear)?; // [b, t, D]
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled_8 = h.mul(&h)?; // [b, t, D]
        let mean_2 = scaled_8.mean(2)?; // [b, t]
        let sqrt_3 = mean_2.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let scaled_9 = h
            .broadcast_div(&sqrt_3.unsqueeze(2)?)?
            .broadcast_mul(&self.mlp_norm_gain)?; // [b, t, D]
        // let up = linear[D -> F](x)
        let up = einsum("btd,fd->btf", &scaled_9, &self.swi_glu_up)?; // [b, t, F]
        // let gate = linear[D -> F](x)
        let gate = einsum("btd,fd->btf", &scaled_9, &self.swi_glu_gate)?; // [b, t, F]
        // linear[F -> D](silu(gate) * up)
        let scaled_10 = up.mul(&gate.silu()?)?; // [b, t, F]
        let swi_glu_linear = einsum("btf,df->btd", &scaled_10, &self.swi_glu_linear)?; // [b, t, D]
        // h + SwiGlu(mlp_norm: RmsNorm(h))
        let sum_3 = h.add(&swi_glu_linear)?; // [b, t, D]
        Ok(sum_3)
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

/// A number as a tensor without dimensions, of the type of `like`.
fn number(value: f64, like: &Tensor) -> Result<Tensor> {
    Tensor::full(value, (), like.device())?.to_dtype(like.dtype())
}

/// 0, 1, .. in the type of `like`.
fn count(n: usize, like: &Tensor) -> Result<Tensor> {
    Tensor::arange(0u32, n as u32, like.device())?.to_dtype(like.dtype())
}

/// `a` where `condition` is not 0, else `b`: a selection, never a product.
fn select(condition: &Tensor, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let shape = a.shape().broadcast_shape_binary_op(b.shape(), "select")?;
    let shape = shape.broadcast_shape_binary_op(condition.shape(), "select")?;
    let condition = condition.ne(0.0)?.broadcast_as(&shape)?;
    condition.where_cond(&a.broadcast_as(&shape)?, &b.broadcast_as(&shape)?)
}

/// The largest element over `dims`, to subtract before exponentials: 0 where there is none, and
/// outside of the gradient.
fn top_of(x: &Tensor, dims: &[usize]) -> Result<Tensor> {
    let largest = |x: Tensor, dim: &usize| x.max_keepdim(*dim);
    let top = dims.iter().try_fold(x.detach(), largest)?;
    top.eq(f64::NEG_INFINITY)?
        .where_cond(&top.zeros_like()?, &top)
}

/// `exp(x) / sum(exp(x))` over `dims` together.
fn softmax(x: &Tensor, dims: &[usize]) -> Result<Tensor> {
    let exps = x.broadcast_sub(&top_of(x, dims)?)?.exp()?;
    exps.broadcast_mul(&exps.sum_keepdim(dims)?.recip()?)
}

/// The last `size` values of `x` along `dim`, the oldest first, as elements of a dimension behind
/// it; zero before the first position.
fn window(x: &Tensor, dim: usize, size: usize) -> Result<Tensor> {
    let t = x.dim(dim)?;
    let padded = x.pad_with_zeros(dim, size - 1, 0)?;
    let lags: Result<Vec<_>> = (0..size).map(|i| padded.narrow(dim, i, t)).collect();
    Tensor::stack(&lags?, dim + 1)
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

/// Weights that begin as draws from a uniform distribution.
fn uniform(lo: f64, up: f64) -> Init {
    Init::Uniform { lo, up }
}

/// Weights that begin as draws from a normal distribution around 0.
fn normal(stdev: f64) -> Init {
    Init::Randn { mean: 0.0, stdev }
}
