//! Checkpoints: the folder that a model is kept in, trained or not.
//!
//! | file | holds |
//! | --- | --- |
//! | `config.json` | [`Config`]: the job (design, scale, seed), the step, and size and hash of the other files |
//! | `model.safetensors` | the weights as f32, named as in the table of parameters |
//! | `tokenizer.json` | the tokenizer |
//! | `optimizer.safetensors` | while training: both moments, `first.NAME` and `second.NAME` |
//! | `history.json` | while training: [`History`], how it went so far |
//!
//! A folder is written aside and renamed, so it is whole or not there; every file is held to its hash when it is read,
//! so damage is an error, never a model. What the weights mean is the design's: see
//! [`build`](crate::model::build), which holds the weights to it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use genesys_tokenize::Tokenizer;
use serde::{Deserialize, Serialize};

use crate::error::CheckpointError;
use crate::files;
use crate::job::Job;
use crate::tensors::{self, Table};
use crate::validate::Validation;

/// The newest version of the format.
pub const FORMAT: u64 = 1;

const CONFIG: &str = "config.json";
const MODEL: &str = "model.safetensors";
const TOKENIZER: &str = "tokenizer.json";
const OPTIMIZER: &str = "optimizer.safetensors";
const HISTORY: &str = "history.json";

/// What stands before a weight's name in the table of first moments.
pub(crate) const FIRST: &str = "first.";

/// What stands before a weight's name in the table of second moments.
pub(crate) const SECOND: &str = "second.";

/// A model at one moment of its training.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// What it is.
    pub config: Config,
    /// Its weights.
    pub weights: Table,
    /// What it reads and writes.
    pub tokenizer: Tokenizer,
    /// The optimizer's moments, where training may go on.
    pub optimizer: Option<Table>,
    /// How the training went so far, where it may go on.
    pub history: Option<History>,
}

/// How a training went up to its checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// Validation before the first step.
    pub start: Validation,
    /// The training loss of each step in nats a token.
    pub curve: Vec<f32>,
}

/// What a checkpoint is, apart from its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// The version of the format: [`FORMAT`].
    pub format: u64,
    /// What is trained: the design's text, scale, steps, seed.
    pub job: Job,
    /// The design's hash.
    pub design_hash: String,
    /// Entries of the vocabulary.
    pub vocabulary: u64,
    /// How many steps it was trained for; 0 is an untrained model.
    pub step: u64,
    /// What it is trained on: the dataset's key; none for a model that is not trained.
    pub dataset: Option<String>,
    /// The hash of the text behind the dataset.
    pub corpus_hash: Option<String>,
    /// The other files of the folder; filled in when it is written.
    #[serde(default)]
    pub files: BTreeMap<String, FileMark>,
}

/// What a file is held to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMark {
    /// Its size.
    pub bytes: u64,
    /// Its blake3 hash, in hex.
    pub blake3: String,
}

impl Checkpoint {
    /// Writes the folder `dir`, replacing a checkpoint that is there.
    ///
    /// # Errors
    /// [`CheckpointError::Occupied`] if something else is there, or the system's.
    pub fn save(&self, dir: &Path) -> Result<(), CheckpointError> {
        Self::is_free(dir)?;
        let mut files = vec![(MODEL, tensors::to_bytes(&self.weights)), (TOKENIZER, self.tokenizer.to_json().into())];
        files.extend(self.optimizer.as_ref().map(|table| (OPTIMIZER, tensors::to_bytes(table))));
        let history = |history| serde_json::to_vec(history).expect("a history has a JSON form");
        files.extend(self.history.as_ref().map(|found| (HISTORY, history(found))));
        let marks = files.iter().map(|(name, bytes)| ((*name).to_owned(), FileMark::of(bytes))).collect();
        let config = Config { files: marks, ..self.config.clone() };
        files.push((CONFIG, serde_json::to_vec_pretty(&config).expect("a config has a JSON form")));
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
        files::replace_folder(dir, &files).map_err(CheckpointError::at(dir))
    }

    /// Whether a checkpoint can be written to `dir`, for whoever has hours of work before it. Folders above it are made.
    ///
    /// # Errors
    /// [`CheckpointError::Occupied`] where something else is there, or the system's where no folder can be made.
    pub fn may_be_saved(dir: &Path) -> Result<(), CheckpointError> {
        Self::is_free(dir)?;
        files::try_folder(dir).map_err(CheckpointError::at(dir))
    }

    fn is_free(dir: &Path) -> Result<(), CheckpointError> {
        match is_replaceable(dir) {
            true => Ok(()),
            false => Err(CheckpointError::Occupied { path: dir.to_owned() }),
        }
    }

