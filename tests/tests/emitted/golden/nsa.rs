//! NSA: attention to summaries of blocks, to the blocks that these point at, and to a window (Yuan et al., 2025).
//!
//! The design `Nsa` at the scale `nano`, g2-47a1356d4cdb321d10b050c1d415e306.
//!
//! Written by `genesys emit --to rust`. Weights have the names that a checkpoint of Genesys has.

use candle_core::{DType, Result, Tensor};
use candle_nn::{Init, VarBuilder};

/// The size of the axis `D`.
pub const D: usize = 64;

/// The size of the axis `V`.
pub const V: usize = 23;

/// The size of the axis `G`.
pub const G: usize = 2;

/// The size of the axis `R`.
pub const R: usize = 2;

/// The size of the axis `E`.
pub const E: usize = 16;

/// The size of the axis `W`.
pub const W: usize = 16;

/// The size of the axis `F`.
pub const F: usize = 32;

/// The size of the axis `Three`.
pub const THREE: usize = 3;

/// The size of the axis `F_2`.
pub const F_2: usize = 256;

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
pub struct Nsa {
    /// `embedding.weight`: `[V, D]`.
    pub embedding: Tensor,
    /// `blocks.0` to `blocks.1`.
    pub blocks: Vec<Block>,
    /// `final`.
    pub last: RmsNorm,
}

