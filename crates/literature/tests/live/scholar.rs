//! Semantic Scholar: pages of JSON, in its own form, and the ways in which it fails.

use genesys_literature::live::scholar::{KEY_HEADER, RULES, citations, references, search};
use genesys_literature::live::{Caller, LiveError, Mode};
use genesys_literature::{Document, Kind};
use serde_json::{Value, json};

use super::server::{Plain, Server, Still, Told, ok};

fn paper(number: usize) -> Value {
    json!({
        "paperId": format!("{number:040x}"),
        "externalIds": {"ArXiv": format!("2901.{number:05}"), "DOI": null, "CorpusId": number},
        "url": format!("https://www.semanticscholar.org/paper/{number:040x}"),
        "title": format!("Invented Work {number}"),
        "abstract": if number.is_multiple_of(2) { json!("An invented abstract.") } else { Value::Null },
        "venue": "",
        "year": if number.is_multiple_of(3) { Value::Null } else { json!(2029) },
        "authors": [{"authorId": "1", "name": "Ann Invented"}, {"authorId": null, "name": null}],
    })
}

/// A page of a search: works `from` to `to` of `total`.
fn page(from: usize, to: usize, total: usize) -> Told {
    let mut page = json!({"total": total, "offset": from, "data": (from..to).map(paper).collect::<Vec<_>>()});
    if to < total {
        page["next"] = json!(to);
    }
    ok(page.to_string())
}

fn with_caller<T>(mode: Mode, act: impl FnOnce(&mut Caller<'_>) -> T) -> (T, Vec<u64>) {
    let (fetch, clock) = (Plain::default(), Still::later(0));
    let done = act(&mut Caller::new(RULES, &fetch, &clock, None, mode).with_header(KEY_HEADER, "secret-key"));
    (done, clock.waits.take())
}

#[test]
fn pages_follow_as_next_says() {
    let server = Server::of(vec![page(0, 100, 250), page(100, 200, 250), page(200, 230, 250)]);
    let (found, waits) = with_caller(Mode::Online, |caller| search(caller, &server.base, "gates & states", 230));
    assert_eq!((found.unwrap().len(), waits), (230, vec![1, 1]));
    let asked = server.asked();
    assert!(
        asked[0].starts_with("GET /paper/search?query=gates%20%26%20states&fields=title,abstract,year,"),
        "{asked:?}"
    );
    assert!(asked[1].contains("&offset=100&limit=100") && asked[2].contains("&offset=200&limit=30"), "{asked:?}");
    assert!(asked.iter().all(|head| head.contains("x-api-key: secret-key")), "{asked:?}");
}

#[test]
fn a_work_is_a_document_whatever_it_lacks() {
    let server = Server::of(vec![page(0, 2, 2)]);
    let found: Vec<Document> = with_caller(Mode::Online, |caller| search(caller, &server.base, "x", 10)).0.unwrap();
    assert_eq!((found[0].year, found[1].year), (None, Some(2029)));
    assert_eq!(found[0].text, "An invented abstract.\narXiv:2901.00000");
    assert_eq!(found[1].text, "arXiv:2901.00001");
    assert_eq!((found[1].kind, found[1].authors.as_slice()), (Kind::SemanticScholar, &["Ann Invented".to_owned()][..]));
    assert!(found[1].source.starts_with("https://www.semanticscholar.org/paper/0"));
}

#[test]
fn references_and_citations_are_works_and_holes_are_left_out() {
    let cited = json!({"offset": 0, "data": [{"citedPaper": paper(1)}, {"citedPaper": {"paperId": null, "title": "x"}}, {"citedPaper": null}]});
    let citing = json!({"offset": 0, "next": 1, "data": [{"citingPaper": paper(2)}]});
    let last = json!({"offset": 1, "data": [{"citingPaper": paper(3)}]});
    let server = Server::of([cited, citing, last].map(|page| ok(page.to_string())).into());
    let (found, _) = with_caller(Mode::Online, |caller| {
        let back = references(caller, &server.base, "arXiv:2901.00001", 10).unwrap();
        (back, citations(caller, &server.base, "arXiv:2901.00001", 10).unwrap())
    });
    let titles = |found: &[Document]| found.iter().map(|one| one.title.clone()).collect::<Vec<_>>();
    assert_eq!(titles(&found.0), ["Invented Work 1"]);
    assert_eq!(titles(&found.1), ["Invented Work 2", "Invented Work 3"]);
    assert!(server.asked()[0].starts_with("GET /paper/arXiv%3A2901.00001/references?fields="));
}

#[test]
fn a_next_that_leads_nowhere_ends_it() {
    let around = json!({"offset": 0, "next": 0, "data": [paper(1)]}).to_string();
    let server = Server::of(vec![ok(around)]);
    assert_eq!(with_caller(Mode::Online, |caller| search(caller, &server.base, "x", 10)).0.unwrap().len(), 1);
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn where_it_is_busy_waits_double_or_are_as_long_as_it_says() {
    let busy = |headers| Told::Whole(429, headers, br#"{"message": "Too Many Requests"}"#.to_vec());
    let server = Server::of(vec![busy(&[]), busy(&[]), busy(&[("Retry-After", "17")]), page(0, 1, 1)]);
    let (found, waits) = with_caller(Mode::Online, |caller| search(caller, &server.base, "x", 10));
    assert_eq!((found.unwrap().len(), waits), (1, vec![2, 4, 17]));
    let server = Server::of((0..5).map(|_| busy(&[])).collect());
    let (found, waits) = with_caller(Mode::Online, |caller| search(caller, &server.base, "x", 10));
    assert_eq!(waits, [2, 4, 8, 16]);
    assert!(matches!(found, Err(LiveError::Refused { status: 429, .. })), "{found:?}");
}

#[test]
fn a_wait_beyond_all_patience_is_told_at_once() {
    let server = Server::of(vec![Told::Whole(429, &[("retry-after", "3600")], Vec::new())]);
    let error = with_caller(Mode::Online, |caller| search(caller, &server.base, "x", 10)).0.unwrap_err();
    assert!(error.to_string().contains("left alone for 3600 s"), "{error}");
}

#[test]
fn a_wrong_key_is_told_once_and_never_shown() {
    let server = Server::of(vec![Told::Whole(403, &[], br#"{"message": "Forbidden"}"#.to_vec())]);
    let error = with_caller(Mode::Online, |caller| search(caller, &server.base, "x", 10)).0.unwrap_err();
    let said = format!("{error} {error:?}");
    assert!(said.contains("(403)") && said.contains("check the key") && !said.contains("secret-key"), "{said}");
}

#[test]
fn a_wrong_schema_is_an_answer_that_cannot_be_read() {
    for body in ["[]", "{\"data\": 3}", "{\"data\": [", "null", "<html>"] {
        let server = Server::of((0..5).map(|_| ok(body)).collect());
        let error = with_caller(Mode::Online, |caller| search(caller, &server.base, "x", 10)).0.unwrap_err();
        assert!(matches!(error, LiveError::Unreadable { .. }), "{body}: {error:?}");
    }
}
