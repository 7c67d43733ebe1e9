//! A dataset: one corpus under one tokenizer, split, encoded, and kept in a cache folder.
//!
//! In: a corpus, a tokenizer and a cache folder. Out: [`Dataset`], which another process opens by its folder alone:
//! `train.shard`, `validation.shard`, `tokenizer.json` and, written last, `dataset.json`. The folder's name is the hash
//! of the format, the corpus and the tokenizer; a folder that is incomplete or damaged is made again. Nothing in it is
//! ever changed in place, so several processes may prepare the same dataset at once.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use genesys_tokenize::{Tokenizer, cached};
use serde::{Deserialize, Serialize};

use crate::corpus::Corpus;
use crate::error::DataError;
use crate::rows::Rows;
use crate::shard::{Shard, write_file, write_shard};
use crate::split::split;

/// To be raised when the split, the encoding or the shards change, so that old folders are not taken for new ones.
const FORMAT: u32 = 1;

/// Texts are encoded in groups of about this many bytes, which bounds the encoder's bookkeeping.
const GROUP_BYTES: usize = 1 << 21;

const INFO: &str = "dataset.json";
const TOKENIZER: &str = "tokenizer.json";
const TRAIN: &str = "train.shard";
const VALIDATION: &str = "validation.shard";

/// What a dataset was made from and what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetInfo {
    /// The version of the split, the encoding and the files.
    pub format: u32,
    /// blake3 of the corpus, in hex.
    pub corpus_hash: String,
    /// Bytes of the corpus, duplicates included.
    pub corpus_bytes: u64,
    /// Documents of the corpus, duplicates included.
    pub corpus_documents: u64,
    /// blake3 of the tokenizer's JSON, in hex.
    pub tokenizer_hash: String,
    /// Tokens in the vocabulary.
    pub vocab_size: u64,
    /// The train side.
    pub train: SideInfo,
    /// The validation side.
    pub validation: SideInfo,
}

/// One side of the split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SideInfo {
    /// Documents, duplicates left out.
    pub documents: u64,
    /// Tokens, one `<eos>` a document included.
    pub tokens: u64,
    /// Bytes of text.
    pub bytes: u64,
    /// blake3 of the shard, in hex.
    pub hash: String,
}

/// An open dataset; `Send + Sync`, and cheap to open again from its folder.
#[derive(Clone, Debug)]
pub struct Dataset {
    dir: PathBuf,
    info: DatasetInfo,
    tokenizer: Arc<Tokenizer>,
    train: Arc<Shard>,
    validation: Arc<Shard>,
}

/// The tokenizer of `vocab_size` tokens trained on the train side of `corpus`, from the cache where it is there.
///
/// # Errors
/// As [`split`], and as the training and caching of the tokenizer.
pub fn tokenizer_for(corpus: &Corpus, vocab_size: usize, cache_dir: &Path) -> Result<Tokenizer, DataError> {
    let sides = split(corpus)?;
    let key = format!("{} split {FORMAT}", corpus.hash());
    Ok(cached(cache_dir, &key, vocab_size, || Tokenizer::train(sides.train.iter().copied(), vocab_size))?)
}

impl Dataset {
    /// Opens the dataset of `corpus` and `tokenizer` in `cache_dir`, making it first where it is missing or damaged.
    ///
    /// # Errors
    /// As [`split`]; [`DataError::Io`] when the folder cannot be written.
    pub fn prepare(corpus: &Corpus, tokenizer: &Tokenizer, cache_dir: &Path) -> Result<Self, DataError> {
        let key = key(corpus.hash(), tokenizer.hash());
        if let Some(dataset) = Self::cached(&key, cache_dir) {
            return Ok(dataset);
        }
        let dir = folder(&key, cache_dir);
        write(&dir, corpus, tokenizer)?;
        Self::open(&dir)
    }

    /// The dataset with that [`Dataset::key`] in `cache_dir`, if it is there and whole. Its text need not be.
    #[must_use]
    pub fn cached(key: &str, cache_dir: &Path) -> Option<Self> {
        Self::open(&folder(key, cache_dir)).ok().filter(|dataset| dataset.key() == key)
    }

    /// Opens a dataset by its folder, [`Dataset::dir`] of the one that was prepared.
    ///
    /// # Errors
    /// [`DataError::Io`] or [`DataError::Damaged`], naming the file.
    pub fn open(dir: &Path) -> Result<Self, DataError> {
        let info = read_info(&dir.join(INFO))?;
        let path = dir.join(TOKENIZER);
        let json = fs::read_to_string(&path).map_err(DataError::at(&path))?;
        let tokenizer = Tokenizer::from_json(&json).map_err(|error| DataError::damaged(&path, error.to_string()))?;
        if tokenizer.hash() != info.tokenizer_hash {
            return Err(DataError::damaged(&path, "the tokenizer is not the one the dataset was made with"));
        }
        let train = open_side(&dir.join(TRAIN), &info.train)?;
        let validation = open_side(&dir.join(VALIDATION), &info.validation)?;
        Ok(Self { dir: dir.to_owned(), info, tokenizer: Arc::new(tokenizer), train, validation })
    }

