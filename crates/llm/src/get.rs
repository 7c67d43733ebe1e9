//! Fetching an address, for those who need the network and no model.
//!
//! In: an address with headers. Out: the answer, if it comes in time and is not too large. Redirects are followed within one origin, since the
//! headers may hold a key. It keeps no pace and tries nothing twice.

use std::time::Duration;

use reqwest::redirect::Policy;

use crate::http::{cause, prepare, runtime};

/// How long one waits for a connection, and for a whole answer.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(60));

/// How many redirects are followed.
const REDIRECTS: usize = 5;

/// Fetches over HTTP and HTTPS, by the proxies of the environment.
pub struct Getter {
    client: reqwest::Client,
}

/// An answer, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    /// Its status, such as 200.
    pub status: u16,
    /// Its headers, with names in small letters.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Getter {
    /// One that fetches.
    ///
    /// # Errors
    /// Why this machine makes no connections.
    pub fn new() -> Result<Self, String> {
        prepare();
        let policy = Policy::custom(|attempt| {
            let within = attempt.previous().last().is_some_and(|from| from.origin() == attempt.url().origin());
            if within && attempt.previous().len() <= REDIRECTS { attempt.follow() } else { attempt.stop() }
        });
        let client =
            reqwest::Client::builder().connect_timeout(PATIENCE.0).timeout(PATIENCE.1).redirect(policy).build();
        client.map(|client| Self { client }).map_err(|error| cause(&error))
    }

    /// The answer at an address, of whose body `most` bytes are taken.
    ///
    /// # Errors
    /// Why there is none.
    pub fn get(&self, url: &str, headers: &[(&str, &str)], most: usize) -> Result<Got, String> {
        let request = headers.iter().fold(self.client.get(url), |request, (name, value)| request.header(*name, *value));
        runtime().block_on(async {
            let mut answer = request.send().await.map_err(|error| cause(&error))?;
            let status = answer.status().as_u16();
            let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            let headers = answer.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
            let mut body = Vec::new();
            while body.len() < most
                && let Some(piece) = answer.chunk().await.map_err(|error| cause(&error))?
            {
                body.extend_from_slice(&piece);
            }
            body.truncate(most);
            Ok(Got { status, headers, body })
        })
    }
}
