//! The training loop: from a job and a dataset to an outcome.
//!
//! In: a [`Job`], or a checkpoint to go on from; a dataset; what may be taken of the machine; an observer. Out: an
//! [`Outcome`]. One step is: a batch that is a function of (seed, step), the losses and the gradients of their sum, one pass
//! of clipping and AdamW over all weights. Weights, gradients and both moments are one slice each. The model that is
//! validated and saved is the one that was trained: there is no copy, and no average of weights.
//!
//! Where steps run operation by operation, the graph is differentiated and dropped by recursion, and so is the one that tells
//! where numbers stop being finite: the loop runs on a thread with a large stack. No clock is read, nothing is printed.

use genesys_cpu::Losses;
use genesys_data::{Dataset, Rows};
use genesys_runtime::on_large_stack;

use crate::adamw::{AdamW, Hyper};
use crate::checkpoint::{Checkpoint, Config, FIRST, History, SECOND};
use crate::error::{CheckpointError, TrainError};
use crate::job::{Divergence, Job, Outcome, Trained, rows_per_batch};
use crate::machine::Machine;
use crate::model::{self, Compiled, compile};
use crate::observer::{Observer, Start, Step};
use crate::precision::Precision;
use crate::schedule::Schedule;
use crate::trainee::Trainee;
use crate::validate::Validation;

/// Trains the job's design on `data`.
///
/// # Errors
/// [`TrainError::Design`], [`TrainError::Data`] where the text is too short for the context, [`TrainError::Memory`]
/// before anything large is allocated, or [`TrainError::Compute`]. Numbers that stop being finite are an [`Outcome`], not an
/// error.
pub fn train(job: &Job, data: &Dataset, machine: &Machine, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
    deep(|| Session::begin(job, data, machine)?.run(observer))
}

/// Goes on with the training that `checkpoint` was saved from; the outcome is the one of a training that never
/// stopped.
///
/// # Errors
/// As [`train`], and [`CheckpointError::NotResumable`] where the moments are missing, `data` is other text, or this processor
/// does not compute in the precision of the training.
pub fn resume(
    checkpoint: &Checkpoint,
    data: &Dataset,
    machine: &Machine,
    observer: &mut dyn Observer,
) -> Result<Outcome, TrainError> {
    deep(|| Session::resume(checkpoint, data, machine)?.run(observer))
}

/// Validates the model of `checkpoint` as its training does.
///
/// # Errors
/// As [`resume`]; [`TrainError::NoBytes`].
pub fn evaluate(checkpoint: &Checkpoint, data: &Dataset, machine: &Machine) -> Result<Validation, TrainError> {
    deep(|| {
        let job = &checkpoint.config.job;
        let rows = rows(data, job)?;
        loaded(checkpoint, machine)?.validate(&rows, job)
    })
}

/// Runs `work` where there is stack for a deep graph.
pub(crate) fn deep<T: Send>(work: impl FnOnce() -> Result<T, TrainError> + Send) -> Result<T, TrainError> {
    on_large_stack(|| Ok(work())).map_err(TrainError::compute("train"))?
}

pub(crate) fn rows(data: &Dataset, job: &Job) -> Result<Rows, TrainError> {
    Ok(data.rows(usize::try_from(job.scale.context).unwrap_or(usize::MAX))?)
}

/// The model of a checkpoint.
fn loaded(checkpoint: &Checkpoint, machine: &Machine) -> Result<Trainee, TrainError> {
    let module = model::module_of(checkpoint)?;
    Trainee::new(module, &checkpoint.config.job, machine, |module, layout| {
        model::weights_of(checkpoint, module, layout)
    })
}

/// A training at one moment.
struct Session {
    config: Config,
    schedule: Schedule,
    data: Dataset,
    rows: Rows,
    model: Trainee,
    /// In which numbers it was asked to be computed.
    asked: Precision,
    gradients: Vec<f32>,
    adamw: AdamW,
    /// How it went so far; none before the first validation.
    history: Option<History>,
}

impl Session {
    fn begin(job: &Job, data: &Dataset, machine: &Machine) -> Result<Self, TrainError> {
        let vocabulary = data.tokenizer().vocab_size() as u64;
        let Compiled { hash, module } = compile(&job.design, &job.scale, vocabulary)?;
        // What is written of it is what it is computed in.
        let asked = job.precision;
        let job = &Job { precision: asked.here(), ..job.clone() };
        let config = Config {
            dataset: Some(data.key()),
            corpus_hash: Some(data.info().corpus_hash.clone()),
            ..Config::new(job.clone(), hash, vocabulary)
        };
        let rows = rows(data, job)?;
        let model = Trainee::new(module, job, machine, |module, _| model::draw(module, job.seed))?;
        let adamw = AdamW::new(Hyper::default(), model.layout.len());
        Ok(Self { asked, ..Self::new(config, data, rows, model, adamw, None) })
    }

