//! A local server that gives the answers it was told to, one a connection, and notes what it was asked; and what speaks to it.

use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use genesys_literature::live::{Answer, Clock, Fetch};

/// An answer that is told to the server.
pub(crate) enum Told {
    /// Status, further headers, body.
    Whole(u16, &'static [(&'static str, &'static str)], Vec<u8>),
    /// The connection ends after the head, though more was promised.
    Cut,
}

/// An answer of status 200.
pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Told {
    Told::Whole(200, &[], body.into())
}

/// A server on a port of this machine.
pub(crate) struct Server {
    pub(crate) base: String,
    serving: JoinHandle<Vec<String>>,
}

impl Server {
    /// Gives `answers` in this order, and then is gone.
    pub(crate) fn of(answers: Vec<Told>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let serve = move || answers.into_iter().map(|answer| one(listener.accept().unwrap().0, &answer)).collect();
        Self { base, serving: std::thread::spawn(serve) }
    }

    /// The requests it got, head and all, after the last answer.
    pub(crate) fn asked(self) -> Vec<String> {
        self.serving.join().unwrap()
    }
}

fn one(stream: TcpStream, answer: &Told) -> String {
    let mut reader = BufReader::new(&stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
    match answer {
        Told::Cut => write!(&stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<feed").unwrap(),
        Told::Whole(status, headers, body) => {
            let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            write!(&stream, "HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n", body.len()).unwrap();
            (&stream).write_all(body).unwrap();
        }
    }
    head
}

/// Fetches from such servers, counting.
#[derive(Default)]
pub(crate) struct Plain {
    pub(crate) count: Cell<usize>,
}

impl Fetch for Plain {
    fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
        self.count.set(self.count.get() + 1);
        let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let stream = TcpStream::connect(host).map_err(|error| error.to_string())?;
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        write!(&stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n").unwrap();
        answer(stream).ok_or_else(|| "the answer ended too early".to_owned())
    }
}

fn answer(stream: TcpStream) -> Option<Answer> {
    let mut reader = BufReader::new(stream);
    let mut lines = std::iter::from_fn(|| {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        Some(line.trim_end().to_owned())
    });
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let header = |line: String| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    let headers: Vec<_> = lines.take_while(|line| !line.is_empty()).filter_map(header).collect();
    let length: usize = headers.iter().find(|(name, _)| name == "Content-Length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Answer { status, headers, body })
}

/// A clock that stands still but for what is waited.
pub(crate) struct Still {
    now: Cell<Duration>,
    pub(crate) waits: RefCell<Vec<u64>>,
}

impl Still {
    /// At noon of the 27th of November 2026, so many days later.
    pub(crate) fn later(days: u64) -> Self {
        let now = Duration::from_secs((20_784 + days) * 86_400 + 43_200);
        Self { now: Cell::new(now), waits: RefCell::default() }
    }
}

impl Clock for Still {
    fn now(&self) -> Duration {
        self.now.get()
    }

    fn wait(&self, time: Duration) {
        self.waits.borrow_mut().push(time.as_secs());
        self.now.set(self.now.get() + time);
    }
}
