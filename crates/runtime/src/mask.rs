//! Which elements a dependent axis (a past, or completed blocks) holds at each position, as masks that select.
//!
//! Law M: an excluded element is never an operand of arithmetic, forward or backward. Reductions
//! select before they combine; products over a past select in the operand that varies with time,
//! and where the other operand holds numbers that are not finite, they select there too, so that
//! `0 * NaN` never happens: a NaN at position `s` reaches the positions that see `s`, no others.

use std::cell::RefCell;
use std::collections::BTreeMap;

use candle_core::{Result, Tensor};
use genesys_ir::module::AxisId;

use crate::contract::contract;
use crate::named::{Label, Named, Place, select, without, zip};

/// The elements of a dependent axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The positions of a past: `t - skip - window < s <= t - skip`.
    Past { window: Option<usize>, skip: usize },
    /// The blocks of so many positions that end at `t` or before.
    Blocks { size: usize },
}

impl Reach {
    /// How many elements a run over `start .. start + positions` spans: also those before it that it may see. There is
    /// room for one block at least, seen or not.
    fn extent(self, start: usize, positions: usize) -> usize {
        match self {
            Reach::Past { window: None, .. } => start + positions,
            Reach::Past { window: Some(window), skip } => start.min(window + skip - 1) + positions,
            Reach::Blocks { size } => ((start + positions) / size).max(1),
        }
    }

    /// Whether a position sees an element whose last position is `last`.
    fn sees(self, t: usize, last: usize) -> bool {
        match self {
            Reach::Past { window, skip } => last + skip <= t && window.is_none_or(|window| t < last + skip + window),
            Reach::Blocks { .. } => last <= t,
        }
    }

    /// `t - last`; of an element that is not seen the nearest age of one that may be. So what has a value at all ages that there are
    /// has one everywhere, and so have its derivatives, which are not selected but multiplied by 0.
    fn age(self, t: usize, last: usize) -> usize {
        let (least, most) = match self {
            Reach::Past { window, skip } => (skip, window.map_or(usize::MAX, |window| skip + window - 1)),
            Reach::Blocks { .. } => (0, usize::MAX),
        };
        t.saturating_sub(last).clamp(least, most)
    }
}

/// The masks of one run over the positions `start .. start + positions`.
pub(crate) struct Masks<'a> {
    pub(crate) place: &'a Place,
    pub(crate) start: usize,
    pub(crate) positions: usize,
    /// The pasts of the module.
    pub(crate) pasts: &'a BTreeMap<AxisId, Reach>,
    /// One of them that is no axis of the module: every position up to the present one.
    pub(crate) whole: AxisId,
    full: RefCell<BTreeMap<AxisId, Full>>,
}

/// A mask for all positions of a run.
#[derive(Clone)]
struct Full {
    /// `[t, element]`: 1 where `t` sees it.
    mask: Tensor,
    /// Whether every position sees all there is: nothing is to be selected.
    open: bool,
}

/// The masks as seen by all positions at once, or by one of them.
#[derive(Clone, Copy)]
pub(crate) struct Window<'a> {
    pub(crate) masks: &'a Masks<'a>,
    /// The position of a scan's step within the run.
    pub(crate) step: Option<usize>,
}

impl<'a> Masks<'a> {
    pub(crate) fn new(
        place: &'a Place,
        (start, positions): (usize, usize),
        pasts: &'a BTreeMap<AxisId, Reach>,
        whole: AxisId,
    ) -> Self {
        Self { place, start, positions, pasts, whole, full: RefCell::default() }
    }

