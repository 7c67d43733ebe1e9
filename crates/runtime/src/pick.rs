//! The elements of largest score along an axis, static or dependent.
//!
//! In: scores, and values along the same axis. Out: the values at the picked elements, the largest score first, of equal
//! ones the lowest element. Elements outside of a past take no part; a score that is no number counts as negative
//! infinity. Where there are fewer elements than are asked for, the value is 0, by a selection.
//!
//! The choice is made outside of the gradient, one element a round: `k` rounds of a few operations on all scores. Values
//! are looked up, never multiplied by a choice, so that what is not picked reaches neither values nor gradients.

use candle_core::{DType, Result, Tensor};
use genesys_ir::module::AxisId;

use crate::layout;
use crate::mask::Window;
use crate::named::{Label, Named, select, stack, without, zip};

/// An axis and its number of elements.
type Extent = (AxisId, usize);

/// The values at the elements of largest score, as many as `to` has.
pub(crate) fn top(window: Window<'_>, from: Extent, to: Extent, score: &Named, value: &Named) -> Result<Named> {
    let place = window.masks.place;
    let exists = exists(window, from, to)?;
    let elements = select(&exists, &choose(window, from, to, score)?, &counter(0.0, &place.device)?)?;
    let picked = look_up(&ranging(value, from)?, Label::Axis(from.0), &elements)?;
    select(&exists, &picked, &Named::new(place.number(0.0)?, Vec::new()))
}

/// 1 where there is an element to pick, for each choice that the score makes.
pub(crate) fn picked(window: Window<'_>, from: Extent, to: Extent, score: &Named) -> Result<Named> {
    let exists = exists(window, from, to)?.map(|exists| exists.to_dtype(window.masks.place.dtype))?;
    let chosen = without(score.labels(), &[Label::Axis(from.0)]);
    let absent = score.sized().into_iter().filter(|(label, _)| chosen.contains(label) && !exists.has(*label));
    exists.expanded(&exists.sized().into_iter().chain(absent).collect::<Vec<_>>())
}

/// Whether there is a first element, a second one and so on.
fn exists(window: Window<'_>, from: Extent, to: Extent) -> Result<Named> {
    let place = window.masks.place;
    let order = layout::index(place, to.0, to.1)?;
    let count = match window.dependent(&[Label::Axis(from.0)]).is_empty() {
        true => Named::new(place.number(from.1 as f64)?, Vec::new()),
        false => window.count(from.0)?,
    };
    zip(&order, &count, |order, count| order.lt(count))
}

/// The numbers of the picked elements; any number where there is none.
///
/// Round by round: the largest score that is left, the lowest element that has it, and then without this element.
fn choose(window: Window<'_>, from: Extent, to: Extent, score: &Named) -> Result<Named> {
    let place = window.masks.place;
    let (axis, count) = (Label::Axis(from.0), from.1);
    let lowest = Named::new(place.number(f64::NEG_INFINITY)?, Vec::new());
    let score = ranging(&score.detach(), from)?;
    let score = select(&score.map(|x| x.eq(x))?, &score, &lowest)?;
    let numbers = Tensor::arange(0u32, count as u32, &place.device)?.to_dtype(DType::F64)?;
    let (numbers, none) = (Named::new(numbers, vec![axis]), counter(count as f64, &place.device)?);
    let mut left = score.map(|x| x.ones_like()?.ne(0.0))?;
    for past in window.dependent(&[axis]) {
        left = zip(&left, &window.mask(past)?, Tensor::mul)?;
    }
    let mut elements = Vec::new();
    for _ in 0..to.1 {
        let open = select(&left, &score, &lowest)?;
        let largest = extreme(&open, axis, Tensor::max)?;
        let equal = zip(&open, &largest, |x, largest| x.eq(largest))?;
        let candidates = select(&zip(&left, &equal, Tensor::mul)?, &numbers, &none)?;
        let element = extreme(&candidates, axis, Tensor::min)?;
        left = zip(&left, &zip(&numbers, &element, |n, element| n.ne(element))?, Tensor::mul)?;
        elements.push(element);
    }
    stack(&elements, Label::Axis(to.0))
}

/// A number to count with: elements and rows are numbered in double precision, which is exact up to 2^53.
fn counter(value: f64, device: &candle_core::Device) -> Result<Named> {
    Ok(Named::new(Tensor::new(value, device)?, Vec::new()))
}

fn extreme(x: &Named, axis: Label, of: fn(&Tensor, usize) -> Result<Tensor>) -> Result<Named> {
    let dim = x.find(axis).expect("scores range over the axis picked from");
    Ok(Named::new(of(x.tensor(), dim)?, without(x.labels(), &[axis])))
}

/// The operand, with elements along an axis also where it is the same at each of them.
fn ranging(x: &Named, (axis, size): Extent) -> Result<Named> {
    let axis = Label::Axis(axis);
    if x.has(axis) { Ok(x.clone()) } else { x.expanded(&[x.sized().as_slice(), &[(axis, size)]].concat()) }
}

/// The value at an element of `axis` for each of `elements`, by rows: the labels that both have and the axis make up the
/// number of a row, the value's other labels its columns.
fn look_up(value: &Named, axis: Label, elements: &Named) -> Result<Named> {
    let shared: Vec<Label> = value.labels().iter().copied().filter(|l| elements.has(*l)).collect();
    let own = without(&without(value.labels(), &shared), &[axis]);
    let rows = value.permute(&[shared.clone(), vec![axis], own.clone()].concat())?;
    let asked = without(elements.labels(), &shared);
    let elements = elements.permute(&[shared.clone(), asked].concat())?;
    let count = value.size(axis).expect("the axis picked from is the operand's");
    let mut numbers = elements.clone();
    let mut stride = count;
    for label in shared.iter().rev() {
        let size = value.size(*label).expect("it is the value's");
        let steps: Vec<f64> = (0..size).map(|i| (i * stride) as f64).collect();
        let steps = Named::new(Tensor::from_vec(steps, size, value.tensor().device())?, vec![*label]);
        numbers = zip(&numbers, &steps, Tensor::add)?.permute(elements.labels())?;
        stride *= size;
    }
    let columns: usize = own.iter().filter_map(|label| value.size(*label)).product();
    let table = rows.tensor().reshape((stride, columns))?;
    let found = table.index_select(&numbers.tensor().flatten_all()?.to_dtype(DType::U32)?, 0)?;
    let own_sizes = own.iter().filter_map(|label| value.size(*label));
    let dims: Vec<usize> = elements.tensor().dims().iter().copied().chain(own_sizes).collect();
    Ok(Named::new(found.reshape(dims)?, [elements.labels(), own.as_slice()].concat()))
}
