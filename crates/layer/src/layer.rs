//! A compiled unit or model with weights: a module of candle.
//!
//! In: tensors of the processor, in f32, or tokens in u32. Out: tensors of candle's graph. What does not fit is refused before
//! anything runs, with what was expected and what was found.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use candle_core::{DType, DeviceLocation, Result, Tensor, bail};
use genesys_cpu::Shape;

use crate::compiled::{Compiled, Reads};
use crate::op::{Apply, Loss};

/// A compiled unit or model with weights. Gradients flow to its input, where that is no tokens, and to its weights.
#[derive(Clone, Debug)]
pub struct Layer {
    compiled: Compiled,
    /// `[elements]`
    weights: Tensor,
}

impl Layer {
    pub(crate) fn new(compiled: Compiled, weights: Tensor) -> Result<Self> {
        let name = &compiled.inner.name;
        hold(name, "weights", (weights.dtype(), weights.device().location()), DType::F32)?;
        let n = compiled.elements();
        if weights.dims() != [n] {
            bail!("`{name}`: expected weights of shape [{n}], found {:?}; `draw` and `load` make such", weights.dims());
        }
        Ok(Self { compiled, weights })
    }

    /// What it is a layer of.
    #[must_use]
    pub fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// All weights, `[elements]`.
    #[must_use]
    pub fn weights(&self) -> &Tensor {
        &self.weights
    }

    /// The weights by name, as views of the one tensor: gradients flow through them.
    ///
    /// # Errors
    /// Candle's.
    pub fn named(&self) -> Result<BTreeMap<String, Tensor>> {
        let view = |weight: &crate::Weight| {
            let view = self.weights.narrow(0, weight.start, weight.elements())?;
            Ok((weight.name.clone(), view.reshape(weight.shape.as_slice())?))
        };
        self.compiled.weights().iter().map(view).collect()
    }

    /// What the layer gives, and what its units add to the training loss, `[]`, where they add something (`loss e`): its means
    /// are over all positions of all rows.
    ///
    /// # Errors
    /// As [`forward`](candle_nn::Module::forward).
    pub fn forward_with_loss(&self, x: &Tensor) -> Result<(Tensor, Option<Tensor>)> {
        if !self.compiled.inner.has_loss {
            return Ok((self.apply(x, Loss::None)?, None));
        }
        let both = self.apply(x, Loss::Given)?;
        let n = both.elem_count() - 1;
        let dims = [&x.dims()[..2], self.compiled.inner.gives.as_slice()].concat();
        Ok((both.narrow(0, 0, n)?.reshape(dims)?, Some(both.narrow(0, n, 1)?.squeeze(0)?)))
    }

    fn apply(&self, x: &Tensor, loss: Loss) -> Result<Tensor> {
        let shape = self.fits(x)?;
        let inner = &self.compiled.inner;
        let tape = (x.track_op() || self.weights.track_op()).then(Mutex::default);
        let apply = Apply { programs: Arc::clone(&inner.programs), shape, width: inner.gives.clone(), loss, tape };
        x.contiguous()?.apply_op2(&self.weights.contiguous()?, apply)
    }

    /// The rows and positions of an input.
    fn fits(&self, x: &Tensor) -> Result<Shape> {
        let inner = &self.compiled.inner;
        let found = (x.dtype(), x.device().location());
        let width = match &inner.reads {
            Reads::Tokens(_) => {
                hold(&inner.name, "tokens", found, DType::U32)?;
                [].as_slice()
            }
            Reads::Sequence(width) => {
                hold(&inner.name, "an input", found, DType::F32)?;
                width
            }
        };
        let (rows, context) = match x.dims() {
            [rows, context, rest @ ..] if rest == width && x.elem_count() > 0 => (*rows, *context),
            found => {
                let expected: String = width.iter().map(|n| format!(", {n}")).collect();
                bail!("`{}`: expected an input of shape [b, t{expected}], none of them 0, found {found:?}", inner.name)
            }
        };
        if let Reads::Tokens(vocabulary) = &inner.reads {
            let tokens = x.flatten_all()?.to_vec1::<u32>()?;
            if let Some(token) = tokens.into_iter().find(|token| *token as usize >= *vocabulary) {
                bail!(
                    "`{}`: expected tokens below {vocabulary}, the size of the vocabulary, found {token}",
                    inner.name
                );
            }
        }
        Ok(Shape { rows, context })
    }
}

impl candle_nn::Module for Layer {
    /// Of a block `[b, t, D]` to `[b, t, D]`, of a model tokens `[b, t]` to scores `[b, t, v]`. What units add to the training loss
    /// takes no part: see [`forward_with_loss`](Layer::forward_with_loss).
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.apply(x, if self.compiled.inner.has_loss { Loss::Dropped } else { Loss::None })
    }
}

/// Refuses a tensor of another element type or place.
fn hold(name: &str, what: &str, (dtype, place): (DType, DeviceLocation), expected: DType) -> Result<()> {
    if place != DeviceLocation::Cpu {
        bail!("`{name}`: expected {what} on the processor, found {place:?}: use `to_device(&Device::Cpu)`");
    }
    if dtype != expected {
        let (expected, found) = (expected.as_str(), dtype.as_str());
        bail!("`{name}`: expected {what} in {expected}, found {found}: it is compiled for {expected}; use `to_dtype`");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn other_places_and_types_are_refused_with_a_way_out() {
        let at =
            |dtype, place| hold("Block", "an input", (dtype, place), DType::F32).map_err(|error| error.to_string());
        assert_eq!(at(DType::F32, DeviceLocation::Cpu), Ok(()));
        let said = at(DType::F32, DeviceLocation::Cuda { gpu_id: 0 }).unwrap_err();
        assert!(said.contains("expected an input on the processor, found Cuda { gpu_id: 0 }"), "{said}");
        let said = at(DType::F64, DeviceLocation::Cpu).unwrap_err();
        assert!(said.contains("expected an input in f32, found f64"), "{said}");
    }
}
