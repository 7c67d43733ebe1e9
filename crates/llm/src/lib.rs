//! Language models that are asked: over HTTP, by files in a folder, or from a recording.
//!
//! A [`Request`] goes in, a [`Reply`] comes out, and everything that is worth knowing of the exchange is recorded. Calls block,
//! and many threads may call at once. What answers is a [`Transport`]; the wrappers are transports, too.
//!
//! | file | holds |
//! | --- | --- |
//! | [`message`] | requests and replies |
//! | [`target`] | the one spelling of what answers: `--llm URL|file:DIR|local:PATH|replay:FILE` |
//! | [`transport`] | what answers, and what is said while it does |
//! | [`http`] | servers that speak chat completions or messages |
//! | [`folder`] | requests as files, which a person or a program answers |
//! | [`record`] | exchanges as lines of JSON, and answers from them |
//! | [`continued`] | a recording, and behind its end the one who is asked live |
//! | [`schema`] | JSON schemas, and answers that are held to them |
//! | [`retry`] | another try, later |
//! | [`ensemble`] | several models, by weight, and others where one fails |
//! | [`throttle`] | at most so many at once, and so many a minute |
//! | [`price`] | what tokens cost |
//! | [`ledger`] | what may be spent, and what was |
//! | [`journal`] | the same on the disk: it outlives a kill |
//! | [`lines`] | files of lines of JSON, which outlive a kill |
//! | [`key`] | secrets that are never shown |
//! | [`get`] | fetching an address, for those who need the network and no model |
//! | [`check`] | what works with a target |
//! | [`error`] | why there is no reply |
//!
//! It decides nothing about designs, and reads no environment: keys come in as values.

pub mod check;
pub mod continued;
pub mod ensemble;
pub mod error;
pub mod folder;
pub mod get;
pub mod http;
pub mod journal;
pub mod key;
pub mod ledger;
pub mod lines;
pub mod message;
pub mod price;
pub mod record;
pub mod retry;
pub mod schema;
pub mod target;
pub mod throttle;
pub mod transport;

pub use continued::Continued;
pub use error::LlmError;
pub use key::Key;
pub use ledger::{Cap, Ledger, Spent};
pub use message::{Answer, Form, Message, Reply, Request, Stop, Tool, ToolCall, Usage};
pub use price::{Money, Prices};
pub use schema::{Held, Misfit, Schema};
pub use target::Target;
pub use transport::Transport;
