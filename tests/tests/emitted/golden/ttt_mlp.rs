//! TTT-MLP: the state is a network of two layers, which each position trains by a step down the
//! gradient of how well it makes values of keys (Sun et al., 2024).
//!
//! The design `TttMlp` at the scale `nano`, g2-cd79471786bf0ce5ff1ae625b05cd3be.
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

/// The size of the axis `F`.
pub const F: usize = 64;

/// The size of the axis `J`.
pub const J: usize = 16;

/// The size of the axis `F_2`.
pub const F_2: usize = 256;

/// The language model: embedding, blocks, scores.
#[derive(Clone, Debug)]
pub struct TttMlp {
    /// `embedding.weight`: `[V, D]`.
    pub embedding: Tensor,
    /// `blocks.0` to `blocks.1`.
    pub blocks: Vec<Block>,
    /// `final`.
    pub last: RmsNorm,
}

impl TttMlp {
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
    /// `h.w1`: `[H, K, F]`.
    pub h_w1: Tensor,
    /// `h.b1`: `[H, F]`.
    pub h_b1: Tensor,
    /// `h.w2`: `[H, F, J]`.
    pub h_w2: Tensor,
    /// `h.b2`: `[H, J]`.
    pub h_b2: Tensor,
    /// `h.gain`: `[H, J]`.
    pub h_gain: Tensor,
    /// `h.bias`: `[H, J]`.
    pub h_bias: Tensor,
    /// `h.q.weight`: `[H, K, D]`.
    pub h_q: Tensor,
    /// `h.k.weight`: `[H, K, D]`.
    pub h_k: Tensor,
    /// `h.v.weight`: `[H, K, D]`.
    pub h_v: Tensor,
    /// `h.rate.weight`: `[H, D]`.
    pub h_rate: Tensor,
    /// `h.rate.bias`: `[H]`.
    pub h_rate_bias: Tensor,
    /// `h.linear.weight`: `[D, H, K]`.
    pub h_linear: Tensor,
    /// `mlp_norm.gain`: `[D]`.
    pub mlp_norm_gain: Tensor,
    /// `swi_glu.gate.weight`: `[F_2, D]`.
    pub swi_glu_gate: Tensor,
    /// `swi_glu.up.weight`: `[F_2, D]`.
    pub swi_glu_up: Tensor,
    /// `swi_glu.linear.weight`: `[D, F_2]`.
    pub swi_glu_linear: Tensor,
}

