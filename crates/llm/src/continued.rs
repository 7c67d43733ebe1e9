//! A recording, and behind its end the one who is asked live.
//!
//! A dialogue is a function of what is answered. One that was stopped therefore goes on where it was if it is begun anew, with the
//! replies that are there already: each request gets its recorded replies in their order, and where none is left it is asked live.
//! Failures of the recording are asked anew.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::error::LlmError;
use crate::message::{Reply, Request};
use crate::record::{Exchange, Outcome};
use crate::transport::Transport;

/// A transport that answers from a recording as far as it goes.
pub struct Continued<T> {
    /// What is left of it, by the hashes of requests.
    replies: Mutex<BTreeMap<String, VecDeque<Reply>>>,
    replayed: AtomicU64,
    live: T,
}

impl<T: Transport> Continued<T> {
    /// Answers with the replies of `exchanges`, and behind them with those of `live`.
    pub fn new(exchanges: impl IntoIterator<Item = Exchange>, live: T) -> Self {
        let mut replies = BTreeMap::<String, VecDeque<Reply>>::new();
        for Exchange { hash, outcome, .. } in exchanges {
            if let Outcome::Reply(reply) = outcome {
                replies.entry(hash).or_default().push_back(reply);
            }
        }
        Self { replies: Mutex::new(replies), replayed: AtomicU64::new(0), live }
    }

    /// How many answers came from the recording so far.
    pub fn replayed(&self) -> u64 {
        self.replayed.load(Ordering::Relaxed)
    }

    fn recorded(&self, request: &Request) -> Option<Reply> {
        let mut replies = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
        replies.get_mut(&request.hash())?.pop_front()
    }
}

impl<T: Transport> Transport for Continued<T> {
    fn ask(&self, request: &Request, hear: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        match self.recorded(request) {
            Some(reply) => {
                self.replayed.fetch_add(1, Ordering::Relaxed);
                hear(&reply.text);
                Ok(reply)
            }
            None => self.live.ask(request, hear),
        }
    }
}
