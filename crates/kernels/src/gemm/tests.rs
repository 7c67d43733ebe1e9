//! Products against plain loops in f64, over sizes and strides, on every path of the processor.

use proptest::prelude::*;

use super::*;

/// How a matrix lies in memory.
#[derive(Clone, Copy, Debug)]
pub(super) enum Layout {
    Rows,
    Columns,
    /// Dense in neither, with gaps.
    Apart,
    /// Rows from the last to the first.
    Backward,
}

pub(super) const LAYOUTS: [Layout; 4] = [Layout::Rows, Layout::Columns, Layout::Apart, Layout::Backward];

/// A matrix and the memory it lies in, which holds NaN wherever no element is.
pub(super) struct Held {
    memory: Vec<f32>,
    first: usize,
    row: isize,
    column: isize,
}

impl Held {
    pub(super) fn new(rows: usize, columns: usize, layout: Layout, seed: u64) -> Held {
        let (row, column, first) = match layout {
            Layout::Rows => (columns as isize + 3, 1, 0),
            Layout::Columns => (1, rows as isize + 2, 0),
            Layout::Apart => (3 * columns as isize + 1, 3, 0),
            Layout::Backward => (-(columns as isize), 1, columns * rows.saturating_sub(1)),
        };
        let mut held = Held { memory: vec![f32::NAN; 4 * (rows + 3) * (columns + 3)], first, row, column };
        for (i, j) in (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))) {
            let at = held.place(i, j);
            held.memory[at] = draw(seed, at as u64);
        }
        held
    }

    fn place(&self, i: usize, j: usize) -> usize {
        (self.first as isize + self.row * i as isize + self.column * j as isize) as usize
    }

    pub(super) fn at(&self, i: usize, j: usize) -> f64 {
        f64::from(self.memory[self.place(i, j)])
    }

    pub(super) fn memory(&self) -> &[f32] {
        &self.memory
    }

    pub(super) fn matrix(&self) -> Matrix {
        Matrix { data: self.memory.as_ptr().wrapping_add(self.first), row: self.row, column: self.column }
    }
}

