//! Exchanges as lines of JSON, and answers from them.
//!
//! Each line has the request, its hash, and what came of it, failures too. It is on the disk before the reply is handed on. A recording
//! answers the n-th asking of a request with the n-th answer it got, so what is replayed goes the way it went, tries that failed included.
//! Neither times nor keys are in it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::LlmError;
use crate::lines::{LineFile, read};
use crate::message::{Reply, Request};
use crate::transport::Transport;

/// A request and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// The request's hash.
    pub hash: String,
    /// What was asked.
    pub request: Request,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Outcome {
    /// A reply.
    Reply(Reply),
    /// None.
    Failure {
        /// Why.
        says: String,
        /// Whether another try could help.
        passes: bool,
        /// Whether it came before the server did any work.
        before_work: bool,
        /// How many milliseconds the server asked to wait.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after_ms: Option<u64>,
    },
}

impl Outcome {
    /// As it is recorded.
    fn of(result: &Result<Reply, LlmError>) -> Self {
        match result {
            Ok(reply) => Self::Reply(reply.clone()),
            Err(error) => {
                let (passes, before_work) = (error.passes(), error.is_before_work());
                let after_ms = error.after().map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
                Self::Failure { says: error.to_string(), passes, before_work, after_ms }
            }
        }
    }

    pub(crate) fn is_reply(&self) -> bool {
        match self {
            Self::Reply(_) => true,
            Self::Failure { .. } => false,
        }
    }

    /// Whether it is a failure that another try could have helped.
    fn passes(&self) -> bool {
        match self {
            Self::Reply(_) => false,
            Self::Failure { passes, .. } => *passes,
        }
    }

    /// As it is handed on.
    fn result(&self) -> Result<Reply, LlmError> {
        match self {
            Self::Reply(reply) => Ok(reply.clone()),
            Self::Failure { says, passes, before_work, after_ms } => Err(LlmError::Recorded {
                says: says.clone(),
                passes: *passes,
                before_work: *before_work,
                after: after_ms.map(Duration::from_millis),
            }),
        }
    }
}

/// Who keeps exchanges.
pub trait Keep: Send + Sync {
    /// Keeps one; it is there when this returns.
    ///
    /// # Errors
    /// Why it cannot be kept.
    fn keep(&self, exchange: &Exchange) -> Result<(), LlmError>;
}

/// A file of lines.
pub struct Lines(LineFile);

impl Lines {
    /// A file to add to; it is made where there is none. A last line that was cut off is taken away.
    ///
    /// # Errors
    /// [`LlmError::File`]
    pub fn open(path: &Path) -> Result<Self, LlmError> {
        LineFile::open(path, &["{\"hash\":\"q1-"]).map(Self)
    }
}

impl Keep for Lines {
    fn keep(&self, exchange: &Exchange) -> Result<(), LlmError> {
        self.0.add(exchange)
    }
}

/// The exchanges of a file. A last line that was cut off is left out.
///
/// # Errors
/// [`LlmError::File`], with the line that is none where one is.
pub fn exchanges(path: &Path) -> Result<Vec<Exchange>, LlmError> {
    read(path, "exchange", |exchange: &Exchange| {
        (exchange.hash != exchange.request.hash()).then(|| "its hash is not that of its request".to_owned())
    })
}

/// A transport whose exchanges are kept.
pub struct Recorder<T, K> {
    inner: T,
    keep: K,
}

impl<T: Transport, K: Keep> Recorder<T, K> {
    /// Keeps what is exchanged with `inner`.
    pub fn new(inner: T, keep: K) -> Self {
        Self { inner, keep }
    }
}

impl<T: Transport, K: Keep> Transport for Recorder<T, K> {
    fn ask(&self, request: &Request, hear: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        let result = self.inner.ask(request, hear);
        // What a ledger refuses was never asked.
        if matches!(result, Err(LlmError::Budget(_) | LlmError::NoPrice { .. })) {
            return result;
        }
        let exchange = Exchange { hash: request.hash(), request: request.clone(), outcome: Outcome::of(&result) };
        self.keep.keep(&exchange)?;
        result
    }
}

