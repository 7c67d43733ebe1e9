//! Going through the elements of a value in an order.

use genesys_kernels::{from_bf16, narrow, to_bf16, widen};

use crate::run::Context;
use crate::view::Walk;

/// How many loops a value has at most.
pub(crate) const LOOPS: usize = 8;

/// Loops with their extents for a tile, from the outermost to the innermost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loops {
    n: usize,
    dims: [(usize, usize); LOOPS],
}

impl Loops {
    pub(crate) fn new(context: &Context<'_>, walk: &Walk) -> Self {
        let mut loops = Self { n: 0, dims: [(1, 0); LOOPS] };
        for dim in &walk.dims {
            loops.dims[loops.n] = (context.count(dim.extent), dim.stride);
            loops.n += 1;
        }
        loops
    }

    /// So many elements that follow one another.
    pub(crate) fn dense(n: usize) -> Self {
        let mut loops = Self { n: 1, dims: [(1, 0); LOOPS] };
        loops.dims[0] = (n, 1);
        loops
    }

    pub(crate) fn all(&self) -> &[(usize, usize)] {
        &self.dims[..self.n]
    }

    /// Whether the elements follow one another.
    pub(crate) fn is_dense(&self) -> bool {
        match self.all() {
            [] => true,
            [(n, stride)] => *stride == 1 || *n <= 1,
            _ => false,
        }
    }

    /// Whether it is one element all along.
    pub(crate) fn is_number(&self) -> bool {
        self.all().iter().all(|(n, stride)| *stride == 0 || *n <= 1)
    }

    /// The offset of an element.
    pub(crate) fn offset(&self, element: usize) -> usize {
        let (mut rest, mut offset) = (element, 0);
        for (n, stride) in self.all().iter().rev() {
            offset += rest % n.max(&1) * stride;
            rest /= n.max(&1);
        }
        offset
    }

    /// The offset and stride of the elements from `start` on, `count` in all, if they lie in one run of the innermost loop.
    #[inline]
    pub(crate) fn within(&self, start: usize, count: usize) -> Option<(usize, usize)> {
        let (width, stride) = *self.all().last()?;
        let first = start % width.max(1);
        if first + count > width {
            return None;
        }
        let mut rest = start / width.max(1);
        let mut offset = first * stride;
        for (n, stride) in self.all()[..self.n - 1].iter().rev() {
            offset += rest % n * stride;
            rest /= n;
        }
        Some((offset, stride))
    }

    /// Calls `run(offset, stride, done, count)` for each run of the innermost loop, of the elements from `start` on, `count` in
    /// all: `done` of them came before.
    #[inline]
    pub(crate) fn runs(&self, start: usize, count: usize, mut run: impl FnMut(usize, usize, usize, usize)) {
        if self.n == 0 {
            if count > 0 {
                run(0, 0, 0, count);
            }
            return;
        }
        let inner = self.n - 1;
        let (width, stride) = self.dims[inner];
        let mut at = [0; LOOPS];
        let mut rest = start;
        let mut offset = 0;
        for i in (0..self.n).rev() {
            let (n, stride) = self.dims[i];
            at[i] = rest % n.max(1);
            rest /= n.max(1);
            offset += at[i] * stride;
        }
        let mut done = 0;
        while done < count {
            let length = (width - at[inner]).min(count - done);
            run(offset, stride, done, length);
            done += length;
            if done == count {
                break;
            }
            // The innermost loop is through: the next outer one goes on.
            offset -= at[inner] * stride;
            at[inner] = 0;
            for i in (0..inner).rev() {
                let (n, stride) = self.dims[i];
                at[i] += 1;
                offset += stride;
                if at[i] < n {
                    break;
                }
                offset -= n * stride;
                at[i] = 0;
            }
        }
    }

    /// Copies the elements from `start` on to `out`.
    ///
    /// # Safety
    /// The loops stay within what `from` points to.
    pub(crate) unsafe fn gather(&self, from: *const f32, start: usize, out: &mut [f32]) {
        self.runs(start, out.len(), |offset, stride, done, count| {
            let out = &mut out[done..done + count];
            // SAFETY: as asked of the caller.
            unsafe {
                let from = from.add(offset);
                match stride {
                    1 => out.copy_from_slice(std::slice::from_raw_parts(from, count)),
                    0 => out.fill(*from),
                    _ => out.iter_mut().enumerate().for_each(|(i, out)| *out = *from.add(i * stride)),
                }
            }
        });
    }

