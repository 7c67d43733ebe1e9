//! All weights of a model in one slice, in the order of its parameters, and the way there and back.
//!
//! In: a layout (names, shapes, roles). Out: slices for steps and the optimizer, named tensors for a checkpoint. It does not
//! know how a weight is used.

use genesys_ir::module::Module;
use genesys_ir::parameters;

use crate::adamw::Segment;
use crate::tensors::{HostTensor, Table};

/// Where each weight lies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    names: Vec<String>,
    shapes: Vec<Vec<usize>>,
    segments: Vec<Segment>,
}

impl Layout {
    /// The weights of a module whose sizes are known, in their order of use.
    ///
    /// # Errors
    /// A size is not known.
    pub(crate) fn of(module: &Module) -> Result<Self, String> {
        let mut layout = Self::default();
        for parameter in parameters(module).map_err(|error| error.to_string())? {
            layout.push(&parameter.name, &parameter.shape, parameter.role.is_decayed());
        }
        Ok(layout)
    }

    /// Adds a weight behind the others.
    pub(crate) fn push(&mut self, name: &str, shape: &[usize], decayed: bool) {
        let start = self.len();
        self.names.push(name.to_owned());
        self.shapes.push(shape.to_vec());
        self.segments.push(Segment { range: start..start + shape.iter().product::<usize>(), decayed });
    }

    /// How many numbers all weights have together.
    pub(crate) fn len(&self) -> usize {
        self.segments.last().map_or(0, |segment| segment.range.end)
    }

    /// What the weights are called.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// One segment a weight.
    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Name, shape and numbers of each weight.
    pub(crate) fn views<'a>(&'a self, values: &'a [f32]) -> impl Iterator<Item = (&'a str, &'a [usize], &'a [f32])> {
        let views = self.names.iter().zip(&self.shapes).zip(&self.segments);
        views.map(|((name, shape), segment)| (name.as_str(), shape.as_slice(), &values[segment.range.clone()]))
    }

    /// The slice as named tensors, each name behind `prefix`.
    pub(crate) fn table(&self, values: &[f32], prefix: &str) -> Table {
        let tensor = |(name, shape, values): (&str, &[usize], &[f32])| {
            (format!("{prefix}{name}"), HostTensor { shape: shape.to_vec(), values: values.to_vec() })
        };
        self.views(values).map(tensor).collect()
    }

    /// The slice of the named tensors behind `prefix`.
    ///
    /// # Errors
    /// The first weight that is missing or has another shape.
    pub(crate) fn slice(&self, table: &Table, prefix: &str) -> Result<Vec<f32>, String> {
        let mut values = Vec::with_capacity(self.len());
        for (name, shape) in self.names.iter().zip(&self.shapes) {
            let name = format!("{prefix}{name}");
            let tensor = table.get(&name).ok_or_else(|| format!("expected a tensor `{name}`, found none"))?;
            if tensor.shape != *shape {
                return Err(format!("expected `{name}` of shape {shape:?}, found {:?}", tensor.shape));
            }
            values.extend_from_slice(&tensor.values);
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn slices_and_tables_hold_the_same() {
        let mut layout = Layout::default();
        layout.push("z", &[2, 2], true);
        layout.push("a", &[], false);
        layout.push("m", &[3], true);
        let values: Vec<f32> = (0..8).map(|i| i as f32).collect();
        let table = layout.table(&values, "first.");
        assert_eq!(table["first.a"], HostTensor { shape: vec![], values: vec![4.0] });
        assert_eq!(layout.slice(&table, "first.").unwrap(), values);
        assert_eq!(layout.segments()[1], Segment { range: 4..5, decayed: false });
        let error = layout.slice(&table, "second.").unwrap_err();
        assert_eq!(error, "expected a tensor `second.z`, found none");
        let mut other = layout.clone();
        other.shapes[0] = vec![4];
        let error = other.slice(&table, "first.").unwrap_err();
        assert_eq!(error, "expected `first.z` of shape [4], found [2, 2]");
    }
}
