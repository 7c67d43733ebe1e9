//! Servers that speak chat completions or messages.
//!
//! Replies are streamed wherever the server does that. A call is limited in time (to connect, to the first byte, between two pieces, in all)
//! and in bytes. The key goes to the address that was named and nowhere else: redirects are told, not followed.
//!
//! | module | holds |
//! | --- | --- |
//! | `chat` | `POST BASE/chat/completions` |
//! | `messages` | `POST BASE/v1/messages` |
//! | `events` | server-sent events |
//! | `trouble` | what a status means |
//!
//! Not here: other tries, limits of rates, prices.

mod chat;
mod events;
mod messages;
mod trouble;

use std::future::Future;
use std::net::IpAddr;
use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response, Url, header, redirect};
use serde_json::Value;

use crate::error::LlmError;
use crate::key::Key;
use crate::message::{Reply, Request};
use crate::target::Protocol;
use crate::transport::Transport;
use events::Events;

/// How long is waited, and for how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For a connection.
    pub connect: Duration,
    /// For the first byte of an answer: a model reads the whole request before it.
    pub first: Duration,
    /// From one piece to the next.
    pub idle: Duration,
    /// For all of it.
    pub total: Duration,
    /// The most bytes of an answer.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first: Duration::from_secs(300),
            idle: Duration::from_secs(60),
            total: Duration::from_secs(1200),
            bytes: 8 << 20,
        }
    }
}

/// A server.
pub struct Http {
    protocol: Protocol,
    base: Url,
    key: Option<Key>,
    limits: Limits,
    client: Client,
}

/// What a protocol makes of a stream of events.
trait Reading {
    /// Takes an event in; text that it brings is told to `hear`. Whether it was the last.
    fn take(&mut self, event: &Value, hear: &mut dyn FnMut(&str)) -> Result<bool, LlmError>;
    /// The reply, of all events.
    fn reply(self, request: &Request) -> Result<Reply, LlmError>;
}

/// The threads that sockets are read on.
pub(crate) fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("llm").enable_all().build().expect("a thread can be started")
    })
}

/// Whether a host is this machine, so that what is sent there passes no network.
fn is_here(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    // RFC 6761 keeps these names for this machine.
    let named = || host == "localhost" || host.ends_with(".localhost");
    address.map_or_else(|_| named(), |address| address.to_canonical().is_loopback())
}

