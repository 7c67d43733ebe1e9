//! The ladder of scales a design is trained at, as data.
//!
//! A [`Scale`] fixes the shape of a model (width, depth, context) and how it is trained there
//! (rows, steps, learning rate), so that a rung means the same work everywhere. Rungs from `14M`
//! are the published ladder; `nano` is ours, small enough for a pair of cores.
//!
//! Not here: the optimizer (`train`), and budgets over many trainings (`evolve`).

use serde::{Deserialize, Serialize};

/// One rung of the ladder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// Its name: `nano`, `14M`, ..
    pub name: String,
    /// The size of the axis `D`.
    pub width: u64,
    /// The number of blocks the starred part of a stack is repeated to.
    pub blocks: u64,
    /// Positions a row.
    pub context: u64,
    /// Rows a step.
    pub rows: u64,
    /// Entries of the vocabulary that `train` makes a tokenizer of.
    pub vocabulary: u64,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Steps of a training that states none.
    pub steps: u64,
}

/// Width, blocks, context, rows, vocabulary, peak learning rate, steps.
///
/// The published rungs: context 2048, 0.5M tokens a step (1M at `1.3B`), vocabulary 32,000,
/// 20 to 50 tokens a parameter.
const RUNGS: &[(&str, [u64; 5], f64, u64)] = &[
    ("nano", [64, 2, 64, 8, 1024], 3e-3, 200),
    ("14M", [128, 6, 2048, 256, 32_000], 1e-3, 504),
    ("31M", [256, 6, 2048, 256, 32_000], 1e-3, 986),
    ("70M", [512, 6, 2048, 256, 32_000], 1e-3, 2_019),
    ("125M", [768, 12, 2048, 256, 32_000], 6e-4, 4_180),
    ("350M", [1024, 24, 2048, 256, 32_000], 3e-4, 12_776),
    ("760M", [1536, 24, 2048, 256, 32_000], 2.5e-4, 27_804),
    ("1.3B", [2048, 24, 2048, 512, 32_000], 2e-4, 24_296),
];

impl Scale {
    /// The rung of that name.
    pub fn named(name: &str) -> Option<Scale> {
        Self::all().into_iter().find(|scale| scale.name == name)
    }

    /// Every rung, smallest first.
    pub fn all() -> Vec<Scale> {
        RUNGS
            .iter()
            .map(|(name, [width, blocks, context, rows, vocabulary], learning_rate, steps)| Scale {
                name: (*name).to_string(),
                width: *width,
                blocks: *blocks,
                context: *context,
                rows: *rows,
                vocabulary: *vocabulary,
                learning_rate: *learning_rate,
                steps: *steps,
            })
            .collect()
    }

    /// Tokens that one step predicts.
    pub fn tokens_per_step(&self) -> u64 {
        self.rows * self.context
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parameters of the published reference, and tokens a parameter it is trained for.
    const REFERENCE: [(&str, u64, u64); 7] = [
        ("14M", 5_280_384, 50),
        ("31M", 12_920_064, 40),
        ("70M", 35_277_312, 30),
        ("125M", 109_566_720, 20),
        ("350M", 334_906_368, 20),
        ("760M", 728_851_968, 20),
        ("1.3B", 1_273_792_512, 20),
    ];

    #[test]
    fn published_rungs_train_on_the_published_tokens() {
        for (name, parameters, ratio) in REFERENCE {
            let scale = Scale::named(name).expect("a published rung");
            let tokens = scale.steps * scale.tokens_per_step();
            let error = tokens as f64 / (parameters * ratio) as f64 - 1.0;
            assert!(error.abs() < 0.01, "{name}: {tokens} tokens are {error:+.3} off");
        }
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> = Scale::all().into_iter().map(|s| s.name).collect();
        assert_eq!(names.len(), RUNGS.len());
    }
}
