//! Reductions and softmax over static axes and pasts together.
//!
//! Elements outside of a past are replaced before they are combined, and results over empty pasts
//! before they are used, so that neither values nor gradients ever see them. Large elements are
//! subtracted, outside of the gradient, before anything is exponentiated.

use candle_core::{DType, Result, Tensor};
use genesys_ir::module::{AxisId, Reduction};

use crate::mask::{Window, cleaned, divide_by_count, finite};
use crate::named::{Label, Named, select, without, zip};

/// A reduction over axes together; `otherwise` is its value over an empty past.
pub(crate) fn reduce(
    window: Window<'_>,
    how: Reduction,
    axes: &[AxisId],
    otherwise: Option<f64>,
    x: &Named,
) -> Result<Named> {
    let labels = labels(axes);
    let pasts = window.dependent(&labels);
    let result = match how {
        Reduction::Sum => add(&window.keep(x, &pasts, 0.0)?, &labels, &pasts)?,
        Reduction::Mean => mean(window, x, &labels, &pasts)?,
        Reduction::Max => shared_extreme(&window.keep(x, &pasts, f64::NEG_INFINITY)?, &labels, true)?,
        Reduction::Min => shared_extreme(&window.keep(x, &pasts, f64::INFINITY)?, &labels, false)?,
        Reduction::LogSumExp => log_sum_exp(window, x, &labels, &pasts)?,
    };
    match otherwise {
        Some(value) => over_nothing(window, &result, &pasts, value),
        None => Ok(result),
    }
}

/// `exp(x) / (sum(exp(x)) + exp(sink))`; 0 outside of a past. `contracted` promises that the result
/// is an operand of contractions only.
///
/// A masked score has the probability 0, and so adds nothing to gradients unless what comes back
/// for it is not finite. Contractions see to that themselves; else the result is selected.
pub(crate) fn softmax(
    window: Window<'_>,
    axes: &[AxisId],
    sink: Option<f64>,
    contracted: bool,
    x: &Named,
) -> Result<Named> {
    let labels = labels(axes);
    let pasts = window.dependent(&labels);
    let weights = if window.open(&pasts)? || finite(x)? {
        weights(window, &labels, sink, x)?
    } else {
        // A number that is not finite reaches the positions whose past holds it. All others have the bits that they have
        // without it, whatever the order in which sums are taken: no element is laid out in another way.
        let without = weights(window, &labels, sink, &cleaned(x)?)?;
        let with = weights(window, &labels, sink, &window.keep(x, &pasts, 0.0)?)?.permute(without.labels())?;
        select(&window.spoiled(x, &labels, &pasts)?, &with, &without)?
    };
    let weights = if contracted { weights } else { window.keep(&weights, &pasts, 0.0)? };
    Ok(if pasts.is_empty() { weights } else { weights.closed() })
}

/// `exp(x) / (sum(exp(x)) + exp(sink))` of finite elements within the pasts, those outside at negative infinity.
fn weights(window: Window<'_>, labels: &[Label], sink: Option<f64>, x: &Named) -> Result<Named> {
    let pasts = window.dependent(labels);
    let barrier = window.barrier(&pasts)?;
    let mut top = top(&zip(&x.detach(), &barrier, Tensor::add)?, labels)?;
    if let Some(sink) = sink {
        top = top.map(|top| top.maximum(sink))?;
    }
    // Barrier and largest element are one constant, so that the gradient passes once.
    let exps = zip(x, &zip(&barrier, &top, Tensor::sub)?, |x, constant| x.add(constant)?.exp())?;
    let mut sum = add(&exps, labels, &pasts)?;
    if let Some(sink) = sink {
        sum = zip(&sum, &top, |sum, top| sum.add(&top.affine(-1.0, sink)?.exp()?))?;
    }
    let sum = over_nothing(window, &sum, &pasts, 1.0)?;
    zip(&exps, &sum.map(Tensor::recip)?, Tensor::mul)
}

fn labels(axes: &[AxisId]) -> Vec<Label> {
    axes.iter().map(|axis| Label::Axis(*axis)).collect()
}

/// The sum over labels; in one order where there are pasts among them.
fn add(x: &Named, labels: &[Label], pasts: &[AxisId]) -> Result<Named> {
    if pasts.is_empty() { x.sum(labels) } else { x.sum_in_order(labels) }
}

/// The result with `value` where one of the pasts is empty.
fn over_nothing(window: Window<'_>, x: &Named, pasts: &[AxisId], value: f64) -> Result<Named> {
    if window.open(pasts)? {
        return Ok(x.clone());
    }
    let value = Named::new(window.masks.place.number(value)?, Vec::new());
    pasts.iter().try_fold(x.clone(), |x, axis| {
        let some = window.count(*axis)?.map(|n| n.gt(0.0))?;
        // Pasts that are never empty need no selection.
        if some.tensor().min_all()?.to_scalar::<u8>()? == 1 { Ok(x) } else { select(&some, &x, &value) }
    })
}

