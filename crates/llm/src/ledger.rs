//! What may be spent, and what was.
//!
//! Before a call its worst case is set aside; behind it what it took is noted instead. So the sum of both never passes the cap, however
//! many threads call at once, and what fails is counted like what succeeds. A call that nobody settles is counted at its worst.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::error::LlmError;
use crate::message::{Reply, Request, Usage};
use crate::price::{Money, Prices};
use crate::transport::Transport;

/// The most that may be spent; none where there is no cap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cap {
    /// In money.
    pub money: Option<Money>,
    /// In tokens, read and written.
    pub tokens: Option<u64>,
    /// In calls, those that fail included.
    pub calls: Option<u64>,
}

/// What calls take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spent {
    /// Money.
    pub money: Money,
    /// Tokens.
    pub usage: Usage,
    /// Calls.
    pub calls: u64,
}

/// What may be spent, and what was.
#[derive(Debug)]
pub struct Ledger {
    cap: Cap,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    /// By role.
    spent: BTreeMap<String, Spent>,
    reserved: BTreeMap<u64, Spent>,
    next: u64,
}

/// What is set aside for a call.
#[derive(Debug)]
pub struct Reservation<'a> {
    ledger: &'a Ledger,
    id: u64,
    role: String,
    worst: Spent,
}

impl Spent {
    /// A call.
    #[must_use]
    pub fn call(money: Money, usage: Usage) -> Self {
        Self { money, usage, calls: 1 }
    }

    /// Both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { money: self.money + other.money, usage: self.usage.plus(other.usage), calls: self.calls + other.calls }
    }

    fn tokens(self) -> u64 {
        self.usage.input + self.usage.output
    }
}

impl Ledger {
    /// A ledger in which nothing is spent.
    #[must_use]
    pub fn new(cap: Cap) -> Self {
        Self::resumed(cap, BTreeMap::new())
    }

    /// A ledger in which that much was spent, by role.
    #[must_use]
    pub fn resumed(cap: Cap, spent: BTreeMap<String, Spent>) -> Self {
        Self { cap, book: Mutex::new(Book { spent, ..Book::default() }) }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the worst case of a call aside.
    ///
    /// # Errors
    /// [`LlmError::Budget`] where that would pass the cap, with both numbers; nothing is set aside then.
    pub fn reserve(&self, role: &str, worst: Spent) -> Result<Reservation<'_>, LlmError> {
        let mut book = self.book();
        let sum = book.committed().plus(worst);
        if let Some(why) = self.cap.passed(sum) {
            return Err(LlmError::Budget(format!("a call of the {role} is not made: {why}")));
        }
        let id = book.next;
        book.next += 1;
        book.reserved.insert(id, worst);
        Ok(Reservation { ledger: self, id, role: role.to_owned(), worst })
    }

    /// What was spent, by role; what is set aside is not in it.
    #[must_use]
    pub fn spent(&self) -> BTreeMap<String, Spent> {
        self.book().spent.clone()
    }

    /// What was spent and what is set aside.
    #[must_use]
    pub fn committed(&self) -> Spent {
        self.book().committed()
    }

    /// The cap.
    #[must_use]
    pub fn cap(&self) -> Cap {
        self.cap
    }
}

impl Book {
    fn committed(&self) -> Spent {
        self.spent.values().chain(self.reserved.values()).fold(Spent::default(), |sum, one| sum.plus(*one))
    }
}

impl Cap {
    /// Which cap a sum passes.
    fn passed(self, sum: Spent) -> Option<String> {
        if let Some(money) = self.money.filter(|money| sum.money > *money) {
            return Some(format!("with it {} could be spent, and the cap is {money}", sum.money));
        }
        if let Some(tokens) = self.tokens.filter(|tokens| sum.tokens() > *tokens) {
            return Some(format!("with it {} tokens could be used, and the cap is {tokens}", sum.tokens()));
        }
        let calls = self.calls.filter(|calls| sum.calls > *calls)?;
        Some(format!("it would be call {}, and the cap is {calls}", sum.calls))
    }
}

impl Reservation<'_> {
    /// Notes what the call took in place of what was set aside for it.
    pub fn settle(self, took: Spent) {
        self.ledger.book().note(self.id, &self.role, took);
    }
}

impl Book {
    /// Notes it once: what is not set aside any more was noted before.
    fn note(&mut self, id: u64, role: &str, took: Spent) {
        if self.reserved.remove(&id).is_some() {
            let sum = self.spent.entry(role.to_owned()).or_default();
            *sum = sum.plus(took);
        }
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.ledger.book().note(self.id, &self.role, self.worst);
    }
}

/// A transport whose calls are counted in a ledger.
pub struct Metered<T> {
    inner: T,
    prices: Prices,
    ledger: Arc<Ledger>,
}

impl<T: Transport> Metered<T> {
    /// Counts the calls of `inner`.
    pub fn new(inner: T, prices: Prices, ledger: Arc<Ledger>) -> Self {
        Self { inner, prices, ledger }
    }
}

impl<T: Transport> Transport for Metered<T> {
    fn ask(&self, request: &Request, hear: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        let price = match self.ledger.cap().money {
            Some(_) => Some(self.prices.of(&request.model)?),
            None => self.prices.of(&request.model).ok(),
        };
        let cost = |usage: Usage| Spent::call(price.map(|price| price.of(usage)).unwrap_or_default(), usage);
        let most = Usage { input: request.most_input(), output: request.max_tokens, ..Usage::default() };
        let reserved = self.ledger.reserve(&request.role, cost(most))?;
        let reply = self.inner.ask(request, hear);
        match &reply {
            Ok(reply) => reserved.settle(cost(reply.usage)),
            Err(error) if error.is_before_work() => reserved.settle(cost(Usage::default())),
            // What a server did before it fell silent is not known.
            Err(_) => drop(reserved),
        }
        reply
    }
}

#[cfg(test)]
mod tests;
