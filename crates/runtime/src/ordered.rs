//! Sums and products along a past in the order of its positions.
//!
//! They are built by doubling: each round combines an element with the one `1, 2, 4, ..` places away,
//! which already stands for as many. So `n` elements take `log n` rounds, none is ever taken away
//! again, and a number that is not finite reaches the results that hold it, no others. Elements
//! outside of the past are replaced before, and again behind, where gradients come back.

use candle_core::{Result, Tensor};
use genesys_ir::module::AxisId;

use crate::mask::Window;
use crate::named::{Label, Named, without};

/// How elements combine, and what changes nothing.
#[derive(Clone, Copy)]
struct Fold {
    neutral: f64,
    combine: fn(&Tensor, &Tensor) -> Result<Tensor>,
}

const SUM: Fold = Fold { neutral: 0.0, combine: Tensor::add };
const PRODUCT: Fold = Fold { neutral: 1.0, combine: Tensor::mul };

/// At each position of the past the sum up to it.
pub(crate) fn cumsum(window: Window<'_>, axis: AxisId, x: &Named) -> Result<Named> {
    along(window, axis, x, SUM, |x| {
        doubling(x, |x, by| {
            let n = x.dim(0)?;
            let later = x.narrow(0, by, n - by)?.add(&x.narrow(0, 0, n - by)?)?;
            Tensor::cat(&[x.narrow(0, 0, by)?, later], 0)
        })
    })
}

/// At each position of the past the sum of what stands behind it.
pub(crate) fn after(window: Window<'_>, axis: AxisId, x: &Named) -> Result<Named> {
    behind(window, axis, x, SUM)
}

/// At each position of the past the product of what stands behind it.
pub(crate) fn product_after(window: Window<'_>, axis: AxisId, x: &Named) -> Result<Named> {
    behind(window, axis, x, PRODUCT)
}

fn behind(window: Window<'_>, axis: AxisId, x: &Named, fold: Fold) -> Result<Named> {
    along(window, axis, x, fold, |x| {
        let n = x.dim(0)?;
        let end = x.narrow(0, 0, 1)?.ones_like()?.affine(fold.neutral, 0.0)?;
        let next = Tensor::cat(&[x, &end], 0)?.narrow(0, 1, n)?;
        doubling(&next, |x, by| {
            let earlier = (fold.combine)(&x.narrow(0, 0, n - by)?, &x.narrow(0, by, n - by)?)?;
            Tensor::cat(&[earlier, x.narrow(0, n - by, by)?], 0)
        })
    })
}

/// A function of the past's elements, which stand along the first dimension; 0 outside of the past.
fn along(
    window: Window<'_>,
    axis: AxisId,
    x: &Named,
    fold: Fold,
    f: impl FnOnce(&Tensor) -> Result<Tensor>,
) -> Result<Named> {
    let label = Label::Axis(axis);
    let kept = window.keep(x, &[axis], fold.neutral)?;
    let first: Vec<Label> = [vec![label], without(kept.labels(), &[label])].concat();
    let folded = kept.permute(&first)?.map(|x| f(&x.contiguous()?))?;
    window.keep(&folded, &[axis], 0.0)
}

/// `x` after rounds that reach 1, 2, 4, .. places far.
fn doubling(x: &Tensor, round: impl Fn(&Tensor, usize) -> Result<Tensor>) -> Result<Tensor> {
    let n = x.dim(0)?;
    let mut folded = x.clone();
    let mut by = 1;
    while by < n {
        folded = round(&folded, by)?;
        by *= 2;
    }
    Ok(folded)
}