fn mean(window: Window<'_>, x: &Named, labels: &[Label], pasts: &[AxisId]) -> Result<Named> {
    let kept = window.keep(x, pasts, 0.0)?;
    let fixed = labels.iter().filter(|l| window.dependent(&[**l]).is_empty());
    let n: usize = fixed.filter_map(|l| kept.size(*l)).product();
    let mean = add(&kept, labels, pasts)?.map(|sum| sum.affine(1.0 / n as f64, 0.0))?;
    pasts.iter().try_fold(mean, |mean, axis| divide_by_count(&mean, &window.count(*axis)?))
}

/// The largest or smallest element over labels together; equal ones share the derivative evenly, as the two operands of
/// `max(a, b)` do.
///
/// Candle gives each of them all of it. So where there are several, the value is put together of the one found and the
/// mean of those that equal it, whose value is taken away again.
fn shared_extreme(x: &Named, labels: &[Label], largest: bool) -> Result<Named> {
    let found = extreme(x, labels, largest)?;
    let chosen = zip(&x.detach(), &found.detach(), |x, found| x.eq(found))?;
    let count = chosen.map(|c| c.to_dtype(x.tensor().dtype()))?.sum(labels)?;
    if count.tensor().max_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()? <= 1.0 {
        return Ok(found);
    }
    let zero = Named::new(x.tensor().zeros_like()?, x.labels().to_vec());
    let mean = zip(&select(&chosen, x, &zero)?.sum(labels)?, &count, Tensor::div)?;
    let shared = zip(&found.detach(), &zip(&mean, &mean.detach(), Tensor::sub)?, Tensor::add)?;
    // No difference of infinities: they have no derivative, and empty pasts have no value yet.
    let finite = found.map(|found| found.detach().abs()?.lt(f64::INFINITY))?;
    select(&finite, &shared, &found)
}

/// The largest or smallest element; several labels are reduced one after the other.
fn extreme(x: &Named, labels: &[Label], largest: bool) -> Result<Named> {
    labels.iter().try_fold(x.clone(), |x, label| match x.find(*label) {
        Some(dim) => {
            let tensor = if largest { x.tensor().max(dim)? } else { x.tensor().min(dim)? };
            Ok(Named::new(tensor, without(x.labels(), &[*label])))
        }
        None => Ok(x),
    })
}

/// What to subtract before exponentials: the largest element, or 0 where there is none, outside
/// of the gradient.
fn top(x: &Named, labels: &[Label]) -> Result<Named> {
    let top = extreme(&x.detach(), labels, true)?;
    top.map(|top| top.eq(f64::NEG_INFINITY)?.where_cond(&top.zeros_like()?, top))
}

fn log_sum_exp(window: Window<'_>, x: &Named, labels: &[Label], pasts: &[AxisId]) -> Result<Named> {
    let x = window.keep(x, pasts, f64::NEG_INFINITY)?;
    let top = top(&x, labels)?;
    let sum = add(&zip(&x, &top, |x, top| x.sub(top)?.exp())?, labels, pasts)?;
    let sum = over_nothing(window, &sum, pasts, 1.0)?;
    let result = zip(&sum, &top, |sum, top| sum.log()?.add(top))?;
    over_nothing(window, &result, pasts, f64::NEG_INFINITY)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use candle_core::{Device, Var};

    use super::*;
    use crate::mask::Masks;
    use crate::named::Place;

    /// The value of a reduction of `[2, 3]` numbers over both axes, and its derivatives.
    fn at(how: Reduction, elements: [f64; 6]) -> (f64, Vec<f64>) {
        let place = Place { dtype: DType::F64, device: Device::Cpu };
        let pasts = BTreeMap::new();
        let masks = Masks::new(&place, (0, 1), &pasts, AxisId(9));
        let x = Var::from_slice(&elements, (2, 3), &Device::Cpu).unwrap();
        let axes = [AxisId(0), AxisId(1)];
        let named = Named::new(x.as_tensor().clone(), labels(&axes));
        let result = reduce(masks.everywhere(), how, &axes, None, &named).unwrap();
        let store = result.tensor().backward().unwrap();
        (result.tensor().to_scalar().unwrap(), store.get(&x).unwrap().flatten_all().unwrap().to_vec1().unwrap())
    }

    #[test]
    fn equal_extremes_share_the_derivative_whatever_the_order_of_axes() {
        let third = 1.0 / 3.0;
        assert_eq!(at(Reduction::Max, [0.3, 0.1, 0.3, 0.3, 0.2, 0.0]), (0.3, vec![third, 0.0, third, third, 0.0, 0.0]));
        assert_eq!(at(Reduction::Min, [0.3, 0.1, 0.3, 0.1, 0.2, 0.5]), (0.1, vec![0.0, 0.5, 0.0, 0.5, 0.0, 0.0]));
        assert_eq!(at(Reduction::Max, [0.3, 0.1, 0.7, 0.3, 0.2, 0.0]), (0.7, vec![0.0, 0.0, 1.0, 0.0, 0.0, 0.0]));
        let (largest, slopes) = at(Reduction::Max, [f64::INFINITY, f64::INFINITY, 1.0, 0.0, 0.0, 0.0]);
        assert!(largest == f64::INFINITY && slopes.iter().all(|slope| !slope.is_nan()), "{slopes:?}");
    }
}