    /// The masks as seen by all positions at once.
    pub(crate) fn everywhere(&self) -> Window<'_> {
        Window { masks: self, step: None }
    }

    /// How many elements a dependent axis spans: those of the run, and those before it that it may see.
    pub(crate) fn extent(&self, axis: AxisId) -> usize {
        self.pasts[&axis].extent(self.start, self.positions)
    }

    /// The last position of each element.
    fn last(&self, axis: AxisId) -> Vec<usize> {
        let (extent, end) = (self.extent(axis), self.start + self.positions);
        match self.pasts[&axis] {
            Reach::Past { .. } => (end - extent..end).collect(),
            Reach::Blocks { size } => (1..=extent).map(|blocks| blocks * size - 1).collect(),
        }
    }

    fn full(&self, axis: AxisId) -> Result<Full> {
        if let Some(full) = self.full.borrow().get(&axis) {
            return Ok(full.clone());
        }
        let (last, reach) = (self.last(axis), self.pasts[&axis]);
        let sees = |i: usize| u8::from(reach.sees(self.start + i / last.len(), last[i % last.len()]));
        let mask: Vec<u8> = (0..self.positions * last.len()).map(sees).collect();
        let open = mask.iter().all(|seen| *seen == 1);
        let full = Full { mask: Tensor::from_vec(mask, (self.positions, last.len()), &self.place.device)?, open };
        self.full.borrow_mut().insert(axis, full.clone());
        Ok(full)
    }
}

impl Window<'_> {
    /// The dependent axes among the labels.
    pub(crate) fn dependent(&self, labels: &[Label]) -> Vec<AxisId> {
        let axis = |label: &Label| match label {
            Label::Axis(axis) if self.masks.pasts.contains_key(axis) => Some(*axis),
            Label::Axis(_) | Label::Batch | Label::Time => None,
        };
        labels.iter().filter_map(axis).collect()
    }

    /// 1 where the past holds the position.
    pub(crate) fn mask(&self, axis: AxisId) -> Result<Named> {
        let full = self.masks.full(axis)?.mask;
        match self.step {
            Some(t) => Ok(Named::new(full.narrow(0, t, 1)?.squeeze(0)?, vec![Label::Axis(axis)])),
            None => Ok(Named::new(full, vec![Label::Time, Label::Axis(axis)])),
        }
    }

    /// Whether every position sees all that the pasts span, so that nothing is to be selected.
    pub(crate) fn open(&self, axes: &[AxisId]) -> Result<bool> {
        axes.iter().try_fold(true, |open, axis| Ok(open && self.masks.full(*axis)?.open))
    }

    /// How many positions the past holds.
    pub(crate) fn count(&self, axis: AxisId) -> Result<Named> {
        self.mask(axis)?.map(|m| m.to_dtype(self.masks.place.dtype))?.sum(&[Label::Axis(axis)])
    }

    /// `t - s`, where `s` is the last position of each element, as [`Reach::age`] counts.
    pub(crate) fn age(&self, axis: AxisId) -> Result<Named> {
        let (last, now) = (self.masks.last(axis), self.masks.positions);
        let rows = self.step.map_or(0..now, |t| t..t + 1);
        let reach = self.masks.pasts[&axis];
        let age = |t: usize, last: &usize| reach.age(self.masks.start + t, *last) as f64;
        let ages: Vec<f64> = rows.clone().flat_map(|t| last.iter().map(move |last| age(t, last))).collect();
        let (labels, shape) = match self.step {
            Some(_) => (vec![Label::Axis(axis)], vec![last.len()]),
            None => (vec![Label::Time, Label::Axis(axis)], vec![rows.len(), last.len()]),
        };
        let place = self.masks.place;
        Ok(Named::new(Tensor::from_vec(ages, shape, &place.device)?.to_dtype(place.dtype)?, labels))
    }

    /// The operand with `fill` in place of elements that the pasts of `axes` do not hold.
    pub(crate) fn keep(&self, x: &Named, axes: &[AxisId], fill: f64) -> Result<Named> {
        if self.open(axes)? {
            return Ok(x.clone());
        }
        let fill = Named::new(self.masks.place.number(fill)?, Vec::new());
        axes.iter().try_fold(x.clone(), |x, axis| select(&self.mask(*axis)?, &x, &fill))
    }

    /// 0 where the pasts of `axes` hold the position, negative infinity elsewhere.
    pub(crate) fn barrier(&self, axes: &[AxisId]) -> Result<Named> {
        let zero = Named::new(self.masks.place.number(0.0)?, Vec::new());
        self.keep(&zero, axes, f64::NEG_INFINITY)
    }

    /// The sum over `over` of `a * b`, elements outside of a past left out.
    pub(crate) fn contract(&self, a: &Named, b: &Named, over: &[Label]) -> Result<Named> {
        if self.open(&self.dependent(&[a.labels(), b.labels()].concat()))? {
            return contract(a, b, over);
        }
        let summed = self.dependent(over);
        let (a, b, open) = self.close(a, b, &summed)?;
        if finite(&a)? && finite(&b)? {
            return contract(&a, &b, over);
        }
        let bad_a = self.spoiled(&a, over, if open == Open::Left { &summed } else { &[] })?;
        let bad_b = self.spoiled(&b, over, if open == Open::Right { &summed } else { &[] })?;
        let product = contract(&cleaned(&a)?, &cleaned(&b)?, over)?;
        let nan = Named::new(self.masks.place.number(f64::NAN)?, Vec::new());
        select(&bad_b, &nan, &select(&bad_a, &nan, &product)?)
    }

    /// Puts 0 where the pasts that are summed over hold nothing: in each operand that varies with
    /// their masks' labels, or else in the smaller one. Says which operand still holds elements
    /// outside of a past.
    fn close(&self, a: &Named, b: &Named, summed: &[AxisId]) -> Result<(Named, Named, Open)> {
        if summed.is_empty() {
            return Ok((a.clone(), b.clone(), Open::Neither));
        }
        let varies = |x: &Named| {
            (self.step.is_some() || x.has(Label::Time)) && summed.iter().all(|axis| x.has(Label::Axis(*axis)))
        };
        let (left, right) = match (varies(a), varies(b)) {
            _ if a.is_closed() => return Ok((a.clone(), b.clone(), Open::Right)),
            _ if b.is_closed() => return Ok((a.clone(), b.clone(), Open::Left)),
            (false, false) if a.elements() <= b.elements() => (true, false),
            (false, false) => (false, true),
            varies => varies,
        };
        let a = if left { self.keep(a, summed, 0.0)? } else { a.clone() };
        let b = if right { self.keep(b, summed, 0.0)? } else { b.clone() };
        let open = match (left, right) {
            (true, true) => Open::Neither,
            (true, false) => Open::Right,
            (false, _) => Open::Left,
        };
        Ok((a, b, open))
    }

    /// Which elements of a sum over `over` meet a number of `x` that is not finite, where only
    /// elements within the pasts `seen` count.
    pub(crate) fn spoiled(&self, x: &Named, over: &[Label], seen: &[AxisId]) -> Result<Named> {
        let dtype = self.masks.place.dtype;
        let bad = is_finite(&x.detach())?.map(|ok| ok.eq(0u8)?.to_dtype(dtype))?;
        let pasts: Vec<Label> = seen.iter().map(|axis| Label::Axis(*axis)).collect();
        let mut bad = bad.sum(&without(over, &pasts))?;
        for axis in seen {
            bad = contract(&self.mask(*axis)?.map(|m| m.to_dtype(dtype))?, &bad, &[Label::Axis(*axis)])?;
        }
        bad.map(|count| count.gt(0.0))
    }
}

