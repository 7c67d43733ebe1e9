//! Where tokens enter, where they are scored, and means over them.

use candle_core::{D, DType, Result, Tensor};
use genesys_ir::module::{AxisId, IGNORE};

use crate::named::{Label, Named, Place, without};

/// The table's element at each token, along `axis`.
pub(crate) fn gather(table: &Named, tokens: &Named, axis: AxisId) -> Result<Named> {
    let axis = Label::Axis(axis);
    let rest = without(table.labels(), &[axis]);
    let table = table.permute(&[vec![axis], rest.clone()].concat())?;
    let rows = table.tensor().contiguous()?.index_select(&tokens.tensor().flatten_all()?, 0)?;
    let dims = [tokens.tensor().dims(), &table.tensor().dims()[1..]].concat();
    Ok(Named::new(rows.reshape(dims)?, [tokens.labels(), rest.as_slice()].concat()))
}

/// The mean over the targets that count of `log(sum(exp(logits))) - logits[target]`, in nats; 0
/// if none counts. Rows that do not count are left out before any arithmetic.
pub(crate) fn cross_entropy(place: &Place, logits: &Named, targets: &Named, axis: AxisId) -> Result<Named> {
    let targets = targets.permute(&[Label::Batch, Label::Time])?.tensor().flatten_all()?;
    let numbers = targets.to_vec1::<u32>()?;
    let counted = counted(&numbers);
    if counted.is_empty() {
        return Ok(Named::new(place.number(0.0)?, Vec::new()));
    }
    let logits = logits.permute(&[Label::Batch, Label::Time, Label::Axis(axis)])?;
    let mut rows = logits.tensor().flatten(0, 1)?;
    let mut targets = targets;
    if counted.len() < numbers.len() {
        let counted = Tensor::new(counted, &place.device)?;
        rows = rows.index_select(&counted, 0)?;
        targets = targets.index_select(&counted, 0)?;
    }
    Ok(Named::new(mean_nats(&rows, &targets)?, Vec::new()))
}

/// The mean of `x` over the targets that count, axis by axis; 0 if none counts. Rows that do not count are left out before
/// any arithmetic, and sums are taken in f32 at least.
pub(crate) fn mean_tokens(place: &Place, x: &Named, targets: &Named, axes: &[(Label, usize)]) -> Result<Named> {
    let targets = targets.permute(&[Label::Batch, Label::Time])?;
    let (batch, positions) = targets.tensor().dims2()?;
    let numbers = targets.tensor().flatten_all()?.to_vec1::<u32>()?;
    let counted = counted(&numbers);
    let labels: Vec<Label> = axes.iter().map(|(label, _)| *label).collect();
    if counted.is_empty() {
        let sizes: Vec<usize> = axes.iter().map(|(_, size)| *size).collect();
        return Ok(Named::new(Tensor::zeros(sizes, place.dtype, &place.device)?, labels));
    }
    // [b, t, ..]
    let each = [&[(Label::Batch, batch), (Label::Time, positions)], axes].concat();
    let mut rows = x.expand(&each)?.flatten(0, 1)?;
    if counted.len() < numbers.len() {
        rows = rows.contiguous()?.index_select(&Tensor::new(counted, &place.device)?, 0)?;
    }
    let wide = if rows.dtype() == DType::F64 { rows } else { rows.to_dtype(DType::F32)? };
    Ok(Named::new(wide.mean(0)?.to_dtype(place.dtype)?, labels))
}

/// The rows whose target counts.
fn counted(targets: &[u32]) -> Vec<u32> {
    (0..).zip(targets).filter(|(_, target)| **target != IGNORE).map(|(i, _)| i).collect()
}

/// `[n, v]` and `[n]` to a number.
fn mean_nats(rows: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let rows = if rows.dtype() == DType::F64 { rows.clone() } else { rows.to_dtype(DType::F32)? };
    let top = rows.detach().max_keepdim(D::Minus1)?;
    let rows = rows.broadcast_sub(&top)?;
    let normalizer = rows.exp()?.sum(D::Minus1)?.log()?;
    let picked = rows.contiguous()?.gather(&targets.unsqueeze(1)?, 1)?.squeeze(1)?;
    (normalizer - picked)?.mean_all()
}
