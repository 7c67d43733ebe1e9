//! The store of a run: an append-only, hash-chained event log, and content-addressed artifacts.
//!
//! A run is a folder. In it live `events.db` (SQLite), `run.lock` (held by the one writer) and, where the caller
//! wants them there, `artifacts/`. In go events (a kind, a payload) and bytes; out come the same, checked against
//! their hashes on every read. The crate does not know what the events mean, takes no decision and reads no clock.
//!
//! | file | holds |
//! | --- | --- |
//! | [`mod@canonical`] | the one JSON text of a value; what has none is refused |
//! | `finite` | the walk that finds a NaN before JSON turns it into `null` |
//! | [`event`] | events, their hash chain, their ids |
//! | [`log`] | the writer: create, open, append, cut back |
//! | [`reader`] | reading: events as a checked stream, head, verification, wall times |
//! | [`damage`] | what is wrong with a log, and what of it is sound |
//! | [`artifact`] | files named by the hash of their content |
//! | `lock` | one writer a run |
//! | `sql` | the tables, and how SQLite is opened |
//! | [`error`] | everything that can go wrong |

pub mod artifact;
pub mod canonical;
pub mod damage;
pub mod error;
pub mod event;
mod finite;
mod lock;
pub mod log;
pub mod reader;
mod sql;

pub use artifact::Artifacts;
pub use blake3::Hash;
pub use canonical::{Refusal, canonical};
pub use damage::{Damage, Flaw};
pub use error::StoreError;
pub use event::{Event, Head, NewEvent};
pub use log::Log;
pub use reader::Reader;
