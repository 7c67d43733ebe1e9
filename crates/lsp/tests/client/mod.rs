//! A client in memory: it sends, waits for the answer, and keeps what it is told in between.
#![allow(clippy::unwrap_used, dead_code)] // each test file uses a part of it

use std::collections::VecDeque;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use genesys_lsp::{Connection, Ended, Message, serve};
use serde_json::{Value, json};

/// The text that most tests are about.
pub(crate) const DESIGN: &str = include_str!("../../../../designs/gla.gau");

/// What it is called.
pub(crate) const URI: &str = "file:///designs/gla.gau";

/// A client, and what `initialize` was answered with.
pub(crate) struct Started {
    pub(crate) client: Client,
    pub(crate) result: Value,
}

/// A client with a server of its own.
pub(crate) struct Client {
    connection: Connection,
    server: JoinHandle<Ended>,
    next: i32,
    told: VecDeque<(String, Value)>,
    pub(crate) version: i64,
}

impl Client {
    /// A client that has said nothing.
    pub(crate) fn bare() -> Started {
        let (ours, theirs) = Connection::memory();
        let server = thread::spawn(move || serve(&theirs));
        let client = Client { connection: ours, server, next: 0, told: VecDeque::new(), version: 0 };
        Started { client, result: Value::Null }
    }

    /// A client of these capabilities.
    pub(crate) fn with(capabilities: Value) -> Started {
        let mut client = Client::bare().client;
        let result = client.request("initialize", json!({ "capabilities": capabilities })).unwrap();
        client.notify("initialized", json!({}));
        Started { client, result }
    }

    /// A client that has opened a text.
    pub(crate) fn open(text: &str) -> Client {
        let mut client = Client::with(json!({})).client;
        client.opened(text);
        client
    }

    pub(crate) fn opened(&mut self, text: &str) {
        let item = json!({ "uri": URI, "languageId": "gau", "version": 0, "text": text });
        self.notify("textDocument/didOpen", json!({ "textDocument": item }));
    }

    pub(crate) fn change(&mut self, changes: Value) {
        self.version += 1;
        let document = json!({ "uri": URI, "version": self.version });
        self.notify("textDocument/didChange", json!({ "textDocument": document, "contentChanges": changes }));
    }

    pub(crate) fn notify(&mut self, method: &str, params: Value) {
        self.message(json!({ "method": method, "params": params }));
    }

    pub(crate) fn send(&mut self, method: &str, params: Value) -> i32 {
        self.next += 1;
        self.message(json!({ "id": self.next, "method": method, "params": params }));
        self.next
    }

    fn message(&mut self, message: Value) {
        self.connection.sender.send(serde_json::from_value(message).unwrap()).unwrap();
    }

    /// What a request is answered with: a result, or code and message of an error.
    pub(crate) fn request(&mut self, method: &str, params: Value) -> Result<Value, (i64, String)> {
        let id = self.send(method, params);
        self.response(id)
    }

    pub(crate) fn response(&mut self, id: i32) -> Result<Value, (i64, String)> {
        loop {
            let message = self.connection.receiver.recv().unwrap();
            if let Message::Notification(note) = &message {
                self.told.push_back((note.method.clone(), note.params.clone()));
                continue;
            }
            let message = serde_json::to_value(&message).unwrap();
            assert_eq!(message["id"], id, "answers come in the order of requests");
            return match message.get("error") {
                Some(error) => Err((error["code"].as_i64().unwrap(), error["message"].as_str().unwrap().to_owned())),
                None => Ok(message["result"].clone()),
            };
        }
    }

    fn told(&mut self, method: &str) -> Value {
        loop {
            let (found, params) = match self.told.pop_front() {
                Some(told) => told,
                None => match self.connection.receiver.recv().unwrap() {
                    Message::Notification(note) => (note.method, note.params),
                    other => panic!("expected `{method}`, found {other:?}"),
                },
            };
            if found == method {
                return params;
            }
        }
    }

    /// The next diagnostics, and the version that they are of.
    pub(crate) fn published(&mut self) -> (i64, Vec<Value>) {
        let params = self.told("textDocument/publishDiagnostics");
        (params["version"].as_i64().unwrap_or(-1), params["diagnostics"].as_array().unwrap().clone())
    }

