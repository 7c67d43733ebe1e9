//! Requests as files, which a person, a queue or a program answers.
//!
//! `0003-reviewer.request.json` holds a request, and `0003-reviewer.request.md` the same to be read. The answer is whatever appears as
//! `0003-reviewer.answer.md`, `.answer.txt` or `.answer.json`: plain text in the first two; in the last, where the request asks for JSON, that
//! JSON, else `{"text": ".."}`. What cannot be read is told in `0003-reviewer.problem.md`, and an answer is waited for further. An answer
//! that was taken is marked by `0003-reviewer.done`.
//!
//! A request that was asked before and is not done is not asked again: who comes back after a stop finds its answer, or waits for it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::LlmError;
use crate::message::{Form, Message, Reply, Request, Stop, Usage};
use crate::throttle::Clock;
use crate::transport::Transport;

/// A folder in which others answer.
pub struct Folder {
    dir: PathBuf,
    limit: Option<Duration>,
    clock: Box<dyn Clock>,
    /// The numbers that somebody waits for.
    waited: Mutex<BTreeSet<u64>>,
}

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
        Ok(Self { dir: dir.to_owned(), limit, clock, waited: Mutex::default() })
    }

    /// The number and stem of a request: of one that was asked and is not done, or a new one.
    fn place(&self, request: &Request) -> Result<(u64, String), LlmError> {
        let mut waited = self.waited.lock().unwrap_or_else(PoisonError::into_inner);
        let (hash, mut last) = (request.hash(), 0);
        let names = fs::read_dir(&self.dir).map_err(|error| of_file(&self.dir, &error))?;
        let names = names.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let mut names: Vec<String> = names.collect::<io::Result<_>>().map_err(|error| of_file(&self.dir, &error))?;
        names.sort();
        for stem in names.iter().filter_map(|name| name.strip_suffix(".request.json")) {
            let Some(number) = stem.split('-').next().and_then(|digits| digits.parse::<u64>().ok()) else { continue };
            last = last.max(number);
            let open = !names.contains(&format!("{stem}.done")) && !waited.contains(&number);
            if open && self.asked(stem).is_some_and(|asked| asked.hash == hash) {
                waited.insert(number);
                return Ok((number, stem.to_owned()));
            }
        }
        last = waited.last().copied().unwrap_or(0).max(last);
        let stem = format!("{:04}-{}", last + 1, plain(&request.role));
        let asked = Asked { hash, request: request.clone() };
        let json = serde_json::to_string_pretty(&asked).expect("a request has a JSON form");
        self.write(&stem, "request.md", &readable(&stem, request))?;
        self.write(&stem, "request.json", &json)?;
        waited.insert(last + 1);
        Ok((last + 1, stem))
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
    fn wait(&self, stem: &str, request: &Request) -> Result<String, LlmError> {
        let begin = self.clock.now();
        let (mut before, mut refused) = (None, None);
        loop {
            let found = self.answer(stem)?;
            if found.is_some() && found == before && found != refused {
                let (ending, bytes) = found.clone().expect("an answer was found");
                match text_of(ending, bytes, request) {
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
        let (number, stem) = self.place(request)?;
        let text = self.wait(&stem, request);
        let done = text.as_ref().map_or(Ok(()), |_| {
            let _ = fs::remove_file(self.path(&stem, "problem.md"));
            self.write(&stem, "done", "")
        });
        self.waited.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
        let text = text?;
        done?;
        hear(&text);
        let output = (text.len() as u64).div_ceil(4);
        let usage = Usage { input: request.about_input(), cached: 0, output, estimated: true };
        Ok(Reply { text, calls: Vec::new(), stop: Stop::End, usage, model: "file".to_owned() })
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
fn text_of(ending: &str, bytes: Vec<u8>, request: &Request) -> Result<String, String> {
    let text = String::from_utf8(bytes).map_err(|error| format!("it is not UTF-8 ({})", error.utf8_error()))?;
    let wants_json = matches!(request.form, Form::Schema { .. });
    if wants_json {
        return serde_json::from_str::<Value>(&text)
            .map(|_| text.clone())
            .map_err(|why| format!("expected JSON: {why}"));
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
