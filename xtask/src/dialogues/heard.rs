//! What a server heard, as figures: how long dialogues were, and how long they were without their model.

use std::collections::BTreeMap;
use std::time::Duration;

/// A call: whose it was, when its question was there, and when the last word of its answer went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    /// The seed, which each dialogue has for itself.
    pub(super) dialogue: u64,
    pub(super) begin: Duration,
    pub(super) end: Duration,
}

/// Figures of many dialogues, times in seconds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figures {
    pub(super) dialogues: usize,
    /// The most that were between their first question and their last answer at one time.
    pub(super) most_at_once: usize,
    /// From the first question to the last answer, all together.
    pub(super) lasted: f64,
    /// Of this between an answer and the next question.
    pub(super) apart: f64,
    /// The longest time between an answer and the next question, and the median.
    pub(super) longest: f64,
    pub(super) median: f64,
}

impl Figures {
    /// The figures of all calls.
    pub(super) fn of(calls: &[Call]) -> Self {
        let mut dialogues = BTreeMap::<u64, Vec<Call>>::new();
        for call in calls {
            dialogues.entry(call.dialogue).or_default().push(*call);
        }
        let (mut spans, mut waits) = (Vec::new(), Vec::new());
        for calls in dialogues.values_mut() {
            calls.sort_by_key(|call| call.begin);
            let (first, last) = (calls[0], calls[calls.len() - 1]);
            spans.push((first.begin, last.end));
            waits.extend(calls.windows(2).map(|pair| pair[1].begin.saturating_sub(pair[0].end).as_secs_f64()));
        }
        waits.sort_by(f64::total_cmp);
        Self {
            dialogues: spans.len(),
            most_at_once: most_at_once(&spans),
            lasted: spans.iter().map(|(begin, end)| (*end - *begin).as_secs_f64()).sum(),
            apart: waits.iter().sum(),
            longest: waits.last().copied().unwrap_or(0.0),
            median: waits.get(waits.len() / 2).copied().unwrap_or(0.0),
        }
    }
}

/// The most spans that hold one time: that is at the beginning of one of them.
fn most_at_once(spans: &[(Duration, Duration)]) -> usize {
    let at = |time: Duration| spans.iter().filter(|(begin, end)| *begin <= time && time < *end).count();
    spans.iter().map(|(begin, _)| at(*begin)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(dialogue: u64, begin: u64, end: u64) -> Call {
        Call { dialogue, begin: Duration::from_millis(begin), end: Duration::from_millis(end) }
    }

    #[test]
    fn waits_are_what_lies_between_the_calls_of_one_dialogue() {
        // The second dialogue is heard in another order; a third begins when the first has ended.
        let calls =
            [call(1, 0, 1000), call(2, 2500, 3000), call(1, 1100, 2100), call(2, 500, 2000), call(3, 2100, 2200)];
        let figures = Figures::of(&calls);
        assert_eq!((figures.dialogues, figures.most_at_once), (3, 2));
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found} and {expected}");
        near(figures.lasted, 2.1 + 2.5 + 0.1);
        near(figures.apart, 0.1 + 0.5);
        near(figures.longest, 0.5);
        near(figures.median, 0.5);
        assert_eq!(Figures::of(&[]).dialogues, 0);
    }
}
