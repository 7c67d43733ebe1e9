//! Mamba-2: a matrix state per head that the input makes decay and writes to, behind a short
//! convolution; two such layers a block, and no MLP (Dao and Gu, 2024).
//!
//! The design `Mamba2` at the scale `nano`, g2-3b050221a4f0ae867c94c4684ad1c34e.
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

/// The size of the axis `P`.
pub const P: usize = 128;

/// The size of the axis `N`.
pub const N: usize = 64;

/// The size of the axis `W`.
pub const W: usize = 4;

/// The size of the axis `W_2`.
pub const W_2: usize = 4;

/// The size of the axis `W_3`.
pub const W_3: usize = 4;

/// The size of the axis `H_2`.
pub const H_2: usize = 1;

/// The size of the axis `P_2`.
pub const P_2: usize = 128;

/// The size of the axis `N_2`.
pub const N_2: usize = 64;

/// The size of the axis `W_4`.
pub const W_4: usize = 4;

/// The size of the axis `W_5`.
pub const W_5: usize = 4;

/// The size of the axis `W_6`.
pub const W_6: usize = 4;

/// The language model: embedding, blocks, scores.
#[derive(Clone, Debug)]
pub struct Mamba2 {
    /// `embedding.weight`: `[V, D]`.
    pub embedding: Tensor,
    /// `blocks.0` to `blocks.1`.
    pub blocks: Vec<Block>,
    /// `final`.
    pub last: RmsNorm,
}

