//! Meaning: the model that is named, and vectors of it for what is searched.
//!
//! In: the folder of a model. Out: the model, and an index whose documents all have a vector. Without a model what is searched is
//! searched by words, which is said once.

use std::fs;
use std::path::{Path, PathBuf};

use genesys_literature::{Embed, Index, LiteratureError};
use serde::{Deserialize, Serialize};

#[cfg(feature = "embeddings")]
use super::shelf::of_literature;
use crate::failure::Failure;
use crate::output;

/// Which model of meaning.
#[derive(Clone, Debug, Default, clap::Args, Serialize, Deserialize)]
pub(crate) struct MeaningArgs {
    /// Search by meaning, too: the folder of a BERT for sentences, with its config.json, tokenizer.json, model.safetensors.
    #[cfg_attr(feature = "embeddings", arg(long, value_name = "DIR"))]
    #[cfg_attr(not(feature = "embeddings"), arg(skip))]
    embeddings: Option<PathBuf>,
}

/// What is said where there is no model.
pub(crate) const WORDS_ALONE: &str = "searched by words alone, there is no model of meaning: see docs/literature.md";

impl MeaningArgs {
    /// The model, where one is named.
    pub(crate) fn model(&self) -> Result<Option<Box<dyn Embed>>, Failure> {
        self.embeddings.as_deref().map(open).transpose()
    }

    /// Whether one is named.
    pub(crate) fn is_given(&self) -> bool {
        self.embeddings.is_some()
    }

    /// The same by a whole path.
    pub(crate) fn whole(&self) -> Result<Self, Failure> {
        let whole = |path: &PathBuf| fs::canonicalize(path).map_err(Failure::reading(path));
        Ok(Self { embeddings: self.embeddings.as_ref().map(whole).transpose()? })
    }

    /// Refuses a model where nothing is searched without `wanted`.
    pub(crate) fn unused(&self, wanted: &str) -> Result<(), Failure> {
        let refused = |_| Err(Failure::Input(format!("--embeddings: expected {wanted} beside it, which it is for")));
        self.embeddings.as_ref().map_or(Ok(()), refused)
    }
}

#[cfg(feature = "embeddings")]
fn open(folder: &Path) -> Result<Box<dyn Embed>, Failure> {
    let model = genesys_literature::bert::Bert::open(folder).map_err(of_literature)?;
    Ok(Box::new(model))
}

/// A run may have noted a model.
#[cfg(not(feature = "embeddings"))]
fn open(folder: &Path) -> Result<Box<dyn Embed>, Failure> {
    Err(Failure::Input(format!(
        "{} is a model of meaning, and this program was built without them: build it with --features embeddings",
        folder.display()
    )))
}

/// Gives every document a vector that has none yet, and tells how far it is.
pub(crate) fn give_vectors(index: &mut Index, model: &dyn Embed) -> Result<(), LiteratureError> {
    let all = index.len()?;
    let told = |done: usize| {
        if done.is_multiple_of(320) {
            output::say(format_args!("{done} of at most {all} entries have a vector"));
        }
    };
    index.embed(model, told).map(|_| ())
}