    /// Copies the elements from `start` on, which are bf16, to `out`.
    ///
    /// # Safety
    /// As [`gather`](Self::gather).
    pub(crate) unsafe fn gather_narrow(&self, from: *const u16, start: usize, out: &mut [f32]) {
        self.runs(start, out.len(), |offset, stride, done, count| {
            let out = &mut out[done..done + count];
            // SAFETY: as asked of the caller.
            unsafe {
                let from = from.add(offset);
                match stride {
                    1 => widen(std::slice::from_raw_parts(from, count), out),
                    0 => out.fill(from_bf16(*from)),
                    _ => out.iter_mut().enumerate().for_each(|(i, out)| *out = from_bf16(*from.add(i * stride))),
                }
            }
        });
    }

    /// Copies `from` to the elements from `start` on, as bf16.
    ///
    /// # Safety
    /// As [`scatter`](Self::scatter).
    pub(crate) unsafe fn scatter_narrow(&self, from: &[f32], start: usize, to: *mut u16) {
        self.runs(start, from.len(), |offset, stride, done, count| {
            let from = &from[done..done + count];
            // SAFETY: as asked of the caller.
            unsafe {
                let to = to.add(offset);
                match stride {
                    1 => narrow(from, std::slice::from_raw_parts_mut(to, count)),
                    _ => from.iter().enumerate().for_each(|(i, value)| *to.add(i * stride) = to_bf16(*value)),
                }
            }
        });
    }

    /// Copies `from` to the elements from `start` on.
    ///
    /// # Safety
    /// The loops stay within what `to` points to, and nobody else reads or writes there.
    pub(crate) unsafe fn scatter(&self, from: &[f32], start: usize, to: *mut f32) {
        self.runs(start, from.len(), |offset, stride, done, count| {
            let from = &from[done..done + count];
            // SAFETY: as asked of the caller.
            unsafe {
                let to = to.add(offset);
                match stride {
                    1 => std::slice::from_raw_parts_mut(to, count).copy_from_slice(from),
                    _ => from.iter().enumerate().for_each(|(i, value)| *to.add(i * stride) = *value),
                }
            }
        });
    }

    /// Sets the elements from `start` on to 0, `count` in all.
    ///
    /// # Safety
    /// As [`scatter`](Self::scatter).
    pub(crate) unsafe fn clear(&self, start: usize, count: usize, to: *mut f32) {
        self.runs(start, count, |offset, stride, _, count| {
            // SAFETY: as asked of the caller.
            unsafe {
                let to = to.add(offset);
                match stride {
                    1 => std::slice::from_raw_parts_mut(to, count).fill(0.0),
                    _ => (0..count).for_each(|i| *to.add(i * stride) = 0.0),
                }
            }
        });
    }

    /// Adds `from` to the elements.
    ///
    /// # Safety
    /// As [`scatter`](Self::scatter).
    pub(crate) unsafe fn scatter_add(&self, from: &[f32], to: *mut f32) {
        self.runs(0, from.len(), |offset, stride, done, count| {
            let from = &from[done..done + count];
            // SAFETY: as asked of the caller.
            unsafe {
                if stride == 1 {
                    genesys_kernels::add_to(from, std::slice::from_raw_parts_mut(to.add(offset), count));
                } else {
                    from.iter().enumerate().for_each(|(i, value)| *to.add(offset + i * stride) += value);
                }
            }
        });
    }
}

/// A slice of a value's elements.
///
/// # Safety
/// They lie within its buffer, and nobody writes them meanwhile.
pub(crate) unsafe fn slice<'a>(from: *const f32, n: usize) -> &'a [f32] {
    // SAFETY: as asked of the caller.
    unsafe { std::slice::from_raw_parts(from, n) }
}

/// A slice of a value's elements, to be written.
///
/// # Safety
/// They lie within its buffer, and nobody else reads or writes them meanwhile.
pub(crate) unsafe fn slice_mut<'a>(to: *mut f32, n: usize) -> &'a mut [f32] {
    // SAFETY: as asked of the caller.
    unsafe { std::slice::from_raw_parts_mut(to, n) }
}
