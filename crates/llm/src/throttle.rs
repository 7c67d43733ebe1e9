//! At most so many at once, and so many a minute.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::LlmError;
use crate::message::{Reply, Request};
use crate::transport::Transport;

/// What time it is. Nothing is decided by it but when something is sent.
pub trait Clock: Send + Sync {
    /// The time since some beginning.
    fn now(&self) -> Duration;
    /// Waits.
    fn sleep(&self, time: Duration);
}

/// The machine's clock.
pub struct Wall(Instant);

impl Default for Wall {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for Wall {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// The most that is sent; none where there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests at once.
    pub at_once: Option<usize>,
    /// Requests a minute.
    pub requests: Option<usize>,
    /// Tokens a minute, read and written, by what is known before a call.
    pub tokens: Option<u64>,
}

const MINUTE: Duration = Duration::from_secs(60);

/// A transport that is asked no more than the limits admit; who comes too early waits.
pub struct Throttle<T> {
    inner: T,
    limits: Limits,
    clock: Box<dyn Clock>,
    state: Mutex<State>,
    free: Condvar,
}

#[derive(Default)]
struct State {
    under_way: usize,
    /// When requests of the last minute were sent, with their tokens.
    sent: VecDeque<(Duration, u64)>,
}

impl<T: Transport> Throttle<T> {
    /// Limits what `inner` is asked.
    pub fn new(inner: T, limits: Limits, clock: Box<dyn Clock>) -> Self {
        Self { inner, limits, clock, state: Mutex::default(), free: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until one more may be sent, and notes it.
    fn enter(&self, tokens: u64) {
        let mut state = self.state();
        loop {
            while self.limits.at_once.is_some_and(|most| state.under_way >= most.max(1)) {
                state = self.free.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let Some(wait) = self.wait(&mut state, tokens) else { break };
            drop(state);
            self.clock.sleep(wait);
            state = self.state();
        }
        state.under_way += 1;
    }

    /// How long the rate asks to wait; where it does not, the request is noted.
    fn wait(&self, state: &mut State, tokens: u64) -> Option<Duration> {
        let now = self.clock.now();
        while state.sent.front().is_some_and(|(sent, _)| *sent + MINUTE <= now) {
            state.sent.pop_front();
        }
        let (first, _) = *state.sent.front().unwrap_or(&(now, 0));
        let many = self.limits.requests.is_some_and(|most| state.sent.len() >= most.max(1));
        let sum: u64 = state.sent.iter().map(|(_, tokens)| tokens).sum();
        // One that is larger than the limit goes alone.
        let much = self.limits.tokens.is_some_and(|most| sum > 0 && sum + tokens > most);
        if many || much {
            return Some(first + MINUTE - now);
        }
        state.sent.push_back((now, tokens));
        None
    }
}

/// Makes room again, however a call ends.
struct UnderWay<'a, T>(&'a Throttle<T>);

impl<T> Drop for UnderWay<'_, T> {
    fn drop(&mut self) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).under_way -= 1;
        self.0.free.notify_one();
    }
}

impl<T: Transport> Transport for Throttle<T> {
    fn ask(&self, request: &Request, hear: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        self.enter(request.about_input() + request.max_tokens);
        let _under_way = UnderWay(self);
        self.inner.ask(request, hear)
    }
}
