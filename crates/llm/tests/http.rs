//! Servers that speak chat completions and messages, and servers that do not behave.
#![allow(clippy::unwrap_used)]

mod common;

use common::{JSON, Part, SECRET, Server, ask, client, events, request, response, said, short, stream};
use genesys_llm::http::Http;
use genesys_llm::{Form, Held, Key, LlmError, Message, Request, Stop, Target, Tool, ToolCall, Usage};
use serde_json::json;

fn bytes(text: &str) -> Part {
    Part::Bytes(text.as_bytes().to_vec())
}

/// What comes of asking a server that answers so.
fn told(answer: Vec<Part>) -> LlmError {
    let server = Server::new(vec![answer]);
    ask(&client(&server.url, short()), &request("hello")).unwrap_err()
}

#[test]
fn a_completion_comes_in_pieces() {
    let server = Server::new(vec![said(&["Lin", "ear ", "attention\u{2026}"], "stop")]);
    let mut pieces = Vec::new();
    let transport = client(&server.url, short());
    let reply =
        genesys_llm::Transport::ask(&transport, &request("hello"), &mut |piece| pieces.push(piece.to_owned())).unwrap();
    assert_eq!(pieces, ["Lin", "ear ", "attention\u{2026}"]);
    assert_eq!((reply.text.as_str(), reply.stop, reply.model.as_str()), ("Linear attention\u{2026}", Stop::End, "m-1"));
    assert_eq!(reply.usage, Usage { input: 12, cached: 8, output: 3, estimated: false });
    let (head, body) = (server.head(0), server.body(0));
    assert!(head.starts_with("post /v1/chat/completions http/1.1"), "{head}");
    assert!(head.contains(&format!("authorization: bearer {SECRET}")), "{head}");
    assert_eq!(body["messages"][0], json!({ "role": "system", "content": "You propose." }));
    assert_eq!(body["messages"][1], json!({ "role": "user", "content": "hello" }));
    assert_eq!((&body["max_tokens"], &body["seed"], &body["temperature"]), (&json!(100), &json!(7), &json!(0.5)));
}

#[test]
fn forms_and_tools_go_as_the_server_takes_them() {
    let server = Server::new(vec![said(&["{}"], "stop")]);
    let transport = client(&server.url, short());
    let schema = json!({ "type": "object" });
    let form = Form::Schema { name: "review".into(), schema: schema.clone() };
    ask(&transport, &Request { form, ..request("a") }).unwrap();
    assert_eq!(
        server.body(0)["response_format"]["json_schema"],
        json!({ "name": "review", "schema": schema, "strict": true })
    );
    let form = Form::Grammar { gbnf: "root ::= \"a\"".into() };
    ask(&transport, &Request { form, ..request("a") }).unwrap();
    assert_eq!(server.body(1)["grammar"], "root ::= \"a\"");
    assert_eq!(server.body(1)["guided_grammar"], "root ::= \"a\"");
    assert_eq!(server.body(1)["structured_outputs"], json!({ "grammar": "root ::= \"a\"" }));
    let call = ToolCall { id: "c1".into(), name: "look".into(), arguments: json!({ "x": 1 }) };
    let messages = vec![
        Message::User { text: "a".into() },
        Message::Model { text: String::new(), calls: vec![call] },
        Message::Tool { call: "c1".into(), text: "seen".into() },
    ];
    let tools = vec![Tool { name: "look".into(), about: "Looks.".into(), schema: json!({}) }];
    ask(&transport, &Request { messages, tools, ..request("a") }).unwrap();
    let body = server.body(2);
    assert_eq!(body["tools"][0]["function"]["name"], "look");
    assert_eq!(body["messages"][2]["tool_calls"][0]["function"], json!({ "name": "look", "arguments": "{\"x\":1}" }));
    assert_eq!(body["messages"][3], json!({ "role": "tool", "tool_call_id": "c1", "content": "seen" }));
}

