//! A Llama over quantized weights, token by token.
//!
//! In: token numbers behind those that a [`Memory`] has seen. Out: scores of the next token. Layers are those of Touvron et al. (2023): with
//! `h = rms(x)`, `x += attention(h)`, then `x += down(silu(gate(h)) * up(h))`. Queries and keys turn by their position in pairs of
//! neighbors (Su et al., 2021), groups of queries share keys and values (Ainslie et al., 2023).

use std::sync::Arc;

use candle_core::quantized::{QMatMul, QTensor};
use candle_core::{Device, Module, Result, Tensor};
use candle_nn::kv_cache::KvCache;
use candle_nn::ops::{rms_norm, silu, softmax_last_dim};
use candle_nn::rotary_emb::rope_i;
use genesys_llm::LlmError;

use crate::file::{Gguf, first};

/// How many tokens are read at once: scores of attention take memory by their square.
const AT_ONCE: usize = 256;

/// From so many rows on weights are unpacked before they are multiplied: packed, each row goes through them anew.
const UNPACKED: usize = 8;

/// Sizes of a model.
struct Sizes {
    width: usize,
    inner: usize,
    heads: usize,
    shared: usize,
    head: usize,
    layers: usize,
    epsilon: f32,
}

/// A model.
pub(crate) struct Llama {
    embedding: Tensor,
    layers: Vec<Layer>,
    norm: Tensor,
    output: QMatMul,
    /// By how much each pair turns from one position to the next.
    rates: Vec<f64>,
    sizes: Sizes,
    /// The most tokens of a dialogue.
    pub(crate) context: usize,
}

struct Layer {
    attention_norm: Tensor,
    q: QMatMul,
    k: QMatMul,
    v: QMatMul,
    out: QMatMul,
    norm: Tensor,
    gate: QMatMul,
    up: QMatMul,
    down: QMatMul,
}

/// What is kept of the tokens of a dialogue: keys and values of each layer.
pub(crate) struct Memory {
    layers: Vec<KvCache>,
    seen: usize,
}

impl Sizes {
    fn of(file: &Gguf) -> std::result::Result<Self, LlmError> {
        let heads = file.number("llama.attention.head_count")?;
        let shared = file.number_or("llama.attention.head_count_kv", Some(heads))?;
        let width = file.number("llama.embedding_length")?;
        let fits = heads > 0 && shared > 0 && heads.is_multiple_of(shared);
        if !fits {
            return Err(file.bad(format!("expected heads in equal groups, found {heads} and {shared}")));
        }
        let head = file.number_or("llama.attention.key_length", Some(width / heads))?;
        let turned = file.number_or("llama.rope.dimension_count", Some(head))?;
        if turned != head || head == 0 || head % 2 == 1 {
            return Err(file.bad(format!("expected all {head} values of a head to turn in pairs, found {turned}")));
        }
        Ok(Self {
            width,
            inner: file.number("llama.feed_forward_length")?,
            heads,
            shared,
            head,
            layers: file.number("llama.block_count")?,
            epsilon: file.real_or("llama.attention.layer_norm_rms_epsilon", Some(1e-5))?,
        })
    }
}

/// Refuses what would be computed wrongly.
fn refuse(file: &Gguf) -> std::result::Result<(), LlmError> {
    let family = file.text("general.architecture").unwrap_or("a model without a name");
    let more = ["llama.expert_count", "llama.rope.scaling.type", "rope_freqs.weight"];
    let scaled = file.text(more[1]).is_some_and(|kind| kind != "none");
    let biased = file.has("blk.0.attn_q.bias");
    let found = match () {
        () if family != "llama" => format!("`{family}`"),
        () if file.number_or(more[0], Some(0))? > 0 => "a mixture of experts".to_owned(),
        () if biased => "a model with biases".to_owned(),
        () if scaled || file.has(more[2]) => "positions that are scaled".to_owned(),
        () => return Ok(()),
    };
    Err(file.bad(format!(
        "expected a dense model of the family `llama` without more, found {found}: start a server of llama.cpp with it, and name that"
    )))
}

