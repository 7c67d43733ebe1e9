//! `genesys generate`: a text that a model goes on with.
//!
//! In: a checkpoint, a prompt, how to sample. Out: the continuation on standard output, as it comes, and a line break at
//! its end. The model reads each token once, and keeps what its design declares that later ones need.

use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use genesys_axis::Size;
use genesys_report::number::bytes;
use genesys_runtime::{Model, RuntimeError, State};
use genesys_sample::{Sampling, draw, filter};
use genesys_tokenize::TextStream;
use genesys_train::{Checkpoint, model};

use crate::failure::Failure;
use crate::init::of_train;
use crate::number;
use crate::output;

/// A prompt from standard input is at most this long.
const PROMPT_BYTES: usize = 1 << 20;

/// What a model may keep of prompt and continuation together. Buffers have room for twice as much, and one of them is
/// copied at a time.
const MOST_BYTES: i64 = 1 << 30;

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
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = number::positive)]
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
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = number::whole)]
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
    let mut state = model.start(1);
    args.check_length(tokens.len() as u64, &model, &state)?;
    args.note_length(tokens.len() as u64, checkpoint.config.job.scale.context);
    let mut text = TextStream::new(tokenizer);
    for step in 0..args.tokens {
        let (scores, behind) = model.next_logits(&state, &tokens).map_err(cannot_run)?;
        let token = choose(&scores, &sampling, args.seed, step)?;
        if token == tokenizer.eos() {
            break;
        }
        output::now(&text.push(token))?;
        (state, tokens) = (behind, vec![token]);
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

    /// Refuses a text of which more would have to be kept than there may be.
    fn check_length(&self, prompt: u64, model: &Model, state: &State) -> Result<(), Failure> {
        let total = prompt.saturating_add(self.tokens);
        let tokens = Size::int(i64::try_from(total).unwrap_or(i64::MAX));
        let number = i64::try_from(model.dtype().size_in_bytes()).expect("a number is a few bytes");
        let kept = state.layout().bytes(&tokens, number).map(|bytes| bytes.as_int().unwrap_or(i64::MAX));
        match kept {
            Ok(kept) if kept <= MOST_BYTES => Ok(()),
            kept => Err(Failure::Input(format!(
                "expected at most {} to keep of prompt and continuation, found {} after the prompt's {prompt} tokens and {} \
                 to come: shorten the prompt, or ask for fewer with --tokens",
                bytes(MOST_BYTES.unsigned_abs()),
                kept.map_or_else(|_| "more than can be counted".to_owned(), |kept| bytes(kept.unsigned_abs())),
                self.tokens
            ))),
        }
    }

    /// Says where the model reaches beyond what it has learned.
    fn note_length(&self, prompt: u64, context: u64) {
        // The last token is not read any more.
        if prompt.saturating_add(self.tokens) - 1 > context {
            output::say(format_args!(
                "note: the model was trained on rows of {context} tokens; what it writes behind them is a guess"
            ));
        }
    }
}

fn cannot_run(error: RuntimeError) -> Failure {
    Failure::World(format!("cannot run the model: {error}"))
}

/// The token at `step`, drawn from its scores.
fn choose(scores: &[f32], sampling: &Sampling, seed: u64, step: u64) -> Result<u32, Failure> {
    let token = draw(scores, sampling, seed, step).map_err(|error| {
        Failure::Input(format!(
            "the model gives no text at step {step}: {error}; its weights or its training are broken"
        ))
    })?;
    let token = token.expect("a vocabulary has tokens");
    Ok(u32::try_from(token).expect("tokens are numbered in 32 bits"))
}