/// Answers of a recording.
pub struct Replay {
    /// The answers to each request in their order, and how many were given.
    answers: Mutex<BTreeMap<String, (Vec<Outcome>, usize)>>,
    /// The requests, for messages.
    requests: Vec<Request>,
}

impl Replay {
    /// The answers of these exchanges.
    pub fn new(exchanges: impl IntoIterator<Item = Exchange>) -> Self {
        let (mut answers, mut requests) = (BTreeMap::<String, (Vec<Outcome>, usize)>::new(), Vec::new());
        for Exchange { hash, request, outcome } in exchanges {
            answers.entry(hash).or_default().0.push(outcome);
            requests.push(request);
        }
        Self { answers: Mutex::new(answers), requests }
    }

    /// What dialogues took of these exchanges: the replies alone, and a failure only where it is the last that came and no other
    /// try could have helped. What failed on the way and was asked again is left out, so that what went on after a stop, and what
    /// was tried more often than once, is replayed as if it had gone well at once.
    pub fn settled(exchanges: impl IntoIterator<Item = Exchange>) -> Self {
        let mut replay = Self::new(exchanges);
        for (outcomes, _) in replay.answers.get_mut().unwrap_or_else(PoisonError::into_inner).values_mut() {
            let last = outcomes.pop();
            outcomes.retain(Outcome::is_reply);
            outcomes.extend(last.filter(|last| last.is_reply() || !last.passes()));
        }
        replay
    }

    /// The answers of a file.
    ///
    /// # Errors
    /// As [`exchanges`].
    pub fn open(path: &Path) -> Result<Self, LlmError> {
        exchanges(path).map(Self::new)
    }

    /// The model that was asked first; empty where none was.
    #[must_use]
    pub fn model(&self) -> &str {
        self.requests.first().map_or("", |request| &request.model)
    }

    /// What distinguishes a request from the one of the recording that is most like it.
    fn unlike(&self, request: &Request) -> String {
        let parts = |request: &Request| {
            let messages: Vec<String> = request.messages.iter().map(|message| format!("{message:?}")).collect();
            (request.role.clone(), request.model.clone(), request.system.clone(), messages)
        };
        let own = parts(request);
        let alike = |other: &(String, String, String, Vec<String>)| {
            let messages = own.3.iter().zip(&other.3).take_while(|(a, b)| a == b).count();
            [own.0 == other.0, own.1 == other.1, own.2 == other.2].iter().filter(|same| **same).count() * 1_000
                + messages
        };
        let Some(nearest) = self.requests.iter().map(parts).max_by_key(alike) else {
            return "the recording is empty".to_owned();
        };
        let common = own.3.iter().zip(&nearest.3).take_while(|(a, b)| a == b).count();
        let what = match () {
            () if own.0 != nearest.0 => format!("no {} asks in it", own.0),
            () if own.1 != nearest.1 => format!("it was made with the model `{}`", nearest.1),
            () if own.2 != nearest.2 => "the system prompt was another one".to_owned(),
            () if common < own.3.len() || common < nearest.3.len() => {
                format!("the dialogue differs from message {} on", common + 1)
            }
            () => "tools, form or limits were others".to_owned(),
        };
        format!("compared with the most alike request of the recording, {what}")
    }
}

impl Transport for Replay {
    fn ask(&self, request: &Request, hear: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        let hash = request.hash();
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((outcomes, given)) = answers.get_mut(&hash) else {
            drop(answers);
            let unlike = self.unlike(request);
            return Err(LlmError::Unrecorded(format!(
                "the recording has no answer to {hash} of the {}: {unlike}",
                request.role
            )));
        };
        let Some(outcome) = outcomes.get(*given) else {
            let n = outcomes.len();
            return Err(LlmError::Unrecorded(format!(
                "the recording has {n} answers to {hash} of the {}, and it is asked once more",
                request.role
            )));
        };
        *given += 1;
        let result = outcome.result();
        if let Ok(reply) = &result {
            hear(&reply.text);
        }
        result
    }
}