    /// Reads the folder `dir`.
    ///
    /// # Errors
    /// [`CheckpointError::Foreign`], [`CheckpointError::Newer`], [`CheckpointError::Damaged`], or the system's.
    pub fn load(dir: &Path) -> Result<Self, CheckpointError> {
        let dir = &files::resolve(dir);
        let config = read_config(dir)?;
        let weights = read_table(dir, &config, MODEL)?;
        let tokenizer = read_tokenizer(dir, &config)?;
        let has = |name| config.files.contains_key(name);
        let optimizer = has(OPTIMIZER).then(|| read_table(dir, &config, OPTIMIZER)).transpose()?;
        let history = has(HISTORY).then(|| read_history(dir, &config)).transpose()?;
        Ok(Self { config, weights, tokenizer, optimizer, history })
    }
}

impl Config {
    /// The config of a model that was not trained yet, on nothing so far.
    #[must_use]
    pub fn new(job: Job, design_hash: String, vocabulary: u64) -> Self {
        let files = BTreeMap::new();
        Self { format: FORMAT, job, design_hash, vocabulary, step: 0, dataset: None, corpus_hash: None, files }
    }
}

impl FileMark {
    fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, blake3: blake3::hash(bytes).to_hex().to_string() }
    }
}

/// Whether writing to `dir` destroys nothing but a checkpoint.
fn is_replaceable(dir: &Path) -> bool {
    match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none() || read_config(dir).is_ok(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

fn read_config(dir: &Path) -> Result<Config, CheckpointError> {
    let foreign = |why: String| CheckpointError::Foreign { path: dir.to_owned(), why };
    let path = dir.join(CONFIG);
    let json = match fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(foreign(format!("a folder with {CONFIG}, found none")));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            return Err(foreign(format!("a folder with {CONFIG}, found a file")));
        }
        read => read.map_err(CheckpointError::at(&path))?,
    };
    let value: serde_json::Value = serde_json::from_slice(&json)
        .map_err(|error| CheckpointError::Damaged { path: path.clone(), why: format!("it is not JSON: {error}") })?;
    // The version first: a newer config may have any form.
    match value.get("format").and_then(serde_json::Value::as_u64) {
        Some(FORMAT) => {}
        Some(found) if found > FORMAT => {
            return Err(CheckpointError::Newer { path: dir.to_owned(), found, known: FORMAT });
        }
        _ => return Err(foreign(format!("but {CONFIG} is another program's: it has no `format` known here"))),
    }
    serde_json::from_value(value).map_err(|error| foreign(format!("but {CONFIG} is another program's: {error}")))
}

/// A file, held to its mark.
fn read_file(dir: &Path, config: &Config, name: &str) -> Result<Vec<u8>, CheckpointError> {
    let path = dir.join(name);
    let damaged = |why: String| CheckpointError::Damaged { path: path.clone(), why };
    let mark = config.files.get(name).ok_or_else(|| damaged(format!("{CONFIG} does not list it")))?;
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(damaged("the file is missing".into()));
        }
        read => read.map_err(CheckpointError::at(&path))?,
    };
    let found = FileMark::of(&bytes);
    if found.bytes != mark.bytes {
        let cut = if found.bytes < mark.bytes { "the file is cut off" } else { "the file was altered" };
        return Err(damaged(format!("{cut}: expected {} bytes, found {}", mark.bytes, found.bytes)));
    }
    match found == *mark {
        true => Ok(bytes),
        false => Err(damaged("the file was altered, or is of another checkpoint: its hash does not match".into())),
    }
}

fn read_table(dir: &Path, config: &Config, name: &str) -> Result<Table, CheckpointError> {
    let bytes = read_file(dir, config, name)?;
    tensors::from_bytes(&bytes).map_err(|why| CheckpointError::Damaged { path: dir.join(name), why })
}

fn read_history(dir: &Path, config: &Config) -> Result<History, CheckpointError> {
    let json = read_file(dir, config, HISTORY)?;
    let damaged = |why: String| CheckpointError::Damaged { path: dir.join(HISTORY), why };
    let history: History = serde_json::from_slice(&json).map_err(|error| damaged(error.to_string()))?;
    match history.curve.len() as u64 == config.step {
        true => Ok(history),
        false => Err(damaged(format!("expected the losses of {} steps, found {}", config.step, history.curve.len()))),
    }
}

