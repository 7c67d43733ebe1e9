//! The first steps of a training, for who wants to see what they are made of.
//!
//! In: a job, a dataset, what may be taken of the machine. Out: a [`Rehearsal`], whose steps are those of [`train`](crate::train())
//! — the same program, threads, batches and optimizer — and which tells of each part of a step when it is through. Nothing is
//! validated, kept or scored, no clock is read, and a loss that stops being finite stops nothing.

use genesys_cpu::{Executor, Footprint, KernelWork, Roofline, Through};
use genesys_data::{Dataset, Rows};
use genesys_ir::module::Module;

use crate::adamw::{AdamW, Hyper};
use crate::engine::backward;
use crate::error::TrainError;
use crate::job::{Job, rows_per_batch};
use crate::machine::Machine;
use crate::model::{self, Compiled, compile};
use crate::schedule::Schedule;
use crate::train::{deep, rows};
use crate::trainee::Trainee;

/// A part of a step that is through.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// The rows of the step are there.
    Batch,
    /// A kernel of the program ran.
    Kernel(Through<'a>),
    /// The weights are updated.
    Optimizer,
}

/// The first steps of a training.
pub struct Rehearsal {
    job: Job,
    rows: Rows,
    model: Trainee,
    /// What the program of a step is made of.
    module: Module,
    hash: String,
    gradients: Vec<f32>,
    adamw: AdamW,
    schedule: Schedule,
    done: u64,
}

/// Makes ready to train the job's design on `data`, and hands that to `work`.
///
/// # Errors
/// As [`train`](crate::train()), and [`TrainError::NoProgram`] where steps would run operation by operation.
pub fn rehearse<T: Send>(
    job: &Job,
    data: &Dataset,
    machine: &Machine,
    work: impl FnOnce(&mut Rehearsal) -> T + Send,
) -> Result<T, TrainError> {
    deep(|| Ok(work(&mut Rehearsal::new(job, data, machine)?)))
}

impl Rehearsal {
    fn new(job: &Job, data: &Dataset, machine: &Machine) -> Result<Self, TrainError> {
        let vocabulary = data.tokenizer().vocab_size() as u64;
        let Compiled { hash, module } = compile(&job.design, &job.scale, vocabulary)?;
        let step = backward(&module, job.recompute);
        let rows = rows(data, job)?;
        let model = Trainee::new(module, job, machine, |module, _| model::draw(module, job.seed))?;
        if let Some(why) = model.composed {
            return Err(TrainError::NoProgram(why));
        }
        let step = step.map_err(|error| TrainError::NoProgram(error.to_string()))?;
        let gradients = vec![0.0; model.layout.len()];
        let adamw = AdamW::new(Hyper::default(), model.layout.len());
        let schedule = Schedule::new(job.scale.learning_rate, job.steps);
        Ok(Self { job: job.clone(), rows, model, module: step, hash, gradients, adamw, schedule, done: 0 })
    }

    /// The hash of the design.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// How many numbers the weights have.
    pub fn parameters(&self) -> usize {
        self.model.layout.len()
    }

    /// The threads of a step.
    pub fn threads(&self) -> usize {
        self.model.pool.threads()
    }

    /// What a step does, kernel by kernel as they are told of.
    pub fn work(&mut self) -> Vec<KernelWork> {
        let executor = self.model.engine.executor().expect("what has no program was refused");
        executor.program().work(&self.module)
    }

    /// What of memory a step takes.
    pub fn footprint(&mut self) -> Footprint {
        let executor = self.model.engine.executor().expect("what has no program was refused");
        executor.program().footprint(&self.module)
    }

    /// What this machine does at best, on the threads of a step.
    pub fn roofline(&self) -> Roofline {
        Roofline::measure(&self.model.pool)
    }

    /// Says whether the operations of kernels are timed in the steps to come, which are slower for it.
    pub fn meter(&mut self, on: bool) {
        self.executor().meter(on);
    }

    /// The next step; `told` hears of each part when it is through. A batch that is run in parts runs the program once for each.
    ///
    /// # Errors
    /// [`TrainError::Compute`].
    pub fn step(&mut self, told: &mut dyn FnMut(Part<'_>)) -> Result<(), TrainError> {
        let batch = self.rows.train_batch(self.done, rows_per_batch(&self.job.scale), self.job.seed);
        told(Part::Batch);
        self.model.watched(&batch, &mut self.gradients, &mut |through| told(Part::Kernel(through)))?;
        let Trainee { layout, weights, pool, .. } = &mut self.model;
        self.adamw.update(pool, layout.segments(), weights, &self.gradients, self.schedule.rate(self.done));
        told(Part::Optimizer);
        self.done += 1;
        Ok(())
    }

    fn executor(&mut self) -> &mut Executor {
        self.model.engine.executor().expect("what has no program was refused")
    }
}
