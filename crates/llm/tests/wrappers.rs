//! Recordings, other tries, limits, ensembles, bills.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Server, Still, ask, busy, by, client, reply, request, said, short};
use genesys_llm::ensemble::{Ensemble, Member, together};
use genesys_llm::ledger::{Metered, Spent};
use genesys_llm::record::{Lines, Recorder, Replay};
use genesys_llm::retry::{Patience, Retry};
use genesys_llm::throttle::{Limits, Throttle, Wall};
use genesys_llm::{Cap, Ledger, LlmError, Money, Prices, Transport, Usage};

#[test]
fn what_is_recorded_is_replayed_in_its_order_failures_included() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.jsonl");
    let answers = |n: usize| if n == 0 { Err(busy(Some(1))) } else { Ok(reply(&format!("answer {n}"))) };
    let live = Recorder::new(by(move |_, n| answers(n)), Lines::open(&path).unwrap());
    let first: Vec<_> = ["a", "a", "b", "a"].iter().map(|text| ask(&live, &request(text))).collect();
    let replay = Replay::open(&path).unwrap();
    for (text, live) in ["a", "a", "b", "a"].iter().zip(&first) {
        match (live, ask(&replay, &request(text))) {
            (Ok(live), Ok(again)) => assert_eq!(*live, again),
            (Err(live), Err(again)) => {
                assert_eq!((live.to_string(), live.passes()), (again.to_string(), again.passes()));
                assert_eq!(live.is_before_work(), again.is_before_work());
            }
            (live, again) => panic!("{live:?} and {again:?}"),
        }
    }
    let more = ask(&replay, &request("a")).unwrap_err().to_string();
    assert!(more.contains("has 3 answers") && more.contains("once more"), "{more}");
}

#[test]
fn a_request_that_was_not_recorded_is_compared_with_the_most_alike() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.jsonl");
    let told = |request: &genesys_llm::Request| ask(&Replay::open(&path).unwrap(), request).unwrap_err().to_string();
    std::fs::write(&path, "").unwrap();
    assert!(told(&request("a")).ends_with("the recording is empty"));
    let live = Recorder::new(by(|_, _| Ok(reply("x"))), Lines::open(&path).unwrap());
    ask(&live, &request("a")).unwrap();
    assert!(told(&request("b")).contains("the dialogue differs from message 1 on"), "{}", told(&request("b")));
    let changed = genesys_llm::Request { system: "Other.".into(), ..request("a") };
    assert!(told(&changed).ends_with("the system prompt was another one"));
    let changed = genesys_llm::Request { model: "n".into(), ..request("a") };
    assert!(told(&changed).ends_with("it was made with the model `m`"));
    let changed = genesys_llm::Request { max_tokens: 1, ..request("a") };
    assert!(told(&changed).ends_with("tools, form or limits were others"));
}

#[test]
fn a_recording_that_was_cut_off_keeps_what_is_whole_and_a_damaged_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.jsonl");
    let live = Recorder::new(by(|_, n| Ok(reply(&format!("{n}")))), Lines::open(&path).unwrap());
    ask(&live, &request("a")).unwrap();
    ask(&live, &request("b")).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, &text[..text.len() - 20]).unwrap();
    let replay = Replay::open(&path).unwrap();
    assert_eq!(ask(&replay, &request("a")).unwrap().text, "0");
    assert!(ask(&replay, &request("b")).is_err());
    let told = |text: &str| {
        std::fs::write(&path, text).unwrap();
        Replay::open(&path).err().unwrap().to_string()
    };
    assert!(told("{}\n").contains("line 1 is no exchange"));
    assert!(told(&text.replacen("You propose", "You oppose", 1)).contains("its hash is not that of its request"));
}

#[test]
fn a_recorded_failure_says_how_long_the_server_asked_to_wait() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.jsonl");
    let live = Recorder::new(
        by(|_, n| if n == 0 { Err(busy(Some(7))) } else { Err(busy(None)) }),
        Lines::open(&path).unwrap(),
    );
    (0..2).for_each(|_| drop(ask(&live, &request("a")).unwrap_err()));
    let replay = Replay::open(&path).unwrap();
    let waits: Vec<_> = (0..2).map(|_| ask(&replay, &request("a")).unwrap_err().after()).collect();
    assert_eq!(waits, [Some(Duration::from_secs(7)), None]);
    // Recordings that were made before have no such field.
    let text = std::fs::read_to_string(&path).unwrap();
    let old = text.replace(",\"after_ms\":7000", "");
    assert_ne!(old, text);
    std::fs::write(&path, old).unwrap();
    let error = ask(&Replay::open(&path).unwrap(), &request("a")).unwrap_err();
    assert!(error.after().is_none() && error.passes() && error.is_before_work());
}

