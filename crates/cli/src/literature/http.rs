//! The network and the clock of this machine, for live sources.
//!
//! In: an address with headers. Out: the answer, if it comes in time and is not too large. It keeps no pace and tries nothing
//! twice: those rules are the caller's.

use std::thread;
use std::time::{Duration, SystemTime};

use genesys_literature::live::{Answer, Clock, Fetch};
use genesys_llm::get::{Getter, Got};

/// The most that is taken of an answer: one byte more than the caller reads.
const MOST_BYTES: usize = (16 << 20) + 1;

/// Fetches over HTTP and HTTPS.
pub(super) struct Http(Getter);

impl Http {
    /// One that fetches.
    pub(super) fn new() -> Result<Self, String> {
        Getter::new().map(Self)
    }
}

impl Fetch for Http {
    fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
        self.0.get(url, headers, MOST_BYTES).map(|Got { status, headers, body }| Answer { status, headers, body })
    }
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
