//! A run's folder, as people see it: its name, where its text lies, its designs as files, its leaderboard.
//!
//! In: a folder. Out: the same, with `text.json` and `designs/` in it. What decides a run is in its log, which belongs
//! to `evolve`; the path of the text is not, because equal texts give equal runs wherever they lie.

use std::fs;
use std::path::{Path, PathBuf};

use genesys_evolve::{EvolveError, Settings, State, board};
use genesys_llm::LlmError;
use genesys_store::StoreError;
use serde::{Deserialize, Serialize};

use crate::aside;
use crate::corpus::CorpusArgs;
use crate::failure::Failure;
use crate::{leaderboard, output, report};

const TEXT: &str = "text.json";

/// Where the text of a run was found.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TextPlace {
    /// The text that is taken where none is named.
    Default,
    /// A file or folder.
    Path(PathBuf),
}

impl TextPlace {
    /// Where `corpus` says, from the root of the file system on: a run may be gone on with from another folder.
    pub(crate) fn of(corpus: &CorpusArgs) -> Result<Self, Failure> {
        match &corpus.corpus {
            None => Ok(Self::Default),
            Some(path) => fs::canonicalize(path).map(Self::Path).map_err(Failure::reading(path)),
        }
    }

    /// As arguments again.
    pub(crate) fn corpus(self) -> CorpusArgs {
        match self {
            Self::Default => CorpusArgs { corpus: None },
            Self::Path(path) => CorpusArgs { corpus: Some(path) },
        }
    }

    /// Notes it in the folder of a run that is to begin.
    pub(crate) fn note(&self, dir: &Path) -> Result<(), Failure> {
        fs::create_dir_all(dir).map_err(Failure::writing(dir))?;
        let path = dir.join(TEXT);
        let json = serde_json::to_vec(self).expect("a place has a JSON form");
        aside::write(&path, &json).map_err(Failure::writing(&path))
    }

    /// What was noted in the folder of a run, if it can be read.
    pub(crate) fn noted(dir: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(dir.join(TEXT)).ok()?).ok()
    }
}

/// The folder behind the highest number in `runs`.
pub(crate) fn next_run(runs: &Path) -> Result<PathBuf, Failure> {
    fs::create_dir_all(runs).map_err(Failure::writing(runs))?;
    let entries = fs::read_dir(runs).map_err(Failure::reading(runs))?;
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u64>().ok());
    Ok(runs.join(format!("{:03}", numbers.max().map_or(1, |last| last.saturating_add(1)))))
}

/// Prints the leaderboard, and writes all designs and the report into the run's folder. The leaderboard comes first:
/// whatever cannot be written, the result is told.
pub(crate) fn finish(dir: &Path, state: &State) -> Result<(), Failure> {
    output::line(leaderboard::table(&board::board(state), &state.started).trim_end())?;
    let designs = dir.join("designs");
    for design in &state.designs {
        let (path, text) = (designs.join(format!("{}.gau", design.proposed.name)), &design.proposed.text);
        // A run that is over can be looked at where nothing can be written.
        if fs::read(&path).is_ok_and(|found| found == text.as_bytes()) {
            continue;
        }
        let written = fs::create_dir_all(&designs).and_then(|()| aside::write(&path, text.as_bytes()));
        written.map_err(Failure::writing(&path))?;
    }
    output::say(format_args!("designs: {}", designs.display()));
    report::at_the_end(dir)
}

/// How to go on with the run in `dir`, as a command.
pub(crate) fn go_on(dir: &Path) -> String {
    format!("genesys resume {}", quoted(dir))
}

/// The same, with who designs in it where language models do.
pub(crate) fn go_on_with(dir: &Path, settings: &Settings) -> String {
    let target = if settings.agents.is_some() { " --llm TARGET" } else { "" };
    format!("{}{target}", go_on(dir))
}

/// The path as a word of a shell.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+,:@%".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// A failure of the run in `dir`. Where the world is at fault, the run can be gone on with.
pub(crate) fn of_run(dir: &Path, error: &EvolveError) -> Failure {
    match Failure::of(error.is_input(), error) {
        // Its message has the way out.
        failure if matches!(error, EvolveError::Store(StoreError::Locked { .. })) => failure,
        failure if is_of_models(error) && is_kept(dir) => {
            let kept = format!("what is finished is kept: go on with `{} --llm TARGET`", go_on(dir));
            let budget = if matches!(error, EvolveError::Model(LlmError::Budget(_))) { ", and allow more" } else { "" };
            match failure {
                Failure::Input(message) => Failure::Input(format!("{message}; {kept}{budget}")),
                Failure::World(message) => Failure::World(format!("{message}; {kept}")),
                other => other,
            }
        }
        Failure::World(message) if is_kept(dir) => {
            Failure::World(format!("{message}; what is finished is kept: go on with `{}`", go_on(dir)))
        }
        failure => failure,
    }
}

/// Whether a language model does not answer, or may not be asked any more.
fn is_of_models(error: &EvolveError) -> bool {
    matches!(error, EvolveError::Model(_))
}

fn is_kept(dir: &Path) -> bool {
    genesys_evolve::read(dir).is_ok_and(|state| state.board.is_none())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_next_run_is_behind_the_highest_number() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path().join("runs");
        assert_eq!(next_run(&runs).unwrap(), runs.join("001"));
        for name in ["007", "003", "notes", "long"] {
            fs::create_dir(runs.join(name)).unwrap();
        }
        assert_eq!(next_run(&runs).unwrap(), runs.join("008"));
    }

    #[test]
    fn the_place_of_the_text_is_noted_and_found() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("runs/001");
        assert_eq!(TextPlace::noted(&dir), None);
        for place in [TextPlace::Default, TextPlace::Path("/books/a b.txt".into())] {
            place.note(&dir).unwrap();
            assert_eq!(TextPlace::noted(&dir), Some(place));
        }
        fs::write(dir.join(TEXT), "{").unwrap();
        assert_eq!(TextPlace::noted(&dir), None);
    }

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        assert_eq!(go_on(Path::new("runs/001")), "genesys resume runs/001");
        assert_eq!(go_on(Path::new("my runs/it's")), "genesys resume 'my runs/it'\\''s'");
    }
}
