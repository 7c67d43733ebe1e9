//! AdamW over flat slices: one pass over gradients for their norm, one over weights, gradients and both moments.
//!
//! With gradient `g` at update `t` (from 1), weight `w`, rate `lr`, moments `m` and `v` that start at 0
//! (Loshchilov and Hutter, 2019, "Decoupled weight decay regularization", with the rate inside the decay):
//!
//! ```text
//! g  <- g * min(1, clip / norm(g))            norm over all weights together (Pascanu et al., 2013)
//! m  <- b1 m + (1 - b1) g
//! v  <- b2 v + (1 - b2) g^2
//! w  <- w - lr * ( m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps) + decay * w )
//! ```
//!
//! The decay applies to the weights whose role is decayed. Elements are f32, the norm is summed in f64. Threads share pieces
//! that the segments fix, and sums are joined in an order of the pieces, so the same input gives the same bits for any
//! number of threads. Not here: which weights there are, and the rate of a step.

use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};

use genesys_kernels::{Pool, Update, adamw, sum_of_squares};

/// So many elements of a segment are one thread's at a time: enough to be worth handing out.
const PIECE: usize = 1 << 15;

/// The constants of the optimizer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hyper {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decoupled decay of the weights that have one.
    pub weight_decay: f64,
    /// The largest norm of a gradient; longer ones are scaled down to it.
    pub clip: f64,
}

impl Default for Hyper {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.1, clip: 1.0 }
    }
}

/// A part of the slices that is treated alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it lies.
    pub range: Range<usize>,
    /// Whether weight decay applies.
    pub decayed: bool,
}

/// The optimizer's state.
#[derive(Clone, Debug, PartialEq)]
pub struct AdamW {
    hyper: Hyper,
    first: Vec<f32>,
    second: Vec<f32>,
    updates: u64,
}

impl AdamW {
    /// An optimizer of `weights` numbers that has made no update.
    #[must_use]
    pub fn new(hyper: Hyper, weights: usize) -> Self {
        Self { hyper, first: vec![0.0; weights], second: vec![0.0; weights], updates: 0 }
    }

    /// An optimizer in the state that [`first`](Self::first), [`second`](Self::second) and
    /// [`updates`](Self::updates) told.
    #[must_use]
    pub fn restore(hyper: Hyper, first: Vec<f32>, second: Vec<f32>, updates: u64) -> Self {
        assert_eq!(first.len(), second.len(), "the two moments have one element a weight");
        Self { hyper, first, second, updates }
    }

    /// The first moments.
    #[must_use]
    pub fn first(&self) -> &[f32] {
        &self.first
    }

    /// The second moments.
    #[must_use]
    pub fn second(&self) -> &[f32] {
        &self.second
    }

    /// How many updates it has made.
    #[must_use]
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Clips `gradients` by their norm and updates `weights` at the rate `rate`, on the threads of `pool`. Returns the norm
    /// before clipping; where it is not finite, nothing is changed.
    ///
    /// All slices have one element a weight, and `segments` cover them in their order.
    pub fn update(
        &mut self,
        pool: &Pool,
        segments: &[Segment],
        weights: &mut [f32],
        gradients: &[f32],
        rate: f64,
    ) -> f64 {
        let norm = norm(pool, segments, gradients);
        if !norm.is_finite() {
            return norm;
        }
        self.updates += 1;
        let update = self.constants(norm, rate);
        let decayed = Update { kept: (1.0 - rate * self.hyper.weight_decay) as f32, ..update };
        let mut slices = Slices { weights, gradients, first: &mut self.first, second: &mut self.second };
        let mut pieces = Vec::new();
        for segment in segments {
            let update = if segment.decayed { decayed } else { update };
            for from in (0..segment.range.len()).step_by(PIECE) {
                let length = PIECE.min(segment.range.len() - from);
                pieces.push(Mutex::new((update, slices.split_off(length))));
            }
        }
        pool.run(pieces.len(), &|i, _| {
            let mut piece = pieces[i].lock().unwrap_or_else(PoisonError::into_inner);
            let (update, Slices { weights, gradients, first, second }) = &mut *piece;
            adamw(update, weights, gradients, first, second);
        });
        norm
    }

