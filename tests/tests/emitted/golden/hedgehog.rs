//! Linear attention with learned features that imitate softmax: a softmax over a learned map of
//! each head and its negative (Zhang et al., 2024).
//!
//! The design `Hedgehog` at the scale `nano`, g2-0b17f521d8c4558f4807452da426cb26.
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

/// The size of the axis `K_2`.
pub const K_2: usize = 16;

/// The size of the axis `K_3`.
pub const K_3: usize = 16;

/// The size of the axis `F`.
pub const F: usize = 256;

/// The size of the axis `F_2`.
pub const F_2: usize = 32;

/// The language model: embedding, blocks, scores.
#[derive(Clone, Debug)]
pub struct Hedgehog {
    /// `embedding.weight`: `[V, D]`.
    pub embedding: Tensor,
    /// `blocks.0` to `blocks.1`.
    pub blocks: Vec<Block>,
    /// `final`.
    pub last: RmsNorm,
}

impl Hedgehog {
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
    /// `h.q.weight`: `[H, K, D]`.
    pub h_q: Tensor,
    /// `h.k.weight`: `[H, K, D]`.
    pub h_k: Tensor,
    /// `h.v.weight`: `[H, V_2, D]`.
    pub h_v: Tensor,
    /// `h.q_map.weight`: `[H, K_2, K]`.
    pub h_q_map: Tensor,
    /// `h.q_map.bias`: `[H, K]`.
    pub h_q_map_bias: Tensor,
    /// `h.k_map.weight`: `[H, K_3, K]`.
    pub h_k_map: Tensor,
    /// `h.k_map.bias`: `[H, K]`.
    pub h_k_map_bias: Tensor,
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
            h_q_map: vb.get_with_hints((H, K_2, K), "h.q_map.weight", uniform(-0.25, 0.25))?,
            h_q_map_bias: vb.get_with_hints((H, K), "h.q_map.bias", Init::Const(0.0))?,
            h_k_map: vb.get_with_hints((H, K_3, K), "h.k_map.weight", uniform(-0.25, 0.25))?,
            h_k_map_bias: vb.get_with_hints((H, K), "h.k_map.bias", Init::Const(0.0))?,
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
        let scaled_2 = x
            .broadcast_div(&sqrt.unsqueeze(2)?)?
            .broadcast_mul(&self.mixer_norm_gain)?; // [b, t, D]
        // let q = linear[D -> H, K](x)
        let q = einsum("btd,hkd->bthk", &scaled_2, &self.h_q)?; // [b, t, H, K]
        // let q_map = linear[K -> K; per H](q, bias = true)
        let q_map = einsum("bthk,hKk->hbtK", &q, &self.h_q_map)?; // [H, b, t, K_2]
        let q_map_2 = q_map.broadcast_add(&self.h_q_map_bias.unsqueeze(1)?.unsqueeze(2)?)?; // [H, b, t, K]
        // let fq = softmax[F](concat[K, K -> F](q_map, -q_map))
        let neg = q_map_2.neg()?; // [H, b, t, K]
        let joined = Tensor::cat(&[&q_map_2, &neg], 3)?; // [H, b, t, F_2]
        let fq = softmax(&joined, &[3])?; // [H, b, t, F_2]
        // let k = linear[D -> H, K](x)
        let k = einsum("btd,hkd->bthk", &scaled_2, &self.h_k)?; // [b, t, H, K]
        // let k_map = linear[K -> K; per H](k, bias = true)
        let k_map = einsum("bthk,hak->hbta", &k, &self.h_k_map)?; // [H, b, t, K_3]
        let k_map_2 = k_map.broadcast_add(&self.h_k_map_bias.unsqueeze(1)?.unsqueeze(2)?)?; // [H, b, t, K]
        // let fk = softmax[F](concat[K, K -> F](k_map, -k_map))
        let neg_2 = k_map_2.neg()?; // [H, b, t, K]
        let joined_2 = Tensor::cat(&[&k_map_2, &neg_2], 3)?; // [H, b, t, F_2]
        let fk = softmax(&joined_2, &[3])?; // [H, b, t, F_2]
        // let v = linear[D -> H, V](x)
        let v = einsum("btd,hVd->bthV", &scaled_2, &self.h_v)?; // [b, t, H, V_2]
        let fk_at = unstack(&fk, 2)?;
        let v_at = unstack(&v, 1)?;
        let mut s = Tensor::zeros((b, H, V_2, F_2), dtype, x.device())?; // [b, H, V_2, F_2]
        let mut steps = Vec::with_capacity(t);
        for i in 0..t {
            // let y = scan S: [H, F, V] = 0, Z: [H, F] = 0 {
            let scaled_3 = fk_at[i]
                .transpose(0, 1)?
                .unsqueeze(2)?
                .broadcast_mul(&v_at[i].unsqueeze(3)?)?; // [b, H, V_2, F_2]
            let sum = s.add(&scaled_3)?; // [b, H, V_2, F_2]
            steps.push(sum.clone());
            s = sum;
        }
        let over_time = Tensor::stack(&steps, 1)?; // [b, t, H, V_2, F_2]
        let dot = einsum("hbtF,bthVF->bthV", &fq, &over_time)?; // [b, t, H, V_2]
        let fk_at_2 = unstack(&fk, 2)?;
        let mut z = Tensor::zeros((b, H, F_2), dtype, x.device())?; // [b, H, F_2]
        let mut steps_2 = Vec::with_capacity(t);
        for i in 0..t {
            let sum_2 = z.add(&fk_at_2[i].transpose(0, 1)?)?; // [b, H, F_2]
            steps_2.push(sum_2.clone());
            z = sum_2;
        }
        let over_time_2 = Tensor::stack(&steps_2, 1)?; // [b, t, H, F_2]
        let scaled_4 = fq.mul(&over_time_2.permute((2, 0, 1, 3))?)?; // [H, b, t, F_2]
        let sum_3 = scaled_4.sum(3)?; // [H, b, t]
        let sum_4 = sum_3.affine(1.0, 1e-6)?; // [H, b, t]
        let ratio = dot.broadcast_div(&sum_4.permute((1, 2, 0))?.unsqueeze(3)?)?; // [b, t, H, V_2]
        // linear[H, V -> D](y)
        let h_linear = einsum("bthV,dhV->btd", &ratio, &self.h_linear)?; // [b, t, D]
        // let h = x + HedgehogAttention(mixer_norm: RmsNorm(x))
        let h = x.add(&h_linear)?; // [b, t, D]
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled_5 = h.mul(&h)?; // [b, t, D]
        let mean_2 = scaled_5.mean(2)?; // [b, t]
        let sqrt_2 = mean_2.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let inner = h.broadcast_div(&sqrt_2.unsqueeze(2)?)?; // [b, t, D]
        let scaled_6 = self.mlp_norm_gain.broadcast_mul(&inner)?; // [b, t, D]
        // let up = linear[D -> F](x)
        let up = einsum("btd,fd->btf", &scaled_6, &self.swi_glu_up)?; // [b, t, F]
        // let gate = linear[D -> F](x)
        let gate = einsum("btd,fd->btf", &scaled_6, &self.swi_glu_gate)?; // [b, t, F]
        // linear[F -> D](silu(gate) * up)
        let scaled_7 = up.mul(&gate.silu()?)?; // [b, t, F]
        let swi_glu_linear = einsum("btf,df->btd", &scaled_7, &self.swi_glu_linear)?; // [b, t, D]
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

/// A number as a tensor without dimensions, of the type of `like`.
fn number(value: f64, like: &Tensor) -> Result<Tensor> {
    Tensor::full(value, (), like.device())?.to_dtype(like.dtype())
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
