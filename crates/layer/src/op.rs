//! The layer as an operation of candle's graph: over its input and all its weights.
//!
//! In: dense tensors of which the layer made sure that they fit. Out: what it gives, and in a backward pass the gradients of
//! both. Where the loss of a unit is asked for it stands behind the sequence, for an operation gives one tensor.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp2, Device, Layout, Result, Shape as Dims, Storage, Tensor, WithDType, bail};
use genesys_cpu::{CpuError, Shape};

use crate::programs::{Gradients, Input, Output, Programs, Tape};

/// One use of a layer.
pub(crate) struct Apply {
    pub(crate) programs: Arc<Programs>,
    pub(crate) shape: Shape,
    /// The axes of what it gives behind rows and positions.
    pub(crate) width: Vec<usize>,
    /// Whether the layer has a loss of its own, and whether it is given.
    pub(crate) loss: Loss,
    /// What the backward pass reads of the forward one; none where there will be none.
    pub(crate) tape: Option<Mutex<Tape>>,
}

/// What becomes of the loss of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// There is none.
    None,
    /// Nobody asked for it.
    Dropped,
    /// It is given behind the sequence.
    Given,
}

impl CustomOp2 for Apply {
    fn name(&self) -> &'static str {
        "genesys-layer"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        weights: &CpuStorage,
        weights_layout: &Layout,
    ) -> Result<(CpuStorage, Dims)> {
        let (input, weights) = (read(input, input_layout)?, slice(weights, weights_layout)?);
        let Output { mut sequence, loss } = self.output(weights, input).map_err(candle_core::Error::wrap)?;
        match (self.loss, loss) {
            (Loss::Given, Some(loss)) => {
                sequence.push(loss);
                let n = sequence.len();
                Ok((CpuStorage::F32(sequence), Dims::from(n)))
            }
            (Loss::None | Loss::Dropped | Loss::Given, _) => {
                let dims = [&[self.shape.rows, self.shape.context], self.width.as_slice()].concat();
                Ok((CpuStorage::F32(sequence), Dims::from(dims)))
            }
        }
    }

    fn bwd(
        &self,
        input: &Tensor,
        weights: &Tensor,
        _: &Tensor,
        cotangent: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let cotangent = cotangent.contiguous()?;
        let [(x, x_layout), (w, w_layout), (g, g_layout)] =
            [input, weights, &cotangent].map(Tensor::storage_and_layout);
        let (Storage::Cpu(x), Storage::Cpu(w), Storage::Cpu(g)) = (&*x, &*w, &*g) else {
            bail!("expected tensors of the processor in the backward pass of a compiled layer");
        };
        let (x, w, g) = (read(x, x_layout)?, slice(w, w_layout)?, slice::<f32>(g, g_layout)?);
        let output = match self.loss {
            Loss::None => Output { sequence: g, loss: None },
            Loss::Dropped => Output { sequence: g, loss: Some(0.0) },
            Loss::Given => Output { sequence: &g[..g.len() - 1], loss: g.last().copied() },
        };
        let Some(tape) = &self.tape else { bail!("expected an input or weights of a graph, found neither") };
        let tape = tape.lock().unwrap_or_else(PoisonError::into_inner);
        let gradients = self.programs.backward(self.shape, w, x, &tape, &output);
        let Gradients { input: dx, weights: dw } = gradients.map_err(candle_core::Error::wrap)?;
        let dx = dx.filter(|_| input.track_op()).map(|dx| Tensor::from_vec(dx, input.shape(), &Device::Cpu));
        let dw = weights.track_op().then(|| Tensor::from_vec(dw, weights.shape(), &Device::Cpu));
        Ok((dx.transpose()?, dw.transpose()?))
    }
}

impl Apply {
    /// What the layer gives; the tape is kept, if there will be a backward pass.
    fn output(&self, weights: &[f32], input: Input<'_>) -> std::result::Result<Output<Vec<f32>>, CpuError> {
        let Some(tape) = &self.tape else { return self.programs.alone(self.shape, weights, input) };
        let (output, found) = self.programs.forward(self.shape, weights, input)?;
        *tape.lock().unwrap_or_else(PoisonError::into_inner) = found;
        Ok(output)
    }
}

/// What a layer reads.
fn read<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<Input<'a>> {
    if matches!(storage, CpuStorage::U32(_)) {
        return Ok(Input::Tokens(slice(storage, layout)?));
    }
    Ok(Input::Sequence(slice(storage, layout)?))
}

/// The elements of a dense tensor.
fn slice<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<T>()?[start..end]),
        None => bail!("expected a dense tensor, found strides {:?}", layout.stride()),
    }
}