/// A number in -1..1 that looks random.
fn draw(seed: u64, at: u64) -> f32 {
    let x = (seed ^ at.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((x ^ (x >> 29)) >> 40) as f32 / 8_388_608.0 - 1.0
}

/// One product: sizes, layouts of A and B, and whether C is added to.
#[derive(Clone, Debug)]
struct Case {
    size: [usize; 3],
    layouts: [Layout; 2],
    accumulate: bool,
    seed: u64,
}

impl Case {
    fn operands(&self) -> (Held, Held) {
        let [m, n, k] = self.size;
        (Held::new(m, k, self.layouts[0], self.seed), Held::new(k, n, self.layouts[1], self.seed + 1))
    }

    /// C by a level, from B as it lies or packed: `m` rows of `n + 2` elements, of which the last two are not C's.
    fn product(&self, level: Level, packed: bool) -> Vec<f32> {
        let [m, n, k] = self.size;
        let (a, b) = self.operands();
        let mut c: Vec<f32> = (0..m * (n + 2)).map(|i| draw(self.seed + 2, i as u64)).collect();
        let target = Target { data: c.as_mut_ptr(), row: n as isize + 2, accumulate: self.accumulate };
        let product = Product { m, n, k, a: a.matrix(), c: target };
        let width = 2 * level.lanes();
        let mut panels = vec![f32::NAN; n.div_ceil(width) * k * width];
        // SAFETY: the matrices are as large as their sizes say, and C is none of the others.
        unsafe {
            let right = if packed {
                for panel in 0..n.div_ceil(width) {
                    pack_panel_at(level, panel, k, n, b.matrix(), panels.as_mut_ptr());
                }
                Right::Packed(panels.as_ptr())
            } else {
                Right::Anywhere(b.matrix())
            };
            product_at(level, product, right, &mut Scratch::default());
        }
        c
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let [m, n, k] = self.size;
        let (a, b) = self.operands();
        let before = Case { size: [m, n, 0], accumulate: true, ..self.clone() }.product(Level::best(), false);
        for level in Level::available() {
            let c = self.product(level, false);
            for (i, j) in (0..m).flat_map(|i| (0..n + 2).map(move |j| (i, j))) {
                let (found, old) = (f64::from(c[i * (n + 2) + j]), f64::from(before[i * (n + 2) + j]));
                if j >= n {
                    prop_assert_eq!(found, old, "what is behind a row of C is left alone");
                    continue;
                }
                let sum: f64 = (0..k).map(|p| a.at(i, p) * b.at(p, j)).sum();
                let want = if self.accumulate { old + sum } else { sum };
                let close = 1e-6 * (k as f64 + 1.0);
                prop_assert!((found - want).abs() <= close, "({i}, {j}) on {level:?}: {found}, not {want}");
            }
            prop_assert_eq!(&self.product(level, true), &c, "a packed B gives the same bits");
            if level.is_fused() {
                prop_assert_eq!(&self.product(Level::best(), false), &c, "fused paths give the same bits");
            }
        }
        Ok(())
    }
}

fn cases(rows: std::ops::Range<usize>, inner: std::ops::Range<usize>) -> impl Strategy<Value = Case> {
    let layout = || prop::sample::select(LAYOUTS.to_vec());
    ([rows.clone(), rows, inner], [layout(), layout()], any::<bool>(), 0_u64..1000)
        .prop_map(|(size, layouts, accumulate, seed)| Case { size, layouts, accumulate, seed })
}

proptest! {
    #[test]
    fn small_products_are_those_of_f64(case in cases(0..40, 0..40)) {
        case.check()?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn products_of_several_blocks_are_those_of_f64(case in cases(1..70, 250..530)) {
        case.check()?;
    }
}

#[test]
fn blocks_of_rows_and_columns_join() {
    for (size, layouts) in [
        ([M_BLOCK + 13, 33, 20], [Layout::Columns, Layout::Rows]),
        ([M_BLOCK + 1, 5, 300], [Layout::Rows, Layout::Columns]),
        ([5, N_BLOCK + 37, 30], [Layout::Rows, Layout::Columns]),
        ([9, N_BLOCK + 1, 270], [Layout::Columns, Layout::Rows]),
    ] {
        let case = Case { size, layouts, accumulate: false, seed: 7 };
        case.check().expect("a large product is that of f64");
    }
}

#[test]
fn a_cut_by_rows_or_columns_changes_no_bit() {
    let whole = Case { size: [50, 70, 300], layouts: [Layout::Rows, Layout::Rows], accumulate: false, seed: 3 };
    let c = whole.product(Level::best(), false);
    let (a, b) = whole.operands();
    let mut scratch = Scratch::default();
    for (i, m, j, n) in [(0, 1, 0, 70), (7, 20, 33, 5), (49, 1, 69, 1), (12, 38, 0, 64)] {
        let mut part = vec![0.0; m * n];
        let (a, b) = (a.matrix().from(i, 0), b.matrix().from(0, j));
        // SAFETY: rows and columns are some of the matrices'.
        unsafe { multiply(m, n, 300, a, b, part.as_mut_ptr(), n as isize, false, &mut scratch) }
        for (p, q) in (0..m).flat_map(|p| (0..n).map(move |q| (p, q))) {
            assert_eq!(part[p * n + q].to_bits(), c[(i + p) * 72 + j + q].to_bits(), "({p}, {q}) of ({i}, {j})");
        }
    }
}

#[test]
fn scratch_is_kept() {
    let case = Case { size: [30, 40, 50], layouts: [Layout::Columns, Layout::Columns], accumulate: false, seed: 3 };
    let (a, b) = case.operands();
    let (mut c, mut scratch) = (vec![0.0; 30 * 40], Scratch::default());
    let mut places = Vec::new();
    for _ in 0..3 {
        // SAFETY: the matrices are as large as is said.
        unsafe { multiply(30, 40, 50, a.matrix(), b.matrix(), c.as_mut_ptr(), 40, false, &mut scratch) }
        places.push((scratch.left.at_least(1), scratch.right.at_least(1)));
    }
    assert!(places.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn the_public_packing_is_that_of_the_best_level() {
    let case = Case { size: [20, 50, 30], layouts: [Layout::Rows, Layout::Columns], accumulate: false, seed: 11 };
    let (a, b) = case.operands();
    let mut packed = vec![0.0; packed_len(30, 50)];
    let (mut c, mut expected) = (vec![0.0; 20 * 50], vec![0.0; 20 * 50]);
    let mut scratch = Scratch::default();
    // SAFETY: the matrices are as large as is said.
    unsafe {
        for panel in 0..panels(50) {
            pack_panel(panel, 30, 50, b.matrix(), packed.as_mut_ptr());
        }
        multiply_packed(20, 50, 30, a.matrix(), packed.as_ptr(), c.as_mut_ptr(), 50, false, &mut scratch);
        multiply(20, 50, 30, a.matrix(), b.matrix(), expected.as_mut_ptr(), 50, false, &mut scratch);
    }
    assert_eq!(c, expected);
}