/// Chooses TLS by ring, once a process.
pub(crate) fn prepare() {
    static TLS: LazyLock<()> = LazyLock::new(|| {
        // Another part of the process may have chosen already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    LazyLock::force(&TLS);
}

impl Http {
    /// A server at an address that has no slash at its end.
    ///
    /// # Errors
    /// [`LlmError::Unsupported`] where the machine has no certificates to trust, or where a key would go over a network in the clear.
    pub fn new(protocol: Protocol, base: Url, key: Option<Key>, limits: Limits) -> Result<Self, LlmError> {
        if let (Some(_), "http", Some(host)) = (&key, base.scheme(), base.host_str())
            && !is_here(host)
        {
            return Err(LlmError::Unsupported(format!(
                "the key in {} would go to {host} in the clear: name it with `https://`, reach it through a tunnel on this machine \
                 (`ssh -L`), or unset that variable",
                Key::variable(host)
            )));
        }
        prepare();
        let client = Client::builder()
            .connect_timeout(limits.connect)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("genesys/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| LlmError::Unsupported(format!("no connection can be made on this machine: {error}")))?;
        Ok(Self { protocol, base, key, limits, client })
    }

    fn url(&self) -> String {
        let base = self.base.as_str().trim_end_matches('/');
        match self.protocol {
            Protocol::Chat => format!("{base}/chat/completions"),
            // The address is often given with the version in it.
            Protocol::Messages => format!("{}/v1/messages", base.strip_suffix("/v1").unwrap_or(base)),
        }
    }

    /// The request, with the key.
    fn signed(&self, body: &Value) -> RequestBuilder {
        let request = self.client.post(self.url()).header(header::CONTENT_TYPE, "application/json");
        let request = match (self.protocol, &self.key) {
            (Protocol::Messages, _) => request.header("anthropic-version", messages::VERSION),
            (Protocol::Chat, _) => request,
        };
        let request = match (self.protocol, &self.key) {
            (_, None) => request,
            (Protocol::Chat, Some(key)) => request.bearer_auth(key.secret()),
            (Protocol::Messages, Some(key)) => request.header("x-api-key", key.secret()),
        };
        request.body(body.to_string())
    }

    /// Waits for what comes no later than a limit.
    async fn within<T>(limit: Duration, what: &'static str, wait: impl Future<Output = T>) -> Result<T, LlmError> {
        tokio::time::timeout(limit, wait).await.map_err(|_| LlmError::Silent { what, limit })
    }

    async fn exchange<R: Reading>(
        &self,
        body: &Value,
        request: &Request,
        mut reading: R,
        hear: &mut dyn FnMut(&str),
    ) -> Result<Reply, LlmError> {
        let sent = Self::within(self.limits.first, "the first byte", self.signed(body).send()).await?;
        let response = sent.map_err(|error| self.unreachable(&error))?;
        if !response.status().is_success() {
            return Err(self.trouble(response).await);
        }
        let streams = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if !streams.is_some_and(|kind| kind.starts_with("text/event-stream")) {
            let text = self.all(response).await?;
            let value = serde_json::from_str(&text).map_err(|_| malformed("expected JSON or events", &text))?;
            reading.take(&value, hear)?;
            return reading.reply(request);
        }
        let (mut response, mut events, mut bytes) = (response, Events::default(), 0);
        loop {
            let Some(piece) = self.piece(&mut response, &mut bytes).await? else {
                events.end()?;
                return reading.reply(request);
            };
            for event in events.of(&piece)? {
                let event = self.open(event);
                if event == "[DONE]" {
                    return reading.reply(request);
                }
                let value = serde_json::from_str(&event).map_err(|_| malformed("expected an event of JSON", &event))?;
                if reading.take(&value, hear)? {
                    return reading.reply(request);
                }
            }
        }
    }

    /// The next bytes; none at the end.
    async fn piece(&self, response: &mut Response, bytes: &mut usize) -> Result<Option<Vec<u8>>, LlmError> {
        let piece = Self::within(self.limits.idle, "more of the answer", response.chunk()).await?;
        let piece = piece.map_err(|error| LlmError::CutOff(cause(&error)))?;
        *bytes += piece.as_ref().map_or(0, |piece| piece.len());
        if *bytes > self.limits.bytes {
            return Err(LlmError::TooLarge { limit: self.limits.bytes });
        }
        Ok(piece.map(|piece| piece.to_vec()))
    }

    /// The whole text of a response.
    async fn all(&self, mut response: Response) -> Result<String, LlmError> {
        let (mut text, mut bytes) = (Vec::new(), 0);
        while let Some(piece) = self.piece(&mut response, &mut bytes).await? {
            text.extend(piece);
        }
        String::from_utf8(text)
            .map(|text| self.open(text))
            .map_err(|error| LlmError::Malformed(format!("bytes that are not UTF-8 ({})", error.utf8_error())))
    }

    /// A text of the server without the key, before any of it is cut out: a part of a key could not be told later.
    fn open(&self, text: String) -> String {
        match &self.key {
            Some(key) => key.hidden_in(&text),
            None => text,
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> LlmError {
        LlmError::Unreachable { url: self.base.to_string(), why: cause(error) }
    }
}

impl Transport for Http {
    fn ask(&self, request: &Request, hear: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        let host = self.base.host_str().unwrap_or_default();
        let whole = async {
            match self.protocol {
                Protocol::Chat => {
                    let body = chat::body(request, host)?;
                    self.exchange(&body, request, chat::Chat::default(), hear).await
                }
                Protocol::Messages => {
                    let body = messages::body(request, host)?;
                    self.exchange(&body, request, messages::Messages::default(), hear).await
                }
            }
        };
        let result = runtime().block_on(async { Self::within(self.limits.total, "the whole answer", whole).await? });
        // What a server sends back may hold what it was sent, and goes into messages and recordings.
        match &self.key {
            Some(key) => result.map(|reply| hidden(reply, key)).map_err(|error| error.without(key)),
            None => result,
        }
    }
}

/// A reply in which no key stands.
fn hidden(reply: Reply, key: &Key) -> Reply {
    let text = serde_json::to_string(&reply).expect("a reply has a JSON form");
    if !text.contains(key.secret()) {
        return reply;
    }
    serde_json::from_str(&key.hidden_in(&text)).unwrap_or(Reply {
        text: key.hidden_in(&reply.text),
        calls: Vec::new(),
        ..reply
    })
}

/// The innermost cause: what lies around it repeats the address.
pub(crate) fn cause(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().unwrap_or(error).to_string()
}

/// What came instead of what was expected, cut to a line.
fn malformed(expected: &str, found: &str) -> LlmError {
    let found: String = found.chars().take(200).map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    LlmError::Malformed(format!("{expected}, found `{found}`"))
}
