//! Passes over states.

use genesys_kernels::{self as kernels, Plane, sweep};

use crate::op::{Base, Condition, Strided, Sweep};
use crate::run::Context;
use crate::run::walk::{LOOPS, slice_mut};

/// How many outer loops there are at most, and where they stand.
type At = [usize; LOOPS];

impl Context<'_> {
    pub(crate) fn sweep(&self, plan: &Sweep) {
        let around = plan.sizes.len() - 2;
        let (outer, m, n) = (&plan.sizes[..around], plan.sizes[around], plan.sizes[around + 1]);
        // SAFETY: operands, states and sums lie in memory planned for them, and the sums lie apart from all others.
        unsafe {
            each(outer, |at| {
                for reader in plan.readers.iter().filter(|reader| !reader.adds) {
                    let (out, row) = self.row(&reader.out, at);
                    match reader.down {
                        true => slice_mut(out, n).fill(0.0),
                        false => (0..m).for_each(|i| *out.add(i * row) = 0.0),
                    }
                }
            });
            if m > 0 && n > 0 {
                each(outer, |at| self.swept(plan, (m, n), at));
            }
        }
    }

    /// A pass over one matrix.
    unsafe fn swept(&self, plan: &Sweep, size: (usize, usize), at: &At) {
        let plane = |operand: &Strided| {
            let (data, row) = self.row(operand, at);
            Plane { data, row, columns: operand.strides.last() == Some(&1) }
        };
        let mut sources =
            [kernels::Source { base: kernels::Base::Zero, decay: None, product: None, store: None, readers: 0 };
                Sweep::SOURCES];
        let met = |condition: &Option<Condition>| {
            // SAFETY: a condition is one element for the matrix.
            condition.as_ref().is_none_or(|only| unsafe { (*self.row(&only.value, at).0 != 0.0) == only.holds })
        };
        for (to, source) in sources.iter_mut().zip(&plan.sources) {
            let begins = met(&source.begins);
            to.base = match if begins { &source.base } else { &Base::Zero } {
                Base::Zero => kernels::Base::Zero,
                Base::Before => kernels::Base::Before,
                Base::Memory(base) => {
                    let (data, row) = self.row(base, at);
                    kernels::Base::Memory(data, row)
                }
            };
            to.decay = source.decay.as_ref().filter(|_| begins).map(plane);
            let product = source.product.as_ref().filter(|_| met(&source.only));
            to.product = product.map(|(number, [u, v])| (*number, [plane(u), plane(v)]));
            to.store = source.store.as_ref().map(|store| self.row(store, at));
            to.readers = source.readers;
        }
        let one = Plane { data: &1.0, row: 0, columns: false };
        let mut readers = [kernels::Reader::Down(one, std::ptr::null_mut()); Sweep::READERS];
        for (to, reader) in readers.iter_mut().zip(&plan.readers) {
            let by = reader.by.as_ref().map_or(one, plane);
            let (out, row) = self.row(&reader.out, at);
            *to = if reader.down { kernels::Reader::Down(by, out) } else { kernels::Reader::Across(by, out, row) };
        }
        // SAFETY: as asked of the caller.
        unsafe { sweep(size, &sources[..plan.sources.len()], &readers[..plan.readers.len()]) };
    }

    /// The first element of an operand where the outer loops stand, and the way from one row to the next.
    fn row(&self, operand: &Strided, at: &At) -> (*mut f32, usize) {
        let around = operand.strides.len() - 2;
        let offset: usize = operand.strides[..around].iter().zip(at).map(|(stride, i)| stride * i).sum();
        // SAFETY: the element lies within the operand.
        (unsafe { self.at(operand.spot).add(offset) }, operand.strides[around])
    }
}

/// Calls `run` with each place of the loops.
fn each(sizes: &[usize], mut run: impl FnMut(&At)) {
    let mut at = [0; LOOPS];
    for _ in 0..sizes.iter().product() {
        run(&at);
        for (i, size) in sizes.iter().enumerate().rev() {
            at[i] += 1;
            if at[i] < *size {
                break;
            }
            at[i] = 0;
        }
    }
}