#[test]
fn what_is_not_of_the_schema_is_told_with_its_place_and_the_reply() {
    let number = json!({ "type": "integer", "maximum": 5 });
    let schema = json!({ "type": "object", "properties": { "rating": number }, "required": ["rating"] });
    let asked = Request { form: Form::Schema { name: "review".into(), schema }, ..request("Rate it.") };
    let server = Server::new(vec![
        said(&["```json\n{\"rating\": ", "9}\n```"], "stop"),
        said(&["{\"rating\": 9"], "length"),
        said(&["```json\n{\"rating\": 4}\n```"], "stop"),
    ]);
    let held = Held(client(&server.url, short()));
    let error = ask(&held, &asked).unwrap_err();
    assert!(!error.passes() && !error.is_before_work() && !error.is_input());
    let LlmError::Misfit { misfit, reply } = error else { panic!("{error:?}") };
    assert_eq!(misfit.to_string(), "at `rating`: expected an integer of 5 or less, found `9`");
    assert_eq!((reply.text.as_str(), reply.usage.output), ("```json\n{\"rating\": 9}\n```", 3));
    assert_eq!(ask(&held, &asked).unwrap().stop, Stop::Length, "what is cut off says so itself");
    assert_eq!(ask(&held, &asked).unwrap().text, "{\"rating\": 4}");
    assert!(ask(&held, &request("Say it.")).is_ok(), "where no schema is asked for, any answer is one");
    let wrong = Form::Schema { name: "review".into(), schema: json!({ "type": "string", "pattern": "a" }) };
    let told = ask(&held, &Request { form: wrong, ..request("a") }).unwrap_err().to_string();
    assert!(told.contains("`review`") && told.contains("`pattern`"), "{told}");
    assert_eq!(server.asked.lock().unwrap().len(), 4, "it is refused before anything is asked");
}

#[test]
fn calls_come_in_pieces_and_what_is_no_json_is_kept_as_text() {
    let call = |delta: serde_json::Value| json!({ "choices": [{ "delta": { "tool_calls": [delta] } }] });
    let values = [
        call(json!({ "index": 0, "id": "c1", "function": { "name": "look", "arguments": "" } })),
        call(json!({ "index": 0, "function": { "arguments": "{\"x\":" } })),
        call(json!({ "index": 1, "id": "c2", "function": { "name": "broken", "arguments": "{\"x\"" } })),
        call(json!({ "index": 0, "function": { "arguments": " 1}" } })),
        json!({ "choices": [{ "delta": {}, "finish_reason": "tool_calls" }] }),
    ];
    let server = Server::new(vec![stream(events(&values))]);
    let reply = ask(&client(&server.url, short()), &request("a")).unwrap();
    let calls: Vec<_> =
        reply.calls.iter().map(|call| (call.id.as_str(), call.name.as_str(), &call.arguments)).collect();
    assert_eq!(calls, [("c1", "look", &json!({ "x": 1 })), ("c2", "broken", &json!("{\"x\""))]);
    assert_eq!(reply.stop, Stop::Tools);
    assert!(reply.usage.estimated, "the server told no tokens");
}

#[test]
fn a_server_that_does_not_stream_is_understood() {
    let choice = json!({ "message": { "role": "assistant", "content": "whole" }, "finish_reason": "length" });
    let body = json!({ "model": "m", "choices": [choice], "usage": { "prompt_tokens": 1, "completion_tokens": 2 } });
    let server = Server::new(vec![response("200 OK", JSON, &body.to_string())]);
    let reply = ask(&client(&server.url, short()), &request("a")).unwrap();
    assert_eq!((reply.text.as_str(), reply.stop, reply.usage.output), ("whole", Stop::Length, 2));
}

#[test]
fn messages_come_in_pieces_and_a_schema_is_a_tool() {
    let usage = json!({ "input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 1 });
    let values = [
        json!({ "type": "message_start", "message": { "model": "c-1", "usage": usage } }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
        json!({ "type": "ping" }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "thinking" } }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "content_block_start", "index": 1,
                "content_block": { "type": "tool_use", "id": "t1", "name": "review", "input": {} } }),
        json!({ "type": "content_block_delta", "index": 1, "delta": { "type": "input_json_delta", "partial_json": "{\"rating\"" } }),
        json!({ "type": "content_block_delta", "index": 1, "delta": { "type": "input_json_delta", "partial_json": ": 4}" } }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "tool_use" }, "usage": { "output_tokens": 20 } }),
        json!({ "type": "a_later_kind" }),
        json!({ "type": "message_stop" }),
    ];
    let server = Server::new(vec![stream(events(&values))]);
    let form = Form::Schema { name: "review".into(), schema: json!({ "type": "object" }) };
    // With the version in it, or without.
    let url = format!("anthropic+{}#c", server.url);
    ask(&client(&url, short()), &Request { form: form.clone(), ..request("a") }).unwrap();
    assert!(server.head(0).starts_with("post /v1/messages"), "{}", server.head(0));
    let url = format!("anthropic+{}#c", server.url.trim_end_matches("/v1"));
    let reply = ask(&client(&url, short()), &Request { form, ..request("a") }).unwrap();
    assert_eq!((reply.text.as_str(), reply.stop, reply.model.as_str()), ("{\"rating\": 4}", Stop::End, "c-1"));
    assert_eq!(reply.usage, Usage { input: 12, cached: 7, output: 20, estimated: false });
    let (head, body) = (server.head(1), server.body(1));
    assert!(head.starts_with("post /v1/messages") && head.contains("anthropic-version: 2023-06-01"), "{head}");
    assert!(head.contains(&format!("x-api-key: {SECRET}")) && !head.contains("authorization"), "{head}");
    assert_eq!(body["tool_choice"], json!({ "type": "tool", "name": "review" }));
    assert_eq!(body["system"], "You propose.");
}

