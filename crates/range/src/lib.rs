//! Which values a unit can take, and whether its numbers stay finite.
//!
//! In goes the formal core of a checked unit; out come intervals that hold for all weights, inputs and lengths.
//! Intervals are closed under rounding: a sigmoid is in `[0, 1]`, not between.
//!
//! - [`Ranges`]: an interval for each value, and along which axes a vector has at most the length 1.
//! - [`doubts`]: each `log`, `sqrt`, `/`, `exp` and `^` that is not proven to stay where it and its derivative
//!   are finite. None is a proof: `finite`.
//! - [`growth`]: whether each state of a scan can grow of itself.
//!
//! Not here: overflow by size alone. A product of large numbers is taken to be finite, as a weight is; only what
//! turns a moderate number into an infinite one is looked for.

mod finite;
mod growth;
mod interval;
mod pattern;
mod ranges;
#[cfg(test)]
mod tests;

pub use finite::{Doubt, Fails, doubts};
pub use growth::{Growth, Norm, Verdict, growth};
pub use interval::Interval;
pub use ranges::Ranges;
