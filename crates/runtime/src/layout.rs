//! Operations that move elements and compute nothing.

use candle_core::{Result, Tensor};
use genesys_ir::module::AxisId;

use crate::mask::Window;
use crate::named::{Label, Named, Place, stack, union, without};

/// The position, from 0.
pub(crate) fn position(place: &Place, window: Window<'_>) -> Result<Named> {
    match window.step {
        Some(t) => Ok(Named::new(place.number(t as f64)?, Vec::new())),
        None => Ok(Named::new(count(place, window.masks.positions)?, vec![Label::Time])),
    }
}

/// 0, 1, .. along an axis.
pub(crate) fn index(place: &Place, axis: AxisId, size: usize) -> Result<Named> {
    Ok(Named::new(count(place, size)?, vec![Label::Axis(axis)]))
}

fn count(place: &Place, n: usize) -> Result<Tensor> {
    let numbers: Vec<f64> = (0..n).map(|i| i as f64).collect();
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

/// The operand repeated along new axes.
pub(crate) fn broadcast(x: &Named, axes: &[(Label, usize)]) -> Result<Named> {
    x.expanded(&[x.sized().as_slice(), axes].concat())
}

/// The operand at every position, as elements of a past's axis.
pub(crate) fn view(x: &Named, axis: AxisId, positions: usize) -> Result<Named> {
    Ok(timed(x, positions)?.relabel(Label::Time, Label::Axis(axis)))
}

/// The operand with a dimension for time.
fn timed(x: &Named, positions: usize) -> Result<Named> {
    match x.find(Label::Time) {
        Some(_) => Ok(x.clone()),
        None => x.expanded(&[&[(Label::Time, positions)], x.sized().as_slice()].concat()),
    }
}

/// The operand `by` positions ago, zero before the first.
pub(crate) fn shift(x: &Named, by: usize, positions: usize) -> Result<Named> {
    let x = timed(x, positions)?;
    let dim = x.find(Label::Time).expect("time was put there");
    if by >= positions {
        return x.map(|x| x.zeros_like());
    }
    x.map(|x| x.narrow(dim, 0, positions - by)?.pad_with_zeros(dim, by, 0))
}

/// The operand at each of the last `size` positions, the oldest first, as elements of an axis; zero
/// before the first position.
pub(crate) fn window(x: &Named, axis: AxisId, size: usize, positions: usize) -> Result<Named> {
    let x = timed(x, positions)?;
    let dim = x.find(Label::Time).expect("time was put there");
    let padded = x.map(|x| x.pad_with_zeros(dim, size - 1, 0))?;
    let elements: Vec<Named> = (0..size).map(|i| padded.narrow(Label::Time, i, positions)).collect::<Result<_>>()?;
    stack(&elements, Label::Axis(axis))
}
