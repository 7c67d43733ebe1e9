//! Short convolutions over positions.

use genesys_kernels::{fill, multiply_add_to};

use crate::op::{Convolution, Taps};
use crate::run::walk::{Loops, slice, slice_mut};
use crate::run::{Context, Room};
use crate::view::Walk;

impl Context<'_> {
    pub(crate) fn convolve(&self, plan: &Convolution, room: &mut Room) {
        let Convolution { x, order, n, near, axis, reverse, taps, out } = plan;
        let width = self.product(order);
        let loops = [Loops::new(self, x), Loops::new(self, near), Loops::new(self, out)];
        // Taps lie one after the other, as they are in time; behind them is room for a row of each operand.
        let (kernel, rows) = room.other[..(n + 3) * width].split_at_mut(n * width);
        let tap = |element: usize| element * width..(element + 1) * width;
        let far = |t: usize, element: usize| {
            let by = n - 1 - element;
            if *reverse { Some(t + by).filter(|t| *t < self.step.shape.context) } else { t.checked_sub(by) }
        };
        // SAFETY: as for shifts; sums are this part's alone.
        unsafe {
            match taps {
                Taps::Forward | Taps::Back => {
                    for element in 0..*n {
                        loops[1].gather(self.at(near.spot).add(element * axis), 0, &mut kernel[tap(element)]);
                    }
                }
                Taps::Kernel => fill(0.0, kernel),
            }
            let (first, rest) = rows.split_at_mut(width);
            let (second, sums) = rest.split_at_mut(width);
            for row in 0..self.rows {
                let t = self.t + row;
                let at = |walk: &Walk| self.at(walk.spot).add(row * walk.spot.row);
                match taps {
                    Taps::Forward | Taps::Back => {
                        let to = at(out);
                        let sums = if loops[2].is_dense() { slice_mut(to, width) } else { &mut *sums };
                        fill(0.0, sums);
                        for element in 0..*n {
                            if let Some(then) = far(t, element) {
                                let values = seen(&loops[0], self.other(x, then), width, first);
                                multiply_add_to(values, &kernel[tap(element)], sums);
                            }
                        }
                        if !loops[2].is_dense() {
                            loops[2].scatter(sums, 0, to);
                        }
                    }
                    Taps::Kernel => {
                        let own = seen(&loops[1], at(near), width, second);
                        for element in 0..*n {
                            if let Some(then) = far(t, element) {
                                let values = seen(&loops[0], self.other(x, then), width, first);
                                multiply_add_to(values, own, &mut kernel[tap(element)]);
                            }
                        }
                    }
                }
            }
            if *taps == Taps::Kernel {
                for element in 0..*n {
                    loops[2].scatter_add(&kernel[tap(element)], self.at(out.spot).add(element * axis));
                }
            }
        }
    }
}

/// The elements of a row: where they lie if densely, or gathered.
unsafe fn seen<'a>(loops: &Loops, from: *const f32, n: usize, room: &'a mut [f32]) -> &'a [f32] {
    // SAFETY: as asked of the caller.
    unsafe {
        if loops.is_dense() {
            return slice(from, n);
        }
        loops.gather(from, 0, room);
    }
    room
}
