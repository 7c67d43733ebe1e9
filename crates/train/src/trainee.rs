//! A model in training: its module, its weights in one slice, and what runs it.
//!
//! In: a module, a scale, what may be taken of the machine, weights. Out: losses, gradients, a validation, and where numbers
//! stop being finite. Whether it fits memory is asked before anything large is allocated. Not here: the optimizer.

use std::sync::Arc;

use candle_core::Device;
use genesys_cpu::{Losses, Through};
use genesys_data::{Batch, Rows};
use genesys_ir::module::Module;
use genesys_kernels::Pool;
use genesys_runtime::RuntimeError;

use crate::arena::Layout;
use crate::batch::inputs;
use crate::engine::{Engine, Passes};
use crate::error::TrainError;
use crate::fit;
use crate::job::Job;
use crate::machine::Machine;
use crate::model;
use crate::precision::Precision;
use crate::validate::{self, Validation};

/// A model whose weights change.
pub(crate) struct Trainee {
    module: Module,
    pub(crate) engine: Engine,
    /// How many rows are in memory at a time.
    rows: usize,
    /// Where each weight lies.
    pub(crate) layout: Layout,
    /// All weights.
    pub(crate) weights: Vec<f32>,
    /// The threads of a step and of the optimizer.
    pub(crate) pool: Arc<Pool>,
    /// Why steps run operation by operation, if they do.
    pub(crate) composed: Option<String>,
    /// In which numbers they are computed.
    pub(crate) precision: Precision,
}

impl Trainee {
    /// A model of `module` for the batches of a job, with what `weights` gives.
    ///
    /// # Errors
    /// [`TrainError::Memory`] before anything large is allocated, [`TrainError::Design`] where its losses do not add up over
    /// parts of a batch and the job asks for parts, those of `weights`, [`TrainError::Compute`].
    pub(crate) fn new(
        module: Module,
        job: &Job,
        machine: &Machine,
        weights: impl FnOnce(&Module, &Layout) -> Result<Vec<f32>, TrainError>,
    ) -> Result<Self, TrainError> {
        let layout = model::layout(&module)?;
        let rows = job.rows_in_memory();
        fit::may_be_cut(&module, job)?;
        let plan = Passes::of(&module, machine, job.recompute, job.precision).plan(&layout, &job.scale, rows)?;
        machine.holds(plan.bytes(), rows as u64)?;
        let (composed, precision) = (plan.composed().map(str::to_owned), plan.precision());
        let weights = weights(&module, &layout)?;
        let pool = Arc::new(Pool::new(machine.threads));
        let engine = plan.engine(&pool, || model::with(&module, &layout, &weights))?;
        Ok(Self { module, engine, rows, layout, weights, pool, composed, precision })
    }

    /// How many rows are in memory at a time, where not all of a step are.
    pub(crate) fn in_parts(&self, job: &Job) -> Option<u64> {
        Some(self.rows as u64).filter(|rows| *rows < job.scale.rows)
    }

    /// Losses of a batch, and the gradients of their sum in the order of the layout.
    pub(crate) fn step(&mut self, batch: &Batch, gradients: &mut [f32]) -> Result<Losses, TrainError> {
        self.watched(batch, gradients, &mut |_| {})
    }

    /// As [`step`](Self::step); `watch` is told of each kernel of a program when it is through.
    pub(crate) fn watched(
        &mut self,
        batch: &Batch,
        gradients: &mut [f32],
        watch: &mut dyn FnMut(Through<'_>),
    ) -> Result<Losses, TrainError> {
        let losses = self.engine.step(&self.pool, &self.layout, &self.weights, batch, gradients, watch);
        losses.map_err(TrainError::compute("train"))
    }

    /// How well it predicts the validation rows of a job.
    pub(crate) fn validate(&mut self, rows: &Rows, job: &Job) -> Result<Validation, TrainError> {
        validate::evaluate(rows, self.rows, job.validation_tokens, |batch| {
            let loss = self.engine.loss(&self.layout, &self.weights, batch);
            loss.map_err(TrainError::compute("validate"))
        })
    }

    /// Where the loss of a batch stops being finite: one more pass, operation by operation, part by part.
    pub(crate) fn origin(&self, batch: &Batch) -> Result<Option<String>, TrainError> {
        let model = model::with(&self.module, &self.layout, &self.weights)?;
        for part in batch.parts(self.rows) {
            let found = inputs(&part, &Device::Cpu).map_err(RuntimeError::from);
            let found = found.and_then(|(tokens, targets)| model.origin(&tokens, &targets));
            if let Some(origin) = found.map_err(TrainError::compute("find what is not finite"))? {
                return Ok(Some(origin.to_string()));
            }
        }
        Ok(None)
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
