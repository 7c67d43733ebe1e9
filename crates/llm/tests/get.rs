//! Fetching an address: answers as they come, and headers that go nowhere else.
#![allow(clippy::unwrap_used)]

mod common;

use common::{SECRET, Server, response};
use genesys_llm::get::Getter;

fn moved(to: &str) -> Vec<common::Part> {
    response("302 Found", &format!("Location: {to}\r\n"), "moved")
}

#[test]
fn an_answer_comes_as_it_is_whatever_its_status_and_no_larger_than_is_asked() {
    let server = Server::new(vec![response("404 Not Found", "X-Told: yes\r\n", "nothing here")]);
    let got = Getter::new().unwrap().get(&server.url, &[], 7).unwrap();
    assert_eq!((got.status, got.body.as_slice()), (404, b"nothing".as_slice()));
    assert!(got.headers.contains(&("x-told".to_owned(), "yes".to_owned())), "{:?}", got.headers);
}

#[test]
fn redirects_are_followed_within_an_origin_and_no_key_leaves_it() {
    let elsewhere = Server::new(vec![response("200 OK", "", "stolen")]);
    let server = Server::new(vec![moved("/v1/there"), moved(&elsewhere.url)]);
    let got = Getter::new().unwrap().get(&server.url, &[("x-api-key", SECRET)], 100).unwrap();
    assert_eq!((got.status, got.body.as_slice()), (302, b"moved".as_slice()));
    assert!(server.head(1).starts_with("get /v1/there") && server.head(1).contains(SECRET), "{}", server.head(1));
    assert!(elsewhere.asked.lock().unwrap().is_empty());
}

#[test]
fn redirects_without_end_end() {
    let server = Server::new(vec![moved("/v1/again")]);
    assert_eq!(Getter::new().unwrap().get(&server.url, &[], 100).unwrap().status, 302);
    assert_eq!(server.asked.lock().unwrap().len(), 6);
}
