//! Who watches a training: told of every step, and asked whether to go on, and whether to keep it.

use std::ops::ControlFlow;
use std::path::PathBuf;

use genesys_opt::Recompute;

use crate::precision::Precision;
use crate::validate::Validation;

/// Told of a training as it goes. Whatever it does, the numbers stay the same.
pub trait Observer: Send {
    /// The model is built and validated; steps follow.
    fn started(&mut self, _start: &Start) {}

    /// A step is done. [`ControlFlow::Break`] stops the training with a checkpoint.
    fn step(&mut self, _step: &Step) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// Where the training is to be kept as it is after that step, if it is: the folder of a checkpoint to go on from.
    fn keep(&mut self, _step: &Step) -> Option<PathBuf> {
        None
    }
}

/// Watches nothing.
impl Observer for () {}

/// What is known before the first step.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// Why steps run operation by operation instead of as one program, if they do: slower, by the reference back end.
    pub composed: Option<String>,
    /// In which numbers it was asked to be computed, and in which it is.
    pub asked: Precision,
    /// See `asked`.
    pub precision: Precision,
    /// How many rows are in memory at a time, where not all of a step are.
    pub rows_at_a_time: Option<u64>,
    /// What the backward pass computes again.
    pub recompute: Recompute,
    /// How many weights the model has.
    pub parameters: u64,
    /// The step that training begins with: 0, or where it goes on.
    pub step: u64,
    /// How many steps it has.
    pub steps: u64,
    /// Tokens a step.
    pub tokens_per_step: u64,
    /// Validation before the first step.
    pub validation: Validation,
}

impl Start {
    /// What people should know of how it runs, a line each; none where it runs as it should.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let composed = self
            .composed
            .as_ref()
            .map(|why| format!("it trains operation by operation, several times slower than as one program: {why}"));
        let parts = self.rows_at_a_time.map(|rows| {
            let s = if rows == 1 { "" } else { "s" };
            format!("{rows} row{s} of a step are in memory at a time, and their gradients are summed")
        });
        let again = match self.recompute {
            Recompute::Little => None,
            Recompute::Elements => Some("what is computed element by element is computed again on the way back"),
            Recompute::Products => Some("products are computed again on the way back"),
            Recompute::All => Some("blocks are computed again on the way back"),
        };
        let (asked, precision) = (self.asked, self.precision);
        let lowered = (asked != precision).then(|| match self.composed {
            Some(_) => format!("those operations are in {precision}, not in {asked}"),
            None => format!(
                "this processor does not multiply numbers in {asked}, so it trains in {precision}, to the result of a \
                 training in that"
            ),
        });
        composed.into_iter().chain(lowered).chain(parts).chain(again.map(str::to_owned)).collect()
    }
}

/// A step that is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// How many steps are done.
    pub done: u64,
    /// How many there are.
    pub steps: u64,
    /// The training loss in nats a token, without what units add to it.
    pub loss: f32,
    /// What units add to it, where they have losses of their own: trained on, and never reported as the loss. Its means are
    /// over the tokens of the step's batch.
    pub auxiliary: Option<f32>,
    /// The learning rate.
    pub rate: f64,
    /// The norm of the gradient before clipping.
    pub norm: f64,
    /// Tokens that the step predicted.
    pub tokens: u64,
}
