//! What was stopped: dialogues that go on behind a recording, and ledgers that outlive a kill.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use common::{ask, busy, by, reply, request};
use genesys_llm::journal::{Balance, Entry};
use genesys_llm::ledger::Metered;
use genesys_llm::record::{Lines, Recorder, Replay, exchanges};
use genesys_llm::retry::{Patience, Retry};
use genesys_llm::{Cap, Continued, Ledger, LlmError, Money, Prices, Spent, Transport, Usage};
use proptest::prelude::*;

/// A dialogue: what it asks next depends on what was answered; it asks one thing twice.
fn dialogue(transport: &dyn Transport, name: &str) -> Result<Vec<String>, LlmError> {
    let mut said = vec![name.to_owned()];
    for turn in 0..4 {
        let asked = if turn == 2 { format!("{name}: once more") } else { said.join(" ") };
        said.push(ask(transport, &request(&asked))?.text);
    }
    let again = ask(transport, &request(&format!("{name}: once more")))?;
    said.push(again.text);
    Ok(said)
}

/// A model whose answers never repeat, that is busy now and then.
fn model(asked: &Arc<AtomicU64>) -> impl Transport + use<> {
    let asked = Arc::clone(asked);
    by(move |_, _| match asked.fetch_add(1, Ordering::SeqCst) {
        n if n % 3 == 1 => Err(busy(None)),
        n => Ok(reply(&format!("answer {n}"))),
    })
}

/// Goes on behind what stands in the file, and records the rest there.
fn go_on(path: &Path, asked: &Arc<AtomicU64>) -> impl Transport + use<> {
    let before = exchanges(path).unwrap();
    let live = Recorder::new(model(asked), Lines::open(path).unwrap());
    Retry::new(Continued::new(before, live), Patience::default(), Box::new(common::Still::default()))
}

#[test]
fn a_dialogue_that_was_stopped_at_any_line_says_the_same_before_it_and_asks_only_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exchanges.jsonl");
    let asked = Arc::new(AtomicU64::new(0));
    std::fs::write(&path, "").unwrap();
    let whole = dialogue(&go_on(&path, &asked), "a").unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    assert!(lines.len() > 6, "five replies, and failures: {}", lines.len());
    for kept in 0..=lines.len() {
        // The line behind was begun.
        let half = lines.get(kept).map_or("", |line| &line[..line.len() / 2]);
        std::fs::write(&path, lines[..kept].concat() + half).unwrap();
        let before = exchanges(&path).unwrap().into_iter().filter(is_reply).count();
        let count = Arc::new(AtomicU64::new(100));
        let said = dialogue(&go_on(&path, &count), "a").unwrap();
        assert_eq!(said[..=before], whole[..=before], "{kept} lines");
        assert!(said[before + 1..].iter().all(|text| !whole.contains(text)), "{kept} lines: {said:?}");
        // And the recording that came of it is one of an undisturbed dialogue.
        assert_eq!(dialogue(&Replay::settled(exchanges(&path).unwrap()), "a").unwrap(), said);
    }
}

fn is_reply(exchange: &genesys_llm::record::Exchange) -> bool {
    match exchange.outcome {
        genesys_llm::record::Outcome::Reply(_) => true,
        genesys_llm::record::Outcome::Failure { .. } => false,
    }
}

#[test]
fn the_order_in_which_dialogues_were_recorded_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exchanges.jsonl");
    std::fs::write(&path, "").unwrap();
    let asked = Arc::new(AtomicU64::new(0));
    let live = go_on(&path, &asked);
    let said = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for name in ["a", "b", "c", "d"] {
            let (live, said) = (&live, &said);
            scope.spawn(move || {
                let heard = dialogue(live, name).unwrap();
                said.lock().unwrap().push((name, heard));
            });
        }
    });
    let replay = Replay::settled(exchanges(&path).unwrap());
    for (name, heard) in said.into_inner().unwrap().iter().rev() {
        assert_eq!(dialogue(&replay, name).unwrap(), *heard);
    }
}

#[test]
fn a_failure_that_ended_a_dialogue_is_replayed_and_one_that_passed_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exchanges.jsonl");
    let refused = || LlmError::Refused { status: 400, says: "too long".into() };
    let answers = by(move |_, n| match n {
        0 | 2 | 3 => Err(busy(None)),
        4 => Err(refused()),
        _ => Ok(reply("x")),
    });
    let live = Recorder::new(answers, Lines::open(&path).unwrap());
    // Asked once more, `b` and `c` stay without an answer.
    for name in ["a", "a", "b", "b", "c"] {
        let _ = ask(&live, &request(name));
    }
    let replay = Replay::settled(exchanges(&path).unwrap());
    assert_eq!(ask(&replay, &request("a")).unwrap().text, "x");
    assert!(matches!(ask(&replay, &request("b")).unwrap_err(), LlmError::Unrecorded(_)));
    let error = ask(&replay, &request("c")).unwrap_err();
    assert_eq!(error.to_string(), refused().to_string());
}

