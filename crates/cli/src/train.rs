//! `genesys train`: one design on one text.
//!
//! In: a design, a scale, steps, a text; or a checkpoint to go on from. Out: a checkpoint, and what it predicts before
//! and after. On the way the checkpoint is written every few steps, so that whatever ends the command, `--resume` goes
//! on to the same weights. Progress goes to standard error.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use genesys_data::Dataset;
use genesys_ladder::Scale;
use genesys_train::job::{Job, Outcome, Trained};
use genesys_train::observer::{Observer, Start, Step};
use genesys_train::train::{resume, train};
use genesys_train::{Checkpoint, CheckpointError, Machine, Precision, Recompute, fit, useful_threads};

use crate::corpus::{self, CorpusArgs};
use crate::design_file;
use crate::failure::Failure;
use crate::init::of_train;
use crate::number;
use crate::output;
use crate::precision;
use crate::progress::Steps;
use crate::run_folder::quoted;
use crate::scale;
use crate::stop::Stop;

/// Train a design on text, and write the model as a checkpoint.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys train designs/gpt.gau --scale nano --steps 200 --out gpt.ckpt
  genesys train designs/gla.gau --scale nano --corpus books/ --seed 1 --out gla.ckpt
  genesys train --resume gla.ckpt                   go on with a training that was stopped

The text is split by document into a training and a validation side; a byte-level BPE of the scale's vocabulary is \
trained on the training side. The same design, scale, steps, text and seed give the same bits, also when the training \
was stopped in between, by Ctrl-C or in whatever way, and gone on with.")]
pub(crate) struct Args {
    /// A design file.
    #[arg(value_name = "FILE", required_unless_present = "resume")]
    file: Option<PathBuf>,
    /// A rung of the ladder: nano, 14M, 31M, 70M, 125M, 350M, 760M, 1.3B.
    #[arg(long, value_parser = scale::parse, required_unless_present = "resume")]
    scale: Option<Scale>,
    /// How many steps; without it, as many as the rung has.
    #[arg(long, value_name = "N", value_parser = number::positive)]
    steps: Option<u64>,
    /// The folder to write; with --resume, the checkpoint itself where no other is named.
    #[arg(long, value_name = "DIR", required_unless_present = "resume")]
    out: Option<PathBuf>,
    /// Decides the weights and the order of the text [default: 0].
    #[arg(long, value_name = "N", value_parser = number::whole)]
    seed: Option<u64>,
    /// Go on with the training of this checkpoint, to the weights of one that was never stopped.
    #[arg(long, value_name = "CKPT", conflicts_with_all = ["file", "scale", "steps", "seed", "rows_at_a_time", "recompute", "precision"])]
    resume: Option<PathBuf>,
    /// Steps between two checkpoints on the way; they do not change the result.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = number::positive)]
    checkpoint_every: u64,
    /// The numbers that products read: f32, or bf16, which is faster where the processor multiplies it, and another result
    /// [default: f32].
    #[arg(long, value_name = "TYPE", value_parser = precision::parse)]
    precision: Option<Precision>,
    /// Threads of a step; they do not change the result [default: the machine's cores, at most what a step has work for].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    threads: Option<u64>,
    /// The most memory the training may need, as 750M or 4G; without it, what the machine has left. Where not all rows of a step
    /// fit, as many as do are in memory at a time, and their gradients are summed; where one does not, less is kept.
    #[arg(long, value_name = "BYTES", value_parser = number::bytes)]
    memory: Option<u64>,
    /// Rows of a step that are in memory at a time; without it, as many as fit. It changes how gradients are rounded.
    #[arg(long, value_name = "N", value_parser = number::positive)]
    rows_at_a_time: Option<u64>,
    /// What the backward pass computes again rather than keeps: little, elements (all but products and recurrences), products
    /// (all but attention and recurrences), or all; without it, as little as fits.
    #[arg(long, value_name = "WHAT", value_parser = recompute)]
    recompute: Option<Recompute>,
    #[command(flatten)]
    corpus: CorpusArgs,
}

/// Trains and writes the checkpoint.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let plan = args.plan()?;
    Checkpoint::may_be_saved(&plan.out).map_err(|error| of_checkpoint(&error))?;
    let stop = Stop::listen(|| {})?;
    let mut watch = Watch { shown: Steps::default(), stop, plan: &plan, every: args.checkpoint_every, kept: None };
    let outcome = match &plan.begin {
        Begin::Job(job) => train(job, &plan.data, &plan.machine, &mut watch),
        Begin::Checkpoint(checkpoint) => resume(checkpoint, &plan.data, &plan.machine, &mut watch),
    };
    watch.shown.finish();
    match outcome.map_err(|error| of_train(&error))? {
        Outcome::Finished(trained) => finish(&plan.out, &trained),
        Outcome::Diverged(divergence) => {
            Err(Failure::Input(format!("the training failed: {divergence}; {}", watch.what_is_kept())))
        }
        Outcome::Stopped(checkpoint) => {
            save(&checkpoint, &plan.out)?;
            let (done, steps) = (checkpoint.config.step, checkpoint.config.job.steps);
            let out = quoted(&plan.out);
            Err(watch.stop.failure(format!(
                "stopped after step {done} of {steps}, which is kept: go on with `genesys train --resume {out}`"
            )))
        }
    }
}

