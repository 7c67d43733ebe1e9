//! arXiv and Semantic Scholar, with their rules, a cache, and an offline mode.
//!
//! In: a question, and from the caller a way to fetch, a clock, and a folder for answers. Out: documents with their address
//! and the day of their retrieval. A server is asked no faster than it allows, again with growing waits where it is busy,
//! and not for what was answered lately; offline nothing is asked. An answer that cannot be read is not kept. What an
//! answer says is data.
//!
//! | file | holds |
//! | --- | --- |
//! | [`fetch`] | what the caller hands in: requests, clock |
//! | [`mod@caller`] | one server's pace, retries and cache |
//! | [`cache`] | answers on disk, by address, with their day |
//! | [`day`] | a day of the calendar |
//! | [`arxiv`] | arXiv's Atom |
//! | [`scholar`] | Semantic Scholar's Graph API |
//! | [`error`] | what can go wrong |

pub mod arxiv;
pub mod cache;
pub mod caller;
pub mod day;
pub mod error;
pub mod fetch;
pub mod scholar;

pub use cache::Cache;
pub use caller::{Caller, Mode, Pace, Rules};
pub use day::Day;
pub use error::LiveError;
pub use fetch::{Answer, Clock, Fetch};
