//! arXiv: pages of Atom, in arXiv's own form, and the ways in which it fails.

use genesys_literature::live::arxiv::{RULES, search};
use genesys_literature::live::{Caller, LiveError, Mode};
use genesys_literature::{Kind, Standing};

use super::server::{Plain, Server, Still, Told, ok};

/// A page as arXiv writes it: entries `from` to `to` of `total`.
pub(crate) fn feed(from: usize, to: usize, total: usize) -> String {
    let entries: String = (from..to).map(entry).collect();
    format!(
        r#"<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom">
  <id>https://arxiv.org/api/abc</id>
  <title>arXiv Query: search_query=all:gates&amp;start={from}</title>
  <updated>2026-11-27T00:00:00Z</updated>
  <link href="https://arxiv.org/api/query?x=1&amp;y=2" type="application/atom+xml"/>
  <opensearch:itemsPerPage>50</opensearch:itemsPerPage>
  <opensearch:totalResults>{total}</opensearch:totalResults>
  <opensearch:startIndex>{from}</opensearch:startIndex>
{entries}</feed>"#
    )
}

fn entry(number: usize) -> String {
    format!(
        r#"  <entry>
    <id>http://arxiv.org/abs/2901.{number:05}v3</id>
    <title>Invented Gates &amp; States,
  Part {number}</title>
    <updated>2029-01-02T00:00:00Z</updated>
    <link href="https://arxiv.org/abs/2901.{number:05}v3" rel="alternate" type="text/html"/>
    <summary>  An invented work &lt;about&gt; &#945;-gates.
  Its state fades.  </summary>
    <category term="cs.LG" scheme="http://arxiv.org/schemas/atom"/>
    <published>2029-01-01T00:00:00Z</published>
    <arxiv:comment>12 pages</arxiv:comment>
    <arxiv:primary_category term="cs.LG"/>
    <author>
      <name>Ann Invented</name>
      <arxiv:affiliation>Nowhere</arxiv:affiliation>
    </author>
    <category term="cs.CL" scheme="http://arxiv.org/schemas/atom"/>
    <author>
      <name>Bo Made-Up</name>
    </author>
  </entry>
"#
    )
}

fn ask(
    server: &Server,
    question: &str,
    limit: usize,
) -> (Result<Vec<genesys_literature::Document>, LiveError>, Vec<u64>) {
    let (fetch, clock) = (Plain::default(), Still::later(0));
    let mut caller = Caller::new(RULES, &fetch, &clock, None, Mode::Online);
    let found = search(&mut caller, &server.base, question, limit);
    (found, clock.waits.take())
}

#[test]
fn pages_follow_three_seconds_apart_until_there_is_enough() {
    let server = Server::of(vec![ok(feed(0, 50, 70)), ok(feed(50, 70, 70))]);
    let (found, waits) = ask(&server, "gates \"linear attention\" recurr*", 200);
    let found = found.unwrap();
    assert_eq!((found.len(), waits), (70, vec![3]));
    let asked = server.asked();
    assert!(
        asked[0].contains("search_query=all%3Agates%20AND%20all%3A%22linear%20attention%22%20AND%20all%3Arecurr%2A&")
    );
    assert!(asked[0].contains("start=0&max_results=50") && asked[1].contains("start=50&max_results=50"), "{asked:?}");
    assert!(asked[0].contains("User-Agent: genesys/"), "{asked:?}");
}

#[test]
fn an_entry_is_a_document_with_its_address_and_day() {
    let server = Server::of(vec![ok(feed(7, 8, 1))]);
    let one = ask(&server, "gates", 5).0.unwrap().remove(0);
    assert_eq!((one.key.as_str(), one.kind, one.year), ("arxiv:2901.00007", Kind::Arxiv, Some(2029)));
    assert_eq!(one.title, "Invented Gates & States, Part 7");
    assert_eq!(one.authors, ["Ann Invented", "Bo Made-Up"]);
    assert_eq!(one.tags, ["cs.LG", "cs.CL"]);
    assert_eq!(one.text, "An invented work <about> α-gates. Its state fades.");
    assert_eq!(one.source, "https://arxiv.org/abs/2901.00007");
    assert_eq!(one.standing, Standing::Retrieved("2026-11-27".to_owned()));
}

#[test]
fn where_not_all_words_occur_any_of_them_will_do() {
    let server = Server::of(vec![ok(feed(0, 0, 0)), ok(feed(0, 3, 3))]);
    assert_eq!(ask(&server, "gates unheard", 10).0.unwrap().len(), 3);
    assert!(server.asked()[1].contains("all%3Agates%20OR%20all%3Aunheard"));
    let server = Server::of(vec![ok(feed(0, 0, 0))]);
    assert_eq!(ask(&server, "unheard", 10).0.unwrap().len(), 0);
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_page_without_its_entries_is_asked_for_again() {
    let server = Server::of(vec![ok(feed(0, 0, 2)), Told::Cut, ok("<html>busy</html>"), ok(feed(0, 2, 2))]);
    let (found, waits) = ask(&server, "gates", 10);
    assert_eq!((found.unwrap().len(), waits), (2, vec![3, 6, 12]));
}

#[test]
fn an_error_that_comes_as_an_entry_is_told() {
    let body =
        feed(0, 1, 1).replace("/abs/2901.00000v3", "/api/errors#incorrect_id").replace("An invented work", "bad id");
    let server = Server::of((0..4).map(|_| ok(body.clone())).collect());
    let error = ask(&server, "gates", 10).0.unwrap_err();
    assert!(error.to_string().contains("it reports an error: bad id"), "{error}");
}

#[test]
fn rubbish_is_an_answer_that_cannot_be_read() {
    for body in [
        &b""[..],
        b"{}",
        b"<feed>",
        b"<feed></feed>",
        b"\xff\xfe",
        b"<?xml version='1.0'?><!DOCTYPE f [<!ENTITY a 'b'>]><f>&a;</f>",
    ] {
        let server = Server::of((0..4).map(|_| ok(body)).collect());
        let error = ask(&server, "gates", 10).0.unwrap_err();
        assert!(matches!(error, LiveError::Unreadable { .. }), "{error:?}");
        assert!(error.to_string().contains("cannot be read: expected"), "{error}");
    }
}
