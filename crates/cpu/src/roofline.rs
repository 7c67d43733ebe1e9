//! What this machine can do at best, measured: operations a second in a cache, and bytes a second from memory.
//!
//! In: threads. Out: the two limits of the roofline (Williams, Waterman and Patterson, 2009): work of an intensity of `i` operations
//! a byte runs at `min(operations, i bytes)` a second at most. It is what our own loops reach, not what the maker says. Takes
//! less than a second, and 128 MiB meanwhile.

#![allow(unsafe_code, reason = "matrix products take addresses")]

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use genesys_kernels::{Matrix, Pool, Scratch, multiply_packed, pack_panel, packed_len, panels, scale_add_to};

/// The limits of a machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Roofline {
    /// Operations a second, of products of matrices that lie in a cache; a multiplication and an addition are two.
    pub operations: f64,
    /// Bytes a second, of sums over slices that no cache holds.
    pub bytes: f64,
}

/// The sizes of a product: rows, columns, and elements summed over.
const PRODUCT: (usize, usize, usize) = (96, 96, 256);

/// Products that a thread computes in one go.
const PRODUCTS: usize = 40;

/// Elements of a piece of memory, two of which are summed, and how many pieces there are.
const PIECE: usize = 1 << 20;
const PIECES: usize = 16;

/// How often each is measured; the best counts, for whatever else runs makes it slower, and nothing makes it faster.
const ROUNDS: usize = 8;

impl Roofline {
    /// Measures the machine on the threads of a pool.
    pub fn measure(pool: &Pool) -> Self {
        Self { operations: operations(pool), bytes: bytes(pool) }
    }

    /// The seconds that so many operations and bytes take at least.
    pub fn seconds(&self, operations: f64, bytes: f64) -> f64 {
        (operations / self.operations).max(bytes / self.bytes)
    }
}

/// What a thread multiplies.
struct Factors {
    a: Vec<f32>,
    packed: Vec<f32>,
    c: Vec<f32>,
    scratch: Scratch,
}

impl Factors {
    fn new() -> Self {
        let (m, n, k) = PRODUCT;
        let b = vec![0.5; k * n];
        let mut packed = vec![0.0; packed_len(k, n)];
        let matrix = Matrix { data: b.as_ptr(), row: n as isize, column: 1 };
        for panel in 0..panels(n) {
            // SAFETY: `b` is a `[k, n]` matrix, and there is room for all panels.
            unsafe { pack_panel(panel, k, n, matrix, packed.as_mut_ptr()) };
        }
        Self { a: vec![0.25; m * k], packed, c: vec![0.0; m * n], scratch: Scratch::default() }
    }

    fn multiply(&mut self) {
        let (m, n, k) = PRODUCT;
        let a = Matrix { data: self.a.as_ptr(), row: k as isize, column: 1 };
        let (packed, c) = (self.packed.as_ptr(), self.c.as_mut_ptr());
        // SAFETY: the matrices have these sizes, and are this thread's alone.
        unsafe { multiply_packed(m, n, k, a, packed, c, n as isize, false, &mut self.scratch) };
    }
}

fn operations(pool: &Pool) -> f64 {
    let threads = pool.threads();
    let factors: Vec<Mutex<Factors>> = (0..threads).map(|_| Mutex::new(Factors::new())).collect();
    let seconds = best(|| {
        pool.run(threads, &|chunk, _| {
            let mut own = lock(&factors[chunk]);
            (0..PRODUCTS).for_each(|_| own.multiply());
        });
    });
    let (m, n, k) = PRODUCT;
    (2 * m * n * k * PRODUCTS * threads) as f64 / seconds
}

fn bytes(pool: &Pool) -> f64 {
    let piece = |_| Mutex::new((vec![1.0_f32; PIECE], vec![1.0_f32; PIECE]));
    let pieces: Vec<Mutex<(Vec<f32>, Vec<f32>)>> = (0..PIECES).map(piece).collect();
    let seconds = best(|| {
        pool.run(PIECES, &|chunk, _| {
            let mut own = lock(&pieces[chunk]);
            let (x, out) = &mut *own;
            scale_add_to(1e-3, x, out);
        });
    });
    // Both are read, and one is written.
    (3 * size_of::<f32>() * PIECE * PIECES) as f64 / seconds
}

/// The shortest of some runs, in seconds.
fn best(mut work: impl FnMut()) -> f64 {
    let mut once = || {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    };
    // The first one takes memory and wakes threads.
    once();
    (0..ROUNDS).map(|_| once()).fold(f64::INFINITY, f64::min).max(f64::MIN_POSITIVE)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_that_is_reached_first_counts() {
        let roofline = Roofline { operations: 100.0, bytes: 10.0 };
        assert_eq!(roofline.seconds(200.0, 1.0), 2.0);
        assert_eq!(roofline.seconds(200.0, 30.0), 3.0);
        assert_eq!(roofline.seconds(0.0, 0.0), 0.0);
    }
}
