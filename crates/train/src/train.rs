//! The training loop: from a job and a dataset to an outcome.
//!
//! In: a [`Job`], or a checkpoint to go on from; a dataset; an observer. Out: an [`Outcome`]. One step is: a batch that
//! is a function of (seed, step), the losses, the gradients of their sum, one pass of clipping and AdamW over all weights. The model
//! that is validated and saved is the one that was trained: there is no copy, and no average of weights.
//!
//! The gradients of a composed graph are found, and the graph is dropped, by recursion: the loop runs on a thread
//! with a large stack. No clock is read, nothing is printed.

use candle_core::Device;
use genesys_data::{Batch, Dataset, Rows};
use genesys_runtime::{Model, RuntimeError, on_large_stack};

use crate::adamw::{AdamW, Hyper};
use crate::arena::Layout;
use crate::batch::inputs;
use crate::checkpoint::{Checkpoint, Config, FIRST, History, SECOND};
use crate::error::{CheckpointError, TrainError};
use crate::job::{Divergence, Job, Outcome, Trained, rows_per_batch};
use crate::model::{Compiled, build, compile, draw, store, weights_of};
use crate::observer::{Observer, Start, Step};
use crate::schedule::Schedule;
use crate::validate::{Validation, evaluate};

/// Trains the job's design on `data`.
///
/// # Errors
/// [`TrainError::Design`], [`TrainError::Data`] where the text is too short for the context, or
/// [`TrainError::Compute`]. Numbers that stop being finite are an [`Outcome`], not an error.
pub fn train(job: &Job, data: &Dataset, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
    deep(|| Session::begin(job, data)?.run(observer))
}

/// Goes on with the training that `checkpoint` was saved from; the outcome is the one of a training that never
/// stopped.
///
/// # Errors
/// As [`train`], and [`CheckpointError::NotResumable`] where the moments are missing or `data` is other text.
pub fn resume(checkpoint: &Checkpoint, data: &Dataset, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
    deep(|| Session::resume(checkpoint, data)?.run(observer))
}

/// Runs `work` where there is stack for a deep graph.
fn deep<T: Send>(work: impl FnOnce() -> Result<T, TrainError> + Send) -> Result<T, TrainError> {
    on_large_stack(|| Ok(work())).map_err(TrainError::compute("train"))?
}

/// A training at one moment.
struct Session {
    config: Config,
    schedule: Schedule,
    data: Dataset,
    rows: Rows,
    model: Model,
    layout: Layout,
    weights: Vec<f32>,
    adamw: AdamW,
    /// How it went so far; none before the first validation.
    history: Option<History>,
}

/// What a batch asks for.
struct Gradients {
    loss: f32,
    auxiliary: Option<f32>,
    gradients: Vec<f32>,
}

impl Session {
    fn begin(job: &Job, data: &Dataset) -> Result<Self, TrainError> {
        let vocabulary = data.tokenizer().vocab_size() as u64;
        let Compiled { hash, module } = compile(&job.design, &job.scale, vocabulary)?;
        let config = Config {
            dataset: Some(data.key()),
            corpus_hash: Some(data.info().corpus_hash.clone()),
            ..Config::new(job.clone(), hash, vocabulary)
        };
        let model = draw(module, job.seed)?;
        let (layout, weights) = weights_of(&model)?;
        let adamw = AdamW::new(Hyper::default(), layout.len());
        Self::new(config, data, model, (layout, weights, adamw), None)
    }

    fn resume(checkpoint: &Checkpoint, data: &Dataset) -> Result<Self, TrainError> {
        let refused = |why: &str| CheckpointError::NotResumable { why: why.to_owned() };
        let config = checkpoint.config.clone();
        if config.dataset.as_ref() != Some(&data.key()) {
            return Err(refused("it was trained on another text, or with another tokenizer").into());
        }
        let moments = checkpoint.optimizer.as_ref().ok_or_else(|| refused("it has no optimizer state"))?;
        let history = checkpoint.history.clone().ok_or_else(|| refused("it has no history of its training"))?;
        let model = build(checkpoint)?;
        let (layout, weights) = weights_of(&model)?;
        let slice = |prefix| {
            layout
                .slice(moments, prefix)
                .map_err(|why| CheckpointError::OtherDesign { why: format!("optimizer: {why}") })
        };
        let adamw = AdamW::restore(Hyper::default(), slice(FIRST)?, slice(SECOND)?, config.step);
        Self::new(config, data, model, (layout, weights, adamw), Some(history))
    }

    fn new(
        config: Config,
        data: &Dataset,
        model: Model,
        (layout, weights, adamw): (Layout, Vec<f32>, AdamW),
        history: Option<History>,
    ) -> Result<Self, TrainError> {
        let Job { scale, steps, .. } = &config.job;
        let rows = data.rows(usize::try_from(scale.context).unwrap_or(usize::MAX))?;
        let schedule = Schedule::new(scale.learning_rate, *steps);
        Ok(Self { config, schedule, data: data.clone(), rows, model, layout, weights, adamw, history })
    }

