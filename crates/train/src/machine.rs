//! What a training may take of the machine. It changes no bit of the result of a job.
//!
//! In: what the caller allows, or what the system says is left. Out: [`Machine`], and whether so many bytes fit. Nothing is
//! allocated here, and no number that is trained depends on it.

use std::fmt;
use std::fs;

use genesys_ladder::Scale;

use crate::error::{Shortage, TrainError};

/// Positions of a step that a thread is worth starting for.
const POSITIONS: u64 = 128;

/// What a training may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Threads of a step.
    pub threads: usize,
    /// What it may hold in memory; none asks nothing.
    pub memory: Option<Limit>,
    /// How its steps are computed.
    pub path: Path,
}

/// How steps are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// By one static program, where the design has one; else as composed.
    Compiled,
    /// Operation by operation, by the reference back end. Slower, and its numbers differ in rounding.
    Composed,
}

/// A number of bytes that a training has to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The user's.
    Given(u64),
    /// What the machine has left.
    Free(u64),
}

impl Default for Machine {
    /// One thread, and no limit.
    fn default() -> Self {
        Self { threads: 1, memory: None, path: Path::Compiled }
    }
}

impl Machine {
    /// As [`default`](Self::default), with `limit` bytes of memory, or without a limit what the machine has left now.
    #[must_use]
    pub fn within(limit: Option<u64>) -> Self {
        Self { memory: limit.map_or_else(Limit::of_machine, |bytes| Some(Limit::Given(bytes))), ..Self::default() }
    }

    /// Whether so many bytes fit, which so many rows at a time need.
    ///
    /// # Errors
    /// [`TrainError::Memory`] with both numbers.
    pub(crate) fn holds(&self, needed: u64, rows: u64) -> Result<(), TrainError> {
        match self.memory {
            Some(limit) if limit.bytes() < needed => {
                Err(TrainError::Memory(Box::new(Shortage { needed, rows, limit, whole: None })))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Limit {
    /// What the system says can be taken without swapping; none where it does not say.
    #[must_use]
    pub fn of_machine() -> Option<Self> {
        available(&fs::read_to_string("/proc/meminfo").ok()?).map(Self::Free)
    }

    /// The number.
    #[must_use]
    pub fn bytes(self) -> u64 {
        match self {
            Self::Given(bytes) | Self::Free(bytes) => bytes,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(bytes) => write!(f, "{} are allowed; allow more", size(*bytes)),
            Self::Free(bytes) => write!(f, "this machine has {} left; free some", size(*bytes)),
        }
    }
}

/// As many threads as a step at `scale` has work for, of `cores`.
#[must_use]
pub fn useful_threads(scale: &Scale, cores: usize) -> usize {
    let most = usize::try_from(scale.tokens_per_step() / POSITIONS).unwrap_or(usize::MAX);
    cores.min(most).max(1)
}

/// A number of bytes for people.
pub(crate) fn size(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// `MemAvailable` of the kernel's table, in bytes.
fn available(table: &str) -> Option<u64> {
    let line = table.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_left_is_read_from_the_table_of_the_kernel() {
        let table = "MemTotal:       24689380 kB\nMemFree:         1047064 kB\nMemAvailable:   18874404 kB\n";
        assert_eq!(available(table), Some(18_874_404 * 1024));
        assert_eq!(available("MemTotal: 5 kB\n"), None);
        assert_eq!(available("MemAvailable: many\n"), None);
    }

    #[test]
    fn what_does_not_fit_is_told_with_both_numbers() {
        let machine = |limit| Machine { memory: limit, ..Machine::default() };
        assert!(machine(None).holds(u64::MAX, 8).is_ok());
        assert!(machine(Some(Limit::Given(100))).holds(100, 8).is_ok());
        let error = machine(Some(Limit::Given(3 << 20))).holds(5 << 30, 8).unwrap_err();
        let told = "needs 5120.0 MiB of memory with 8 rows at a time, and 3.0 MiB are allowed; allow more, or choose a smaller \
                    scale";
        assert!(error.is_input() && error.to_string().contains(told), "{error}");
        let error = machine(Some(Limit::Free(1 << 19))).holds(1 << 20, 1).unwrap_err();
        let told = "needs 1.0 MiB of memory with 1 row at a time, and this machine has 0.5 MiB left; free some";
        assert!(!error.is_input() && error.to_string().contains(told), "{error}");
    }

    #[test]
    fn a_step_has_work_for_some_threads() {
        let nano = Scale::named("nano").unwrap();
        assert_eq!([1, 2, 64].map(|cores| useful_threads(&nano, cores)), [1, 2, 4]);
        assert_eq!(useful_threads(&Scale { rows: 1, context: 16, ..nano }, 8), 1);
    }
}