#[test]
fn what_passes_is_tried_again_and_a_server_says_how_long_to_wait() {
    let clock = Still::default();
    let patience = Patience { tries: 5, ..Patience::default() };
    let failing = by(|_, n| match n {
        0 => Err(busy(Some(7))),
        1 | 2 => Err(LlmError::CutOff("gone".into())),
        _ => Ok(reply("at last")),
    });
    let retry = Retry::new(failing, patience, Box::new(clock.clone()));
    assert_eq!(ask(&retry, &request("a")).unwrap().text, "at last");
    let waited = clock.0.lock().unwrap().clone();
    assert_eq!(waited[0], Duration::from_secs(7));
    assert!(waited[1] > Duration::from_secs(2) && waited[1] <= Duration::from_secs(4), "{waited:?}");
    assert!(waited[2] > Duration::from_secs(4) && waited[2] <= Duration::from_secs(8), "{waited:?}");

    let tried = |error: fn() -> LlmError, tries| {
        let clock = Still::default();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let failing = by(move |_, _| {
            count.fetch_add(1, Ordering::Relaxed);
            Err(error())
        });
        ask(&Retry::new(failing, Patience { tries, ..patience }, Box::new(clock)), &request("a")).unwrap_err();
        asked.load(Ordering::Relaxed)
    };
    assert_eq!(tried(|| busy(None), 3), 3, "it ends");
    assert_eq!(tried(|| busy(Some(3600)), 3), 1, "an hour is not waited");
    assert_eq!(tried(|| LlmError::Malformed("x".into()), 3), 1, "what does not pass is not tried again");
}

#[test]
fn no_more_are_asked_at_once_and_a_minute_than_the_limits_admit() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, seen) = (Arc::clone(&now), Arc::clone(&most));
    let inner = by(move |_, _| {
        seen.fetch_max(count.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(2));
        count.fetch_sub(1, Ordering::SeqCst);
        Ok(reply("x"))
    });
    let limits = Limits { at_once: Some(3), ..Limits::default() };
    let throttle = Throttle::new(inner, limits, Box::new(Wall::default()));
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| ask(&throttle, &request("a")).unwrap());
        }
    });
    assert_eq!(most.load(Ordering::SeqCst), 3);

    let clock = Still::default();
    let limits = Limits { requests: Some(2), ..Limits::default() };
    let throttle = Throttle::new(by(|_, _| Ok(reply("x"))), limits, Box::new(clock.clone()));
    (0..5).for_each(|_| drop(ask(&throttle, &request("a")).unwrap()));
    assert_eq!(*clock.0.lock().unwrap(), [Duration::from_secs(60); 2]);

    let clock = Still::default();
    let limits = Limits { tokens: Some(300), ..Limits::default() };
    let throttle = Throttle::new(by(|_, _| Ok(reply("x"))), limits, Box::new(clock.clone()));
    (0..3).for_each(|_| drop(ask(&throttle, &request("a")).unwrap()));
    assert_eq!(clock.0.lock().unwrap().len(), 1, "a request has 100 tokens and its own");
}