#[test]
fn statuses_say_what_to_do() {
    let error = |says: &str| json!({ "error": { "message": says, "type": "kind" } }).to_string();
    let key = told(response("401 Unauthorized", JSON, &error("bad key")));
    assert!(matches!(key, LlmError::Key { variable: "GENESYS_LLM_KEY", sent: true, .. }), "{key:?}");
    let refused = told(response("400 Bad Request", JSON, &error("context of 4096 tokens is too small")));
    assert!(refused.to_string().contains("(status 400): context of 4096 tokens is too small (kind)"), "{refused}");
    for (status, says, out) in [
        ("404 Not Found", "no model x", "is the model's name right behind `#`"),
        ("402 Payment Required", "no credits", "pay for more"),
        ("400 Bad Request", "prompt is too long: 9 tokens > 8", "say less, or take a model that reads more"),
        ("413 Payload Too Large", "", "say less, or take a model that reads more"),
    ] {
        let error = told(response(status, JSON, &error(says)));
        let told = error.to_string();
        assert!(told.contains(says) && told.contains(out) && error.is_input() && !error.passes(), "{told}");
    }
    let quota = told(response(
        "429 Too Many Requests",
        JSON,
        &json!({ "error": { "message": "no", "code": "insufficient_quota" } }).to_string(),
    ));
    assert!(matches!(&quota, LlmError::Refused { .. }) && !quota.passes(), "{quota:?}");
    let busy = told(response("429 Too Many Requests", &format!("{JSON}Retry-After: 7\r\n"), &error("slow")));
    assert_eq!(busy.after().unwrap().as_secs(), 7);
    let dates = "Date: Wed, 21 Oct 2026 07:28:00 GMT\r\nRetry-After: Wed, 21 Oct 2026 07:28:30 GMT\r\n";
    assert_eq!(told(response("503 Service Unavailable", dates, "")).after().unwrap().as_secs(), 30);
    assert!(told(response("529 Overloaded", JSON, &error("overloaded"))).passes());
    assert!(
        told(response("500 Internal Server Error", "", "<html>oops</html>")).to_string().contains("<html>oops</html>")
    );
}

#[test]
fn no_key_goes_where_a_server_redirects_to() {
    let elsewhere = Server::new(vec![said(&["stolen"], "stop")]);
    let headers = format!("Location: {}/chat/completions\r\n", elsewhere.url);
    let error = told(response("307 Temporary Redirect", &headers, ""));
    assert!(error.to_string().contains("it redirects to http://127.0.0.1"), "{error}");
    assert!(elsewhere.asked.lock().unwrap().is_empty());
}

