//! A bench in a folder: its setup, its rows and its answers, so that one that was stopped goes on where it stopped.
//!
//! ```text
//! setup.json        what is compared, by what means: a folder holds one bench
//! rows.jsonl        each row, as soon as it is measured
//! recording.jsonl   the answers of these rows in their order, and behind them those of the row that is not done
//! ```
//!
//! Who goes on takes finished rows as they stand, and has the answers of the row that was not done once more. Calls that failed are made again.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use genesys_llm::record::{Exchange, Lines, Outcome, Recorder};
use genesys_llm::{Continued, LlmError, Transport};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::row::Row;
use crate::variant::Variant;

/// What is compared, by what means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// The model's name.
    pub model: String,
    /// The variants, in the order in which they are asked for.
    pub variants: Vec<Variant>,
    /// The proposals' names and the versions of their texts, in that order.
    pub proposals: Vec<(String, String)>,
    /// The scales' names.
    pub scales: Vec<String>,
    /// How often each piece may be mended.
    pub mends: usize,
    /// The most tokens of an answer.
    pub tokens: u64,
    /// What draws are made of.
    pub seed: u64,
    /// The versions of what the model is told.
    pub prompts: Vec<String>,
}

/// Why a folder cannot be used.
#[derive(Debug)]
pub enum FolderError {
    /// It cannot be read or written.
    File(PathBuf, std::io::Error),
    /// It holds something else; the sentence says what, and what to do.
    Other(String),
}

impl std::fmt::Display for FolderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Other(what) => write!(f, "{what}"),
        }
    }
}

impl std::error::Error for FolderError {}

/// A bench in a folder.
pub struct Folder {
    dir: PathBuf,
    /// The rows that were done, in their order.
    pub rows: Vec<Row>,
    /// The answers that the next row had.
    rest: Vec<Exchange>,
}

impl Folder {
    /// The bench of a folder, which is made where there is none.
    ///
    /// # Errors
    /// What cannot be read, or what the folder holds instead.
    pub fn open(dir: &Path, setup: &Setup) -> Result<Self, FolderError> {
        fs::create_dir_all(dir).map_err(|error| FolderError::File(dir.to_owned(), error))?;
        let path = dir.join("setup.json");
        match fs::read(&path) {
            Ok(bytes) => agree(&path, &bytes, setup)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let text = serde_json::to_vec_pretty(setup).expect("a setup has a JSON form");
                replace(&path, &text)?;
            }
            Err(error) => return Err(FolderError::File(path, error)),
        }
        let rows: Vec<Row> = lines(&dir.join("rows.jsonl"))?;
        let exchanges: Vec<Exchange> = lines(&dir.join("recording.jsonl"))?;
        let done = rows.iter().map(|row| row.calls as usize).sum::<usize>();
        if exchanges.len() < done {
            return Err(FolderError::Other(format!(
                "{}: its rows have {done} answers, and its recording holds {}: begin in another folder",
                dir.display(),
                exchanges.len()
            )));
        }
        let kept = |exchange: &Exchange| matches!(exchange.outcome, Outcome::Reply(_));
        let (before, rest) = exchanges.split_at(done);
        let rest: Vec<Exchange> = rest.iter().filter(|exchange| kept(exchange)).cloned().collect();
        // Both files end with whole lines from here on, and the recording with nothing that is asked again.
        write_lines(&dir.join("recording.jsonl"), before.iter().chain(&rest))?;
        write_lines(&dir.join("rows.jsonl"), &rows)?;
        Ok(Self { dir: dir.to_owned(), rows, rest })
    }

    /// What answers: first what was recorded and not used, then `inner`, whose answers are recorded.
    ///
    /// # Errors
    /// Why the recording cannot be written.
    pub fn answers<T: Transport>(&self, inner: T) -> Result<Continued<Recorder<T, Lines>>, LlmError> {
        let recorder = Recorder::new(inner, Lines::open(&self.dir.join("recording.jsonl"))?);
        Ok(Continued::new(self.rest.iter().cloned(), recorder))
    }

    /// Keeps a row; it is on the disk when this returns.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub fn keep(&mut self, row: Row) -> Result<(), FolderError> {
        let path = self.dir.join("rows.jsonl");
        let mut line = serde_json::to_vec(&row).expect("a row has a JSON form");
        line.push(b'\n');
        let file = fs::OpenOptions::new().create(true).append(true).open(&path);
        let written = file.and_then(|mut file| file.write_all(&line).and_then(|()| file.sync_data()));
        written.map_err(|error| FolderError::File(path, error))?;
        self.rows.push(row);
        Ok(())
    }
}

/// Whether a folder's setup is that of this bench.
fn agree(path: &Path, bytes: &[u8], setup: &Setup) -> Result<(), FolderError> {
    let other = |why: String| {
        FolderError::Other(format!(
            "{} is of another bench: {why}; go on with that one, or choose another folder",
            path.display()
        ))
    };
    let found: Setup = serde_json::from_slice(bytes).map_err(|error| other(error.to_string()))?;
    let parts = |setup: &Setup| -> Vec<(&str, String)> {
        let value = serde_json::to_value(setup).expect("a setup has a JSON form");
        let names = ["model", "variants", "proposals", "scales", "mends", "tokens", "seed", "prompts"];
        names.into_iter().map(|name| (name, value[name].to_string())).collect()
    };
    let unlike = parts(setup).into_iter().zip(parts(&found)).find(|(own, found)| own != found);
    match unlike {
        Some(((name, own), (_, found))) => Err(other(format!("its {name} are {found}, and here {own}"))),
        None => Ok(()),
    }
}

/// The whole lines of a file, read; none where there is no file.
fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, FolderError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(FolderError::File(path.to_owned(), error)),
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let read = whole.lines().zip(1..).map(|(line, number)| {
        let place = || format!("{}: line {number} cannot be read", path.display());
        serde_json::from_str(line).map_err(|error| FolderError::Other(format!("{}: {error}", place())))
    });
    read.collect()
}

fn write_lines<'a, T: Serialize + 'a>(path: &Path, values: impl IntoIterator<Item = &'a T>) -> Result<(), FolderError> {
    let mut text = Vec::new();
    for value in values {
        serde_json::to_writer(&mut text, value).expect("it has a JSON form");
        text.push(b'\n');
    }
    replace(path, &text)
}

/// Writes a file aside, and puts it in its place.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    let aside = path.with_extension("new");
    let written = fs::write(&aside, bytes).and_then(|()| fs::rename(&aside, path));
    written.map_err(|error| FolderError::File(path.to_owned(), error))
}