    /// Its folder, for [`Dataset::open`] in another process.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What it was made from and what it holds.
    #[must_use]
    pub fn info(&self) -> &DatasetInfo {
        &self.info
    }

    /// A hash of everything that decides its tokens: format, corpus and tokenizer.
    #[must_use]
    pub fn key(&self) -> String {
        key(&self.info.corpus_hash, &self.info.tokenizer_hash)
    }

    /// The tokenizer it was encoded with.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The tokens that are trained on.
    #[must_use]
    pub fn train(&self) -> &Shard {
        &self.train
    }

    /// The tokens that are validated on.
    #[must_use]
    pub fn validation(&self) -> &Shard {
        &self.validation
    }

    /// Its rows for one context length.
    ///
    /// # Errors
    /// [`DataError::TooShort`] when the train or the validation side has fewer than `context` + 1 tokens.
    pub fn rows(&self, context: usize) -> Result<Rows, DataError> {
        let byte_lengths: Arc<[u32]> = self.tokenizer.byte_lengths().into();
        Rows::new(self.train.clone(), self.validation.clone(), context, self.tokenizer.eos(), byte_lengths)
    }
}

fn folder(key: &str, cache_dir: &Path) -> PathBuf {
    cache_dir.join(format!("dataset-{}", key.get(..32).unwrap_or(key)))
}

fn key(corpus_hash: &str, tokenizer_hash: &str) -> String {
    let text = format!("genesys dataset {FORMAT}\n{corpus_hash}\n{tokenizer_hash}\n");
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

fn read_info(path: &Path) -> Result<DatasetInfo, DataError> {
    let json = fs::read(path).map_err(DataError::at(path))?;
    let info: DatasetInfo =
        serde_json::from_slice(&json).map_err(|error| DataError::damaged(path, format!("not a dataset: {error}")))?;
    if info.format != FORMAT {
        return Err(DataError::damaged(path, format!("expected format {FORMAT}, found {}", info.format)));
    }
    Ok(info)
}

fn open_side(path: &Path, info: &SideInfo) -> Result<Arc<Shard>, DataError> {
    let shard = Shard::open(path)?;
    if shard.hash() != info.hash {
        return Err(DataError::damaged(path, "the shard belongs to another dataset"));
    }
    Ok(Arc::new(shard))
}

/// Makes the folder; `dataset.json` is written last, so a folder with one is complete.
fn write(dir: &Path, corpus: &Corpus, tokenizer: &Tokenizer) -> Result<(), DataError> {
    let sides = split(corpus)?;
    fs::create_dir_all(dir).map_err(DataError::at(dir))?;
    let info = DatasetInfo {
        format: FORMAT,
        corpus_hash: corpus.hash().to_owned(),
        corpus_bytes: corpus.bytes(),
        corpus_documents: corpus.documents().len() as u64,
        tokenizer_hash: tokenizer.hash().to_owned(),
        vocab_size: tokenizer.vocab_size() as u64,
        train: write_side(&dir.join(TRAIN), &sides.train, tokenizer)?,
        validation: write_side(&dir.join(VALIDATION), &sides.validation, tokenizer)?,
    };
    write_file(&dir.join(TOKENIZER), tokenizer.to_json().as_bytes())?;
    let json = serde_json::to_string_pretty(&info).expect("numbers and strings have a JSON form");
    write_file(&dir.join(INFO), json.as_bytes())
}

fn write_side(path: &Path, texts: &[&str], tokenizer: &Tokenizer) -> Result<SideInfo, DataError> {
    write_shard(path, &encode(texts, tokenizer), tokenizer.vocab_size())?;
    let shard = Shard::open(path)?;
    Ok(SideInfo {
        documents: shard.documents(),
        tokens: shard.tokens(),
        bytes: texts.iter().map(|text| text.len() as u64).sum(),
        hash: shard.hash().to_owned(),
    })
}

/// Each text's tokens and `<eos>`.
fn encode(texts: &[&str], tokenizer: &Tokenizer) -> Vec<Vec<u32>> {
    let mut documents = Vec::with_capacity(texts.len());
    let mut rest = texts;
    while !rest.is_empty() {
        let mut bytes = 0;
        let within = |text: &&&str| {
            bytes += text.len();
            bytes <= GROUP_BYTES
        };
        let (group, after) = rest.split_at(rest.iter().take_while(within).count().max(1));
        documents.extend(tokenizer.encode_batch(group));
        rest = after;
    }
    for document in &mut documents {
        document.push(tokenizer.eos());
        document.shrink_to_fit();
    }
    documents
}
