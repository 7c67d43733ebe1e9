//! What is measured, as data: sizes, forms of the peer, and the bounds that the project sets itself.

use std::path::Path;

use serde_json::{Value, json};

/// The most that may be, and what is aimed at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) must: f64,
    pub(super) aim: f64,
}

/// How a peer runs a model: as written, compiled as a whole, or compiled block by block.
pub(super) type Forms = &'static [&'static str];

/// Steps of one model on one batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Training {
    pub(super) name: &'static str,
    /// The peer's name for the model.
    pub(super) model: &'static str,
    pub(super) design: &'static str,
    pub(super) width: u64,
    pub(super) blocks: u64,
    pub(super) context: u64,
    pub(super) rows: u64,
    pub(super) vocabulary: u64,
    pub(super) dtype: &'static str,
    /// Of these the fastest counts.
    pub(super) forms: Forms,
    pub(super) bounds: Bounds,
}

const GPT: Training = Training {
    name: "gpt",
    model: "gpt",
    design: "designs/gpt.gau",
    width: 256,
    blocks: 8,
    context: 256,
    rows: 4,
    vocabulary: 4096,
    dtype: "f32",
    forms: &["compiled"],
    bounds: Bounds { must: 0.55, aim: 0.4 },
};

const fn recurrent(name: &'static str, design: &'static str) -> Training {
    let bounds = Bounds { must: 0.5, aim: 0.2 };
    Training { name, model: name, design, forms: &["blocks", "eager"], bounds, ..GPT }
}

/// Every training.
pub(super) const TRAININGS: &[Training] = &[
    GPT,
    Training { name: "gpt-bf16", dtype: "bf16", bounds: Bounds { must: 1.0, aim: 0.65 }, ..GPT },
    Training { name: "gpt-50257", vocabulary: 50_257, ..GPT },
    Training { name: "gpt-512", width: 512, forms: &["compiled", "eager"], ..GPT },
    recurrent("gla", "designs/gla.gau"),
    recurrent("mamba2", "designs/mamba2.gau"),
    recurrent("rwkv6", "designs/mechanisms/rwkv6.gau"),
    recurrent("gated_delta_net", "designs/mechanisms/gated_delta_net.gau"),
    recurrent("ttt_linear", "designs/mechanisms/ttt_linear.gau"),
];

/// Peak memory of a training, against the peer's.
pub(super) const MEMORY: Bounds = Bounds { must: 1.0, aim: 0.6 };

/// The geometric mean of the ratios of random expressions, and their 95th percentile.
pub(super) const EXPRESSIONS: Bounds = Bounds { must: 1.0, aim: 0.6 };
pub(super) const SLOW_EXPRESSIONS: Bounds = Bounds { must: 1.5, aim: 0.6 };

/// Milliseconds from the text of a design to what can run.
pub(super) const COMPILE: Bounds = Bounds { must: 300.0, aim: 50.0 };

/// What a step of `LONG` costs, by what it should: as much as so many tokens in short rows, more by what attention looks at.
pub(super) const GROWTH: Bounds = Bounds { must: 1.1, aim: 1.0 };

/// The positions of a long row; a batch of them is one row.
pub(super) const LONG: u64 = 4096;

impl Training {
    /// As both sides are told it; `weights` is where ours writes its first weights.
    pub(super) fn told(&self, root: &Path, weights: Option<&Path>) -> Value {
        let Training { model, width, blocks, context, rows, vocabulary, dtype, .. } = self;
        json!({
            "model": model, "design": root.join(self.design), "width": width, "blocks": blocks, "context": context,
            "rows": rows, "vocabulary": vocabulary, "dtype": dtype, "weights_file": weights,
        })
    }

    /// The same design at the rung `14M`, to compile.
    pub(super) fn small(self) -> Self {
        Self { width: 128, blocks: 6, context: 2048, rows: 256, vocabulary: 32_000, ..self }
    }

    /// As many tokens in rows of `context`, `LONG` in all.
    pub(super) fn long(self, context: u64) -> Self {
        Self { context, rows: LONG / context, ..self }
    }

    /// How much more a step over rows of `LONG` should cost than one over as many tokens in rows of the training's own: 1, but
    /// for attention, whose products of queries, keys and values grow. Products alone are counted.
    pub(super) fn growth(&self) -> f64 {
        if self.model != "gpt" {
            return 1.0;
        }
        let (d, blocks) = (self.width as f64, self.blocks as f64);
        let hidden = (8 * self.width).div_ceil(384) as f64 * 128.0;
        let dense = blocks * (4.0 * d * d + 3.0 * d * hidden) + d * self.vocabulary as f64;
        // A position looks at (context + 1) / 2 others on average, by a product for its score and one for its value.
        let looked = |context: u64| blocks * d * (context + 1) as f64;
        (dense + looked(LONG)) / (dense + looked(self.context))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn works_are_known_by_their_names_and_bounds_are_in_order() {
        let mut names: Vec<&str> = TRAININGS.iter().map(|training| training.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TRAININGS.len());
        assert!(TRAININGS.iter().all(|training| training.bounds.aim < training.bounds.must));
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
        assert!(TRAININGS.iter().all(|training| root.join(training.design).is_file()));
    }

    #[test]
    fn attention_costs_more_in_long_rows_and_states_do_not() {
        // By hand: 7,864,320 of products without attention, 526,336 and 8,390,656 with it.
        assert!((GPT.growth() - 16_254_976.0 / 8_390_656.0).abs() < 1e-9, "{}", GPT.growth());
        assert_eq!(TRAININGS[4].growth(), 1.0);
        assert_eq!((GPT.long(256).rows, GPT.long(LONG).rows), (16, 1));
    }
}
