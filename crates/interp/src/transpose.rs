//! Losses, sums over all positions, and the transposes of what looks at other positions: literally from the definitions.

use std::ops::Range;

use genesys_ir::module::{Adjoint, AxisId, Op};

use crate::batch::{Batch, Place, Result, Value, counts};
use crate::tensor::index;
use crate::{InterpError, Tensor, ops};

/// The mean of `log(sum(exp(logits))) - logits[target]` over the tokens that count.
pub(crate) fn cross_entropy(batch: &Batch<'_>, axis: AxisId, logits: &Value, targets: &Value) -> Tensor {
    let counted = batch.places().filter(|place| counts(targets, *place));
    let loss = |place: Place| {
        let (x, target) = (logits.at(place), targets.at(place).at(&[]) as usize);
        ops::log_sum_exp(x.data()) - x.at(&[(axis, target)])
    };
    let (sum, count) = (counted.map(loss).sum::<f64>(), batch.counted(targets));
    Tensor::scalar(if count > 0.0 { sum / count } else { 0.0 })
}

/// `g (softmax(logits) - [target])` over the number of tokens that count, 0 where one does not.
pub(crate) fn cross_entropy_slope(
    batch: &Batch<'_>,
    axis: AxisId,
    [g, logits, targets]: [&Value; 3],
    place: Place,
) -> Tensor {
    let (x, g) = (logits.at(place), g.at(place).at(&[]));
    if !counts(targets, place) {
        return Tensor::build(x.axes().to_vec(), |_| 0.0);
    }
    let (target, count, all) = (targets.at(place).at(&[]) as usize, batch.counted(targets), ops::log_sum_exp(x.data()));
    Tensor::build(x.axes().to_vec(), |at| {
        let own = f64::from(u8::from(index(at, axis) == target));
        g * ((x.at(at) - all).exp() - own) / count
    })
}

/// `g` over the number of tokens that count, 0 where one does not.
pub(crate) fn mean_slope(batch: &Batch<'_>, g: &Value, targets: &Value, place: Place) -> Tensor {
    let (g, count, here) = (g.at(place), batch.counted(targets), counts(targets, place));
    Tensor::build(g.axes().to_vec(), |at| if here { g.at(at) / count } else { 0.0 })
}

/// A sum or a mean over all positions, whose result has those axes.
pub(crate) fn whole(batch: &Batch<'_>, op: &Op, axes: Vec<(AxisId, usize)>, args: &[&Value]) -> Result<Tensor> {
    let places: Vec<Place> = batch.places().collect();
    let sum = |each: &dyn Fn(Place) -> Option<Tensor>| {
        let all: Vec<Tensor> = places.iter().filter_map(|place| each(*place)).collect();
        Tensor::build(axes.clone(), |at| all.iter().map(|x| x.at(at)).sum())
    };
    match op {
        Op::MeanTokens => {
            let count = batch.counted(args[1]);
            let sum = sum(&|place| counts(args[1], place).then(|| args[0].at(place).clone()));
            Ok(Tensor::build(axes.clone(), |at| if count > 0.0 { sum.at(at) / count } else { 0.0 }))
        }
        Op::Adjoint(Adjoint::Total) => Ok(sum(&|place| Some(args[0].at(place).clone()))),
        Op::Adjoint(Adjoint::Contract { axes: over }) => {
            Ok(sum(&|place| Some(ops::contract(over, args[0].at(place), args[1].at(place)))))
        }
        Op::Adjoint(Adjoint::Gather { axis }) => Ok(Tensor::build(axes.clone(), |at| {
            let held = |place: &&Place| args[1].at(**place).at(&[]) as usize == index(at, *axis);
            places.iter().filter(held).map(|place| args[0].at(*place).at(at)).sum()
        })),
        _ => Err(InterpError::Unsupported("a value of positions that is said to be one of the batch")),
    }
}

/// The sum over what a window's positions got of this one: `history` holds the windows from the last on, this one last.
pub(crate) fn window(axis: (AxisId, usize), history: &[Tensor]) -> Tensor {
    let now = history.len() - 1;
    Tensor::build(history[now].without(&[axis.0]), |at| {
        let elements = (0..axis.1.min(history.len())).map(|i| (now - i, axis.1 - 1 - i));
        elements.map(|(then, element)| history[then].at(&[at.as_slice(), &[(axis.0, element)]].concat())).sum()
    })
}

/// The sum over the positions that hold the mean of this one's block, over the block's size.
pub(crate) fn pool(size: usize, document: Range<usize>, x: &Value, (item, t): Place) -> Tensor {
    let block = (t - document.start) / size;
    let held = document.start + (block + 1) * size - 1..document.start + (block + 2) * size - 1;
    let holders: Vec<usize> = held.filter(|t| *t < document.end).collect();
    Tensor::build(x.at((item, t)).axes().to_vec(), |at| {
        holders.iter().map(|t| x.at((item, *t)).at(at)).sum::<f64>() / size as f64
    })
}

/// The sum over the positions whose past holds this one.
pub(crate) fn view(batch: &mut Batch<'_>, axis: AxisId, x: &Value, (item, s): Place) -> Result<Tensor> {
    let mut seen = Vec::new();
    for t in s..batch.lengths[item] {
        batch.machine.position = t;
        let range = batch.machine.seen(axis)?;
        if range.contains(&s) {
            seen.push((t, s - range.start));
        }
    }
    Ok(Tensor::build(x.at((item, s)).without(&[axis]), |at| {
        seen.iter().map(|(t, element)| x.at((item, *t)).at(&[at.as_slice(), &[(axis, *element)]].concat())).sum()
    }))
}

/// The sum over the positions that see this one's block.
pub(crate) fn blocks(
    batch: &mut Batch<'_>,
    axis: AxisId,
    within: AxisId,
    x: &Value,
    (item, s): Place,
) -> Result<Tensor> {
    let size = batch.machine.sized(&[within])?[0].1;
    let mut seen = Vec::new();
    for t in s..batch.lengths[item] {
        batch.machine.position = t;
        if s / size < batch.machine.seen(axis)?.len() {
            seen.push(t);
        }
    }
    Ok(Tensor::build(x.at((item, s)).without(&[axis, within]), |at| {
        let at = [at.as_slice(), &[(axis, s / size), (within, s % size)]].concat();
        seen.iter().map(|t| x.at((item, *t)).at(&at)).sum()
    }))
}
