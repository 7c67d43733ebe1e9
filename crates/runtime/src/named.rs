//! Tensors whose dimensions carry labels: batch, time, or an axis of the module.
//!
//! Operands are aligned by label, so a value keeps whichever order its operation left it in, and
//! a label that is absent stands for "the same everywhere along it". A view of the past is
//! therefore a relabeling of time, and costs nothing.

use candle_core::{DType, Device, Result, Tensor};
use genesys_ir::module::AxisId;

/// What a dimension ranges over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Label {
    /// Items.
    Batch,
    /// Positions.
    Time,
    /// An axis of the module.
    Axis(AxisId),
}

/// A tensor with a label for each dimension.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    tensor: Tensor,
    labels: Vec<Label>,
    closed: bool,
}

/// What an operand is: a number, or a tensor.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// The same number everywhere.
    Number(f64),
    /// A tensor.
    Tensor(Named),
}

/// Where tensors are made, and of which element type.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) dtype: DType,
    pub(crate) device: Device,
}

impl Place {
    /// A tensor without dimensions.
    pub(crate) fn number(&self, value: f64) -> Result<Tensor> {
        Tensor::full(value, (), &self.device)?.to_dtype(self.dtype)
    }
}

impl Value {
    pub(crate) fn named(&self, place: &Place) -> Result<Named> {
        match self {
            Value::Number(value) => Ok(Named::new(place.number(*value)?, Vec::new())),
            Value::Tensor(named) => Ok(named.clone()),
        }
    }

    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Value::Number(value) => Some(*value),
            Value::Tensor(_) => None,
        }
    }
}

impl From<Named> for Value {
    fn from(named: Named) -> Self {
        Value::Tensor(named)
    }
}

impl Named {
    pub(crate) fn new(tensor: Tensor, labels: Vec<Label>) -> Named {
        debug_assert_eq!(tensor.rank(), labels.len(), "a label for each dimension");
        Named { tensor, labels, closed: false }
    }

    /// The value, known to be 0 outside of the pasts it ranges over.
    pub(crate) fn closed(self) -> Named {
        Named { closed: true, ..self }
    }

    /// Whether it is known to be 0 outside of the pasts it ranges over.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(crate) fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    pub(crate) fn labels(&self) -> &[Label] {
        &self.labels
    }

    pub(crate) fn has(&self, label: Label) -> bool {
        self.labels.contains(&label)
    }

    pub(crate) fn find(&self, label: Label) -> Option<usize> {
        self.labels.iter().position(|l| *l == label)
    }

    pub(crate) fn size(&self, label: Label) -> Option<usize> {
        self.find(label).map(|i| self.tensor.dims()[i])
    }

    pub(crate) fn elements(&self) -> usize {
        self.tensor.elem_count()
    }

    /// The labels with their sizes.
    pub(crate) fn sized(&self) -> Vec<(Label, usize)> {
        self.labels.iter().copied().zip(self.tensor.dims().iter().copied()).collect()
    }

    /// The same labels over what `f` makes of the tensor.
    pub(crate) fn map(&self, f: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Named> {
        Ok(Named::new(f(&self.tensor)?, self.labels.clone()))
    }

    /// The value outside of the gradient.
    pub(crate) fn detach(&self) -> Named {
        Named::new(self.tensor.detach(), self.labels.clone())
    }

    /// One label in place of another.
    pub(crate) fn relabel(&self, from: Label, to: Label) -> Named {
        let labels = self.labels.iter().map(|l| if *l == from { to } else { *l }).collect();
        Named::new(self.tensor.clone(), labels)
    }

    /// The dimensions in that order, which holds just the labels there are.
    pub(crate) fn permute(&self, order: &[Label]) -> Result<Named> {
        if self.labels == order {
            return Ok(self.clone());
        }
        let dims: Vec<usize> =
            order.iter().map(|l| self.find(*l).expect("a permutation names labels there are")).collect();
        Ok(Named::new(self.tensor.permute(dims)?, order.to_vec()))
    }

    /// The dimensions in that order, with absent ones repeated.
    pub(crate) fn expand(&self, order: &[(Label, usize)]) -> Result<Tensor> {
        let present: Vec<Label> = order.iter().map(|(l, _)| *l).filter(|l| self.has(*l)).collect();
        let mut tensor = self.permute(&present)?.tensor;
        for (i, (label, _)) in order.iter().enumerate() {
            if !self.has(*label) {
                tensor = tensor.unsqueeze(i)?;
            }
        }
        let dims: Vec<usize> = order.iter().map(|(_, n)| *n).collect();
        if tensor.dims() == dims { Ok(tensor) } else { tensor.broadcast_as(dims) }
    }

    /// As [`expand`](Self::expand), labels kept.
    pub(crate) fn expanded(&self, order: &[(Label, usize)]) -> Result<Named> {
        Ok(Named::new(self.expand(order)?, order.iter().map(|(l, _)| *l).collect()))
    }

    /// Elements `start .. start + len` of a dimension.
    pub(crate) fn narrow(&self, label: Label, start: usize, len: usize) -> Result<Named> {
        match self.find(label) {
            Some(dim) => self.map(|x| x.narrow(dim, start, len)),
            None => Ok(self.clone()),
        }
    }

    /// One element of a dimension, which the result lacks.
    pub(crate) fn select(&self, label: Label, index: usize) -> Result<Named> {
        match self.find(label) {
            Some(dim) => {
                let tensor = self.tensor.narrow(dim, index, 1)?.squeeze(dim)?;
                Ok(Named::new(tensor, without(&self.labels, &[label])))
            }
            None => Ok(self.clone()),
        }
    }

    /// The sum over those labels that there are, added up in one order however the value is laid
    /// out, which a selection may change: so that what is left out changes no bit.
    pub(crate) fn sum_in_order(&self, over: &[Label]) -> Result<Named> {
        let present: Vec<Label> = over.iter().copied().filter(|l| self.has(*l)).collect();
        if present.len() < 2 {
            return self.sum(&present);
        }
        let kept = without(&self.labels, over);
        let order: Vec<Label> = kept.iter().copied().chain(present).collect();
        let flat = self.permute(&order)?.tensor.flatten_from(kept.len())?;
        Ok(Named::new(flat.sum(kept.len())?, kept))
    }

    /// The sum over those labels that there are.
    pub(crate) fn sum(&self, over: &[Label]) -> Result<Named> {
        let dims: Vec<usize> = over.iter().filter_map(|l| self.find(*l)).collect();
        if dims.is_empty() {
            return Ok(self.clone());
        }
        Ok(Named::new(self.tensor.sum(dims)?, without(&self.labels, over)))
    }
}

