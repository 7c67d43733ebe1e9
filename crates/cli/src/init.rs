//! `genesys init`: a model that Genesys has not trained as a checkpoint.
//!
//! In: a design, a scale, a seed or weights from elsewhere. Out: a folder with the weights, drawn from the seed or as they
//! were given, the tokenizer and the config.

use std::fs;
use std::path::{Path, PathBuf};

use genesys_ladder::Scale;
use genesys_tokenize::{TokenizeError, Tokenizer};
use genesys_train::tensors::{self, Table};
use genesys_train::{TrainError, model};

use crate::design_file;
use crate::failure::Failure;
use crate::number;
use crate::output;
use crate::scale;

/// Draw the weights of a design at a scale, or take given ones, and write them as a checkpoint.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys init designs/gpt.gau --scale nano --seed 1 --out gpt.ckpt
  genesys init designs/gpt.gau --scale 14M --tokenizer tokenizer.json --out gpt.ckpt
  genesys init designs/gpt.gau --scale nano --weights gpt.safetensors --out gpt.ckpt

The same design, scale, vocabulary and seed give the same bits. Without --tokenizer the vocabulary is the 256 bytes and \
<eos>. A checkpoint is a folder: config.json, model.safetensors, tokenizer.json. Weights from elsewhere are f32, under the \
names and in the shapes that model.safetensors has: none may be missing, and none left over.")]
pub(crate) struct Args {
    /// A design file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A rung of the ladder: nano, 14M, 31M, 70M, 125M, 350M, 760M, 1.3B.
    #[arg(long, value_parser = scale::parse)]
    scale: Scale,
    /// Decides the weights.
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = number::whole)]
    seed: u64,
    /// Take these weights instead of drawing them.
    #[arg(long, value_name = "FILE.safetensors", conflicts_with = "seed")]
    weights: Option<PathBuf>,
    /// The folder to write.
    #[arg(long, value_name = "CKPT")]
    out: PathBuf,
    /// A byte-level BPE in the format of Hugging Face's tokenizers.
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
}

/// Writes the checkpoint.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let text = design_file::check_at(&args.file, &args.scale).or_say()?.0;
    let tokenizer = match &args.tokenizer {
        Some(path) => read_tokenizer(path)?,
        None => Tokenizer::bytes(),
    };
    let made = match &args.weights {
        Some(path) => model::given(&text, &args.scale, read_weights(path)?, &tokenizer),
        None => model::untrained(&text, &args.scale, args.seed, &tokenizer),
    };
    let checkpoint = made.map_err(|error| of_train(&error))?;
    checkpoint.save(&args.out).map_err(|error| Failure::of(error.is_input(), &error))?;
    let parameters: usize = checkpoint.weights.values().map(|tensor| tensor.values.len()).sum();
    output::line(format_args!("{}: {parameters} parameters", args.out.display()))
}

/// A failure of training or of building a model.
pub(crate) fn of_train(error: &TrainError) -> Failure {
    Failure::of(error.is_input(), error)
}

fn read_tokenizer(path: &Path) -> Result<Tokenizer, Failure> {
    let json = fs::read_to_string(path).map_err(Failure::reading(path))?;
    Tokenizer::from_json(&json).map_err(|error: TokenizeError| Failure::Input(format!("{}: {error}", path.display())))
}

fn read_weights(path: &Path) -> Result<Table, Failure> {
    let bytes = fs::read(path).map_err(Failure::reading(path))?;
    tensors::from_bytes(&bytes).map_err(|why| Failure::Input(format!("{}: {why}", path.display())))
}
