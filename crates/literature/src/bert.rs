//! Meaning by a small model of sentences: any folder of a BERT that was trained for it, on candle.
//!
//! In: a folder with `config.json`, `tokenizer.json` and `model.safetensors`, as sentence-embedding models are handed out.
//! Out: vectors: the mean of the last hidden states over a text's tokens (Reimers and Gurevych, 2019). Behind the feature
//! `embeddings`. Nothing is downloaded, and texts beyond the model's length are cut.

use std::fmt;
use std::fs;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use tokenizers::{PaddingParams, Tokenizer, TruncationParams};

use crate::embed::Embed;
use crate::error::LiteratureError;

/// Tokens of a text that are read, where the model takes as many: sentences are shorter, and time grows with them.
const MOST_TOKENS: usize = 256;

/// The largest file of weights: models of sentences have some hundred megabytes at most.
const MOST_BYTES: u64 = 4 << 30;

/// A model of sentences.
pub struct Bert {
    name: String,
    width: usize,
    tokenizer: Tokenizer,
    model: BertModel,
}

impl fmt::Debug for Bert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bert").field("name", &self.name).field("width", &self.width).finish_non_exhaustive()
    }
}

impl Bert {
    /// The model in `folder`. It is called by the folder's name and the hash of its weights.
    ///
    /// # Errors
    /// [`LiteratureError::Embedding`] where a file is missing, or is none of a BERT.
    pub fn open(folder: &Path) -> Result<Self, LiteratureError> {
        let name = folder.display().to_string();
        Self::read(folder).map_err(|message| LiteratureError::embedding(&name, message))
    }

    fn read(folder: &Path) -> Result<Self, String> {
        let file = |name: &str| {
            let path = folder.join(name);
            let refuse = |why: String| format!("expected a file {name} in its folder, {why}");
            match fs::metadata(&path) {
                Err(error) => Err(refuse(format!("found an error: {error}"))),
                Ok(data) if data.len() > MOST_BYTES => Err(refuse(format!("found one of {} bytes", data.len()))),
                Ok(_) => fs::read(&path).map_err(|error| refuse(format!("found an error: {error}"))),
            }
        };
        let config: Config = serde_json::from_slice(&file("config.json")?)
            .map_err(|error| format!("expected the config.json of a BERT: {error}"))?;
        let tokenizer = tokenizer(&file("tokenizer.json")?, &config)?;
        let weights = file("model.safetensors")?;
        let called = folder.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{called}-{}", &blake3::hash(&weights).to_hex()[..16]);
        let broken = |error: candle_core::Error| format!("expected the weights of a BERT: {error}");
        let weights = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu).map_err(broken)?;
        let model = BertModel::load(weights, &config).map_err(broken)?;
        Ok(Self { name, width: config.hidden_size, tokenizer, model })
    }

    /// The vectors of texts, `[text, width]`.
    fn forward(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        let encodings = self.tokenizer.encode_batch(texts.to_vec(), true).map_err(|error| error.to_string())?;
        let length = encodings.first().map_or(0, |encoding| encoding.len());
        let collect = |get: fn(&tokenizers::Encoding) -> &[u32]| {
            let numbers: Vec<u32> = encodings.iter().flat_map(|encoding| get(encoding).to_vec()).collect();
            Tensor::from_vec(numbers, (encodings.len(), length), &Device::Cpu)
        };
        let run = || {
            let (ids, mask) =
                (collect(tokenizers::Encoding::get_ids)?, collect(tokenizers::Encoding::get_attention_mask)?);
            let hidden = self.model.forward(&ids, &ids.zeros_like()?, Some(&mask))?; // [text, token, width]
            let mask = mask.to_dtype(DType::F32)?.unsqueeze(2)?; // [text, token, 1]
            let sum = hidden.broadcast_mul(&mask)?.sum(1)?; // [text, width]
            sum.broadcast_div(&mask.sum(1)?)?.to_vec2()
        };
        run().map_err(|error: candle_core::Error| error.to_string())
    }
}

/// The tokenizer of a file, which pads the texts of a batch to one length and cuts what the model cannot take.
fn tokenizer(bytes: &[u8], config: &Config) -> Result<Tokenizer, String> {
    let refuse = |error: tokenizers::Error| format!("expected the tokenizer.json of a BERT: {error}");
    let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(refuse)?;
    let max_length = MOST_TOKENS.min(config.max_position_embeddings);
    tokenizer.with_truncation(Some(TruncationParams { max_length, ..TruncationParams::default() })).map_err(refuse)?;
    tokenizer.with_padding(Some(PaddingParams { pad_id: config.pad_token_id as u32, ..PaddingParams::default() }));
    Ok(tokenizer)
}

impl Embed for Bert {
    fn model(&self) -> &str {
        &self.name
    }

    fn width(&self) -> usize {
        self.width
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, LiteratureError> {
        self.forward(texts).map_err(|message| LiteratureError::embedding(&self.name, message))
    }
}
