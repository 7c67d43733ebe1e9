//! A server that speaks as Semantic Scholar does, for as long as it is wanted.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A server on a port of this machine.
pub struct Scholar {
    /// Where it answers.
    pub url: String,
    told: Arc<Told>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Told {
    /// The one work that it knows, as JSON; none where it is in trouble.
    work: Mutex<Option<String>>,
    /// When it was asked.
    asked: Mutex<Vec<Instant>>,
    over: AtomicBool,
}

impl Scholar {
    /// One that finds the work of that number and title for each question that has the word `okapi`.
    pub fn knowing(id: &str, title: &str, says: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let told = Arc::new(Told::default());
        let serving = Arc::clone(&told);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.over.load(Ordering::SeqCst) {
                    return;
                }
                serving.answer(&stream.unwrap());
            }
        });
        let server = Self { url, told, thread: Some(thread) };
        server.knows(id, title, says);
        server
    }

    /// From now on it finds another work.
    pub fn knows(&self, id: &str, title: &str, says: &str) {
        let work = serde_json::json!({ "paperId": id, "title": title, "year": 2029, "abstract": says });
        *self.told.work.lock().unwrap() = Some(work.to_string());
    }

    /// From now on it is in trouble.
    pub fn fails(&self) {
        *self.told.work.lock().unwrap() = None;
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.told.asked.lock().unwrap().len()
    }

    /// The shortest time between two of the last requests, so many of them.
    pub fn least_pause(&self, last: usize) -> Duration {
        let asked = self.told.asked.lock().unwrap();
        let times = &asked[asked.len() - last..];
        times.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap()
    }
}

impl Told {
    fn answer(&self, stream: &TcpStream) {
        let mut head = BufReader::new(stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
        let Some(first) = head.next() else { return };
        head.for_each(drop);
        self.asked.lock().unwrap().push(Instant::now());
        let (status, body) = match &*self.work.lock().unwrap() {
            None => ("503 Service Unavailable\r\nRetry-After: 0", "down".to_owned()),
            Some(work) if first.contains("okapi") => {
                ("200 OK", format!(r#"{{"total": 1, "offset": 0, "data": [{work}]}}"#))
            }
            Some(_) => ("200 OK", r#"{"total": 0, "offset": 0, "data": []}"#.to_owned()),
        };
        let length = body.len();
        let mut stream = stream;
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").unwrap();
    }
}

impl Drop for Scholar {
    fn drop(&mut self) {
        self.told.over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.url.trim_start_matches("http://")));
        self.thread.take().unwrap().join().unwrap();
    }
}
