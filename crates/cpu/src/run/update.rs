//! States that decay and take an outer product.

use genesys_kernels::{Plane, update};

use crate::op::{Strided, Update};
use crate::run::Context;
use crate::run::walk::{LOOPS, slice, slice_mut};

impl Context<'_> {
    pub(crate) fn update(&self, plan: &Update) {
        let Update { sizes, state, from, decay, u, v, sign } = plan;
        let around = sizes.len() - 2;
        let (m, n) = (sizes[around], sizes[around + 1]);
        let steps: usize = sizes[..around].iter().product();
        if m == 0 || n == 0 {
            return;
        }
        let one = [1.0];
        let mut at = [0; LOOPS];
        for _ in 0..steps {
            let offset = |x: &Strided| x.strides.iter().zip(&at[..around]).map(|(stride, i)| stride * i).sum::<usize>();
            // SAFETY: operands and state lie in memory planned for them; the state lies apart from the others, except from
            // itself before, which is copied first where it lies elsewhere.
            unsafe {
                let plane = |x: &Strided| {
                    let (row, column) = (x.strides[around], x.strides[around + 1]);
                    let data = slice(self.at(x.spot).add(offset(x)), (m - 1) * row + (n - 1) * column + 1);
                    Plane { data, row, column }
                };
                let row = state.strides[around];
                let to = self.at(state.spot).add(offset(state));
                let before = self.at(from.spot).add(offset(from));
                let reach = (m - 1) * row + n;
                if before != to {
                    std::ptr::copy_nonoverlapping(before, to, reach);
                }
                let decay = decay.as_ref().map_or(Plane { data: &one, row: 0, column: 0 }, plane);
                update((m, n), slice_mut(to, reach), row, decay, [plane(u), plane(v)], *sign);
            }
            for (i, size) in sizes[..around].iter().enumerate().rev() {
                at[i] += 1;
                if at[i] < *size {
                    break;
                }
                at[i] = 0;
            }
        }
    }
}
