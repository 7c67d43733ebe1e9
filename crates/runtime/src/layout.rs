//! Operations that move elements and compute nothing.

use candle_core::{Result, Tensor};
use genesys_ir::module::AxisId;

use crate::mask::Window;
use crate::memory::Seen;
use crate::named::{Label, Named, Place, stack, union, without};

/// The position, from 0.
pub(crate) fn position(place: &Place, window: Window<'_>) -> Result<Named> {
    match window.step {
        Some(t) => Ok(Named::new(place.number((window.masks.start + t) as f64)?, Vec::new())),
        None => Ok(Named::new(count(place, window.masks.start, window.masks.positions)?, vec![Label::Time])),
    }
}

/// 0, 1, .. along an axis.
pub(crate) fn index(place: &Place, axis: AxisId, size: usize) -> Result<Named> {
    Ok(Named::new(count(place, 0, size)?, vec![Label::Axis(axis)]))
}

fn count(place: &Place, first: usize, n: usize) -> Result<Tensor> {
    let numbers: Vec<f64> = (first..first + n).map(|i| i as f64).collect();
    Tensor::from_vec(numbers, n, &place.device)?.to_dtype(place.dtype)
}

/// Axes `from` become `to`, major to minor.
pub(crate) fn regroup(x: &Named, from: &[AxisId], to: &[(Label, usize)]) -> Result<Named> {
    let from: Vec<Label> = from.iter().map(|axis| Label::Axis(*axis)).collect();
    if let ([from], [(to, _)]) = (from.as_slice(), to) {
        return Ok(x.relabel(*from, *to));
    }
    // Where the axes already lie side by side they stay in place; else they go last.
    let start = x.find(from[0]).expect("a regrouped axis is the operand's");
    let x = if x.labels()[start..].starts_with(&from) {
        x.clone()
    } else {
        x.permute(&[without(x.labels(), &from), from.clone()].concat())?
    };
    let start = x.find(from[0]).expect("a regrouped axis is the operand's");
    let mut sized = x.sized();
    sized.splice(start..start + from.len(), to.iter().copied());
    let dims: Vec<usize> = sized.iter().map(|(_, n)| *n).collect();
    Ok(Named::new(x.tensor().reshape(dims)?, sized.iter().map(|(l, _)| *l).collect()))
}

/// Operands one behind the other, each along its own axis.
pub(crate) fn concat(args: &[Named], parts: &[AxisId], whole: AxisId) -> Result<Named> {
    let whole = Label::Axis(whole);
    let args: Vec<Named> = args.iter().zip(parts).map(|(x, part)| x.relabel(Label::Axis(*part), whole)).collect();
    let rest: Vec<(Label, usize)> =
        union(&args.iter().collect::<Vec<_>>()).into_iter().filter(|(l, _)| *l != whole).collect();
    let mut tensors = Vec::new();
    for x in &args {
        let size = x.size(whole).expect("a part is the operand's axis");
        tensors.push(x.expand(&[rest.as_slice(), &[(whole, size)]].concat())?);
    }
    let labels = rest.iter().map(|(l, _)| *l).chain([whole]).collect();
    Ok(Named::new(Tensor::cat(&tensors, rest.len())?, labels))
}

/// The operand from element `offset` of an axis on, zero at its other elements.
pub(crate) fn pad(x: &Named, part: AxisId, whole: (AxisId, usize), offset: usize) -> Result<Named> {
    let x = x.relabel(Label::Axis(part), Label::Axis(whole.0));
    let dim = x.find(Label::Axis(whole.0)).expect("a padded axis is the operand's");
    x.map(|x| x.pad_with_zeros(dim, offset, whole.1 - offset - x.dim(dim)?))
}

/// The operand repeated along new axes.
pub(crate) fn broadcast(x: &Named, axes: &[(Label, usize)]) -> Result<Named> {
    x.expanded(&[x.sized().as_slice(), axes].concat())
}

/// The operand at the last `extent` positions, as elements of a past's axis.
pub(crate) fn view(seen: &Seen, axis: AxisId, extent: usize, positions: usize) -> Result<Named> {
    let x = timed(seen, positions)?;
    let x = x.narrow(Label::Time, seen.before + positions - extent, extent)?;
    Ok(x.relabel(Label::Time, Label::Axis(axis)))
}

/// The operand with a dimension for time.
pub(crate) fn timed(Seen { values, before }: &Seen, positions: usize) -> Result<Named> {
    match values.find(Label::Time) {
        Some(_) => Ok(values.clone()),
        None => values.expanded(&[&[(Label::Time, before + positions)], values.sized().as_slice()].concat()),
    }
}

