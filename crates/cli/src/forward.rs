//! `genesys forward`: what a model says to given tokens.
//!
//! In: a checkpoint, rows of tokens. Out: a safetensors file with
//!
//! | tensor | shape | what |
//! | --- | --- | --- |
//! | `logits` | `[B, T, V]` | scores of the next token |
//! | `loss` | `[]` | mean of `-ln softmax(logits)[next token]`, in nats, over the `B (T - 1)` predictions |
//! | `grad.NAME` | as the weight | with `--grads`: the derivative of the loss for each weight |

use std::fs;
use std::path::PathBuf;

use candle_core::{Device, Result as CandleResult, Tensor};
use genesys_ir::module::IGNORE;
use genesys_runtime::{Model, RuntimeError};
use genesys_train::tensors::{self, HostTensor, Table};
use genesys_train::{Checkpoint, model};

use crate::aside;
use crate::failure::Failure;
use crate::init::of_train;
use crate::tokens::{self, Tokens};

/// Run a model on rows of tokens, and write logits, loss and gradients.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  echo '[[72, 105, 256], [79, 107, 256]]' > tokens.json
  genesys forward gpt.ckpt --tokens tokens.json --out out.safetensors --grads

Tokens are a JSON array of equally long arrays of ids. The file written holds `logits` [B, T, V], `loss` [] (mean nats \
over the B (T - 1) predictions) and, with --grads, `grad.NAME` for every weight, all f32.")]
pub(crate) struct Args {
    /// A checkpoint's folder.
    #[arg(value_name = "CKPT")]
    checkpoint: PathBuf,
    /// Rows of token ids.
    #[arg(long, value_name = "FILE.json")]
    tokens: PathBuf,
    /// The file to write.
    #[arg(long, value_name = "FILE.safetensors")]
    out: PathBuf,
    /// Also the gradient of what training minimizes for every weight: of the loss, and of the auxiliary loss, which is told
    /// apart, where units have losses.
    #[arg(long)]
    grads: bool,
}

/// Writes the tensors.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let checkpoint = Checkpoint::load(&args.checkpoint).map_err(|error| Failure::of(error.is_input(), &error))?;
    let json = fs::read(&args.tokens).map_err(Failure::reading(&args.tokens))?;
    let tokens = tokens::parse(&json, checkpoint.config.vocabulary)
        .map_err(|message| Failure::Input(format!("{}: {message}", args.tokens.display())))?;
    let model = model::build(&checkpoint).map_err(|error| of_train(&error))?;
    let table = evaluate(&model, &tokens, args.grads)
        .map_err(|error: RuntimeError| Failure::World(format!("cannot run the model: {error}")))?;
    aside::write(&args.out, &tensors::to_bytes(&table)).map_err(Failure::writing(&args.out))
}

/// The tensors of the file's table.
fn evaluate(model: &Model, tokens: &Tokens, grads: bool) -> Result<Table, RuntimeError> {
    let shape = (tokens.rows, tokens.length);
    let xs = Tensor::from_slice(&tokens.ids, shape, &Device::Cpu)?;
    let targets = Tensor::from_vec(targets(tokens), shape, &Device::Cpu)?;
    let mut table = Table::new();
    if grads {
        let all = model.forward_backward(&xs, &targets)?;
        table.insert("logits".to_owned(), host(&all.logits)?);
        table.insert("loss".to_owned(), host(&all.losses.loss)?);
        if let Some(auxiliary) = &all.losses.auxiliary {
            table.insert("auxiliary".to_owned(), host(auxiliary)?);
        }
        for (parameter, gradient) in model.parameters().iter().zip(all.gradients) {
            // A weight that the loss does not depend on has the gradient zero.
            let gradient = gradient.map_or_else(|| parameter.var.zeros_like(), Ok)?;
            table.insert(format!("grad.{}", parameter.name), host(&gradient)?);
        }
    } else {
        let (logits, loss) = model.evaluate(&xs, &targets)?;
        table.insert("logits".to_owned(), host(&logits)?);
        table.insert("loss".to_owned(), host(&loss)?);
    }
    Ok(table)
}

/// For each position the token behind it; nothing is behind the last of a row.
fn targets(tokens: &Tokens) -> Vec<u32> {
    let next = |row: &[u32]| row[1..].iter().copied().chain([IGNORE]).collect::<Vec<u32>>();
    tokens.ids.chunks_exact(tokens.length).flat_map(next).collect()
}

fn host(tensor: &Tensor) -> CandleResult<HostTensor> {
    Ok(HostTensor { shape: tensor.dims().to_vec(), values: tensor.flatten_all()?.to_vec1::<f32>()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_predicts_its_own_tokens() {
        let tokens = Tokens { ids: vec![1, 2, 3, 4, 5, 6], rows: 2, length: 3 };
        assert_eq!(targets(&tokens), [2, 3, IGNORE, 5, 6, IGNORE]);
    }
}