impl Block {
    /// Weights by their names in a checkpoint.
    pub fn new(vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            mixer_norm_gain: vb.get_with_hints(D, "mixer_norm.gain", Init::Const(1.0))?,
            h_w1: vb.get_with_hints((H, K, F), "h.w1", normal(0.02))?,
            h_b1: vb.get_with_hints((H, F), "h.b1", Init::Const(0.0))?,
            h_w2: vb.get_with_hints((H, F, J), "h.w2", normal(0.02))?,
            h_b2: vb.get_with_hints((H, J), "h.b2", Init::Const(0.0))?,
            h_gain: vb.get_with_hints((H, J), "h.gain", Init::Const(1.0))?,
            h_bias: vb.get_with_hints((H, J), "h.bias", Init::Const(0.0))?,
            h_q: vb.get_with_hints((H, K, D), "h.q.weight", uniform(-0.125, 0.125))?,
            h_k: vb.get_with_hints((H, K, D), "h.k.weight", uniform(-0.125, 0.125))?,
            h_v: vb.get_with_hints((H, K, D), "h.v.weight", uniform(-0.125, 0.125))?,
            h_rate: vb.get_with_hints((H, D), "h.rate.weight", uniform(-0.125, 0.125))?,
            h_rate_bias: vb.get_with_hints(H, "h.rate.bias", Init::Const(0.0))?,
            h_linear: vb.get_with_hints((D, H, K), "h.linear.weight", uniform(-0.125, 0.125))?,
            mlp_norm_gain: vb.get_with_hints(D, "mlp_norm.gain", Init::Const(1.0))?,
            swi_glu_gate: vb.get_with_hints(
                (F_2, D),
                "swi_glu.gate.weight",
                uniform(-0.125, 0.125),
            )?,
            swi_glu_up: vb.get_with_hints((F_2, D), "swi_glu.up.weight", uniform(-0.125, 0.125))?,
            swi_glu_linear: vb.get_with_hints(
                (D, F_2),
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
        // let rate = sigmoid(linear[D -> H](x, bias = true)) / K
        let h_rate = einsum("btd,hd->bth", &scaled_2, &self.h_rate)?; // [b, t, H]
        // let k = linear[D -> H, K](x)
        let k = einsum("btd,hkd->bthk", &scaled_2, &self.h_k)?; // [b, t, H, K]
        // let v = linear[D -> H, K](x)
        let v = einsum("btd,hkd->bthk", &scaled_2, &self.h_v)?; // [b, t, H, K]
        // let target = (v - k) as [K -> J]
        let difference = v.sub(&k)?; // [b, t, H, K]
        let inner = self.h_rate_bias.broadcast_add(&h_rate)?; // [b, t, H]
        // let rate = sigmoid(linear[D -> H](x, bias = true)) / K
        let rate = candle_nn::ops::sigmoid(&inner)?.affine(1.0 / 16.0, 0.0)?; // [b, t, H]
        let rate_at = unstack(&rate, 1)?;
        let k_at = unstack(&k, 1)?;
        let difference_at = unstack(&difference, 1)?;
        let mut b1 = self.h_b1.broadcast_as((b, H, F))?; // [b, H, F]
        let mut b1_start = b1.clone();
        let mut w2 = self.h_w2.transpose(1, 2)?.broadcast_as((b, H, J, F))?; // [b, H, J, F]
        let mut w2_start = w2.clone();
        let mut c2 = Tensor::zeros((b, H, J), dtype, x.device())?; // [b, H, J]
        let mut g2 = Tensor::zeros((b, H, J, F), dtype, x.device())?; // [b, H, J, F]
        let mut g1 = Tensor::zeros((b, H, K, F), dtype, x.device())?; // [b, H, K, F]
        let mut b2 = self.h_b2.broadcast_as((b, H, J))?; // [b, H, J]
        let mut b2_start = b2.clone();
        let mut c1 = Tensor::zeros((b, H, F), dtype, x.device())?; // [b, H, F]
        let mut w1 = self.h_w1.broadcast_as((b, H, K, F))?; // [b, H, K, F]
        let mut w1_start = w1.clone();
        let mut steps = Vec::with_capacity(t);
        let mut steps_2 = Vec::with_capacity(t);
        let mut steps_3 = Vec::with_capacity(t);
        let mut steps_4 = Vec::with_capacity(t);
        let mut steps_5 = Vec::with_capacity(t);
        let mut steps_6 = Vec::with_capacity(t);
        for i in 0..t {
            if i % 16 == 0 {
                b1_start = b1.clone();
                w2_start = w2.clone();
                c2 = Tensor::zeros((b, H, J), dtype, x.device())?;
                g2 = Tensor::zeros((b, H, J, F), dtype, x.device())?;
                g1 = Tensor::zeros((b, H, K, F), dtype, x.device())?;
                b2_start = b2.clone();
                c1 = Tensor::zeros((b, H, F), dtype, x.device())?;
                w1_start = w1.clone();
            }
            // let y = scan W1: [H, K, F] = w1, B1: [H, F] = b1, W2: [H, F, J] = w2, B2: [H ..
            let dot = einsum("bhk,bhkf->bhf", &k_at[i], &w1_start)?; // [b, H, F]
            let sum = dot.add(&b1_start)?; // [b, H, F]
            let gelu_2 = gelu(&sum)?; // [b, H, F]
            let dot_2 = einsum("bhf,bhjf->bhj", &gelu_2, &w2_start)?; // [b, H, J]
            let sum_2 = dot_2.add(&b2_start)?; // [b, H, J]
            // let centered = z - mean[J](z)
            let mean_2 = sum_2.mean(2)?; // [b, H]
            let centered = sum_2.broadcast_sub(&mean_2.unsqueeze(2)?)?; // [b, H, J]
            // centered / sqrt(mean[J](centered * centered) + 1e-5)
            let scaled_3 = centered.mul(&centered)?; // [b, H, J]
            let mean_3 = scaled_3.mean(2)?; // [b, H]
            let sum_3 = mean_3.affine(1.0, 1e-5)?; // [b, H]
            let sqrt_2 = sum_3.sqrt()?; // [b, H]
            let ratio = centered.broadcast_div(&sqrt_2.unsqueeze(2)?)?; // [b, H, J]
            // let y = scan W1: [H, K, F] = w1, B1: [H, F] = b1, W2: [H, F, J] = w2, B2: [H ..
            let scaled_4 = self.h_gain.broadcast_mul(&ratio)?; // [b, H, J]
            let sum_4 = self.h_bias.broadcast_add(&scaled_4)?; // [b, H, J]
            let difference_2 = sum_4.sub(&difference_at[i])?; // [b, H, J]
            let chosen = number(1.0, x)?.broadcast_as(b)?; // [b]
            let ratio_3 = chosen.affine(1.0 / 2.0, 0.0)?; // [b]
            let repeated = ratio_3
                .unsqueeze(1)?
                .unsqueeze(2)?
                .broadcast_as((b, H, J))?; // [b, H, J]
            let scaled_6 = repeated.mul(&difference_2)?; // [b, H, J]
            let scaled_7 = repeated.mul(&difference_2)?; // [b, H, J]
            let sum_6 = scaled_6.add(&scaled_7)?; // [b, H, J]
            let scaled_8 = sum_6.broadcast_mul(&self.h_gain)?; // [b, H, J]
            let inner_2 = centered.broadcast_div(&sqrt_2.unsqueeze(2)?)?; // [b, H, J]
            let neg = scaled_8
                .mul(&inner_2)?
                .broadcast_div(&sqrt_2.unsqueeze(2)?)?
                .neg()?; // [b, H, J]
            let sum_7 = neg.sum(2)?; // [b, H]
            let inner_3 = sum_3.sqrt()?.affine(2.0, 0.0)?; // [b, H]
            let ratio_4 = sum_7.div(&inner_3)?; // [b, H]
            let ratio_5 = ratio_4.affine(1.0 / 16.0, 0.0)?; // [b, H]
            let repeated_2 = ratio_5.unsqueeze(2)?.broadcast_as((b, H, J))?; // [b, H, J]
            let ratio_6 = scaled_8.broadcast_div(&sqrt_2.unsqueeze(2)?)?; // [b, H, J]
            let scaled_9 = repeated_2.mul(&centered)?; // [b, H, J]
            let sum_8 = ratio_6.add(&scaled_9)?; // [b, H, J]
            let scaled_10 = repeated_2.mul(&centered)?; // [b, H, J]
            let sum_9 = sum_8.add(&scaled_10)?; // [b, H, J]
            let neg_2 = sum_9.neg()?; // [b, H, J]
            let sum_10 = neg_2.sum(2)?; // [b, H]
            let ratio_7 = sum_10.affine(1.0 / 16.0, 0.0)?; // [b, H]
            let repeated_3 = ratio_7.unsqueeze(2)?.broadcast_as((b, H, J))?; // [b, H, J]
            let sum_11 = sum_9.add(&repeated_3)?; // [b, H, J]
            let dot_3 = einsum("bhj,bhjf->bhf", &sum_11, &w2_start)?; // [b, H, F]
            let dot_4 = einsum("bhk,bhkf->bhf", &k_at[i], &w1_start)?; // [b, H, F]
            let sum_12 = dot_4.add(&b1_start)?; // [b, H, F]
            let gelu_3 = gelu(&sum_12)?; // [b, H, F]
            let dot_5 = einsum("bhf,bhjf->bhj", &gelu_3, &w2_start)?; // [b, H, J]
            let sum_13 = dot_5.add(&b2_start)?; // [b, H, J]
            // let centered = z - mean[J](z)
            let mean_4 = sum_13.mean(2)?; // [b, H]
            let centered_2 = sum_13.broadcast_sub(&mean_4.unsqueeze(2)?)?; // [b, H, J]
            // centered / sqrt(mean[J](centered * centered) + 1e-5)
            let scaled_11 = centered_2.mul(&centered_2)?; // [b, H, J]
            let mean_5 = scaled_11.mean(2)?; // [b, H]
            let sum_14 = mean_5.affine(1.0, 1e-5)?; // [b, H]
            let sqrt_3 = sum_14.sqrt()?; // [b, H]
            let ratio_8 = centered_2.broadcast_div(&sqrt_3.unsqueeze(2)?)?; // [b, H, J]
            // let y = scan W1: [H, K, F] = w1, B1: [H, F] = b1, W2: [H, F, J] = w2, B2: [H ..
            let scaled_12 = self.h_gain.broadcast_mul(&ratio_8)?; // [b, H, J]
            let sum_15 = self.h_bias.broadcast_add(&scaled_12)?; // [b, H, J]
            let difference_3 = sum_15.sub(&difference_at[i])?; // [b, H, J]
            let chosen_2 = number(1.0, x)?.broadcast_as(b)?; // [b]
            let ratio_10 = chosen_2.affine(1.0 / 2.0, 0.0)?; // [b]
            let repeated_4 = ratio_10
                .unsqueeze(1)?
                .unsqueeze(2)?
                .broadcast_as((b, H, J))?; // [b, H, J]
            let scaled_14 = repeated_4.mul(&difference_3)?; // [b, H, J]
            let scaled_15 = repeated_4.mul(&difference_3)?; // [b, H, J]
            let sum_17 = scaled_14.add(&scaled_15)?; // [b, H, J]
            let scaled_16 = sum_17.broadcast_mul(&self.h_gain)?; // [b, H, J]
            let inner_4 = centered_2.broadcast_div(&sqrt_3.unsqueeze(2)?)?; // [b, H, J]
            let neg_3 = scaled_16
                .mul(&inner_4)?
                .broadcast_div(&sqrt_3.unsqueeze(2)?)?
                .neg()?; // [b, H, J]
            let sum_18 = neg_3.sum(2)?; // [b, H]
            let inner_5 = sum_14.sqrt()?.affine(2.0, 0.0)?; // [b, H]
            let ratio_11 = sum_18.div(&inner_5)?; // [b, H]
            let ratio_12 = ratio_11.affine(1.0 / 16.0, 0.0)?; // [b, H]
            let repeated_5 = ratio_12.unsqueeze(2)?.broadcast_as((b, H, J))?; // [b, H, J]
            let ratio_13 = scaled_16.broadcast_div(&sqrt_3.unsqueeze(2)?)?; // [b, H, J]
            let scaled_17 = repeated_5.mul(&centered_2)?; // [b, H, J]
            let sum_19 = ratio_13.add(&scaled_17)?; // [b, H, J]
            let scaled_18 = repeated_5.mul(&centered_2)?; // [b, H, J]
            let sum_20 = sum_19.add(&scaled_18)?; // [b, H, J]
            let neg_4 = sum_20.neg()?; // [b, H, J]
            let sum_21 = neg_4.sum(2)?; // [b, H]
            let ratio_14 = sum_21.affine(1.0 / 16.0, 0.0)?; // [b, H]
            let repeated_6 = ratio_14.unsqueeze(2)?.broadcast_as((b, H, J))?; // [b, H, J]
            let sum_22 = sum_20.add(&repeated_6)?; // [b, H, J]
            let dot_6 = einsum("bhj,bhjf->bhf", &sum_22, &w2_start)?; // [b, H, F]
            let inner_6 = sum_12.mul(&sum_12)?.mul(&sum_12)?.affine(0.044715, 0.0)?; // [b, H, F]
            let inner_7 = sum_12.mul(&sum_12)?.mul(&sum_12)?.affine(0.044715, 0.0)?; // [b, H, F]
            let inner_8 = sum_12.mul(&sum_12)?.mul(&sum_12)?.affine(0.044715, 0.0)?; // [b, H, F]
            let inner_9 = sum_12
                .add(&inner_8)?
                .affine(0.7978845608028654, 0.0)?
                .tanh()?; // [b, H, F]
            let inner_10 = sum_12
                .add(&inner_7)?
                .affine(0.7978845608028654, 0.0)?
                .tanh()?
                .mul(&inner_9)?
                .affine(-1.0, 1.0)?; // [b, H, F]
            let inner_11 = sum_12
                .mul(&sum_12)?
                .affine(0.10703222440890037, 0.0)?
                .affine(1.0, 0.7978845608028654)?; // [b, H, F]
            let inner_12 = sum_12.mul(&inner_10)?.mul(&inner_11)?; // [b, H, F]
            let inner_13 = sum_12
                .add(&inner_6)?
                .affine(0.7978845608028654, 0.0)?
                .tanh()?
                .affine(1.0, 1.0)?
                .add(&inner_12)?
                .affine(0.5, 0.0)?; // [b, H, F]
            let scaled_19 = dot_6.mul(&inner_13)?; // [b, H, F]
            let dot_7 = einsum("bhf,bhk->bhfk", &scaled_19, &k_at[i])?; // [b, H, F, K]
            let sum_23 = dot.add(&b1_start)?; // [b, H, F]
            let gelu_4 = gelu(&sum_23)?; // [b, H, F]
            let dot_8 = einsum("bhf,bhjf->bhj", &gelu_4, &w2_start)?; // [b, H, J]
            let sum_24 = dot_8.add(&b2_start)?; // [b, H, J]
            // let centered = z - mean[J](z)
            let mean_6 = sum_24.mean(2)?; // [b, H]
            let centered_3 = sum_24.broadcast_sub(&mean_6.unsqueeze(2)?)?; // [b, H, J]
            // centered / sqrt(mean[J](centered * centered) + 1e-5)
            let scaled_20 = centered_3.mul(&centered_3)?; // [b, H, J]
            let mean_7 = scaled_20.mean(2)?; // [b, H]
            let sum_25 = mean_7.affine(1.0, 1e-5)?; // [b, H]
            let sqrt_4 = sum_25.sqrt()?; // [b, H]
            let ratio_15 = centered_3.broadcast_div(&sqrt_4.unsqueeze(2)?)?; // [b, H, J]
            // let y = scan W1: [H, K, F] = w1, B1: [H, F] = b1, W2: [H, F, J] = w2, B2: [H ..
            let scaled_21 = self.h_gain.broadcast_mul(&ratio_15)?; // [b, H, J]
            let sum_26 = self.h_bias.broadcast_add(&scaled_21)?; // [b, H, J]
            let difference_4 = sum_26.sub(&difference_at[i])?; // [b, H, J]
            let chosen_3 = number(1.0, x)?.broadcast_as(b)?; // [b]
            let ratio_17 = chosen_3.affine(1.0 / 2.0, 0.0)?; // [b]
            let repeated_7 = ratio_17
                .unsqueeze(1)?
                .unsqueeze(2)?
                .broadcast_as((b, H, J))?; // [b, H, J]
            let scaled_23 = repeated_7.mul(&difference_4)?; // [b, H, J]
            let scaled_24 = repeated_7.mul(&difference_4)?; // [b, H, J]
            let sum_28 = scaled_23.add(&scaled_24)?; // [b, H, J]
            let scaled_25 = sum_28.broadcast_mul(&self.h_gain)?; // [b, H, J]
            let inner_14 = centered_3.broadcast_div(&sqrt_4.unsqueeze(2)?)?; // [b, H, J]
            let neg_5 = scaled_25
                .mul(&inner_14)?
                .broadcast_div(&sqrt_4.unsqueeze(2)?)?
                .neg()?; // [b, H, J]
            let sum_29 = neg_5.sum(2)?; // [b, H]
            let inner_15 = sum_25.sqrt()?.affine(2.0, 0.0)?; // [b, H]
            let ratio_18 = sum_29.div(&inner_15)?; // [b, H]
            let ratio_19 = ratio_18.affine(1.0 / 16.0, 0.0)?; // [b, H]
            let repeated_8 = ratio_19.unsqueeze(2)?.broadcast_as((b, H, J))?; // [b, H, J]
            let ratio_20 = scaled_25.broadcast_div(&sqrt_4.unsqueeze(2)?)?; // [b, H, J]
            let scaled_26 = repeated_8.mul(&centered_3)?; // [b, H, J]
            let sum_30 = ratio_20.add(&scaled_26)?; // [b, H, J]
            let scaled_27 = repeated_8.mul(&centered_3)?; // [b, H, J]
            let sum_31 = sum_30.add(&scaled_27)?; // [b, H, J]
            let neg_6 = sum_31.neg()?; // [b, H, J]
            let sum_32 = neg_6.sum(2)?; // [b, H]
            let ratio_21 = sum_32.affine(1.0 / 16.0, 0.0)?; // [b, H]
            let repeated_9 = ratio_21.unsqueeze(2)?.broadcast_as((b, H, J))?; // [b, H, J]
            let sum_33 = sum_31.add(&repeated_9)?; // [b, H, J]
            let dot_9 = einsum("bhj,bhf->bhjf", &sum_33, &gelu_4)?; // [b, H, J, F]
            let dot_10 = einsum("bhf,bhjf->bhj", &gelu_4, &w2_start)?; // [b, H, J]
            let sum_34 = dot_10.add(&b2_start)?; // [b, H, J]
            // let centered = z - mean[J](z)
            let mean_8 = sum_34.mean(2)?; // [b, H]
            let centered_4 = sum_34.broadcast_sub(&mean_8.unsqueeze(2)?)?; // [b, H, J]
            // centered / sqrt(mean[J](centered * centered) + 1e-5)
            let scaled_28 = centered_4.mul(&centered_4)?; // [b, H, J]
            let mean_9 = scaled_28.mean(2)?; // [b, H]
            let sum_35 = mean_9.affine(1.0, 1e-5)?; // [b, H]
            let sqrt_5 = sum_35.sqrt()?; // [b, H]
            let ratio_22 = centered_4.broadcast_div(&sqrt_5.unsqueeze(2)?)?; // [b, H, J]
            // let y = scan W1: [H, K, F] = w1, B1: [H, F] = b1, W2: [H, F, J] = w2, B2: [H ..
            let scaled_29 = self.h_gain.broadcast_mul(&ratio_22)?; // [b, H, J]
            let sum_36 = self.h_bias.broadcast_add(&scaled_29)?; // [b, H, J]
            let difference_5 = sum_36.sub(&difference_at[i])?; // [b, H, J]
            let chosen_4 = number(1.0, x)?.broadcast_as(b)?; // [b]
            let ratio_24 = chosen_4.affine(1.0 / 2.0, 0.0)?; // [b]
            let repeated_10 = ratio_24
                .unsqueeze(1)?
                .unsqueeze(2)?
                .broadcast_as((b, H, J))?; // [b, H, J]
            let scaled_31 = repeated_10.mul(&difference_5)?; // [b, H, J]
            let scaled_32 = repeated_10.mul(&difference_5)?; // [b, H, J]
            let sum_38 = scaled_31.add(&scaled_32)?; // [b, H, J]
            let scaled_33 = sum_38.broadcast_mul(&self.h_gain)?; // [b, H, J]
            let inner_16 = centered_4.broadcast_div(&sqrt_5.unsqueeze(2)?)?; // [b, H, J]
            let neg_7 = scaled_33
                .mul(&inner_16)?
                .broadcast_div(&sqrt_5.unsqueeze(2)?)?
                .neg()?; // [b, H, J]
            let sum_39 = neg_7.sum(2)?; // [b, H]
            let inner_17 = sum_35.sqrt()?.affine(2.0, 0.0)?; // [b, H]
            let ratio_25 = sum_39.div(&inner_17)?; // [b, H]
            let ratio_26 = ratio_25.affine(1.0 / 16.0, 0.0)?; // [b, H]
            let repeated_11 = ratio_26.unsqueeze(2)?.broadcast_as((b, H, J))?; // [b, H, J]
            let ratio_27 = scaled_33.broadcast_div(&sqrt_5.unsqueeze(2)?)?; // [b, H, J]
            let scaled_34 = repeated_11.mul(&centered_4)?; // [b, H, J]
            let sum_40 = ratio_27.add(&scaled_34)?; // [b, H, J]
            let scaled_35 = repeated_11.mul(&centered_4)?; // [b, H, J]
            let sum_41 = sum_40.add(&scaled_35)?; // [b, H, J]
            let neg_8 = sum_41.neg()?; // [b, H, J]
            let sum_42 = neg_8.sum(2)?; // [b, H]
            let ratio_28 = sum_42.affine(1.0 / 16.0, 0.0)?; // [b, H]
            let repeated_12 = ratio_28.unsqueeze(2)?.broadcast_as((b, H, J))?; // [b, H, J]
            let inner_18 = sum.mul(&sum)?.mul(&sum)?.affine(0.044715, 0.0)?; // [b, H, F]
            let inner_19 = sum.mul(&sum)?.mul(&sum)?.affine(0.044715, 0.0)?; // [b, H, F]
            let inner_20 = sum.mul(&sum)?.mul(&sum)?.affine(0.044715, 0.0)?; // [b, H, F]
            let inner_21 = sum
                .add(&inner_20)?
                .affine(0.7978845608028654, 0.0)?
                .tanh()?; // [b, H, F]
            let inner_22 = sum
                .add(&inner_19)?
                .affine(0.7978845608028654, 0.0)?
                .tanh()?
                .mul(&inner_21)?
                .affine(-1.0, 1.0)?; // [b, H, F]
            let inner_23 = sum
                .mul(&sum)?
                .affine(0.10703222440890037, 0.0)?
                .affine(1.0, 0.7978845608028654)?; // [b, H, F]
            let inner_24 = sum.mul(&inner_22)?.mul(&inner_23)?; // [b, H, F]
            let inner_25 = sum
                .add(&inner_18)?
                .affine(0.7978845608028654, 0.0)?
                .tanh()?
                .affine(1.0, 1.0)?
                .add(&inner_24)?
                .affine(0.5, 0.0)?; // [b, H, F]
            let scaled_36 = dot_3.mul(&inner_25)?; // [b, H, F]
            let scaled_37 = rate_at[i].unsqueeze(2)?.broadcast_mul(&scaled_36)?; // [b, H, F]
            let sum_43 = c1.add(&scaled_37)?; // [b, H, F]
            let difference_6 = b1_start.sub(&sum_43)?; // [b, H, F]
            let scaled_38 = rate_at[i]
                .unsqueeze(2)?
                .unsqueeze(3)?
                .broadcast_mul(&dot_9)?; // [b, H, J, F]
            let sum_44 = g2.add(&scaled_38)?; // [b, H, J, F]
            let difference_7 = w2_start.sub(&sum_44)?; // [b, H, J, F]
            let sum_45 = sum_41.add(&repeated_12)?; // [b, H, J]
            let scaled_39 = rate_at[i].unsqueeze(2)?.broadcast_mul(&sum_45)?; // [b, H, J]
            let sum_46 = scaled_39.add(&c2)?; // [b, H, J]
            let scaled_40 = rate_at[i]
                .unsqueeze(2)?
                .unsqueeze(3)?
                .broadcast_mul(&dot_7)?; // [b, H, F, K]
            let sum_47 = scaled_40.add(&g1.transpose(2, 3)?)?; // [b, H, F, K]
            let next = sum_47.transpose(2, 3)?; // [b, H, K, F]
            let difference_8 = b2_start.sub(&sum_46)?; // [b, H, J]
            let difference_9 = w1_start.sub(&sum_47.transpose(2, 3)?)?; // [b, H, K, F]
            steps.push(b1_start.clone());
            steps_2.push(b2_start.clone());
            steps_3.push(sum_43.clone());
            steps_4.push(difference_9.clone());
            steps_5.push(difference_7.clone());
            steps_6.push(sum_46.clone());
            b1 = difference_6;
            w2 = difference_7;
            c2 = sum_46;
            g2 = sum_44;
            g1 = next;
            b2 = difference_8;
            c1 = sum_43;
            w1 = difference_9;
        }
        let over_time = Tensor::stack(&steps, 1)?; // [b, t, H, F]
        let over_time_2 = Tensor::stack(&steps_2, 1)?; // [b, t, H, J]
        let over_time_3 = Tensor::stack(&steps_3, 1)?; // [b, t, H, F]
        let over_time_4 = Tensor::stack(&steps_4, 1)?; // [b, t, H, K, F]
        let over_time_5 = Tensor::stack(&steps_5, 1)?; // [b, t, H, J, F]
        let over_time_6 = Tensor::stack(&steps_6, 1)?; // [b, t, H, J]
        let dot_11 = einsum("bthk,bthkf->bthf", &q, &over_time_4)?; // [b, t, H, F]
        let inner_26 = over_time.add(&dot_11)?.sub(&over_time_3)?; // [b, t, H, F]
        let gelu_5 = gelu(&inner_26)?; // [b, t, H, F]
        let dot_12 = einsum("bthf,bthjf->bthj", &gelu_5, &over_time_5)?; // [b, t, H, J]
        let difference_10 = over_time_2.add(&dot_12)?.sub(&over_time_6)?; // [b, t, H, J]
        // let centered = z - mean[J](z)
        let mean_10 = difference_10.mean(3)?; // [b, t, H]
        let centered_5 = difference_10.broadcast_sub(&mean_10.unsqueeze(3)?)?; // [b, t, H, J]
        // centered / sqrt(mean[J](centered * centered) + 1e-5)
        let scaled_41 = centered_5.mul(&centered_5)?; // [b, t, H, J]
        let mean_11 = scaled_41.mean(3)?; // [b, t, H]
        let sqrt_6 = mean_11.affine(1.0, 1e-5)?.sqrt()?; // [b, t, H]
        let inner_27 = centered_5.broadcast_div(&sqrt_6.unsqueeze(3)?)?; // [b, t, H, J]
        let inner_28 = self.h_gain.broadcast_mul(&inner_27)?; // [b, t, H, J]
        // let y = scan W1: [H, K, F] = w1, B1: [H, F] = b1, W2: [H, F, J] = w2, B2: [H, J] ..
        let sum_48 = self.h_bias.broadcast_add(&inner_28)?; // [b, t, H, J]
        let sum_49 = q.add(&sum_48)?; // [b, t, H, K]
        // linear[H, K -> D](y)
        let h_linear = einsum("bthk,dhk->btd", &sum_49, &self.h_linear)?; // [b, t, D]
        // let h = x + TestTimeMlp(mixer_norm: RmsNorm(x))
        let h = x.add(&h_linear)?; // [b, t, D]
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled_42 = h.mul(&h)?; // [b, t, D]
        let mean_12 = scaled_42.mean(2)?; // [b, t]
        let sqrt_7 = mean_12.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let inner_29 = h.broadcast_div(&sqrt_7.unsqueeze(2)?)?; // [b, t, D]
        let scaled_43 = self.mlp_norm_gain.broadcast_mul(&inner_29)?; // [b, t, D]
        // let up = linear[D -> F](x)
        let up = einsum("btd,Fd->btF", &scaled_43, &self.swi_glu_up)?; // [b, t, F_2]
        // let gate = linear[D -> F](x)
        let gate = einsum("btd,Fd->btF", &scaled_43, &self.swi_glu_gate)?; // [b, t, F_2]
        // linear[F -> D](silu(gate) * up)
        let scaled_44 = up.mul(&gate.silu()?)?; // [b, t, F_2]
        let swi_glu_linear = einsum("btF,dF->btd", &scaled_44, &self.swi_glu_linear)?; // [b, t, D]
        // h + SwiGlu(mlp_norm: RmsNorm(h))
        let sum_50 = h.add(&swi_glu_linear)?; // [b, t, D]
        Ok(sum_50)
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

/// `x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))` (Hendrycks and Gimpel, 2016).
fn gelu(x: &Tensor) -> Result<Tensor> {
    let scale = (2.0 / std::f64::consts::PI).sqrt();
    let inner = x.mul(&x.sqr()?.affine(0.044_715 * scale, scale)?)?.tanh()?;
    x.affine(0.5, 0.0)?.mul(&inner.affine(1.0, 1.0)?)
}

/// Weights that begin as draws from a uniform distribution.
fn uniform(lo: f64, up: f64) -> Init {
    Init::Uniform { lo, up }
}

/// Weights that begin as draws from a normal distribution around 0.
fn normal(stdev: f64) -> Init {
    Init::Randn { mean: 0.0, stdev }
}
