//! What a unit costs, as formulas in the width `D` and the length `T`.
//!
//! In goes the formal core of a checked unit; out come formulas that are exact at every scale, and their
//! values in 128-bit integers. `T` occurs in costs only: no type and no requirement knows it. A unit that takes a derivative
//! (`grad`) is counted on its IR, where the derivative is operations like any other.
//!
//! - [`Cost`]: a polynomial over `D` and extents of time ([`Extent`]), evaluated, printed and ordered by growth.
//! - [`UnitCost`]: parameters, contractions, scans, elementwise work and values of one unit.
//! - [`ModelCost`]: the same for a whole model at a scale, embedding and head included.
//! - [`beyond_limits`]: what no machine could hold is refused before it is made.
//! - [`Program`]: the graph as it runs, on which this and other analyses are made.
//! - [`Reach`]: how far back a unit looks, and through what.
//!
//! Counted is the program, not a machine: each value of the formal core once, causal pasts as they are, a
//! multiply-add as two operations. What a back end computes twice, pads or masks is not in here.

mod cost;
mod expanded;
mod extent;
mod limits;
mod model;
mod program;
mod reach;
mod scan;
mod trained;
mod unit;

pub use cost::Cost;
pub use extent::Extent;
pub use limits::{MAX_ROW_BYTES, MAX_ROW_OPERATIONS, beyond_limits};
pub use model::{Memory, ModelCost, Part, PartCost};
pub use program::Program;
pub use reach::{Horizon, Label, Reach, reach};
pub use unit::{Contraction, UnitCost, unit_cost};
