//! What dialogues search: an index, by words and by meaning, and live sources.
//!
//! In: folders, sources, a model of meaning. Out: a library for many dialogues at once, in which a run puts what it made itself. What
//! live sources answer joins the search that asked for it alone, so that no dialogue finds what another one was answered. What is wrong
//! with a source is said once.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::mem::Discriminant;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use genesys_agents::{Found, Library};
use genesys_literature::fusion::fused;
use genesys_literature::live::LiveError;
use genesys_literature::{Batch, Embed, Index, Kind, LiteratureError, Query};
use genesys_llm::LlmError;
use serde::{Deserialize, Serialize};

use super::live::{Live, LiveSources, Source};
use super::meaning::{MeaningArgs, give_vectors};
use super::place::Place;
use super::shelf::Shelf;
use crate::failure::Failure;
use crate::{aside, output};

/// Where a run notes what its models search.
const NOTED: &str = "library.json";

/// What the models of a run search besides what is shipped and what the run made itself.
#[derive(Clone, Debug, clap::Args, Serialize, Deserialize)]
pub(crate) struct ReadingArgs {
    /// A folder of papers and notes that models may find besides what is shipped and what the run made itself. May be given several
    /// times.
    #[arg(long, value_name = "DIR")]
    folder: Vec<PathBuf>,
    #[command(flatten)]
    live: Live,
    #[command(flatten)]
    meaning: MeaningArgs,
    #[command(flatten)]
    #[serde(skip)]
    place: Place,
    /// The note that it is from, if it is from one.
    #[arg(skip)]
    #[serde(skip)]
    note: Option<PathBuf>,
}

impl ReadingArgs {
    /// Whether anything is named.
    pub(crate) fn is_given(&self) -> bool {
        !self.folder.is_empty() || self.live.is_given() || self.meaning.is_given()
    }

    /// Refuses what is named where nobody searches.
    pub(crate) fn unused(&self) -> Result<(), Failure> {
        match self.is_given() {
            true => Err(Failure::Input(
                "--folder, --live, --embeddings: expected --llm TARGET beside them: they say what a language model finds"
                    .to_owned(),
            )),
            false => Ok(()),
        }
    }

    /// Notes what is named in the folder of a run, by whole paths: a run may be gone on with from another folder.
    pub(crate) fn note(&self, dir: &Path) -> Result<(), Failure> {
        let whole = |path: &PathBuf| fs::canonicalize(path).map_err(Failure::reading(path));
        let folder = self.folder.iter().map(whole).collect::<Result<_, _>>()?;
        let noted = Self { folder, meaning: self.meaning.whole()?, ..self.clone() };
        let path = dir.join(NOTED);
        let json = serde_json::to_vec(&noted).expect("what is named has a JSON form");
        aside::write(&path, &json).map_err(Failure::writing(&path))
    }

    /// What is named, which is noted from now on, or what was noted in the folder of a run where nothing is named.
    pub(crate) fn or_noted(self, dir: &Path) -> Result<Self, Failure> {
        if self.is_given() {
            return self.note(dir).map(|()| self);
        }
        let path = dir.join(NOTED);
        let bytes = match fs::read(&path) {
            // The run is older than such notes.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(self),
            read => read.map_err(Failure::reading(&path))?,
        };
        // What is noted and cannot be read is told: models would find less without a word.
        let noted: Self = serde_json::from_slice(&bytes).map_err(|why| {
            let path = path.display();
            Failure::Input(format!(
                "{path}: expected the note of what the models of the run search, found what is none ({why}): bring it back, or delete \
                 it and name what they search with --folder, --live, --embeddings"
            ))
        })?;
        Ok(Self { place: self.place, note: Some(path), ..noted })
    }

    /// What is named, opened.
    pub(crate) fn open(&self) -> Result<Reading, Failure> {
        let shelf = Shelf::with(self.folder.clone(), self.place.clone());
        Reading::open(&shelf, &self.live, &self.meaning).map_err(|failure| match (failure, &self.note) {
            (Failure::Input(why), Some(note)) => Failure::Input(format!(
                "{why}; what the models of the run search is noted in {}: bring it back, or name another with --folder, --live, \
                 --embeddings",
                note.display()
            )),
            (failure, _) => failure,
        })
    }
}

/// A library for dialogues.
pub(crate) struct Reading {
    held: Mutex<Held>,
    live: Option<LiveSources>,
    /// What was said of live sources.
    said: Mutex<HashSet<(Source, Option<Discriminant<LiveError>>)>>,
}

/// An index, and a model of meaning where one is named.
struct Held {
    index: Index,
    model: Option<Box<dyn Embed>>,
}

impl Reading {
    /// What is on a shelf, and what live sources say. What cannot be read is told.
    pub(crate) fn open(shelf: &Shelf, live: &Live, meaning: &MeaningArgs) -> Result<Self, Failure> {
        let model = meaning.model()?;
        let (index, notes) = shelf.index_in_memory(model.as_deref())?;
        notes.iter().for_each(output::say);
        let live = live.open(shelf.place()).unwrap_or_else(|why| {
            output::say(why);
            None
        });
        Ok(Self { held: Mutex::new(Held { index, model }), live, said: Mutex::default() })
    }

    /// Puts in what a run made itself, in place of what was put in before.
    pub(crate) fn put(&self, run: &str, made: Batch) -> Result<(), LiteratureError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Held { index, model } = &mut *held;
        index.replace(run, &[made])?;
        model.as_deref().map_or(Ok(()), |model| give_vectors(index, model))
    }

    fn tell(&self, of: (Source, Option<Discriminant<LiveError>>), text: &str) {
        if self.said.lock().unwrap_or_else(PoisonError::into_inner).insert(of) {
            output::say(format_args!("models find less: {text}"));
        }
    }
}

impl Library for Reading {
    fn search(&self, question: &str, kinds: &[Kind], limit: usize) -> Result<Found, LlmError> {
        let own = {
            let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            Found::of(held.index.search(&Query { text: question, limit, kinds }, held.model.as_deref()))
        };
        match (own, &self.live) {
            (Found::Documents(own), Some(live)) => {
                let said = live.ask(question, kinds, limit);
                said.notes.iter().for_each(|note| self.tell(note.of, &note.text));
                let lists = std::iter::once(own).chain(said.found.into_iter().map(|(_, documents)| documents));
                Ok(Found::Documents(fused(lists.collect(), limit)))
            }
            (own, _) => Ok(own),
        }
    }
}
