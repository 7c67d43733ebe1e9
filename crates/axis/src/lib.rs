//! Named axes and symbolic sizes.
//!
//! A size is a polynomial with rational coefficients over the width `D`, a unit's static
//! parameters and a few opaque atoms (`ceil_to`, `min`, `max`, inexact quotients). Equality is
//! equality of normal forms: sound at every scale that meets the requirements, incomplete only
//! across atoms. Sizes never take part in matching axes; names do that.
//!
//! - [`Size`]: the polynomial, its arithmetic, its value at an assignment of its symbols.
//! - [`Requirement`]: what must hold of sizes before a design runs at a scale.
//! - [`Constant`]: a number known once a scale is fixed.
//! - [`Domain`]: what an axis ranges over: a fixed number of elements, the positions of a past, or completed blocks.
//!
//! Not here: types of values (the checker's), layouts (the IR's), the ladder of scales.

mod constant;
mod domain;
mod require;
mod size;

pub use constant::Constant;
pub use domain::Domain;
pub use require::{Compare, Requirement, Unmet};
pub use size::{Size, SizeError};
