//! The last values of an operand, oldest first, in a buffer with room behind them.
//!
//! A cache is a value: one that was given away stays as it was, whatever is appended to its successors. Its buffer is
//! shared with them. The places behind the last value that anybody has written are free; who comes first writes there, in
//! place, and who comes second (a branch) copies. A buffer that is full is copied into one of twice the size, so that a
//! token costs the same on the average, however many there are. Values that gradients flow through are never written over
//! and never written in place: they are joined, which copies.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::{Result, Tensor};

/// The fewest values that a new buffer holds.
const ROOM: usize = 16;

/// Values along a dimension of time.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    buffer: Tensor,
    /// The dimension of time.
    dim: usize,
    /// The first value that is held.
    from: usize,
    len: usize,
    /// How many places of the buffer have been written by anybody.
    written: Arc<AtomicUsize>,
}

impl Cache {
    /// How many values are held.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The values.
    pub(crate) fn values(&self) -> Result<Tensor> {
        self.buffer.narrow(self.dim, self.from, self.len)
    }

    /// Bytes of the buffer, with the room behind the values.
    pub(crate) fn allocated(&self) -> usize {
        self.buffer.elem_count() * self.buffer.dtype().size_in_bytes()
    }

    /// The values followed by others, joined so that gradients flow.
    pub(crate) fn joined(before: Option<&Cache>, values: &Tensor, dim: usize) -> Result<Cache> {
        let buffer = match before {
            Some(before) => Tensor::cat(&[before.values()?, values.clone()], dim)?,
            None => values.clone(),
        };
        let len = buffer.dim(dim)?;
        Ok(Cache { buffer, dim, from: 0, len, written: Arc::new(AtomicUsize::new(len)) })
    }

    /// The values followed by others, outside of any graph.
    pub(crate) fn appended(before: Option<&Cache>, values: &Tensor, dim: usize) -> Result<Cache> {
        let (values, more) = (values.detach().contiguous()?, values.dim(dim)?);
        if let Some(before) = before
            && before.claim(more)?
        {
            before.buffer.slice_set(&values, dim, before.from + before.len)?;
            return Ok(Cache { len: before.len + more, ..before.clone() });
        }
        let len = before.map_or(0, Cache::len) + more;
        let mut dims = values.dims().to_vec();
        dims[dim] = (2 * len).max(ROOM);
        let buffer = Tensor::zeros(dims, values.dtype(), values.device())?;
        if let Some(before) = before {
            buffer.slice_set(&before.values()?.detach().contiguous()?, dim, 0)?;
        }
        buffer.slice_set(&values, dim, len - more)?;
        Ok(Cache { buffer, dim, from: 0, len, written: Arc::new(AtomicUsize::new(len)) })
    }

    /// The last values, at most so many.
    pub(crate) fn last(&self, most: usize) -> Cache {
        let len = self.len.min(most);
        Cache { from: self.from + self.len - len, len, ..self.clone() }
    }

    /// Takes the places behind the last value, if they are there and nobody has written to them.
    fn claim(&self, more: usize) -> Result<bool> {
        let end = self.from + self.len;
        let fits = end + more <= self.buffer.dim(self.dim)? && !self.buffer.track_op();
        let claimed = || self.written.compare_exchange(end, end + more, Ordering::AcqRel, Ordering::Acquire).is_ok();
        Ok(fits && claimed())
    }
}
