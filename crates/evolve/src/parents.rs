//! Which design breeds next.
//!
//! In: the state and a point in `[0, 1)`. Out: a design of a closed generation, drawn with a probability proportional to
//!
//! ```text
//! sigmoid((median - bpb) / mad) / (1 + children)
//! ```
//!
//! over the bits per byte with the first seed of all trained designs; `mad` is the median distance from the median,
//! which no outlier moves. A better design breeds more, an often chosen one less, and none is ever shut out.

use crate::state::{Design, State};

/// Which offspring of a design count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Children {
    /// All so far: one place of a generation is filled behind the other.
    All,
    /// Those before the open generation: its places are filled side by side.
    Earlier,
}

/// The parent at `point`; none where no design has a score.
#[must_use]
pub(crate) fn choose(state: &State, children: Children, point: f64) -> Option<&Design> {
    draw(&candidates(state), children, point)
}

/// A second parent at `point`, other than the first; none where only one design has a score.
#[must_use]
pub(crate) fn choose_mate<'s>(state: &'s State, children: Children, first: &Design, point: f64) -> Option<&'s Design> {
    let mut candidates = candidates(state);
    candidates.retain(|(_, design)| design.proposed.hash != first.proposed.hash);
    draw(&candidates, children, point)
}

fn draw<'s>(candidates: &[(f64, &'s Design)], children: Children, point: f64) -> Option<&'s Design> {
    let scores: Vec<f64> = candidates.iter().map(|(score, _)| *score).collect();
    let count = |design: &Design| match children {
        Children::All => design.children,
        Children::Earlier => design.earlier_children,
    };
    let counts: Vec<u64> = candidates.iter().map(|(_, design)| count(design)).collect();
    let weights = weights(&scores, &counts);
    let mut rest = point * weights.iter().sum::<f64>();
    let chosen = weights.iter().position(|weight| {
        rest -= weight;
        rest < 0.0
    });
    // Rounding may leave a sliver behind the last one.
    candidates.get(chosen.unwrap_or(weights.len().saturating_sub(1))).map(|(_, design)| *design)
}

/// Trained designs of closed generations, in the order of proposal.
fn candidates(state: &State) -> Vec<(f64, &Design)> {
    state.closed().filter_map(|design| Some((state.score(&design.proposed.hash)?, design))).collect()
}

/// The formula of the file's head, not normalized.
fn weights(scores: &[f64], children: &[u64]) -> Vec<f64> {
    let middle = median(scores.to_vec());
    let mad = median(scores.iter().map(|score| (score - middle).abs()).collect());
    let lead = |score: &f64| if mad > 0.0 { (middle - score) / mad } else { 0.0 };
    let weight = |(score, children): (&f64, &u64)| sigmoid(lead(score)) / (1 + children) as f64;
    scores.iter().zip(children).map(weight).collect()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The middle of the sorted values, or the mean of the two in the middle; 0 for none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[half],
        _ => (values[half - 1] + values[half]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn better_designs_weigh_more_and_chosen_ones_less() {
        // Median 2.0, mad 0.1.
        let scores = [1.8, 1.9, 2.0, 2.1, 5.0];
        let fresh = weights(&scores, &[0; 5]);
        assert!(fresh.windows(2).all(|w| w[0] > w[1]), "{fresh:?}");
        assert!((fresh[2] - 0.5).abs() < 1e-12);
        assert!((fresh[0] - sigmoid(2.0)).abs() < 1e-9);
        assert!(fresh[4] > 0.0, "none is shut out");
        let tired = weights(&scores, &[3, 0, 0, 0, 0]);
        assert!((tired[0] - fresh[0] / 4.0).abs() < 1e-12);
    }

    #[test]
    fn equal_scores_weigh_the_same() {
        assert_eq!(weights(&[2.0, 2.0, 2.0], &[0, 0, 0]), [0.5; 3]);
        assert_eq!(weights(&[2.0], &[1]), [0.25]);
        assert!(weights(&[], &[]).is_empty());
    }

    #[test]
    fn medians() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