    pub(crate) fn diagnostics(&mut self) -> Vec<Value> {
        self.published().1
    }

    /// Whether diagnostics of a text have come that nobody has asked for yet.
    pub(crate) fn was_told_of(&self, uri: &str) -> bool {
        self.told.iter().any(|(_, params)| params["uri"] == uri)
    }

    pub(crate) fn logged(&mut self) -> String {
        self.told("window/logMessage")["message"].as_str().unwrap().to_owned()
    }

    /// Asks every question about a place, each of which must have an answer that is no fault of the server.
    pub(crate) fn ask_all(&mut self, at: Value) {
        let mut with = at.clone();
        with["context"] = json!({ "includeDeclaration": true });
        let of = json!({ "textDocument": at["textDocument"] });
        let range = json!({ "start": at["position"], "end": at["position"] });
        let action = json!({ "textDocument": at["textDocument"], "range": range, "context": { "diagnostics": [] } });
        let hint = json!({ "textDocument": at["textDocument"], "range": range });
        for (method, params) in [
            ("textDocument/hover", &at),
            ("textDocument/definition", &at),
            ("textDocument/completion", &at),
            ("textDocument/references", &with),
            ("textDocument/documentSymbol", &of),
            ("textDocument/semanticTokens/full", &of),
            ("textDocument/codeAction", &action),
            ("textDocument/inlayHint", &hint),
        ] {
            if let Err((code, message)) = self.request(method, params.clone()) {
                panic!("{method} at {at}: {code} {message}");
            }
        }
        if let Err((code, message)) = self.request("textDocument/prepareRename", at.clone()) {
            assert_eq!(code, -32803, "{message}");
        }
    }

    /// Leaves, and gives what the server makes of it.
    pub(crate) fn ended(self) -> Ended {
        drop(self.connection);
        self.server.join().unwrap()
    }
}

/// The parameters that ask about a place of the text.
pub(crate) fn at(line: usize, character: usize) -> Value {
    json!({ "textDocument": { "uri": URI }, "position": { "line": line, "character": character } })
}

/// The same for a byte of a text, in units of UTF-16.
pub(crate) fn position(text: &str, offset: usize) -> Value {
    let before = &text[..offset];
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    at(before.matches('\n').count(), before[line..].encode_utf16().count())
}

/// The same for the first place of a piece of text.
pub(crate) fn place(text: &str, piece: &str) -> Value {
    position(text, text.find(piece).unwrap_or(0))
}

/// The same for the place of a `|`.
pub(crate) fn cursor(text: &str) -> Value {
    place(text, "|")
}

pub(crate) fn formatting() -> Value {
    json!({ "textDocument": { "uri": URI }, "options": { "tabSize": 4, "insertSpaces": true } })
}

fn byte(text: &str, position: &Value) -> usize {
    let line = position["line"].as_u64().unwrap() as usize;
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let units = position["character"].as_u64().unwrap() as usize;
    let mut count = 0;
    let within = text[start..].char_indices().find(|(_, c)| {
        count += c.len_utf16();
        count > units
    });
    start + within.map_or(text.len() - start, |(at, _)| at)
}

/// The text of a range.
pub(crate) fn words<'t>(text: &'t str, range: &Value) -> &'t str {
    &text[byte(text, &range["start"])..byte(text, &range["end"])]
}

/// The text after edits, which do not overlap.
pub(crate) fn edited(text: &str, edits: &Value) -> String {
    let mut edits: Vec<&Value> = edits.as_array().unwrap().iter().collect();
    edits.sort_by_key(|edit| std::cmp::Reverse(byte(text, &edit["range"]["start"])));
    edits.into_iter().fold(text.to_owned(), |mut out, edit| {
        let range = byte(text, &edit["range"]["start"])..byte(text, &edit["range"]["end"]);
        out.replace_range(range, edit["newText"].as_str().unwrap());
        out
    })
}

/// Every design that ships.
pub(crate) fn designs() -> Vec<(String, String)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../designs");
    let files = [root.clone(), root.join("mechanisms")].map(|folder| std::fs::read_dir(folder).unwrap());
    let paths = files.into_iter().flatten().map(|file| file.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|extension| extension == "gau"));
    let mut all: Vec<_> =
        paths.map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap())).collect();
    all.sort();
    assert!(all.len() > 60, "{}", all.len());
    all
}
