//! The network and the clock of this machine, for live sources.
//!
//! In: an address with headers. Out: the answer, if it comes in time and is not too large. It keeps no pace and tries nothing
//! twice: those rules are the caller's.

use std::io::Read;
use std::thread;
use std::time::{Duration, SystemTime};

use genesys_literature::live::{Answer, Clock, Fetch};

/// How long one waits for a connection, and for a whole answer.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(60));

/// The most that is taken of an answer: one byte more than the caller reads.
const MOST_BYTES: u64 = (16 << 20) + 1;

/// Fetches over HTTP and HTTPS, by the proxies of the environment.
pub(super) struct Http {
    client: reqwest::blocking::Client,
}

impl Http {
    /// One that fetches.
    pub(super) fn new() -> Result<Self, String> {
        let client = reqwest::blocking::Client::builder().connect_timeout(PATIENCE.0).timeout(PATIENCE.1).build();
        client.map(|client| Self { client }).map_err(|error| words(&error))
    }
}

impl Fetch for Http {
    fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
        let request = headers.iter().fold(self.client.get(url), |request, (name, value)| request.header(*name, *value));
        let answer = request.send().map_err(|error| words(&error))?;
        let status = answer.status().as_u16();
        let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = answer.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let mut body = Vec::new();
        answer.take(MOST_BYTES).read_to_end(&mut body).map_err(|error| error.to_string())?;
        Ok(Answer { status, headers, body })
    }
}

/// The innermost cause: what lies around it repeats the address.
fn words(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().unwrap_or(error).to_string()
}

/// The clock of this machine.
pub(super) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
    }

    fn wait(&self, time: Duration) {
        thread::sleep(time);
    }
}
