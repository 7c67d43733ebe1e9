//! `genesys lsp`: the real binary over standard input and output.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use common::{Run, command, design, finished};
use serde_json::{Value, json};

/// The binary as an editor starts it.
struct Server {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Server {
    fn start() -> Server {
        let mut child = command(["lsp", "--stdio"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Server { child, input, output }
    }

    fn raw(&mut self, bytes: impl AsRef<[u8]>) {
        let input = self.input.as_mut().unwrap();
        input.write_all(bytes.as_ref()).and_then(|()| input.flush()).unwrap();
    }

    fn body(&mut self, body: &str) {
        self.raw(format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    }

    fn send(&mut self, mut message: Value) {
        message["jsonrpc"] = json!("2.0");
        self.body(&message.to_string());
    }

    fn receive(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "the server left");
            match line.trim_end() {
                "" => break,
                header => length = header.strip_prefix("Content-Length: ").unwrap().parse().unwrap(),
            }
        }
        let mut body = vec![0; length];
        self.output.read_exact(&mut body).unwrap();
        let message: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(message["jsonrpc"], "2.0");
        message
    }

    fn initialize(&mut self) {
        self.send(json!({ "id": 1, "method": "initialize", "params": { "capabilities": {} } }));
        assert_eq!(self.receive()["result"]["serverInfo"]["name"], "genesys");
        self.send(json!({ "method": "initialized", "params": {} }));
    }

    /// Closes standard input and waits.
    fn end(mut self) -> Run {
        drop(self.input.take());
        let mut rest = Vec::new();
        self.output.read_to_end(&mut rest).unwrap();
        let output = self.child.wait_with_output().unwrap();
        finished(std::process::Output { stdout: rest, ..output })
    }
}

#[test]
fn a_session_over_standard_input_and_output_ends_with_status_0() {
    let mut server = Server::start();
    server.initialize();
    let text = std::fs::read_to_string(design("gpt.gau")).unwrap().replace("past(k)", "past(kk)");
    let item = json!({ "uri": "file:///gpt.gau", "languageId": "gau", "version": 1, "text": text });
    server.send(json!({ "method": "textDocument/didOpen", "params": { "textDocument": item } }));
    let told = server.receive();
    assert_eq!(told["method"], "textDocument/publishDiagnostics");
    assert_eq!(told["params"]["diagnostics"][0]["code"], "unknown-name");
    server.send(json!({ "id": "a", "method": "shutdown" }));
    assert_eq!(server.receive(), json!({ "jsonrpc": "2.0", "id": "a", "result": null }));
    server.send(json!({ "method": "exit" }));
    let run = server.end();
    assert_eq!((run.status, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""));
}

#[test]
fn what_is_no_message_is_told_and_the_next_is_answered() {
    let mut server = Server::start();
    server.initialize();
    server.body("{ not json");
    assert_eq!(server.receive()["method"], "window/logMessage");
    server.body("{\"id\": 7, \"method\": 5}");
    let refused = server.receive();
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(7), &json!(-32600)));
    server
        .send(json!({ "id": 8, "method": "textDocument/hover", "params": { "textDocument": { "uri": "not a uri" } } }));
    assert_eq!(server.receive()["error"]["code"], -32602);
    server.send(json!({ "id": 9, "method": "shutdown" }));
    assert_eq!(server.receive()["id"], 9);
    // Input that ends behind a shutdown is an end as asked for.
    assert_eq!(server.end().status, 0);
}

#[test]
fn a_client_that_leaves_or_loses_the_thread_ends_it_with_status_1() {
    let mut server = Server::start();
    server.initialize();
    let run = server.end();
    assert!(run.status == 1 && run.stderr.contains("without a shutdown"), "{run:?}");
    let mut server = Server::start();
    server.send(json!({ "method": "exit" }));
    assert_eq!(server.end().status, 1);
    let mut server = Server::start();
    server.initialize();
    server.raw("no header at all\r\n\r\n");
    let status = server.child.wait().unwrap().code();
    assert_eq!(status, Some(1), "it does not wait for what it could not read");
}
