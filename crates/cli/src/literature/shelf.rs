//! What is searched: the shipped works and designs, and what the user adds.
//!
//! In: folders of papers, folders of runs, a place for what is kept between searches. Out: an index that holds them as they
//! are now, and notes about what could not be read. It is kept on disk where it holds papers or vectors, which take time; the
//! rest is put together anew.

use std::path::PathBuf;

use genesys_literature::{Batch, Embed, Index, LiteratureError, Work, design, folder, library};

use super::meaning::give_vectors;
use super::place::Place;
use super::{pages, runs};
use crate::failure::Failure;
use crate::shipped;

/// The collection of what live sources answered.
pub(super) const LIVE: &str = "live";

/// What is searched besides the shipped works and designs.
#[derive(Debug, clap::Args)]
pub(crate) struct Shelf {
    /// A folder of papers and notes: BibTeX, Markdown, text, PDF. May be given several times.
    #[arg(long, value_name = "DIR")]
    folder: Vec<PathBuf>,
    /// The folder of a run: its designs, and what came of them. May be given several times.
    #[arg(long, value_name = "RUN")]
    run: Vec<PathBuf>,
    #[command(flatten)]
    place: Place,
}

impl Shelf {
    /// What is shipped, and what lies in these folders.
    pub(crate) fn with(folder: Vec<PathBuf>, place: Place) -> Self {
        Self { folder, run: Vec::new(), place }
    }

    /// The index, and what a person should know about it. With `has_vectors` it is kept even if all of it is shipped.
    pub(crate) fn index(&self, has_vectors: bool) -> Result<(Index, Vec<String>), Failure> {
        let mut notes = Vec::new();
        let mut index = self.open(has_vectors, &mut notes)?;
        notes.extend(self.fill(&mut index)?);
        Ok((index, notes))
    }

    /// The same in memory, for one who puts in documents of their own; all have a vector of the model, where there is one.
    pub(crate) fn index_in_memory(&self, model: Option<&dyn Embed>) -> Result<(Index, Vec<String>), Failure> {
        let (mut kept, notes) = self.index(model.is_some())?;
        model.map_or(Ok(()), |model| give_vectors(&mut kept, model)).map_err(of_literature)?;
        let mut index = kept.copied().map_err(of_literature)?;
        // What a search before was answered is found by that search alone.
        index.replace(LIVE, &[]).map_err(of_literature)?;
        Ok((index, notes))
    }

    /// Makes an index hold what is shipped and what lies in the folders; what a person should know about it.
    fn fill(&self, index: &mut Index) -> Result<Vec<String>, Failure> {
        let mut notes = Vec::new();
        let works = library();
        let mut shipped = vec![Batch::of("library", works.iter().map(Work::document).collect())];
        shipped.extend(shipped::ALL.iter().map(|(path, text)| Batch::of(path, design::documents(path, text, &works))));
        index.replace("shipped", &shipped).map_err(of_literature)?;
        for folder in &self.folder {
            let name = format!("folder {}", folder.display());
            let known = index.known(&name).map_err(of_literature)?;
            let scan = folder::scan(folder, &known, &pages::apart).map_err(of_literature)?;
            index.update(&name, &scan.batches, &scan.kept).map_err(of_literature)?;
            let note =
                |trouble: &folder::Trouble| format!("{}: {}", folder.join(&trouble.file).display(), trouble.message);
            notes.extend(scan.troubles.iter().map(note));
        }
        let runs: Result<Vec<Batch>, Failure> = self.run.iter().map(|run| runs::batch(run)).collect();
        index.replace("runs", &runs?).map_err(of_literature)?;
        Ok(notes)
    }

    /// Where things are kept between searches.
    pub(crate) fn place(&self) -> Option<PathBuf> {
        self.place.folder()
    }

    /// An index in memory, or, where there is something to keep, in a file of its own for these folders.
    fn open(&self, has_vectors: bool, notes: &mut Vec<String>) -> Result<Index, Failure> {
        if self.folder.is_empty() && !has_vectors {
            return Index::in_memory().map_err(of_literature);
        }
        match self.place.file("literature", &self.folder) {
            Ok(file) => Index::open(&file).map_err(of_literature),
            Err(note) => {
                notes.push(note);
                Index::in_memory().map_err(of_literature)
            }
        }
    }
}

/// The failure that an error of the knowledge engine is.
pub(crate) fn of_literature(error: LiteratureError) -> Failure {
    Failure::of(error.is_input(), &error)
}