    /// What an update has in common for all weights that do not decay.
    fn constants(&self, norm: f64, rate: f64) -> Update {
        let hyper = &self.hyper;
        let corrected = |beta: f64| 1.0 - beta.powf(self.updates as f64);
        Update {
            scale: if norm > hyper.clip { (hyper.clip / norm) as f32 } else { 1.0 },
            beta1: hyper.beta1 as f32,
            beta2: hyper.beta2 as f32,
            fresh1: (1.0 - hyper.beta1) as f32,
            fresh2: (1.0 - hyper.beta2) as f32,
            rate: (rate / corrected(hyper.beta1)) as f32,
            root: corrected(hyper.beta2).sqrt().recip() as f32,
            epsilon: hyper.epsilon as f32,
            kept: 1.0,
        }
    }
}

/// The Euclidean norm in f64: the squares of a weight by its pieces in their order, then the weights' sums, the
/// smallest first. So the order of the weights, which follows the text, changes no bit.
#[must_use]
pub fn norm(pool: &Pool, segments: &[Segment], gradients: &[f32]) -> f64 {
    let pieces: Vec<&[f32]> = segments.iter().flat_map(|s| gradients[s.range.clone()].chunks(PIECE)).collect();
    let squares: Vec<OnceLock<f64>> = pieces.iter().map(|_| OnceLock::new()).collect();
    pool.run(pieces.len(), &|i, _| {
        squares[i].get_or_init(|| sum_of_squares(pieces[i]));
    });
    let mut squares = squares.iter().map(|sum| *sum.get().expect("every piece was summed"));
    let of = |s: &Segment| squares.by_ref().take(s.range.len().div_ceil(PIECE)).sum();
    let mut sums: Vec<f64> = segments.iter().map(of).collect();
    sums.sort_by(f64::total_cmp);
    sums.into_iter().sum::<f64>().sqrt()
}

/// Parts of the slices that lie at the same place.
struct Slices<'a> {
    weights: &'a mut [f32],
    gradients: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
}

