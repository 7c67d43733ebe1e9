//! Memory that begins at a line of the cache.
//!
//! In: how many elements. Out: a slice of them, whose registers do not straddle two lines where they are read one after the other:
//! what an allocator gives begins 16 bytes behind one, so that each access of a vector of 64 bytes would be two.
//! Not here: what lies there, and for how long.
#![allow(unsafe_code)] // lines are numbers that follow one another

use std::ops::{Deref, DerefMut};

/// Lines of the cache, as a slice of numbers.
#[derive(Clone, Default)]
pub struct Lines {
    lines: Vec<Line>,
    len: usize,
}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; Line::LEN]);

impl Line {
    const LEN: usize = 16;
}

impl Lines {
    /// So many zeros.
    #[must_use]
    pub fn zeros(n: usize) -> Self {
        Self { lines: vec![Line([0.0; Line::LEN]); n.div_ceil(Line::LEN)], len: n }
    }

    /// Memory for `n` elements, of whatever values. It allocates only where it was never as long.
    pub(crate) fn at_least(&mut self, n: usize) -> *mut f32 {
        if self.len < n {
            *self = Self::zeros(n);
        }
        self.as_mut_ptr()
    }
}

impl Deref for Lines {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: a line is nothing but its numbers, and there are lines for all.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Lines {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_begin_at_a_line_however_many_they_are() {
        for n in [0, 1, 15, 16, 17, 1000, 100_000] {
            let mut lines = Lines::zeros(n);
            assert_eq!((lines.len(), lines.as_ptr().align_offset(64)), (n, 0));
            assert!(lines.iter().all(|x| *x == 0.0));
            lines.iter_mut().for_each(|x| *x = 1.0);
            assert_eq!(lines.iter().sum::<f32>(), n as f32);
        }
    }

    #[test]
    fn memory_grows_and_is_kept() {
        let mut lines = Lines::default();
        let first = lines.at_least(40);
        assert_eq!(lines.at_least(20), first);
        assert_eq!(lines.len(), 40);
        lines.at_least(41);
        assert_eq!(lines.len(), 41);
    }
}
