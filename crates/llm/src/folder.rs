//! Requests as files, which a person, a queue or a program answers.
//!
//! `0003-reviewer.request.json` holds a request, and `0003-reviewer.request.md` the same to be read. The answer is whatever appears as
//! `0003-reviewer.answer.md`, `.answer.txt` or `.answer.json`: plain text in the first two; in the last, where the request asks for JSON, that
//! JSON, else `{"text": ".."}`. What cannot be read is told in `0003-reviewer.problem.md`, and an answer is waited for further. An answer
//! that was taken is marked by `0003-reviewer.done`.
//!
//! A request that was asked before and is not done is not asked again: who comes back after a stop finds its answer, or waits for it.
//! Several processes may share a folder: who waits for an answer holds the request's file locked, and takes places under the lock of
//! `.lock`, so that each question has its own number and its own asker. The system lets go of both when a process ends.

use std::fmt::Write;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::LlmError;
use crate::message::{Form, Message, Reply, Request, Stop, Usage};
use crate::schema::{Schema, admitted, wanted};
use crate::throttle::Clock;
use crate::transport::Transport;

/// A folder in which others answer.
pub struct Folder {
    dir: PathBuf,
    /// Who answers.
    model: String,
    limit: Option<Duration>,
    clock: Box<dyn Clock>,
}

/// What the model is called where nobody says who answers.
const UNNAMED: &str = "file";

/// How often is looked for an answer.
const LOOK: Duration = Duration::from_millis(200);

/// The endings of an answer.
const ENDINGS: [&str; 3] = ["answer.md", "answer.txt", "answer.json"];

/// A request as a file.
#[derive(Serialize, Deserialize)]
struct Asked {
    hash: String,
    request: Request,
}

/// An answer that is an object.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    text: String,
}

impl Folder {
    /// A folder, which is made where there is none; an answer is waited for so long, or without end.
    ///
    /// # Errors
    /// [`LlmError::File`]
    pub fn new(dir: &Path, limit: Option<Duration>, clock: Box<dyn Clock>) -> Result<Self, LlmError> {
        fs::create_dir_all(dir).map_err(|error| of_file(dir, &error))?;
        Ok(Self { dir: dir.to_owned(), model: UNNAMED.to_owned(), limit, clock })
    }

    /// The same, answered by whom the name says; an empty one says nothing.
    #[must_use]
    pub fn answered_by(self, name: &str) -> Self {
        let model = if name.is_empty() { self.model } else { name.to_owned() };
        Self { model, ..self }
    }

    /// Who answers.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The stem of a request: of one that was asked, is not done and that nobody waits for, or a new one. It is waited for as long as
    /// the file is held, and by nobody once its process has ended.
    fn place(&self, request: &Request) -> Result<(String, File), LlmError> {
        // One at a time looks for a place, of all processes that share the folder.
        let _turn = self.turn()?;
        let (hash, mut last) = (request.hash(), 0);
        let names = self.names()?;
        for name in &names {
            // An answer that lies there before it is asked for takes no number.
            let Some(stem) = name.strip_suffix(".request.json") else { continue };
            let Some(number) = stem.split('-').next().and_then(|digits| digits.parse::<u64>().ok()) else { continue };
            last = last.max(number);
            let open = !names.contains(&format!("{stem}.done"));
            if open
                && self.asked(stem).is_some_and(|asked| asked.hash == hash)
                && let Some(held) = self.hold(stem)?
            {
                return Ok((stem.to_owned(), held));
            }
        }
        let stem = format!("{:04}-{}", last + 1, plain(&request.role));
        let asked = Asked { hash, request: request.clone() };
        let json = serde_json::to_string_pretty(&asked).expect("a request has a JSON form");
        self.write(&stem, "request.md", &readable(&stem, request))?;
        self.write(&stem, "request.json", &json)?;
        let held = self.hold(&stem)?.ok_or_else(|| LlmError::File {
            path: self.path(&stem, "request.json"),
            why: "another program holds it: give each its own folder".to_owned(),
        })?;
        Ok((stem, held))
    }

    /// The turn to look for a place, once it comes; it is given back with the file.
    fn turn(&self) -> Result<File, LlmError> {
        let path = self.dir.join(".lock");
        let file = OpenOptions::new().create(true).append(true).open(&path);
        file.and_then(|file| file.lock().map(|()| file)).map_err(|error| of_file(&path, &error))
    }

