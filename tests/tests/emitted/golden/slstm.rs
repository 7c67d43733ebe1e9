//! sLSTM: a scalar memory with exponential gates that read the state before, each head apart (Beck
//! et al., 2024).
//!
//! The design `SLstm` at the scale `nano`, g2-e891b5b5d5d0f36c3ffa7ab3cd55efa7.
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

/// The size of the axis `E_2`.
pub const E_2: usize = 16;

/// The size of the axis `E_3`.
pub const E_3: usize = 16;

/// The size of the axis `E_4`.
pub const E_4: usize = 16;

/// The size of the axis `E_5`.
pub const E_5: usize = 16;

/// The size of the axis `F`.
pub const F: usize = 256;

/// The language model: embedding, blocks, scores.
#[derive(Clone, Debug)]
pub struct SLstm {
    /// `embedding.weight`: `[V, D]`.
    pub embedding: Tensor,
    /// `blocks.0` to `blocks.1`.
    pub blocks: Vec<Block>,
    /// `final`.
    pub last: RmsNorm,
}

impl SLstm {
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
    /// `h.z_in.weight`: `[H, E, D]`.
    pub h_z_in: Tensor,
    /// `h.z_in.bias`: `[H, E]`.
    pub h_z_in_bias: Tensor,
    /// `h.i_in.weight`: `[H, E, D]`.
    pub h_i_in: Tensor,
    /// `h.f_in.weight`: `[H, E, D]`.
    pub h_f_in: Tensor,
    /// `h.f_in.bias`: `[H, E]`.
    pub h_f_in_bias: Tensor,
    /// `h.o_in.weight`: `[H, E, D]`.
    pub h_o_in: Tensor,
    /// `h.o_in.bias`: `[H, E]`.
    pub h_o_in_bias: Tensor,
    /// `h.z.weight`: `[H, E_2, E]`.
    pub h_z: Tensor,
    /// `h.i.weight`: `[H, E_3, E]`.
    pub h_i: Tensor,
    /// `h.log_f.weight`: `[H, E_4, E]`.
    pub h_log_f: Tensor,
    /// `h.o.weight`: `[H, E_5, E]`.
    pub h_o: Tensor,
    /// `h.rms_norm.gain`: `[E]`.
    pub h_rms_norm_gain: Tensor,
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
            h_z_in: vb.get_with_hints((H, E, D), "h.z_in.weight", uniform(-0.125, 0.125))?,
            h_z_in_bias: vb.get_with_hints((H, E), "h.z_in.bias", Init::Const(0.0))?,
            h_i_in: vb.get_with_hints((H, E, D), "h.i_in.weight", uniform(-0.125, 0.125))?,
            h_f_in: vb.get_with_hints((H, E, D), "h.f_in.weight", uniform(-0.125, 0.125))?,
            h_f_in_bias: vb.get_with_hints((H, E), "h.f_in.bias", Init::Const(0.0))?,
            h_o_in: vb.get_with_hints((H, E, D), "h.o_in.weight", uniform(-0.125, 0.125))?,
            h_o_in_bias: vb.get_with_hints((H, E), "h.o_in.bias", Init::Const(0.0))?,
            h_z: vb.get_with_hints((H, E_2, E), "h.z.weight", uniform(-0.25, 0.25))?,
            h_i: vb.get_with_hints((H, E_3, E), "h.i.weight", uniform(-0.25, 0.25))?,
            h_log_f: vb.get_with_hints((H, E_4, E), "h.log_f.weight", uniform(-0.25, 0.25))?,
            h_o: vb.get_with_hints((H, E_5, E), "h.o.weight", uniform(-0.25, 0.25))?,
            h_rms_norm_gain: vb.get_with_hints(E, "h.rms_norm.gain", Init::Const(1.0))?,
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
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled = x.mul(x)?; // [b, t, D]
        let mean = scaled.mean(2)?; // [b, t]
        let sqrt = mean.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let inner = x.broadcast_div(&sqrt.unsqueeze(2)?)?; // [b, t, D]
        let scaled_2 = self.mixer_norm_gain.broadcast_mul(&inner)?; // [b, t, D]
        // let i_in = linear[D -> H, E](x)
        let i_in = einsum("btd,hed->bthe", &scaled_2, &self.h_i_in)?; // [b, t, H, E]
        // let f_in = linear[D -> H, E](x, bias = true)
        let f_in = einsum("btd,hed->bthe", &scaled_2, &self.h_f_in)?; // [b, t, H, E]
        // let z_in = linear[D -> H, E](x, bias = true)
        let z_in = einsum("btd,hed->bthe", &scaled_2, &self.h_z_in)?; // [b, t, H, E]
        // let o_in = linear[D -> H, E](x, bias = true)
        let o_in = einsum("btd,hed->bthe", &scaled_2, &self.h_o_in)?; // [b, t, H, E]
        let i_in_at = unstack(&i_in, 1)?;
        let f_in_at = unstack(&f_in, 1)?;
        // let h = scan C: [H, E] = 0, N: [H, E] = 0, M: [H, E] = 0, Out: [H, E] = 0 {
        let sum = z_in.broadcast_add(&self.h_z_in_bias)?; // [b, t, H, E]
        let sum_at = unstack(&sum, 1)?;
        let o_in_at = unstack(&o_in, 1)?;
        let mut c = Tensor::zeros((b, H, E), dtype, x.device())?; // [b, H, E]
        let mut n = Tensor::zeros((b, H, E), dtype, x.device())?; // [b, H, E]
        let mut out = Tensor::zeros((b, H, E), dtype, x.device())?; // [b, H, E]
        let mut m = Tensor::zeros((b, H, E), dtype, x.device())?; // [b, H, E]
        let mut steps = Vec::with_capacity(t);
        for i in 0..t {
            let h_i = einsum("bhe,hae->hba", &out, &self.h_i)?; // [H, b, E_3]
            let h_log_f = einsum("bhe,hce->hbc", &out, &self.h_log_f)?; // [H, b, E_4]
            let h_z = einsum("bhe,hEe->hbE", &out, &self.h_z)?; // [H, b, E_2]
            let h_o = einsum("bhe,hfe->hbf", &out, &self.h_o)?; // [H, b, E_5]
            let sum_2 = h_i.add(&i_in_at[i].transpose(0, 1)?)?; // [H, b, E]
            let sum_3 = f_in_at[i].add(&h_log_f.transpose(0, 1)?)?; // [b, H, E]
            let sum_4 = sum_3.broadcast_add(&self.h_f_in_bias)?; // [b, H, E]
            let log_sigmoid_2 = log_sigmoid(&sum_4)?; // [b, H, E]
            let sum_5 = m.add(&log_sigmoid_2)?; // [b, H, E]
            let larger = sum_5.maximum(&sum_2.transpose(0, 1)?)?; // [b, H, E]
            let difference = sum_2.sub(&larger.transpose(0, 1)?)?; // [H, b, E]
            let exp = difference.exp()?; // [H, b, E]
            let sum_6 = sum_at[i].add(&h_z.transpose(0, 1)?)?; // [b, H, E]
            let tanh = sum_6.tanh()?; // [b, H, E]
            let scaled_3 = exp.mul(&tanh.transpose(0, 1)?)?; // [H, b, E]
            let difference_2 = sum_5.sub(&larger)?; // [b, H, E]
            let exp_2 = difference_2.exp()?; // [b, H, E]
            let scaled_4 = c.mul(&exp_2)?; // [b, H, E]
            let sum_7 = scaled_3.add(&scaled_4.transpose(0, 1)?)?; // [H, b, E]
            let next = sum_7.transpose(0, 1)?; // [b, H, E]
            let scaled_5 = exp_2.mul(&n)?; // [b, H, E]
            let sum_8 = exp.add(&scaled_5.transpose(0, 1)?)?; // [H, b, E]
            let next_2 = sum_8.transpose(0, 1)?; // [b, H, E]
            let sum_9 = o_in_at[i].add(&h_o.transpose(0, 1)?)?; // [b, H, E]
            let sum_10 = sum_9.broadcast_add(&self.h_o_in_bias)?; // [b, H, E]
            let sigmoid = candle_nn::ops::sigmoid(&sum_10)?; // [b, H, E]
            let scaled_6 = sum_7.mul(&sigmoid.transpose(0, 1)?)?; // [H, b, E]
            let ratio = scaled_6.div(&sum_8)?; // [H, b, E]
            let next_3 = ratio.transpose(0, 1)?; // [b, H, E]
            steps.push(ratio.clone());
            c = next;
            n = next_2;
            out = next_3;
            m = larger;
        }
        let over_time = Tensor::stack(&steps, 1)?; // [H, t, b, E]
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled_7 = over_time.mul(&over_time)?; // [H, t, b, E]
        let mean_2 = scaled_7.mean(3)?; // [H, t, b]
        let sqrt_2 = mean_2.affine(1.0, 1e-5)?.sqrt()?; // [H, t, b]
        let inner_2 = over_time.broadcast_div(&sqrt_2.unsqueeze(3)?)?; // [H, t, b, E]
        // linear[H, E -> D](RmsNorm[E](h))
        let scaled_8 = self.h_rms_norm_gain.broadcast_mul(&inner_2)?; // [H, t, b, E]
        let h_linear = einsum("htbe,dhe->tbd", &scaled_8, &self.h_linear)?; // [t, b, D]
        // let h = x + ScalarLstm(mixer_norm: RmsNorm(x))
        let h = x.add(&h_linear.transpose(0, 1)?)?; // [b, t, D]
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled_9 = h.mul(&h)?; // [b, t, D]
        let mean_3 = scaled_9.mean(2)?; // [b, t]
        let sqrt_3 = mean_3.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let scaled_10 = h
            .broadcast_div(&sqrt_3.unsqueeze(2)?)?
            .broadcast_mul(&self.mlp_norm_gain)?; // [b, t, D]
        // let gate = linear[D -> F](x)
        let gate = einsum("btd,Fd->btF", &scaled_10, &self.swi_glu_gate)?; // [b, t, F]
        // let up = linear[D -> F](x)
        let up = einsum("btd,Fd->btF", &scaled_10, &self.swi_glu_up)?; // [b, t, F]
        // linear[F -> D](silu(gate) * up)
        let scaled_11 = gate.silu()?.mul(&up)?; // [b, t, F]
        let swi_glu_linear = einsum("btF,dF->btd", &scaled_11, &self.swi_glu_linear)?; // [b, t, D]
        // h + SwiGlu(mlp_norm: RmsNorm(h))
        let sum_11 = h.add(&swi_glu_linear)?; // [b, t, D]
        Ok(sum_11)
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
