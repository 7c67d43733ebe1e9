//! Messages over standard input and output.
//!
//! A message that is no JSON, or no message, is handed on as one of the method [`MALFORMED`], and the next is read. Where
//! the header does not say how long a message is, nothing behind it can be read, and reading ends.

use std::io::{self, BufRead, Read};
use std::thread;

use lsp_server::{Connection, Message, Notification};
use serde_json::{Value, json};

use crate::server::{Ended, serve};

/// The method under which the reader tells of what it could not read. A client that sends it says so of itself.
pub(crate) const MALFORMED: &str = "$/malformed";

/// The longest message that is read, in bytes.
const MAX_MESSAGE: usize = 1 << 26;

/// Serves the client at standard input and output until it leaves.
///
/// # Errors
/// The system gives no thread, or standard output does not take what is written.
pub fn stdio() -> io::Result<Ended> {
    let (ours, Connection { sender, receiver }) = Connection::memory();
    let writer = thread::Builder::new().name("writer".into()).spawn(move || {
        let mut out = io::stdout().lock();
        receiver.into_iter().try_for_each(|message: Message| message.write(&mut out))
    })?;
    // It may wait for input for as long as the process lives, and is not waited for.
    thread::Builder::new().name("reader".into()).spawn(move || {
        let mut input = io::stdin().lock();
        while let Some(message) = read(&mut input) {
            if sender.send(message).is_err() {
                break;
            }
        }
    })?;
    let ended = serve(&ours);
    drop(ours);
    writer.join().map_err(|_| io::Error::other("the thread that writes was lost"))??;
    Ok(ended)
}

/// The next message; nothing where the input ends or what follows cannot be told apart.
fn read(input: &mut impl BufRead) -> Option<Message> {
    let length = header(input)?;
    let mut body = vec![0; length];
    input.read_exact(&mut body).ok()?;
    Some(message(&body))
}

/// The length that a header states.
fn header(input: &mut impl BufRead) -> Option<usize> {
    let mut length = None;
    loop {
        let mut line = Vec::new();
        // A line of a header is short; what is longer is none.
        let read = input.by_ref().take(4096).read_until(b'\n', &mut line).ok()?;
        let line = String::from_utf8(line).ok()?;
        if read == 0 || !line.ends_with('\n') {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            return length;
        }
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("Content-Length") {
            length = Some(value.trim().parse().ok().filter(|length| *length <= MAX_MESSAGE)?);
        }
    }
}

fn message(body: &[u8]) -> Message {
    serde_json::from_slice(body).unwrap_or_else(|error| {
        let id = serde_json::from_slice::<Value>(body).ok().and_then(|value| value.get("id").cloned());
        let message = format!("expected a message of JSON-RPC, found what is none: {error}");
        Message::Notification(Notification {
            method: MALFORMED.into(),
            params: json!({ "id": id, "message": message }),
        })
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn framed(body: &str) -> Vec<u8> {
        let mut out = Vec::new();
        write!(out, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("memory takes what is written");
        out
    }

    fn method(message: Option<Message>) -> String {
        match message {
            Some(Message::Notification(note)) => note.method,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn what_is_no_message_hides_no_other() {
        let mut input = Vec::new();
        for body in ["{", "[1]", "{\"id\": 4}", "\u{1f600}", "{\"jsonrpc\": \"2.0\", \"method\": \"a\"}"] {
            input.extend(framed(body));
        }
        input.extend(framed("x").into_iter().map(|byte| if byte == b'x' { 0xff } else { byte }));
        let mut input = input.as_slice();
        let methods: Vec<String> = (0..6).map(|_| method(read(&mut input))).collect();
        assert_eq!(methods, [MALFORMED, MALFORMED, MALFORMED, MALFORMED, "a", MALFORMED]);
        assert!(read(&mut input).is_none());
    }

    #[test]
    fn a_header_that_says_no_length_ends_the_input() {
        for header in ["\r\n{}", "Content-Length: x\r\n\r\n{}", "no header\r\n\r\n{}", "Content-Length: 9\r\n\r\n{}"] {
            assert!(read(&mut header.as_bytes()).is_none(), "{header:?}");
        }
        let long = format!("Content-Length: {}\r\n\r\n", MAX_MESSAGE + 1);
        assert!(read(&mut long.as_bytes()).is_none() && read(&mut [b'a'; 9000].as_slice()).is_none());
    }

    #[test]
    fn headers_are_read_in_any_case_and_order() {
        let text = "Content-Type: x\r\ncontent-length: 29\r\n\r\n{\"jsonrpc\":\"2.0\",\"method\":\"b\"}";
        assert_eq!(method(read(&mut text.replace("29", "30").as_bytes())), "b");
    }
}
