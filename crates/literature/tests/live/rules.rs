//! Pace, cache and the offline mode.

use genesys_literature::live::arxiv::{RULES, search};
use genesys_literature::live::{Cache, Caller, LiveError, Mode, Pace};

use super::arxiv::feed;
use super::server::{Plain, Server, Still, Told, ok};

/// Asks once; gives what was found, how often the network was used, and what was told.
fn ask(base: &str, cache: &Cache, mode: Mode, days: u64) -> (Result<usize, LiveError>, usize, Vec<String>) {
    let (fetch, clock) = (Plain::default(), Still::later(days));
    let mut caller = Caller::new(RULES, &fetch, &clock, Some(cache.clone()), mode);
    let found = search(&mut caller, base, "gates", 10).map(|found| found.len());
    (found, fetch.count.get(), caller.told().to_vec())
}

#[test]
fn what_was_answered_today_is_not_asked_again_and_offline_nothing_is() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path());
    let server = Server::of(vec![ok(feed(0, 2, 2)), ok(feed(0, 3, 3))]);
    let base = server.base.clone();
    let (found, asked, _) = ask(&base, &cache, Mode::Offline, 0);
    assert!(matches!(found, Err(LiveError::NotCached { server: "arXiv" })), "{found:?}");
    assert_eq!(asked, 0);
    let known = |mode, days| {
        let (found, asked, told) = ask(&base, &cache, mode, days);
        (found.unwrap(), asked, told.len())
    };
    assert_eq!(known(Mode::Online, 0), (2, 1, 0));
    assert_eq!(known(Mode::Online, 0), (2, 0, 0));
    assert_eq!(known(Mode::Offline, 300), (2, 0, 0));
    assert_eq!(known(Mode::Online, 1), (3, 1, 0), "a day later it is asked again");
    server.asked();
}

#[test]
fn an_old_answer_is_better_than_none_and_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path());
    let failing = (0..4).map(|_| Told::Whole(503, &[], b"down".to_vec()));
    let server = Server::of(std::iter::once(ok(feed(0, 2, 2))).chain(failing).collect());
    let base = server.base.clone();
    assert_eq!(ask(&base, &cache, Mode::Online, 0).0.unwrap(), 2);
    let (found, asked, told) = ask(&base, &cache, Mode::Online, 5);
    assert_eq!((found.unwrap(), asked), (2, 4));
    assert_eq!(told, ["arXiv refuses (503): down; this is its answer of 2026-11-27"]);
    server.asked();
}

#[test]
fn a_server_that_fails_is_in_trouble_whatever_the_cache_has_until_it_answers() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path());
    let refusal = |status| Told::Whole(status, &[], b"no".to_vec());
    // What was asked is at fault with 400, the key with 403.
    let answers = [ok(feed(0, 2, 2)), refusal(400), refusal(403), ok(feed(0, 2, 2))];
    let server = Server::of(answers.into_iter().collect());
    let troubled = |days| {
        let (fetch, clock) = (Plain::default(), Still::later(days));
        let mut caller = Caller::new(RULES, &fetch, &clock, Some(cache.clone()), Mode::Online);
        assert_eq!(search(&mut caller, &server.base, "gates", 10).unwrap().len(), 2, "day {days}");
        (caller.is_in_trouble(), caller.told().len())
    };
    assert_eq!([0, 2, 4, 6].map(troubled), [(false, 0), (false, 1), (true, 1), (false, 0)]);
    server.asked();
}

#[test]
fn what_cannot_be_read_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path());
    let server = Server::of((0..4).map(|_| ok("<html>a wall</html>")).collect());
    assert!(ask(&server.base, &cache, Mode::Online, 0).0.is_err());
    assert!(matches!(ask(&server.base, &cache, Mode::Offline, 0).0, Err(LiveError::NotCached { .. })));
    server.asked();
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let gone = Server::of(Vec::new());
    let base = gone.base.clone();
    gone.asked();
    let (found, asked, _) = ask(&base, &Cache::new(folder.path()), Mode::Online, 0);
    let error = found.unwrap_err();
    assert!(error.to_string().starts_with("arXiv does not answer: "), "{error}");
    assert_eq!(asked, 4);
}

#[test]
fn one_pace_is_kept_by_all_who_ask() {
    let server = Server::of((0..3).map(|_| ok(feed(0, 1, 1))).collect());
    let (fetch, clock) = (Plain::default(), Still::later(0));
    let mut pace = Pace::default();
    for _ in 0..3 {
        let mut caller = Caller::new(RULES, &fetch, &clock, None, Mode::Online).with_pace(pace);
        search(&mut caller, &server.base, "gates", 1).unwrap();
        pace = caller.pace();
    }
    assert_eq!(*clock.waits.borrow(), [3, 3]);
    server.asked();
}

#[test]
fn what_is_wrong_with_a_server_lasts_and_what_is_wrong_with_a_question_does_not() {
    let refused = |status| LiveError::Refused { server: "arXiv", status, message: String::new() }.lasts();
    assert_eq!([400, 401, 403, 404, 429, 500, 503].map(refused), [false, true, true, false, true, true, true]);
    assert!(!LiveError::NotCached { server: "arXiv" }.lasts());
}