impl Mamba2 {
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

/// Two layers, each behind a norm and a residual.
#[derive(Clone, Debug)]
pub struct Block {
    /// `first_norm.gain`: `[D]`.
    pub first_norm_gain: Tensor,
    /// `h.z.weight`: `[H, P, D]`.
    pub h_z: Tensor,
    /// `h.u.weight`: `[H, P, D]`.
    pub h_u: Tensor,
    /// `h.b.weight`: `[N, D]`.
    pub h_b: Tensor,
    /// `h.c.weight`: `[N, D]`.
    pub h_c: Tensor,
    /// `h.u_conv.kernel`: `[W, H, P]`.
    pub h_u_conv_kernel: Tensor,
    /// `h.b_conv.kernel`: `[W_2, N]`.
    pub h_b_conv_kernel: Tensor,
    /// `h.c_conv.kernel`: `[W_3, N]`.
    pub h_c_conv_kernel: Tensor,
    /// `h.a`: `[H]`; from a checkpoint, for candle cannot draw it.
    pub h_a: Tensor,
    /// `h.dt_bias`: `[H]`; from a checkpoint, for candle cannot draw it.
    pub h_dt_bias: Tensor,
    /// `h.dt.weight`: `[H, D]`.
    pub h_dt: Tensor,
    /// `h.rms_norm.gain`: `[H, P]`.
    pub h_rms_norm_gain: Tensor,
    /// `h.linear.weight`: `[D, H, P]`.
    pub h_linear: Tensor,
    /// `second_norm.gain`: `[D]`.
    pub second_norm_gain: Tensor,
    /// `layer.z.weight`: `[H_2, P_2, D]`.
    pub layer_z: Tensor,
    /// `layer.u.weight`: `[H_2, P_2, D]`.
    pub layer_u: Tensor,
    /// `layer.b.weight`: `[N_2, D]`.
    pub layer_b: Tensor,
    /// `layer.c.weight`: `[N_2, D]`.
    pub layer_c: Tensor,
    /// `layer.u_conv.kernel`: `[W_4, H_2, P_2]`.
    pub layer_u_conv_kernel: Tensor,
    /// `layer.b_conv.kernel`: `[W_5, N_2]`.
    pub layer_b_conv_kernel: Tensor,
    /// `layer.c_conv.kernel`: `[W_6, N_2]`.
    pub layer_c_conv_kernel: Tensor,
    /// `layer.a`: `[H_2]`; from a checkpoint, for candle cannot draw it.
    pub layer_a: Tensor,
    /// `layer.dt_bias`: `[H_2]`; from a checkpoint, for candle cannot draw it.
    pub layer_dt_bias: Tensor,
    /// `layer.dt.weight`: `[H_2, D]`.
    pub layer_dt: Tensor,
    /// `layer.rms_norm.gain`: `[H_2, P_2]`.
    pub layer_rms_norm_gain: Tensor,
    /// `layer.linear.weight`: `[D, H_2, P_2]`.
    pub layer_linear: Tensor,
}

impl Block {
    /// Weights by their names in a checkpoint.
    pub fn new(vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            first_norm_gain: vb.get_with_hints(D, "first_norm.gain", Init::Const(1.0))?,
            h_z: vb.get_with_hints((H, P, D), "h.z.weight", uniform(-0.125, 0.125))?,
            h_u: vb.get_with_hints((H, P, D), "h.u.weight", uniform(-0.125, 0.125))?,
            h_b: vb.get_with_hints((N, D), "h.b.weight", uniform(-0.125, 0.125))?,
            h_c: vb.get_with_hints((N, D), "h.c.weight", uniform(-0.125, 0.125))?,
            h_u_conv_kernel: vb.get_with_hints((W, H, P), "h.u_conv.kernel", uniform(-0.5, 0.5))?,
            h_b_conv_kernel: vb.get_with_hints((W_2, N), "h.b_conv.kernel", uniform(-0.5, 0.5))?,
            h_c_conv_kernel: vb.get_with_hints((W_3, N), "h.c_conv.kernel", uniform(-0.5, 0.5))?,
            h_a: vb.get_with_hints(H, "h.a", Init::Const(f64::NAN))?,
            h_dt_bias: vb.get_with_hints(H, "h.dt_bias", Init::Const(f64::NAN))?,
            h_dt: vb.get_with_hints((H, D), "h.dt.weight", uniform(-0.125, 0.125))?,
            h_rms_norm_gain: vb.get_with_hints((H, P), "h.rms_norm.gain", Init::Const(1.0))?,
            h_linear: vb.get_with_hints(
                (D, H, P),
                "h.linear.weight",
                uniform(-0.08838834764831843, 0.08838834764831843),
            )?,
            second_norm_gain: vb.get_with_hints(D, "second_norm.gain", Init::Const(1.0))?,
            layer_z: vb.get_with_hints((H_2, P_2, D), "layer.z.weight", uniform(-0.125, 0.125))?,
            layer_u: vb.get_with_hints((H_2, P_2, D), "layer.u.weight", uniform(-0.125, 0.125))?,
            layer_b: vb.get_with_hints((N_2, D), "layer.b.weight", uniform(-0.125, 0.125))?,
            layer_c: vb.get_with_hints((N_2, D), "layer.c.weight", uniform(-0.125, 0.125))?,
            layer_u_conv_kernel: vb.get_with_hints(
                (W_4, H_2, P_2),
                "layer.u_conv.kernel",
                uniform(-0.5, 0.5),
            )?,
            layer_b_conv_kernel: vb.get_with_hints(
                (W_5, N_2),
                "layer.b_conv.kernel",
                uniform(-0.5, 0.5),
            )?,
            layer_c_conv_kernel: vb.get_with_hints(
                (W_6, N_2),
                "layer.c_conv.kernel",
                uniform(-0.5, 0.5),
            )?,
            layer_a: vb.get_with_hints(H_2, "layer.a", Init::Const(f64::NAN))?,
            layer_dt_bias: vb.get_with_hints(H_2, "layer.dt_bias", Init::Const(f64::NAN))?,
            layer_dt: vb.get_with_hints((H_2, D), "layer.dt.weight", uniform(-0.125, 0.125))?,
            layer_rms_norm_gain: vb.get_with_hints(
                (H_2, P_2),
                "layer.rms_norm.gain",
                Init::Const(1.0),
            )?,
            layer_linear: vb.get_with_hints(
                (D, H_2, P_2),
                "layer.linear.weight",
                uniform(-0.08838834764831843, 0.08838834764831843),
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
        let scaled_2 = self.first_norm_gain.broadcast_mul(&inner)?; // [b, t, D]
        // let z = linear[D -> H, P](x)
        let z = einsum("btd,hpd->bthp", &scaled_2, &self.h_z)?; // [b, t, H, P]
        // let c = linear[D -> N](x)
        let c = einsum("btd,nd->btn", &scaled_2, &self.h_c)?; // [b, t, N]
        // sum[W](kernel * window[W](x))
        let window_2 = window(&c, 1, 4)?; // [b, t, W_3, N]
        let scaled_3 = window_2.broadcast_mul(&self.h_c_conv_kernel)?; // [b, t, W_3, N]
        let sum = scaled_3.sum(2)?; // [b, t, N]
        // let dt = softplus(linear[D -> H](x) + dt_bias)
        let h_dt = einsum("btd,hd->bth", &scaled_2, &self.h_dt)?; // [b, t, H]
        // let b = linear[D -> N](x)
        let b_2 = einsum("btd,nd->btn", &scaled_2, &self.h_b)?; // [b, t, N]
        // sum[W](kernel * window[W](x))
        let window_3 = window(&b_2, 1, 4)?; // [b, t, W_2, N]
        let scaled_4 = self.h_b_conv_kernel.broadcast_mul(&window_3)?; // [b, t, W_2, N]
        let sum_2 = scaled_4.sum(2)?; // [b, t, N]
        // let u = linear[D -> H, P](x)
        let u = einsum("btd,hpd->bthp", &scaled_2, &self.h_u)?; // [b, t, H, P]
        // sum[W](kernel * window[W](x))
        let window_4 = window(&u, 1, 4)?; // [b, t, W, H, P]
        let scaled_5 = window_4.broadcast_mul(&self.h_u_conv_kernel)?; // [b, t, W, H, P]
        let sum_3 = scaled_5.sum(2)?; // [b, t, H, P]
        let inner_2 = self.h_dt_bias.broadcast_add(&h_dt)?; // [b, t, H]
        // let dt = softplus(linear[D -> H](x) + dt_bias)
        let dt = softplus(&inner_2)?; // [b, t, H]
        // let b = silu(b_conv: ShortConv(b))
        let b_3 = sum_2.silu()?; // [b, t, N]
        // let y = scan S: [H, N, P] = 0 {
        let scaled_6 = dt.unsqueeze(3)?.broadcast_mul(&b_3.unsqueeze(2)?)?; // [b, t, H, N]
        let scaled_6_at = unstack(&scaled_6, 1)?;
        // let u = silu(u_conv: ShortConv(u))
        let u_2 = sum_3.silu()?; // [b, t, H, P]
        let u_2_at = unstack(&u_2, 1)?;
        // let decay = exp(-exp(a) * dt)
        let neg = self.h_a.exp()?.neg()?; // [H]
        let decay = neg.broadcast_mul(&dt)?.exp()?; // [b, t, H]
        let decay_at = unstack(&decay, 1)?;
        let mut s = Tensor::zeros((b, H, N, P), dtype, x.device())?; // [b, H, N, P]
        let mut steps = Vec::with_capacity(t);
        for i in 0..t {
            // let y = scan S: [H, N, P] = 0 {
            let scaled_7 = scaled_6_at[i]
                .unsqueeze(2)?
                .broadcast_mul(&u_2_at[i].unsqueeze(3)?)?; // [b, H, P, N]
            let sum_4 = decay_at[i]
                .unsqueeze(2)?
                .unsqueeze(3)?
                .broadcast_mul(&s)?
                .add(&scaled_7.transpose(2, 3)?)?; // [b, H, N, P]
            steps.push(sum_4.clone());
            s = sum_4;
        }
        let over_time = Tensor::stack(&steps, 1)?; // [b, t, H, N, P]
        // let c = silu(c_conv: ShortConv(c))
        let c_2 = sum.silu()?; // [b, t, N]
        // let y = scan S: [H, N, P] = 0 {
        let dot = einsum("btn,bthnp->bthp", &c_2, &over_time)?; // [b, t, H, P]
        // linear[H, P -> D](RmsNorm[H, P](y * silu(z)))
        let silu = z.silu()?; // [b, t, H, P]
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled_8 = silu.mul(&silu)?.mul(&dot)?.mul(&dot)?; // [b, t, H, P]
        let mean_2 = scaled_8.mean((2, 3))?; // [b, t]
        let sqrt_2 = mean_2.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let inner_3 = silu
            .mul(&dot)?
            .broadcast_div(&sqrt_2.unsqueeze(2)?.unsqueeze(3)?)?; // [b, t, H, P]
        // linear[H, P -> D](RmsNorm[H, P](y * silu(z)))
        let scaled_9 = self.h_rms_norm_gain.broadcast_mul(&inner_3)?; // [b, t, H, P]
        let h_linear = einsum("bthp,dhp->btd", &scaled_9, &self.h_linear)?; // [b, t, D]
        // let h = x + Layer(first_norm: RmsNorm(x))
        let h = x.add(&h_linear)?; // [b, t, D]
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled_10 = h.mul(&h)?; // [b, t, D]
        let mean_3 = scaled_10.mean(2)?; // [b, t]
        let sqrt_3 = mean_3.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let inner_4 = h.broadcast_div(&sqrt_3.unsqueeze(2)?)?; // [b, t, D]
        let scaled_11 = self.second_norm_gain.broadcast_mul(&inner_4)?; // [b, t, D]
        // let c = linear[D -> N](x)
        let c_3 = einsum("btd,Nd->btN", &scaled_11, &self.layer_c)?; // [b, t, N_2]
        // sum[W](kernel * window[W](x))
        let window_5 = window(&c_3, 1, 4)?; // [b, t, W_6, N_2]
        let scaled_12 = self.layer_c_conv_kernel.broadcast_mul(&window_5)?; // [b, t, W_6, N_2]
        let sum_5 = scaled_12.sum(2)?; // [b, t, N_2]
        // let dt = softplus(linear[D -> H](x) + dt_bias)
        let layer_dt = einsum("btd,Hd->btH", &scaled_11, &self.layer_dt)?; // [b, t, H_2]
        // let b = linear[D -> N](x)
        let b_4 = einsum("btd,Nd->btN", &scaled_11, &self.layer_b)?; // [b, t, N_2]
        // sum[W](kernel * window[W](x))
        let window_6 = window(&b_4, 1, 4)?; // [b, t, W_5, N_2]
        let scaled_13 = self.layer_b_conv_kernel.broadcast_mul(&window_6)?; // [b, t, W_5, N_2]
        let sum_6 = scaled_13.sum(2)?; // [b, t, N_2]
        // let u = linear[D -> H, P](x)
        let u_3 = einsum("btd,HPd->btHP", &scaled_11, &self.layer_u)?; // [b, t, H_2, P_2]
        // sum[W](kernel * window[W](x))
        let window_7 = window(&u_3, 1, 4)?; // [b, t, W_4, H_2, P_2]
        let scaled_14 = window_7.broadcast_mul(&self.layer_u_conv_kernel)?; // [b, t, W_4, H_2, P_2]
        let sum_7 = scaled_14.sum(2)?; // [b, t, H_2, P_2]
        let inner_5 = layer_dt.broadcast_add(&self.layer_dt_bias)?; // [b, t, H_2]
        // let dt = softplus(linear[D -> H](x) + dt_bias)
        let dt_2 = softplus(&inner_5)?; // [b, t, H_2]
        // let b = silu(b_conv: ShortConv(b))
        let b_5 = sum_6.silu()?; // [b, t, N_2]
        // let y = scan S: [H, N, P] = 0 {
        let scaled_15 = dt_2.unsqueeze(3)?.broadcast_mul(&b_5.unsqueeze(2)?)?; // [b, t, H_2, N_2]
        let scaled_15_at = unstack(&scaled_15, 1)?;
        // let u = silu(u_conv: ShortConv(u))
        let u_4 = sum_7.silu()?; // [b, t, H_2, P_2]
        let u_4_at = unstack(&u_4, 1)?;
        // let decay = exp(-exp(a) * dt)
        let neg_2 = self.layer_a.exp()?.neg()?; // [H_2]
        let decay_2 = neg_2.broadcast_mul(&dt_2)?.exp()?; // [b, t, H_2]
        let decay_2_at = unstack(&decay_2, 1)?;
        let mut s_2 = Tensor::zeros((b, H_2, N_2, P_2), dtype, x.device())?; // [b, H_2, N_2, P_2]
        let mut steps_2 = Vec::with_capacity(t);
        for i in 0..t {
            // let y = scan S: [H, N, P] = 0 {
            let scaled_16 = scaled_15_at[i]
                .unsqueeze(2)?
                .broadcast_mul(&u_4_at[i].unsqueeze(3)?)?; // [b, H_2, P_2, N_2]
            let sum_8 = decay_2_at[i]
                .unsqueeze(2)?
                .unsqueeze(3)?
                .broadcast_mul(&s_2)?
                .add(&scaled_16.transpose(2, 3)?)?; // [b, H_2, N_2, P_2]
            steps_2.push(sum_8.clone());
            s_2 = sum_8;
        }
        let over_time_2 = Tensor::stack(&steps_2, 1)?; // [b, t, H_2, N_2, P_2]
        // let c = silu(c_conv: ShortConv(c))
        let c_4 = sum_5.silu()?; // [b, t, N_2]
        // let y = scan S: [H, N, P] = 0 {
        let dot_2 = einsum("btN,btHNP->btHP", &c_4, &over_time_2)?; // [b, t, H_2, P_2]
        // let z = linear[D -> H, P](x)
        let z_2 = einsum("btd,HPd->btHP", &scaled_11, &self.layer_z)?; // [b, t, H_2, P_2]
        // linear[H, P -> D](RmsNorm[H, P](y * silu(z)))
        let silu_2 = z_2.silu()?; // [b, t, H_2, P_2]
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled_17 = dot_2.mul(&dot_2)?.mul(&silu_2)?.mul(&silu_2)?; // [b, t, H_2, P_2]
        let mean_4 = scaled_17.mean((2, 3))?; // [b, t]
        let sqrt_4 = mean_4.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let inner_6 = dot_2
            .mul(&silu_2)?
            .broadcast_div(&sqrt_4.unsqueeze(2)?.unsqueeze(3)?)?; // [b, t, H_2, P_2]
        // linear[H, P -> D](RmsNorm[H, P](y * silu(z)))
        let scaled_18 = self.layer_rms_norm_gain.broadcast_mul(&inner_6)?; // [b, t, H_2, P_2]
        let layer_linear = einsum("btHP,dHP->btd", &scaled_18, &self.layer_linear)?; // [b, t, D]
        // h + Layer(second_norm: RmsNorm(h))
        let sum_9 = h.add(&layer_linear)?; // [b, t, D]
        Ok(sum_9)
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

/// Weights that begin as draws from a uniform distribution.
fn uniform(lo: f64, up: f64) -> Init {
    Init::Uniform { lo, up }
}

/// Weights that begin as draws from a normal distribution around 0.
fn normal(stdev: f64) -> Init {
    Init::Randn { mean: 0.0, stdev }
}