/// The labels that are not in `removed`.
pub(crate) fn without(labels: &[Label], removed: &[Label]) -> Vec<Label> {
    labels.iter().copied().filter(|l| !removed.contains(l)).collect()
}

/// The labels of all operands with their sizes, in the order of the largest operand first, so
/// that the most memory is read in the order it lies in.
pub(crate) fn union(operands: &[&Named]) -> Vec<(Label, usize)> {
    let mut sorted: Vec<&&Named> = operands.iter().collect();
    sorted.sort_by_key(|x| std::cmp::Reverse(x.elements()));
    let mut all: Vec<(Label, usize)> = Vec::new();
    for operand in sorted {
        for (label, size) in operand.sized() {
            if !all.iter().any(|(have, _)| *have == label) {
                all.push((label, size));
            }
        }
    }
    all
}

/// An operation on two operands, element by element.
pub(crate) fn zip(a: &Named, b: &Named, f: impl FnOnce(&Tensor, &Tensor) -> Result<Tensor>) -> Result<Named> {
    let order = union(&[a, b]);
    let tensor = f(&a.expand(&order)?, &b.expand(&order)?)?;
    Ok(Named::new(tensor, order.iter().map(|(l, _)| *l).collect()))
}

/// `a` where the mask is not 0, else `b`: forward and backward select, neither multiplies.
pub(crate) fn select(mask: &Named, a: &Named, b: &Named) -> Result<Named> {
    let order = union(&[a, b, mask]);
    let tensor = mask.expand(&order)?.where_cond(&a.expand(&order)?, &b.expand(&order)?)?;
    Ok(Named::new(tensor, order.iter().map(|(l, _)| *l).collect()))
}

/// Values of equal meaning, one behind the other along a new outermost dimension.
pub(crate) fn stack(values: &[Named], label: Label) -> Result<Named> {
    let order = union(&values.iter().collect::<Vec<_>>());
    let tensors: Vec<Tensor> = values.iter().map(|x| x.expand(&order)).collect::<Result<_>>()?;
    let labels = std::iter::once(label).chain(order.iter().map(|(l, _)| *l)).collect();
    Ok(Named::new(Tensor::stack(&tensors, 0)?, labels))
}

/// The elements of a dimension, each without it.
///
/// Candle's backward of `narrow` writes a gradient as large as the operand, so that slicing `n`
/// elements off one operand costs `n` times its size; halving costs `log n` times.
pub(crate) fn unstack(x: &Named, label: Label) -> Result<Vec<Named>> {
    let mut order = vec![label];
    order.extend(without(&x.labels, &[label]));
    let tensor = x.permute(&order)?.tensor.contiguous()?;
    let mut leaves = Vec::new();
    halve(&tensor, &mut leaves)?;
    Ok(leaves.into_iter().map(|leaf| Named::new(leaf, order[1..].to_vec())).collect())
}

fn halve(x: &Tensor, leaves: &mut Vec<Tensor>) -> Result<()> {
    let n = x.dim(0)?;
    if n <= 1 {
        leaves.push(x.squeeze(0)?);
        return Ok(());
    }
    let half = n / 2;
    halve(&x.narrow(0, 0, half)?, leaves)?;
    halve(&x.narrow(0, half, n - half)?, leaves)
}
