//! A server of chat completions on this machine that takes as long as a model may, a thread for each call.
//!
//! In: tokens a second. Out: an address, and what was heard. It knows the one request that the program makes, streams its answers, and says
//! when it was asked what its script does not know.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::heard::Call;
use super::script::answer;

/// Tokens of a question that are read in a second before the first word of its answer.
const READ: usize = 5_000;

/// Letters that count as a token.
const LETTERS: usize = 4;

/// A server, and what it heard; it is there as long as the process.
pub(super) struct Server {
    /// As `--llm` takes it, without a model.
    pub(super) address: String,
    book: Arc<Mutex<Book>>,
}

#[derive(Default)]
struct Book {
    calls: Vec<Call>,
    unknown: Option<String>,
}

impl Server {
    /// Listens at a free port, and answers with so many tokens a second.
    pub(super) fn start(rate: usize) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = format!("http://{}/v1", listener.local_addr()?);
        let (book, begin) = (Arc::new(Mutex::new(Book::default())), Instant::now());
        let ours = Arc::clone(&book);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let book = Arc::clone(&ours);
                // Who asks and goes away gets no answer; what was heard before stays.
                thread::spawn(move || drop(serve(&stream, rate, begin, &book)));
            }
        });
        Ok(Self { address, book })
    }

    /// All calls that were answered.
    pub(super) fn heard(&self) -> Vec<Call> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner).calls.clone()
    }

    /// The first thing that was asked and is not known.
    pub(super) fn unknown(&self) -> Option<String> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner).unknown.clone()
    }
}

fn serve(stream: &TcpStream, rate: usize, start: Instant, book: &Mutex<Book>) -> std::io::Result<()> {
    let request = body(stream)?;
    let begin = start.elapsed();
    let mut out = stream;
    let Some(text) = answer(&request) else {
        let last = request["messages"].as_array().and_then(|all| all.last()).map(|last| last["content"].to_string());
        book.lock().unwrap_or_else(PoisonError::into_inner).unknown.get_or_insert(last.unwrap_or_default());
        return out.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    let read = request["messages"].to_string().len() / LETTERS;
    thread::sleep(Duration::from_secs_f64(read as f64 / READ as f64));
    out.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")?;
    let letters: Vec<char> = text.chars().collect();
    let first = Instant::now();
    for (number, token) in letters.chunks(LETTERS).enumerate() {
        // By the clock and not by the last word, so that a late one is made up for.
        let due = Duration::from_secs_f64(number as f64 / rate as f64);
        thread::sleep(due.saturating_sub(first.elapsed()));
        event(out, &json!({ "content": token.iter().collect::<String>() }), Value::Null, None)?;
    }
    let written = letters.len().div_ceil(LETTERS);
    event(out, &json!({}), "stop".into(), Some(json!({ "prompt_tokens": read, "completion_tokens": written })))?;
    out.write_all(b"data: [DONE]\n\n")?;
    out.flush()?;
    let call = Call { dialogue: request["seed"].as_u64().unwrap_or_default(), begin, end: start.elapsed() };
    book.lock().unwrap_or_else(PoisonError::into_inner).calls.push(call);
    Ok(())
}

fn event(mut out: &TcpStream, delta: &Value, finish: Value, usage: Option<Value>) -> std::io::Result<()> {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
    let mut event = json!({ "object": "chat.completion.chunk", "model": "script", "choices": [choice] });
    if let Some(usage) = usage {
        event["usage"] = usage;
    }
    out.write_all(format!("data: {event}\n\n").as_bytes())
}

/// The JSON of a request.
fn body(stream: &TcpStream) -> std::io::Result<Value> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        let read = reader.read_line(&mut line)?;
        let line = line.trim().to_lowercase();
        if read == 0 || line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes).unwrap_or_default())
}
