//! Named f32 tensors, and the safetensors file they are kept in.
//!
//! In: names, shapes, numbers. Out: bytes, the same for the same tensors, and back again with the same bits.
//! Other element types are refused: a checkpoint holds f32.

use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors, serialize, tensor::TensorView};

/// A tensor on the host, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTensor {
    /// The size of each dimension.
    pub shape: Vec<usize>,
    /// Its elements.
    pub values: Vec<f32>,
}

/// Tensors by name.
pub type Table = BTreeMap<String, HostTensor>;

/// The safetensors file of `table`.
#[must_use]
pub fn to_bytes(table: &Table) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> =
        table.values().map(|tensor| tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect()).collect();
    let views = table.iter().zip(&bytes).map(|((name, tensor), bytes)| {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes);
        (name.as_str(), view.expect("a tensor has as many elements as its shape says"))
    });
    serialize(views, None).expect("f32 tensors have a safetensors form")
}

/// The tensors of a safetensors file.
///
/// # Errors
/// What is wrong with it, in words.
pub fn from_bytes(bytes: &[u8]) -> Result<Table, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| format!("it is not a safetensors file: {error}"))?;
    file.iter().map(|(name, view)| Ok((name.to_owned(), read(name, &view)?))).collect()
}

fn read(name: &str, view: &TensorView<'_>) -> Result<HostTensor, String> {
    if view.dtype() != Dtype::F32 {
        return Err(format!("expected f32 tensors, found `{name}` of {:?}", view.dtype()));
    }
    let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    Ok(HostTensor { shape: view.shape().to_vec(), values })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn table() -> Table {
        let tensor = |shape: &[usize], values: Vec<f32>| HostTensor { shape: shape.to_vec(), values };
        let odd = vec![-0.0, f32::MIN_POSITIVE / 8.0, f32::MAX, 0.1, 1.0 / 3.0, -5e-30];
        let scalar = tensor(&[], vec![3.0]);
        [("b.odd", tensor(&[2, 3], odd)), ("a", scalar), ("c.none", tensor(&[0, 4], vec![]))]
            .map(|(name, tensor)| (name.to_owned(), tensor))
            .into()
    }

    #[test]
    fn bits_survive() {
        let bytes = to_bytes(&table());
        let back = from_bytes(&bytes).unwrap();
        assert_eq!(back, table());
        assert!(back["b.odd"].values[0].is_sign_negative());
        assert_eq!(to_bytes(&back), bytes);
    }

    #[test]
    fn every_cut_is_an_error() {
        let bytes = to_bytes(&table());
        for end in 0..bytes.len() {
            assert!(from_bytes(&bytes[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn other_types_are_refused_by_name() {
        let data = [0_u8; 8];
        let view = TensorView::new(Dtype::F64, vec![1], &data).unwrap();
        let error = from_bytes(&serialize([("x.weight", view)], None).unwrap()).unwrap_err();
        assert_eq!(error, "expected f32 tensors, found `x.weight` of F64");
    }
}
