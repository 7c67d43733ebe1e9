//! Numbers with named axes, row-major in the order of the axes.
//!
//! A tensor is built from a function of coordinates and read at coordinates; coordinates of axes
//! that a tensor lacks are ignored, which is all there is to broadcasting.

use genesys_ir::module::AxisId;

/// An index along each of some axes.
pub(crate) type At = Vec<(AxisId, usize)>;

/// Numbers with named axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    axes: Vec<(AxisId, usize)>,
    data: Vec<f64>,
}

impl Tensor {
    /// A single number.
    pub fn scalar(value: f64) -> Tensor {
        Tensor { axes: Vec::new(), data: vec![value] }
    }

    /// Numbers in row-major order of axes and their sizes; `None` if their count does not fit.
    pub fn from_data(axes: Vec<(AxisId, usize)>, data: Vec<f64>) -> Option<Tensor> {
        (axes.iter().map(|(_, n)| n).product::<usize>() == data.len()).then_some(Tensor { axes, data })
    }

    /// The axes with their sizes, outermost first.
    pub fn axes(&self) -> &[(AxisId, usize)] {
        &self.axes
    }

    /// The numbers, row-major.
    pub fn data(&self) -> &[f64] {
        &self.data
    }

    /// The tensor whose element at each coordinate is what `f` gives there.
    pub(crate) fn build(axes: Vec<(AxisId, usize)>, mut f: impl FnMut(&At) -> f64) -> Tensor {
        let mut data = Vec::new();
        for_each(&axes, &mut |at| data.push(f(at)));
        Tensor { axes, data }
    }

    /// The element at those coordinates, which include all of the tensor's axes.
    pub(crate) fn at(&self, at: &[(AxisId, usize)]) -> f64 {
        let mut offset = 0;
        for (axis, size) in &self.axes {
            offset = offset * size + index(at, *axis);
        }
        self.data[offset]
    }

    pub(crate) fn size(&self, axis: AxisId) -> Option<usize> {
        self.axes.iter().find(|(a, _)| *a == axis).map(|(_, n)| *n)
    }

    /// The axes that are not in `removed`.
    pub(crate) fn without(&self, removed: &[AxisId]) -> Vec<(AxisId, usize)> {
        self.axes.iter().copied().filter(|(a, _)| !removed.contains(a)).collect()
    }

    /// The same numbers, laid out with the axes in another order.
    pub(crate) fn arranged(&self, order: &[AxisId]) -> Tensor {
        let size = |axis: &AxisId| (*axis, self.size(*axis).expect("a value has the axes of its type"));
        Tensor::build(order.iter().map(size).collect(), |at| self.at(at))
    }
}

/// The index along an axis.
pub(crate) fn index(at: &[(AxisId, usize)], axis: AxisId) -> usize {
    at.iter().rev().find(|(a, _)| *a == axis).expect("coordinates cover the axes of the operand").1
}

/// The axes of both, those of `a` first.
pub(crate) fn union(a: &[(AxisId, usize)], b: &[(AxisId, usize)]) -> Vec<(AxisId, usize)> {
    let mut all = a.to_vec();
    all.extend(b.iter().filter(|(axis, _)| !a.iter().any(|(have, _)| have == axis)));
    all
}

/// Every coordinate of the axes, the last axis fastest.
pub(crate) fn for_each(axes: &[(AxisId, usize)], f: &mut impl FnMut(&At)) {
    for_each_from(&mut Vec::new(), axes, f);
}

/// Every coordinate of the axes behind a fixed start.
pub(crate) fn for_each_from(at: &mut At, axes: &[(AxisId, usize)], f: &mut impl FnMut(&At)) {
    match axes {
        [] => f(at),
        [(axis, size), rest @ ..] => {
            for i in 0..*size {
                at.push((*axis, i));
                for_each_from(at, rest, f);
                at.pop();
            }
        }
    }
}
