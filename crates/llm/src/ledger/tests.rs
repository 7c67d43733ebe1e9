//! The laws of the ledger.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn spent(money: u64, input: u64, output: u64) -> Spent {
    Spent::call(Money(money), Usage { input, output, ..Usage::default() })
}

#[test]
fn what_would_pass_a_cap_is_refused_with_both_numbers_and_sets_nothing_aside() {
    let cap = Cap { money: Money::parse("1"), tokens: Some(100), calls: Some(2), millis: None };
    let ledger = Ledger::new(cap);
    let told = |worst: Spent| ledger.reserve("reviewer", "m", worst).unwrap_err().to_string();
    let over = Money::parse("1.5").unwrap().0;
    assert_eq!(
        told(spent(over, 1, 1)),
        "a call of the reviewer is not made: with it 1.50 USD could be spent, and the cap is 1.00 USD"
    );
    assert!(told(spent(1, 60, 41)).contains("with it 101 tokens could be used, and the cap is 100"));
    assert_eq!(ledger.committed(), Spent::default());
    ledger.reserve("reviewer", "m", spent(1, 1, 1)).unwrap().settle(spent(1, 1, 1));
    ledger.reserve("reviewer", "m", spent(1, 1, 1)).unwrap().settle(spent(0, 0, 0));
    assert!(told(spent(1, 1, 1)).contains("it would be call 3, and the cap is 2"));
}

#[test]
fn what_nobody_settles_is_counted_at_its_worst() {
    let ledger = Ledger::new(Cap::default());
    drop(ledger.reserve("proposer", "m", spent(7, 3, 4)).unwrap());
    assert_eq!(ledger.spent()["proposer"], spent(7, 3, 4));
    assert_eq!(ledger.committed(), spent(7, 3, 4), "nothing is counted twice");
}

#[test]
fn threads_do_not_pass_the_cap_together() {
    let ledger = Ledger::new(Cap { money: Some(Money(1_000)), ..Cap::default() });
    let admitted = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                for _ in 0..50 {
                    if let Ok(reserved) = ledger.reserve("implementer", "m", spent(10, 1, 1)) {
                        assert!(ledger.committed().money <= Money(1_000));
                        admitted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        reserved.settle(spent(10, 1, 1));
                    }
                }
            });
        }
    });
    assert_eq!(admitted.into_inner(), 100, "as many as fit, and no more");
    assert_eq!(ledger.committed().money, Money(1_000));
}

proptest! {
    #[test]
    fn committed_never_passes_the_cap_and_sums_do_not_depend_on_the_order(
        calls in prop::collection::vec((0u64..200, 0u64..200, any::<bool>()), 0..40),
        cap in 0u64..1_000,
        back in any::<bool>(),
    ) {
        let ledger = Ledger::new(Cap { money: Some(Money(cap)), ..Cap::default() });
        let mut open = Vec::new();
        let mut sum = 0;
        for (worst, took, settle) in calls {
            let took = took.min(worst);
            if let Ok(reserved) = ledger.reserve("r", "m", spent(worst, worst, 0)) {
                open.push((reserved, took));
                sum += took;
            }
            prop_assert!(ledger.committed().money <= Money(cap));
            if settle && let Some((reserved, took)) = open.pop() {
                reserved.settle(spent(took, took, 0));
            }
            prop_assert!(ledger.committed().money <= Money(cap));
        }
        if back {
            open.reverse();
        }
        for (reserved, took) in open {
            reserved.settle(spent(took, took, 0));
        }
        prop_assert_eq!(ledger.committed().money, Money(sum));
        prop_assert_eq!(ledger.committed().usage.input, sum);
    }
}

#[test]
fn time_is_counted_while_it_goes_by_and_behind_a_call() {
    let ledger = Ledger::new(Cap { millis: Some(20), ..Cap::default() });
    let reserve = || ledger.reserve("proposer", "m", Spent::default());
    let first = reserve().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(25));
    let why = reserve().unwrap_err().to_string();
    assert!(why.contains("calls took 0.0") && why.ends_with("the cap is 0.02 s"), "{why}");
    first.settle(Spent::default());
    assert!(reserve().is_err(), "what a call took is forgotten");
    let (balance, none) = (ledger.balance(), Ledger::new(Cap { millis: Some(0), ..Cap::default() }));
    assert!(balance.millis >= 25, "{balance:?}");
    assert!(none.reserve("proposer", "m", Spent::default()).is_err());
}