fn spent(n: u64) -> Spent {
    Spent::call(Money(n), Usage { input: n, output: n, ..Usage::default() })
}

#[test]
fn a_call_is_on_the_disk_before_it_is_made_and_one_that_a_kill_cut_off_counts_at_its_worst() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let table = "model\tinput\tcached\toutput\tdate\tsource\nm\t1\t1\t10\t2026-01-01\thttps://a\n";
    let prices = Prices::parse("p.tsv", table).unwrap();
    let cap = Cap { money: Money::parse("0.01"), ..Cap::default() };
    let open = || Arc::new(Ledger::open(cap, &path).unwrap());
    let ledger = open();
    let seen = path.clone();
    let looks = by(move |_, n| {
        let balance = Balance::read(&seen).unwrap();
        assert_eq!((balance.next, balance.unsettled), (n as u64 + 1, 1), "it is noted before it is made");
        if n == 1 { Err(LlmError::CutOff("gone".into())) } else { Ok(reply("x")) }
    });
    let metered = Metered::new(looks, prices.clone(), Arc::clone(&ledger));
    ask(&metered, &request("a")).unwrap();
    ask(&metered, &request("a")).unwrap_err();
    let before = ledger.committed();
    assert_eq!(Balance::read(&path).unwrap(), ledger.balance());
    let reserved = ledger.reserve("reviewer", "m", spent(7)).unwrap();
    std::mem::forget(reserved);
    drop((metered, ledger));
    let ledger = open();
    assert_eq!(ledger.committed(), before.plus(spent(7)), "nothing is forgotten, and nothing counted twice");
    assert_eq!((ledger.spent()["reviewer"], ledger.balance().unsettled), (spent(7), 1));
    let over = ledger.reserve("reviewer", "m", spent(Money::parse("0.01").unwrap().0)).unwrap_err().to_string();
    assert!(over.contains("the cap is 0.01 USD"), "{over}");
    assert_eq!(Balance::read(&path).unwrap().next, 3, "what is refused is not noted");
}

#[test]
fn a_ledger_that_was_changed_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let told = |entries: &[Entry]| {
        let lines: Vec<String> = entries.iter().map(|entry| serde_json::to_string(entry).unwrap() + "\n").collect();
        std::fs::write(&path, lines.concat()).unwrap();
        Ledger::open(Cap::default(), &path).unwrap_err().to_string()
    };
    let reserved = |call| Entry::Reserved { call, role: "r".into(), model: "m".into(), worst: spent(1) };
    let settled = |call| Entry::Settled { call, took: spent(1), millis: 1 };
    assert!(told(&[reserved(0), reserved(2)]).contains("expected call 1, found call 2"));
    assert!(told(&[reserved(0), settled(0), settled(0)]).contains("call 0 is settled and was not open"));
}

proptest! {
    // Every line is on the disk before the next: more cases take long.
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_ledger_cut_at_any_byte_knows_of_every_call_and_of_no_less_than_was_spent(
        calls in prop::collection::vec((1u64..100, 0u64..100, any::<bool>()), 1..8),
        share in 0.0f64..=1.0,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        let ledger = Ledger::open(Cap::default(), &path).unwrap();
        for (worst, took, settle) in &calls {
            let reserved = ledger.reserve("r", "m", spent(*worst)).unwrap();
            if *settle {
                reserved.settle(spent(*took.min(worst)));
            } else {
                std::mem::forget(reserved);
            }
        }
        prop_assert_eq!(Ledger::open(Cap::default(), &path).unwrap().committed(), ledger.committed());
        let bytes = std::fs::read(&path).unwrap();
        let cut = (bytes.len() as f64 * share) as usize;
        std::fs::write(&path, &bytes[..cut]).unwrap();
        // What calls took whose first line is whole.
        let lines = String::from_utf8(bytes[..cut].to_vec()).unwrap();
        let begun = lines.split_inclusive('\n').filter(|line| line.ends_with('\n') && line.contains("reserved")).count();
        let least: u64 = calls[..begun].iter().map(|(worst, took, settle)| if *settle { *took.min(worst) } else { *worst }).sum();
        let again = Ledger::open(Cap::default(), &path).unwrap();
        prop_assert!(again.committed().money >= Money(least));
        prop_assert_eq!(again.committed().calls, begun as u64);
        again.reserve("r", "m", spent(1)).unwrap().settle(spent(1));
        prop_assert_eq!(Balance::read(&path).unwrap().next, begun as u64 + 1);
    }
}
