//! One pass over matrices that are kept: they decay, take products, and are summed with vectors, all while a few of their rows
//! are in registers.
//!
//! In: addresses and strides. Out: matrices and sums in place. What a recurrence does with its state at a position is bound by
//! how often the state goes through registers, so a pass does as much as it can. Not here: which pass does what.
//!
//! Rows come in their order, and so do columns, 64 at a time; the 16 sums of a row are joined as a tree. That is the same on
//! all levels.

#![allow(unsafe_code)] // matrices are addresses: strides may be anything, and a source may be stored where it came from

use crate::lanes::{GROUP, Lanes, by_lanes};
use crate::level::Level;

/// An operand: an element at `data[i * row + j]`, or at `data[i * row]` where all columns are alike.
#[derive(Clone, Copy, Debug)]
pub struct Plane {
    /// The first element.
    pub data: *const f32,
    /// From one row to the next; 0 where rows are alike.
    pub row: usize,
    /// Whether each column has its own element, one after the other.
    pub columns: bool,
}

/// What a source begins with.
#[derive(Clone, Copy, Debug)]
pub enum Base {
    /// 0.
    Zero,
    /// What the source before it made.
    Before,
    /// A matrix, with the way from one row to the next.
    Memory(*const f32, usize),
}

/// A matrix `x = decay base + sign u v`, element by element, that is read and may be stored.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// What it begins with.
    pub base: Base,
    /// What that is multiplied by.
    pub decay: Option<Plane>,
    /// What is added to that: a factor, and two operands. Where one of these is the same for all columns, it is the first.
    pub product: Option<(f32, [Plane; 2])>,
    /// Where it is stored, with the way from one row to the next. It may be where the base lies.
    pub store: Option<(*mut f32, usize)>,
    /// How many of the readers read it: those that follow the ones of the sources before.
    pub readers: usize,
}

/// A sum of products with a source, added to what is there.
#[derive(Clone, Copy, Debug)]
pub enum Reader {
    /// `out[j] += sum_i x[i, j] by[i, j]`
    Down(Plane, *mut f32),
    /// `out[i * step] += sum_j x[i, j] by[i, j]`; a step of 0 sums over rows, too.
    Across(Plane, *mut f32, usize),
}

/// Computes the sources in their order, for `m` rows of `n` columns, and what reads them.
///
/// # Safety
/// What the operands say can be read and written. No sum lies where an operand or another sum does, and nothing is stored where
/// another source or a reader reads, but for sources before it: these have read it.
pub unsafe fn sweep(size: (usize, usize), sources: &[Source], readers: &[Reader]) {
    // SAFETY: as asked of the caller.
    unsafe { sweep_at(Level::best(), size, sources, readers) }
}

by_lanes! {
    unsafe fn sweep_at(size: (usize, usize), sources: &[Source], readers: &[Reader]) = sweep_body
}

/// How many groups of columns go through registers together.
const WIDE: usize = 4;

#[inline(always)]
unsafe fn sweep_body<V: Lanes, const ROWS: usize>((m, n): (usize, usize), sources: &[Source], readers: &[Reader]) {
    let mut column = 0;
    // SAFETY: as asked of the caller; blocks lie within the matrix.
    unsafe {
        while column + WIDE * GROUP <= n {
            let mut row = 0;
            while row + ROWS <= m {
                Block { row, column, count: GROUP }.run::<V, ROWS, WIDE>(sources, readers);
                row += ROWS;
            }
            while row < m {
                Block { row, column, count: GROUP }.run::<V, 1, WIDE>(sources, readers);
                row += 1;
            }
            column += WIDE * GROUP;
        }
        while column < n {
            let count = GROUP.min(n - column);
            let mut row = 0;
            while row + ROWS <= m {
                Block { row, column, count }.run::<V, ROWS, 1>(sources, readers);
                row += ROWS;
            }
            while row < m {
                Block { row, column, count }.run::<V, 1, 1>(sources, readers);
                row += 1;
            }
            column += GROUP;
        }
    }
}

/// `R` rows of `G` groups of columns, in registers.
type Rows<V, const R: usize, const G: usize> = [[V; G]; R];

/// Where some rows and columns begin, and how many columns their last group has.
#[derive(Clone, Copy)]
struct Block {
    row: usize,
    column: usize,
    count: usize,
}