impl Llama {
    /// The model of a file.
    pub(crate) fn read(file: &mut Gguf, vocabulary: usize) -> std::result::Result<Self, LlmError> {
        refuse(file)?;
        let sizes = Sizes::of(file)?;
        let context = file.number("llama.context_length")?;
        let base = file.real_or("llama.rope.freq_base", Some(10_000.0))?;
        let embedding = Arc::new(file.tensor("token_embd.weight", &[vocabulary, sizes.width])?);
        let norm = vector(file, "output_norm.weight", sizes.width)?;
        // Many models score by the table that they read by.
        let output = match file.has("output.weight") {
            true => Arc::new(file.tensor("output.weight", &[vocabulary, sizes.width])?),
            false => Arc::clone(&embedding),
        };
        let layers = (0..sizes.layers).map(|layer| Layer::read(file, layer, &sizes));
        let layers = layers.collect::<std::result::Result<_, _>>()?;
        let made = || {
            let embedding = embedding.dequantize(&Device::Cpu)?;
            Result::Ok((embedding, QMatMul::from_arc(output)?))
        };
        let (embedding, output) = made().map_err(|error| file.bad(first(&error)))?;
        Ok(Self { embedding, layers, norm, output, rates: rates(sizes.head, base), sizes, context })
    }

    /// The memory of a dialogue that begins.
    pub(crate) fn memory(&self) -> Memory {
        let cache = |_: &Layer| KvCache::new(1, AT_ONCE);
        Memory { layers: self.layers.iter().map(cache).collect(), seen: 0 }
    }

    /// Reads tokens, and gives a score to each that may come next.
    ///
    /// # Panics
    /// Where there are no tokens, or more than the context holds.
    pub(crate) fn scores(&self, tokens: &[u32], memory: &mut Memory) -> Result<Vec<f32>> {
        let mut last = None;
        for piece in tokens.chunks(AT_ONCE) {
            last = Some(self.read_piece(piece, memory)?);
        }
        let last = last.expect("there is a token");
        let last = last.narrow(0, last.dim(0)? - 1, 1)?;
        let normed = rms_norm(&last.contiguous()?, &self.norm, self.sizes.epsilon)?;
        product(&self.output, &normed)?.flatten_all()?.to_vec1()
    }

    /// The last values of some tokens: `(t, d)`.
    fn read_piece(&self, tokens: &[u32], memory: &mut Memory) -> Result<Tensor> {
        let (count, seen) = (tokens.len(), memory.seen);
        let ids = Tensor::new(tokens, &Device::Cpu)?;
        let mut x = self.embedding.index_select(&ids, 0)?;
        let (cos, sin) = turns(&self.rates, seen, count)?;
        let later = later(count, seen)?;
        for (layer, cache) in self.layers.iter().zip(&mut memory.layers) {
            let h = rms_norm(&x, &layer.attention_norm, self.sizes.epsilon)?;
            x = (x + layer.attend(&h, (&cos, &sin), &later, cache, &self.sizes)?)?;
            let h = rms_norm(&x, &layer.norm, self.sizes.epsilon)?;
            let inner = (silu(&product(&layer.gate, &h)?)? * product(&layer.up, &h)?)?;
            x = (x + product(&layer.down, &inner)?)?;
        }
        memory.seen += count;
        Ok(x)
    }
}

impl Layer {
    fn read(file: &mut Gguf, layer: usize, sizes: &Sizes) -> std::result::Result<Self, LlmError> {
        let Sizes { width, inner, heads, shared, head, .. } = *sizes;
        let mut matrix = |name: &str, rows: usize, columns: usize| {
            let name = format!("blk.{layer}.{name}.weight");
            let tensor = file.tensor(&name, &[rows, columns])?;
            QMatMul::from_qtensor(tensor).map_err(|error| file.bad(first(&error)))
        };
        let q = matrix("attn_q", heads * head, width)?;
        let k = matrix("attn_k", shared * head, width)?;
        let v = matrix("attn_v", shared * head, width)?;
        let out = matrix("attn_output", width, heads * head)?;
        let gate = matrix("ffn_gate", inner, width)?;
        let up = matrix("ffn_up", inner, width)?;
        let down = matrix("ffn_down", width, inner)?;
        let attention_norm = vector(file, &format!("blk.{layer}.attn_norm.weight"), width)?;
        let norm = vector(file, &format!("blk.{layer}.ffn_norm.weight"), width)?;
        Ok(Self { attention_norm, q, k, v, out, norm, gate, up, down })
    }

