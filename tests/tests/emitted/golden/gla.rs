//! Gated linear attention: a matrix state per head with a decay for each key channel that the
//! input sets (Yang et al., 2024).
//!
//! The design `Gla` at the scale `nano`, g2-1b6837c1fdc6c504aed414ac00ac738e.
//!
//! Written by `genesys emit --to rust`. Weights have the names that a checkpoint of Genesys has.

use candle_core::{DType, Result, Tensor};
use candle_nn::{Init, VarBuilder};

/// The size of the axis `D`.
pub const D: usize = 64;

/// The size of the axis `V`.
pub const V: usize = 23;

/// The size of the axis `H`.
pub const H: usize = 1;

/// The size of the axis `K`.
pub const K: usize = 32;

/// The size of the axis `V_2`.
pub const V_2: usize = 64;

/// The size of the axis `R`.
pub const R: usize = 16;

/// The size of the axis `F`.
pub const F: usize = 256;

/// The language model: embedding, blocks, scores.
#[derive(Clone, Debug)]
pub struct Gla {
    /// `embedding.weight`: `[V, D]`.
    pub embedding: Tensor,
    /// `blocks.0` to `blocks.1`.
    pub blocks: Vec<Block>,
    /// `final`.
    pub last: RmsNorm,
}

impl Gla {
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

/// The recurrence, then MLP, each behind a norm and a residual.
#[derive(Clone, Debug)]
pub struct Block {
    /// `mixer_norm.gain`: `[D]`.
    pub mixer_norm_gain: Tensor,
    /// `h.q.weight`: `[H, K, D]`.
    pub h_q: Tensor,
    /// `h.k.weight`: `[H, K, D]`.
    pub h_k: Tensor,
    /// `h.v.weight`: `[H, V_2, D]`.
    pub h_v: Tensor,
    /// `h.low.weight`: `[R, D]`.
    pub h_low: Tensor,
    /// `h.decay.weight`: `[H, K, R]`.
    pub h_decay: Tensor,
    /// `h.decay.bias`: `[H, K]`.
    pub h_decay_bias: Tensor,
    /// `h.gate.weight`: `[H, V_2, D]`.
    pub h_gate: Tensor,
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
            mixer_norm_gain: vb.get_with_hints(D, "mixer_norm.gain", Init::Const(1.0))?,
            h_q: vb.get_with_hints((H, K, D), "h.q.weight", uniform(-0.125, 0.125))?,
            h_k: vb.get_with_hints((H, K, D), "h.k.weight", uniform(-0.125, 0.125))?,
            h_v: vb.get_with_hints((H, V_2, D), "h.v.weight", uniform(-0.125, 0.125))?,
            h_low: vb.get_with_hints((R, D), "h.low.weight", uniform(-0.125, 0.125))?,
            h_decay: vb.get_with_hints((H, K, R), "h.decay.weight", uniform(-0.25, 0.25))?,
            h_decay_bias: vb.get_with_hints((H, K), "h.decay.bias", Init::Const(0.0))?,
            h_gate: vb.get_with_hints((H, V_2, D), "h.gate.weight", uniform(-0.125, 0.125))?,
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
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled = x.mul(x)?; // [b, t, D]
        let mean = scaled.mean(2)?; // [b, t]
        let sqrt = mean.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let inner = x.broadcast_div(&sqrt.unsqueeze(2)?)?; // [b, t, D]
        let scaled_2 = self.mixer_norm_gain.broadcast_mul(&inner)?; // [b, t, D]
        // let q = linear[D -> H, K](x) / sqrt(K)
        let h_q = einsum("btd,hkd->bthk", &scaled_2, &self.h_q)?; // [b, t, H, K]
        // let k = linear[D -> H, K](x)
        let k = einsum("btd,hkd->bthk", &scaled_2, &self.h_k)?; // [b, t, H, K]
        // let v = linear[D -> H, V](x)
        let v = einsum("btd,hVd->bthV", &scaled_2, &self.h_v)?; // [b, t, H, V_2]
        // let low = linear[D -> R](x)
        let low = einsum("btd,rd->btr", &scaled_2, &self.h_low)?; // [b, t, R]
        // let decay = exp(log_sigmoid(linear[R -> H, K](low, bias = true)) / 16)
        let h_decay = einsum("btr,hkr->bthk", &low, &self.h_decay)?; // [b, t, H, K]
        let k_at = unstack(&k, 1)?;
        let v_at = unstack(&v, 1)?;
        let inner_2 = self.h_decay_bias.broadcast_add(&h_decay)?; // [b, t, H, K]
        let decay = log_sigmoid(&inner_2)?.affine(1.0 / 16.0, 0.0)?.exp()?; // [b, t, H, K]
        let decay_at = unstack(&decay, 1)?;
        let mut s = Tensor::zeros((b, H, K, V_2), dtype, x.device())?; // [b, H, K, V_2]
        let mut steps = Vec::with_capacity(t);
        for i in 0..t {
            // let y = scan S: [H, K, V] = 0 {
            let scaled_3 = k_at[i]
                .unsqueeze(3)?
                .broadcast_mul(&v_at[i].unsqueeze(2)?)?; // [b, H, K, V_2]
            let sum = decay_at[i]
                .unsqueeze(3)?
                .broadcast_mul(&s)?
                .add(&scaled_3)?; // [b, H, K, V_2]
            steps.push(sum.clone());
            s = sum;
        }
        let over_time = Tensor::stack(&steps, 1)?; // [b, t, H, K, V_2]
        // let q = linear[D -> H, K](x) / sqrt(K)
        let q = h_q.affine(1.0 / 5.656854249492381, 0.0)?; // [b, t, H, K]
        // let y = scan S: [H, K, V] = 0 {
        let dot = einsum("bthk,bthkV->bthV", &q, &over_time)?; // [b, t, H, V_2]
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled_4 = dot.mul(&dot)?; // [b, t, H, V_2]
        let mean_2 = scaled_4.mean(3)?; // [b, t, H]
        // let gate = silu(linear[D -> H, V](x))
        let h_gate = einsum("btd,hVd->bthV", &scaled_2, &self.h_gate)?; // [b, t, H, V_2]
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let sqrt_2 = mean_2.affine(1.0, 1e-5)?.sqrt()?; // [b, t, H]
        let inner_3 = dot.broadcast_div(&sqrt_2.unsqueeze(3)?)?; // [b, t, H, V_2]
        // linear[H, V -> D](RmsNorm[V](y) * gate)
        let scaled_5 = self
            .h_rms_norm_gain
            .broadcast_mul(&inner_3)?
            .mul(&h_gate.silu()?)?; // [b, t, H, V_2]
        let h_linear = einsum("bthV,dhV->btd", &scaled_5, &self.h_linear)?; // [b, t, D]
        // let h = x + GatedLinearAttention(mixer_norm: RmsNorm(x))
        let h = x.add(&h_linear)?; // [b, t, D]
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled_6 = h.mul(&h)?; // [b, t, D]
        let mean_3 = scaled_6.mean(2)?; // [b, t]
        let sqrt_3 = mean_3.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let scaled_7 = h
            .broadcast_div(&sqrt_3.unsqueeze(2)?)?
            .broadcast_mul(&self.mlp_norm_gain)?; // [b, t, D]
        // let gate = linear[D -> F](x)
        let gate = einsum("btd,fd->btf", &scaled_7, &self.swi_glu_gate)?; // [b, t, F]
        // let up = linear[D -> F](x)
        let up = einsum("btd,fd->btf", &scaled_7, &self.swi_glu_up)?; // [b, t, F]
        // linear[F -> D](silu(gate) * up)
        let scaled_8 = gate.silu()?.mul(&up)?; // [b, t, F]
        let swi_glu_linear = einsum("btf,df->btd", &scaled_8, &self.swi_glu_linear)?; // [b, t, D]
        // h + SwiGlu(mlp_norm: RmsNorm(h))
        let sum_2 = h.add(&swi_glu_linear)?; // [b, t, D]
        Ok(sum_2)
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
