//! Passes over matrices against sums in f64, one element at a time.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

/// Rows lie this far apart in every matrix.
const ROW: usize = 150;
/// What holds a matrix, a row or a column.
const SIZE: usize = 12 * ROW;

/// An operand as drawn: which of the drawn matrices it reads, and which strides are 0.
type Drawn = (usize, bool, bool);

#[derive(Clone, Debug)]
struct Step {
    base: usize,
    decay: Option<Drawn>,
    product: Option<(bool, Drawn, Drawn)>,
    readers: Vec<(bool, Drawn, usize)>,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    (0_usize..4, any::<bool>(), any::<bool>())
}

fn step() -> impl Strategy<Value = Step> {
    let product = prop::option::of((any::<bool>(), drawn(), drawn()));
    let readers = prop::collection::vec((any::<bool>(), drawn(), 0_usize..3), 0..3);
    (0_usize..3, prop::option::of(drawn()), product, readers).prop_map(|(base, decay, product, readers)| Step {
        base,
        decay,
        product,
        readers,
    })
}

fn plane(data: &[Vec<f32>], (which, rows, columns): Drawn) -> Plane {
    Plane { data: data[which].as_ptr(), row: if rows { ROW } else { 0 }, columns }
}

fn at(data: &[Vec<f32>], (which, rows, columns): Drawn, i: usize, j: usize) -> f64 {
    f64::from(data[which][if rows { i * ROW } else { 0 } + if columns { j } else { 0 }])
}

/// What each source makes, what each reader sums, by the definition; the first source is stored.
fn plain((m, n): (usize, usize), data: &[Vec<f32>], steps: &[Step]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let mut x = vec![0.0; m * n];
    let (mut first, mut sums) = (Vec::new(), Vec::new());
    for (s, step) in steps.iter().enumerate() {
        for i in 0..m {
            for j in 0..n {
                let base = match step.base {
                    0 => 0.0,
                    1 if s > 0 => x[i * n + j],
                    _ => f64::from(data[4][i * ROW + j]),
                };
                let kept = step.decay.map_or(1.0, |decay| at(data, decay, i, j)) * base;
                let added = step.product.map_or(0.0, |(negative, u, v)| {
                    let sign = if negative { -1.0 } else { 1.0 };
                    sign * at(data, u, i, j) * at(data, v, i, j)
                });
                x[i * n + j] = kept + added;
            }
        }
        if s == 0 {
            first = x.clone();
        }
        for (down, by, stride) in &step.readers {
            let mut out = vec![0.5; SIZE];
            for i in 0..m {
                for j in 0..n {
                    let term = x[i * n + j] * at(data, *by, i, j);
                    out[if *down { j } else { i * stride }] += term;
                }
            }
            sums.push(out);
        }
    }
    (first, sums)
}

/// The same by a pass on a level.
fn passed(level: Level, size: (usize, usize), data: &[Vec<f32>], steps: &[Step]) -> (Vec<f32>, Vec<Vec<f32>>) {
    let count = steps.iter().map(|step| step.readers.len()).sum();
    let mut state = data[4].clone();
    let mut sums: Vec<Vec<f32>> = vec![vec![0.5; SIZE]; count];
    let mut places = sums.iter_mut().map(|sums| sums.as_mut_ptr());
    let mut readers = Vec::new();
    let mut sources = Vec::new();
    for (s, step) in steps.iter().enumerate() {
        for (down, by, stride) in &step.readers {
            let (by, out) = (plane(data, *by), places.next().unwrap());
            readers.push(if *down { Reader::Down(by, out) } else { Reader::Across(by, out, *stride) });
        }
        sources.push(Source {
            base: match step.base {
                0 => Base::Zero,
                1 if s > 0 => Base::Before,
                // The first source is stored in place; the others read what was there.
                _ if s == 0 => Base::Memory(state.as_ptr(), ROW),
                _ => Base::Memory(data[4].as_ptr(), ROW),
            },
            decay: step.decay.map(|decay| plane(data, decay)),
            product: step.product.map(|(negative, u, v)| {
                let (u, v) = (plane(data, u), plane(data, v));
                (if negative { -1.0 } else { 1.0 }, if u.columns && !v.columns { [v, u] } else { [u, v] })
            }),
            store: (s == 0).then_some((state.as_mut_ptr(), ROW)),
            readers: step.readers.len(),
        });
    }
    // SAFETY: all lies in vectors of `SIZE` elements, which hold as many rows and columns; sums and state are no operands.
    unsafe { sweep_at(level, size, &sources, &readers) };
    (state, sums)
}

fn close(found: f32, expected: f64, scale: f64) -> bool {
    (f64::from(found) - expected).abs() <= 1e-5 * (scale + expected.abs())
}

proptest! {
    #[test]
    fn sources_and_sums_are_those_of_the_definition(
        (m, n) in (0_usize..12, 0_usize..ROW),
        data in prop::collection::vec(prop::collection::vec(-2.0_f32..2.0, SIZE), 5),
        steps in prop::collection::vec(step(), 1..4),
    ) {
        let (state, sums) = plain((m, n), &data, &steps);
        for level in Level::available() {
            let (found, others) = passed(level, (m, n), &data, &steps);
            for (i, found) in found.iter().enumerate() {
                let (row, column) = (i / ROW, i % ROW);
                let inside = row < m && column < n;
                let expected = if inside { state[row * n + column] } else { f64::from(data[4][i]) };
                prop_assert!(close(*found, expected, 8.0), "{found} is not {expected} at {row}, {column}");
            }
            for (found, expected) in others.iter().flatten().zip(sums.iter().flatten()) {
                prop_assert!(close(*found, *expected, 16.0 * (m * n) as f64), "{found} is not {expected}");
            }
        }
    }

    #[test]
    fn levels_that_fuse_give_the_same_bits(
        (m, n) in (0_usize..12, 0_usize..ROW),
        data in prop::collection::vec(prop::collection::vec(-2.0_f32..2.0, SIZE), 5),
        steps in prop::collection::vec(step(), 1..4),
    ) {
        let levels = Level::available().into_iter().filter(|level| level.is_fused());
        let found: Vec<_> = levels.map(|level| passed(level, (m, n), &data, &steps)).collect();
        for pair in found.windows(2) {
            let bits = |(state, sums): &(Vec<f32>, Vec<Vec<f32>>)| -> Vec<u32> {
                state.iter().chain(sums.iter().flatten()).map(|x| x.to_bits()).collect()
            };
            prop_assert_eq!(bits(&pair[0]), bits(&pair[1]));
        }
    }
}
