//! The scalar functions of the language, and the initial laws built from them.
//!
//! One list of functions serves the checker (names and arity), the interpreter (`eval` in f64 is
//! their meaning), the IR and the back ends, so that a new function breaks the build everywhere
//! that has to know it.
//!
//! Not here: how a back end computes them, and their derivatives (the differentiation pass's).

mod function;
mod law;

pub use function::Function;
pub use law::{Law, Role};
