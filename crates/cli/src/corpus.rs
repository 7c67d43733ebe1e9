//! The text to train on, from `--corpus` to a dataset in the cache.
//!
//! In: a path or none, and the size of the vocabulary. Out: a dataset, after one line on standard error about its text.
//! The cache is a folder of the user's, shared by all runs: what lies in it is named by the hash of what it was made
//! from.

use std::env;
use std::path::{Path, PathBuf};

use genesys_data::{Corpus, DataError, Dataset, tokenizer_for};

use crate::failure::Failure;
use crate::output;

/// What every command that trains takes.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct CorpusArgs {
    /// A text file, or a folder of .txt, .md and .rst files; without it, the documentation of the crates that this
    /// program was built from.
    #[arg(long, value_name = "PATH")]
    pub(crate) corpus: Option<PathBuf>,
}

impl CorpusArgs {
    /// Reads the text and says what it is.
    pub(crate) fn read(&self) -> Result<Corpus, Failure> {
        let corpus = self.text().map_err(|error| of_data(&error))?;
        tell(&corpus);
        Ok(corpus)
    }

    /// Reads the text.
    pub(crate) fn text(&self) -> Result<Corpus, DataError> {
        match &self.corpus {
            Some(path) => Corpus::from_path(path),
            None => Corpus::default_text(),
        }
    }
}

/// Says what the text is, on standard error.
pub(crate) fn tell(corpus: &Corpus) {
    output::say(format_args!(
        "text: {}, {} documents, {:.1} MB, hash {}",
        corpus.origin(),
        corpus.documents().len(),
        corpus.bytes() as f64 / 1e6,
        corpus.hash()
    ));
    if !corpus.skipped().is_empty() {
        output::say(format_args!("left out, not UTF-8: {} files", corpus.skipped().len()));
    }
}

/// The dataset of that key in the cache, if it is there and whole: then the text itself is not needed.
pub(crate) fn cached(key: &str) -> Option<Dataset> {
    Dataset::cached(key, &cache_folder())
}

/// The dataset of `corpus` under a tokenizer of `vocabulary` tokens trained on it, made or taken from the cache.
pub(crate) fn dataset(corpus: &Corpus, vocabulary: u64) -> Result<Dataset, Failure> {
    let cache = cache_folder();
    let vocabulary = usize::try_from(vocabulary).unwrap_or(usize::MAX);
    let prepare = |cache: &Path| Dataset::prepare(corpus, &tokenizer_for(corpus, vocabulary, cache)?, cache);
    prepare(&cache).map_err(|error| of_data(&error))
}

/// Where tokenizers and token shards are kept: `GENESYS_CACHE`, or `genesys` in the user's cache folder.
pub(crate) fn cache_folder() -> PathBuf {
    let folder = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    folder("GENESYS_CACHE")
        .or_else(|| Some(folder("XDG_CACHE_HOME")?.join("genesys")))
        .or_else(|| Some(folder("HOME")?.join(".cache/genesys")))
        .unwrap_or_else(|| env::temp_dir().join("genesys-cache"))
}

fn of_data(error: &DataError) -> Failure {
    Failure::of(error.is_input(), error)
}
