//! The operations that look at one position only: elements, reductions, axes.

use std::ops::Range;

use genesys_ir::module::{AxisId, Expr, Reduction};

use crate::evaluate::number;
use crate::tensor::{At, for_each_from, index, union};
use crate::{InterpError, Tensor};

/// A scalar expression at every coordinate of all operands.
pub(crate) fn map(expr: &Expr, args: &[Tensor]) -> Result<Tensor, InterpError> {
    let axes = args.iter().fold(Vec::new(), |all, arg| union(&all, arg.axes()));
    let mut failure = None;
    let tensor = Tensor::build(axes, |at| {
        element(expr, args, at).unwrap_or_else(|error| {
            failure = Some(error);
            0.0
        })
    });
    failure.map_or(Ok(tensor), Err)
}

fn element(expr: &Expr, args: &[Tensor], at: &At) -> Result<f64, InterpError> {
    match expr {
        Expr::Arg(i) => Ok(args[*i].at(at)),
        Expr::Const(constant) => number(constant),
        Expr::Apply(function, operands) => {
            let values: Vec<f64> = operands.iter().map(|e| element(e, args, at)).collect::<Result<_, _>>()?;
            Ok(function.eval(&values))
        }
    }
}

/// The elements along `axes` behind a coordinate of the other axes.
fn along(x: &Tensor, axes: &[AxisId], at: &At) -> Vec<f64> {
    let mut elements = Vec::new();
    for_each_from(&mut at.clone(), &only(x, axes), &mut |at| elements.push(x.at(at)));
    elements
}

fn only(x: &Tensor, axes: &[AxisId]) -> Vec<(AxisId, usize)> {
    axes.iter().map(|axis| (*axis, x.size(*axis).expect("a reduced axis is the operand's"))).collect()
}

/// A reduction over axes together.
pub(crate) fn reduce(how: Reduction, axes: &[AxisId], otherwise: Option<f64>, x: &Tensor) -> Tensor {
    Tensor::build(x.without(axes), |at| {
        let elements = along(x, axes, at);
        match otherwise {
            Some(value) if elements.is_empty() => value,
            _ => combine(how, &elements),
        }
    })
}

fn combine(how: Reduction, elements: &[f64]) -> f64 {
    let sum: f64 = elements.iter().sum();
    match how {
        Reduction::Sum => sum,
        Reduction::Mean if elements.is_empty() => 0.0,
        Reduction::Mean => sum / elements.len() as f64,
        Reduction::Max => elements.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Reduction::Min => elements.iter().copied().fold(f64::INFINITY, f64::min),
        Reduction::LogSumExp => log_sum_exp(elements),
    }
}

/// `log(sum(exp(x)))`; negative infinity over nothing.
pub(crate) fn log_sum_exp(elements: &[f64]) -> f64 {
    let top = elements.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        return top;
    }
    top + elements.iter().map(|x| (x - top).exp()).sum::<f64>().ln()
}

/// `exp(x) / (sum(exp(x)) + exp(sink))` over axes together.
pub(crate) fn softmax(axes: &[AxisId], sink: Option<f64>, x: &Tensor) -> Tensor {
    Tensor::build(x.axes().to_vec(), |at| {
        let rest: At = at.iter().copied().filter(|(axis, _)| !axes.contains(axis)).collect();
        let mut elements = along(x, axes, &rest);
        elements.extend(sink);
        (x.at(at) - log_sum_exp(&elements)).exp()
    })
}

/// Sum of products over axes.
pub(crate) fn contract(axes: &[AxisId], a: &Tensor, b: &Tensor) -> Tensor {
    let contracted = only(a, axes);
    Tensor::build(union(&a.without(axes), &b.without(axes)), |at| {
        let mut sum = 0.0;
        for_each_from(&mut at.clone(), &contracted, &mut |at| sum += a.at(at) * b.at(at));
        sum
    })
}

/// Axes `from` become `to`: both count the same elements, major to minor.
pub(crate) fn regroup(from: &[AxisId], to: &[(AxisId, usize)], x: &Tensor) -> Tensor {
    let old = only(x, from);
    let mut axes = x.without(from);
    axes.extend(to);
    Tensor::build(axes, |at| {
        let mut flat = to.iter().fold(0, |flat, (axis, size)| flat * size + index(at, *axis));
        let mut at = at.clone();
        for (axis, size) in old.iter().rev() {
            at.push((*axis, flat % size));
            flat /= size;
        }
        x.at(&at)
    })
}

/// Operands one behind the other, each along its own axis.
pub(crate) fn concat(parts: &[AxisId], whole: AxisId, args: &[Tensor]) -> Tensor {
    let sizes: Vec<usize> =
        args.iter().zip(parts).map(|(x, p)| x.size(*p).expect("a part is the operand's axis")).collect();
    let rest = args.iter().zip(parts).fold(Vec::new(), |all, (x, part)| union(&all, &x.without(&[*part])));
    Tensor::build(union(&rest, &[(whole, sizes.iter().sum())]), |at| {
        let (mut operand, mut i) = (0, index(at, whole));
        while i >= sizes[operand] {
            i -= sizes[operand];
            operand += 1;
        }
        let mut at = at.clone();
        at.push((parts[operand], i));
        args[operand].at(&at)
    })
}

/// Elements from `offset` on, as many as `part` has.
pub(crate) fn slice(whole: AxisId, part: (AxisId, usize), offset: usize, x: &Tensor) -> Tensor {
    Tensor::build(union(&x.without(&[whole]), &[part]), |at| {
        let mut at = at.clone();
        at.push((whole, offset + index(&at, part.0)));
        x.at(&at)
    })
}

