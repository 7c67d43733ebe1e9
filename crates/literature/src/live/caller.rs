//! One server's pace, retries and cache.
//!
//! In: addresses, and how their answers are read. Out: what was read, with the day it came. Between requests passes at least
//! what the server asks for. Where it is busy (429, 5xx), is not reached or says something unreadable, it is asked again
//! after waits that double, or as long as it says; then an old answer of the cache is better than none, and is told.

use std::time::Duration;

use super::cache::{Cache, Kept};
use super::day::Day;
use super::error::LiveError;
use super::fetch::{Answer, Clock, Fetch};
use crate::plain::{cut, one_line};

/// Who asks: servers want to know.
const USER_AGENT: &str = concat!("genesys/", env!("CARGO_PKG_VERSION"), " (language-model architecture discovery)");

/// The largest answer that is read.
const MOST_BYTES: usize = 16 << 20;

/// Characters of a refusal that are told.
const MOST_SAID: usize = 200;

/// The rules of a server.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// What it is called.
    pub server: &'static str,
    /// What passes between two requests, at least.
    pub between: Duration,
    /// How often one thing is asked for, at most.
    pub tries: u32,
    /// The first wait where it is busy; each further one is twice as long.
    pub back_off: Duration,
    /// The longest wait.
    pub patience: Duration,
    /// For how many days an answer is as good as new.
    pub fresh_days: u32,
}

/// Whether the network may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It may, for what is not in the cache.
    Online,
    /// Only the cache, however old.
    Offline,
}

/// When a server was asked last: one for all who ask it, however many callers there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace(Option<Duration>);

/// One who asks a server.
pub struct Caller<'a> {
    rules: Rules,
    fetch: &'a dyn Fetch,
    clock: &'a dyn Clock,
    cache: Option<Cache>,
    mode: Mode,
    headers: Vec<(String, String)>,
    pace: Pace,
    told: Vec<String>,
    in_trouble: bool,
}

/// What a single try came to.
enum Try<T> {
    Done(T, String),
    /// Worth another try, after that long if the server said so.
    Again(LiveError, Option<Duration>),
    Over(LiveError),
}

impl<'a> Caller<'a> {
    /// One who asks by these rules. Without a cache nothing is kept.
    #[must_use]
    pub fn new(rules: Rules, fetch: &'a dyn Fetch, clock: &'a dyn Clock, cache: Option<Cache>, mode: Mode) -> Self {
        let (headers, pace, told) = (Vec::new(), Pace::default(), Vec::new());
        Self { rules, fetch, clock, cache, mode, headers, pace, told, in_trouble: false }
    }

    /// The same with a header on every request, such as a key. It is neither kept nor told.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same behind what was asked before, by whomever.
    #[must_use]
    pub fn with_pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// When the server was asked last.
    #[must_use]
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// What a person should know of the answers so far, such as that one is old.
    #[must_use]
    pub fn told(&self) -> &[String] {
        &self.told
    }

    /// Whether the server failed when it was asked last, and would fail the next question alike, an old answer or none.
    #[must_use]
    pub fn is_in_trouble(&self) -> bool {
        self.in_trouble
    }

    /// What `read` makes of the answer to `url`, and the day it came. Only what can be read is kept.
    ///
    /// # Errors
    /// [`LiveError`], where neither the server nor the cache has an answer.
    pub fn get<T>(&mut self, url: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<(T, Day), LiveError> {
        let today = Day::at(self.clock.now());
        let kept = self.cache.as_ref().and_then(|cache| cache.get(url));
        let kept = kept.and_then(|Kept { day, body }| Some((read(&body).ok()?, day)));
        match (self.mode, kept) {
            (Mode::Offline, Some(kept)) => Ok(kept),
            (Mode::Offline, None) => Err(LiveError::NotCached { server: self.rules.server }),
            (Mode::Online, Some((value, day))) if today.after(day) < self.rules.fresh_days => Ok((value, day)),
            (Mode::Online, kept) => {
                let answer = self.ask(url, &read);
                self.in_trouble = answer.as_ref().is_err_and(LiveError::lasts);
                match (answer, kept) {
                    (Ok((value, body)), _) => {
                        if let Some(cache) = &self.cache {
                            cache.put(url, today, &body)?;
                        }
                        Ok((value, today))
                    }
                    (Err(error), Some((value, day))) => {
                        self.told.push(format!("{error}; this is its answer of {day}"));
                        Ok((value, day))
                    }
                    (Err(error), None) => Err(error),
                }
            }
        }
    }

    /// Asks until there is an answer, or it is hopeless.
    fn ask<T>(&mut self, url: &str, read: &impl Fn(&str) -> Result<T, String>) -> Result<(T, String), LiveError> {
        let mut wait = self.rules.back_off;
        let mut tried = 0;
        loop {
            tried += 1;
            self.keep_pace();
            let (error, asked) = match self.try_once(url, read) {
                Try::Done(value, body) => return Ok((value, body)),
                Try::Over(error) => return Err(error),
                Try::Again(error, asked) => (error, asked),
            };
            if tried >= self.rules.tries {
                return Err(error);
            }
            if let Some(wait) = asked.filter(|asked| *asked > self.rules.patience) {
                return Err(LiveError::Busy { server: self.rules.server, wait });
            }
            self.clock.wait(asked.unwrap_or(wait));
            wait = (wait * 2).min(self.rules.patience);
        }
    }

    /// Waits until the server may be asked again.
    fn keep_pace(&mut self) {
        if let Pace(Some(last)) = self.pace {
            let passed = self.clock.now().saturating_sub(last);
            if passed < self.rules.between {
                self.clock.wait(self.rules.between - passed);
            }
        }
        self.pace = Pace(Some(self.clock.now()));
    }

    fn try_once<T>(&self, url: &str, read: &impl Fn(&str) -> Result<T, String>) -> Try<T> {
        let server = self.rules.server;
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let headers: Vec<_> = std::iter::once(("User-Agent", USER_AGENT)).chain(own).collect();
        let answer = match self.fetch.get(url, &headers) {
            Ok(answer) => answer,
            Err(message) => return Try::Again(LiveError::Unreachable { server, message: one_line(&message) }, None),
        };
        match answer.status {
            200 => match self.body(&answer).and_then(|body| Ok((read(&body)?, body))) {
                Ok((value, body)) => Try::Done(value, body),
                Err(message) => Try::Again(LiveError::Unreadable { server, message }, None),
            },
            status => {
                let said = cut(&one_line(&String::from_utf8_lossy(&answer.body)), MOST_SAID);
                let message = if said.is_empty() { "it says nothing more".to_owned() } else { said };
                let error = LiveError::Refused { server, status, message };
                let asked = answer.header("Retry-After").and_then(|after| after.trim().parse().ok());
                if status == 429 || status >= 500 {
                    Try::Again(error, asked.map(Duration::from_secs))
                } else {
                    Try::Over(error)
                }
            }
        }
    }

    fn body(&self, answer: &Answer) -> Result<String, String> {
        if answer.body.len() > MOST_BYTES {
            return Err(format!("expected at most {} MiB, found more", MOST_BYTES >> 20));
        }
        String::from_utf8(answer.body.clone()).map_err(|_| "expected UTF-8, found other bytes".to_owned())
    }
}