    /// Attention over what was seen and what comes: `(t, d)` to `(t, d)`.
    fn attend(
        &self,
        h: &Tensor,
        (cos, sin): (&Tensor, &Tensor),
        later: &Tensor,
        cache: &mut KvCache,
        sizes: &Sizes,
    ) -> Result<Tensor> {
        let Sizes { heads, shared, head, .. } = *sizes;
        let count = h.dim(0)?;
        let split = |x: Tensor, heads: usize| x.reshape((count, heads, head))?.transpose(0, 1)?.contiguous();
        // `(1, heads, t, head)`, as turning takes it.
        let turned = |x: Tensor| rope_i(&x.unsqueeze(0)?, cos, sin)?.squeeze(0);
        let q = turned(split(product(&self.q, h)?, heads)?)?;
        let k = turned(split(product(&self.k, h)?, shared)?)?;
        let v = split(product(&self.v, h)?, shared)?;
        let (k, v) = cache.append(&k, &v)?;
        let all = k.dim(1)?;
        // Each group of queries stands as more positions in front of its keys: `(shared, group * t, head)`.
        let q = (q.reshape((shared, heads / shared * count, head))? / (head as f64).sqrt())?;
        let scores = q.matmul(&k.transpose(1, 2)?)?;
        let scores = scores.reshape((heads, count, all))?.broadcast_add(later)?;
        let shares = softmax_last_dim(&scores)?.reshape((shared, heads / shared * count, all))?;
        let mixed = shares.matmul(&v)?;
        let mixed = mixed.reshape((heads, count, head))?.transpose(0, 1)?.contiguous()?;
        product(&self.out, &mixed.reshape((count, heads * head))?)
    }
}

/// `x w'`: `(t, d)` by `(e, d)` to `(t, e)`.
fn product(weights: &QMatMul, x: &Tensor) -> Result<Tensor> {
    match weights {
        QMatMul::QTensor(packed) if x.dim(0)? >= UNPACKED => x.matmul(&packed.dequantize(&Device::Cpu)?.t()?),
        QMatMul::QTensor(_) | QMatMul::Tensor(_) | QMatMul::TensorF16(_) => weights.forward(x),
    }
}

/// A vector of a length, in f32.
fn vector(file: &mut Gguf, name: &str, length: usize) -> std::result::Result<Tensor, LlmError> {
    let tensor: QTensor = file.tensor(name, &[length])?;
    tensor.dequantize(&Device::Cpu).map_err(|error| file.bad(first(&error)))
}

/// `base^(-2 i / head)` for each pair `i`.
fn rates(head: usize, base: f32) -> Vec<f64> {
    (0..head / 2).map(|pair| f64::from(base).powf(-2.0 * pair as f64 / head as f64)).collect()
}

/// `cos` and `sin` of each position behind those that were seen and of each pair: `(t, head / 2)` each.
fn turns(rates: &[f64], seen: usize, count: usize) -> Result<(Tensor, Tensor)> {
    let of = |f: fn(f64) -> f64| {
        let values = (seen..seen + count).flat_map(|t| rates.iter().map(move |rate| f(t as f64 * rate) as f32));
        Tensor::from_vec(values.collect::<Vec<f32>>(), (count, rates.len()), &Device::Cpu)
    };
    Ok((of(f64::cos)?, of(f64::sin)?))
}

/// What is added to scores: nothing up to a token's own position, and what excludes them behind it: `(t, seen + t)`.
fn later(count: usize, seen: usize) -> Result<Tensor> {
    let row = |t: usize| (0..seen + count).map(move |u| if u > seen + t { f32::NEG_INFINITY } else { 0.0 });
    Tensor::from_vec((0..count).flat_map(row).collect::<Vec<f32>>(), (count, seen + count), &Device::Cpu)
}
