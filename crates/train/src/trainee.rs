//! A model in training: its module, its weights in one slice, and what runs it.
//!
//! In: a module, a scale, what may be taken of the machine, weights. Out: losses, gradients, a validation, and where numbers
//! stop being finite. Whether it fits memory is asked before anything large is allocated. Not here: the optimizer.

use std::sync::Arc;

use candle_core::Device;
use genesys_cpu::Losses;
use genesys_data::{Batch, Rows};
use genesys_ir::module::Module;
use genesys_kernels::Pool;
use genesys_ladder::Scale;
use genesys_runtime::RuntimeError;

use crate::arena::Layout;
use crate::batch::inputs;
use crate::engine::{Engine, Plan};
use crate::error::TrainError;
use crate::job::{Job, rows_per_batch};
use crate::machine::Machine;
use crate::model;
use crate::validate::{self, Validation};

/// A model whose weights change.
pub(crate) struct Trainee {
    module: Module,
    engine: Engine,
    /// Where each weight lies.
    pub(crate) layout: Layout,
    /// All weights.
    pub(crate) weights: Vec<f32>,
    /// The threads of a step and of the optimizer.
    pub(crate) pool: Arc<Pool>,
    /// Why steps run operation by operation, if they do.
    pub(crate) composed: Option<String>,
}

impl Trainee {
    /// A model of `module`, with what `weights` gives.
    ///
    /// # Errors
    /// [`TrainError::Memory`] before anything large is allocated, those of `weights`, [`TrainError::Compute`].
    pub(crate) fn new(
        module: Module,
        scale: &Scale,
        machine: &Machine,
        weights: impl FnOnce(&Module, &Layout) -> Result<Vec<f32>, TrainError>,
    ) -> Result<Self, TrainError> {
        let layout = model::layout(&module)?;
        let plan = Plan::new(&module, &layout, scale, machine)?;
        machine.holds(plan.bytes())?;
        let composed = plan.composed().map(str::to_owned);
        let weights = weights(&module, &layout)?;
        let pool = Arc::new(Pool::new(machine.threads));
        let engine = plan.engine(&pool, || model::with(&module, &layout, &weights))?;
        Ok(Self { module, engine, layout, weights, pool, composed })
    }

    /// Losses of a batch, and the gradients of their sum in the order of the layout.
    pub(crate) fn step(&mut self, batch: &Batch, gradients: &mut [f32]) -> Result<Losses, TrainError> {
        let losses = self.engine.step(&self.layout, &self.weights, batch, gradients);
        losses.map_err(TrainError::compute("train"))
    }

    /// How well it predicts the validation rows of a job.
    pub(crate) fn validate(&mut self, rows: &Rows, job: &Job) -> Result<Validation, TrainError> {
        validate::evaluate(rows, rows_per_batch(&job.scale), job.validation_tokens, |batch| {
            let loss = self.engine.loss(&self.layout, &self.weights, batch);
            loss.map_err(TrainError::compute("validate"))
        })
    }

    /// Where the loss of a batch stops being finite: one more pass, operation by operation.
    pub(crate) fn origin(&self, batch: &Batch) -> Result<Option<String>, TrainError> {
        let model = model::with(&self.module, &self.layout, &self.weights)?;
        let found = inputs(batch, &Device::Cpu).map_err(RuntimeError::from);
        let found = found.and_then(|(tokens, targets)| model.origin(&tokens, &targets));
        Ok(found.map_err(TrainError::compute("find what is not finite"))?.map(|origin| origin.to_string()))
    }

    /// Which gradient is not finite, and what it is. Gradients come from the loss, so of several the last weight that is used
    /// is where it began. The sum of squares overflows only where none is.
    pub(crate) fn culprit(&self, gradients: &[f32]) -> (String, f32) {
        let views: Vec<_> = self.layout.views(gradients).collect();
        let bad = |(name, _, values): &(&str, &[usize], &[f32])| {
            let value = values.iter().find(|value| !value.is_finite())?;
            Some((format!("the gradient of {name}"), *value))
        };
        views.iter().rev().find_map(bad).unwrap_or_else(|| ("the norm of the gradient".to_owned(), f32::INFINITY))
    }
}