/// The operand `by` positions ago, zero before the first.
pub(crate) fn shift(seen: &Seen, by: usize, positions: usize) -> Result<Named> {
    let x = timed(seen, positions)?;
    let dim = x.find(Label::Time).expect("time was put there");
    if let Some(from) = seen.before.checked_sub(by) {
        return x.narrow(Label::Time, from, positions);
    }
    let missing = (by - seen.before).min(positions);
    if missing == positions {
        return x.narrow(Label::Time, 0, positions)?.map(|x| x.zeros_like());
    }
    x.map(|x| x.narrow(dim, 0, positions - missing)?.pad_with_zeros(dim, missing, 0))
}

/// The mean over the last completed block of `size` positions, zero before the first. The run begins at `start`.
pub(crate) fn pool(seen: &Seen, size: usize, start: usize, positions: usize) -> Result<Named> {
    let x = timed(seen, positions)?;
    let dim = x.find(Label::Time).expect("time was put there");
    // Whole blocks from the first that begins among what is seen; none that is asked for begins before it.
    let first = start - seen.before;
    let aligned = first.next_multiple_of(size);
    let x = x.narrow(Label::Time, aligned - first, start + positions - aligned)?;
    if start + positions - aligned < size {
        return x.narrow(Label::Time, start - aligned, positions)?.map(|x| x.zeros_like());
    }
    x.map(|x| {
        let means = split(x, dim, size)?.mean_keepdim(dim + 1)?;
        let mut held = means.dims().to_vec();
        held[dim + 1] = size;
        let held = means.broadcast_as(held)?.flatten(dim, dim + 1)?;
        held.pad_with_zeros(dim, size - 1, 0)?.narrow(dim, start - aligned, positions)
    })
}

/// What [`pool_on`] gives.
pub(crate) struct Pooled {
    /// `[t, b, axes]`
    pub(crate) values: Tensor,
    /// `[b, 2, axes]`: the mean over the last completed block, and the sum over the one that has begun.
    pub(crate) held: Tensor,
}

/// As [`pool`], for values `[t, b, axes]` of which the first stands behind `begun` positions of its block.
pub(crate) fn pool_on(x: &Tensor, size: usize, begun: usize, held: &Tensor) -> Result<Pooled> {
    let (mean, sum) = (held.narrow(1, 0, 1)?.squeeze(1)?, held.narrow(1, 1, 1)?.squeeze(1)?);
    // The sum stands for the positions that have begun the block.
    let x = match begun {
        0 => x.clone(),
        _ => Tensor::cat(&[sum.unsqueeze(0)?, x.pad_with_zeros(0, begun - 1, 0)?], 0)?,
    };
    let (n, mut means) = (x.dim(0)?, mean.unsqueeze(0)?);
    if n >= size {
        means = Tensor::cat(&[means, split(&x, 0, size)?.mean(1)?], 0)?;
    }
    let completed: Vec<u32> = (begun + 1..=n).map(|end| (end / size) as u32).collect();
    let values = means.contiguous()?.index_select(&Tensor::new(completed, x.device())?, 0)?;
    let last = means.narrow(0, n / size, 1)?.squeeze(0)?;
    let sum = match n % size {
        0 => last.zeros_like()?,
        rest => x.narrow(0, n - rest, rest)?.sum(0)?,
    };
    Ok(Pooled { values, held: Tensor::stack(&[last, sum], 1)? })
}

/// The operand at each position within each completed block, as elements of two axes; all positions are seen. A row that is
/// too short for a block has one all the same, which no position sees.
pub(crate) fn blocks(seen: &Seen, axis: AxisId, within: (AxisId, usize), positions: usize) -> Result<Named> {
    let (within, size) = within;
    let x = timed(seen, positions)?;
    let dim = x.find(Label::Time).expect("time was put there");
    let x = x.map(|x| x.pad_with_zeros(dim, 0, size.saturating_sub(seen.before + positions)))?;
    let mut labels = x.labels().to_vec();
    labels.splice(dim..=dim, [Label::Axis(axis), Label::Axis(within)]);
    Ok(Named::new(split(x.tensor(), dim, size)?, labels))
}

/// A dimension as blocks of `size` elements, of which those behind the last whole block are left out, and the elements
/// within each.
fn split(x: &Tensor, dim: usize, size: usize) -> Result<Tensor> {
    let count = x.dim(dim)? / size;
    let mut dims = x.dims().to_vec();
    dims.splice(dim..=dim, [count, size]);
    x.narrow(dim, 0, count * size)?.reshape(dims)
}

/// The operand at each of the last `size` positions, the oldest first, as elements of an axis; zero
/// before the first position.
pub(crate) fn window(seen: &Seen, axis: AxisId, size: usize, positions: usize) -> Result<Named> {
    let x = timed(seen, positions)?;
    let dim = x.find(Label::Time).expect("time was put there");
    let known = seen.before.min(size - 1);
    let x = x.narrow(Label::Time, seen.before - known, known + positions)?;
    let padded = x.map(|x| x.pad_with_zeros(dim, size - 1 - known, 0))?;
    let elements: Vec<Named> = (0..size).map(|i| padded.narrow(Label::Time, i, positions)).collect::<Result<_>>()?;
    stack(&elements, Label::Axis(axis))
}
