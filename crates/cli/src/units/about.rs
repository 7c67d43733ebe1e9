//! Units by what they say: which of those that are known mean the like of a text.
//!
//! In: units, a text, a model of meaning where one is named. Out: their keys, likest first. Vectors are kept by what the units are
//! of (a run, files, the shipped designs), so that each unit is read by a model once.

use std::path::PathBuf;

use genesys_agents::library::unit_document;
use genesys_literature::{Batch, Hit, Index, Kind, Query};
use genesys_registry::Registry;

use crate::failure::Failure;
use crate::literature::{MeaningArgs, Place, WORDS_ALONE, give_vectors, of_literature};
use crate::output;

/// What is asked about units, and how.
#[derive(Debug, clap::Args)]
pub(super) struct About {
    /// Only units that mean the like of this text, likest first; with --fits, what fits in that order.
    #[arg(long, value_name = "TEXT")]
    about: Option<String>,
    /// How many units, at most [default: 10, and with --fits all].
    #[arg(long, value_name = "N", requires = "about")]
    limit: Option<std::num::NonZeroUsize>,
    #[command(flatten)]
    meaning: MeaningArgs,
    #[command(flatten)]
    place: Place,
}

/// How many units are told where nobody says how many.
const TOLD: usize = 10;

impl About {
    /// Whether units are asked for by what they say. A model without a text to ask is refused.
    pub(super) fn is_asked(&self) -> Result<bool, Failure> {
        match self.about {
            Some(_) => Ok(true),
            None => self.meaning.unused("--about TEXT").map(|()| false),
        }
    }

    /// The units that mean the like of what is asked, likest first, at most `otherwise` where no number is given; `of` are the files or
    /// folders that they are from.
    pub(super) fn found(
        &self,
        registry: &Registry,
        of: &[PathBuf],
        otherwise: Option<usize>,
    ) -> Result<Vec<Hit>, Failure> {
        let Some(text) = &self.about else { return Ok(Vec::new()) };
        let model = self.meaning.model()?;
        let mut index = match &model {
            Some(_) => self.kept(of)?,
            None => Index::in_memory().map_err(of_literature)?,
        };
        let batches: Vec<Batch> =
            registry.entries().map(|entry| Batch::of(entry.key.as_str(), vec![unit_document(entry)])).collect();
        index.replace("units", &batches).map_err(of_literature)?;
        match &model {
            Some(model) => give_vectors(&mut index, model.as_ref()).map_err(of_literature)?,
            None => output::say(format_args!("note: {WORDS_ALONE}")),
        }
        let limit = self.limit.map(usize::from).or(otherwise).unwrap_or(TOLD);
        let query = Query { text, limit, kinds: &[Kind::Unit] };
        Ok(index.search(&query, model.as_deref()).map_err(of_literature)?.hits)
    }

    /// The index that is kept for units of these files and folders, with the vectors that it has.
    fn kept(&self, of: &[PathBuf]) -> Result<Index, Failure> {
        match self.place.file("units", of) {
            Ok(file) => Index::open(&file),
            Err(note) => {
                output::say(format_args!("note: {note}"));
                Index::in_memory()
            }
        }
        .map_err(of_literature)
    }
}