    fn run(mut self, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
        let mut history = match self.history.take() {
            Some(history) => history,
            None => History { start: self.validate()?, curve: Vec::new() },
        };
        if !history.start.is_finite() {
            return self.failed_validation();
        }
        observer.started(&self.start(history.start));
        while self.config.step < self.config.job.steps {
            let step = match self.step()? {
                Ok(step) => step,
                Err(divergence) => return Ok(Outcome::Diverged(divergence)),
            };
            history.curve.push(step.loss);
            if step.done == step.steps {
                // What is left is the last validation: nothing to keep, and too late to stop.
                let _ = observer.step(&step);
                break;
            }
            if let Some(dir) = observer.keep(&step) {
                self.checkpoint(&history).save(&dir)?;
            }
            if observer.step(&step).is_break() {
                return Ok(Outcome::Stopped(Box::new(self.checkpoint(&history))));
            }
        }
        let trained = self.validate()?;
        if !trained.is_finite() {
            return self.failed_validation();
        }
        let parameters = self.layout.len() as u64;
        let checkpoint = self.checkpoint(&history);
        let History { start, curve } = history;
        Ok(Outcome::Finished(Box::new(Trained { checkpoint, parameters, start, trained, curve })))
    }

    /// One step, or what was not finite in it; then the weights are as before.
    fn step(&mut self) -> Result<Result<Step, Divergence>, TrainError> {
        let Job { scale, steps, seed, .. } = &self.config.job;
        let (steps, step) = (*steps, self.config.step);
        let batch = self.rows.train_batch(step, rows_per_batch(scale), *seed);
        let Gradients { loss, auxiliary, gradients } = self.gradients(&batch).map_err(TrainError::compute("train"))?;
        let finite = [("the loss", Some(loss)), ("the auxiliary loss", auxiliary)];
        if let Some((what, _)) = finite.into_iter().find(|(_, value)| value.is_some_and(|value| !value.is_finite())) {
            return Ok(Err(self.divergence(what, self.origin(&batch)?)));
        }
        let rate = self.schedule.rate(step);
        let norm = self.adamw.update(self.layout.segments(), &mut self.weights, &gradients, rate);
        if !norm.is_finite() {
            return Ok(Err(self.divergence(&self.culprit(&gradients), None)));
        }
        store(&self.model, &self.layout, &self.weights).map_err(TrainError::compute("train"))?;
        self.config.step += 1;
        Ok(Ok(Step { done: step + 1, steps, loss, auxiliary, rate, norm, tokens: batch.predictions() }))
    }

    /// The losses, and the gradients of their sum in the order of the layout; 0 where a weight takes no part in it.
    fn gradients(&self, batch: &Batch) -> Result<Gradients, RuntimeError> {
        let (tokens, targets) = inputs(batch, &Device::Cpu)?;
        let losses = self.model.losses(&tokens, &targets)?;
        // The stack is deep already: no thread of its own for every step.
        let gradients = losses.objective()?.backward()?;
        let mut flat = vec![0.0; self.layout.len()];
        for (parameter, segment) in self.model.parameters().iter().zip(self.layout.segments()) {
            if let Some(gradient) = gradients.get(&parameter.var) {
                flat[segment.range.clone()].copy_from_slice(&gradient.flatten_all()?.to_vec1::<f32>()?);
            }
        }
        let auxiliary = losses.auxiliary.map(|sum| sum.to_scalar()).transpose()?;
        Ok(Gradients { loss: losses.loss.to_scalar()?, auxiliary, gradients: flat })
    }

    fn validate(&self) -> Result<Validation, TrainError> {
        let job = &self.config.job;
        evaluate(&self.model, &self.rows, rows_per_batch(&job.scale), job.validation_tokens)
    }

    fn start(&self, validation: Validation) -> Start {
        let Job { scale, steps, .. } = &self.config.job;
        let parameters = self.layout.len() as u64;
        let (step, tokens_per_step) = (self.config.step, scale.tokens_per_step());
        Start { parameters, step, steps: *steps, tokens_per_step, validation }
    }

    /// Which gradient is not finite. Gradients come from the loss, so of several the last weight that is used is where it
    /// began. The sum of squares overflows only where none is.
    fn culprit(&self, gradients: &[f32]) -> String {
        let views: Vec<_> = self.layout.views(gradients).collect();
        let bad = views.iter().rev().find(|(_, _, values)| values.iter().any(|value| !value.is_finite()));
        bad.map_or_else(|| "the norm of the gradient".to_owned(), |(name, ..)| format!("the gradient of {name}"))
    }

    /// Where the loss of a batch stops being finite.
    fn origin(&self, batch: &Batch) -> Result<Option<String>, TrainError> {
        let found = inputs(batch, &Device::Cpu).map_err(RuntimeError::from);
        let found = found.and_then(|(tokens, targets)| self.model.origin(&tokens, &targets));
        Ok(found.map_err(TrainError::compute("find what is not finite"))?.map(|origin| origin.to_string()))
    }

    fn failed_validation(&self) -> Result<Outcome, TrainError> {
        let job = &self.config.job;
        let mut place = None;
        for batch in self.rows.validation_batches(rows_per_batch(&job.scale), Some(job.validation_tokens)) {
            if place.is_none() {
                place = self.origin(&batch)?;
            }
        }
        Ok(Outcome::Diverged(self.divergence("the validation loss", place)))
    }

    fn divergence(&self, quantity: &str, place: Option<String>) -> Divergence {
        Divergence { step: self.config.step, quantity: quantity.to_owned(), place }
    }

    fn checkpoint(&self, history: &History) -> Checkpoint {
        let table = |values, prefix| self.layout.table(values, prefix);
        let mut moments = table(self.adamw.first(), FIRST);
        moments.extend(table(self.adamw.second(), SECOND));
        Checkpoint {
            config: self.config.clone(),
            weights: table(&self.weights, ""),
            tokenizer: self.data.tokenizer().clone(),
            optimizer: Some(moments),
            history: Some(history.clone()),
        }
    }
}