fn read_tokenizer(dir: &Path, config: &Config) -> Result<Tokenizer, CheckpointError> {
    let damaged = |why: String| CheckpointError::Damaged { path: dir.join(TOKENIZER), why };
    let json = String::from_utf8(read_file(dir, config, TOKENIZER)?).map_err(|error| damaged(error.to_string()))?;
    let tokenizer = Tokenizer::from_json(&json).map_err(|error| damaged(error.to_string()))?;
    if tokenizer.vocab_size() as u64 != config.vocabulary {
        let found = tokenizer.vocab_size();
        return Err(damaged(format!("expected {} tokens, found {found}", config.vocabulary)));
    }
    Ok(tokenizer)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use genesys_ladder::Scale;

    use crate::tensors::HostTensor;

    fn table(prefix: &str) -> Table {
        let tensor = HostTensor { shape: vec![2, 2], values: vec![1.0, -0.0, 0.1, f32::MIN_POSITIVE] };
        [(format!("{prefix}final.gain"), tensor)].into()
    }

    fn checkpoint(optimizer: bool) -> Checkpoint {
        let job = Job::at_scale("design x {}", &Scale::named("nano").unwrap(), u64::MAX);
        let config = Config { step: 3, ..Config::new(job, "g1-0".into(), 257) };
        let start = Validation { nats: 5.5, bits_per_byte: 8.0 / 3.0, tokens: 9, bytes: 11 };
        let history = optimizer.then(|| History { start, curve: vec![5.5, 0.1, f32::MIN_POSITIVE] });
        let optimizer = optimizer.then(|| table("first."));
        Checkpoint { config, weights: table(""), tokenizer: Tokenizer::bytes(), optimizer, history }
    }

    fn message(dir: &Path) -> String {
        let error = Checkpoint::load(dir).unwrap_err();
        assert!(error.is_input(), "{error:?}");
        error.to_string()
    }

    #[test]
    fn what_is_saved_is_loaded_and_replaced_as_a_whole() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("ckpt");
        for optimizer in [true, false] {
            let saved = checkpoint(optimizer);
            saved.save(&dir).unwrap();
            let loaded = Checkpoint::load(&dir).unwrap();
            assert_eq!(loaded.weights, saved.weights);
            assert_eq!(loaded.optimizer, saved.optimizer);
            assert_eq!(loaded.history, saved.history);
            assert_eq!(loaded.tokenizer.hash(), saved.tokenizer.hash());
            assert_eq!(Config { files: BTreeMap::new(), ..loaded.config }, saved.config);
            assert_eq!(dir.join(OPTIMIZER).exists(), optimizer);
        }
    }

    #[test]
    fn every_cut_or_altered_file_is_one_error_with_its_name() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("ckpt");
        for name in [MODEL, TOKENIZER, OPTIMIZER, HISTORY] {
            checkpoint(true).save(&dir).unwrap();
            let bytes = fs::read(dir.join(name)).unwrap();
            fs::write(dir.join(name), &bytes[..bytes.len() - 1]).unwrap();
            let expected = format!("cut off: expected {} bytes, found {}", bytes.len(), bytes.len() - 1);
            assert!(message(&dir).contains(&expected) && message(&dir).contains(name), "{}", message(&dir));
            let mut altered = bytes.clone();
            *altered.last_mut().unwrap() ^= 1;
            fs::write(dir.join(name), altered).unwrap();
            assert!(message(&dir).contains("altered") && message(&dir).contains(name), "{}", message(&dir));
            fs::remove_file(dir.join(name)).unwrap();
            assert!(message(&dir).contains("missing") && message(&dir).contains(name), "{}", message(&dir));
        }
    }

    #[test]
    fn a_damaged_foreign_or_newer_config_says_so() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("ckpt");
        assert!(message(&dir).contains("expected a checkpoint, a folder with config.json, found none"));
        checkpoint(true).save(&dir).unwrap();
        let config = dir.join(CONFIG);
        let json = fs::read_to_string(&config).unwrap();
        assert!(message(&config).contains("found a file"), "{}", message(&config));
        fs::write(&config, &json[..json.len() / 2]).unwrap();
        assert!(message(&dir).contains("not JSON"), "{}", message(&dir));
        fs::write(&config, r#"{"architectures": ["GPT2"]}"#).unwrap();
        assert!(message(&dir).contains("another program's"), "{}", message(&dir));
        fs::write(&config, json.replace("\"format\": 1", "\"format\": 7")).unwrap();
        assert!(message(&dir).contains("version 7") && message(&dir).contains("up to 1"), "{}", message(&dir));
    }

    #[test]
    fn other_files_are_not_overwritten() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("thesis.tex"), "years").unwrap();
        let error = checkpoint(false).save(root.path()).unwrap_err();
        assert!(matches!(error, CheckpointError::Occupied { .. }), "{error}");
        let file = root.path().join("thesis.tex");
        assert!(matches!(checkpoint(false).save(&file).unwrap_err(), CheckpointError::Occupied { .. }));
        assert_eq!(fs::read_to_string(file).unwrap(), "years");
        fs::create_dir(root.path().join("empty")).unwrap();
        checkpoint(false).save(&root.path().join("empty")).unwrap();
    }
}
