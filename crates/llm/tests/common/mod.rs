//! What the tests share: a server that answers as it is told, requests, clocks.
#![allow(clippy::unwrap_used, dead_code, reason = "each test takes what it needs")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use genesys_llm::http::{Http, Limits};
use genesys_llm::throttle::Clock;
use genesys_llm::{Form, Key, LlmError, Message, Reply, Request, Target, Transport};

/// A part of an answer.
#[derive(Clone)]
pub(crate) enum Part {
    /// Bytes, at once.
    Bytes(Vec<u8>),
    /// Bytes, again and again.
    Endless(Vec<u8>),
    /// Nothing, for as long as the other side waits.
    Hang,
}

/// A server on this machine, and what it was asked.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Server {
    /// Answers connections in turn, the last answer from then on.
    pub(crate) fn new(answers: Vec<Vec<Part>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for (n, stream) in listener.incoming().enumerate() {
                let (Ok(stream), log) = (stream, Arc::clone(&log)) else { return };
                let answer = answers[n.min(answers.len() - 1)].clone();
                std::thread::spawn(move || serve(stream, &answer, &log));
            }
        });
        Self { url, asked }
    }

    pub(crate) fn body(&self, n: usize) -> serde_json::Value {
        serde_json::from_str(&self.asked.lock().unwrap()[n].1).unwrap()
    }

    pub(crate) fn head(&self, n: usize) -> String {
        self.asked.lock().unwrap()[n].0.to_lowercase()
    }
}

fn serve(mut stream: TcpStream, answer: &[Part], log: &Mutex<Vec<(String, String)>>) {
    let Some(asked) = read(&mut stream) else { return };
    log.lock().unwrap().push(asked);
    for part in answer {
        match part {
            Part::Bytes(bytes) => {
                // Who is gone is not answered.
                if stream.write_all(bytes).and_then(|()| stream.flush()).is_err() {
                    return;
                }
            }
            Part::Endless(bytes) => while stream.write_all(bytes).is_ok() {},
            Part::Hang => {
                let _ = stream.read_to_end(&mut Vec::new());
            }
        }
    }
}

/// The head and the body of a request.
fn read(stream: &mut TcpStream) -> Option<(String, String)> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let n = stream.read(&mut piece).ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&piece[..n]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return Some((head.to_owned(), body.to_owned()));
        }
    }
}

/// A whole response.
pub(crate) fn response(status: &str, headers: &str, body: &str) -> Vec<Part> {
    let text =
        format!("HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    vec![Part::Bytes(text.into_bytes())]
}

pub(crate) const JSON: &str = "Content-Type: application/json\r\n";

/// The head of a stream of events, then parts of it.
pub(crate) fn stream(parts: Vec<Part>) -> Vec<Part> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    [vec![Part::Bytes(head.as_bytes().to_vec())], parts].concat()
}

/// Events, each by itself.
pub(crate) fn events(values: &[serde_json::Value]) -> Vec<Part> {
    values.iter().map(|value| Part::Bytes(format!("data: {value}\n\n").into_bytes())).collect()
}

/// A chat completion in events: pieces of text, why it stops, and tokens.
pub(crate) fn said(pieces: &[&str], stop: &str) -> Vec<Part> {
    use serde_json::json;
    let piece = |text: &&str| json!({ "model": "m-1", "choices": [{ "index": 0, "delta": { "content": text } }] });
    let mut values: Vec<_> = pieces.iter().map(piece).collect();
    values.push(json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": stop }] }));
    values.push(json!({ "choices": [], "usage": { "prompt_tokens": 12, "completion_tokens": 3,
                                                  "prompt_tokens_details": { "cached_tokens": 8 } } }));
    let done = vec![Part::Bytes(b"data: [DONE]\n\n".to_vec())];
    stream([events(&values), done].concat())
}

pub(crate) fn request(text: &str) -> Request {
    Request {
        role: "proposer".to_owned(),
        model: "m".to_owned(),
        system: "You propose.".to_owned(),
        messages: vec![Message::User { text: text.to_owned() }],
        tools: Vec::new(),
        form: Form::Text,
        max_tokens: 100,
        temperature: Some(0.5),
        seed: Some(7),
        stop: Vec::new(),
    }
}

/// Limits short enough to wait for.
pub(crate) fn short() -> Limits {
    let time = Duration::from_millis(300);
    Limits { connect: time, first: time, idle: time, total: Duration::from_secs(20), bytes: 1 << 16 }
}

pub(crate) const SECRET: &str = "sk-s3cret-0123456789";

/// A client of a server, with a key.
pub(crate) fn client(url: &str, limits: Limits) -> Http {
    let Target::Http { protocol, base, .. } = Target::parse(url).unwrap() else { panic!("{url} is no server") };
    Http::new(protocol, base, Key::new(SECRET), limits).unwrap()
}

pub(crate) fn ask(transport: &dyn Transport, request: &Request) -> Result<Reply, LlmError> {
    transport.ask(request, &mut |_| {})
}

/// A clock that goes on only by sleeping.
#[derive(Clone, Default)]
pub(crate) struct Still(pub(crate) Arc<Mutex<Vec<Duration>>>);

impl Clock for Still {
    fn now(&self) -> Duration {
        self.0.lock().unwrap().iter().sum()
    }

    fn sleep(&self, time: Duration) {
        self.0.lock().unwrap().push(time);
    }
}

/// Answers by a function of the request and of how often it was asked before.
pub(crate) struct By<F>(pub(crate) F, pub(crate) Mutex<usize>);

impl<F: Fn(&Request, usize) -> Result<Reply, LlmError> + Send + Sync> Transport for By<F> {
    fn ask(&self, request: &Request, _: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        let n = {
            let mut n = self.1.lock().unwrap();
            *n += 1;
            *n - 1
        };
        (self.0)(request, n)
    }
}

/// A transport of a function.
pub(crate) fn by<F: Fn(&Request, usize) -> Result<Reply, LlmError> + Send + Sync>(f: F) -> By<F> {
    By(f, Mutex::new(0))
}

pub(crate) fn reply(text: &str) -> Reply {
    let usage = genesys_llm::Usage { input: 10, cached: 0, output: 5, estimated: false };
    Reply { text: text.to_owned(), calls: Vec::new(), stop: genesys_llm::Stop::End, usage, model: "m".to_owned() }
}

pub(crate) fn busy(after: Option<u64>) -> LlmError {
    LlmError::Busy { status: 429, after: after.map(Duration::from_secs), says: "slow down".to_owned() }
}
