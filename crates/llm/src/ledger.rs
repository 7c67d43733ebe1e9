//! What may be spent, and what was.
//!
//! Before a call its worst case is set aside; behind it what it took is noted instead. So the sum of both never passes the cap, however
//! many threads call at once, and what fails is counted like what succeeds. A call that nobody settles is counted at its worst. Of
//! time nothing is set aside: it is counted as it goes by.
//! A ledger may be kept on the disk, where it outlives a kill ([`journal`](crate::journal)).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::error::LlmError;
use crate::journal::{Balance, Entry, Journal};
use crate::message::{Reply, Request, Usage};
use crate::price::{Money, Price, Prices};
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
    /// In milliseconds that calls take, those that go on at once added up. How long a call will take is not known before, so this
    /// alone may be passed, by what is under way when it is reached.
    pub millis: Option<u64>,
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
    journal: Option<Journal>,
}

#[derive(Debug, Default)]
struct Book {
    /// What was settled, and how many calls there were.
    balance: Balance,
    reserved: BTreeMap<u64, Begun>,
}

/// A call under way.
#[derive(Clone, Copy, Debug)]
struct Begun {
    worst: Spent,
    at: Instant,
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

    /// Tokens, read and written.
    #[must_use]
    pub fn tokens(self) -> u64 {
        self.usage.input + self.usage.output
    }
}

impl Ledger {
    /// A ledger in which nothing is spent.
    #[must_use]
    pub fn new(cap: Cap) -> Self {
        Self { cap, book: Mutex::default(), journal: None }
    }

    /// The ledger in a file, which is made where there is none; every call is noted there before it is made and behind it.
    ///
    /// # Errors
    /// [`LlmError::File`]
    pub fn open(cap: Cap, path: &Path) -> Result<Self, LlmError> {
        let (journal, balance) = Journal::open(path)?;
        let book = Mutex::new(Book { balance, ..Book::default() });
        Ok(Self { cap, book, journal: Some(journal) })
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the worst case of a call aside.
    ///
    /// # Errors
    /// [`LlmError::Budget`] where that would pass the cap, with both numbers, or [`LlmError::File`]; nothing is set aside then.
    pub fn reserve(&self, role: &str, model: &str, worst: Spent) -> Result<Reservation<'_>, LlmError> {
        let mut book = self.book();
        let sum = book.committed().plus(worst);
        if let Some(why) = self.cap.passed(sum).or_else(|| self.cap.passed_by(book.millis())) {
            return Err(LlmError::Budget(format!("a call of the {role} is not made: {why}")));
        }
        let id = book.balance.next;
        if let Some(journal) = &self.journal {
            let (role, model) = (role.to_owned(), model.to_owned());
            journal.note(&Entry::Reserved { call: id, role, model, worst })?;
        }
        book.balance.next += 1;
        book.reserved.insert(id, Begun { worst, at: Instant::now() });
        Ok(Reservation { ledger: self, id, role: role.to_owned(), worst })
    }

    /// What was spent, by role; what is set aside is not in it.
    #[must_use]
    pub fn spent(&self) -> BTreeMap<String, Spent> {
        self.book().balance.spent.clone()
    }

    /// The same with the time that calls took, and how many of a file were never settled.
    #[must_use]
    pub fn balance(&self) -> Balance {
        self.book().balance.clone()
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
        let worst = self.reserved.values().map(|begun| begun.worst);
        self.balance.spent.values().copied().chain(worst).fold(Spent::default(), Spent::plus)
    }

    /// The time that calls took, and those under way took until now.
    fn millis(&self) -> u64 {
        self.reserved.values().fold(self.balance.millis, |sum, begun| sum.saturating_add(since(begun.at)))
    }
}

fn since(at: Instant) -> u64 {
    u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX)
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

    /// That the cap on time is reached.
    fn passed_by(self, millis: u64) -> Option<String> {
        let cap = self.millis.filter(|cap| millis >= *cap)?;
        let seconds = |millis: u64| millis as f64 / 1e3;
        Some(format!("calls took {:.1} s, and the cap is {} s", seconds(millis), seconds(cap)))
    }
}

impl Reservation<'_> {
    /// Notes what the call took in place of what was set aside for it.
    pub fn settle(self, took: Spent) {
        self.note(took);
    }

    /// Notes it once: what is not set aside any more was noted before.
    fn note(&self, took: Spent) {
        let mut book = self.ledger.book();
        let Some(begun) = book.reserved.remove(&self.id) else { return };
        let millis = since(begun.at);
        book.balance.add(&self.role, took);
        book.balance.millis += millis;
        if let Some(journal) = &self.ledger.journal {
            // A line that cannot be written leaves the call at its worst, which is no less; the next call is refused.
            let _ = journal.note(&Entry::Settled { call: self.id, took, millis });
        }
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.note(self.worst);
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
        let cost_by =
            |price: Option<&Price>, usage| Spent::call(price.map(|one| one.of(usage)).unwrap_or_default(), usage);
        let cost = |usage: Usage| cost_by(price, usage);
        let most = Usage { input: request.most_input(), output: request.max_tokens, ..Usage::default() };
        let reserved = self.ledger.reserve(&request.role, &request.model, cost(most))?;
        let reply = self.inner.ask(request, hear);
        match &reply {
            Ok(reply) => {
                let own = self.prices.of_answer(&request.model, &reply.model).ok();
                reserved.settle(cost_by(own, reply.usage));
            }
            Err(error) if error.is_before_work() => reserved.settle(cost(Usage::default())),
            // What a server did before it fell silent is not known.
            Err(_) => drop(reserved),
        }
        reply
    }
}

#[cfg(test)]
mod tests;
