//! A ledger on the disk: what is set aside and what was taken, line by line.
//!
//! `ledger.jsonl` has a line before each call, with its number, role, model and worst case, and one behind it, with what it took. A
//! process that is killed in between leaves the first alone: such a call counts at its worst, for nobody knows what the server did.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::LlmError;
use crate::ledger::Spent;
use crate::lines::{LineFile, of_file, read};

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Entry {
    /// The worst case of a call that is about to be made.
    Reserved {
        /// The number of the call, from 0.
        call: u64,
        /// Who asks.
        role: String,
        /// The model.
        model: String,
        /// What it takes at most.
        worst: Spent,
    },
    /// What a call took.
    Settled {
        /// The number of the call.
        call: u64,
        /// What it took.
        took: Spent,
        /// How long it took, in milliseconds.
        millis: u64,
    },
}

/// What the lines of a ledger come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// By role; calls that were never settled are in it at their worst.
    pub spent: BTreeMap<String, Spent>,
    /// The time that calls took, in milliseconds; those that were never settled are not in it.
    pub millis: u64,
    /// How many calls were never settled.
    pub unsettled: u64,
    /// The number of the next call.
    pub next: u64,
}

/// A ledger's file.
#[derive(Debug)]
pub(crate) struct Journal(LineFile);

impl Journal {
    /// A file to add to, and what it comes to so far; it is made where there is none.
    ///
    /// # Errors
    /// [`LlmError::File`]
    pub(crate) fn open(path: &Path) -> Result<(Self, Balance), LlmError> {
        let file = LineFile::open(path, &["{\"reserved\":{", "{\"settled\":{"])?;
        Ok((Self(file), Balance::read(path)?))
    }

    /// Adds a line; it is on the disk when this returns.
    ///
    /// # Errors
    /// [`LlmError::File`]
    pub(crate) fn note(&self, entry: &Entry) -> Result<(), LlmError> {
        self.0.add(entry)
    }
}

impl Balance {
    /// What the ledger in a file comes to.
    ///
    /// # Errors
    /// [`LlmError::File`], with the line at fault where one is.
    pub fn read(path: &Path) -> Result<Self, LlmError> {
        let entries: Vec<Entry> = read(path, "entry of a ledger", |_| None)?;
        Self::of(&entries).map_err(|why| of_file(path, why))
    }

    /// What entries come to.
    ///
    /// # Errors
    /// Which call is noted twice, or settled without having been noted.
    pub fn of(entries: &[Entry]) -> Result<Self, String> {
        let (mut balance, mut open) = (Self::default(), BTreeMap::<u64, (&str, Spent)>::new());
        for entry in entries {
            match entry {
                Entry::Reserved { call, .. } if *call != balance.next => {
                    return Err(format!("expected call {}, found call {call}", balance.next));
                }
                Entry::Reserved { call, role, worst, .. } => {
                    open.insert(*call, (role, *worst));
                    balance.next = call + 1;
                }
                Entry::Settled { call, took, millis } => {
                    let (role, _) =
                        open.remove(call).ok_or_else(|| format!("call {call} is settled and was not open"))?;
                    balance.add(role, *took);
                    balance.millis += millis;
                }
            }
        }
        balance.unsettled = open.len() as u64;
        open.into_values().for_each(|(role, worst)| balance.add(role, worst));
        Ok(balance)
    }

    /// All roles together.
    #[must_use]
    pub fn total(&self) -> Spent {
        self.spent.values().fold(Spent::default(), |sum, one| sum.plus(*one))
    }

    pub(crate) fn add(&mut self, role: &str, spent: Spent) {
        let sum = self.spent.entry(role.to_owned()).or_default();
        *sum = sum.plus(spent);
    }
}