#[test]
fn a_server_that_hangs_is_given_up() {
    let silent = |error: LlmError| match error {
        LlmError::Silent { what, .. } => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(silent(told(vec![Part::Hang])), "the first byte");
    let piece = json!({ "choices": [{ "delta": { "content": "a" } }] });
    assert_eq!(silent(told(stream([events(&[piece]), vec![Part::Hang]].concat()))), "more of the answer");
    let half = told(vec![bytes("HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\nha"), Part::Hang]);
    assert!(matches!(half, LlmError::Busy { status: 500, .. }), "a status is enough: {half:?}");
}

#[test]
fn answers_that_are_none_are_told() {
    let piece = json!({ "choices": [{ "delta": { "content": "a" } }] });
    assert!(matches!(told(stream(events(std::slice::from_ref(&piece)))), LlmError::CutOff(_)), "it ended too early");
    assert!(matches!(told(stream(vec![bytes("data: {\"choices\": [")])), LlmError::CutOff(_)), "in an event");
    let chunked =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n40\r\ndata: {";
    assert!(matches!(told(vec![bytes(chunked)]), LlmError::CutOff(_)), "in a chunk");
    assert!(matches!(told(stream(vec![Part::Bytes(b"data: \xff\xfe\n\n".to_vec())])), LlmError::Malformed(_)));
    assert!(matches!(told(stream(vec![bytes("data: hello\n\n")])), LlmError::Malformed(_)));
    assert!(matches!(
        told(response("200 OK", "Content-Type: text/html\r\n", "<p>Welcome</p>")),
        LlmError::Malformed(_)
    ));
    assert!(matches!(told(response("200 OK", JSON, "[]")), LlmError::Malformed(_)));
    let error = told(stream(events(&[piece, json!({ "error": { "message": "out of memory" } })])));
    assert!(error.to_string().contains("out of memory") && error.passes(), "{error}");
    let endless = Part::Endless(b"data: {\"choices\":[{\"delta\":{\"content\":\"again and again \"}}]}\n\n".to_vec());
    assert!(matches!(told(stream(vec![endless])), LlmError::TooLarge { limit: 65_536 }));
    assert!(
        matches!(told(stream(vec![Part::Endless(b"x".to_vec())])), LlmError::TooLarge { .. }),
        "a line without end"
    );
}

#[test]
fn what_is_cut_short_or_refused_is_a_reply_that_says_so() {
    let server = Server::new(vec![said(&["half a"], "length")]);
    assert_eq!(ask(&client(&server.url, short()), &request("a")).unwrap().stop, Stop::Length);
    let values = [json!({ "choices": [{ "delta": { "refusal": "I will not." }, "finish_reason": "stop" }] })];
    let server = Server::new(vec![stream(events(&values))]);
    let reply = ask(&client(&server.url, short()), &request("a")).unwrap();
    assert_eq!((reply.stop, reply.text.as_str()), (Stop::Refused, "I will not."));
}

#[test]
fn where_nothing_answers_the_address_is_told() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = ask(&client(&format!("http://{closed}/v1"), short()), &request("a")).unwrap_err();
    assert!(
        matches!(&error, LlmError::Unreachable { .. }) && error.to_string().contains(&closed.to_string()),
        "{error:?}"
    );
}

#[test]
fn no_key_goes_over_a_network_in_the_clear() {
    let made = |url: &str, key: Option<Key>| {
        let Target::Http { protocol, base, .. } = Target::parse(url).unwrap() else { panic!("{url} is no server") };
        Http::new(protocol, base, key, short()).map(drop)
    };
    for url in
        ["http://10.0.0.1/v1", "http://host/v1", "http://localhost.example/v1", "anthropic+http://[2001:db8::1]/#m"]
    {
        let told = made(url, Key::new(SECRET)).unwrap_err().to_string();
        assert!(told.contains("the key in GENESYS_LLM_KEY") && told.contains("in the clear"), "{told}");
        assert!(told.contains("https://") && !told.contains(SECRET), "{told}");
        assert!(made(url, None).is_ok(), "without a key nothing is given away");
        assert!(made(&url.replace("http:", "https:"), Key::new(SECRET)).is_ok());
    }
    let own = made("http://api.openai.com/v1", Key::new(SECRET)).unwrap_err().to_string();
    assert!(own.contains("OPENAI_API_KEY would go to api.openai.com"), "{own}");
    for url in ["http://localhost:1/v1", "http://127.0.0.9/v1", "http://[::1]/v1", "http://a.localhost/v1"] {
        assert!(made(url, Key::new(SECRET)).is_ok(), "{url}");
    }
}

#[test]
fn no_error_shows_the_key() {
    let echo = |status: &str| {
        let body = json!({ "error": { "message": format!("bad: {SECRET}") } }).to_string();
        response(status, &format!("{JSON}Location: http://elsewhere/?key={SECRET}\r\n"), &body)
    };
    let statuses =
        ["302 Found", "400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found", "429 Slow", "500 Oops"];
    let answers = statuses.map(echo).into_iter().chain([
        response("200 OK", JSON, &format!("\"{SECRET}\"")),
        stream(vec![bytes(&format!("data: {SECRET}\n\n"))]),
        stream(events(&[json!({ "error": { "message": SECRET } })])),
        stream(events(&[json!({ "no": SECRET })])),
        vec![bytes(&format!("HTTP/1.1 {SECRET}\r\n\r\n"))],
        vec![Part::Hang],
    ]);
    for answer in answers {
        let error = told(answer);
        assert!(!format!("{error} {error:?}").contains(SECRET), "{error:?}");
    }
    // A message that is cut does not show the beginning of it, wherever the cut comes.
    for (status, cut) in [("400 Bad Request", 500), ("200 OK", 200)] {
        for before in cut - SECRET.len()..cut {
            let error = told(response(status, "", &format!("{}{SECRET}", "x".repeat(before))));
            assert!(!error.to_string().contains("xsk-"), "{before}: {error}");
        }
    }
    let server = Server::new(vec![said(&["your key is ", SECRET], "stop")]);
    assert_eq!(ask(&client(&server.url, short()), &request("a")).unwrap().text, "your key is (key)");
}
