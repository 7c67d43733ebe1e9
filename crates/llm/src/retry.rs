//! Another try, later, where that may help.
//!
//! The wait doubles from try to try, less a part that is drawn from the seed and the request, so that many who failed together do not come
//! back together. Where the server says how long to wait, it is that long.

use std::time::Duration;

use crate::error::LlmError;
use crate::message::{Reply, Request};
use crate::throttle::Clock;
use crate::transport::Transport;

/// How often is tried, and how long is waited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Patience {
    /// How many tries there are in all, at least one.
    pub tries: u32,
    /// The wait before the second.
    pub first: Duration,
    /// The longest wait; a server that asks for more is not asked again.
    pub longest: Duration,
    /// What the part is drawn from that is not waited.
    pub seed: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { tries: 5, first: Duration::from_secs(2), longest: Duration::from_secs(120), seed: 0 }
    }
}

/// A transport that is tried again.
pub struct Retry<T> {
    inner: T,
    patience: Patience,
    clock: Box<dyn Clock>,
}

impl<T: Transport> Retry<T> {
    /// Tries `inner` again, and waits by `clock`.
    pub fn new(inner: T, patience: Patience, clock: Box<dyn Clock>) -> Self {
        Self { inner, patience, clock }
    }
}

impl Patience {
    /// The wait behind the `n`-th try, from 1; none where it is not to be tried again.
    fn wait(&self, n: u32, request: &Request, error: &LlmError) -> Option<Duration> {
        if n >= self.tries || !error.passes() {
            return None;
        }
        if let Some(asked) = error.after() {
            return (asked <= self.longest).then_some(asked);
        }
        let doubled = self.first.saturating_mul(1 << (n - 1).min(20)).min(self.longest);
        let state = genesys_random::mix(self.seed ^ u64::from_le_bytes(*bytes(&request.hash())));
        Some(doubled.mul_f64(1.0 - 0.5 * genesys_random::unit(genesys_random::at(state, u64::from(n)))))
    }
}

/// The first bytes of a hash, behind its mark.
fn bytes(hash: &str) -> &[u8; 8] {
    hash.as_bytes().last_chunk().expect("a hash has more than eight letters")
}

impl<T: Transport> Transport for Retry<T> {
    fn ask(&self, request: &Request, hear: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        let mut n = 1;
        loop {
            match self.inner.ask(request, hear) {
                Ok(reply) => return Ok(reply),
                Err(error) => match self.patience.wait(n, request, &error) {
                    Some(wait) => self.clock.sleep(wait),
                    None => return Err(error),
                },
            }
            n += 1;
        }
    }
}