/// The operand from element `offset` of an axis on, 0 at its other elements.
pub(crate) fn pad(part: AxisId, whole: (AxisId, usize), offset: usize, x: &Tensor) -> Tensor {
    let size = x.size(part).expect("a part is the operand's axis");
    Tensor::build(union(&x.without(&[part]), &[whole]), |at| match index(at, whole.0).checked_sub(offset) {
        Some(i) if i < size => x.at(&[at.as_slice(), &[(part, i)]].concat()),
        _ => 0.0,
    })
}

/// One element of an axis.
pub(crate) fn select(axis: AxisId, i: usize, x: &Tensor) -> Tensor {
    Tensor::build(x.without(&[axis]), |at| {
        let mut at = at.clone();
        at.push((axis, i));
        x.at(&at)
    })
}

/// Operands as the elements of a new axis.
pub(crate) fn stack(axis: AxisId, args: &[Tensor]) -> Tensor {
    let rest = args.iter().fold(Vec::new(), |all, x| union(&all, x.axes()));
    Tensor::build(union(&rest, &[(axis, args.len())]), |at| args[index(at, axis)].at(at))
}

/// The operand repeated along new axes.
pub(crate) fn broadcast(axes: &[(AxisId, usize)], x: &Tensor) -> Tensor {
    Tensor::build(union(x.axes(), axes), |at| x.at(at))
}

/// The operand `by` positions ago; zero before the first one.
pub(crate) fn shift(by: usize, history: &[Tensor]) -> Tensor {
    let now = history.len() - 1;
    match now.checked_sub(by) {
        Some(then) => history[then].clone(),
        None => Tensor::build(history[now].axes().to_vec(), |_| 0.0),
    }
}

/// The operand at each of the positions `seen`, as elements of the past's axis.
pub(crate) fn view(axis: AxisId, seen: Range<usize>, history: &[Tensor]) -> Tensor {
    let rest = history[history.len() - 1].axes();
    Tensor::build(union(rest, &[(axis, seen.len())]), |at| history[seen.start + index(at, axis)].at(at))
}

/// The operand at each of the last positions, as many as the axis has elements, the oldest first;
/// zero before the first one.
pub(crate) fn window(axis: (AxisId, usize), history: &[Tensor]) -> Tensor {
    let rest = history[history.len() - 1].axes();
    Tensor::build(union(&[axis], rest), |at| {
        let then = (history.len() + index(at, axis.0)).checked_sub(axis.1);
        then.map_or(0.0, |then| history[then].at(at))
    })
}

/// The mean of the last completed block of positions; zero before the first.
pub(crate) fn pool(size: usize, history: &[Tensor]) -> Tensor {
    let end = history.len() / size * size;
    let block = &history[end.saturating_sub(size)..end];
    Tensor::build(history[history.len() - 1].axes().to_vec(), |at| {
        if block.is_empty() { 0.0 } else { block.iter().map(|x| x.at(at)).sum::<f64>() / size as f64 }
    })
}

/// The operand at each position within each completed block.
pub(crate) fn blocks(blocks: (AxisId, usize), within: (AxisId, usize), history: &[Tensor]) -> Tensor {
    let rest = history[history.len() - 1].axes();
    Tensor::build(union(&[within], &union(rest, &[blocks])), |at| {
        history[index(at, blocks.0) * within.1 + index(at, within.0)].at(at)
    })
}

/// The elements along an axis from the largest score to the smallest, of equal ones the lowest first. A score that is no
/// number counts as negative infinity.
fn ranking(from: AxisId, score: &Tensor, at: &At) -> Vec<usize> {
    let number = |x: f64| if x.is_nan() { f64::NEG_INFINITY } else { x };
    let scores: Vec<f64> = along(score, &[from], at).into_iter().map(number).collect();
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].partial_cmp(&scores[*a]).expect("they are numbers").then(a.cmp(b)));
    order
}

/// The value at the elements of the largest scores; zero where there are fewer.
pub(crate) fn top(from: AxisId, to: (AxisId, usize), score: &Tensor, value: &Tensor) -> Tensor {
    let rest = union(&value.without(&[from]), &score.without(&[from]));
    Tensor::build(union(&[to], &rest), |at| {
        let element = ranking(from, score, at).get(index(at, to.0)).copied();
        element.map_or(0.0, |element| value.at(&[at.as_slice(), &[(from, element)]].concat()))
    })
}

/// What is held for each picked element where it was picked from; zero at the others.
pub(crate) fn scatter_top(from: AxisId, to: AxisId, score: &Tensor, x: &Tensor) -> Tensor {
    let places = x.size(to).expect("the axis of what was picked is the operand's");
    let along = (from, score.size(from).expect("the axis picked from is the score's"));
    let rest = union(&x.without(&[to]), &score.without(&[from]));
    Tensor::build(union(&rest, &[along]), |at| {
        let place = ranking(from, score, at).iter().position(|element| *element == index(at, from));
        let place = place.filter(|place| *place < places);
        place.map_or(0.0, |place| x.at(&[at.as_slice(), &[(to, place)]].concat()))
    })
}

/// 1 where there is an element to pick.
pub(crate) fn picked(from: AxisId, to: (AxisId, usize), score: &Tensor) -> Tensor {
    let count = score.size(from).expect("the axis picked from is the operand's");
    Tensor::build(union(&[to], &score.without(&[from])), |at| f64::from(index(at, to.0) < count))
}

/// At each element of a past the sum of those elements that stand to it as `which` says, in order.
pub(crate) fn sum_where(axis: AxisId, which: fn(usize, usize) -> bool, x: &Tensor) -> Tensor {
    Tensor::build(x.axes().to_vec(), |at| {
        let elements = along(x, &[axis], at).into_iter().enumerate();
        elements.filter(|(other, _)| which(*other, index(at, axis))).map(|(_, element)| element).sum()
    })
}
