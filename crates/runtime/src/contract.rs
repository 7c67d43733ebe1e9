//! Sums of products as batched matrix products.
//!
//! Labels fall into four groups: in both operands and kept (batch), of the left or of the right
//! only, and contracted. Each operand is brought into `[batch, rows, columns]`, as a view where
//! its memory allows, and multiplied; no product of elements is ever laid out in memory. A few terms
//! that batch labels share, as under the kernel of a convolution, are added one after the other.

use candle_core::{Result, Tensor};

use crate::named::{Label, Named, unstack, without, zip};

/// The most terms that are added one after the other.
const FEW: usize = 8;

/// The sum over `over`, which both operands have, of `a * b`.
pub(crate) fn contract(a: &Named, b: &Named, over: &[Label]) -> Result<Named> {
    // Batch labels stand as the larger operand has them, so that it need not be copied.
    let (larger, smaller) = if a.elements() >= b.elements() { (a, b) } else { (b, a) };
    let batch: Vec<Label> = larger.labels().iter().copied().filter(|l| smaller.has(*l) && !over.contains(l)).collect();
    let left = without(&without(a.labels(), &batch), over);
    let right = without(&without(b.labels(), &batch), over);
    let outer = over.is_empty() && (left.is_empty() || right.is_empty());
    if outer || (left.is_empty() && right.is_empty()) {
        return zip(a, b, |a, b| a.mul(b))?.sum(over);
    }
    if let [label] = over
        && (left.is_empty() || right.is_empty())
        && !batch.is_empty()
        && larger.size(*label).is_some_and(|n| n <= FEW)
    {
        return one_by_one(a, b, *label);
    }
    let over: Vec<Label> = larger.labels().iter().copied().filter(|l| over.contains(l)).collect();
    let tensor = match (cut(a, &batch, &left, &over)?, cut(b, &batch, &over, &right)?) {
        (None, None) => matrix(a, &batch, &left, &over)?.matmul(&matrix(b, &batch, &over, &right)?)?,
        (a_cut, b_cut) => {
            let whole = |x, rows, columns| apart(&matrix(x, &batch, rows, columns)?, larger, &batch);
            let a = a_cut.map_or_else(|| whole(a, &left, &over), Ok)?;
            a.matmul(&b_cut.map_or_else(|| whole(b, &over, &right), Ok)?)?
        }
    };
    let labels: Vec<Label> = [batch, left, right].concat();
    let dims: Vec<usize> =
        labels.iter().map(|l| a.size(*l).or(b.size(*l)).expect("a label of the result is an operand's")).collect();
    Ok(Named::new(tensor.reshape(dims)?, labels))
}

/// The sum over a short label: products of vectors with matrices would be mostly overhead.
fn one_by_one(a: &Named, b: &Named, label: Label) -> Result<Named> {
    let (a, b) = (unstack(a, label)?, unstack(b, label)?);
    let mut sum: Option<Named> = None;
    for (a, b) in a.iter().zip(&b) {
        let product = zip(a, b, |a, b| a.mul(b))?;
        sum = Some(match sum {
            Some(sum) => zip(&sum, &product, |sum, product| sum.add(product))?,
            None => product,
        });
    }
    Ok(sum.expect("an axis has an element"))
}

/// The product of two operands, element by element. Where each has labels that the other lacks it
/// is a matrix product over nothing, whose gradients are matrix products too instead of sums over
/// the whole.
pub(crate) fn product(a: &Named, b: &Named) -> Result<Named> {
    contract(a, b, &[])
}

/// The operand as `[batch, rows, columns]`, or `[rows, columns]` where there is no batch.
fn matrix(x: &Named, batch: &[Label], rows: &[Label], columns: &[Label]) -> Result<Tensor> {
    let size = |labels: &[Label]| labels.iter().map(|l| x.size(*l).expect("a label of the operand")).product::<usize>();
    let (n, r, c) = (size(batch), size(rows), size(columns));
    let shape = |r, c| if batch.is_empty() { vec![r, c] } else { vec![n, r, c] };
    let transposed = x.permute(&[batch, columns, rows].concat())?;
    let straight = x.permute(&[batch, rows, columns].concat())?;
    if !straight.tensor().is_contiguous() && transposed.tensor().is_contiguous() {
        return transposed.tensor().reshape(shape(c, r))?.t();
    }
    straight.tensor().reshape(shape(r, c))
}

/// The operand as `[batch, batch, rows, columns]` where it is a cut through a larger buffer, as a cache is, that can be
/// read where it lies; [`matrix`] would copy it.
fn cut(x: &Named, batch: &[Label], rows: &[Label], columns: &[Label]) -> Result<Option<Tensor>> {
    if batch.len() != 2 || rows.len() > 1 || columns.len() > 1 {
        return Ok(None);
    }
    let straight = x.permute(&[batch, rows, columns].concat())?;
    let transposed = x.permute(&[batch, columns, rows].concat())?;
    if straight.tensor().is_contiguous() || transposed.tensor().is_contiguous() {
        return Ok(None);
    }
    let mut tensor = straight.tensor().clone();
    if rows.is_empty() {
        tensor = tensor.unsqueeze(2)?;
    }
    if columns.is_empty() {
        tensor = tensor.unsqueeze(3)?;
    }
    let (dims, stride) = (tensor.dims(), tensor.stride());
    let even = stride[0] == stride[1] * dims[1] || dims[0] == 1 || dims[1] == 1;
    let lines = (stride[3] == 1 && stride[2] >= dims[3]) || (stride[2] == 1 && stride[3] >= dims[2]);
    Ok((even && lines).then_some(tensor))
}

/// `[n, rows, columns]` with the batch labels of `of` apart.
fn apart(x: &Tensor, of: &Named, batch: &[Label]) -> Result<Tensor> {
    let mut dims: Vec<usize> = batch.iter().map(|l| of.size(*l).expect("a label of both operands")).collect();
    dims.extend(&x.dims()[1..]);
    x.reshape(dims)
}
