//! Titans, the neural memory with a linear model: surprise with momentum, and forgetting (Behrouz et al., 2024).
//!
//! The design `Titans` at the scale `nano`, g2-50a6a626903f498127147cf8f1c05fc7.
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

/// The size of the axis `F`.
pub const F: usize = 256;

/// The language model: embedding, blocks, scores.
#[derive(Clone, Debug)]
pub struct Titans {
    /// `embedding.weight`: `[V, D]`.
    pub embedding: Tensor,
    /// `blocks.0` to `blocks.1`.
    pub blocks: Vec<Block>,
    /// `final`.
    pub last: RmsNorm,
}

impl Titans {
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

/// The unit `Block`.
#[derive(Clone, Debug)]
pub struct Block {
    /// `memory_norm.gain`: `[D]`.
    pub memory_norm_gain: Tensor,
    /// `h.q.weight`: `[H, K, D]`.
    pub h_q: Tensor,
    /// `h.k.weight`: `[H, K, D]`.
    pub h_k: Tensor,
    /// `h.v.weight`: `[H, V_2, D]`.
    pub h_v: Tensor,
    /// `h.momentum.weight`: `[H, D]`.
    pub h_momentum: Tensor,
    /// `h.momentum.bias`: `[H]`.
    pub h_momentum_bias: Tensor,
    /// `h.rate.weight`: `[H, D]`.
    pub h_rate: Tensor,
    /// `h.rate.bias`: `[H]`.
    pub h_rate_bias: Tensor,
    /// `h.keep.weight`: `[H, D]`.
    pub h_keep: Tensor,
    /// `h.keep.bias`: `[H]`.
    pub h_keep_bias: Tensor,
    /// `h.m0`: `[H, K, V_2]`.
    pub h_m0: Tensor,
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
            h_k: vb.get_with_hints((H, K, D), "h.k.weight", uniform(-0.125, 0.125))?,
            h_v: vb.get_with_hints((H, V_2, D), "h.v.weight", uniform(-0.125, 0.125))?,
            h_momentum: vb.get_with_hints((H, D), "h.momentum.weight", uniform(-0.125, 0.125))?,
            h_momentum_bias: vb.get_with_hints(H, "h.momentum.bias", Init::Const(0.0))?,
            h_rate: vb.get_with_hints((H, D), "h.rate.weight", uniform(-0.125, 0.125))?,
            h_rate_bias: vb.get_with_hints(H, "h.rate.bias", Init::Const(0.0))?,
            h_keep: vb.get_with_hints((H, D), "h.keep.weight", uniform(-0.125, 0.125))?,
            h_keep_bias: vb.get_with_hints(H, "h.keep.bias", Init::Const(0.0))?,
            h_m0: vb.get_with_hints((H, K, V_2), "h.m0", normal(0.02))?,
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
        // let q = L2Norm[K](silu(linear[D -> H, K](x)))
        let scaled_2 = self.memory_norm_gain.broadcast_mul(&inner)?; // [b, t, D]
        let h_q = einsum("btd,hkd->bthk", &scaled_2, &self.h_q)?; // [b, t, H, K]
        let silu = h_q.silu()?; // [b, t, H, K]
        // x / sqrt(sum[A..](x * x) + 1e-6)
        let scaled_3 = silu.mul(&silu)?; // [b, t, H, K]
        let sum = scaled_3.sum(3)?; // [b, t, H]
        // let momentum = sigmoid(linear[D -> H](x, bias = true))
        let h_momentum = einsum("btd,hd->bth", &scaled_2, &self.h_momentum)?; // [b, t, H]
        // let keep = sigmoid(linear[D -> H](x, bias = true))
        let h_keep = einsum("btd,hd->bth", &scaled_2, &self.h_keep)?; // [b, t, H]
        // let rate = sigmoid(linear[D -> H](x, bias = true))
        let h_rate = einsum("btd,hd->bth", &scaled_2, &self.h_rate)?; // [b, t, H]
        // let k = L2Norm[K](silu(linear[D -> H, K](x)))
        let h_k = einsum("btd,hkd->bthk", &scaled_2, &self.h_k)?; // [b, t, H, K]
        let silu_2 = h_k.silu()?; // [b, t, H, K]
        // x / sqrt(sum[A..](x * x) + 1e-6)
        let scaled_4 = silu_2.mul(&silu_2)?; // [b, t, H, K]
        let sum_2 = scaled_4.sum(3)?; // [b, t, H]
        // let v = silu(linear[D -> H, V](x))
        let h_v = einsum("btd,hVd->bthV", &scaled_2, &self.h_v)?; // [b, t, H, V_2]
        let inner_2 = h_momentum.broadcast_add(&self.h_momentum_bias)?; // [b, t, H]
        // let momentum = sigmoid(linear[D -> H](x, bias = true))
        let momentum = candle_nn::ops::sigmoid(&inner_2)?; // [b, t, H]
        let momentum_at = unstack(&momentum, 1)?;
        let inner_3 = h_keep.broadcast_add(&self.h_keep_bias)?; // [b, t, H]
        // let keep = sigmoid(linear[D -> H](x, bias = true))
        let keep = candle_nn::ops::sigmoid(&inner_3)?; // [b, t, H]
        let keep_at = unstack(&keep, 1)?;
        let inner_4 = self.h_rate_bias.broadcast_add(&h_rate)?; // [b, t, H]
        // let rate = sigmoid(linear[D -> H](x, bias = true))
        let rate = candle_nn::ops::sigmoid(&inner_4)?; // [b, t, H]
        let rate_at = unstack(&rate, 1)?;
        // x / sqrt(sum[A..](x * x) + 1e-6)
        let sqrt_2 = sum_2.affine(1.0, 1e-6)?.sqrt()?; // [b, t, H]
        let ratio = silu_2.broadcast_div(&sqrt_2.unsqueeze(3)?)?; // [b, t, H, K]
        let ratio_at = unstack(&ratio, 1)?;
        // let v = silu(linear[D -> H, V](x))
        let v = h_v.silu()?; // [b, t, H, V_2]
        let v_at = unstack(&v, 1)?;
        let mut m = self.h_m0.broadcast_as((b, H, K, V_2))?; // [b, H, K, V_2]
        let mut m_start = m.clone();
        let mut z = Tensor::zeros((b, H, K, V_2), dtype, x.device())?; // [b, H, K, V_2]
        let mut steps = Vec::with_capacity(t);
        for i in 0..t {
            if i % 4 == 0 {
                m_start = m.clone();
            }
            // let y = scan M: [H, K, V] = m0, Z: [H, K, V] = 0 every C {
            let dot = einsum("bhk,bhkV->bhV", &ratio_at[i], &m_start)?; // [b, H, V_2]
            let difference = dot.sub(&v_at[i])?; // [b, H, V_2]
            let chosen = number(1.0, x)?.broadcast_as(b)?; // [b]
            let repeated = chosen
                .unsqueeze(1)?
                .unsqueeze(2)?
                .broadcast_as((b, H, V_2))?; // [b, H, V_2]
            let scaled_6 = repeated.mul(&difference)?; // [b, H, V_2]
            let scaled_7 = repeated.mul(&difference)?; // [b, H, V_2]
            let sum_4 = scaled_6.add(&scaled_7)?; // [b, H, V_2]
            let dot_2 = einsum("bhV,bhk->bhVk", &sum_4, &ratio_at[i])?; // [b, H, V_2, K]
            let scaled_8 = momentum_at[i]
                .unsqueeze(2)?
                .unsqueeze(3)?
                .broadcast_mul(&z)?; // [b, H, K, V_2]
            let scaled_9 = keep_at[i].unsqueeze(2)?.unsqueeze(3)?.broadcast_mul(&m)?; // [b, H, K, V_2]
            let sum_5 = scaled_8.add(&scaled_9)?; // [b, H, K, V_2]
            let scaled_10 = rate_at[i]
                .unsqueeze(2)?
                .unsqueeze(3)?
                .broadcast_mul(&dot_2)?; // [b, H, V_2, K]
            let difference_2 = sum_5.sub(&scaled_10.transpose(2, 3)?)?; // [b, H, K, V_2]
            let difference_3 = scaled_8.sub(&scaled_10.transpose(2, 3)?)?; // [b, H, K, V_2]
            steps.push(difference_2.clone());
            m = difference_2;
            z = difference_3;
        }
        let over_time = Tensor::stack(&steps, 1)?; // [b, t, H, K, V_2]
        // x / sqrt(sum[A..](x * x) + 1e-6)
        let sqrt_3 = sum.affine(1.0, 1e-6)?.sqrt()?; // [b, t, H]
        let ratio_2 = silu.broadcast_div(&sqrt_3.unsqueeze(3)?)?; // [b, t, H, K]
        // let y = scan M: [H, K, V] = m0, Z: [H, K, V] = 0 every C {
        let dot_3 = einsum("bthk,bthkV->bthV", &ratio_2, &over_time)?; // [b, t, H, V_2]
        // linear[H, V -> D](y)
        let h_linear = einsum("bthV,dhV->btd", &dot_3, &self.h_linear)?; // [b, t, D]
        // let h = x + Memory(memory_norm: RmsNorm(x))
        let h = x.add(&h_linear)?; // [b, t, D]
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled_11 = h.mul(&h)?; // [b, t, D]
        let mean_2 = scaled_11.mean(2)?; // [b, t]
        let sqrt_4 = mean_2.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let inner_5 = h.broadcast_div(&sqrt_4.unsqueeze(2)?)?; // [b, t, D]
        let scaled_12 = self.mlp_norm_gain.broadcast_mul(&inner_5)?; // [b, t, D]
        // let gate = linear[D -> F](x)
        let gate = einsum("btd,fd->btf", &scaled_12, &self.swi_glu_gate)?; // [b, t, F]
        // let up = linear[D -> F](x)
        let up = einsum("btd,fd->btf", &scaled_12, &self.swi_glu_up)?; // [b, t, F]
        // linear[F -> D](silu(gate) * up)
        let scaled_13 = gate.silu()?.mul(&up)?; // [b, t, F]
        let swi_glu_linear = einsum("btf,df->btd", &scaled_13, &self.swi_glu_linear)?; // [b, t, D]
        // h + SwiGlu(mlp_norm: RmsNorm(h))
        let sum_6 = h.add(&swi_glu_linear)?; // [b, t, D]
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

/// Weights that begin as draws from a uniform distribution.
fn uniform(lo: f64, up: f64) -> Init {
    Init::Uniform { lo, up }
}

/// Weights that begin as draws from a normal distribution around 0.
fn normal(stdev: f64) -> Init {
    Init::Randn { mean: 0.0, stdev }
}
