//! Meaning: the model that is named, and vectors of it for what is searched.
//!
//! In: the folder of a model. Out: the model, and an index whose documents all have a vector. Without a model what is searched is
//! searched by words, which is said once.

use genesys_literature::{Embed, Index};

use super::shelf::of_literature;
use crate::failure::Failure;
use crate::output;

/// Which model of meaning.
#[derive(Debug, clap::Args)]
pub(crate) struct MeaningArgs {
    /// Search by meaning, too: the folder of a BERT for sentences, with its config.json, tokenizer.json, model.safetensors.
    #[cfg(feature = "embeddings")]
    #[arg(long, value_name = "DIR")]
    embeddings: Option<std::path::PathBuf>,
}

/// What is said where there is no model.
pub(crate) const WORDS_ALONE: &str = "searched by words alone, there is no model of meaning: see docs/literature.md";

#[cfg(feature = "embeddings")]
impl MeaningArgs {
    /// The model, where one is named.
    pub(crate) fn model(&self) -> Result<Option<Box<dyn Embed>>, Failure> {
        let open = |folder| genesys_literature::bert::Bert::open(folder).map_err(of_literature);
        let model = self.embeddings.as_deref().map(open).transpose()?;
        Ok(model.map(|model| Box::new(model) as Box<dyn Embed>))
    }

    /// Refuses a model where nothing is searched without `wanted`.
    pub(crate) fn unused(&self, wanted: &str) -> Result<(), Failure> {
        let refused = |_| Err(Failure::Input(format!("--embeddings: expected {wanted} beside it, which it is for")));
        self.embeddings.as_ref().map_or(Ok(()), refused)
    }
}

#[cfg(not(feature = "embeddings"))]
#[allow(clippy::unused_self, clippy::unnecessary_wraps)] // as with the feature
impl MeaningArgs {
    /// None: this program was built without the feature `embeddings`.
    pub(crate) fn model(&self) -> Result<Option<Box<dyn Embed>>, Failure> {
        Ok(None)
    }

    /// Nothing to refuse.
    pub(crate) fn unused(&self, _: &str) -> Result<(), Failure> {
        Ok(())
    }
}

/// Gives every document a vector that has none yet, and tells how far it is.
pub(crate) fn give_vectors(index: &mut Index, model: &dyn Embed) -> Result<(), Failure> {
    let all = index.len().map_err(of_literature)?;
    let told = |done: usize| {
        if done.is_multiple_of(320) {
            output::say(format_args!("{done} of at most {all} entries have a vector"));
        }
    };
    index.embed(model, told).map(|_| ()).map_err(of_literature)
}