#[test]
fn models_are_asked_by_their_weight_and_others_where_one_fails() {
    let model = |name: &'static str, weight, fails: bool| Member {
        weight,
        model: name.to_owned(),
        transport: Box::new(by(move |request, _| {
            assert_eq!(request.model, name);
            // It calls itself otherwise.
            if fails { Err(busy(None)) } else { Ok(genesys_llm::Reply { model: "x-2026".to_owned(), ..reply("x") }) }
        })),
    };
    let models = vec![model("a", 5.0, false), model("b", 2.0, false), model("c", 1.0, false)];
    assert_eq!(together(&models), "5*a + 2*b + c");
    let ensemble = Ensemble::new(models, 5).unwrap();
    let mut asked = BTreeMap::new();
    for i in 0..400 {
        let request = request(&format!("{i}"));
        let answer = ask(&ensemble, &request).unwrap().model;
        assert_eq!(answer, ask(&ensemble, &request).unwrap().model, "the same request goes the same way");
        *asked.entry(answer).or_insert(0) += 1;
    }
    assert!((210..290).contains(&asked["a"]) && (70..130).contains(&asked["b"]), "{asked:?}");

    let ensemble = Ensemble::new(vec![model("a", 1.0, true), model("b", 0.0, false)], 5).unwrap();
    assert_eq!(ask(&ensemble, &request("x")).unwrap().model, "b");
    let ensemble = Ensemble::new(vec![model("a", 1.0, true), model("b", 0.0, true)], 5).unwrap();
    let error = ask(&ensemble, &request("x")).unwrap_err();
    assert!(error.to_string().contains("and then `b`: the server asks for patience") && error.passes(), "{error}");
    assert!(Ensemble::new(vec![model("a", 0.0, false)], 5).is_none());
    assert!(Ensemble::new(vec![model("a", f64::NAN, false)], 5).is_none());
}

#[test]
fn calls_are_billed_as_they_end() {
    let table = "model\tinput\tcached\toutput\tdate\tsource\nm\t1\t1\t10\t2026-01-01\thttps://a\n";
    let prices = Prices::parse("p.tsv", table).unwrap();
    let ledger = Arc::new(Ledger::new(Cap { money: Money::parse("0.01"), ..Cap::default() }));
    let answers = by(|_, n| match n {
        0 => Ok(reply("x")),
        1 => Err(busy(None)),
        2 => Err(LlmError::CutOff("gone".into())),
        _ => Ok(reply("x")),
    });
    let metered = Metered::new(answers, prices.clone(), Arc::clone(&ledger));
    ask(&metered, &request("a")).unwrap();
    // 10 tokens at 1 USD a million, and 5 at 10.
    assert_eq!(ledger.spent()["proposer"], Spent::call(Money::parse("0.00006").unwrap(), reply("x").usage));
    ask(&metered, &request("a")).unwrap_err();
    let after = ledger.spent()["proposer"];
    assert_eq!(
        (after.calls, after.money),
        (2, Money::parse("0.00006").unwrap()),
        "a refusal costs a call and no money"
    );
    ask(&metered, &request("a")).unwrap_err();
    let worst = Usage { input: request("a").most_input(), output: 100, ..Usage::default() };
    assert_eq!(ledger.spent()["proposer"].usage, after.usage.plus(worst), "what a cut answer took is not known");
    let other = Metered::new(by(|_, _| Ok(reply("x"))), prices, Arc::clone(&ledger));
    let unknown = genesys_llm::Request { model: "unknown".into(), ..request("a") };
    assert!(matches!(ask(&other, &unknown).unwrap_err(), LlmError::NoPrice { .. }));
    let large = genesys_llm::Request { max_tokens: 100_000, ..request("a") };
    let error = ask(&other, &large).unwrap_err().to_string();
    assert!(error.contains("the proposer is not made") && error.contains("the cap is 0.01 USD"), "{error}");
}

#[test]
fn thirty_two_dialogues_at_once_are_recorded_and_replayed() {
    let server = Server::new(vec![said(&["one", " two", " three"], "stop")]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.jsonl");
    let ledger = Arc::new(Ledger::new(Cap { calls: Some(96), ..Cap::default() }));
    let recorder =
        Recorder::new(client(&server.url, genesys_llm::http::Limits { ..short() }), Lines::open(&path).unwrap());
    let live = Metered::new(recorder, Prices::default(), Arc::clone(&ledger));
    let dialogue = |transport: &dyn Transport, i: usize| {
        (0..3).map(|turn| ask(transport, &request(&format!("{i}: {turn}"))).unwrap()).collect::<Vec<_>>()
    };
    let heard = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for i in 0..32 {
            let (live, heard, dialogue) = (&live, &heard, &dialogue);
            scope.spawn(move || {
                let replies = dialogue(live, i);
                heard.lock().unwrap().insert(i, replies);
            });
        }
    });
    assert_eq!(ledger.committed().calls, 96);
    assert!(ask(&live, &request("more")).is_err(), "the cap is reached");
    let replay = Replay::open(&path).unwrap();
    for (i, replies) in heard.into_inner().unwrap() {
        assert_eq!(dialogue(&replay, i), replies);
    }
}
