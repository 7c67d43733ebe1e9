//! A job: everything that decides a training, apart from its data. And what comes of it.

use genesys_ladder::Scale;
use genesys_opt::Recompute;
use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoint;
use crate::precision::{self, Precision};
use crate::validate::Validation;

/// What to train. With the same dataset, equal jobs give equal bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The design's text.
    pub design: String,
    /// Width, depth, context, rows a step, peak rate.
    pub scale: Scale,
    /// How many steps, each over `scale.rows` rows.
    pub steps: u64,
    /// Decides the weights and the order of the data.
    pub seed: u64,
    /// How many tokens are validated on at most; see [`validation_tokens`].
    pub validation_tokens: u64,
    /// How many rows are in memory at a time, where not all of a step are: it runs over them part by part, and sums their
    /// gradients. That rounds differently, so it is part of what is trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_at_a_time: Option<u64>,
    /// What the backward pass computes again rather than keeps. That may round differently, too.
    #[serde(default, skip_serializing_if = "Recompute::is_little")]
    pub recompute: Recompute,
    /// In which numbers its steps are computed: another precision is another result.
    #[serde(default, skip_serializing_if = "precision::is_plain", with = "precision")]
    pub precision: Precision,
}

impl Job {
    /// The job of a design at a scale in f32, with the steps and the validation that the scale stands for.
    #[must_use]
    pub fn at_scale(design: impl Into<String>, scale: &Scale, seed: u64) -> Self {
        let validation_tokens = validation_tokens(scale);
        let (scale, steps) = (scale.clone(), scale.steps);
        Self {
            design: design.into(),
            scale,
            steps,
            seed,
            validation_tokens,
            rows_at_a_time: None,
            recompute: Recompute::Little,
            precision: Precision::F32,
        }
    }

    /// How many rows are in memory at a time: at most those of a step, and at least one.
    pub(crate) fn rows_in_memory(&self) -> usize {
        let rows = rows_per_batch(&self.scale);
        let asked = self.rows_at_a_time.map(|asked| usize::try_from(asked).unwrap_or(usize::MAX));
        asked.map_or(rows, |asked| asked.clamp(1, rows.max(1)))
    }
}

/// How many tokens a model of this scale is validated on: as many as 32 steps train on, at most 1,048,576.
/// At `nano` that is 16,384, the same rows for every design.
#[must_use]
pub fn validation_tokens(scale: &Scale) -> u64 {
    32 * scale.tokens_per_step().min(32_768)
}

/// Rows a step, as a number of rows in memory.
pub(crate) fn rows_per_batch(scale: &Scale) -> usize {
    usize::try_from(scale.rows).unwrap_or(usize::MAX)
}

/// What came of a job.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The model is trained.
    Finished(Box<Trained>),
    /// Numbers stopped being finite: a failed result, never a score.
    Diverged(Divergence),
    /// The observer asked to stop; training can go on from here.
    Stopped(Box<Checkpoint>),
}

/// A trained model and how it went.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The model, with the optimizer's moments.
    pub checkpoint: Checkpoint,
    /// How many weights it has.
    pub parameters: u64,
    /// Validation before the first step.
    pub start: Validation,
    /// Validation after the last step.
    pub trained: Validation,
    /// The training loss of each step in nats a token.
    pub curve: Vec<f32>,
}

/// Where numbers stopped being finite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergence {
    /// The step, from 0; the number of steps if it was in the last validation.
    pub step: u64,
    /// Which number: `the loss`, `the gradient of blocks.0.attention.q.weight`.
    pub quantity: String,
    /// What the number was: `NaN`, `inf`; none in what was told before there were values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The operation and the unit whose result is the first that is not finite, where it is one of the forward pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

impl std::fmt::Display for Divergence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is not a finite number at step {}", self.quantity, self.step)?;
        if let Some(value) = &self.value {
            write!(f, ", but {value}")?;
        }
        match &self.place {
            Some(place) => write!(f, "; the first that is not is of {place}"),
            None => Ok(()),
        }
    }
}