/// What is to be done, once everything that the user gave is read.
struct Plan {
    begin: Begin,
    machine: Machine,
    data: Dataset,
    out: PathBuf,
}

enum Begin {
    Job(Job),
    Checkpoint(Box<Checkpoint>),
}

impl Args {
    fn machine(&self, scale: &Scale) -> Machine {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let asked = self.threads.map(|threads| usize::try_from(threads).unwrap_or(usize::MAX));
        Machine { threads: asked.unwrap_or_else(|| useful_threads(scale, cores)), ..Machine::within(self.memory) }
    }

    fn plan(&self) -> Result<Plan, Failure> {
        match (&self.resume, &self.file, &self.scale, &self.out) {
            (Some(dir), ..) => self.go_on(dir),
            (None, Some(file), Some(scale), Some(out)) => self.anew(file, scale, out),
            (None, ..) => unreachable!("clap asks for a file, a scale and a folder where there is no checkpoint"),
        }
    }

    fn anew(&self, file: &Path, scale: &Scale, out: &Path) -> Result<Plan, Failure> {
        let text = design_file::check_at(file, scale).or_say()?.0;
        let data = corpus::dataset(&self.corpus.read()?, scale.vocabulary)?;
        let seed = self.seed.unwrap_or(0);
        let rows_at_a_time = self.rows_at_a_time.filter(|rows| *rows < scale.rows);
        let (steps, precision) = (self.steps.unwrap_or(scale.steps), self.precision.unwrap_or_default());
        let recompute = self.recompute.unwrap_or_default();
        let job = Job { steps, rows_at_a_time, recompute, precision, ..Job::at_scale(text, scale, seed) };
        let machine = self.machine(scale);
        let job = fit(&job, data.tokenizer().vocab_size() as u64, &machine).map_err(|error| of_train(&error))?;
        Ok(Plan { begin: Begin::Job(job), machine, data, out: out.to_owned() })
    }

    /// The text is taken from the cache where it is there and none is named.
    fn go_on(&self, dir: &Path) -> Result<Plan, Failure> {
        let checkpoint = Checkpoint::load(dir).map_err(|error| of_checkpoint(&error))?;
        let config = &checkpoint.config;
        let cached = config.dataset.as_deref().filter(|_| self.corpus.corpus.is_none()).and_then(corpus::cached);
        let data = match cached {
            Some(data) => data,
            None => corpus::dataset(&self.corpus.read()?, config.job.scale.vocabulary)?,
        };
        let out = self.out.clone().unwrap_or_else(|| dir.to_owned());
        let machine = self.machine(&checkpoint.config.job.scale);
        Ok(Plan { begin: Begin::Checkpoint(Box::new(checkpoint)), machine, data, out })
    }
}

/// What is computed again, by its name.
pub(crate) fn recompute(text: &str) -> Result<Recompute, String> {
    let named = Recompute::ALL.into_iter().find(|how| how.name() == text);
    named.ok_or_else(|| format!("expected {}", Recompute::ALL.map(Recompute::name).join(", ")))
}

/// Shows the training, keeps it, and stops it when a signal came.
struct Watch<'a> {
    shown: Steps,
    stop: Stop,
    plan: &'a Plan,
    every: u64,
    /// The last step that was kept on the way.
    kept: Option<u64>,
}

impl Watch<'_> {
    fn what_is_kept(&self) -> String {
        match self.kept {
            Some(step) => format!("{} holds the model as it was after step {step}", self.plan.out.display()),
            None => "no checkpoint was written".to_owned(),
        }
    }
}

impl Observer for Watch<'_> {
    fn started(&mut self, start: &Start) {
        self.shown.started(start);
    }

    fn step(&mut self, step: &Step) -> ControlFlow<()> {
        // What was asked to be kept after this step is on the disk.
        if step.done.is_multiple_of(self.every) && step.done < step.steps {
            self.kept = Some(step.done);
        }
        let shown = self.shown.step(step);
        if self.stop.is_asked() { ControlFlow::Break(()) } else { shown }
    }

    fn keep(&mut self, step: &Step) -> Option<PathBuf> {
        step.done.is_multiple_of(self.every).then(|| self.plan.out.clone())
    }
}

fn save(checkpoint: &Checkpoint, out: &Path) -> Result<(), Failure> {
    checkpoint.save(out).map_err(|error| of_checkpoint(&error))
}

fn of_checkpoint(error: &CheckpointError) -> Failure {
    Failure::of(error.is_input(), error)
}

fn finish(out: &Path, trained: &Trained) -> Result<(), Failure> {
    save(&trained.checkpoint, out)?;
    output::line(format_args!("parameters  {}", trained.parameters))?;
    for (when, validation) in [("untrained", &trained.start), ("trained", &trained.trained)] {
        output::line(format_args!(
            "{when:<10}  {:.4} bits per byte, {:.4} nats a token, over {} tokens",
            validation.bits_per_byte, validation.nats, validation.tokens
        ))?;
    }
    output::line(format_args!("checkpoint  {}", out.display()))
}