    fn resume(checkpoint: &Checkpoint, data: &Dataset, machine: &Machine) -> Result<Self, TrainError> {
        let refused = |why: &str| CheckpointError::NotResumable { why: why.to_owned() };
        let config = checkpoint.config.clone();
        if config.dataset.as_ref() != Some(&data.key()) {
            return Err(refused("it was trained on another text, or with another tokenizer").into());
        }
        let precision = config.job.precision;
        if precision.here() != precision {
            let why = format!("it was trained in {precision}, which this processor does not multiply");
            return Err(refused(&why).into());
        }
        let moments = checkpoint.optimizer.as_ref().ok_or_else(|| refused("it has no optimizer state"))?;
        let history = checkpoint.history.clone().ok_or_else(|| refused("it has no history of its training"))?;
        let rows = rows(data, &config.job)?;
        let model = loaded(checkpoint, machine)?;
        let slice = |prefix| {
            let found = model.layout.slice(moments, prefix);
            found.map_err(|why| CheckpointError::OtherDesign { why: format!("optimizer: {why}") })
        };
        let adamw = AdamW::restore(Hyper::default(), slice(FIRST)?, slice(SECOND)?, config.step);
        Ok(Self::new(config, data, rows, model, adamw, Some(history)))
    }

    fn new(config: Config, data: &Dataset, rows: Rows, model: Trainee, adamw: AdamW, history: Option<History>) -> Self {
        let Job { scale, steps, precision, .. } = &config.job;
        let (schedule, asked) = (Schedule::new(scale.learning_rate, *steps), *precision);
        let gradients = vec![0.0; model.layout.len()];
        Self { config, schedule, data: data.clone(), rows, model, asked, gradients, adamw, history }
    }

    fn run(mut self, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
        let mut history = match self.history.take() {
            Some(history) => history,
            None => History { start: self.validate()?, curve: Vec::new() },
        };
        if !history.start.is_finite() {
            return self.failed_validation(history.start);
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
            return self.failed_validation(trained);
        }
        let parameters = self.model.layout.len() as u64;
        let checkpoint = self.checkpoint(&history);
        let History { start, curve } = history;
        Ok(Outcome::Finished(Box::new(Trained { checkpoint, parameters, start, trained, curve })))
    }

    /// One step, or what was not finite in it; then the weights are as before.
    fn step(&mut self) -> Result<Result<Step, Divergence>, TrainError> {
        let Job { scale, steps, seed, .. } = &self.config.job;
        let (steps, step) = (*steps, self.config.step);
        let batch = self.rows.train_batch(step, rows_per_batch(scale), *seed);
        let Losses { loss, auxiliary } = self.model.step(&batch, &mut self.gradients)?;
        for (what, value) in [("the loss", Some(loss)), ("the auxiliary loss", auxiliary)] {
            if let Some(value) = value.filter(|value| !value.is_finite()) {
                return Ok(Err(self.divergence(what, value, self.model.origin(&batch)?)));
            }
        }
        let rate = self.schedule.rate(step);
        let Trainee { pool, layout, weights, .. } = &mut self.model;
        let norm = self.adamw.update(pool, layout.segments(), weights, &self.gradients, rate);
        if !norm.is_finite() {
            let (quantity, value) = self.model.culprit(&self.gradients);
            return Ok(Err(self.divergence(&quantity, value, None)));
        }
        self.config.step += 1;
        Ok(Ok(Step { done: step + 1, steps, loss, auxiliary, rate, norm, tokens: batch.predictions() }))
    }

    fn validate(&mut self) -> Result<Validation, TrainError> {
        self.model.validate(&self.rows, &self.config.job)
    }

    fn start(&self, validation: Validation) -> Start {
        let Job { scale, steps, .. } = &self.config.job;
        let parameters = self.model.layout.len() as u64;
        let (step, tokens_per_step) = (self.config.step, scale.tokens_per_step());
        let (composed, asked, precision) = (self.model.composed.clone(), self.asked, self.model.precision);
        let rows_at_a_time = self.model.in_parts(&self.config.job);
        let recompute = self.config.job.recompute;
        Start {
            composed,
            asked,
            precision,
            rows_at_a_time,
            recompute,
            parameters,
            step,
            steps: *steps,
            tokens_per_step,
            validation,
        }
    }

    fn failed_validation(&self, found: Validation) -> Result<Outcome, TrainError> {
        let job = &self.config.job;
        let batches = self.rows.validation_batches(job.rows_in_memory(), Some(job.validation_tokens));
        let mut place = None;
        for batch in batches {
            if place.is_none() {
                place = self.model.origin(&batch)?;
            }
        }
        Ok(Outcome::Diverged(self.divergence("the validation loss", found.nats as f32, place)))
    }

    fn divergence(&self, quantity: &str, value: f32, place: Option<String>) -> Divergence {
        let value = Some(value.to_string());
        Divergence { step: self.config.step, quantity: quantity.to_owned(), value, place }
    }

    fn checkpoint(&self, history: &History) -> Checkpoint {
        let table = |values, prefix| self.model.layout.table(values, prefix);
        let mut moments = table(self.adamw.first(), FIRST);
        moments.extend(table(self.adamw.second(), SECOND));
        Checkpoint {
            config: self.config.clone(),
            weights: table(&self.model.weights, ""),
            tokenizer: self.data.tokenizer().clone(),
            optimizer: Some(moments),
            history: Some(history.clone()),
        }
    }
}