    /// Holds a request as the one who waits for it; none where another does.
    fn hold(&self, stem: &str) -> Result<Option<File>, LlmError> {
        let path = self.path(stem, "request.json");
        let file = File::open(&path).map_err(|error| of_file(&path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(of_file(&path, &error)),
        }
    }

    /// The names in the folder, in their order.
    fn names(&self) -> Result<Vec<String>, LlmError> {
        let entries = fs::read_dir(&self.dir).map_err(|error| of_file(&self.dir, &error))?;
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let mut names: Vec<String> = names.collect::<io::Result<_>>().map_err(|error| of_file(&self.dir, &error))?;
        names.sort();
        Ok(names)
    }

    fn asked(&self, stem: &str) -> Option<Asked> {
        serde_json::from_slice(&fs::read(self.path(stem, "request.json")).ok()?).ok()
    }

    fn path(&self, stem: &str, ending: &str) -> PathBuf {
        self.dir.join(format!("{stem}.{ending}"))
    }

    /// Writes a file that is there whole or not at all.
    fn write(&self, stem: &str, ending: &str, text: &str) -> Result<(), LlmError> {
        let (path, aside) = (self.path(stem, ending), self.path(stem, &format!("{ending}.part")));
        fs::write(&aside, text).and_then(|()| fs::rename(&aside, &path)).map_err(|error| of_file(&path, &error))
    }

    /// The bytes of an answer, and its ending; nothing where there is none yet.
    fn answer(&self, stem: &str) -> Result<Option<(&'static str, Vec<u8>)>, LlmError> {
        if !self.dir.is_dir() {
            let why = "the folder is gone, and with it the request: make it again, and start anew".to_owned();
            return Err(LlmError::File { path: self.dir.clone(), why });
        }
        for ending in ENDINGS {
            match fs::read(self.path(stem, ending)) {
                Ok(bytes) if bytes.iter().all(u8::is_ascii_whitespace) => {}
                Ok(bytes) => return Ok(Some((ending, bytes))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(of_file(&self.path(stem, ending), &error)),
            }
        }
        Ok(None)
    }

    /// Waits for an answer that can be read and stays the same from one look to the next.
    fn wait(&self, stem: &str, form: Option<&Schema>) -> Result<String, LlmError> {
        let begin = self.clock.now();
        let (mut before, mut refused) = (None, None);
        loop {
            let found = self.answer(stem)?;
            if found.is_some() && found == before && found != refused {
                let (ending, bytes) = found.clone().expect("an answer was found");
                match text_of(ending, bytes, form) {
                    Ok(text) => return Ok(text),
                    Err(why) => {
                        self.write(stem, "problem.md", &format!("`{stem}.{ending}` cannot be taken: {why}\n"))?
                    }
                }
                refused.clone_from(&found);
            }
            before = found;
            if let Some(limit) = self.limit.filter(|limit| self.clock.now() - begin >= *limit) {
                return Err(LlmError::Silent { what: "an answer in the folder", limit });
            }
            self.clock.sleep(LOOK);
        }
    }
}

impl Transport for Folder {
    fn ask(&self, request: &Request, hear: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        if !request.tools.is_empty() {
            return Err(LlmError::Unsupported("a folder answers in text: it calls no tools".to_owned()));
        }
        let form = wanted(request)?;
        let (stem, held) = self.place(request)?;
        let text = self.wait(&stem, form.as_ref())?;
        let _ = fs::remove_file(self.path(&stem, "problem.md"));
        self.write(&stem, "done", "")?;
        drop(held);
        hear(&text);
        let output = (text.len() as u64).div_ceil(4);
        let usage = Usage { input: request.about_input(), cached: 0, output, estimated: true };
        Ok(Reply { text, calls: Vec::new(), stop: Stop::End, usage, model: self.model.clone() })
    }
}

fn of_file(path: &Path, error: &io::Error) -> LlmError {
    LlmError::File { path: path.to_owned(), why: error.to_string() }
}

/// A role as part of a file's name.
fn plain(role: &str) -> String {
    let letters = role.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' });
    letters.take(40).collect()
}

/// The text of an answer, or what is wrong with it.
fn text_of(ending: &str, bytes: Vec<u8>, form: Option<&Schema>) -> Result<String, String> {
    let text = String::from_utf8(bytes).map_err(|error| format!("it is not UTF-8 ({})", error.utf8_error()))?;
    if let Some(schema) = form {
        return admitted(schema, &text).map(str::to_owned).map_err(|misfit| misfit.to_string());
    }
    if ending != "answer.json" {
        return Ok(text);
    }
    let said = serde_json::from_str::<Said>(&text);
    said.map(|said| said.text).map_err(|why| format!("expected an object `{{\"text\": \"..\"}}`: {why}"))
}

/// A request to be read by a person.
fn readable(stem: &str, request: &Request) -> String {
    let mut text = format!("# {} {}\n\n", stem, request.hash());
    let _ = match &request.form {
        Form::Text => writeln!(text, "Answer in `{stem}.answer.md` (or `.txt`), as plain text."),
        Form::Schema { schema, .. } => {
            writeln!(text, "Answer in `{stem}.answer.json`, as JSON of this schema:\n\n```json\n{schema:#}\n```")
        }
        Form::Grammar { .. } => writeln!(
            text,
            "Answer in `{stem}.answer.txt`, as text of the grammar that stands in `{stem}.request.json`."
        ),
    };
    let _ = writeln!(text, "At most {} tokens.\n\n## System\n\n{}", request.max_tokens, request.system);
    for message in &request.messages {
        let _ = match message {
            Message::User { text: said } => writeln!(text, "\n## Asked\n\n{said}"),
            Message::Model { text: said, .. } => writeln!(text, "\n## Answered before\n\n{said}"),
            Message::Tool { call, text: said } => writeln!(text, "\n## Given by {call}\n\n{said}"),
        };
    }
    text
}
