//! `genesys generate`: a text that a model goes on with.
//!
//! In: a checkpoint, a prompt, how to sample. Out: the continuation on standard output, as it comes, and a line break at
//! its end. The model is run over the whole text for each token.

use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use genesys_runtime::Model;
use genesys_sample::{Sampling, draw, filter};
use genesys_tokenize::TextStream;
use genesys_train::{Checkpoint, model};

use crate::failure::Failure;
use crate::init::of_train;
use crate::output;

/// A prompt from standard input is at most this long.
const PROMPT_BYTES: usize = 1 << 20;

/// Prompt and continuation together. Memory grows with the square of the length: GPT at `nano` was seen to take 10.9 GB at
/// 8,100 tokens.
const MOST_TOKENS: u64 = 4096;

/// Let a model go on with a text.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  genesys generate gpt.ckpt --prompt 'The quick brown'
  genesys generate gpt.ckpt --prompt 'Once' --tokens 200 --temperature 0.8 --top-k 40 --seed 1
  genesys generate gpt.ckpt --temperature 0 --prompt - < prompt.txt

Written is what follows the prompt, token by token, until the model ends its text or there are enough tokens. A token is \
drawn from softmax(scores / temperature), of which top-k keeps the K most probable ones, and then top-p the fewest whose \
probabilities reach P. The same checkpoint, prompt, numbers and seed give the same text.")]
pub(crate) struct Args {
    /// A checkpoint's folder.
    #[arg(value_name = "CKPT")]
    checkpoint: PathBuf,
    /// The text to go on with; `-` reads standard input, and an empty one lets the model begin.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: String,
    /// How many tokens at most.
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u64).range(1..=MOST_TOKENS))]
    tokens: u64,
    /// Above 1 evens out the probabilities, below 1 sharpens them, 0 takes the most probable token.
    #[arg(long, value_name = "T", default_value_t = 1.0, value_parser = temperature, allow_negative_numbers = true)]
    temperature: f64,
    /// Draw from the K most probable tokens; without it, from all.
    #[arg(long, value_name = "K", value_parser = top_k, allow_negative_numbers = true)]
    top_k: Option<NonZeroUsize>,
    /// Draw from the fewest tokens whose probabilities reach P.
    #[arg(long, value_name = "P", default_value_t = 1.0, value_parser = top_p, allow_negative_numbers = true)]
    top_p: f64,
    /// Decides every draw.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

fn temperature(text: &str) -> Result<f64, String> {
    filter::temperature(number(text)?)
}

fn top_k(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "expected a whole number of 1 or more".to_owned())
}

fn top_p(text: &str) -> Result<f64, String> {
    filter::top_p(number(text)?)
}

fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| "expected a number".to_owned())
}

/// Writes the continuation.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let sampling = Sampling::new(args.temperature, args.top_k, args.top_p).map_err(Failure::Input)?;
    let prompt = args.prompt()?;
    let checkpoint = Checkpoint::load(&args.checkpoint).map_err(|error| Failure::of(error.is_input(), &error))?;
    let model = model::build(&checkpoint).map_err(|error| of_train(&error))?;
    let tokenizer = &checkpoint.tokenizer;
    let mut tokens = tokenizer.encode(&prompt);
    if tokens.is_empty() {
        // What stands before a text: the end of the one before.
        tokens.push(tokenizer.eos());
    }
    args.check_length(tokens.len() as u64, checkpoint.config.job.scale.context)?;
    let mut text = TextStream::new(tokenizer);
    for step in 0..args.tokens {
        let token = next(&model, &tokens, &sampling, args.seed, step)?;
        if token == tokenizer.eos() {
            break;
        }
        output::now(&text.push(token))?;
        tokens.push(token);
    }
    output::now(&(text.finish() + "\n"))
}

impl Args {
    fn prompt(&self) -> Result<String, Failure> {
        if self.prompt != "-" {
            return Ok(self.prompt.clone());
        }
        let mut bytes = Vec::new();
        let read = io::stdin().lock().take(PROMPT_BYTES as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|error| Failure::World(format!("cannot read the prompt from standard input: {error}")))?;
        if bytes.len() > PROMPT_BYTES {
            return Err(Failure::Input(format!("expected a prompt of at most {PROMPT_BYTES} bytes, found more")));
        }
        String::from_utf8(bytes).map_err(|error| Failure::Input(format!("expected a prompt in UTF-8: {error}")))
    }

    /// Refuses a text that is too long to run, and says where the model reaches beyond what it has learned.
    fn check_length(&self, prompt: u64, context: u64) -> Result<(), Failure> {
        if prompt + self.tokens > MOST_TOKENS {
            return Err(Failure::Input(format!(
                "expected at most {MOST_TOKENS} tokens with the prompt, found {prompt} in the prompt and {} to come: \
                 shorten the prompt, or ask for fewer with --tokens",
                self.tokens
            )));
        }
        // The last token is not read any more.
        if prompt + self.tokens - 1 > context {
            output::say(format_args!(
                "note: the model was trained on rows of {context} tokens; what it writes behind them is a guess"
            ));
        }
        Ok(())
    }
}

/// The token behind `tokens`.
fn next(model: &Model, tokens: &[u32], sampling: &Sampling, seed: u64, step: u64) -> Result<u32, Failure> {
    let scores = model.next_logits(tokens);
    let scores = scores.map_err(|error| Failure::World(format!("cannot run the model: {error}")))?;
    let token = draw(&scores, sampling, seed, step).map_err(|error| {
        Failure::Input(format!(
            "the model gives no text at step {step}: {error}; its weights or its training are broken"
        ))
    })?;
    let token = token.expect("a vocabulary has tokens");
    Ok(u32::try_from(token).expect("tokens are numbered in 32 bits"))
}
