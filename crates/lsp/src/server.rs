//! The order of a session.
//!
//! Before `initialize` nothing is answered but with an error, behind `shutdown` nothing but `exit` is heard. Diagnostics
//! are published when no message waits, so that a burst of edits is checked once; a request that the client took back
//! while it waited is not worked on.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use serde_json::{Value, json};

use crate::route;
use crate::state::{Refusal, State};
use crate::transport::MALFORMED;

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// As the client asked, or it went away after it had asked.
    Asked,
    /// The client left, or its messages could not be told apart any more.
    Deserted,
}

/// Where a session stands.
enum Phase {
    Waiting,
    Running(Box<State>),
    ShutDown,
}

/// Serves a client until it leaves.
pub fn serve(connection: &Connection) -> Ended {
    let mut session = Session { connection, queue: VecDeque::new(), phase: Phase::Waiting };
    session.run()
}

struct Session<'c> {
    connection: &'c Connection,
    queue: VecDeque<Message>,
    phase: Phase,
}

impl Session<'_> {
    fn run(&mut self) -> Ended {
        loop {
            while let Ok(message) = self.connection.receiver.try_recv() {
                self.arrived(message);
            }
            let next = match self.queue.pop_front() {
                Some(message) => message,
                None if self.publish() => continue,
                None => match self.connection.receiver.recv() {
                    Ok(message) => message,
                    Err(_) => return self.ended(),
                },
            };
            match next {
                Message::Request(request) => self.request(request),
                Message::Notification(note) if note.method == "exit" => return self.ended(),
                Message::Notification(note) => self.notification(note),
                // Nothing is asked of the client that has an answer.
                Message::Response(_) => {}
            }
        }
    }

    fn ended(&self) -> Ended {
        match self.phase {
            Phase::ShutDown => Ended::Asked,
            Phase::Waiting | Phase::Running(_) => Ended::Deserted,
        }
    }

    /// Puts a message behind those that wait; one that takes a request back replaces it by its answer.
    fn arrived(&mut self, message: Message) {
        let Message::Notification(note) = &message else { return self.queue.push_back(message) };
        if note.method != "$/cancelRequest" {
            return self.queue.push_back(message);
        }
        let Some(id) = note.params.get("id").and_then(|id| serde_json::from_value::<RequestId>(id.clone()).ok()) else {
            return;
        };
        let waits = |waiting: &Message| matches!(waiting, Message::Request(request) if request.id == id);
        if let Some(at) = self.queue.iter().position(waits) {
            self.queue.remove(at);
            self.refuse(id, ErrorCode::RequestCanceled, "the client took the request back".into());
        }
    }

    /// Publishes the diagnostics of one text; whether there was one.
    fn publish(&mut self) -> bool {
        let Phase::Running(state) = &mut self.phase else { return false };
        let Some(uri) = state.unpublished.pop_first() else { return false };
        match guarded(|| route::publish(state, &uri)) {
            Ok(Some(params)) => self.notify("textDocument/publishDiagnostics", params),
            Ok(None) => {}
            Err(panic) => self.log(format!("this is a bug in genesys: {panic}, in the diagnostics of {uri}")),
        }
        true
    }

    fn request(&mut self, request: Request) {
        let (id, method) = (request.id, request.method);
        match (&mut self.phase, method.as_str()) {
            (Phase::Waiting, "initialize") => {
                let state = State::new(&request.params);
                let result = route::capabilities(&state);
                self.phase = Phase::Running(Box::new(state));
                self.answer(id, result);
            }
            (Phase::Waiting, _) => {
                self.refuse(id, ErrorCode::ServerNotInitialized, "expected `initialize` first".into());
            }
            (Phase::Running(_), "shutdown") => {
                self.phase = Phase::ShutDown;
                self.answer(id, Value::Null);
            }
            (Phase::ShutDown, _) => {
                self.refuse(id, ErrorCode::InvalidRequest, "expected `exit` behind `shutdown`".into());
            }
            (Phase::Running(_), "initialize") => {
                self.refuse(id, ErrorCode::InvalidRequest, "expected one `initialize`, found another".into());
            }
            (Phase::Running(state), _) => {
                let outcome = guarded(|| route::request(state, &method, request.params));
                self.outcome(id, &method, outcome);
            }
        }
    }

    fn outcome(&self, id: RequestId, method: &str, outcome: Result<Option<Result<Value, Refusal>>, String>) {
        match outcome {
            Ok(Some(Ok(result))) => self.answer(id, result),
            Ok(Some(Err(Refusal::Invalid(message)))) => self.refuse(id, ErrorCode::InvalidParams, message),
            Ok(Some(Err(Refusal::Failed(message)))) => self.refuse(id, ErrorCode::RequestFailed, message),
            Ok(None) => self.refuse(id, ErrorCode::MethodNotFound, format!("`{method}` is not known here")),
            Err(panic) => self.refuse(id, ErrorCode::InternalError, format!("this is a bug in genesys: {panic}")),
        }
    }

    fn notification(&mut self, note: Notification) {
        if note.method == MALFORMED {
            return self.malformed(&note.params);
        }
        let Phase::Running(state) = &mut self.phase else { return };
        match guarded(|| route::notification(state, &note.method, note.params)) {
            Ok(Ok(Some((method, params)))) => self.notify(method, params),
            Ok(Ok(None)) => {}
            Ok(Err(message)) => self.log(message),
            Err(panic) => self.log(format!("this is a bug in genesys: {panic}, in `{}`", note.method)),
        }
    }

    /// A message that cannot be read: answered where it has a number, else told.
    fn malformed(&self, found: &Value) {
        let message = found.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
        match found.get("id").and_then(|id| serde_json::from_value::<RequestId>(id.clone()).ok()) {
            Some(id) => self.refuse(id, ErrorCode::InvalidRequest, message),
            None => self.log(message),
        }
    }

    // A client that is gone is noticed when the next message is waited for.

    fn answer(&self, id: RequestId, result: Value) {
        let _ = self.connection.sender.send(Response { id, response_result: Ok(result) }.into());
    }

    fn refuse(&self, id: RequestId, code: ErrorCode, message: String) {
        let _ = self.connection.sender.send(Response::new_err(id, code as i32, message).into());
    }

    fn notify(&self, method: &str, params: Value) {
        let _ = self.connection.sender.send(Notification { method: method.to_owned(), params }.into());
    }

    fn log(&self, message: String) {
        self.notify("window/logMessage", json!({ "type": 1, "message": message }));
    }
}

/// Runs a handler; where it panics, the error says what the panic said.
fn guarded<T>(handler: impl FnOnce() -> T) -> Result<T, String> {
    // What a handler leaves half done is a cache that was not filled.
    catch_unwind(AssertUnwindSafe(handler)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_words() {
        assert_eq!(guarded(|| 1), Ok(1));
        let number = std::hint::black_box(7);
        assert_eq!(guarded(|| assert!(number > 7, "seven is {number}")), Err("seven is 7".into()));
    }

    #[test]
    fn a_handler_that_panics_is_answered_with_an_internal_error() {
        let (ours, theirs) = Connection::memory();
        let session = Session { connection: &ours, queue: VecDeque::new(), phase: Phase::Waiting };
        session.outcome(RequestId::from(3), "textDocument/hover", Err("no message".into()));
        let Ok(Message::Response(response)) = theirs.receiver.recv() else { unreachable!("it answers") };
        let error = response.response_result.expect_err("it is an error");
        assert_eq!((response.id, error.code), (RequestId::from(3), ErrorCode::InternalError as i32));
    }
}
