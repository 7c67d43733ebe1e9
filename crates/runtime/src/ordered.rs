//! Sums along a past in the order of its positions.
//!
//! A sum is built by doubling: each round adds to an element the one `1, 2, 4, ..` places away, which
//! already stands for as many. So `n` elements take `log n` additions each, none is ever taken away
//! again, and a number that is not finite reaches the sums that hold it, no others. Elements
//! outside of the past are replaced before, and again behind, where gradients come back.

use candle_core::{Result, Tensor};
use genesys_ir::module::AxisId;

use crate::mask::Window;
use crate::named::{Label, Named, without};

/// At each position of the past the sum up to it.
pub(crate) fn cumsum(window: Window<'_>, axis: AxisId, x: &Named) -> Result<Named> {
    along(window, axis, x, |x| {
        doubling(x, |x, by| {
            let n = x.dim(0)?;
            let later = (x.narrow(0, by, n - by)? + x.narrow(0, 0, n - by)?)?;
            Tensor::cat(&[x.narrow(0, 0, by)?, later], 0)
        })
    })
}

/// At each position of the past the sum of what stands behind it.
pub(crate) fn after(window: Window<'_>, axis: AxisId, x: &Named) -> Result<Named> {
    along(window, axis, x, |x| {
        let n = x.dim(0)?;
        if n == 1 {
            return x.zeros_like();
        }
        let next = x.narrow(0, 1, n - 1)?.pad_with_zeros(0, 0, 1)?;
        doubling(&next, |x, by| {
            let earlier = (x.narrow(0, 0, n - by)? + x.narrow(0, by, n - by)?)?;
            Tensor::cat(&[earlier, x.narrow(0, n - by, by)?], 0)
        })
    })
}

/// A function of the past's elements, which stand along the first dimension.
fn along(window: Window<'_>, axis: AxisId, x: &Named, f: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Named> {
    let label = Label::Axis(axis);
    let kept = window.keep(x, &[axis], 0.0)?;
    let first: Vec<Label> = [vec![label], without(kept.labels(), &[label])].concat();
    let sums = kept.permute(&first)?.map(|x| f(&x.contiguous()?))?;
    window.keep(&sums, &[axis], 0.0)
}

/// `x` after rounds that reach 1, 2, 4, .. places far.
fn doubling(x: &Tensor, round: impl Fn(&Tensor, usize) -> Result<Tensor>) -> Result<Tensor> {
    let n = x.dim(0)?;
    let mut sums = x.clone();
    let mut by = 1;
    while by < n {
        sums = round(&sums, by)?;
        by *= 2;
    }
    Ok(sums)
}