// SAFETY of all below: as asked of the caller of `sweep`; the rows and columns lie within its matrix.
#[allow(clippy::undocumented_unsafe_blocks)] // said once, above
#[allow(clippy::needless_range_loop)] // several arrays go by the same row and group
impl Block {
    #[inline(always)]
    unsafe fn run<V: Lanes, const R: usize, const G: usize>(self, sources: &[Source], mut readers: &[Reader]) {
        unsafe {
            let mut x = [[V::zero(); G]; R];
            for source in sources {
                self.begin(source, &mut x);
                if let Some((number, [u, v])) = &source.product {
                    self.add(*number, u, v, &mut x);
                }
                if self.count < GROUP {
                    // What lies behind the last column takes no part in sums.
                    x = x.map(|row| row.map(|x| x.first(self.count)));
                }
                if let Some((data, stride)) = source.store {
                    for r in 0..R {
                        for g in 0..G {
                            self.store(x[r][g], data.add((self.row + r) * stride + self.column + g * GROUP));
                        }
                    }
                }
                let (own, others) = readers.split_at(source.readers);
                readers = others;
                for reader in own {
                    match reader {
                        Reader::Down(by, out) => self.down(&x, by, *out),
                        Reader::Across(by, out, step) => self.across(&x, by, *out, *step),
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn load<V: Lanes>(self, p: *const f32) -> V {
        unsafe { if self.count == GROUP { V::load(p) } else { V::load_some(p, self.count) } }
    }

    #[inline(always)]
    unsafe fn store<V: Lanes>(self, x: V, p: *mut f32) {
        unsafe { if self.count == GROUP { x.store(p) } else { x.store_some(p, self.count) } }
    }

    /// A group of columns of an operand's row.
    #[inline(always)]
    unsafe fn group<V: Lanes>(self, plane: &Plane, r: usize, g: usize) -> V {
        unsafe { self.load(plane.data.add((self.row + r) * plane.row + self.column + g * GROUP)) }
    }

    /// The element that all columns of an operand's row have.
    #[inline(always)]
    unsafe fn alike<V: Lanes>(self, plane: &Plane, r: usize) -> V {
        unsafe { V::broadcast(*plane.data.add((self.row + r) * plane.row)) }
    }

    /// What a source begins with, decayed.
    #[inline(always)]
    unsafe fn begin<V: Lanes, const R: usize, const G: usize>(self, source: &Source, x: &mut Rows<V, R, G>) {
        unsafe {
            match source.base {
                Base::Zero => *x = [[V::zero(); G]; R],
                Base::Before => {}
                Base::Memory(data, stride) => {
                    for r in 0..R {
                        for g in 0..G {
                            x[r][g] = self.load(data.add((self.row + r) * stride + self.column + g * GROUP));
                        }
                    }
                }
            }
            match &source.decay {
                None => {}
                Some(decay) if decay.columns => {
                    for r in 0..R {
                        for g in 0..G {
                            x[r][g] = x[r][g].times(self.group(decay, r, g));
                        }
                    }
                }
                Some(decay) => {
                    for r in 0..R {
                        let decay = self.alike(decay, r);
                        for g in 0..G {
                            x[r][g] = x[r][g].times(decay);
                        }
                    }
                }
            }
        }
    }

    /// Adds a product.
    #[inline(always)]
    unsafe fn add<V: Lanes, const R: usize, const G: usize>(
        self,
        number: f32,
        u: &Plane,
        v: &Plane,
        x: &mut Rows<V, R, G>,
    ) {
        unsafe {
            let number = V::broadcast(number);
            if u.columns {
                for r in 0..R {
                    for g in 0..G {
                        x[r][g] = x[r][g].add_product(self.group::<V>(u, r, g).times(number), self.group(v, r, g));
                    }
                }
                return;
            }
            // A row of registers is read once where it is the same for all rows.
            let same: [V; G] = match v.columns && v.row == 0 {
                true => std::array::from_fn(|g| self.group(v, 0, g)),
                false => [V::zero(); G],
            };
            for r in 0..R {
                let u = self.alike::<V>(u, r).times(number);
                for g in 0..G {
                    let v = match (v.columns, v.row) {
                        (true, 0) => same[g],
                        (true, _) => self.group(v, r, g),
                        (false, _) => self.alike(v, r),
                    };
                    x[r][g] = x[r][g].add_product(u, v);
                }
            }
        }
    }

    /// Adds the rows, each times an operand, to a row in memory.
    #[inline(always)]
    unsafe fn down<V: Lanes, const R: usize, const G: usize>(self, x: &Rows<V, R, G>, by: &Plane, out: *mut f32) {
        unsafe {
            let mut sums = [V::zero(); G];
            for r in 0..R {
                for g in 0..G {
                    let by = if by.columns { self.group(by, r, g) } else { self.alike(by, r) };
                    sums[g] = sums[g].add_product(x[r][g], by);
                }
            }
            // What was there comes last, so that blocks wait for one sum only.
            for g in 0..G {
                let to = out.add(self.column + g * GROUP);
                self.store(self.load::<V>(to).plus(sums[g]), to);
            }
        }
    }

    /// Adds the sum of each row, times an operand, to an element in memory.
    #[inline(always)]
    unsafe fn across<V: Lanes, const R: usize, const G: usize>(
        self,
        x: &Rows<V, R, G>,
        by: &Plane,
        out: *mut f32,
        step: usize,
    ) {
        unsafe {
            let mut sums = [V::zero(); R];
            for g in 0..G {
                for r in 0..R {
                    let by = if by.columns { self.group(by, r, g) } else { self.alike(by, r) };
                    sums[r] = sums[r].add_product(x[r][g], by);
                }
            }
            let sums = V::joined(sums);
            if step == 0 {
                // One chain of sums, not one through memory for each row.
                *out = sums.into_iter().fold(*out, |total, sum| total + sum);
                return;
            }
            for (r, sum) in sums.into_iter().enumerate() {
                *out.add((self.row + r) * step) += sum;
            }
        }
    }
}

#[cfg(test)]
mod tests;
