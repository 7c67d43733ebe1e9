//! From a batch of rows to what a model takes: tokens, and for each position the token to predict.
//!
//! In: [`Batch`], rows of context + 1 tokens. Out: tokens and targets `[rows, context]`, as tensors or as slices of rows one
//! behind the other; where a row is padded, the target is [`IGNORE`], so that it does not count.

use candle_core::{Device, Result, Tensor};
use genesys_data::Batch;
use genesys_ir::module::IGNORE;

/// `(tokens, targets)`: `targets[r, t]` is the token behind `tokens[r, t]`.
pub fn inputs(batch: &Batch, device: &Device) -> Result<(Tensor, Tensor)> {
    let shape = (batch.rows(), batch.width - 1);
    let (tokens, targets) = pair(batch);
    Ok((Tensor::from_vec(tokens, shape, device)?, Tensor::from_vec(targets, shape, device)?))
}

/// As [`inputs`], one row behind the other, and behind the last so many that there are `rows`: the last again, and none of its
/// targets counts. So what is no finite number in them is none in a row that counts.
pub(crate) fn padded(batch: &Batch, rows: usize) -> (Vec<u32>, Vec<u32>) {
    let (mut tokens, mut targets) = pair(batch);
    let context = batch.width - 1;
    let last = tokens[tokens.len() - context..].to_vec();
    (batch.rows()..rows).for_each(|_| tokens.extend_from_slice(&last));
    targets.resize(rows * context, IGNORE);
    (tokens, targets)
}

fn pair(batch: &Batch) -> (Vec<u32>, Vec<u32>) {
    let (mut tokens, mut targets) = (Vec::new(), Vec::new());
    for (row, length) in batch.tokens.chunks_exact(batch.width).zip(&batch.lengths) {
        tokens.extend_from_slice(&row[..batch.width - 1]);
        let counts = |t: usize| t < *length as usize;
        targets.extend((1..batch.width).map(|t| if counts(t) { row[t] } else { IGNORE }));
    }
    (tokens, targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_next_tokens_and_padding_is_ignored() {
        let batch = Batch { tokens: vec![1, 2, 3, 4, 5, 6, 0, 0], lengths: vec![4, 2], bytes: vec![3, 1], width: 4 };
        let (tokens, targets) = pair(&batch);
        assert_eq!(tokens, [1, 2, 3, 5, 6, 0]);
        assert_eq!(targets, [2, 3, 4, 6, IGNORE, IGNORE]);
        let counted = targets.iter().filter(|target| **target != IGNORE).count() as u64;
        assert_eq!(counted, batch.predictions());
        let (more, longer) = padded(&batch, 3);
        assert_eq!((&more[..6], &longer[..6]), (&tokens[..], &targets[..]));
        assert_eq!((&more[6..], &longer[6..]), (&[5, 6, 0][..], &[IGNORE; 3][..]));
    }
}
