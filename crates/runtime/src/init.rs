//! First values of weights: each element a pure function of seed, stream and index.
//!
//! Neither the order of evaluation nor threads, element type or device enter, so a seed gives the
//! same weights everywhere. A draw is SplitMix64 at a counter, keyed by a
//! hash of (seed, call, stream, number of the draw within the law).

use genesys_ir::ParameterInfo;
use genesys_scalar::Law;

/// All elements of a weight, row-major.
pub(crate) fn draw(info: &ParameterInfo, seed: u64) -> Vec<f64> {
    let count: usize = info.shape.iter().product();
    let law = Keyed::new(&info.law, &mut |number| key(seed, info.stream, number), &mut 0);
    let mut index = vec![0; info.shape.len()];
    let mut elements = Vec::with_capacity(count);
    for i in 0..count {
        let mut rest = i;
        for (place, size) in index.iter_mut().zip(&info.shape).rev() {
            *place = rest % size;
            rest /= size;
        }
        elements.push(law.element(i as u64, &index, info.layer));
    }
    elements
}

/// A law whose draws know their keys.
enum Keyed {
    Number(f64),
    Index(usize),
    Layer,
    Uniform(u64, Box<Keyed>, Box<Keyed>),
    Normal(u64, Box<Keyed>),
    Map(genesys_scalar::Function, Vec<Keyed>),
}

impl Keyed {
    /// Draws are numbered in the order they are written.
    fn new(law: &Law<f64>, key: &mut impl FnMut(u32) -> u64, draws: &mut u32) -> Keyed {
        let mut next = |draws: &mut u32| {
            *draws += 1;
            key(*draws - 1)
        };
        match law {
            Law::Const(value) => Keyed::Number(*value),
            Law::Index(dimension) => Keyed::Index(*dimension),
            Law::Layer => Keyed::Layer,
            Law::Uniform(low, high) => {
                let own = next(draws);
                Keyed::Uniform(own, Box::new(Self::new(low, key, draws)), Box::new(Self::new(high, key, draws)))
            }
            Law::Normal(deviation) => {
                let own = next(draws);
                Keyed::Normal(own, Box::new(Self::new(deviation, key, draws)))
            }
            Law::Map(function, args) => {
                Keyed::Map(*function, args.iter().map(|arg| Self::new(arg, key, draws)).collect())
            }
        }
    }

    fn element(&self, i: u64, index: &[usize], layer: u32) -> f64 {
        match self {
            Keyed::Number(value) => *value,
            Keyed::Index(dimension) => index[*dimension] as f64,
            Keyed::Layer => f64::from(layer),
            Keyed::Uniform(key, low, high) => {
                let (low, high) = (low.element(i, index, layer), high.element(i, index, layer));
                low + (high - low) * unit(*key, 2 * i)
            }
            Keyed::Normal(key, deviation) => deviation.element(i, index, layer) * normal(*key, i),
            Keyed::Map(function, args) => {
                let args: Vec<f64> = args.iter().map(|arg| arg.element(i, index, layer)).collect();
                function.eval(&args)
            }
        }
    }
}

fn key(seed: u64, (call, stream): (u32, u32), number: u32) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"genesys initial values 1");
    hasher.update(&seed.to_le_bytes());
    for part in [call, stream, number] {
        hasher.update(&part.to_le_bytes());
    }
    let mut first = [0; 8];
    hasher.finalize_xof().fill(&mut first);
    u64::from_le_bytes(first)
}

/// Uniform on `[0, 1)`.
fn unit(key: u64, counter: u64) -> f64 {
    genesys_random::unit(genesys_random::at(key, counter))
}

/// Standard normal, by Box and Muller (1958).
fn normal(key: u64, i: u64) -> f64 {
    let radius = (-2.0 * (1.0 - unit(key, 2 * i)).ln()).sqrt();
    radius * (std::f64::consts::TAU * unit(key, 2 * i + 1)).cos()
}

#[cfg(test)]
mod tests {
    use genesys_scalar::{Function, Role};

    use super::*;

    fn info(law: Law<f64>, stream: (u32, u32), shape: &[usize]) -> ParameterInfo {
        ParameterInfo { name: "w".into(), shape: shape.to_vec(), role: Role::Matrix, law, stream, layer: 3 }
    }

    fn uniform(low: f64, high: f64) -> Law<f64> {
        Law::Uniform(Box::new(Law::Const(low)), Box::new(Law::Const(high)))
    }

    fn standard_normal() -> Law<f64> {
        Law::Normal(Box::new(Law::Const(1.0)))
    }

    #[test]
    fn values_never_drift() {
        assert_eq!(draw(&info(uniform(0.0, 1.0), (1, 2), &[3]), 7), GOLDEN_UNIFORM);
        let normal = draw(&info(standard_normal(), (0, 0), &[3]), 0);
        // The last bit of a logarithm or cosine is the platform's.
        let same = normal.iter().zip(GOLDEN_NORMAL).all(|(found, expected)| (found - expected).abs() < 1e-14);
        assert!(same, "{normal:?}");
    }

    const GOLDEN_UNIFORM: [f64; 3] = [0.9663495667369731, 0.8329460282782079, 0.855602020842446];
    const GOLDEN_NORMAL: [f64; 3] = [0.057131142134775215, -1.08416508476974, -0.2992908452219425];

    #[test]
    fn an_element_depends_on_seed_stream_and_index_alone() {
        let short = draw(&info(standard_normal(), (1, 2), &[4]), 7);
        assert_eq!(short, draw(&info(standard_normal(), (1, 2), &[9]), 7)[..4]);
        for (stream, seed) in [((1, 2), 8), ((2, 2), 7), ((1, 3), 7)] {
            assert_ne!(short, draw(&info(standard_normal(), stream, &[4]), seed));
        }
        let two = Law::Map(Function::Sub, vec![uniform(0.0, 1.0), uniform(0.0, 1.0)]);
        assert!(draw(&info(two, (1, 2), &[4]), 7).iter().all(|x| *x != 0.0), "two draws of a law differ");
    }

    #[test]
    fn draws_have_their_distributions() {
        let n = 40_000;
        let moments = |data: &[f64]| {
            let mean = data.iter().sum::<f64>() / n as f64;
            (mean, data.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64)
        };
        let (mean, variance) = moments(&draw(&info(standard_normal(), (5, 1), &[n]), 1));
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
        let data = draw(&info(uniform(-2.0, 4.0), (5, 1), &[n]), 1);
        let (mean, variance) = moments(&data);
        assert!((mean - 1.0).abs() < 0.03 && (variance - 3.0).abs() < 0.06, "{mean} {variance}");
        assert!(data.iter().all(|x| (-2.0..4.0).contains(x)));
    }

    #[test]
    fn indices_and_layers_are_storage_order() {
        let law = Law::Map(
            Function::Add,
            vec![Law::Map(Function::Mul, vec![Law::Index(0), Law::Const(10.0)]), Law::Index(1)],
        );
        assert_eq!(draw(&info(law, (0, 0), &[2, 3]), 0), [0.0, 1.0, 2.0, 10.0, 11.0, 12.0]);
        assert_eq!(draw(&info(Law::Layer, (0, 0), &[1]), 0), [3.0]);
    }
}
