//! A row: what is counted, what is timed, and which failures end it.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::atomic::{AtomicU64, Ordering};

use common::Bench;
use common::script::{MODEL, Script};
use genesys_agents_bench::{Proposal, Setting, Variant, measure};
use genesys_llm::throttle::Clock;
use genesys_llm::{LlmError, Money, Prices, Reply, Request, Transport, Usage};

/// A model that is wrong twice, waits three ticks of the clock for each answer, and then fails.
struct Slow<'a> {
    clock: &'a dyn Clock,
    says: &'static str,
    fails: fn() -> LlmError,
    left: AtomicU64,
}

impl Transport for Slow<'_> {
    fn ask(&self, _: &Request, _: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        for _ in 0..3 {
            self.clock.now();
        }
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err() {
            return Err((self.fails)());
        }
        let usage = Usage { input: 1_000, cached: 400, output: 50, estimated: false };
        let (calls, stop) = (Vec::new(), genesys_llm::Stop::End);
        Ok(Reply { text: self.says.to_owned(), calls, stop, usage, model: "claude-opus-5".to_owned() })
    }
}

const FULL: fn() -> LlmError = || LlmError::Refused { status: 400, says: "the window is full".to_owned() };
const DEAD: fn() -> LlmError = || LlmError::CutOff("the line is dead".to_owned());

fn proposal() -> Proposal {
    Proposal { name: "idea".to_owned(), text: "Look one position back.".to_owned() }
}

fn slow(bench: &Bench, fails: fn() -> LlmError, left: u64) -> Slow<'_> {
    Slow { clock: &bench.clock, says: "no", fails, left: AtomicU64::new(left) }
}

#[test]
fn calls_tokens_money_and_seconds_are_counted_apart() {
    let bench = Bench::default();
    let transport = slow(&bench, DEAD, 1);
    let row = measure(&bench.setting(&transport), &proposal(), Variant::Direct).unwrap().row;
    assert_eq!((row.answers, row.repairs, row.calls, row.design.is_none()), (1, 0, 1, true));
    assert_eq!(row.usage, Usage { input: 1_000, cached: 400, output: 50, estimated: false });
    let price = Prices::shipped().of("claude-opus-5").unwrap().of(row.usage);
    assert_eq!(row.money, Some(price));
    assert!(price > Money(0));
    // Of the clock's looks: one in front, one on each side of the call, three in it, one behind.
    assert_eq!((row.model_seconds, row.own_seconds), (Some(0.004), 0.002));
}

/// Models that answer in turn, each with a thousand tokens.
struct Turns<'a>(&'a [&'a str], AtomicU64);

impl Transport for Turns<'_> {
    fn ask(&self, _: &Request, _: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        let model = self.0[self.1.fetch_add(1, Ordering::Relaxed) as usize % self.0.len()].to_owned();
        let usage = Usage { input: 1_000, cached: 0, output: 10, estimated: false };
        Ok(Reply { text: "no".to_owned(), calls: Vec::new(), stop: genesys_llm::Stop::End, usage, model })
    }
}

#[test]
fn each_answer_costs_what_the_model_that_gave_it_does_and_all_have_to_have_a_price() {
    let bench = Bench::default();
    let money = |models: &[&str]| {
        let transport = Turns(models, AtomicU64::new(0));
        let together = models.join(" + ");
        let setting = Setting { model: &together, ..bench.setting(&transport) };
        let row = measure(&setting, &proposal(), Variant::Whole).unwrap().row;
        (row.calls, row.money)
    };
    let (prices, usage) = (Prices::shipped(), Usage { input: 1_000, cached: 0, output: 10, estimated: false });
    let cost = |model: &str| prices.of(model).unwrap().of(usage);
    let (calls, both) = money(&["claude-haiku-4-5", "claude-opus-5"]);
    let half = calls / 2;
    assert!(calls > 2 && cost("claude-opus-5") > cost("claude-haiku-4-5"), "{calls} calls");
    assert_eq!(both, Some(cost("claude-haiku-4-5").times(calls - half) + cost("claude-opus-5").times(half)));
    assert_eq!(money(&["claude-haiku-4-5", "nobody"]).1, None);
}

#[test]
fn a_server_that_refuses_to_go_on_ends_the_row_and_any_other_failure_the_bench() {
    let bench = Bench::default();
    let whole = |fails, left| {
        let transport = slow(&bench, fails, left);
        measure(&bench.setting(&transport), &proposal(), Variant::Whole)
    };
    let row = whole(FULL, 3).unwrap().row;
    assert!(row.refused.unwrap().contains("the window is full"));
    assert_eq!((row.answers, row.repairs, row.calls, row.usage.output), (3, 2, 4, 150));
    assert!(matches!(whole(FULL, 0), Err(LlmError::Refused { .. })), "one that refuses from the first on is no row");
    assert!(matches!(whole(DEAD, 3), Err(LlmError::CutOff(_))));
    let recorded: fn() -> LlmError =
        || LlmError::Recorded { says: "full".to_owned(), passes: false, before_work: true, after: None };
    assert!(whole(recorded, 3).unwrap().row.refused.is_some());
    let declined: fn() -> LlmError = || LlmError::Declined { says: "too long".to_owned(), before_work: true };
    assert!(whole(declined, 3).unwrap().row.refused.is_some());
    let stuck: fn() -> LlmError = || LlmError::Declined { says: "no token".to_owned(), before_work: false };
    assert!(whole(stuck, 3).is_err());
    let broken: fn() -> LlmError =
        || LlmError::Recorded { says: "broken".to_owned(), passes: true, before_work: false, after: None };
    assert!(whole(broken, 3).is_err());
}

#[test]
fn a_row_has_the_design_and_all_answers() {
    let bench = Bench::default();
    let all = common::proposals();
    let script = Script::new(&all);
    for variant in Variant::ALL {
        for (proposal, _) in &all[..4] {
            let measured = measure(&bench.setting(&script), proposal, variant).unwrap();
            let (row, attempts) = (measured.row, measured.attempts);
            assert_eq!(row.answers as usize, attempts.len());
            assert_eq!(row.repairs as usize, attempts.iter().filter(|attempt| attempt.number > 1).count());
            assert_eq!(
                (row.proposal.as_str(), row.variant, row.money),
                (proposal.name.as_str(), variant, None),
                "{MODEL}"
            );
            match (&row.design, &measured.text) {
                (Some(hash), Some(text)) => {
                    let design = genesys_compiler::check_text("design", text).design.unwrap();
                    assert_eq!(hash, &design.hash().to_string());
                }
                (None, None) => assert!(!attempts.last().unwrap().errors.is_empty()),
                other => panic!("{other:?}"),
            }
        }
    }
}
