//! A model that says what it is told to say, role by role.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)] // each test file uses a part of it, as a module of its own

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Mutex;

use genesys_agents::Role;
use genesys_llm::{LlmError, Message, Reply, Request, Stop, Transport, Usage};

/// A model that says what it is told to say, and what it was asked.
#[derive(Default)]
pub struct Script {
    answers: Mutex<BTreeMap<String, VecDeque<(String, Stop)>>>,
    asked: Mutex<Vec<Request>>,
}

impl Script {
    /// Answers of an implementer.
    pub fn new(answers: &[&str]) -> Self {
        Self::default().with(Role::Implementer, answers)
    }

    /// The same with answers of another role.
    pub fn with(self, role: Role, answers: &[&str]) -> Self {
        answers.iter().for_each(|text| self.says(role, text, Stop::End));
        self
    }

    /// One more answer of a role.
    pub fn says(&self, role: Role, text: &str, stop: Stop) {
        let mut answers = self.answers.lock().unwrap();
        answers.entry(role.word().to_owned()).or_default().push_back((text.to_owned(), stop));
    }

    /// All that it was asked.
    pub fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }

    /// What it was asked in a role.
    pub fn asked_as(&self, role: Role) -> Vec<Request> {
        self.asked().into_iter().filter(|request| request.role == role.word()).collect()
    }

    /// The last that was said to it before its `n`-th answer.
    pub fn told(&self, n: usize) -> String {
        last(&self.asked()[n])
    }
}

/// The last message of a request.
pub fn last(request: &Request) -> String {
    match request.messages.last().unwrap() {
        Message::User { text } => text.clone(),
        other => panic!("{other:?}"),
    }
}

impl Transport for Script {
    fn ask(&self, request: &Request, _: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        self.asked.lock().unwrap().push(request.clone());
        let answer = self.answers.lock().unwrap().get_mut(&request.role).and_then(VecDeque::pop_front);
        let (text, stop) =
            answer.ok_or_else(|| LlmError::CutOff(format!("the {} has nothing to say", request.role)))?;
        Ok(Reply { text, calls: Vec::new(), stop, usage: Usage::default(), model: "script".to_owned() })
    }
}

/// A block of code.
pub fn fenced(code: &str) -> String {
    format!("```gau\n{code}\n```")
}

/// Compares a text with `tests/golden/NAME`; `UPDATE_GOLDENS=1` writes it.
pub fn golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{} differs: UPDATE_GOLDENS=1 writes it\n{found}", path.display());
}
