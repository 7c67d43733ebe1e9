//! What is known of a design against the baseline: one word, and the reason for it.
//!
//! | word | when |
//! | --- | --- |
//! | `baseline` | the others are compared with it |
//! | `better`, `worse` | its mean and the baseline's differ by more than two standard errors of the difference |
//! | `even` | they do not |
//! | `one-seed` | it, or the baseline, was trained with one seed: the spread is not known, so nothing is |
//! | `failed` | no training gave a score |
//! | `untrained` | no training is done: the run is not finished |
//!
//! The standard error of the difference of two means is `sqrt(s1^2 / n1 + s2^2 / n2)`, with sample standard deviations
//! s over n seeds (Welch, 1947). With three seeds two of them are a hint and no proof.

use std::fmt;

use genesys_evolve::Row;

/// A word for a design, stable for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// `baseline`
    Baseline,
    /// `better`
    Better,
    /// `worse`
    Worse,
    /// `even`
    Even,
    /// `one-seed`
    OneSeed,
    /// `failed`
    Failed,
    /// `untrained`
    Untrained,
}

/// A word and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The word.
    pub word: Word,
    /// Why; may be empty.
    pub reason: String,
}

impl Word {
    /// The word as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Even => "even",
            Self::OneSeed => "one-seed",
            Self::Failed => "failed",
            Self::Untrained => "untrained",
        }
    }
}

impl Verdict {
    /// The verdict on a row of the leaderboard.
    #[must_use]
    pub fn of(row: &Row, baseline: Option<&Row>) -> Self {
        let verdict = |word, reason: String| Self { word, reason };
        let Some(mean) = row.bits_per_byte else {
            return match &row.failure {
                Some(why) => verdict(Word::Failed, why.clone()),
                None => verdict(Word::Untrained, String::new()),
            };
        };
        if row.baseline {
            return verdict(Word::Baseline, String::new());
        }
        let Some((baseline, reference)) = baseline.and_then(|row| Some((row, row.bits_per_byte?))) else {
            return verdict(Word::OneSeed, "the baseline has no score".to_owned());
        };
        let difference = mean - reference;
        let Some(error) = standard_error(row, baseline) else {
            let who = if row.deviation.is_none() { "" } else { " of the baseline" };
            return verdict(Word::OneSeed, format!("{difference:+.4} bits per byte by a single training{who}"));
        };
        let word = match difference {
            _ if difference.abs() <= 2.0 * error => Word::Even,
            _ if difference < 0.0 => Word::Better,
            _ => Word::Worse,
        };
        verdict(word, format!("{difference:+.4} bits per byte, standard error {error:.4}"))
    }
}

impl fmt::Display for Verdict {
    /// `better: -0.2108 bits per byte, standard error 0.0224`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word.as_str())?;
        if self.reason.is_empty() { Ok(()) } else { write!(f, ": {}", self.reason) }
    }
}

/// Of the difference of two means in bits per byte, where both have a spread.
pub(crate) fn standard_error(a: &Row, b: &Row) -> Option<f64> {
    let variance = |row: &Row| Some(row.deviation?.powi(2) / row.seeds as f64);
    Some((variance(a)? + variance(b)?).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(score: Option<f64>, deviation: Option<f64>) -> Row {
        Row {
            rank: 1,
            hash: "g1-0".to_owned(),
            name: "x".to_owned(),
            generation: 1,
            lineage: Vec::new(),
            parameters: 1,
            state_bytes: 1,
            seeds: if deviation.is_some() { 4 } else { 1 },
            tokens: 1,
            bits_per_byte: score,
            deviation,
            baseline: false,
            failure: None,
        }
    }

    fn of(score: Option<f64>, deviation: Option<f64>) -> String {
        Verdict::of(&row(score, deviation), Some(&row(Some(2.0), Some(0.3)))).to_string()
    }

    #[test]
    fn a_difference_counts_from_two_standard_errors() {
        // sqrt(0.4^2 / 4 + 0.3^2 / 4) = 0.25
        assert_eq!(of(Some(1.49), Some(0.4)), "better: -0.5100 bits per byte, standard error 0.2500");
        assert_eq!(of(Some(2.51), Some(0.4)), "worse: +0.5100 bits per byte, standard error 0.2500");
        assert_eq!(of(Some(1.51), Some(0.4)), "even: -0.4900 bits per byte, standard error 0.2500");
    }

    #[test]
    fn a_single_training_is_no_progress() {
        assert_eq!(of(Some(1.0), None), "one-seed: -1.0000 bits per byte by a single training");
        let verdict = Verdict::of(&row(Some(1.0), Some(0.1)), Some(&row(Some(2.0), None)));
        assert_eq!(verdict.to_string(), "one-seed: -1.0000 bits per byte by a single training of the baseline");
        assert_eq!(Verdict::of(&row(Some(1.0), None), None).word, Word::OneSeed);
    }

    #[test]
    fn failed_and_not_trained_are_told_apart() {
        let failed = Row { failure: Some("the loss is not a finite number at step 3".to_owned()), ..row(None, None) };
        let verdict = Verdict::of(&failed, None);
        assert_eq!(verdict.to_string(), "failed: the loss is not a finite number at step 3");
        assert_eq!(Verdict::of(&row(None, None), None).to_string(), "untrained");
        let baseline = Row { baseline: true, ..row(Some(1.0), None) };
        assert_eq!(Verdict::of(&baseline, Some(&baseline)).to_string(), "baseline");
    }
}
