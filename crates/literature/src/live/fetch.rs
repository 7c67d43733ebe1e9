//! What the caller hands in: something that fetches, and a clock.
//!
//! In: an address with headers. Out: an answer as it came. Nothing is retried, redirected by hand, or kept here.

use std::time::Duration;

/// Fetches an address.
pub trait Fetch {
    /// The answer to a GET of `url` with these headers, whatever its status.
    ///
    /// # Errors
    /// Words, where there is no answer: no connection, no end of it in time, too much of it.
    fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Answer, String>;
}

/// An answer over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status, such as 200.
    pub status: u16,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The header of that name, in whatever case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Tells the time, and lets some of it pass.
pub trait Clock {
    /// The time since the beginning of 1970, UTC.
    fn now(&self) -> Duration;

    /// Waits that long.
    fn wait(&self, time: Duration);
}

/// Writes a text so that it may stand in an address: letters, digits and `-_.~` stay, all other bytes become `%XX`.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_in_an_address_is_escaped() {
        assert_eq!(escaped("a b&c=\"é\"#/~"), "a%20b%26c%3D%22%C3%A9%22%23%2F~");
    }

    #[test]
    fn headers_are_found_in_any_case() {
        let headers = vec![("retry-after".to_owned(), "3".to_owned())];
        let answer = Answer { status: 429, headers, body: Vec::new() };
        assert_eq!((answer.header("Retry-After"), answer.header("Age")), (Some("3"), None));
    }
}
