//! Strategies over designs.
//!
//! Designs are named by their place in a list, smallest first, so that a failure shrinks to a small
//! design; chains shrink to fewer steps. A seed does not shrink: a smaller one draws another change,
//! not a smaller one.

use genesys_check::CheckedDesign;
use genesys_genetic::{Brood, Context, crossover, mutations};
use proptest::collection::vec;
use proptest::prelude::*;

/// One step of a walk: which shipped operators make the children of a design.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A mutation.
    Mutate {
        /// Picks the change.
        seed: u64,
    },
    /// A crossover with one of the designs that walks start from.
    Cross {
        /// Its place among them; counted round where there are fewer.
        mate: usize,
        /// Picks the change.
        seed: u64,
    },
}

/// A chain of shipped operators from one of the designs at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// The place of the design it starts from; counted round where there are fewer.
    pub start: usize,
    /// What happens to it, one step after the other.
    pub steps: Vec<Step>,
}

/// The place of one of `count` designs; shrinks to the first.
///
/// # Panics
/// Where `count` is 0.
pub fn parent(count: usize) -> impl Strategy<Value = usize> {
    0..count
}

/// A seed; it does not shrink.
pub fn seed() -> impl Strategy<Value = u64> {
    any::<u64>().no_shrink()
}

/// Walks of `from` to `to` steps over `count` designs; one step of five is a crossover.
pub fn walk(count: usize, from: usize, to: usize) -> impl Strategy<Value = Walk> {
    let mutate = seed().prop_map(|seed| Step::Mutate { seed });
    let cross = (parent(count), seed()).prop_map(|(mate, seed)| Step::Cross { mate, seed });
    let steps = vec(prop_oneof![4 => mutate, 1 => cross], from..=to);
    (parent(count), steps).prop_map(|(start, steps)| Walk { start, steps })
}

impl Step {
    /// The children that the step makes of `design`; `others` are the designs at hand.
    pub fn brood(&self, design: &CheckedDesign, others: &[CheckedDesign], context: &Context) -> Brood {
        match *self {
            Step::Mutate { seed } => mutations(design, context, seed),
            Step::Cross { mate, seed } => match others.get(mate % others.len().max(1)) {
                Some(mate) => crossover(design, mate, context, seed),
                None => mutations(design, context, seed),
            },
        }
    }
}

impl Walk {
    /// Where the walk ends: at the first child of each step, and earlier where a step has none.
    pub fn end(&self, designs: &[CheckedDesign], context: &Context) -> CheckedDesign {
        let start = designs[self.start % designs.len()].clone();
        self.steps.iter().fold(start, |design, step| {
            step.brood(&design, designs, context).next().map_or(design, |child| child.design)
        })
    }
}