impl Nsa {
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
    /// `h.q.weight`: `[G, R, E, D]`.
    pub h_q: Tensor,
    /// `h.k.weight`: `[G, E, D]`.
    pub h_k: Tensor,
    /// `h.v.weight`: `[G, E, D]`.
    pub h_v: Tensor,
    /// `h.key_place`: `[W, E]`.
    pub h_key_place: Tensor,
    /// `h.value_place`: `[W, E]`.
    pub h_value_place: Tensor,
    /// `h.key_hidden.weight`: `[F, W, E]`.
    pub h_key_hidden: Tensor,
    /// `h.value_hidden.weight`: `[F, W, E]`.
    pub h_value_hidden: Tensor,
    /// `h.key.weight`: `[E, F]`.
    pub h_key: Tensor,
    /// `h.value.weight`: `[E, F]`.
    pub h_value: Tensor,
    /// `h.gate.weight`: `[THREE, G, R, D]`.
    pub h_gate: Tensor,
    /// `h.linear.weight`: `[D, G, R, E]`.
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
            h_q: vb.get_with_hints((G, R, E, D), "h.q.weight", uniform(-0.125, 0.125))?,
            h_k: vb.get_with_hints((G, E, D), "h.k.weight", uniform(-0.125, 0.125))?,
            h_v: vb.get_with_hints((G, E, D), "h.v.weight", uniform(-0.125, 0.125))?,
            h_key_place: vb.get_with_hints((W, E), "h.key_place", normal(0.02))?,
            h_value_place: vb.get_with_hints((W, E), "h.value_place", normal(0.02))?,
            h_key_hidden: vb.get_with_hints(
                (F, W, E),
                "h.key_hidden.weight",
                uniform(-0.0625, 0.0625),
            )?,
            h_value_hidden: vb.get_with_hints(
                (F, W, E),
                "h.value_hidden.weight",
                uniform(-0.0625, 0.0625),
            )?,
            h_key: vb.get_with_hints(
                (E, F),
                "h.key.weight",
                uniform(-0.17677669529663687, 0.17677669529663687),
            )?,
            h_value: vb.get_with_hints(
                (E, F),
                "h.value.weight",
                uniform(-0.17677669529663687, 0.17677669529663687),
            )?,
            h_gate: vb.get_with_hints((THREE, G, R, D), "h.gate.weight", uniform(-0.125, 0.125))?,
            h_linear: vb.get_with_hints((D, G, R, E), "h.linear.weight", uniform(-0.125, 0.125))?,
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
        let b_seen = seen_from(t, 16, None, 0, x)?; // [t, bs]
        let near_seen = seen_from(t, 1, Some(32), 0, x)?; // [t, near]
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled = x.mul(x)?; // [b, t, D]
        let mean = scaled.mean(2)?; // [b, t]
        let sqrt = mean.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let inner = x.broadcast_div(&sqrt.unsqueeze(2)?)?; // [b, t, D]
        // let gate = sigmoid(linear[D -> Three, G, R](x))
        let scaled_2 = self.mixer_norm_gain.broadcast_mul(&inner)?; // [b, t, D]
        let h_gate = einsum("btd,Tgrd->btTgr", &scaled_2, &self.h_gate)?; // [b, t, THREE, G, R]
        // let v = linear[D -> G, E](x)
        let v = einsum("btd,ged->btge", &scaled_2, &self.h_v)?; // [b, t, G, E]
        // let angle = pos * exp(-log(10000) * index[Half] / Half)
        let position = count(t, x)?; // [t]
        let index = count(HALF, x)?; // [HALF]
        // let k = Rope[E](linear[D -> G, E](x))
        let h_k = einsum("btd,ged->btge", &scaled_2, &self.h_k)?; // [b, t, G, E]
        // let pair = [E -> Half, Two](x)
        let regrouped = h_k.reshape((b, t, G, HALF, TWO))?; // [b, t, G, HALF, TWO]
        // let a = take[Two](pair, 0)
        let element = regrouped.narrow(4, 0, 1)?.squeeze(4)?; // [b, t, G, HALF]
        // let b = take[Two](pair, 1)
        let element_2 = regrouped.narrow(4, 1, 1)?.squeeze(4)?; // [b, t, G, HALF]
        // let angle = pos * exp(-log(10000) * index[Half] / Half)
        let exp = index
            .affine(-9.210340371976184, 0.0)?
            .affine(1.0 / 8.0, 0.0)?
            .exp()?; // [HALF]
        let angle = position.unsqueeze(1)?.broadcast_mul(&exp)?; // [t, HALF]
        // let turned = stack[Two](a * cos(angle) - b * sin(angle), a * sin(angle) + b * co ..
        let cos = angle.cos()?; // [t, HALF]
        let sin = angle.sin()?; // [t, HALF]
        let inner_2 = sin.unsqueeze(1)?.broadcast_mul(&element_2)?; // [b, t, G, HALF]
        let difference = cos.unsqueeze(1)?.broadcast_mul(&element)?.sub(&inner_2)?; // [b, t, G, HALF]
        let inner_3 = sin.unsqueeze(1)?.broadcast_mul(&element)?; // [b, t, G, HALF]
        let sum = cos.unsqueeze(1)?.broadcast_mul(&element_2)?.add(&inner_3)?; // [b, t, G, HALF]
        let stacked = Tensor::stack(&[&difference, &sum], 4)?; // [b, t, G, HALF, TWO]
        // [Half, Two -> E](turned)
        let regrouped_2 = stacked.reshape((b, t, G, E))?; // [b, t, G, E]
        // let angle = pos * exp(-log(10000) * index[Half] / Half)
        let index_2 = count(HALF_2, x)?; // [HALF_2]
        // let q = Rope[E](linear[D -> G, R, E](x))
        let h_q = einsum("btd,gred->btgre", &scaled_2, &self.h_q)?; // [b, t, G, R, E]
        // let pair = [E -> Half, Two](x)
        let regrouped_3 = h_q.reshape((b, t, G, R, HALF_2, TWO_2))?; // [b, t, G, R, HALF_2, TWO_2]
        // let a = take[Two](pair, 0)
        let element_3 = regrouped_3.narrow(5, 0, 1)?.squeeze(5)?; // [b, t, G, R, HALF_2]
        // let b = take[Two](pair, 1)
        let element_4 = regrouped_3.narrow(5, 1, 1)?.squeeze(5)?; // [b, t, G, R, HALF_2]
        // let angle = pos * exp(-log(10000) * index[Half] / Half)
        let exp_2 = index_2
            .affine(-9.210340371976184, 0.0)?
            .affine(1.0 / 8.0, 0.0)?
            .exp()?; // [HALF_2]
        let angle_2 = position.unsqueeze(1)?.broadcast_mul(&exp_2)?; // [t, HALF_2]
        // let turned = stack[Two](a * cos(angle) - b * sin(angle), a * sin(angle) + b * co ..
        let cos_2 = angle_2.cos()?; // [t, HALF_2]
        let sin_2 = angle_2.sin()?; // [t, HALF_2]
        let inner_4 = sin_2
            .unsqueeze(1)?
            .unsqueeze(2)?
            .broadcast_mul(&element_4)?; // [b, t, G, R, HALF_2]
        let difference_2 = cos_2
            .unsqueeze(1)?
            .unsqueeze(2)?
            .broadcast_mul(&element_3)?
            .sub(&inner_4)?; // [b, t, G, R, HALF_2]
        let inner_5 = cos_2
            .unsqueeze(1)?
            .unsqueeze(2)?
            .broadcast_mul(&element_4)?; // [b, t, G, R, HALF_2]
        let sum_2 = sin_2
            .unsqueeze(1)?
            .unsqueeze(2)?
            .broadcast_mul(&element_3)?
            .add(&inner_5)?; // [b, t, G, R, HALF_2]
        let stacked_2 = Tensor::stack(&[&difference_2, &sum_2], 5)?; // [b, t, G, R, HALF_2, TWO_2]
        // [Half, Two -> E](turned)
        let regrouped_4 = stacked_2.reshape((b, t, G, R, E))?; // [b, t, G, R, E]
        // let (keys, values) = (blocks[B, W](k), blocks[B, W](v))
        let values = blocks_of(&v, 1, 16)?; // [b, bs, W, G, E]
        // let value_hidden = silu(linear[W, E -> F](values + value_place))
        let sum_3 = values.broadcast_add(&self.h_value_place.unsqueeze(1)?)?; // [b, bs, W, G, E]
        let h_value_hidden = einsum_apart("fwe,bswge->fbsg", &self.h_value_hidden, &sum_3)?; // [F, b, bs, G]
        let value_hidden = h_value_hidden.silu()?; // [F, b, bs, G]
        // let value = linear[F -> E](value_hidden)
        let value = einsum_apart("ef,fbsg->ebsg", &self.h_value, &value_hidden)?; // [E, b, bs, G]
        // let (keys, values) = (blocks[B, W](k), blocks[B, W](v))
        let keys = blocks_of(&regrouped_2, 1, 16)?; // [b, bs, W, G, E]
        // let key_hidden = silu(linear[W, E -> F](keys + key_place))
        let sum_4 = self.h_key_place.unsqueeze(1)?.broadcast_add(&keys)?; // [b, bs, W, G, E]
        let h_key_hidden = einsum_apart("fwe,bswge->fbsg", &self.h_key_hidden, &sum_4)?; // [F, b, bs, G]
        let key_hidden = h_key_hidden.silu()?; // [F, b, bs, G]
        // let key = linear[F -> E](key_hidden)
        let key = einsum_apart("ef,fbsg->ebsg", &self.h_key, &key_hidden)?; // [E, b, bs, G]
        // let p = softmax[B](dot[E](q, key) / sqrt(E))
        let dot = einsum_apart("ebsg,btgre->bgstr", &key, &regrouped_4)?; // [b, G, bs, t, R]
        let ratio = dot.affine(1.0 / 4.0, 0.0)?; // [b, G, bs, t, R]
        let p = softmax_seen(&ratio, &[2], &b_seen.transpose(0, 1)?.unsqueeze(2)?, None)?; // [b, G, bs, t, R]
        let dot_2 = einsum_seen(
            "bgstr,ebsg->bgtre",
            &p,
            &value,
            &b_seen.transpose(0, 1)?.unsqueeze(2)?,
        )?; // [b, G, t, R, E]
        // let (chosen, chosen_values, found) = top[K of B](sum[R](p), keys, values)
        let sum_5 = p.sum(4)?; // [b, G, bs, t]
        let there = there_are(K, 0, Some(&b_seen), x)?.broadcast_as((b, G, t, K))?; // [b, G, t, K]
        let picked = there.to_dtype(dtype)?; // [b, G, t, K]
        let raw_score_2 = sum_5.transpose(2, 3)?; // [b, G, t, bs]
        let there_2 = there_are(K, 0, Some(&b_seen), x)?.broadcast_as((b, G, t, K))?; // [b, G, t, K]
        let chosen = choose(&raw_score_2, K, Some(&b_seen))?; // [b, G, t, K]
        let chosen_2 = masked(&chosen, &there_2, 0.0)?; // [b, G, t, K]
        let table = keys.permute((0, 3, 1, 2, 4))?; // [b, G, bs, W, E]
        let found = look_up(&table, &chosen_2, 2)?; // [b, G, t, K, W, E]
        let top = masked(&found, &there_2.unsqueeze(4)?.unsqueeze(5)?, 0.0)?; // [b, G, t, K, W, E]
        let raw_score_3 = sum_5.transpose(2, 3)?; // [b, G, t, bs]
        let there_3 = there_are(K, 0, Some(&b_seen), x)?.broadcast_as((b, G, t, K))?; // [b, G, t, K]
        let chosen_3 = choose(&raw_score_3, K, Some(&b_seen))?; // [b, G, t, K]
        let chosen_4 = masked(&chosen_3, &there_3, 0.0)?; // [b, G, t, K]
        let table_2 = values.permute((0, 3, 1, 2, 4))?; // [b, G, bs, W, E]
        let found_2 = look_up(&table_2, &chosen_4, 2)?; // [b, G, t, K, W, E]
        let top_2 = masked(&found_2, &there_3.unsqueeze(4)?.unsqueeze(5)?, 0.0)?; // [b, G, t, K, W, E]
        // let score = where(found, dot[E](q, chosen) / sqrt(E), -1e9)
        let dot_3 = einsum("btgre,bgtkwe->bgtrkw", &regrouped_4, &top)?; // [b, G, t, R, K, W]
        let score = select(
            &picked.unsqueeze(3)?.unsqueeze(5)?,
            &dot_3.affine(1.0 / 4.0, 0.0)?,
            &number(-1000000000.0, x)?,
        )?; // [b, G, t, R, K, W]
        // let fine = dot[K, W](softmax[K, W](score), chosen_values)
        let weights = softmax(&score, &[5, 4])?; // [b, G, t, R, K, W]
        let fine = einsum("bgtrkw,bgtkwe->bgtre", &weights, &top_2)?; // [b, G, t, R, E]
        // let near_score = dot[E](q, past[Near](k, window = N)) / sqrt(E)
        let dot_4 = einsum_apart("btgre,bnge->bgtrn", &regrouped_4, &regrouped_2)?; // [b, G, t, R, near]
        let near_score = dot_4.affine(1.0 / 4.0, 0.0)?; // [b, G, t, R, near]
        // let near = dot[Near](softmax[Near](near_score), past[Near](v, window = N))
        let weights_2 = softmax_seen(&near_score, &[4], &near_seen.unsqueeze(1)?, None)?; // [b, G, t, R, near]
        let dot_5 = einsum_seen(
            "bgtrn,bnge->bgtre",
            &weights_2,
            &v,
            &near_seen.unsqueeze(1)?,
        )?; // [b, G, t, R, E]
        // linear[G, R, E -> D](sum[Three](gate * stack[Three](coarse, fine, near)))
        let stacked_3 = Tensor::stack(&[&dot_2, &fine, &dot_5], 5)?; // [b, G, t, R, E, THREE]
        // let gate = sigmoid(linear[D -> Three, G, R](x))
        let gate = candle_nn::ops::sigmoid(&h_gate)?; // [b, t, THREE, G, R]
        // linear[G, R, E -> D](sum[Three](gate * stack[Three](coarse, fine, near)))
        let dot_6 = gate
            .permute((0, 3, 1, 4, 2))?
            .unsqueeze(4)?
            .broadcast_mul(&stacked_3)?
            .sum(5)?; // [b, G, t, R, E]
        let h_linear = einsum("bgtre,dgre->btd", &dot_6, &self.h_linear)?; // [b, t, D]
        // let h = x + SparseAttention(mixer_norm: RmsNorm(x))
        let h = x.add(&h_linear)?; // [b, t, D]
        // x / sqrt(mean[A..](x * x) + 1e-5) * gain
        let scaled_3 = h.mul(&h)?; // [b, t, D]
        let mean_2 = scaled_3.mean(2)?; // [b, t]
        let sqrt_2 = mean_2.affine(1.0, 1e-5)?.sqrt()?; // [b, t]
        let scaled_4 = h
            .broadcast_div(&sqrt_2.unsqueeze(2)?)?
            .broadcast_mul(&self.mlp_norm_gain)?; // [b, t, D]
        // let gate = linear[D -> F](x)
        let gate_2 = einsum("btd,Fd->btF", &scaled_4, &self.swi_glu_gate)?; // [b, t, F_2]
        // let up = linear[D -> F](x)
        let up = einsum("btd,Fd->btF", &scaled_4, &self.swi_glu_up)?; // [b, t, F_2]
        // linear[F -> D](silu(gate) * up)
        let scaled_5 = gate_2.silu()?.mul(&up)?; // [b, t, F_2]
        let swi_glu_linear = einsum("btF,dF->btd", &scaled_5, &self.swi_glu_linear)?; // [b, t, D]
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

/// Weights that begin as draws from a uniform distribution.
fn uniform(lo: f64, up: f64) -> Init {
    Init::Uniform { lo, up }
}

/// Weights that begin as draws from a normal distribution around 0.
fn normal(stdev: f64) -> Init {
    Init::Randn { mean: 0.0, stdev }
}
