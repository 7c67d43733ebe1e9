//! A loss curve made ready for drawing: smoothed, thinned, put on a grid.
//!
//! In: the loss of each step. Out: fewer points of the same shape. A step without a finite loss is left out.

/// One side of the window is this share of the curve.
const WINDOW_SHARE: usize = 40;

/// The width and height of the grid that curves are drawn on, in whole units.
pub(crate) const GRID: f64 = 1000.0;

/// A step, from 0, and its loss.
pub(crate) type Point = (usize, f64);

/// The steps that have a finite loss.
pub(crate) fn points(losses: &[f32]) -> Vec<Point> {
    let point = |(step, loss): (usize, &f32)| (step, f64::from(*loss));
    losses.iter().enumerate().map(point).filter(|(_, loss)| loss.is_finite()).collect()
}

/// Each point's mean over a window around it, which is a twentieth of the curve wide and shrinks, on both sides
/// alike, towards the ends.
pub(crate) fn smooth(points: &[Point]) -> Vec<Point> {
    let mut sums = vec![0.0];
    for (_, loss) in points {
        sums.push(sums[sums.len() - 1] + loss);
    }
    let reach = points.len() / WINDOW_SHARE;
    let mean = |at: usize| {
        let reach = reach.min(at).min(points.len() - 1 - at);
        let (from, to) = (at - reach, at + reach + 1);
        (sums[to] - sums[from]) / (to - from) as f64
    };
    points.iter().enumerate().map(|(at, (step, _))| (*step, mean(at))).collect()
}

/// At most `most` of the points, evenly spaced; the first and the last are among them.
pub(crate) fn thin(points: &[Point], most: usize) -> Vec<Point> {
    if points.len() <= most || most < 2 {
        return points.to_vec();
    }
    (0..most).map(|i| points[i * (points.len() - 1) / (most - 1)]).collect()
}

/// Where a plot lies: `steps` from left to right, losses from `low` to `high` from bottom to top.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) steps: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Frame {
    /// The points as the `d` of an SVG path on the grid.
    pub(crate) fn path(&self, points: &[Point]) -> String {
        let mut path = String::new();
        let mut before = (0, 0);
        for (at, (step, loss)) in points.iter().enumerate() {
            // A loss belongs to the end of its step.
            let x = ((*step as f64 + 1.0) / self.steps * GRID).round() as i64;
            let y = ((self.high - loss) / (self.high - self.low) * GRID).round() as i64;
            match at {
                0 => path.push_str(&format!("M{x} {y}l")),
                1 => path.push_str(&format!("{} {}", x - before.0, y - before.1)),
                _ => path.push_str(&format!(" {} {}", x - before.0, y - before.1)),
            }
            before = (x, y);
        }
        if points.len() == 1 { path + "0 0" } else { path }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_keeps_a_line_and_evens_out_noise() {
        let line: Vec<Point> = (0..200).map(|i| (i, 7.0 - 0.01 * i as f64)).collect();
        assert!(smooth(&line).iter().zip(&line).all(|(a, b)| a.0 == b.0 && (a.1 - b.1).abs() < 1e-9));
        let noise: Vec<Point> = (0..200).map(|i| (i, if i % 2 == 0 { 1.0 } else { -1.0 })).collect();
        assert!(smooth(&noise)[20..180].iter().all(|(_, loss)| loss.abs() < 0.2));
        assert_eq!(smooth(&[(0, 3.0)]), [(0, 3.0)]);
        assert_eq!(smooth(&[]), []);
    }

    #[test]
    fn thinning_keeps_both_ends() {
        let line: Vec<Point> = (0..1000).map(|i| (i, i as f64)).collect();
        let thinned = thin(&line, 7);
        assert_eq!((thinned.len(), thinned[0], thinned[6]), (7, line[0], line[999]));
        assert_eq!(thin(&line[..5], 7), line[..5]);
    }

    #[test]
    fn what_is_not_finite_is_left_out() {
        assert_eq!(points(&[1.0, f32::NAN, f32::INFINITY, 2.0]), [(0, 1.0), (3, 2.0)]);
    }

    #[test]
    fn a_path_goes_from_the_first_step_to_the_right_edge() {
        let frame = Frame { steps: 4.0, low: 0.0, high: 2.0 };
        assert_eq!(frame.path(&[(0, 2.0), (1, 1.0), (3, 0.0)]), "M250 0l250 500 500 500");
        assert_eq!(frame.path(&[(3, 1.0)]), "M1000 500l0 0");
    }
}
