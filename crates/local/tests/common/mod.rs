//! What the tests share: a tiny model in a file that is written here, and requests.
#![allow(clippy::unwrap_used, dead_code, reason = "each test takes what it needs")]

use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file::{Value, write};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use genesys_llm::{Form, Message, Reply, Request, Transport};
use genesys_tokenize::Tokenizer;

/// Tokens that are marks, then words beside the bytes.
const MARKS: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
const WORDS: [(&str, &str); 8] =
    [("u", "n"), ("un", "it"), ("i", "t"), ("l", "e"), ("le", "t"), ("\u{120}", "x"), ("-", ">"), ("d", "e")];

/// Settings of a file, and tensors, which a test may change.
pub(crate) struct Tiny {
    pub(crate) settings: Vec<(String, Value)>,
    pub(crate) tensors: Vec<(String, Vec<usize>)>,
}

impl Tiny {
    /// A Llama of two layers with random weights and ChatML.
    pub(crate) fn new() -> Self {
        let number = |name: &str, value| (format!("llama.{name}"), Value::U32(value));
        let strings = |texts: Vec<String>| Value::Array(texts.into_iter().map(Value::String).collect());
        let bytes = Tokenizer::alphabet().map(String::from);
        let words = WORDS.map(|(a, b)| format!("{a}{b}"));
        let tokens: Vec<String> = MARKS.map(String::from).into_iter().chain(bytes).chain(words).collect();
        let kinds = (0..tokens.len()).map(|token| Value::I32(if token < MARKS.len() { 3 } else { 1 }));
        let merges = WORDS.map(|(a, b)| format!("{a} {b}")).to_vec();
        let vocabulary = tokens.len();
        let text = |name: &str, value: &str| (name.to_owned(), Value::String(value.to_owned()));
        let settings = vec![
            text("general.architecture", "llama"),
            number("block_count", 2),
            number("context_length", 600),
            number("embedding_length", 32),
            number("feed_forward_length", 64),
            number("attention.head_count", 4),
            number("attention.head_count_kv", 2),
            ("llama.attention.layer_norm_rms_epsilon".to_owned(), Value::F32(1e-5)),
            text("tokenizer.ggml.model", "gpt2"),
            text("tokenizer.ggml.pre", "smollm"),
            ("tokenizer.ggml.token_type".to_owned(), Value::Array(kinds.collect())),
            ("tokenizer.ggml.tokens".to_owned(), strings(tokens)),
            ("tokenizer.ggml.merges".to_owned(), strings(merges)),
            text("tokenizer.chat_template", "{{ '<|im_start|>' }}"),
        ];
        let mut tensors =
            vec![("token_embd.weight".to_owned(), vec![vocabulary, 32]), ("output_norm.weight".to_owned(), vec![32])];
        for layer in 0..2 {
            let shapes: [(&str, &[usize]); 9] = [
                ("attn_norm", &[32]),
                ("attn_q", &[32, 32]),
                ("attn_k", &[16, 32]),
                ("attn_v", &[16, 32]),
                ("attn_output", &[32, 32]),
                ("ffn_norm", &[32]),
                ("ffn_gate", &[64, 32]),
                ("ffn_up", &[64, 32]),
                ("ffn_down", &[32, 64]),
            ];
            tensors.extend(shapes.map(|(name, shape)| (format!("blk.{layer}.{name}.weight"), shape.to_vec())));
        }
        Self { settings, tensors }
    }

    /// Changes a setting, or adds it.
    pub(crate) fn set(mut self, name: &str, value: Value) -> Self {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value));
        self
    }

    /// The values of a tensor, by its name alone.
    pub(crate) fn values(name: &str, shape: &[usize]) -> Vec<f32> {
        let seed = name.bytes().fold(1, |seed, byte| genesys_random::mix(seed ^ u64::from(byte)));
        let around = if shape.len() == 1 { 1.0 } else { 0.0 };
        let draw = |index| (genesys_random::unit(genesys_random::at(seed, index)) - 0.5) as f32 * 0.6 + around;
        (0..shape.iter().product::<usize>() as u64).map(draw).collect()
    }

    /// Writes the file: matrices quantized to eight bits, vectors in f32.
    pub(crate) fn write(&self, dir: &Path) -> PathBuf {
        let path = dir.join("tiny.gguf");
        let tensors: Vec<(&str, QTensor)> = self
            .tensors
            .iter()
            .map(|(name, shape)| {
                let tensor = Tensor::from_vec(Self::values(name, shape), shape.as_slice(), &Device::Cpu).unwrap();
                let kind = if shape.len() == 1 { GgmlDType::F32 } else { GgmlDType::Q8_0 };
                (name.as_str(), QTensor::quantize(&tensor, kind).unwrap())
            })
            .collect();
        let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (*name, tensor)).collect();
        let settings: Vec<(&str, &Value)> = self.settings.iter().map(|(name, value)| (name.as_str(), value)).collect();
        write(&mut std::fs::File::create(&path).unwrap(), &settings, &tensors).unwrap();
        path
    }
}

pub(crate) fn request(text: &str) -> Request {
    Request {
        role: "proposer".to_owned(),
        model: "local".to_owned(),
        system: "You propose.".to_owned(),
        messages: vec![Message::User { text: text.to_owned() }],
        tools: Vec::new(),
        form: Form::Text,
        max_tokens: 60,
        temperature: Some(1.0),
        seed: Some(7),
        stop: Vec::new(),
    }
}

pub(crate) fn ask(transport: &dyn Transport, request: &Request) -> Result<Reply, genesys_llm::LlmError> {
    transport.ask(request, &mut |_| {})
}
