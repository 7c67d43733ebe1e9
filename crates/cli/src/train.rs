//! `genesys train`: one design on one text.
//!
//! In: a design, a scale, steps, a text. Out: a checkpoint, and what it predicts before and after. Progress goes to
//! standard error.

use std::path::PathBuf;

use genesys_ladder::Scale;
use genesys_train::job::{Job, Outcome, Trained};
use genesys_train::train::train;

use crate::corpus::{self, CorpusArgs};
use crate::design_file;
use crate::failure::Failure;
use crate::init::of_train;
use crate::output;
use crate::progress::Steps;
use crate::scale;

/// Train a design on text, and write the model as a checkpoint.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys train designs/gpt.gau --scale nano --steps 200 --out gpt.ckpt
  genesys train designs/gla.gau --scale nano --corpus books/ --seed 1 --out gla.ckpt

The text is split by document into a training and a validation side; a byte-level BPE of the scale's vocabulary is \
trained on the training side. The same design, scale, steps, text and seed give the same bits.")]
pub(crate) struct Args {
    /// A design file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A rung of the ladder: nano, 14M, 31M, 70M, 125M, 350M, 760M, 1.3B.
    #[arg(long, value_parser = scale::parse)]
    scale: Scale,
    /// How many steps; without it, as many as the rung has.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
    /// The folder to write.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Decides the weights and the order of the text.
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    #[command(flatten)]
    corpus: CorpusArgs,
}

/// Trains and writes the checkpoint.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let text = design_file::check_at(&args.file, &args.scale).or_say()?.0;
    let corpus = args.corpus.read()?;
    let data = corpus::dataset(&corpus, args.scale.vocabulary)?;
    let job = Job { steps: args.steps.unwrap_or(args.scale.steps), ..Job::at_scale(text, &args.scale, args.seed) };
    let mut steps = Steps::default();
    let outcome = train(&job, &data, &mut steps).map_err(|error| of_train(&error))?;
    steps.finish();
    match outcome {
        Outcome::Finished(trained) => finish(args, &trained),
        Outcome::Diverged(divergence) => Err(Failure::Input(format!("the training failed: {divergence}"))),
        Outcome::Stopped(_) => unreachable!("the observer never asks to stop"),
    }
}

fn finish(args: &Args, trained: &Trained) -> Result<(), Failure> {
    trained.checkpoint.save(&args.out).map_err(|error| Failure::of(error.is_input(), &error))?;
    output::line(format_args!("parameters  {}", trained.parameters))?;
    for (when, validation) in [("untrained", &trained.start), ("trained", &trained.trained)] {
        output::line(format_args!(
            "{when:<10}  {:.4} bits per byte, {:.4} nats a token, over {} tokens",
            validation.bits_per_byte, validation.nats, validation.tokens
        ))?;
    }
    output::line(format_args!("checkpoint  {}", args.out.display()))
}