/// Which operand of a product holds elements outside of a past that is summed over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Left,
    Right,
    Neither,
}

/// Whether all elements are finite. A finite tensor whose sum overflows is taken for one that is
/// not: the products come out the same.
pub(crate) fn finite(x: &Named) -> Result<bool> {
    let sum = x.tensor().detach().sum_all()?.to_dtype(candle_core::DType::F64)?;
    Ok(sum.to_scalar::<f64>()?.is_finite())
}

/// 1 where an element is finite.
fn is_finite(x: &Named) -> Result<Named> {
    x.map(|x| x.abs()?.lt(f64::INFINITY))
}

/// The operand with 0 in place of elements that are not finite.
pub(crate) fn cleaned(x: &Named) -> Result<Named> {
    let zero = x.map(|x| x.detach().zeros_like())?;
    let ok = is_finite(&x.detach())?;
    let order = x.sized();
    let tensor = ok.expand(&order)?.where_cond(x.tensor(), zero.tensor())?;
    Ok(Named::new(tensor, x.labels().to_vec()))
}

/// `a` times the reciprocal of a count that is at least 1.
pub(crate) fn divide_by_count(a: &Named, count: &Named) -> Result<Named> {
    let at_least_one = count.map(|n| n.maximum(1.0))?;
    zip(a, &at_least_one, |a, n| a.div(n))
}