impl<'a> Slices<'a> {
    /// The first `length` elements of each, which are then gone from here.
    fn split_off(&mut self, length: usize) -> Slices<'a> {
        let covered = "segments cover the slices";
        Slices {
            weights: self.weights.split_off_mut(..length).expect(covered),
            gradients: self.gradients.split_off(..length).expect(covered),
            first: self.first.split_off_mut(..length).expect(covered),
            second: self.second.split_off_mut(..length).expect(covered),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The formula of the file's head in f64, one element after the other.
    struct Plain {
        w: Vec<f64>,
        m: Vec<f64>,
        v: Vec<f64>,
        t: i32,
    }

    impl Plain {
        fn update(&mut self, h: &Hyper, decayed: &dyn Fn(usize) -> bool, gradients: &[f64], lr: f64) {
            self.t += 1;
            let norm = gradients.iter().map(|g| g * g).sum::<f64>().sqrt();
            let clip = (h.clip / norm).min(1.0);
            for (i, gradient) in gradients.iter().enumerate() {
                let g = gradient * clip;
                self.m[i] = h.beta1 * self.m[i] + (1.0 - h.beta1) * g;
                self.v[i] = h.beta2 * self.v[i] + (1.0 - h.beta2) * g * g;
                let (m, v) = (self.m[i] / (1.0 - h.beta1.powi(self.t)), self.v[i] / (1.0 - h.beta2.powi(self.t)));
                let decay = if decayed(i) { h.weight_decay } else { 0.0 };
                self.w[i] -= lr * (m / (v.sqrt() + h.epsilon) + decay * self.w[i]);
            }
        }
    }

    /// A number in -1..1 that looks random.
    fn draw(i: usize, step: usize) -> f64 {
        ((i as f64 * 12.9898 + step as f64 * 78.233).sin() * 43_758.545_3).fract()
    }

    fn alone() -> Pool {
        Pool::new(1)
    }

    fn segments() -> Vec<Segment> {
        vec![Segment { range: 0..30, decayed: true }, Segment { range: 30..50, decayed: false }]
    }

    #[test]
    fn a_hundred_updates_follow_the_formula() {
        let hyper = Hyper::default();
        let start: Vec<f64> = (0..50).map(|i| draw(i, 0)).collect();
        let mut weights: Vec<f32> = start.iter().map(|w| *w as f32).collect();
        let mut plain = Plain { w: start.clone(), m: vec![0.0; 50], v: vec![0.0; 50], t: 0 };
        let mut adamw = AdamW::new(hyper, 50);
        for step in 1..=100 {
            // Norms from far below the clip to far above it.
            let size = 10.0_f64.powi(step as i32 % 5 - 2);
            let gradients: Vec<f32> = (0..50).map(|i| (draw(i, step) * size) as f32).collect();
            let exact: Vec<f64> = gradients.iter().map(|g| f64::from(*g)).collect();
            let rate = 1e-2 / step as f64;
            let norm = adamw.update(&alone(), &segments(), &mut weights, &gradients, rate);
            plain.update(&hyper, &|i| i < 30, &exact, rate);
            assert!((norm - exact.iter().map(|g| g * g).sum::<f64>().sqrt()).abs() < 1e-9);
        }
        for (i, (w, expected)) in weights.iter().zip(&plain.w).enumerate() {
            assert!((f64::from(*w) - expected).abs() < 2e-6, "weight {i}: {w} is not {expected}");
        }
        let moved = plain.w.iter().zip(&start).map(|(w, start)| (w - start).abs()).sum::<f64>() / 50.0;
        assert!(moved > 1e-3, "the weights have hardly moved: {moved} on average");
    }

    #[test]
    fn only_decayed_weights_shrink_without_a_gradient() {
        let mut weights = vec![1.0; 50];
        AdamW::new(Hyper::default(), 50).update(&alone(), &segments(), &mut weights, &[0.0; 50], 0.1);
        assert!(weights[..30].iter().all(|w| (w - 0.99).abs() < 1e-6), "{weights:?}");
        assert!(weights[30..].iter().all(|w| *w == 1.0), "{weights:?}");
    }

    #[test]
    fn a_gradient_that_is_not_finite_changes_nothing() {
        let mut adamw = AdamW::new(Hyper::default(), 50);
        let mut weights = vec![1.0; 50];
        adamw.update(&alone(), &segments(), &mut weights, &[0.5; 50], 0.1);
        let (before, state) = (weights.clone(), adamw.clone());
        for bad in [f32::NAN, f32::INFINITY] {
            let mut gradients = [0.5; 50];
            gradients[17] = bad;
            assert!(!adamw.update(&alone(), &segments(), &mut weights, &gradients, 0.1).is_finite());
        }
        assert_eq!((weights, adamw), (before, state));
    }

    #[test]
    fn a_restored_state_goes_on_with_the_same_bits() {
        let gradients = |step: usize| (0..50).map(|i| draw(i, step) as f32).collect::<Vec<_>>();
        let mut whole = (vec![0.5_f32; 50], AdamW::new(Hyper::default(), 50));
        for step in 0..10 {
            whole.1.update(&alone(), &segments(), &mut whole.0, &gradients(step), 1e-2);
        }
        let mut half = (vec![0.5_f32; 50], AdamW::new(Hyper::default(), 50));
        for step in 0..5 {
            half.1.update(&alone(), &segments(), &mut half.0, &gradients(step), 1e-2);
        }
        let (first, second) = (half.1.first().to_vec(), half.1.second().to_vec());
        half.1 = AdamW::restore(Hyper::default(), first, second, half.1.updates());
        for step in 5..10 {
            half.1.update(&alone(), &segments(), &mut half.0, &gradients(step), 1e-2);
        }
        assert_eq!(whole, half);
    }

    #[test]
    fn neither_threads_nor_the_order_of_weights_change_a_bit() {
        // Pieces of every kind: none, one that is not whole, and several.
        let lengths = [3 * PIECE + 5, 0, 7, PIECE];
        let update = |threads: usize, order: &[usize]| {
            let (mut segments, mut gradients, mut weights) = (Vec::new(), Vec::new(), Vec::new());
            for &which in order {
                let start = gradients.len();
                gradients.extend((0..lengths[which]).map(|i| draw(i, which + 1) as f32));
                weights.extend((0..lengths[which]).map(|i| draw(i, which + 11) as f32));
                segments.push(Segment { range: start..gradients.len(), decayed: which % 2 == 0 });
            }
            let mut adamw = AdamW::new(Hyper::default(), weights.len());
            let norm = adamw.update(&Pool::new(threads), &segments, &mut weights, &gradients, 1e-2);
            let of = |which: usize| {
                weights[segments[order.iter().position(|w| *w == which).unwrap()].range.clone()].to_vec()
            };
            (norm.to_bits(), (0..4).map(of).collect::<Vec<_>>())
        };
        let one = update(1, &[0, 1, 2, 3]);
        assert_eq!(one, update(3, &[0, 1, 2, 3]));
        assert_eq!(one, update(2, &[3, 2, 0, 1]));
    }
}
