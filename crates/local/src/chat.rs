//! The tokenizer in a GGUF file, and dialogues as tokens.
//!
//! In: a file; requests. Out: token numbers, and the bytes that each token stands for. Dialogues are written as ChatML: what stands between
//! the marks is encoded without reading marks out of it, so that no text can close its frame.

use std::collections::BTreeMap;

use genesys_llm::{LlmError, Message, Request};
use genesys_tokenize::Tokenizer;
use serde_json::{Value, json};

use crate::file::Gguf;

/// The marks of ChatML.
const BEGIN: &str = "<|im_start|>";
const END: &str = "<|im_end|>";

/// A token that ends a text, where a vocabulary has it.
const END_OF_TEXT: &str = "<|endoftext|>";

/// The kinds of tokens, by their numbers in a file: those that stand for marks.
const CONTROL: i32 = 3;

/// A tokenizer with ChatML.
pub(crate) struct Chat {
    tokenizer: Tokenizer,
    /// How many tokens the model knows.
    pub(crate) count: usize,
    begin: u32,
    end: u32,
    /// The tokens that end an answer.
    pub(crate) ends: Vec<u32>,
    first: Option<u32>,
}

impl Chat {
    /// The tokenizer of a file.
    pub(crate) fn read(file: &Gguf) -> Result<Self, LlmError> {
        let kind = file.text("tokenizer.ggml.model").unwrap_or("none");
        let split = file.text("tokenizer.ggml.pre").unwrap_or("default");
        if kind != "gpt2" {
            return Err(other(file, "a byte-level BPE tokenizer (`gpt2`)", kind));
        }
        let template = file.text("tokenizer.chat_template").unwrap_or_default();
        if !template.contains(BEGIN) {
            return Err(other(file, "dialogues in ChatML", "another template"));
        }
        let tokens = file.texts("tokenizer.ggml.tokens")?;
        let json = tokenizer(file, &tokens, splits(file, split)?)?;
        let tokenizer = Tokenizer::from_json(&json.to_string());
        let tokenizer = tokenizer.map_err(|why| file.bad(format!("its tokenizer cannot be used: {why}")))?;
        let find = |name: &str| tokens.iter().position(|token| *token == name).map(|at| at as u32);
        let mark = |name: &str| find(name).ok_or_else(|| other(file, &format!("a token `{name}`"), "none"));
        let (begin, end) = (mark(BEGIN)?, mark(END)?);
        let own = file.number_or("tokenizer.ggml.eos_token_id", Some(end as usize))?;
        let own = u32::try_from(own).ok().filter(|own| (*own as usize) < tokens.len());
        let mut ends: Vec<u32> = [Some(end), own, find(END_OF_TEXT)].into_iter().flatten().collect();
        ends.sort_unstable();
        ends.dedup();
        let first = if file.says("tokenizer.ggml.add_bos_token") {
            let first = file.number("tokenizer.ggml.bos_token_id")?;
            u32::try_from(first).ok().filter(|first| (*first as usize) < tokens.len())
        } else {
            None
        };
        Ok(Self { tokenizer, count: tokens.len(), begin, end, ends, first })
    }

    /// The tokenizer, to read text from tokens as they come.
    pub(crate) fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The bytes of each token; none of marks.
    pub(crate) fn bytes(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        (0..).take(self.count).map(|token| self.tokenizer.bytes_of(token))
    }

    /// The tokens of a text. Bytes that the model has no token for are left out, as other programs do.
    fn encode(&self, text: &str) -> impl Iterator<Item = u32> + '_ {
        self.tokenizer.encode(text).into_iter().filter(|token| (*token as usize) < self.count)
    }

    /// A dialogue up to where the model answers.
    pub(crate) fn dialogue(&self, request: &Request) -> Vec<u32> {
        let said = request.messages.iter().map(|message| match message {
            Message::User { text } => ("user", text),
            Message::Model { text, .. } => ("assistant", text),
            Message::Tool { text, .. } => ("tool", text),
        });
        let mut tokens: Vec<u32> = self.first.into_iter().collect();
        for (who, text) in std::iter::once(("system", &request.system)).chain(said) {
            tokens.push(self.begin);
            tokens.extend(self.encode(&format!("{who}\n{text}")));
            tokens.push(self.end);
            tokens.extend(self.encode("\n"));
        }
        tokens.push(self.begin);
        tokens.extend(self.encode("assistant\n"));
        tokens
    }
}

fn other(file: &Gguf, expected: &str, found: &str) -> LlmError {
    file.bad(format!("expected {expected}, found {found}: start a server of llama.cpp with it, and name that"))
}

/// How texts are split before pairs are merged.
fn splits(file: &Gguf, name: &str) -> Result<Value, LlmError> {
    let words = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    match name {
        "gpt-2" | "gpt2" => Ok(words),
        "smollm" => {
            let digits = json!({ "type": "Digits", "individual_digits": true });
            Ok(json!({ "type": "Sequence", "pretokenizers": [digits, words] }))
        }
        other_name => Err(other(file, "texts that are split as `gpt-2` or `smollm` do it", &format!("`{other_name}`"))),
    }
}

/// The tokenizer as the JSON that is read elsewhere, too.
fn tokenizer(file: &Gguf, tokens: &[&str], splits: Value) -> Result<Value, LlmError> {
    let kinds = file.numbers("tokenizer.ggml.token_type").unwrap_or_default();
    let mut vocabulary: BTreeMap<String, usize> = BTreeMap::new();
    for (number, token) in tokens.iter().enumerate() {
        vocabulary.entry((*token).to_owned()).or_insert(number);
    }
    let marks = tokens.iter().enumerate().filter(|(number, _)| kinds.get(*number) == Some(&CONTROL));
    let marks: Vec<Value> = marks.map(|(number, token)| mark(number, token)).collect();
    // Bytes that the model has no token for have numbers behind all of its own, so that any text can be encoded.
    for letter in Tokenizer::alphabet() {
        let next = vocabulary.len().max(tokens.len());
        vocabulary.entry(letter.to_string()).or_insert(next);
    }
    let merges = file.texts("tokenizer.ggml.merges")?;
    let merges: Vec<Value> =
        merges.iter().filter_map(|merge| merge.split_once(' ')).map(|(a, b)| json!([a, b])).collect();
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": marks, "normalizer": null,
        "pre_tokenizer": splits, "post_processor": null,
        "decoder": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true },
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary, "merges": merges,
        },
    }))
}

fn mark(number: usize, token: &str) -> Value {
    json!({
        "id": number, "content": token, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        "special": true,
    })
}
