//! RWKV-7: a state that decays for each channel, with a removal key apart from the key that is
//! written (Peng et al., 2025). The value residual of the first layer is left out.
//!
//! The design `Rwkv7` at the scale `nano`, g2-e51d717c0c0ac9a65ecb4215c8eac9ba.
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

/// The size of the axis `R`.
pub const R: usize = 16;

/// The size of the axis `R_2`.
pub const R_2: usize = 16;

/// The size of the axis `R_3`.
pub const R_3: usize = 16;

/// The size of the axis `F`.
pub const F: usize = 256;

/// The language model: embedding, blocks, scores.
#[derive(Clone, Debug)]
pub struct Rwkv7 {
    /// `embedding.weight`: `[V, D]`.
    pub embedding: Tensor,
    /// `blocks.0` to `blocks.1`.
    pub blocks: Vec<Block>,
    /// `final`.
    pub last: RmsNorm,
}

impl Rwkv7 {
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

/// Time, then channels, each behind a norm and a residual.
#[derive(Clone, Debug)]
pub struct Block {
    /// `time_norm.gain`: `[D]`.
    pub time_norm_gain: Tensor,
    /// `time_norm.bias`: `[D]`.
    pub time_norm_bias: Tensor,
    /// `h.removal`: `[H, K]`.
    pub h_removal: Tensor,
    /// `h.rate`: `[H, K]`.
    pub h_rate: Tensor,
    /// `h.u`: `[H, K]`.
    pub h_u: Tensor,
    /// `h.r_shift.mix`: `[D]`.
    pub h_r_shift_mix: Tensor,
    /// `h.r.weight`: `[H, K, D]`.
    pub h_r: Tensor,
    /// `h.k_shift.mix`: `[D]`.
    pub h_k_shift_mix: Tensor,
    /// `h.k.weight`: `[H, K, D]`.
    pub h_k: Tensor,
    /// `h.v_shift.mix`: `[D]`.
    pub h_v_shift_mix: Tensor,
    /// `h.v.weight`: `[H, V_2, D]`.
    pub h_v: Tensor,
    /// `h.w_shift.mix`: `[D]`.
    pub h_w_shift_mix: Tensor,
    /// `h.w.low.weight`: `[R, D]`.
    pub h_w_low: Tensor,
    /// `h.w.linear.weight`: `[H, K, R]`.
    pub h_w_linear: Tensor,
    /// `h.w.linear.bias`: `[H, K]`.
    pub h_w_linear_bias: Tensor,
    /// `h.a_shift.mix`: `[D]`.
    pub h_a_shift_mix: Tensor,
    /// `h.a.low.weight`: `[R_2, D]`.
    pub h_a_low: Tensor,
    /// `h.a.linear.weight`: `[H, K, R_2]`.
    pub h_a_linear: Tensor,
    /// `h.a.linear.bias`: `[H, K]`.
    pub h_a_linear_bias: Tensor,
    /// `h.g_shift.mix`: `[D]`.
    pub h_g_shift_mix: Tensor,
    /// `h.low.weight`: `[R_3, D]`.
    pub h_low: Tensor,
    /// `h.g.weight`: `[H, V_2, R_3]`.
    pub h_g: Tensor,
    /// `h.normed.gain`: `[H, V_2]`.
    pub h_normed_gain: Tensor,
    /// `h.normed.bias`: `[H, V_2]`.
    pub h_normed_bias: Tensor,
    /// `h.linear.weight`: `[D, H, V_2]`.
    pub h_linear: Tensor,
    /// `channel_norm.gain`: `[D]`.
    pub channel_norm_gain: Tensor,
    /// `channel_norm.bias`: `[D]`.
    pub channel_norm_bias: Tensor,
    /// `channel_mix.k_shift.mix`: `[D]`.
    pub channel_mix_k_shift_mix: Tensor,
    /// `channel_mix.k.weight`: `[F, D]`.
    pub channel_mix_k: Tensor,
    /// `channel_mix.linear.weight`: `[D, F]`.
    pub channel_mix_linear: Tensor,
}

impl Block {
    /// Weights by their names in a checkpoint.
    pub fn new(vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            time_norm_gain: vb.get_with_hints(D, "time_norm.gain", Init::Const(1.0))?,
            time_norm_bias: vb.get_with_hints(D, "time_norm.bias", Init::Const(0.0))?,
            h_removal: vb.get_with_hints((H, K), "h.removal", Init::Const(0.85))?,
            h_rate: vb.get_with_hints((H, K), "h.rate", Init::Const(1.0))?,
            h_u: vb.get_with_hints((H, K), "h.u", Init::Const(0.1))?,
            h_r_shift_mix: vb.get_with_hints(D, "h.r_shift.mix", Init::Const(0.5))?,
            h_r: vb.get_with_hints((H, K, D), "h.r.weight", uniform(-0.125, 0.125))?,
            h_k_shift_mix: vb.get_with_hints(D, "h.k_shift.mix", Init::Const(0.5))?,
            h_k: vb.get_with_hints((H, K, D), "h.k.weight", uniform(-0.125, 0.125))?,
            h_v_shift_mix: vb.get_with_hints(D, "h.v_shift.mix", Init::Const(0.5))?,
            h_v: vb.get_with_hints((H, V_2, D), "h.v.weight", uniform(-0.125, 0.125))?,
            h_w_shift_mix: vb.get_with_hints(D, "h.w_shift.mix", Init::Const(0.5))?,
            h_w_low: vb.get_with_hints((R, D), "h.w.low.weight", uniform(-0.125, 0.125))?,
            h_w_linear: vb.get_with_hints((H, K, R), "h.w.linear.weight", uniform(-0.25, 0.25))?,
            h_w_linear_bias: vb.get_with_hints((H, K), "h.w.linear.bias", Init::Const(0.0))?,
            h_a_shift_mix: vb.get_with_hints(D, "h.a_shift.mix", Init::Const(0.5))?,
            h_a_low: vb.get_with_hints((R_2, D), "h.a.low.weight", uniform(-0.125, 0.125))?,
            h_a_linear: vb.get_with_hints(
                (H, K, R_2),
                "h.a.linear.weight",
                uniform(-0.25, 0.25),
            )?,
            h_a_linear_bias: vb.get_with_hints((H, K), "h.a.linear.bias", Init::Const(0.0))?,
            h_g_shift_mix: vb.get_with_hints(D, "h.g_shift.mix", Init::Const(0.5))?,
            h_low: vb.get_with_hints((R_3, D), "h.low.weight", uniform(-0.125, 0.125))?,
            h_g: vb.get_with_hints((H, V_2, R_3), "h.g.weight", uniform(-0.25, 0.25))?,
            h_normed_gain: vb.get_with_hints((H, V_2), "h.normed.gain", Init::Const(1.0))?,
            h_normed_bias: vb.get_with_hints((H, V_2), "h.normed.bias", Init::Const(0.0))?,
            h_linear: vb.get_with_hints((D, H, V_2), "h.linear.weight", uniform(-0.125, 0.125))?,
            channel_norm_gain: vb.get_with_hints(D, "channel_norm.gain", Init::Const(1.0))?,
            channel_norm_bias: vb.get_with_hints(D, "channel_norm.bias", Init::Const(0.0))?,
            channel_mix_k_shift_mix: vb.get_with_hints(
                D,
                "channel_mix.k_shift.mix",
                Init::Const(0.5),
            )?,
            channel_mix_k: vb.get_with_hints(
                (F, D),
                "channel_mix.k.weight",
                uniform(-0.125, 0.125),
            )?,
            channel_mix_linear: vb.get_with_hints(
                (D, F),
                "channel_mix.linear.weight",
                uniform(-0.0625, 0.0625),
            )?,
        })
    }

    /// `[b, t, D]` to `[b, t, D]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (b, t) = (x.dim(0)?, x.dim(1)?);
        let dtype = x.dtype();
        // let centered = x - mean[A..](x)
        let mean = x.mean(2)?; // [b, t]
        let difference = x.broadcast_sub(&mean.unsqueeze(2)?)?; // [b, t, D]
        // centered / sqrt(mean[A..](centered * centered) + 1e-5) * gain + bias
        let scaled = difference.mul(&difference)?; // [b, t, D]
        let mean_2 = scaled.mean(2)?; // [b, t]
        let sqrt = mean_2.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let sum = difference
            .broadcast_div(&sqrt.unsqueeze(2)?)?
            .broadcast_mul(&self.time_norm_gain)?
            .broadcast_add(&self.time_norm_bias)?; // [b, t, D]
        // x + (shift(x, 1) - x) * mix
        let shifted = shift(&sum, 1, 1)?; // [b, t, D]
        let difference_2 = shifted.sub(&sum)?; // [b, t, D]
        let inner = difference_2.broadcast_mul(&self.h_g_shift_mix)?; // [b, t, D]
        let sum_2 = sum.add(&inner)?; // [b, t, D]
        // let low = sigmoid(linear[D -> R](g_shift: TokenShift(x)))
        let h_low = einsum("btd,ad->bta", &sum_2, &self.h_low)?; // [b, t, R_3]
        let low = candle_nn::ops::sigmoid(&h_low)?; // [b, t, R_3]
        // let g = linear[R -> H, V](low)
        let g = einsum("bta,hVa->bthV", &low, &self.h_g)?; // [b, t, H, V_2]
        let inner_2 = difference_2.broadcast_mul(&self.h_k_shift_mix)?; // [b, t, D]
        // x + (shift(x, 1) - x) * mix
        let sum_3 = sum.add(&inner_2)?; // [b, t, D]
        // let k = linear[D -> H, K](k_shift: TokenShift(x))
        let k = einsum("btd,hkd->bthk", &sum_3, &self.h_k)?; // [b, t, H, K]
        let inner_3 = difference_2.broadcast_mul(&self.h_a_shift_mix)?; // [b, t, D]
        // x + (shift(x, 1) - x) * mix
        let sum_4 = sum.add(&inner_3)?; // [b, t, D]
        // let low = linear[D -> R](x)
        let low_2 = einsum("btd,Rd->btR", &sum_4, &self.h_a_low)?; // [b, t, R_2]
        // linear[R -> H, K](low, bias = true)
        let h_a_linear = einsum("btR,hkR->bthk", &low_2, &self.h_a_linear)?; // [b, t, H, K]
        let inner_4 = difference_2.broadcast_mul(&self.h_r_shift_mix)?; // [b, t, D]
        // x + (shift(x, 1) - x) * mix
        let sum_5 = sum.add(&inner_4)?; // [b, t, D]
        // let r = linear[D -> H, K](r_shift: TokenShift(x))
        let r = einsum("btd,hkd->bthk", &sum_5, &self.h_r)?; // [b, t, H, K]
        let inner_5 = h_a_linear.broadcast_add(&self.h_a_linear_bias)?; // [b, t, H, K]
        // let a = sigmoid(LowRank<H = H, K = K>(a_shift: TokenShift(x)))
        let a = candle_nn::ops::sigmoid(&inner_5)?; // [b, t, H, K]
        // let k = k * (1 + (a - 1) * rate)
        let sum_6 = self
            .h_rate
            .broadcast_mul(&a.affine(1.0, -1.0)?)?
            .affine(1.0, 1.0)?; // [b, t, H, K]
        // linear[H, V -> D]((normed + sum[K](r * u * k) * v) * g)
        let scaled_2 = self.h_u.broadcast_mul(&k)?.mul(&sum_6)?.mul(&r)?; // [b, t, H, K]
        let sum_7 = scaled_2.sum(3)?; // [b, t, H]
        let inner_6 = difference_2.broadcast_mul(&self.h_v_shift_mix)?; // [b, t, D]
        // x + (shift(x, 1) - x) * mix
        let sum_8 = sum.add(&inner_6)?; // [b, t, D]
        // let v = linear[D -> H, V](v_shift: TokenShift(x))
        let v = einsum("btd,hVd->bthV", &sum_8, &self.h_v)?; // [b, t, H, V_2]
        let inner_7 = difference_2.broadcast_mul(&self.h_w_shift_mix)?; // [b, t, D]
        // x + (shift(x, 1) - x) * mix
        let sum_9 = sum.add(&inner_7)?; // [b, t, D]
        // let low = linear[D -> R](x)
        let low_3 = einsum("btd,rd->btr", &sum_9, &self.h_w_low)?; // [b, t, R]
        // linear[R -> H, K](low, bias = true)
        let h_w_linear = einsum("btr,hkr->bthk", &low_3, &self.h_w_linear)?; // [b, t, H, K]
        // x / sqrt(sum[A..](x * x) + 1e-6)
        let scaled_3 = k
            .mul(&k)?
            .broadcast_mul(&self.h_removal)?
            .broadcast_mul(&self.h_removal)?; // [b, t, H, K]
        let sum_10 = scaled_3.sum(3)?; // [b, t, H]
        let inner_8 = self.h_w_linear_bias.broadcast_add(&h_w_linear)?; // [b, t, H, K]
        // let w = exp(-0.6065306597126334 * sigmoid(LowRank<H = H, K = K>(w_shift: TokenSh ..
        let w = candle_nn::ops::sigmoid(&inner_8)?
            .affine(-0.6065306597126334, 0.0)?
            .exp()?; // [b, t, H, K]
        let w_at = unstack(&w, 1)?;
        let v_at = unstack(&v, 1)?;
        // let y = scan S: [H, V, K] = 0 {
        let scaled_4 = k.mul(&sum_6)?; // [b, t, H, K]
        let scaled_4_at = unstack(&scaled_4, 1)?;
        // x / sqrt(sum[A..](x * x) + 1e-6)
        let sqrt_2 = sum_10.affine(1.0, 1e-6)?.sqrt()?; // [b, t, H]
        let c = k
            .broadcast_mul(&self.h_removal)?
            .broadcast_div(&sqrt_2.unsqueeze(3)?)?; // [b, t, H, K]
        let c_at = unstack(&c, 1)?;
        // let y = scan S: [H, V, K] = 0 {
        let scaled_5 = a.mul(&c)?; // [b, t, H, K]
        let scaled_5_at = unstack(&scaled_5, 1)?;
        let mut s = Tensor::zeros((b, H, K, V_2), dtype, x.device())?; // [b, H, K, V_2]
        let mut steps = Vec::with_capacity(t);
        for i in 0..t {
            let dot = einsum("bhk,bhkV->bhV", &c_at[i], &s)?; // [b, H, V_2]
            let scaled_6 = w_at[i].unsqueeze(3)?.broadcast_mul(&s)?; // [b, H, K, V_2]
            let scaled_7 = scaled_4_at[i]
                .unsqueeze(3)?
                .broadcast_mul(&v_at[i].unsqueeze(2)?)?; // [b, H, K, V_2]
            let sum_11 = scaled_6.add(&scaled_7)?; // [b, H, K, V_2]
            let scaled_8 = scaled_5_at[i]
                .unsqueeze(3)?
                .broadcast_mul(&dot.unsqueeze(2)?)?; // [b, H, K, V_2]
            let difference_3 = sum_11.sub(&scaled_8)?; // [b, H, K, V_2]
            steps.push(difference_3.clone());
            s = difference_3;
        }
        let over_time = Tensor::stack(&steps, 1)?; // [b, t, H, K, V_2]
        let dot_2 = einsum("bthk,bthkV->bthV", &r, &over_time)?; // [b, t, H, V_2]
        // let centered = x - mean[A..](x)
        let mean_3 = dot_2.mean(3)?; // [b, t, H]
        let difference_4 = dot_2.broadcast_sub(&mean_3.unsqueeze(3)?)?; // [b, t, H, V_2]
        // centered / sqrt(mean[A..](centered * centered) + 1e-5) * gain + bias
        let scaled_9 = difference_4.mul(&difference_4)?; // [b, t, H, V_2]
        let mean_4 = scaled_9.mean(3)?; // [b, t, H]
        let inner_9 = sum_7.unsqueeze(3)?.broadcast_mul(&v)?; // [b, t, H, V_2]
        let sqrt_3 = mean_4.affine(1.0, 1e-5)?.sqrt()?; // [b, t, H]
        let inner_10 = difference_4.broadcast_div(&sqrt_3.unsqueeze(3)?)?; // [b, t, H, V_2]
        let inner_11 = self.h_normed_gain.broadcast_mul(&inner_10)?; // [b, t, H, V_2]
        let inner_12 = self.h_normed_bias.broadcast_add(&inner_9)?.add(&inner_11)?; // [b, t, H, V_2]
        // linear[H, V -> D]((normed + sum[K](r * u * k) * v) * g)
        let scaled_10 = g.mul(&inner_12)?; // [b, t, H, V_2]
        let h_linear = einsum("bthV,dhV->btd", &scaled_10, &self.h_linear)?; // [b, t, D]
        // let h = x + TimeMix(time_norm: LayerNorm(x))
        let h = x.add(&h_linear)?; // [b, t, D]
        // let centered = x - mean[A..](x)
        let mean_5 = h.mean(2)?; // [b, t]
        let difference_5 = h.broadcast_sub(&mean_5.unsqueeze(2)?)?; // [b, t, D]
        // centered / sqrt(mean[A..](centered * centered) + 1e-5) * gain + bias
        let scaled_11 = difference_5.mul(&difference_5)?; // [b, t, D]
        let mean_6 = scaled_11.mean(2)?; // [b, t]
        let sqrt_4 = mean_6.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let inner_13 = difference_5.broadcast_div(&sqrt_4.unsqueeze(2)?)?; // [b, t, D]
        let inner_14 = self.channel_norm_gain.broadcast_mul(&inner_13)?; // [b, t, D]
        let sum_12 = self.channel_norm_bias.broadcast_add(&inner_14)?; // [b, t, D]
        // x + (shift(x, 1) - x) * mix
        let shifted_2 = shift(&sum_12, 1, 1)?; // [b, t, D]
        let inner_15 = self
            .channel_mix_k_shift_mix
            .broadcast_mul(&shifted_2.sub(&sum_12)?)?; // [b, t, D]
        let sum_13 = sum_12.add(&inner_15)?; // [b, t, D]
        // let k = relu(linear[D -> F](k_shift: TokenShift(x)))
        let channel_mix_k = einsum("btd,fd->btf", &sum_13, &self.channel_mix_k)?; // [b, t, F]
        let k_2 = relu(&channel_mix_k)?; // [b, t, F]
        // linear[F -> D](k * k)
        let scaled_12 = k_2.mul(&k_2)?; // [b, t, F]
        let channel_mix_linear = einsum("btf,df->btd", &scaled_12, &self.channel_mix_linear)?; // [b, t, D]
        // h + ChannelMix(channel_norm: LayerNorm(h))
        let sum_14 = h.add(&channel_mix_linear)?; // [b, t, D]
        Ok(sum_14)
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

/// `x` at `by` positions ago along `dim`, zero before the first.
fn shift(x: &Tensor, dim: usize, by: usize) -> Result<Tensor> {
    let t = x.dim(dim)?;
    if by >= t {
        return x.zeros_like();
    }
    x.narrow(dim, 0, t - by)?.pad_with_zeros(dim, by, 0)
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

/// `x` where `x > 0`, else 0; its derivative at 0 is 0.
fn relu(x: &Tensor) -> Result<Tensor> {
    x.gt(0.0)?.where_cond(x, &x.detach().zeros_like()?)
}

/// Weights that begin as draws from a uniform distribution.
fn uniform(lo: f64, up: f64) -> Init {
    Init::Uniform { lo, up }
}

/// Weights that begin as draws from a normal distribution around 0.
fn normal(stdev: f64) -> Init {
    Init::Randn { mean: 0.0, stdev }
}
