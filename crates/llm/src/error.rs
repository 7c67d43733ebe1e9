//! Why there is no reply.

use std::path::PathBuf;
use std::time::Duration;

use crate::key::Key;
use crate::message::Reply;
use crate::schema::Misfit;

/// Why there is no reply. Messages hold no key.
#[derive(Debug)]
pub enum LlmError {
    /// Nothing answers there.
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        why: String,
    },
    /// The key is missing, or is not admitted.
    Key {
        /// Where.
        url: String,
        /// The variable it is looked for in.
        variable: &'static str,
        /// Whether one was sent.
        sent: bool,
    },
    /// The server refuses the request.
    Refused {
        /// The status.
        status: u16,
        /// What it says.
        says: String,
    },
    /// The server asks for patience, or is in trouble.
    Busy {
        /// The status.
        status: u16,
        /// How long it asks to wait.
        after: Option<Duration>,
        /// What it says.
        says: String,
    },
    /// Nothing came for so long.
    Silent {
        /// What was waited for.
        what: &'static str,
        /// How long.
        limit: Duration,
    },
    /// The connection ended in the middle of an answer.
    CutOff(String),
    /// The answer is larger than may be.
    TooLarge {
        /// The most bytes.
        limit: usize,
    },
    /// What came is no answer.
    Malformed(String),
    /// What is answered is not of the schema that was asked for.
    Misfit {
        /// Where.
        misfit: Misfit,
        /// The whole reply.
        reply: Box<Reply>,
    },
    /// A file or a folder cannot be used.
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// An error that was recorded.
    Recorded {
        /// What it said.
        says: String,
        /// Whether another try could help.
        passes: bool,
        /// Whether it came before the server did any work.
        before_work: bool,
        /// How long the server asked to wait.
        after: Option<Duration>,
    },
    /// What answers cannot take this request, though it may take others.
    Declined {
        /// Why, with a way out.
        says: String,
        /// Whether that was known before it did any work.
        before_work: bool,
    },
    /// The recording has no answer to the request.
    Unrecorded(String),
    /// What may be spent is spent.
    Budget(String),
    /// It is not known what the model costs.
    NoPrice {
        /// The model.
        model: String,
    },
    /// What is asked for is not there.
    Unsupported(String),
}

impl LlmError {
    /// Whether another try may help.
    #[must_use]
    pub fn passes(&self) -> bool {
        match self {
            Self::Recorded { passes, .. } => *passes,
            Self::Unreachable { .. } | Self::Busy { .. } | Self::Silent { .. } | Self::CutOff(_) => true,
            Self::Key { .. } | Self::Refused { .. } | Self::TooLarge { .. } | Self::Malformed(_) => false,
            Self::File { .. } | Self::Unrecorded(_) | Self::Budget(_) | Self::NoPrice { .. } => false,
            Self::Unsupported(_) | Self::Misfit { .. } | Self::Declined { .. } => false,
        }
    }

    /// Whether it came before a server did any work that has a price.
    #[must_use]
    pub fn is_before_work(&self) -> bool {
        match self {
            Self::Recorded { before_work, .. } | Self::Declined { before_work, .. } => *before_work,
            Self::Unreachable { .. } | Self::Key { .. } | Self::Refused { .. } | Self::Busy { .. } => true,
            Self::File { .. } | Self::Unrecorded(_) | Self::Budget(_) | Self::NoPrice { .. } => true,
            Self::Unsupported(_) => true,
            Self::Silent { .. } | Self::CutOff(_) | Self::TooLarge { .. } | Self::Malformed(_) => false,
            Self::Misfit { .. } => false,
        }
    }

    /// Whether the user is to change something, and not the world.
    #[must_use]
    pub fn is_input(&self) -> bool {
        match self {
            Self::Key { .. } | Self::Refused { .. } | Self::Unrecorded(_) | Self::Budget(_) => true,
            Self::NoPrice { .. } | Self::Unsupported(_) | Self::TooLarge { .. } | Self::File { .. } => true,
            Self::Declined { .. } => true,
            Self::Unreachable { .. } | Self::Busy { .. } | Self::Silent { .. } | Self::CutOff(_) => false,
            Self::Malformed(_) | Self::Recorded { .. } | Self::Misfit { .. } => false,
        }
    }

    /// The same without a key in its texts, should one stand there.
    #[must_use]
    pub(crate) fn without(mut self, key: &Key) -> Self {
        let text = match &mut self {
            Self::Unreachable { why: text, .. } | Self::File { why: text, .. } => text,
            Self::Refused { says: text, .. } | Self::Busy { says: text, .. } | Self::Recorded { says: text, .. } => {
                text
            }
            Self::CutOff(text) | Self::Malformed(text) | Self::Unrecorded(text) => text,
            Self::Declined { says: text, .. } => text,
            Self::Budget(text) | Self::Unsupported(text) | Self::NoPrice { model: text } => text,
            Self::Key { .. } | Self::Silent { .. } | Self::TooLarge { .. } => return self,
            // It is made of a reply in which no key stands any more.
            Self::Misfit { .. } => return self,
        };
        *text = key.hidden_in(text);
        self
    }

    /// How long the server asks to wait.
    #[must_use]
    pub fn after(&self) -> Option<Duration> {
        match self {
            Self::Busy { after, .. } | Self::Recorded { after, .. } => *after,
            _ => None,
        }
    }
}

impl std::fmt::Display for LlmError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable { url, why } => {
                write!(f, "nothing answers at {url}: {why}; is the server running, and the address right?")
            }
            Self::Key { url, variable, sent: true } => {
                write!(f, "{url} does not admit the key in {variable}: set it to a key of that server")
            }
            Self::Key { url, variable, sent: false } => {
                write!(f, "{url} asks for a key: set {variable} to one of that server")
            }
            Self::Refused { status, says } => write!(f, "the server refuses the request (status {status}): {says}"),
            Self::Busy { status, says, .. } => {
                write!(
                    f,
                    "the server asks for patience (status {status}): {says}; try again later, or ask less at once"
                )
            }
            Self::Silent { what, limit } => {
                write!(
                    f,
                    "nothing came for {} s while waiting for {what}: the server hangs, or needs a longer limit",
                    limit.as_secs_f64()
                )
            }
            Self::CutOff(why) => write!(f, "the connection ended in the middle of an answer: {why}"),
            Self::TooLarge { limit } => {
                write!(f, "the answer is larger than {limit} bytes: ask for fewer tokens, or set a larger limit")
            }
            Self::Malformed(what) => write!(f, "what came is no answer: {what}; does the server speak this protocol?"),
            Self::Misfit { misfit, .. } => write!(
                f,
                "the answer is not of the form that was asked for: {misfit}; ask again with this, or take a model that keeps to schemas"
            ),
            Self::File { path, why } => write!(f, "{}: {why}", path.display()),
            Self::Recorded { says, .. } | Self::Declined { says, .. } => write!(f, "{says}"),
            Self::Unrecorded(what) => write!(f, "{what}"),
            Self::Budget(what) => write!(f, "{what}"),
            Self::NoPrice { model } => write!(
                f,
                "the price of `{model}` is not known, so no cap on money holds: add it to a table of prices, or say that it is free"
            ),
            Self::Unsupported(what) => write!(f, "{what}"),
        }
    }
}

impl std::error::Error for LlmError {}
