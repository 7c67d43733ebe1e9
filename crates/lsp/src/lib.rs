//! A language server for designs: what an editor asks while one is written.
//!
//! In: messages of the Language Server Protocol, over standard input ([`stdio`]) or a pair of channels ([`serve`]). Out:
//! answers and diagnostics. It knows the texts that the client sends and no others: it opens no file, and a design never
//! makes it open one. A handler that panics answers with an error, and the server goes on.
//!
//! - `transport`: messages over standard input and output.
//! - `server`: the order of a session: start, requests, diagnostics when nothing waits, shutdown.
//! - `route`: which method goes to which feature.
//! - `state`, `document`, `position`: open texts, what is known of each, places in them.
//! - one file a feature: `diagnostics`, `action`, `hover`, `definition`, `rename`, `format`, `completion`, `symbols`,
//!   `tokens`, `hints`.
//!
//! Not here: what is true of a text. That is asked of `genesys-compiler`, `genesys-explain` and `genesys-names`.

mod action;
mod completion;
mod definition;
mod diagnostics;
mod document;
mod format;
mod hints;
mod hover;
mod position;
mod rename;
mod route;
mod server;
mod state;
mod symbols;
mod tokens;
mod transport;

pub use lsp_server::{Connection, Message};
pub use server::{Ended, serve};
pub use state::STD_URI;
pub use transport::stdio;
