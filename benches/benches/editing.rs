//! How soon an editor has the diagnostics of an edit: `cargo bench -p benches --bench editing`.
//!
//! In: a design of 5.3 kilobytes, open in a language server in memory. Out: for each kind of edit the median and the 99th
//! percentile of the milliseconds from the change to its diagnostics, over the whole way: message, text, check, message.
//! Edits come in pairs, of which the second takes the first back, at places all over the text.
#![allow(clippy::print_stdout)] // what is measured is printed

use std::thread;
use std::time::Instant;

use benches as _;
use genesys_lsp::{Connection, Message, serve};
use serde_json::{Value, json};

const TEXT: &str = include_str!("../designs/hybrid.gau");
const URI: &str = "file:///hybrid.gau";

/// Pairs of edits of a kind.
const PAIRS: usize = 1000;

fn main() {
    let (client, server) = Connection::memory();
    let server = thread::spawn(move || serve(&server));
    send(&client, json!({ "id": 1, "method": "initialize", "params": { "capabilities": {} } }));
    let item = json!({ "uri": URI, "languageId": "gau", "version": 0, "text": TEXT });
    send(&client, json!({ "method": "textDocument/didOpen", "params": { "textDocument": item } }));
    await_diagnostics(&client);
    println!("| edit | p50, ms | p99, ms | diagnostics |");
    println!("| --- | --- | --- | --- |");
    for (kind, typed) in [("a blank", " "), ("a letter", "z"), ("a bracket that closes nothing", ")")] {
        let mut times = Vec::new();
        let mut found = 0;
        for pair in 0..PAIRS {
            let at = place(pair * TEXT.len() / PAIRS);
            let behind = json!({ "line": at["line"], "character": at["character"].as_u64().unwrap_or(0) + 1 });
            for (to, text) in [(at.clone(), typed), (behind, "")] {
                let begun = Instant::now();
                change(&client, &json!([{ "range": { "start": at, "end": to }, "text": text }]));
                found += await_diagnostics(&client);
                times.push(begun.elapsed().as_secs_f64() * 1e3);
            }
        }
        times.sort_by(f64::total_cmp);
        let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
        println!("| {kind} | {p50:.2} | {p99:.2} | {found} |");
    }
    drop(client);
    server.join().expect("the server ends with its client");
}

/// Line and column of a byte; the design is ASCII.
fn place(offset: usize) -> Value {
    let before = &TEXT[..offset];
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    json!({ "line": before.matches('\n').count(), "character": offset - line })
}

fn change(client: &Connection, changes: &Value) {
    let document = json!({ "uri": URI, "version": 1 });
    let params = json!({ "textDocument": document, "contentChanges": changes });
    send(client, json!({ "method": "textDocument/didChange", "params": params }));
}

fn send(client: &Connection, message: Value) {
    let message = serde_json::from_value(message).expect("a message of the protocol");
    client.sender.send(message).expect("the server listens");
}

/// Waits for the next diagnostics, and counts them.
fn await_diagnostics(client: &Connection) -> usize {
    loop {
        match client.receiver.recv().expect("the server answers") {
            Message::Notification(note) if note.method == "textDocument/publishDiagnostics" => {
                return note.params["diagnostics"].as_array().map_or(0, Vec::len);
            }
            Message::Notification(_) | Message::Request(_) | Message::Response(_) => {}
        }
    }
}
